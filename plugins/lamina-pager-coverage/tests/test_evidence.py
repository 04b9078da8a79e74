"""What is known of a session's names, when pages come, change and go."""

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from lamina.model import Page, assistant, system, user
from lamina.testing.pages import page as page_of
from lamina.testing.pages import tool_page
from lamina_pager_coverage._evidence import Evidence
from lamina_pager_coverage._session import RESULTS, Session
from lamina_pager_coverage._settings import CoverageSettings

MISSING = "[no result]"

names = st.sampled_from(["src/app.py", "user_id", "build-7", "call_me", "notes.md", "word", "Zürich_2"])
lines = st.lists(st.lists(names, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=3).map("\n".join)


def asked(id: int, path: str, result: str) -> Page:
    return tool_page(id, ("Read", json.dumps({"path": path}), result), text=f"I look at {path}.")


@st.composite
def logs(draw) -> list[Page]:
    out = []
    for id in range(1, draw(st.integers(1, 6)) + 1):
        text = draw(lines)
        out.append(asked(id, draw(names), text) if draw(st.booleans()) else page_of(id, user(text)))
    return out


def gathered(pages: list[Page]) -> Evidence:
    evidence = Evidence(0.06)
    for page in pages:
        evidence.add(page, None, may_change=True)
    return evidence


def count(texts) -> list[int]:
    return [len(text.split()) + 1 for text in texts]


def facts(evidence: Evidence):
    elements = [(e.page, e.line, e.clause, e.text, e.names) for e in evidence.elements]
    pages = [page and page.id for page in evidence.pages]
    return evidence.known, evidence.spans, pages, evidence.now, elements


@given(logs(), names, lines, lines)
def test_a_page_that_is_taken_back_leaves_nothing(pages, path, before, after):
    evidence = gathered([*pages, asked(9, path, before)])
    evidence.take_back()
    assert facts(evidence) == facts(gathered(pages))
    evidence.add(asked(9, path, after), None, may_change=True)
    assert facts(evidence) == facts(gathered([*pages, asked(9, path, after)]))


@given(logs(), st.sets(st.integers(0, 5)))
def test_what_was_read_as_it_came_is_known_as_if_it_were_read_later(pages, early):
    ahead, later = Evidence(0.06), Evidence(0.06)
    for at, page in enumerate(pages):
        if at in early:
            ahead.prepare(page, count)
    for page in pages:
        ahead.add(page, None, may_change=True)
        later.add(page, None, may_change=True)
    assert facts(ahead) == facts(later)
    assert ahead.elements == later.elements


def test_lines_are_counted_as_they_come_where_most_of_them_are_looked_at_closely():
    evidence, page = Evidence(0.06), page_of(1, user("see src/app.py\nand build-7\nplain words"))
    for id in (1, 2):
        evidence.prepare(page, count)
        evidence.add(evolve(page, id=id), None)
        counted = [e.counted for e in evidence.elements if e.page == id - 1]
        assert counted == ([None] * 3 if id == 1 else [4, 4, None])
        evidence.look_closely([e for e in evidence.elements if e.names], count)
    evidence.prepare(page, count)
    evidence.look_closely([], count)  # nothing of what came was worth it
    evidence.add(evolve(page, id=3), None)
    evidence.look_closely([], count)
    evidence.prepare(evolve(page, id=4), count)
    evidence.add(evolve(page, id=4), None)
    assert [e.counted for e in evidence.elements if e.page == 3] == [None] * 3


@given(logs(), names, lines)
def test_a_result_that_comes_after_a_compaction_takes_back_its_page_alone(pages, path, result):
    settings = CoverageSettings()
    session, fresh = Session(settings.statement), Session(settings.statement)
    session.follow([*pages, asked(8, path, MISSING)], {}, settings, 1000)
    first = session.evidence
    whole = [*pages, asked(8, path, result), asked(9, path, result)]
    session.follow(whole, {}, settings, 1000)
    fresh.follow(whole, {}, settings, 1000)
    assert session.evidence is first
    assert facts(session.evidence) == facts(fresh.evidence)
    assert (session.tokens, session.tool_tokens) == (fresh.tokens, fresh.tool_tokens)


def test_the_newest_page_can_be_taken_back_whatever_was_let_go(monkeypatch):
    monkeypatch.setattr("lamina_pager_coverage._evidence.HELD", 1)
    evidence = Evidence(0.0)
    for id in (1, 2):
        evidence.add(page_of(id, user("Plain words that name nothing.")), None, may_change=True)
    assert evidence.let_go((), start=2) == [0]
    evidence.take_back()
    assert (evidence.held, len(evidence.pages), evidence.now) == ([], 1, 1)


def test_of_what_came_long_before_the_first_window_results_are_not_read_and_words_are():
    pages = [asked(id, f"src/file_{id}.py", f"found_{id} " + "plain words " * 40) for id in range(1, 201)]
    settings = CoverageSettings(reach_tokens=1)
    session = Session(settings.statement)
    budget = 1000
    session.follow(pages, {}, settings, budget)
    known = session.evidence.known
    tokens = 0
    for page in reversed(pages):
        assert (f"src/file_{page.id}.py" in known) == (tokens < 6 * budget)
        assert (f"found_{page.id}" in known) == (tokens < RESULTS * 6 * budget)
        tokens += page.tokens


def dialogue(n: int) -> list[Page]:
    said = ("We went to the lake with my sister, and it rained all day.", "Oh no! Did you at least bring a tent?")
    return [page_of(id, user(said[0]) if id % 2 else assistant(said[1])) for id in range(2, n + 2)]


def dialogue_with_times(n: int) -> list[Page]:
    return [
        page_of(id, user(f"[2026-03-{id % 28 + 1:02} 18:{id:02}:07] Are you coming at 19:{id:02}?"))
        for id in range(2, n + 2)
    ]


def agent_in_plain_text(n: int) -> list[Page]:
    ran = "Let me look at that file.\n\n```\nopen src/cart/step_{0}.py\n```"
    saw = "[File: src/cart/step_{0}.py (40 lines)]\n1:def total_{0}(rows):\n2:    return sum(rows.values())\n$"
    return [page_of(id, (user(saw.format(id)) if id % 2 else assistant(ran.format(id)))) for id in range(2, n + 2)]


@pytest.mark.parametrize("prompt", ["You are a friend.", "Tools: src/tools/find_file.py, edit_file, open_file " * 40])
@pytest.mark.parametrize(
    ("said", "is_talk"), [(dialogue, True), (dialogue_with_times, True), (agent_in_plain_text, False)]
)
def test_talk_is_what_names_nothing_whatever_the_system_message_names(prompt, said, is_talk):
    session = Session(0.06)
    pages = [page_of(1, system(prompt)), *said(40)]
    session.follow(pages[:20], {}, CoverageSettings(), 1000)
    assert session.is_talk == is_talk
    session.follow(pages, {}, CoverageSettings(), 1000)
    assert session.is_talk == is_talk
