"""A real HTTP server that speaks both APIs, and does wrong what a test wants."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections import deque
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from attrs import Factory, define, frozen

from lamina.protocols import CompressRequest
from lamina.testing import LoneHost
from lamina.testing.pages import count_words, message_tokens, shorten, tool_page
from lamina_compressor_llm import LlmSettings, open_llm

KEY = "sk-" + "T0pSecret" * 4


@frozen
class Reply:
    """What the server does with one request."""

    status: int = 200
    headers: dict = Factory(dict)
    body: bytes | None = None
    """Sent as it is; by default the short forms that were asked for, in the API's shape."""
    text: str | None = None
    """What the model says, in the API's shape."""
    finish: str | None = None
    refusal: str | None = None
    usage: object = None
    hang: bool = False
    """Wait until the test is over."""
    wait: object = None
    """An event to wait for."""
    drop: int | None = None
    """Close the connection after so many bytes of the body (none: not at all)."""


GOOD = Reply()


def asked_texts(user):
    """The texts of a prompt, by number, with the characters that were asked for."""
    found = re.findall(
        r"^\[(\w+)\] text (\d+), at most (\d+) characters:\n(.*?)\n\[\1\] end of text \2$", user, re.M | re.S
    )
    return {number: (text, int(most)) for _, number, most, text in found}


def short_forms(user):
    """What an obedient model says: the beginning of each text."""
    return json.dumps({"texts": {n: text.strip()[:most] or "-" for n, (text, most) in asked_texts(user).items()}})


@define
class Server:
    """What was asked of it, and what it is to do."""

    http: ThreadingHTTPServer
    replies: deque = Factory(deque)
    """What it does with the next requests; after them ``always``."""
    always: Reply = GOOD
    asked: list = Factory(list)
    """The bodies of requests."""
    headers: list = Factory(list)
    paths: list = Factory(list)
    violations: list = Factory(list)
    over: threading.Event = Factory(threading.Event)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = Factory(threading.Lock)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def die(self):
        """Stop listening, as a process does that ends."""
        self.http.shutdown()
        self.http.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *args):
        pass

    def do_CONNECT(self):
        self.server.lamina.paths.append(f"CONNECT {self.path}")
        self.server.lamina.headers.append(dict(self.headers))
        self.send_error(502)

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
        api = "anthropic" if self.path.split("?")[0].endswith("/messages") else "openai"
        wrong = (check_anthropic if api == "anthropic" else check_openai)(self.path, self.headers, asked)
        server.violations += wrong
        if reply.wait is not None:
            reply.wait.wait(30)
        if reply.hang:
            server.over.wait(30)
            return
        body = reply.body if reply.body is not None else shaped(api, asked, reply)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.drop is not None:
            self.wfile.write(body[: reply.drop])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(body)


def shaped(api, asked, reply):
    """A response in the API's shape.

    Source: the response objects of https://platform.openai.com/docs/api-reference/chat/object and
    https://platform.claude.com/docs/en/api/messages/create; errors of
    https://platform.openai.com/docs/guides/error-codes and https://platform.claude.com/docs/en/api/errors.
    """
    if reply.status != 200:
        error = {"type": "some_error", "code": "some_code", "message": "quoted-content", "param": None}
        return json.dumps({"type": "error", "error": error}).encode()
    user = asked["messages"][-1]["content"]
    text = reply.text if reply.text is not None else short_forms(user)
    if api == "anthropic":
        made = {
            "id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"],
            "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": text}],
            "stop_reason": reply.finish or "end_turn", "stop_sequence": None,
            "usage": reply.usage or {"input_tokens": 300, "cache_read_input_tokens": 11, "output_tokens": 50},
        }  # fmt: skip
        return json.dumps(made).encode()
    message = {"role": "assistant", "content": None if reply.refusal else text, "refusal": reply.refusal}
    made = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish or "stop"}],
        "usage": reply.usage or {"prompt_tokens": 311, "completion_tokens": 50, "total_tokens": 361},
    }  # fmt: skip
    return json.dumps(made).encode()


def check_openai(path, headers, asked):
    """What in a request breaks the chat completions API.

    Source: https://platform.openai.com/docs/api-reference/chat/create; JSON mode wants the word in the messages.
    """
    known = {"model", "messages", "max_completion_tokens", "max_tokens", "response_format", "temperature"}
    rules = {
        "path": path.split("?")[0].removeprefix("http://lamina.test:80") == "/v1/chat/completions",
        "content type": headers["Content-Type"] == "application/json",
        "fields": asked.keys() <= known and {"model", "messages"} <= asked.keys(),
        "one limit": len(asked.keys() & {"max_completion_tokens", "max_tokens"}) == 1,
        "limit": all(type(v) is int and v > 0 for k, v in asked.items() if k.startswith("max_")),
        "format": asked.get("response_format") in (None, {"type": "json_object"}),
        "roles": [m["role"] for m in asked["messages"]] == ["system", "user"],
        "texts": all(m.keys() == {"role", "content"} and isinstance(m["content"], str) for m in asked["messages"]),
        "JSON is named": any("JSON" in m["content"] for m in asked["messages"]),
    }
    return [f"openai: {rule}" for rule, kept in rules.items() if not kept]


def check_anthropic(path, headers, asked):
    """What in a request breaks the messages API. Source: https://platform.claude.com/docs/en/api/messages/create."""
    rules = {
        "path": path == "/v1/messages",
        "content type": headers["content-type"] == "application/json",
        "version": headers["anthropic-version"] == "2023-06-01",
        "fields": asked.keys() <= {"model", "messages", "max_tokens", "system", "temperature"},
        "limit": type(asked.get("max_tokens")) is int and asked["max_tokens"] > 0,
        "system": isinstance(asked.get("system"), str),
        "messages": [m["role"] for m in asked["messages"]] == ["user"],
        "no bearer": "Authorization" not in headers,
    }
    return [f"anthropic: {rule}" for rule, kept in rules.items() if not kept]


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
    monkeypatch.setenv("LLM_TEST_KEY", KEY)
    http = Quiet(("127.0.0.1", 0), Handler)
    http.lamina = made = Server(http)
    thread = threading.Thread(target=lambda: http.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    yield made
    made.over.set()
    made.die()
    thread.join()
    assert made.violations == []


TEXT = "".join(f"step {n}: copied /srv/data/part-{n}.bin to host-{n % 7}, {n * 37} bytes\n" for n in range(120))


def a_page(id=1, text=TEXT):
    return tool_page(id, ("Run", '{"command": "copy"}', text))


def pages(n):
    return [a_page(id, f"run {id}\n{TEXT}") for id in range(1, n + 1)]


class Clock:
    def __init__(self):
        self.now_s = 1_000_000.0

    def __call__(self):
        return self.now_s


@asynccontextmanager
async def opened(server, host, waits=None, **chosen):
    """The compressor; waits between calls are noted and not waited for."""

    async def wait(seconds):
        if waits is not None:
            waits.append(seconds)

    chosen = {"url": f"{server.url}/v1", "model": "m", "key_env": "LLM_TEST_KEY", **chosen}
    async with open_llm(LlmSettings(**chosen), host) as part:
        part._endpoint._sleep = wait
        yield part


async def ask(part, pages, targets=(200,)):
    request = CompressRequest(pages=pages, resident=[], targets=targets, count=count_words, session="s")
    return list(await part.compress(request))


def asked_once(server, host, pages, targets=(200,), **chosen):
    async def go():
        async with opened(server, host, **chosen) as part:
            return await ask(part, pages, targets)

    return asyncio.run(go())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def host(tmp_path, clock):
    return LoneHost(tmp_path, name="llm", clock=clock)


def size(page, offer):
    return sum(message_tokens(message) for message in shorten(page, offer.texts))


def nobody():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
