"""What surfaces (the command line and others) ask of the kernel beside sessions and memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

from lamina import config, user
from lamina.context import open_part
from lamina.errors import ConfigError, FormatError, SeveralSessionsError, UnknownPluginError
from lamina.hookspecs import hookimpl
from lamina.protocols import Parsed, Passage


class Lines:
    """A format of lines ``session: text``."""

    sends = "lines"

    def sniff(self, request):
        return 0.5

    def parse(self, request):
        for number, line in enumerate(request.data.splitlines(), 1):
            session, _, text = line.decode().partition(": ")
            yield Parsed(session=session, raw=line, messages=(user(text),), line=number)

    def render(self, request):
        return [{"role": m.role, "content": m.text} for m in request.messages]

    def check(self, messages):
        return []

    def passages(self, message):
        return [Passage(message.text)] if message.role == "user" else []

    def export(self, request):
        return b"\n".join(raw for raw, _ in request.records if raw)


class Recorded:
    @hookimpl
    def register_format(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield Lines()

        register("lines", opener, self.settings)


def opened(kernel, work, **parts):
    plugin = Recorded()
    plugin.settings = kernel.NoSettings

    async def go():
        async with kernel(None, plugin, **parts) as ctx:
            return await work(ctx)

    return asyncio.run(go())


class TestOneSessionOfAFile:
    def test_several_are_refused_where_one_is_wanted_and_nothing_is_stored(self, kernel):
        async def work(ctx):
            with pytest.raises(
                SeveralSessionsError, match=r"f\.txt: holds 2 sessions; choose one with --session: a, b"
            ):
                await ctx.import_data(b"a: x\nb: y\na: z", "f.txt", single=True)
            assert await ctx.sessions() == []
            done = await ctx.import_data(b"a: x\nb: y\na: z", "f.txt", single=True, session="a")
            assert [(i.session, i.added) for i in done] == [("a", 2)]
            assert [i.session for i in await ctx.import_data(b"c: x", "g.txt", single=True)] == ["c"]

        opened(kernel, work)

    def test_a_wrong_choice_says_which_there_are(self):
        error = SeveralSessionsError([f"s{n}" for n in range(25)], "f.txt", "x")
        assert str(error).startswith("f.txt: holds 25 sessions, none of them 'x'; choose one with --session: s0, s1, ")
        assert str(error).endswith("s19 and 5 more (lamina import stores them all)")
        assert isinstance(error, FormatError)

    def test_a_file_is_stored_whole_or_not_at_all(self, kernel):
        async def work(ctx):
            await ctx.import_data(b"b: something else", "old.txt")
            with pytest.raises(FormatError, match=r"f\.txt:2: session 'b' already holds a different recording"):
                await ctx.import_data(b"a: x\nb: y", "f.txt")
            assert [info.id for info in await ctx.sessions()] == ["b"]

        opened(kernel, work)


def test_a_session_knows_the_budget_that_its_renditions_were_chosen_for(kernel):
    storage = kernel.DictStorage()

    async def pack(ctx):
        session = await ctx.session("s")
        await session.add(*(user(f"message number {n} of many") for n in range(20)))
        await session.window(100_000)
        before = session.budget
        await session.window(80)
        return before, session.budget

    async def again(ctx):
        return (await ctx.session("s")).budget

    assert opened(kernel, pack, storage=storage) == (None, 80)
    assert opened(kernel, again, storage=storage) == 80


def test_a_part_opens_by_itself_with_what_it_needs(kernel):
    events = []

    class Plugin:
        @hookimpl
        def register_storage(self, register):
            @asynccontextmanager
            async def base(settings, host):
                events.append("open base")
                yield kernel.DictStorage()
                events.append("close base")

            @asynccontextmanager
            async def over(settings, host):
                yield await host.open("storage", "base")

            register("base", base, kernel.NoSettings)
            register("over", over, kernel.NoSettings)

    made = config.load(environ={}, catalogue=kernel.catalogue_of(kernel.Parts(), Plugin()))

    async def go():
        async with open_part(made, "storage", "over") as part:
            assert isinstance(part, kernel.DictStorage)
            assert events == ["open base"]
        with pytest.raises(UnknownPluginError):
            async with open_part(made, "storage", "nosuch"):
                pass

    asyncio.run(go())
    assert events == ["open base", "close base"]


def test_what_is_installed_is_known_although_the_configuration_is_wrong(tmp_path, monkeypatch):
    site = tmp_path / "site"
    (site / "acme-1.0.dist-info").mkdir(parents=True)
    (site / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("[lamina]\na = acme_that_must_not_be_imported\n")
    monkeypatch.syspath_prepend(str(site))
    file = tmp_path / "lamina.toml"
    file.write_text('nonsense = 1\n[window]\nbudget = -1\n[plugins]\nblock = ["acme"]\n')
    found = config.installed(file, environ={})
    assert "acme" in found.blocked
    allowed = config.installed(file, settings={"plugins": {"block": []}}, environ={})
    assert [b.distribution for b in allowed.broken] == ["acme"]
    file.write_text("[plugins")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.installed(file, environ={})


def test_structlog_is_loaded_by_the_first_event_and_says_what_was_configured():
    code = (
        "import sys; from lamina.logging import configure, logger\n"
        "configure('info', 'json'); log = logger(part='x')\n"
        "assert 'structlog' not in sys.modules\n"
        "log.debug('no'); log.info('yes', n=1); log.bind(m=2).warning('also')\n"
        "configure('error'); log.warning('no more')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert '"part": "x"' in told[0]
    assert '"n": 1' in told[0]
    assert '"m": 2' in told[1]
