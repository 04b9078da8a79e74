"""Real recordings: all import, nothing is lost, importing again adds nothing."""

from __future__ import annotations

import asyncio
import json

import lamina


def run(home, work):
    async def go():
        async with lamina.open(settings={"home": str(home)}) as ctx:
            return await work(ctx)

    return asyncio.run(go())


async def import_all(ctx, files):
    done = []
    for file in files:
        done += await ctx.import_data(file.read_bytes(), str(file))
    return done


def test_every_recording_imports_and_what_is_skipped_is_counted(tmp_path, recordings):
    async def work(ctx):
        return await import_all(ctx, recordings)

    done = run(tmp_path, work)
    assert len(done) > 80
    assert sum(d.added for d in done) > 2000
    skipped = {reason for d in done for reason in d.skipped}
    assert {"system", "summary"} <= skipped


def test_export_gives_back_every_claude_code_line_byte_for_byte(tmp_path, data):
    async def work(ctx):
        for file in sorted(data.glob("claude_code/**/*.jsonl")):
            if file.name == "MANIFEST.jsonl" or not file.stat().st_size:
                continue
            done = await ctx.import_data(file.read_bytes(), str(file))
            lines = []
            for imported in done:
                session = await ctx.session(imported.session)
                lines += (await session.export()).splitlines()
            assert sorted(lines) == sorted(line for line in file.read_bytes().splitlines() if line.strip())

    run(tmp_path, work)


def test_export_gives_back_every_openai_message(tmp_path, data):
    file = data / "tau_bench" / "conversations.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]

    async def work(ctx):
        done = await ctx.import_data(file.read_bytes(), str(file))
        assert len(done) == len(rows)
        for imported, row in zip(done, rows, strict=True):
            exported = json.loads(await (await ctx.session(imported.session)).export())
            messages = exported["messages"] if isinstance(exported, dict) else exported
            assert messages == row["messages"]

    run(tmp_path, work)


def test_every_page_keeps_its_source_bytes_without_the_file(tmp_path, recordings):
    async def keep(ctx):
        await import_all(ctx, recordings)

    async def read(ctx):
        sources = {str(f): f.read_bytes() for f in recordings}
        pages = 0
        for info in await ctx.sessions():
            session = await ctx.session(info.id)
            whole = sources[info.source]
            for page in session.pages:
                raws = await session.raw(page.id)
                assert raws
                assert all(raw in whole for raw in raws)
                pages += 1
        return pages

    run(tmp_path, keep)
    assert run(tmp_path, read) > 1000


def test_importing_again_adds_nothing_and_a_grown_file_only_what_is_new(tmp_path, sample):
    data = sample.read_bytes()
    lines = data.splitlines(keepends=True)
    half = b"".join(lines[: len(lines) // 2])

    async def work(ctx):
        (first,) = await ctx.import_data(half, "s.jsonl")
        (again,) = await ctx.import_data(half, "s.jsonl")
        (grown,) = await ctx.import_data(data, "s.jsonl")
        whole = await ctx.session(first.session)
        assert again.added == 0
        assert again.already == len(lines) // 2
        assert first.added + grown.added == whole.info.messages
        assert await whole.export() == data

    run(tmp_path, work)


def test_the_standard_profile_needs_no_repair_by_the_gate(tmp_path, recordings):
    async def work(ctx):
        for imported in await import_all(ctx, recordings):
            session = await ctx.session(imported.session)
            for budget in (2500, 8000) if session.pages else ():
                try:
                    window = await session.window(budget)
                except lamina.LaminaError:
                    # A system prompt larger than the budget is the one thing that cannot be helped.
                    assert sum(p.tokens for p in session.pages if p.role == "system") > budget - 100
                    continue
                assert window.ledger.repairs == ()
                for name, form in ctx.formats.items():
                    assert form.check(window.messages(name)) == [], name

    run(tmp_path, work)
