import asyncio
from functools import partial

import pytest

from lamina.model import Memory
from lamina.protocols import RankRequest
from lamina.testing import LoneHost, RankerSuite
from lamina.testing.ranker import candidates_of
from lamina_ranker_learned import LearnedSettings, open_learned


class TestLearned(RankerSuite):
    strategy = "learned"

    @pytest.fixture
    def open_ranker(self, tmp_path):
        return partial(open_learned, LearnedSettings(), LoneHost(tmp_path))


def ranked(candidates, said, query, settings=None, limit=5):
    async def read(ids):
        return {id: said[id] for id in ids}

    async def act():
        async with open_learned(settings or LearnedSettings(), None) as ranker:
            request = RankRequest(query=query, candidates=candidates, limit=limit, now_s=1.7e9, read=read)
            return [await ranker.rank(request) for _ in range(2)]

    first, again = asyncio.run(act())
    assert first == again
    return first


def test_near_duplicates_share_a_place():
    listing = "\n".join(f"-rw-r--r-- {n} report_{n}.txt" for n in range(40))
    said = {
        id: Memory(id, text) for id, text in {"a": listing, "b": listing + "\nend", "c": "the report is late"}.items()
    }
    places = ranked(candidates_of({"words": dict.fromkeys(said, 1.0)}), said, "report_7.txt")
    assert sorted((p.id, *p.same) for p in places) in ([("a", "b"), ("c",)], [("b", "a"), ("c",)])


def test_a_turn_beside_a_candidate_explains_it():
    turns = ["How long have you been doing yoga?", "For three years.", "Nice.", "The weather is grey."]
    said = {str(n): Memory(str(n), t, author="AB"[n % 2], thread="t", position=n) for n, t in enumerate(turns)}
    places = ranked(candidates_of({"words": dict.fromkeys(said, 1.0)}), said, "Since when does B do yoga?")
    assert places[0].id == "1"
    assert {"passage", "answers", "author", "found"} <= set(places[0].features)


def test_the_index_that_is_named_gives_the_cosine():
    said = {id: Memory(id, f"something about {id}") for id in "abc"}
    candidates = candidates_of({"vector": {"a": 0.1, "b": 0.9, "c": 0.2}})
    places = ranked(candidates, said, "what else?", LearnedSettings(meaning="vector"))
    assert places[0].id == "b"
    assert places[0].features["meaning"] > 0
