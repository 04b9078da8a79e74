import asyncio
import math
import tomllib
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.config import structure
from lamina.errors import ConfigError, ContractError
from lamina.model import user
from lamina.protocols import ScoreRequest
from lamina.testing import LoneHost
from lamina.testing.pages import page
from lamina_scorer_weighted import WeightedSettings, open_weighted
from lamina_scorer_weighted._scorer import MOST_SESSIONS, WeightedScorer

PAGES = [page(n, user(f"page {n}")) for n in (1, 2, 3)]


def giving(*scores):
    async def score(request):
        return list(scores[: len(request.pages)])

    return SimpleNamespace(score=score)


def made(given, weights, **chosen):
    chosen = WeightedSettings(weights=weights, **chosen)
    return WeightedScorer(chosen, {name: (given[name], weights[name]) for name in given})


def ask(scorer, **facts):
    return asyncio.run(scorer.score(ScoreRequest(pages=PAGES, newest=3, **facts)))


def test_scores_are_the_weighted_mean():
    scorer = made({"a": giving(1.0, 0.0, 0.5), "b": giving(0.0, 1.0, 0.5)}, {"a": 3, "b": 1})
    assert ask(scorer) == pytest.approx([0.75, 0.25, 0.5])
    assert scorer.weights("") == {"a": 0.75, "b": 0.25}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(0, 1)), min_size=1, max_size=8))
def test_a_mean_lies_between_the_scores_and_never_above_1(voices):
    names = [str(n) for n in range(len(voices))]
    scorer = made(
        {n: giving(score, 1.0, 0.0) for n, (_, score) in zip(names, voices, strict=True)},
        {n: weight for n, (weight, _) in zip(names, voices, strict=True)},
    )
    mean, one, zero = ask(scorer)
    assert min(s for _, s in voices) - 1e-9 <= mean <= min(1.0, max(s for _, s in voices) + 1e-9)
    assert one == pytest.approx(1)
    assert one <= 1
    assert zero == 0


def test_every_scorer_is_asked_the_whole_request():
    seen = []

    async def score(request):
        seen.append(request)
        return [0.0] * 3

    request = ScoreRequest(pages=PAGES, newest=3, query="q", faults={1: 1}, now_s=5.0, session="s", log=PAGES)
    asyncio.run(made({"a": SimpleNamespace(score=score)}, {"a": 1.0}).score(request))
    assert seen == [request]


@pytest.mark.parametrize(
    "bad", [(0.5,), (0.5, 0.5, math.nan), (0.5, 1.01, 0.5), (0.5, -0.01, 0.5), (0.5, math.inf, 0.5)]
)
def test_a_scorer_that_breaks_its_contract_is_named(bad):
    scorer = made({"good": giving(0, 0, 0), "culprit": giving(*bad)}, {"good": 1.0, "culprit": 1.0})
    with pytest.raises(ContractError, match=r"^culprit: gave"):
        ask(scorer)


def test_faults_change_the_weights_of_their_session_only():
    scorer = made({"old": giving(0.9, 0.5, 0.1), "new": giving(0.1, 0.5, 1.0)}, {"old": 1.0, "new": 2.0})
    before = ask(scorer, session="a"), ask(scorer, session="b")
    after = ask(scorer, session="a", faults={1: 1})
    assert after[0] > before[0][0]
    assert ask(scorer, session="b") == before[1]
    assert scorer.weights("a")["old"] > scorer.weights("b")["old"] == pytest.approx(1 / 3)


def test_adapting_can_be_switched_off():
    scorer = made({"old": giving(0.9, 0.5, 0.1), "new": giving(0.1, 0.5, 1.0)}, {"old": 1.0, "new": 2.0}, adapt=False)
    assert ask(scorer) == ask(scorer, faults={1: 1}) == ask(scorer, faults={1: 2, 2: 1})


def test_the_same_requests_give_the_same_scores():
    def run():
        scorer = made({"old": giving(0.9, 0.5, 0.1), "new": giving(0.1, 0.5, 1.0)}, {"old": 1.0, "new": 2.0})
        return [ask(scorer, faults={1: n, 2: n // 2}, now_s=float(n)) for n in range(6)]

    assert run() == run()


def test_only_so_many_sessions_are_kept():
    scorer = made({"a": giving(0, 0, 0)}, {"a": 1.0})
    for n in range(MOST_SESSIONS + 10):
        ask(scorer, session=f"s{n}")
    assert len(scorer._sessions) == MOST_SESSIONS


def test_scorers_are_opened_by_name_but_for_those_without_weight(tmp_path):
    async def opened(weights):
        host = LoneHost(tmp_path, parts={("scorer", "mine"): giving(0.25, 0.5, 0.75)})
        async with open_weighted(WeightedSettings(weights=weights), host) as scorer:
            return await scorer.score(ScoreRequest(pages=PAGES, newest=3))

    assert asyncio.run(opened({"mine": 2.0, "gone": 0.0})) == [0.25, 0.5, 0.75]
    with pytest.raises(ConfigError, match=r"scorers\.gone"):
        asyncio.run(opened({"mine": 2.0, "gone": 1.0}))


@pytest.mark.parametrize(
    "weights", [{}, {"a": -1.0}, {"a": math.nan}, {"a": math.inf}, {"a": 0.0}, {"a": 1e308, "b": 1e308}]
)
def test_weights_that_make_no_mean_are_refused(weights):
    with pytest.raises(ValueError, match="weight"):
        WeightedSettings(weights=weights)


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": 2.1}, {"floor": 0}, {"floor": 1.1}, {"ceiling": 0.9}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        WeightedSettings(weights={"a": 1.0}, **wrong)


class TestConfiguration:
    """What stands in lamina.toml."""

    def structured(self, table):
        return structure(WeightedSettings, tomllib.loads(table), "scorers.weighted", {})

    def test_whole_numbers_are_weights_too(self):
        found, faults = self.structured("weights = {recency = 1, liveness = 2.5}")
        assert not faults
        assert found.weights == {"recency": 1.0, "liveness": 2.5}

    @pytest.mark.parametrize("table", ["", "weights = {}", "weights = {recency = 'much'}", "weights = {recency = -1}"])
    def test_missing_and_impossible_weights_are_said_with_their_place(self, table):
        found, faults = self.structured(table)
        assert found is None
        assert faults[0].startswith("scorers.weighted.weights")
