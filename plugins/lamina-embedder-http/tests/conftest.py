"""A real HTTP server that speaks the embeddings API, and does wrong what a test wants."""

from __future__ import annotations

import json
import threading
import zlib
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from attrs import Factory, define, frozen

SIZE = 64
KEY = "sk-" + "T0pSecret" * 4


@frozen
class Reply:
    """What the server does with one request."""

    status: int = 200
    headers: dict = Factory(dict)
    body: bytes | None = None
    """Sent as it is; by default vectors."""
    hang: bool = False
    """Wait until the test is over."""
    drop: bool = False
    """Close the connection in the middle of the body."""


def vector(text, size=SIZE):
    """Counts of characters and pairs of them, not of length 1: services differ in that."""
    row = [0.0] * size
    for piece in (*text, *map("".join, pairwise(text))):
        row[zlib.crc32(piece.encode()) % size] += 1
    return row


def shaped(texts, size=SIZE):
    """An answer in the API's shape, out of order. Source: https://platform.openai.com/docs/api-reference/embeddings."""
    data = [{"object": "embedding", "index": n, "embedding": vector(text, size)} for n, text in enumerate(texts)]
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    return {"object": "list", "data": data[::-1], "model": "m", "usage": usage}


@define
class Server:
    """What was asked of it, and what it is to do."""

    http: ThreadingHTTPServer
    replies: deque = Factory(deque)
    """What it does with the next requests; after them ``always``."""
    always: Reply = Reply()
    asked: list = Factory(list)
    headers: list = Factory(list)
    paths: list = Factory(list)
    over: threading.Event = Factory(threading.Event)
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = Factory(threading.Lock)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *args):
        pass

    def do_POST(self):
        server = self.server.lamina
        with server.lock:
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            self.answer(server)
        except OSError:
            self.close_connection = True  # the client gave up
        finally:
            with server.lock:
                server.at_once -= 1

    def answer(self, server):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.asked.append(asked)
            server.headers.append({k.lower(): v for k, v in self.headers.items()})
            server.paths.append(self.path)
            reply = server.replies.popleft() if server.replies else server.always
        if reply.hang:
            server.over.wait(30)
            return
        body = reply.body
        if body is None:
            error = {"error": {"type": "some_error", "code": "some_code", "message": "quoted-content"}}
            body = json.dumps(
                shaped(asked["input"], asked.get("dimensions", SIZE)) if reply.status == 200 else error
            ).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if reply.drop else body)
        if reply.drop:
            self.close_connection = True


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # a client that gives up is none of ours


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    http = Quiet(("127.0.0.1", 0), Handler)
    http.lamina = Server(http)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield http.lamina
    finally:
        http.lamina.over.set()
        http.shutdown()
        http.server_close()
        thread.join()
