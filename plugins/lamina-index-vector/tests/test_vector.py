import asyncio
import os
import sqlite3
import stat
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamina.errors import ConfigError, EmbeddingError, IntegrityError, StorageError
from lamina.protocols import Document, Filter, IndexUpdate, SearchRequest
from lamina.testing import LoneHost, documents_of
from lamina_index_vector import VectorSettings, open_vector
from lamina_index_vector._matrix import BLOCK, COARSE, LEAST_PASSING, Matrix

SIZE = 32


class Drawn:
    """The vector that a text's number draws; ``near N`` is close to it."""

    dimensions, batch = SIZE, 50

    def __init__(self, fingerprint="drawn"):
        self.fingerprint, self.asked = fingerprint, 0

    async def embed(self, request):
        self.asked += len(request.texts)
        return np.array([self.vector(text) for text in request.texts], np.float32).reshape(-1, SIZE).data

    def vector(self, text):
        if not text:
            return np.zeros(SIZE)
        row = np.random.default_rng(int(text.split()[-1])).normal(size=SIZE)
        if text.startswith("near"):
            row += 0.3 * np.random.default_rng(1).normal(size=SIZE)
        return row / np.linalg.norm(row)


def opened(home, embedder=None, name="lone", namespace="test", **settings):
    host = LoneHost(home, name=name, namespace=namespace, parts={("embedder", "hashing"): embedder or Drawn()})
    return open_vector(VectorSettings(**settings), host)


async def told(index, *numbers):
    await index.update(IndexUpdate(add=documents_of({str(n): f"text {n}" for n in numbers})))


async def first(index, query, **request):
    return [hit.id for hit in await index.search(SearchRequest(query=query, **request))]


@examples(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(0, 40), unique=True, max_size=25),
    st.integers(0, 40),
    st.integers(1, 30),
    st.sampled_from([0, 10, 50_000]),
)
def test_the_nearest_are_found_in_the_order_of_their_cosines(tmp_path_factory, numbers, asked, limit, exact):
    drawn = Drawn()

    async def act():
        async with opened(tmp_path_factory.mktemp("home"), exact=exact, precision="float32") as index:
            await told(index, *numbers)
            return await index.search(SearchRequest(query=f"near {asked}", limit=limit))

    wanted = drawn.vector(f"near {asked}")
    cosines = {str(n): float(drawn.vector(f"text {n}") @ wanted) for n in numbers}
    hits = asyncio.run(act())
    expected = sorted((id for id, c in cosines.items() if c > 0), key=lambda id: (-round(cosines[id], 6), id))[:limit]
    assert [hit.id for hit in hits] == expected
    assert all(abs(hit.score - cosines[hit.id]) < 1e-5 for hit in hits)
    assert all(hit.features == {"cosine": hit.score} for hit in hits)


def test_beyond_the_exact_ones_hardly_any_of_the_nearest_is_missed():
    draw = np.random.default_rng(5)
    middles = draw.normal(size=(200, 128))
    rows = (middles[draw.integers(0, 200, 20_000)] + 0.7 * draw.normal(size=(20_000, 128))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = Matrix(128, exact=0)
    matrix.append(range(1, 20_001), [str(n) for n in range(20_000)], rows)
    kept = 0
    for row in rows[:: len(rows) // 50]:
        asked = row + 0.05 * draw.normal(size=128).astype(np.float32)
        asked /= np.linalg.norm(asked)
        best = set(np.argsort(-(rows @ asked))[:10].tolist())
        kept += len(best & set(matrix.best(matrix.scores(asked, 10, None, None), 10, -1.0)))
    assert kept / 500 >= 0.99
    assert matrix._rows.dtype == np.int8


@pytest.mark.parametrize("dimensions", [48, 384])
def test_where_only_bits_are_looked_at_first_hardly_any_of_the_nearest_is_missed(dimensions):
    draw = np.random.default_rng(7)
    # Mostly zeros, as hashed texts are: without a turn their signs would say nothing.
    middles = draw.normal(size=(2_000, dimensions)) * (draw.random((2_000, dimensions)) < 0.4)
    rows = (middles[draw.integers(0, 2_000, 40_000)] + 0.4 * draw.normal(size=(40_000, dimensions))).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = Matrix(dimensions, exact=0)
    matrix.append(range(1, 40_001), [""] * 40_000, rows)
    kept = 0
    for middle in middles[:50]:
        asked = (middle + 0.4 * draw.normal(size=dimensions)).astype(np.float32)
        asked /= np.linalg.norm(asked)
        best = set(np.argsort(-(rows @ asked))[:10].tolist())
        scores = matrix.scores(asked, 10, None, None)
        assert np.isfinite(scores).sum() == LEAST_PASSING
        kept += len(best & set(matrix.best(scores, 10, -1.0)))
    assert kept / 500 >= 0.97


def test_rows_that_are_left_out_or_dropped_are_never_candidates():
    rows = np.random.default_rng(3).normal(size=(COARSE + 5_000, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    matrix = Matrix(8, exact=0)
    matrix.append(range(1, len(rows) + 1), [""] * len(rows), rows)
    matrix.drop([1])
    every_other = np.arange(0, len(rows), 2)
    assert 0 not in matrix.best(matrix.scores(rows[0], 5, None, None), 5, -1.0)
    assert all(row % 2 == 0 and row for row in matrix.best(matrix.scores(rows[0], 5, every_other, None), 5, -1.0))
    wide = np.arange(1, len(rows))
    assert 0 not in matrix.best(matrix.scores(rows[0], 5, wide, None), 5, -1.0)


def test_what_grows_beyond_the_exact_ones_is_kept_as_bytes_and_found_as_before(tmp_path):
    async def act():
        async with opened(tmp_path, exact=20) as index:
            await told(index, *range(15))
            before = await index.search(SearchRequest(query="near 3", limit=5))
            await told(index, *range(15, 40))
            after = await index.search(SearchRequest(query="near 3", limit=40))
            return before, [hit for hit in after if int(hit.id) < 15][:5], index._matrix._rows.dtype

    before, after, kind = asyncio.run(act())
    assert [(h.id, round(h.score, 3)) for h in before] == [(h.id, round(h.score, 3)) for h in after]
    assert kind == np.int8


def test_another_process_is_followed_in_what_it_adds_replaces_removes_and_clears(tmp_path):
    async def act():
        async with opened(tmp_path) as one, opened(tmp_path) as two:
            await told(one, 1, 2, 3)
            assert (await first(two, "text 2"))[0] == "2"
            await told(two, 4)
            assert (await first(one, "text 4"))[0] == "4"
            await two.update(IndexUpdate(add=documents_of({"2": "text 9"}), remove=frozenset({"3"})))
            assert (await first(one, "text 9"))[0] == "2"
            assert "3" not in await first(one, "text 3")
            await two.clear()
            assert await first(one, "text 1") == []
            assert one.generation == two.generation

    asyncio.run(act())


def test_who_has_not_followed_for_long_reads_everything_anew(tmp_path):
    async def act():
        async with opened(tmp_path) as one, opened(tmp_path) as two:
            await told(one, *range(5))
            await first(one, "text 1")
            for _ in range(3):
                await told(two, *range(100, 600))
                await two.update(IndexUpdate(remove=frozenset(map(str, range(100, 600)))))
            await two.update(IndexUpdate(remove=frozenset({"1"})))
            kept = sqlite3.connect(tmp_path / "vectors.db").execute("SELECT count(*) FROM gone_1").fetchone()[0]
            return kept, await first(one, "text 1", limit=10)

    kept, found = asyncio.run(act())
    assert kept < 1501
    assert set(found) <= {"0", "2", "3", "4"}


def test_another_embedder_starts_anew_and_who_still_has_the_old_one_is_told(tmp_path):
    async def act():
        async with opened(tmp_path) as old:
            await told(old, 1)
            before = old.generation
            async with opened(tmp_path, Drawn("other")) as new:
                assert new.generation != before
                assert await first(new, "text 1") == []
                with pytest.raises(
                    StorageError, match=r"vectors\.db: another process fills it by other rules \(other .*give each"
                ):
                    await first(old, "text 1")
                with pytest.raises(StorageError, match="other rules"):
                    await told(old, 2)

    asyncio.run(act())


def test_instances_with_an_embedder_each_share_a_file(tmp_path):
    async def act():
        async with opened(tmp_path, name="a") as one, opened(tmp_path, Drawn("other"), name="b") as two:
            await told(one, 1)
            await told(two, 2)
            return await first(one, "text 1"), await first(two, "text 2")

    assert asyncio.run(act()) == (["1"], ["2"])


def test_only_the_owner_may_read_the_file(tmp_path):
    async def act():
        async with opened(tmp_path) as index:
            await told(index, 1)
            return {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("vectors.db*")}

    before = os.umask(0)
    try:
        assert asyncio.run(act()) == {0o600}
    finally:
        os.umask(before)


def test_the_vector_of_what_was_removed_is_left_in_no_file(tmp_path):
    vector = Drawn().vector("text 7").astype("<f2").tobytes()

    def held():
        return any(vector in path.read_bytes() for path in tmp_path.glob("vectors.db*"))

    async def act():
        async with opened(tmp_path) as index:
            await told(index, 7, 8)
            there = held()
            await index.update(IndexUpdate(remove=frozenset({"7"})))
            return there, held()

    assert asyncio.run(act()) == (True, False)


def test_an_embedder_that_fails_changes_nothing_and_is_named(tmp_path):
    class Fails(Drawn):
        async def embed(self, request):
            if self.asked:
                raise EmbeddingError("out of reach")
            return await super().embed(request)

    async def act():
        async with opened(tmp_path, Fails()) as index:
            await told(index, 1)
            for act in (told(index, 2), first(index, "text 1")):
                with pytest.raises(StorageError, match="embedder 'hashing': out of reach"):
                    await act
        async with opened(tmp_path) as index:
            return await first(index, "text 1", limit=5)

    assert asyncio.run(act()) == ["1"]


def test_a_search_that_is_out_of_time_gives_the_newest_of_the_nearest():
    rows = np.eye(4, dtype=np.float32)[np.arange(3 * BLOCK) % 4]
    matrix = Matrix(4, exact=10**6)
    matrix.append(range(1, 3 * BLOCK + 1), [""] * (3 * BLOCK), rows)
    scores = matrix.scores(rows[0], 10, None, time.monotonic() - 1)
    assert np.isfinite(scores).sum() == BLOCK
    assert np.isfinite(scores[-BLOCK:]).all()


def test_a_filter_with_few_that_pass_finds_them_all(tmp_path):
    async def act():
        async with opened(tmp_path, least_cosine=-1.0) as index:
            documents = [Document(str(n), f"text {n}", thread=str(n % 100), tags=("a",) * (n % 2)) for n in range(500)]
            await index.update(IndexUpdate(add=documents))
            wanted = Filter(threads=frozenset({"7", "8"}), tags=frozenset({"a"}))
            return await first(index, "text 3", limit=50, filter=wanted)

    assert sorted(asyncio.run(act()), key=int) == ["7", "107", "207", "307", "407"]


@pytest.mark.parametrize(("authors", "sent"), [(True, ["Ann: text 1", "text 2"]), (False, ["text 1", "text 2"])])
def test_who_said_a_text_is_embedded_with_it_unless_configured_otherwise(tmp_path, authors, sent):
    asked = []

    class Records(Drawn):
        async def embed(self, request):
            asked.extend(request.texts)
            return await super().embed(request)

    async def act():
        async with opened(tmp_path, Records(), authors=authors) as index:
            await index.update(IndexUpdate(add=[Document("a", "text 1", author="Ann"), Document("b", "text 2")]))

    asyncio.run(act())
    assert asked == sent


def test_a_text_without_content_is_never_found_and_a_query_without_content_finds_nothing(tmp_path):
    async def act():
        async with opened(tmp_path, least_cosine=-1.0) as index:
            await index.update(IndexUpdate(add=[Document("a", ""), Document("b", "text 1")]))
            return await first(index, "text 1"), await first(index, "")

    found, nothing = asyncio.run(act())
    assert found == ["b"]
    assert nothing == []


def test_a_file_of_a_newer_release_is_refused(tmp_path):
    async def act():
        async with opened(tmp_path) as index:
            await told(index, 1)

    asyncio.run(act())
    with sqlite3.connect(tmp_path / "vectors.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(IntegrityError, match=r"vectors\.db: written by a newer release \(schema 99"):
        asyncio.run(act())


def test_an_embedder_that_is_not_configured_is_an_error(tmp_path):
    async def act():
        async with open_vector(VectorSettings(embedder="gone"), LoneHost(tmp_path)):
            pass

    with pytest.raises(ConfigError, match=r"embedders\.gone"):
        asyncio.run(act())
