"""Opening: parts are opened once, closed in reverse, cycles are spelt out; the API is what it says."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

import lamina
from lamina import errors
from lamina.errors import ConfigError, MissingDependencyError, PluginError
from lamina.hookspecs import hookimpl


def storage_plugin(kernel, name, *needs, fail=None, events=None):
    """A storage that needs other storages."""

    @asynccontextmanager
    async def opener(settings, host):
        for other in needs:
            await host.open("storage", other)
        if fail is not None:
            raise fail
        events.append(f"open {name}")
        yield kernel.DictStorage()
        events.append(f"close {name}")

    class Plugin:
        @hookimpl
        def register_storage(self, register):
            register(name, opener, kernel.NoSettings)

    return Plugin()


def open_with(kernel, *plugins, storage):
    async def go():
        async with kernel({"log": {"storage": storage}}, *plugins):
            pass

    asyncio.run(go())


def test_a_part_is_opened_once_and_closed_after_all_that_use_it(kernel):
    events = []
    base = storage_plugin(kernel, "base", events=events)
    left = storage_plugin(kernel, "left", "base", events=events)
    top = storage_plugin(kernel, "top", "left", "base", events=events)
    open_with(kernel, base, left, top, storage="top")
    assert events == ["open base", "open left", "open top", "close top", "close left", "close base"]


def test_a_circle_is_spelt_out(kernel):
    a, b = storage_plugin(kernel, "a", "b"), storage_plugin(kernel, "b", "a")
    with pytest.raises(ConfigError, match=r"needs itself: storage a → storage b → storage a; break the circle"):
        open_with(kernel, a, b, storage="a")


def test_an_opener_that_fails_is_named_by_distribution(kernel):
    with pytest.raises(PluginError, match=r"dist-1: storage 'x' could not be opened: RuntimeError: no"):
        open_with(kernel, storage_plugin(kernel, "x", fail=RuntimeError("no")), storage="x")
    with pytest.raises(MissingDependencyError, match="needs a package that is not installed: zstd"):
        open_with(kernel, storage_plugin(kernel, "x", fail=ImportError("zstd")), storage="x")


def test_the_synchronous_face_works_inside_a_running_loop(kernel, monkeypatch):
    import lamina.sync

    monkeypatch.setattr(lamina.sync, "open_async", lambda *a, **k: kernel())

    async def go():
        with lamina.open_sync() as ctx:
            s = ctx.session("s")
            assert s.add(lamina.user("we chose port 8417"), lamina.user("w " * 30)) == [1, 2]
            assert s.window(60).tokens <= 60
            s.checkpoint("x")
            s.add(lamina.assistant("", lamina.ToolCall("c", "echo", '{"text": "hi"}')))
            assert s.add_result(ctx.call(lamina.Call("echo", {"text": "hi"}, id="c"))) == "hi"
            s.rollback("x")
            s.pin(1)
            s.unpin(1)
            s.add(lamina.user("more"))
            s.rollback("x")
            assert [p.id for p in s.pages] == [1, 2]
            assert s.expand(1)[0].text == "we chose port 8417"
            assert ctx.recall("port")[0].page == 1
            assert ctx.remember("a fact").text == "a fact"
            assert ctx.call(lamina.Call("echo", {"text": "hi"})).text == "hi"
            ctx.register(lamina.tool(name="twice")(lambda text: text * 2))
            assert [t.name for t in ctx.tools()] == ["echo", "twice"]
            assert [f.spec.name for f in ctx.find_tools("twice")] == ["twice"]
            calls = [lamina.Call("twice", {"text": "a"}), lamina.Call("nope")]
            assert [r.state for r in ctx.gather(calls)] == ["done", "refused"]
            child = s.fork("t")
            child.close()
            child.reopen()
            assert {i.id for i in ctx.sessions()} == {"s", "t"}
            assert s.info.pages == 2
            ctx.consolidate()

    asyncio.run(go())


def test_an_error_inside_the_synchronous_block_is_the_callers(kernel, monkeypatch):
    import lamina.sync

    monkeypatch.setattr(lamina.sync, "open_async", lambda *a, **k: kernel())
    with pytest.raises(ZeroDivisionError), lamina.open_sync() as ctx:
        ctx.session("s")
        1 / 0  # noqa: B018


def test_the_api_is_pinned():
    assert lamina.__all__ == [
        "__version__", "Call", "CallResult", "Config", "Context", "Draft", "Filter", "Hit", "Image", "LaminaError", "Ledger", "LedgerLine", "LedgerRow",
        "Memory", "Message", "Opaque", "Output", "Page", "Reasoning", "Session", "SessionInfo", "Text", "ToolCall", "ToolResult",
        "Window", "assistant", "hookimpl", "open", "open_sync", "system", "tool", "tool_result", "user",
    ]  # fmt: skip
    assert all(getattr(lamina, name) is not None for name in lamina.__all__)
    assert dir(lamina) == sorted(lamina.__all__)
    with pytest.raises(AttributeError):
        _ = lamina.nothing


def test_importing_lamina_loads_nothing_heavy():
    code = "import sys, lamina; print([m for m in ('attrs','cattrs','asyncio','numpy','tiktoken','pluggy','structlog','msgspec') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


EXAMPLES = [
    errors.ConfigError(["a: b", "c: d"]),
    errors.PluginError("p", "w"),
    errors.UnknownPluginError("storage", "x", ("a",), "h"),
    errors.DuplicatePluginError("storage", "x", "a", "b"),
    errors.FormatError("why", "f.json", 3),
    errors.SeveralSessionsError(("a", "b"), "f.json", "c"),
    errors.ConflictError(["k"]),
    errors.CapabilityError("ttl", "s"),
    errors.UnknownSessionError("s", ("a", "b")),
    errors.UnknownPageError("s", 3, 2),
    errors.BudgetError(5, 7, "pins"),
    errors.UnknownToolError("t", ("a",)),
    errors.ArgumentsError("t", ["a: b"]),
    errors.DeniedError("t", "why"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda e: type(e).__name__)
def test_errors_survive_pickling_and_read_the_same(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert isinstance(error, lamina.LaminaError)
