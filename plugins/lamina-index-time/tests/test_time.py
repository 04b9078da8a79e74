import asyncio
import datetime

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamina.kit.dates import DAY_S
from lamina.protocols import Document, Filter, IndexUpdate, SearchRequest
from lamina.testing import LoneHost
from lamina_index_time import TimeSettings, open_time

NOW_S = datetime.datetime(2023, 5, 25, 13, 0, tzinfo=datetime.UTC).timestamp()


def search(home, documents, query, limit=10, filter=None, **settings):
    async def act():
        async with open_time(TimeSettings(**settings), LoneHost(home)) as index:
            await index.update(IndexUpdate(add=documents))
            return await index.search(SearchRequest(query=query, limit=limit, now_s=NOW_S, filter=filter or Filter()))

    return asyncio.run(act())


def ago(days, text="said", **facts):
    return Document(f"{days}", text, created_s=NOW_S - days * DAY_S, **facts)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("what did we say yesterday?", ["1"]),
        ("and two weeks ago", ["13", "15"]),
        ("last week", ["9", "6"]),
        ("what was on 2023-05-15", ["10", "9"]),
        ("was war gestern", ["1"]),
    ],
)
def test_memories_of_the_days_that_a_query_speaks_of_are_found(tmp_path, query, found):
    documents = [ago(n) for n in (0, 1, 6, 9, 10, 13, 15, 40)]
    hits = search(tmp_path, documents, query, near_days=0)
    expected = [id for id in found if query != "what was on 2023-05-15" or id == "10"]
    if query == "last week":
        expected = ["6", "9", "10"]
    assert [hit.id for hit in hits] == expected
    assert all(hit.features["in_range"] == 1 for hit in hits)


def test_what_speaks_of_a_day_is_of_it_by_the_time_when_it_was_said(tmp_path):
    documents = [ago(5, "I met her yesterday"), ago(6, "nothing"), ago(30, "the meeting is on 2023-05-19")]
    hits = search(tmp_path, documents, "what happened on May 19?", near_days=0)
    assert {hit.id for hit in hits} == {"5", "6", "30"}


def test_days_beside_come_after_the_nearer_the_better(tmp_path):
    hits = search(tmp_path, [ago(n) for n in range(1, 12)], "on 2023-05-20", near_days=2)
    assert [hit.id for hit in hits] == ["5", "4", "6", "3", "7"]
    assert [hit.features["in_range"] for hit in hits] == [1, 0, 0, 0, 0]


def test_where_no_time_is_spoken_of_the_newest_are_found_if_so_configured(tmp_path):
    documents = [ago(n) for n in (3, 1, 2, 5)]
    assert search(tmp_path, documents, "the port") == []
    hits = search(tmp_path, documents, "the port", newest=3)
    assert [hit.id for hit in hits] == ["1", "2", "3"]
    assert all(hit.features["in_range"] == 0 for hit in hits)


def test_recency_is_a_half_after_the_half_life(tmp_path):
    [hit] = search(tmp_path, [ago(30)], "2023-04-25", half_life_days=30.0)
    assert hit.features["recency"] == pytest.approx(0.5, abs=1e-6)


def test_both_ends_of_a_long_query_are_read(tmp_path):
    assert search(tmp_path, [ago(1)], "word " * 2000 + "yesterday")


@examples(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.integers(1, 60), unique=True, max_size=30), st.integers(1, 60), st.integers(0, 5), st.integers(1, 8),
    st.sampled_from([None, frozenset({"a"})]),
)  # fmt: skip
def test_it_agrees_with_a_look_at_every_memory(tmp_path_factory, days, asked, near, limit, threads):
    documents = [ago(n, thread="a" if n % 2 else "b") for n in days]
    query = datetime.datetime.fromtimestamp(NOW_S - asked * DAY_S, datetime.UTC).date().isoformat()
    hits = search(tmp_path_factory.mktemp("home"), documents, query, limit, Filter(threads=threads), near_days=near)
    allowed = [n for n in days if abs(n - asked) <= near and (threads is None or n % 2)]
    assert [int(hit.id) for hit in hits] == sorted(allowed, key=lambda n: (abs(n - asked), n))[:limit]
