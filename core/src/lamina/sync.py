"""The synchronous face: the same engine on an event loop of its own, in a thread.

Usable anywhere, also inside a running loop. Calls block until done; several threads may call at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from lamina.context import Context
from lamina.context import open as open_async
from lamina.memory import Moved
from lamina.model import Call, CallResult, Draft, Hit, Memory, Page
from lamina.protocols import Tool, ToolSpec
from lamina.session import Imported, Session, SessionInfo
from lamina.window import Window

if TYPE_CHECKING:
    from lamina.tools import Found

T = TypeVar("T")


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lamina", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def close(self) -> None:
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncSession:
    """A session, synchronously; see :class:`lamina.Session`."""

    def __init__(self, session: Session, loop: _Loop) -> None:
        self._session, self._loop = session, loop
        self.id = session.id

    @property
    def pages(self) -> Sequence[Page]:
        """All pages, in log order."""
        return self._session.pages

    @property
    def info(self) -> SessionInfo:
        """What a listing says of it."""
        return self._session.info

    def add(self, *messages: Any, format: str | None = None) -> list[int]:
        """Log messages; see :meth:`lamina.Session.add`."""
        return self._loop.run(self._session.add(*messages, format=format))

    def add_result(self, result: CallResult) -> str:
        """Log what a call came to, and give what to show of it; see :meth:`lamina.Session.add_result`."""
        return self._loop.run(self._session.add_result(result))

    def window(self, budget: int | None = None, *, query: str | None = None, tools: Sequence[ToolSpec] = ()) -> Window:
        """The window that fits the budget; see :meth:`lamina.Session.window`."""
        return self._loop.run(self._session.window(budget, query=query, tools=tools))

    def expand(self, first: int, last: int | None = None) -> list[Page]:
        """Original pages; see :meth:`lamina.Session.expand`."""
        return self._loop.run(self._session.expand(first, last))

    def raw(self, first: int, last: int | None = None) -> list[bytes]:
        """Source records; see :meth:`lamina.Session.raw`."""
        return self._loop.run(self._session.raw(first, last))

    def export(self, format: str | None = None) -> bytes:
        """The session as a file; see :meth:`lamina.Session.export`."""
        return self._loop.run(self._session.export(format))

    def pin(self, page: int) -> None:
        """Keep a page verbatim; see :meth:`lamina.Session.pin`."""
        self._loop.run(self._session.pin(page))

    def unpin(self, page: int) -> None:
        """See :meth:`lamina.Session.unpin`."""
        self._loop.run(self._session.unpin(page))

    def checkpoint(self, name: str) -> None:
        """See :meth:`lamina.Session.checkpoint`."""
        self._loop.run(self._session.checkpoint(name))

    def rollback(self, to: str | int) -> None:
        """See :meth:`lamina.Session.rollback`."""
        self._loop.run(self._session.rollback(to))

    def fork(self, id: str) -> SyncSession:
        """See :meth:`lamina.Session.fork`."""
        return SyncSession(self._loop.run(self._session.fork(id)), self._loop)

    def close(self) -> None:
        """See :meth:`lamina.Session.close`."""
        self._loop.run(self._session.close())

    def reopen(self) -> None:
        """See :meth:`lamina.Session.reopen`."""
        self._loop.run(self._session.reopen())


class SyncContext:
    """A context, synchronously; see :class:`lamina.Context`."""

    def __init__(self, context: Context, loop: _Loop) -> None:
        self._context, self._loop = context, loop
        self.config = context.config
        self.count = context.count
        """Counts tokens of texts by the configured counter."""

    def session(self, id: str, *, create: bool = True) -> SyncSession:
        """See :meth:`lamina.Context.session`."""
        return SyncSession(self._loop.run(self._context.session(id, create=create)), self._loop)

    def sessions(self) -> list[SessionInfo]:
        """See :meth:`lamina.Context.sessions`."""
        return self._loop.run(self._context.sessions())

    def import_data(
        self,
        data: bytes,
        source: str = "input",
        *,
        format: str = "auto",
        session: str | None = None,
        strict: bool = False,
    ) -> list[Imported]:
        """See :meth:`lamina.Context.import_data`."""
        return self._loop.run(self._context.import_data(data, source, format=format, session=session, strict=strict))

    def recall(self, query: str, **options: Any) -> list[Hit]:
        """See :meth:`lamina.Context.recall`."""
        return self._loop.run(self._context.recall(query, **options))

    def mark_used(self, hits: Sequence[Hit]) -> None:
        """See :meth:`lamina.Context.mark_used`."""
        self._loop.run(self._context.mark_used(hits))

    def remember(self, text: str, **facts: Any) -> Memory:
        """See :meth:`lamina.Context.remember`."""
        return self._loop.run(self._context.remember(text, **facts))

    def remember_many(self, drafts: Sequence[Draft | Mapping[str, Any]]) -> list[Memory]:
        """See :meth:`lamina.Context.remember_many`."""
        return self._loop.run(self._context.remember_many(drafts))

    def forget(self, *ids: str) -> list[str]:
        """See :meth:`lamina.Context.forget`."""
        return self._loop.run(self._context.forget(*ids))

    def undo(self, run: str | None = None) -> list[str]:
        """See :meth:`lamina.Context.undo`."""
        return self._loop.run(self._context.undo(run))

    def consolidate(self) -> Moved:
        """See :meth:`lamina.Context.consolidate`."""
        return self._loop.run(self._context.consolidate())

    def call(self, call: Call) -> CallResult:
        """Run one tool call; see :meth:`lamina.tools.Registry.call`."""
        return self._loop.run(self._context.tools.call(call))

    def gather(self, calls: Sequence[Call]) -> list[CallResult]:
        """Run many tool calls at once; see :meth:`lamina.tools.Registry.gather`."""
        return self._loop.run(self._context.tools.gather(calls))

    def register(self, tool: Tool | Callable[..., Any]) -> None:
        """Add a tool, or a function; see :meth:`lamina.tools.Registry.register`."""
        self._context.tools.register(tool)

    def tools(self) -> list[ToolSpec]:
        """The tools as a model is shown them."""
        return self._context.tools.specs()

    def find_tools(self, query: str, limit: int = 5) -> list[Found]:
        """The tools that fit a need best; see :meth:`lamina.tools.Registry.find_tools`."""
        return self._context.tools.find_tools(query, limit)


@contextmanager
def open_sync(
    path: str | Path | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] | None = None,
    home: str | Path | None = None,
    namespace: str | None = None,
) -> Iterator[SyncContext]:
    """Open a configuration synchronously: ``with lamina.open_sync() as ctx``; see :func:`lamina.open`."""
    loop = _Loop()
    try:
        manager = open_async(path, settings=settings, profile=profile, environ=environ, home=home, namespace=namespace)
        context = loop.run(_enter(manager))
        try:
            yield SyncContext(context, loop)
        finally:
            loop.run(_exit(manager))
    finally:
        loop.close()


async def _enter(manager: Any) -> Context:
    context: Context = await manager.__aenter__()
    return context


async def _exit(manager: Any) -> None:
    await manager.__aexit__(None, None, None)
