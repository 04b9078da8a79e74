"""Asking a service over HTTP: where it is, the key to it, and one call that can be given up at any time.

Nothing here puts a key, or what may be one, into a message.

The standard library's client in a thread of its own: ``http.client`` costs 20 ms to import where httpx costs 600 and
httpx2 270 (CPU, Python 3.11, 2 busy cores), and a call that takes seconds gains nothing from a pool of
connections. A connection for each call also means that none can be stale, so that a request is never sent twice
unless we decide so.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import functools
import os
import re
import socket
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import frozen

from lamina.errors import ConfigError

if TYPE_CHECKING:
    from http.client import HTTPConnection
    from ssl import SSLContext


@frozen
class Place:
    """The address that calls go to."""

    secure: bool
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def exposed(self) -> bool:
        """Whether what is sent can be read on the way."""
        return not self.secure and self.host not in ("localhost", "::1") and not self.host.startswith("127.")


def place_of(url: str, end: str, where: str) -> Place:
    """The address of a service.

    Args:
        url: Its base address, as the provider's own clients take it (``https://api.openai.com/v1``), or a whole one.
        end: What is added to it where it is missing: ``/chat/completions``; ``/v1`` is not said twice.
        where: The setting's path, for errors.

    Raises:
        ConfigError: It is none; it is not repeated in the message where it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError([f"{where}: is no address; write it like https://api.openai.com/v1"]) from None
    if "@" in parts.netloc:
        raise ConfigError([f"{where}: holds a user or password; leave them out, and name the key by key_env"])
    if parts.scheme not in ("http", "https") or not parts.hostname or not re.fullmatch(r"[!-~]+", url):
        raise ConfigError([f"{where}: is no http or https address; write it like https://api.openai.com/v1"])
    secure = parts.scheme == "https"
    path = parts.path.rstrip("/")
    if path.endswith(end):
        end = ""
    elif path.endswith("/v1") and end.startswith("/v1/"):
        end = end.removeprefix("/v1")
    target = f"{path}{end}" + (f"?{parts.query}" if parts.query else "")
    return Place(secure, parts.hostname, port or (443 if secure else 80), target)


def key_of(variable: str | None, where: str) -> str:
    """The key, from the environment; empty where none is needed.

    Args:
        variable: The environment variable that holds it.
        where: The setting's path, for errors.

    Raises:
        ConfigError: There is none.
    """
    if variable is None:
        return ""
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) and variable not in os.environ:
        # It may be the key itself, by mistake.
        raise ConfigError([f'{where}: names no environment variable that is set; write key_env = "OPENAI_API_KEY"'])
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError([f"{where}: {variable} is not set in the environment; export it, or leave key_env out"])
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError([f"{where}: what {variable} holds is no key: it has spaces or letters beyond ASCII"])
    return key


def retry_after_s(header: str, now_s: float) -> float | None:
    """Seconds to wait by a ``Retry-After`` header, or ``None`` where it says nothing that can be understood.

    Source:
        RFC 9110, section 10.2.3: a number of seconds, or a date.
    """
    header = header.strip()
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - now_s
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds < float("inf") else None


class BrokenError(Exception):
    """The connection could not be made, or broke; ``sent`` says whether the request may have arrived."""

    def __init__(self, why: str, sent: bool) -> None:
        super().__init__(why, sent)
        self.why, self.sent = why, sent


@frozen
class Reply:
    """What the server answered."""

    status: int
    body: bytes
    """At most the limit and one byte more, which says that there was more."""
    retry_after: str = ""


async def post(place: Place, headers: Mapping[str, str], body: bytes, timeout_s: float, limit: int) -> Reply:
    """Send the body, read the answer.

    Args:
        place: Where to.
        headers: Sent as they are.
        body: Likewise.
        timeout_s: For all of it.
        limit: Bytes of the answer that are read.

    Raises:
        BrokenError: The connection failed.
        TimeoutError: It took too long.
    """
    # The socket's own timeout is for what happens in the thread after we gave up.
    call = _Call(place, headers, body, timeout_s + 1, limit)
    # A daemon, because a name server that does not answer can be waited for longer than the timeout, and a thread
    # that waits for it must not keep the process from ending.
    threading.Thread(target=call.run, name="lamina-http", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            return await call.done
    finally:
        call.give_up()


class _Call:
    def __init__(self, place: Place, headers: Mapping[str, str], body: bytes, timeout_s: float, limit: int) -> None:
        self._place, self._headers, self._body = place, headers, body
        self._timeout_s, self._limit = timeout_s, limit
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Reply] = self._loop.create_future()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._over = False
        self._sent = False

    def run(self) -> None:
        """In the thread: do it, and tell the loop how it went."""
        try:
            reply = self._exchange()
        except Exception as error:  # noqa: BLE001 - whatever it is, the loop must be told
            # Only the kind: a message may quote headers.
            self._tell(BrokenError(type(error).__name__, self._sent))
        else:
            self._tell(reply)

    def give_up(self) -> None:
        """Close the connection under the thread, if it is still at it."""
        with self._lock:
            self._over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):  # closed already
                    # Not by the method of SSLSocket, which takes its state away while the thread reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _tell(self, outcome: Reply | BrokenError) -> None:
        def tell() -> None:
            if self.done.done():
                return
            if isinstance(outcome, Reply):
                self.done.set_result(outcome)
            else:
                self.done.set_exception(outcome)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(tell)

    def _exchange(self) -> Reply:
        connection, target, headers = _connection(self._place, self._timeout_s)
        try:
            connection.connect()
            with self._lock:
                if self._over:
                    raise ConnectionAbortedError
                self._socket = connection.sock
            self._sent = True
            connection.request("POST", target, body=self._body, headers={**self._headers, **headers})
            with connection.getresponse() as response:
                body = _read(response, self._limit + 1)
                return Reply(response.status, body, response.headers.get("Retry-After") or "")
        finally:
            with self._lock:
                self._socket = None
            connection.close()


def _read(response: Any, most: int) -> bytes:
    """At most so many bytes of the body.

    Raises:
        ConnectionResetError: It ended before what was announced.
    """
    read = bytearray()
    while len(read) < most:
        piece = response.read(min(most - len(read), 65536))
        if not piece:
            # Asked for a number of bytes, http.client takes an early end for the end.
            if response.length:
                raise ConnectionResetError
            break
        read += piece
    return bytes(read)


def _connection(place: Place, timeout_s: float) -> tuple[HTTPConnection, str, dict[str, str]]:
    """The connection to the server or to the proxy that the environment names, what to ask it for, more headers."""
    from http.client import HTTPConnection, HTTPSConnection

    def to(secure: bool, host: str, port: int) -> HTTPConnection:
        if secure:
            return HTTPSConnection(host, port, timeout=timeout_s, context=_trust())
        return HTTPConnection(host, port, timeout=timeout_s)

    proxy = _proxy(place)
    if proxy is None:
        return to(place.secure, place.host, place.port), place.target, {}
    host, port, identity = proxy
    connection = to(place.secure, host, port)
    if place.secure:
        connection.set_tunnel(place.host, place.port, identity)
        return connection, place.target, {}
    server = f"[{place.host}]" if ":" in place.host else place.host
    return connection, f"http://{server}:{place.port}{place.target}", identity


def _proxy(place: Place) -> tuple[str, int, dict[str, str]] | None:
    """Host, port and identifying headers of the proxy by ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``."""
    import base64
    from urllib.parse import unquote, urlsplit
    from urllib.request import getproxies, proxy_bypass

    named = getproxies().get("https" if place.secure else "http")
    if not named or proxy_bypass(place.host):
        return None
    url = urlsplit(named if "//" in named else f"//{named}")
    if not url.hostname:
        return None
    identity = {}
    if url.username:
        pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
        identity["Proxy-Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    return url.hostname, url.port or 80, identity


@functools.cache
def _trust() -> SSLContext:
    import ssl

    return ssl.create_default_context()
