"""What the coverage pager keeps, and why."""

from __future__ import annotations

import asyncio
from itertools import pairwise, product
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.kit.promise import NOTHING
from lamina.model import Message, Page, Text, ToolCall, ToolResult
from lamina.protocols import Digest, Entry, PagedOut, Plan, Verbatim
from lamina.testing import LoneHost
from lamina.testing.pager import drive
from lamina.testing.plans import message_tokens, plan_request, window_tokens
from lamina_pager_coverage import CoverageSettings, open_coverage
from lamina_pager_coverage._choose import _PAGE_GAP, STUB, Chooser, Scene, Shown
from lamina_pager_coverage._evidence import Element, Evidence
from lamina_pager_coverage._excerpts import excerpts_of


def page_of(id: int, *messages: Message) -> Page:
    return Page(id, messages, tuple(map(message_tokens, messages)))


def read(id: int, path: str, text: str) -> Page:
    call = ToolCall(f"call-{id}", "Read", f'{{"file_path": "{path}"}}')
    return page_of(id, Message("assistant", (call,)), Message("tool", (ToolResult(call.id, text),)))


def says(id: int, text: str, role: str = "assistant") -> Page:
    return page_of(id, Message(role, (Text(text),)))


def planned(settings: CoverageSettings, *requests, pressures: int = 1):
    """The plans of one pager, asked one after the other."""

    async def run():
        plans = []
        async with open_coverage(settings, LoneHost(None)) as pager:
            for request in requests:
                for _ in range(pressures):
                    pager.due(pressure_of(request))
                plans.append(await pager.plan(request))
        return plans

    return asyncio.run(run())


def pressure_of(request):
    from lamina.protocols import Pressure

    return Pressure(request.session, request.budget + 1, request.budget, len(request.pages), 0)


def shown(plan) -> str:
    """What stands in excerpts."""
    return "\n".join(
        e.text for entry in plan.entries if isinstance(entry.rendition, Digest) for e in entry.rendition.excerpts
    )


def excerpts(text: str, *lines: int) -> str:
    """The excerpt of the text's lines of these numbers, from 0."""
    evidence = Evidence(0.0)
    evidence.add(read(1, "src/a.py", text), None)
    chosen = [x for x, e in enumerate(evidence.elements) if e.text_number == 2 and e.line in lines]
    return next(iter(excerpts_of(evidence, chosen))).text


# ------------------------------------------------------------------------------------------ the choice


@st.composite
def shelves(draw):
    """Pages of one line each whose names occur nowhere else: (line's worth, tokens), (page's worth more, tokens more)."""
    worths, sizes = st.integers(1, 40), st.integers(1, 30)
    return draw(st.lists(st.tuples(worths, sizes, worths, sizes), min_size=1, max_size=6))


def choice_of(pages, room):
    elements, names, value = [], {}, {}
    for at, (line, _, more, _) in enumerate(pages):
        # What was estimated does not count.
        elements.append(Element(at, at, 0, 0, "", (f"line {at}",), 1))
        names[at] = (f"line {at}", f"more {at}")
        value |= {f"line {at}": line, f"more {at}": more}
    scene = Scene(
        elements=elements,
        beside={},
        spans=[(at, at + 1) for at in range(len(pages))],
        candidates={at: (f"line {at}",) for at in range(len(pages))},
        page_names=names,
        value=value,
        page_tokens={at: (p[1] + p[3], 0) for at, p in enumerate(pages)},
        label_tokens=dict.fromkeys(range(len(pages)), 0),
        label_names=dict.fromkeys(range(len(pages)), ()),
        tokens={at: p[1] for at, p in enumerate(pages)},
    )
    return Chooser(scene, Shown(), 0, surroundings=0.0, loose_ratio=float("inf")).run(room + STUB, price=0.0)


@settings(deadline=None, max_examples=200)
@given(shelves(), st.integers(_PAGE_GAP + 1, 150))
def test_where_names_do_not_overlap_the_choice_is_one_increment_from_the_best(pages, room):
    options = [((0, 0), (line, size), (line + more, size + rest + _PAGE_GAP)) for line, size, more, rest in pages]
    fitting = [c for c in product(*options) if sum(tokens for _, tokens in c) <= room]
    best = max(sum(worth for worth, _ in c) for c in fitting)
    choice = choice_of(pages, room)
    taken = [options[at][2 if at in choice.pages else int(at in choice.elements)] for at in range(len(pages))]
    # The choice stops when fewer tokens are left than a page's frame costs.
    increment = max(line + more for line, _, more, _ in pages)
    left = [sum(worth for worth, size in (o[1],) if size <= _PAGE_GAP) for o in options]
    assert sum(tokens for _, tokens in taken) <= room
    assert sum(worth for worth, _ in taken) == pytest.approx(choice.gain)
    assert choice.gain + max(increment, sum(left)) >= best


# ------------------------------------------------------------------------------------------ what it costs


@pytest.mark.parametrize(("cache", "cached", "new"), [("anthropic", 1.0, 2.15), ("openai", 1.0, 1.9), ("none", 10, 10)])
def test_a_provider_s_prices_say_what_a_token_costs_until_the_next_compaction(cache, cached, new):
    assert CoverageSettings(cache=cache).costs() == pytest.approx((cached, new))


def test_own_prices_stand_for_what_the_preset_says():
    assert CoverageSettings(cache="openai", cache_read=0.5, turns=1).costs() == pytest.approx((0.5, 1.0))


def session(n: int) -> list[Page]:
    """A session that names what it works on again and again, so that what is worth showing keeps changing."""
    pages = [says(1, "Find out why parcels are late.", "user")]
    for k in range(2, n):
        lines = [f"def step_{k}_{i}(parcel): return load('data/part_{(k * i) % 17}.csv')" for i in range(12)]
        pages.append(read(k, f"src/module_{k}.py", "\n".join(lines)))
        if k % 3 == 0:
            pages[-1] = says(k, f"Now step_{k - 1}_3 and data/part_{k % 17}.csv matter, after step_{k // 2}_5.")
    return pages


def kept_tokens(settings: CoverageSettings) -> int:
    """Tokens of the window's beginnings that stay from one compaction to the next."""
    pages, budget = session(90), 1500
    requests = [plan_request(pages[:n], budget) for n in range(30, 90, 4)]
    plans = planned(settings, *requests, pressures=4)
    kept = 0
    for request, before, after in zip(requests, plans, plans[1:], strict=False):
        for a, b in zip(before.entries, after.entries, strict=False):
            if a != b:
                break
            match a.rendition:
                case Digest(excerpts=found):
                    kept += request.digest_tokens(a.first, a.last, found)
                case PagedOut():
                    kept += request.stub_tokens
                case _:
                    kept += sum(p.tokens for p in pages if a.first <= p.id <= a.last)
    return kept


def test_pages_that_nothing_known_stands_in_can_be_let_go_without_a_trace_in_any_plan(monkeypatch):
    pages = session(160)
    requests = [plan_request(pages[:n], 1500) for n in range(20, 160, 3)]
    gone = []
    monkeypatch.setattr("lamina_pager_coverage._pager.NAME", 10**9)

    def plans(held: int):
        monkeypatch.setattr("lamina_pager_coverage._evidence.HELD", held)
        return planned(CoverageSettings(live=60), *requests, pressures=4)

    let_go = Evidence.let_go
    monkeypatch.setattr(Evidence, "let_go", lambda *args: gone.append(let_go(*args)) or gone[-1])
    assert plans(1) == plans(10**9)
    assert sum(map(len, gone)) > 50


def test_where_cached_tokens_are_cheaper_more_of_the_beginning_stays():
    assert kept_tokens(CoverageSettings(cache="anthropic")) > kept_tokens(CoverageSettings(cache="none"))


PLACES = ("Lisbon", "Oslo", "Quito", "Perth", "Hanoi", "Lagos", "Turin")
THINGS = ("violin", "harbour", "sourdough", "telescope", "greenhouse", "bicycle", "glacier", "lantern", "orchard")


def chat(n: int) -> list[Page]:
    """People who tell each other where they were, with whom and what for."""
    told = "Last {2} I went to {0} with my cousin number {1}. We looked at the {3} there, and at an old {4} of the {5}."
    return [
        says(
            k,
            told.format(
                PLACES[k % 7], k, ("spring", "week", "autumn")[k % 3],
                THINGS[k % 9], THINGS[k * 5 % 8], THINGS[k * 7 % 9],
            ),
            "user" if k % 2 else "assistant",
        )
        for k in range(1, n + 1)
    ]  # fmt: skip


def chat_plans(n: int, budget: int, reach: int = 30_000) -> list[Plan]:
    """The plans of a session of talk that was driven to so many pages."""

    async def run() -> list[Plan]:
        async with open_coverage(CoverageSettings(talk_reach_tokens=reach), LoneHost(Path())) as pager:
            turns = await drive(pager, chat(n), budget)
            assert all(window_tokens(turn.request, turn.plan.entries) <= budget for turn in turns)
            return [turn.plan for turn in turns]

    return asyncio.run(run())


def digests(plan: Plan) -> list[Entry]:
    return [entry for entry in plan.entries if isinstance(entry.rendition, Digest)]


@pytest.mark.parametrize("reach", [30_000, 1500])
def test_most_compactions_of_talk_leave_the_digests_as_they_stand(reach):
    plans = chat_plans(300, 1000, reach)
    stayed = [digests(b)[: len(digests(a))] == digests(a) for a, b in pairwise(plans)]
    assert len(plans) > 10
    assert sum(stayed) > len(stayed) / 2
    assert not all(stayed)


def test_what_was_said_beyond_the_reach_is_not_quoted_and_what_is_within_is():
    last = chat_plans(300, 1000, reach=1500)[-1]
    excerpts = [excerpt for entry in digests(last) for excerpt in entry.rendition.excerpts]
    assert [e.page for e in excerpts if e.why == "said"] == [1], "the first request stands wherever it is"
    quoted = [e.page for e in excerpts if e.why != "said"]
    assert quoted
    assert min(quoted) > 200


# ------------------------------------------------------------------------------------------ what counts


def two_files() -> list[Page]:
    """Two old files of which one line's names fit beside the newest pages."""
    line = "{0}_total = sum({0}_rows[n].amount_{0} for n in range(limit_{0}))  # as agreed with accounting last week"
    pages = [says(1, "Please compare the two reports.", "user")]
    pages += [read(2, "src/alpha.py", line.format("alpha")), read(3, "src/omega.py", line.format("omega"))]
    return pages + [says(n, f"Working on it, part {n} of the plan is next. " * 4) for n in range(4, 12)]


def with_scores(request, scores):
    async def score(pages):
        return [scores.get(page.id, 0.5) for page in pages]

    return evolve(request, score=score)


@pytest.mark.parametrize(("liked", "kept", "lost"), [(2, "alpha", "omega"), (3, "omega", "alpha")])
def test_of_two_equal_pages_the_one_that_the_scorer_prefers_is_shown(liked, kept, lost):
    request = plan_request(two_files(), 330)
    scores = {2: 0.0, 3: 0.0, liked: 1.0}
    (plan,) = planned(
        CoverageSettings(score_share=0.9, growth_share=0.15, price=8.0, **NOTHING), with_scores(request, scores)
    )
    assert kept in shown(plan)
    assert lost not in shown(plan)


@pytest.mark.parametrize(("faulted", "kept", "lost"), [(2, "alpha", "omega"), (3, "omega", "alpha")])
def test_of_two_equal_pages_the_one_that_was_missed_before_is_shown(faulted, kept, lost):
    (plan,) = planned(
        CoverageSettings(score_share=0.0, growth_share=0.15, price=8.0, **NOTHING),
        plan_request(two_files(), 330, faults={faulted: 3}),
    )
    assert kept in shown(plan)
    assert lost not in shown(plan)


def test_what_is_named_again_is_shown_and_the_newest_pages_stand():
    pages = session(40)
    (plan,) = planned(CoverageSettings(), plan_request(pages, 900))
    assert isinstance(plan.entries[-1].rendition, Verbatim)
    assert plan.entries[-1].last == pages[-1].id
    assert "data/part_" in shown(plan)


# ------------------------------------------------------------------------------------------ how it reads

CODE = "import os\n\ndef first(a):\n    x = 1\n    return a\n\n)\ndef second(b):\n    return b\n"


def test_adjacent_lines_stand_as_they_are():
    assert excerpts(CODE, 2, 3, 4) == "def first(a):\n    x = 1\n    return a"


def test_a_blank_line_between_two_chosen_ones_stays():
    assert excerpts(CODE, 0, 2) == "import os\n\ndef first(a):"


def test_a_single_line_that_is_no_longer_than_the_mark_stays():
    assert excerpts(CODE, 4, 7) == "    return a\n)\ndef second(b):"


def test_a_gap_is_marked():
    assert excerpts(CODE, 2, 7) == "def first(a):\n…\ndef second(b):"


def test_lines_that_say_their_numbers_need_no_mark():
    text = "\n".join(f"{n:6}→line {n} of the file" for n in range(1, 9))
    assert excerpts(text, 1, 5) == "     2→line 2 of the file\n     6→line 6 of the file"
