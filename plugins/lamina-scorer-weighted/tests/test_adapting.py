"""Weights that learn from faults: the rule, and what it is good for on a session whose needs shift halfway."""

import asyncio
import math
import random
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.model import Page, user
from lamina.protocols import ScoreRequest
from lamina.testing import LoneHost
from lamina_scorer_weighted import WeightedSettings, open_weighted
from lamina_scorer_weighted._adapting import MOST_REMEMBERED, Adapting

STEPS, STANDING, NEEDED = 400, 30, 3


class Newness:
    """Newer is worth more."""

    async def score(self, request):
        return [0.5 ** ((request.newest - page.id) / 20) for page in request.pages]


class Topic:
    """One page in eight belongs to the topic."""

    async def score(self, request):
        return [0.9 if page.id % 8 == 0 else 0.1 for page in request.pages]


class Noise:
    """Knows nothing."""

    def __init__(self):
        rng = random.Random(0)
        self.drawn = [rng.random() for _ in range(STEPS + 1)]

    async def score(self, request):
        return [self.drawn[page.id] for page in request.pages]


SCORERS = {"newness": Newness(), "topic": Topic(), "noise": Noise()}


@asynccontextmanager
async def opened(tmp_path, scorers=SCORERS, **settings):
    host = LoneHost(tmp_path, parts={("scorer", name): scorer for name, scorer in scorers.items()})
    settings.setdefault("weights", dict.fromkeys(scorers, 1.0))
    async with open_weighted(WeightedSettings(**settings), host) as scorer:
        yield scorer


def needs(rng, step, phase):
    """Ids that a step needs: new ones in the first phase, old ones of the topic in the second."""
    if phase == "new":
        return [max(1, step - int(rng.expovariate(1 / 12))) for _ in range(NEEDED)]
    return [8 * rng.randint(1, max(1, step // 8)) for _ in range(NEEDED)]


async def missed(tmp_path, seed, phases, **settings):
    """How many of the needed pages were paged out, for each phase, and the weights at the end of each."""
    rng = random.Random(seed)
    pages, faults, out, weights = [], {}, [0] * len(phases), []
    async with opened(tmp_path, **settings) as scorer:
        for step in range(1, STEPS + 1):
            pages.append(Page(step, (user("x"),), (5,)))
            request = ScoreRequest(pages=pages, newest=step, faults=dict(faults), now_s=float(step), session="s")
            scores = await scorer.score(request)
            best = sorted(range(step), key=lambda at: (-scores[at], -at))[:STANDING]
            standing = {pages[at].id for at in best}
            phase = (step - 1) * len(phases) // STEPS
            for page in set(needs(rng, step, phases[phase])):
                if page <= step and page not in standing:
                    out[phase] += 1
                    faults[page] = faults.get(page, 0) + 1
            if step * len(phases) % STEPS == 0:
                weights.append(scorer.weights("s"))
    return out, weights


def totals(tmp_path, phases, **chosen):
    """Needed pages that were paged out, in each half, over three sessions."""
    runs = [asyncio.run(missed(tmp_path, seed, phases, **chosen))[0] for seed in range(3)]
    return [sum(run[half] for run in runs) for half in (0, 1)]


class TestASessionWhoseNeedsShift:
    """The README's figures are of these sessions."""

    @pytest.mark.parametrize("phases", [("new", "topic"), ("topic", "new")])
    def test_adapted_weights_page_out_fewer_needed_pages_than_even_ones(self, tmp_path, phases):
        adapted, fixed = (totals(tmp_path, phases, adapt=adapt) for adapt in (True, False))
        assert sum(adapted) < 0.6 * sum(fixed)
        assert adapted[1] < 0.6 * fixed[1]

    @pytest.mark.parametrize("phases", [("new", "topic"), ("topic", "new")])
    def test_adapted_weights_recover_from_weights_that_suit_one_half_only(self, tmp_path, phases):
        weights = {"newness": 0.9, "topic": 0.1}
        adapted, fixed = (totals(tmp_path, phases, adapt=adapt, weights=weights) for adapt in (True, False))
        assert sum(adapted) < 0.6 * sum(fixed)

    def test_adapting_costs_little_where_the_weights_were_right(self, tmp_path):
        weights = {"newness": 0.9, "topic": 0.1}
        adapted, fixed = (totals(tmp_path, ("new", "new"), adapt=adapt, weights=weights) for adapt in (True, False))
        assert sum(adapted) < 1.25 * sum(fixed)

    def test_the_weights_follow_the_needs(self, tmp_path):
        _, [first, second] = asyncio.run(missed(tmp_path, 0, ("new", "topic")))
        assert max(first, key=first.get) == "newness"
        assert max(second, key=second.get) == "topic"


IDS = [1, 2, 3, 4]
OLD_FIRST, NEW_FIRST = [0.9, 0.6, 0.3, 0.0], [0.0, 0.3, 0.6, 0.9]


def learner(shares=(0.4, 0.6), rate=0.5, floor=0.25, ceiling=4.0):
    made = Adapting(shares, rate, floor, ceiling)
    made.learn({})
    made.remember((4, 0.0), IDS, [OLD_FIRST, NEW_FIRST])
    return made


class TestTheRule:
    def test_the_scorer_that_rated_the_faulted_page_above_what_stood_gains(self):
        made = learner()
        made.learn({1: 1})
        old, new = made.shares
        assert old > 0.4
        assert old + new == pytest.approx(1)

    def test_a_lesson_is_the_documented_one(self):
        made = learner()
        made.learn({1: 1})
        # Page 1 was rated last; above it stood 2, 3 and 4, which the first scorer gave 0.3 and the second 0.6.
        gains = [0.9 - 0.3, 0.0 - 0.6]
        mean = 0.4 * gains[0] + 0.6 * gains[1]
        raw = [share * math.exp(0.5 * (gain - mean)) for share, gain in zip((0.4, 0.6), gains, strict=True)]
        assert made.shares == pytest.approx([w / sum(raw) for w in raw])

    def test_pages_that_faulted_together_are_one_lesson(self):
        made, alone = learner(), learner()
        made.learn({1: 5, 2: 1})
        alone.learn({1: 1})
        assert 0.4 < made.shares[0] < alone.shares[0]

    @pytest.mark.parametrize("faults", [{}, {77: 1}, {4: 1}])
    def test_nothing_new_an_unknown_page_and_the_best_page_teach_nothing(self, faults):
        made = learner()
        made.learn(faults)
        assert made.shares == (0.4, 0.6)

    def test_a_fault_teaches_once(self):
        made = learner(rate=0.1)
        made.learn({1: 1})
        once = made.shares
        made.learn({1: 1})
        assert made.shares == once
        made.learn({1: 2})
        assert made.shares[0] > once[0]

    def test_faults_from_before_the_first_scoring_teach_nothing(self):
        made = Adapting((0.4, 0.6), 0.5, 0.25, 4.0)
        made.learn({1: 3})
        made.remember((4, 0.0), IDS, [OLD_FIRST, NEW_FIRST])
        made.learn({1: 3})
        assert made.shares == (0.4, 0.6)

    def test_the_batches_of_one_plan_belong_together_and_another_plan_starts_anew(self):
        whole, parts, other = learner(), learner(), learner()
        parts.remember((5, 1.0), IDS[:2], [OLD_FIRST[:2], NEW_FIRST[:2]])
        parts.remember((5, 1.0), IDS[2:], [OLD_FIRST[2:], NEW_FIRST[2:]])
        other.remember((5, 1.0), IDS[2:], [OLD_FIRST[2:], NEW_FIRST[2:]])
        for made in (whole, parts, other):
            made.learn({1: 1})
        assert parts.shares == whole.shares
        assert other.shares == (0.4, 0.6)

    def test_a_page_that_is_asked_about_again_counts_once(self):
        again = learner()
        for _ in range(3):
            again.remember((4, 0.0), IDS, [OLD_FIRST, NEW_FIRST])
        again.learn({1: 1})
        once = learner()
        once.learn({1: 1})
        assert again.shares == pytest.approx(once.shares)

    def test_what_is_remembered_is_bounded(self):
        made = Adapting((1.0,), 0.5, 0.25, 4.0)
        for _ in range(5):
            made.remember((1, 0.0), range(MOST_REMEMBERED // 2), [[0.5] * (MOST_REMEMBERED // 2)])
        assert len(made._ids) <= MOST_REMEMBERED

    @settings(max_examples=100, deadline=None)
    @given(st.data(), st.floats(0.01, 2), st.floats(0.01, 1), st.floats(1, 100))
    def test_weights_stay_in_bounds_whatever_faults(self, data, rate, floor, ceiling):
        configured = (0.2, 0.3, 0.5)
        made = Adapting(configured, rate, floor, ceiling)
        faults = {}
        for turn in range(data.draw(st.integers(1, 8))):
            made.learn(dict(faults))
            before = made._factors[:]
            column = st.lists(st.floats(0, 1), min_size=6, max_size=6)
            made.remember((turn, 0.0), range(6), [data.draw(column) for _ in configured])
            for page in data.draw(st.sets(st.integers(0, 7))):
                faults[page] = faults.get(page, 0) + 1
            made.learn(dict(faults))
            assert math.fsum(made.shares) == pytest.approx(1)
            for old, new in zip(before, made._factors, strict=True):
                assert floor <= new <= ceiling
                assert math.exp(-2 * rate) - 1e-9 <= new / old <= math.exp(2 * rate) + 1e-9
