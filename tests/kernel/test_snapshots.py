"""A session opens from a snapshot and what came since, and holds the pages that are used."""

from __future__ import annotations

import asyncio
import gc
import weakref

import msgspec
import pytest
from attrs import evolve

import lamina
from lamina import _resident, _snapshot
from lamina.errors import IntegrityError
from lamina.protocols import CounterInfo

EVERY = 50


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Pieces of snapshots are short."""
    monkeypatch.setattr(_snapshot, "EVERY", EVERY)


def run(work):
    return asyncio.run(work())


def pieces(storage):
    """The stored pieces by key, and the versions of their records."""
    return {key: kept for key, kept in storage.storage.data.items() if key.startswith("snp/")}


async def grow(session, n):
    """Turns with a tool; some results come late."""
    for _ in range(n):
        i = len(session.pages)
        await session.add(lamina.user(f"message {i}"), lamina.assistant("", lamina.ToolCall(f"c{i}", "read", "{}")))
        for call in session.pages[max(0, i - 39)].messages[0].calls:
            await session.add(lamina.tool_result(call.id, f"late {i}"))
        if i % 40 == 0:
            await session.window(100)


@pytest.fixture
def kept(kernel):
    """A storage with a session of many pieces, and what its log says."""

    async def work():
        storage = kernel.Instant(kernel.DictStorage())
        async with kernel(storage=storage) as ctx:
            session = await ctx.session("s")
            await grow(session, 200)
            await session.pin(7)
            await session.checkpoint("end")
            return storage, kernel.facts(session)

    return run(work)


async def opened(kernel, storage, **parts):
    """What the log says when the session is opened, and how many records were read for that."""
    async with kernel(storage=storage, **parts) as ctx:
        before = storage.given
        session = await ctx.session("s")
        read = storage.given - before
        return kernel.facts(session), read


class TestOpening:
    def test_it_reads_the_pieces_the_window_and_what_came_since(self, kernel, kept):
        storage, want = kept
        facts, read = run(lambda: opened(kernel, storage))
        assert facts == want
        assert want["counts"][0] > 10 * EVERY
        assert read <= 2 + len(pieces(storage)) + EVERY + 2 * 20  # and the records of the pages that stand

    def test_each_piece_is_written_once_and_as_large_as_what_it_tells(self, kernel, kept):
        storage, _ = kept
        sizes = [len(value) for value, _ in pieces(storage).values()]
        assert len(sizes) >= 10
        assert max(sizes[3:]) <= 1.5 * min(sizes[3:])

        async def work():
            before = pieces(storage)
            async with kernel(storage=storage) as ctx:
                await grow(await ctx.session("s"), 100)
            assert before.items() <= pieces(storage).items()

        run(work)

    @pytest.mark.parametrize("which", [0, 4, -1])
    @pytest.mark.parametrize("how", ["lost", "damaged", "cut off", "newer", "foreign", "odd"])
    def test_what_is_no_sound_snapshot_is_left_alone_and_made_anew(self, kernel, kept, which, how):
        storage, want = kept
        data = storage.storage.data
        key = sorted(pieces(storage))[which]
        value = data[key][0]
        match how:
            case "lost":
                del data[key]
            case "damaged":
                data[key] = (value[:-9] + bytes([value[-9] ^ 1]) + value[-8:], 10**6)
            case "cut off":
                data[key] = (value[: len(value) // 2], 10**6)
            case "newer":
                data[key] = (msgspec.msgpack.encode([9, *msgspec.msgpack.decode(value)[1:]]), 10**6)
            case "odd":
                piece = _snapshot.Piece.unpack(value)
                data[key] = (evolve(piece, said={"counter": "words", "check": piece.said["check"]}).pack(), 10**6)
            case "foreign":
                data[key] = (b"\xc1 what is this", 10**6)
        assert run(lambda: opened(kernel, storage))[0] == want
        facts, read = run(lambda: opened(kernel, storage))
        assert facts == want
        assert read < want["counts"][0] / 2

    def test_one_that_is_ahead_of_its_log_does_not_count(self, kernel, kept):
        """As where the log was restored from a copy."""
        storage, want = kept
        data = storage.storage.data
        newest = max(int(key.rpartition("/")[2]) for key in pieces(storage))
        for seq in range(newest - 1, want["counts"][0]):
            del data[f"log/s/{seq:012d}"]

        async def work():
            facts, _ = await opened(kernel, storage)
            assert facts == (await opened(kernel, kernel.Counting(storage.storage)))[0]
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                for i in range(EVERY):
                    await session.add(lamina.user(f"another way {i}"))
                want = kernel.facts(session)
            assert (await opened(kernel, storage))[0] == want

        run(work)

    def test_one_of_another_counter_does_not_count(self, kernel, kept):
        class Letters:
            info = CounterInfo(exact=True, bound=1.0, fingerprint="letters")

            def count(self, request):
                return [len(text) for text in request.texts]

        storage, _ = kept

        async def work():
            facts, _ = await opened(kernel, storage, counter=Letters())
            plain, _ = await opened(kernel, kernel.Counting(storage.storage), counter=Letters())
            assert facts == plain
            again, read = await opened(kernel, storage, counter=Letters())
            assert again == plain
            assert read < plain["counts"][0] / 2

        run(work)

    def test_what_cannot_be_written_fails_nothing_and_is_written_later(self, kernel):
        async def work():
            storage = kernel.Instant(kernel.DictStorage())
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                await session.add(*(lamina.user(f"message {i}") for i in range(EVERY - 1)))
                for what in ("before", "lose"):
                    storage.plan = [None, what]
                    await session.add(lamina.user(what))
                    assert pieces(storage) == {}
                await session.add(lamina.user("after"))
                assert len(pieces(storage)) == 1
                want = kernel.facts(session)
            assert (await opened(kernel, storage))[0] == want

        run(work)

    def test_a_long_session_of_before_snapshots_gets_one_when_it_is_opened(self, kernel, kept):
        storage, want = kept
        for key in pieces(storage):
            del storage.storage.data[key]
        run(lambda: opened(kernel, storage))
        assert len(pieces(storage)) == 1
        facts, read = run(lambda: opened(kernel, storage))
        assert facts == want
        assert read < EVERY

    def test_storages_that_cannot_read_at_once_have_none(self, kernel):
        async def work():
            storage = kernel.Counting(kernel.DictStorage())
            async with kernel(storage=storage) as ctx:
                await grow(await ctx.session("s"), 100)
            assert pieces(storage) == {}

        run(work)


class TestGoingBack:
    @pytest.mark.parametrize("to", [3, 90, 199])
    def test_a_rollback_goes_on_from_an_earlier_piece(self, kernel, kept, to):
        storage, _ = kept

        async def work():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                before = storage.given
                await session.rollback(session.pages[to].id)
                # What is read to get back are the pieces and the records behind the last one that counts.
                assert storage.given - before < len(pieces(storage)) + 1000
                await grow(session, 60)
                want = kernel.facts(session)
            assert (await opened(kernel, storage))[0] == want
            assert (await opened(kernel, kernel.Counting(storage.storage)))[0] == want

        run(work)

    def test_a_fork_has_its_parents_pages_and_a_snapshot_of_its_own(self, kernel, kept):
        storage, _ = kept

        async def work():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                child = await session.fork("child")
                await grow(session, 10)
                await grow(child, 60)
                grandchild = await child.fork("grandchild")
                await grandchild.rollback("end")
                want = {s.id: kernel.facts(s) for s in (session, child, grandchild)}
            for other in (storage, kernel.Counting(storage.storage)):
                async with kernel(storage=other) as ctx:
                    for id, facts in want.items():
                        assert kernel.facts(await ctx.session(id)) == facts

        run(work)


class TestPages:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        monkeypatch.setattr(_resident, "MOST_TOKENS", 100)
        monkeypatch.setattr(_resident, "LEAST", 4)

    def test_a_page_that_somebody_holds_is_the_same_whenever_it_is_asked_for(self, kernel, kept):
        storage, _ = kept

        async def work():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                some = [session.pages[at] for at in range(0, 400, 40)]
                texts = [page.text for page in session.pages]
                assert all(session.page(page.id) is page for page in some)
                assert [page.text for page in session.pages] == texts

        run(work)

    def test_only_what_is_used_is_held(self, kernel, kept):
        storage, _ = kept

        async def work():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                seen = [weakref.ref(page) for page in session.pages]
                gc.collect()
                assert len(seen) == 400
                assert len([ref for ref in seen if ref() is not None]) < 80

        run(work)

    def test_pages_may_be_read_in_another_thread(self, kernel, kept):
        storage, want = kept

        async def work():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                views = [asyncio.to_thread(list, session.pages) for _ in range(4)]
                for pages in await asyncio.gather(*views):
                    assert [(p.id, p.messages) for p in pages] == [row[:2] for row in want["pages"]]

        run(work)

    def test_a_record_that_is_damaged_is_named_when_its_page_is_read(self, kernel, kept):
        storage, _ = kept
        storage.storage.data["log/s/000000000000"] = (b"\xc1", 10**6)

        async def work():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                assert session.pages[1].text
                with pytest.raises(IntegrityError, match="log/s/0+: damaged"):
                    session.page(1)

        run(work)
