"""How what is promised stands among what is covered: what changes at each compaction apart, and at the end."""

from __future__ import annotations

import asyncio
import json

import pytest
from attrs import evolve

from lamina.kit.brief import Brief, Quote
from lamina.kit.promise import NOTHING
from lamina.model import Page, user
from lamina.protocols import Digest, Excerpt, Note, Plan, PlanRequest, Verbatim
from lamina.testing import LoneHost
from lamina.testing.pages import page, tool_page
from lamina.testing.plans import plan_request
from lamina_pager_coverage import CoverageSettings, open_coverage
from lamina_pager_coverage._frame import TEXT, Frame
from lamina_pager_coverage._session import Item, Session

ASKED = "Please make the importer read data/part_7.csv again, and tell me which rows it leaves out."


def work(n: int) -> list[Page]:
    todos = [{"content": text, "status": "pending"} for text in ("read part_7", "tell which rows are left out")]
    out = [page(1, user(ASKED)), tool_page(2, ("TodoWrite", json.dumps({"todos": todos}), "ok"))]
    for id in range(3, n + 3):
        rows = f"row_{id % 7}, value_{id % 5}\nchecked by check_{id % 4}\n" * 6
        out.append(tool_page(id, ("Read", json.dumps({"file_path": f"data/part_{id % 9}.csv"}), rows)))
    return out


def planned(request: PlanRequest, settings: CoverageSettings) -> Plan:
    async def run() -> Plan:
        async with open_coverage(settings, LoneHost(None)) as pager:
            return await pager.plan(request)

    return asyncio.run(run())


def frame_of(pages: list[Page], quotes: dict[int, Quote], *notes: Note) -> Frame:
    request, session = plan_request(pages, 900), Session(0.06)
    brief = Brief(request, quotes, notes, tuple(1 for _ in notes), tuple(10 for _ in notes), None, {})
    frame = Frame(request, session, brief, 900, frozenset())
    frame.start = len(pages)
    return frame


def test_notes_stand_in_a_digest_of_one_page_behind_all_others():
    plan = planned(plan_request(work(60), 1200), CoverageSettings())
    noted = [e for e in plan.entries if isinstance(e.rendition, Digest) and e.rendition.notes]
    assert [(e.first, e.last) for e in noted] == [(noted[0].last, noted[0].last)]
    assert [e for e in plan.entries if isinstance(e.rendition, Digest)][-1] is noted[0]


def test_a_plan_that_changed_leaves_the_excerpts_before_its_note_as_they_are():
    old, new = Note("plan of 2 (0 of 2 done):\n- [ ] read part_7", "plan"), Note("plan of 2: all 2 items done", "plan")
    said = Excerpt(1, ASKED, "user", True, "said")
    frame = frame_of(work(9), {0: Quote(0, said, 30)}, new)
    before = Item(0, 4, [], None, 50, 0, (said,))
    assert frame.stays(before)
    assert not frame.stays(Item(4, 5, [], None, 50, 0, notes=(old,)))
    assert frame.stays(Item(4, 5, [], None, 50, 0, notes=(new,)))


@pytest.mark.parametrize(("letters", "is_text"), [(TEXT - 1, False), (TEXT, True)])
def test_what_a_person_wrote_at_length_is_whole_text_and_no_loose_line(letters, is_text):
    said = Excerpt(1, "x" * letters, "user", True, "said")
    answer = Excerpt(3, "y" * letters, "assistant", True, "answer")
    frame = frame_of(work(9), {0: Quote(0, said, 60), 2: Quote(2, answer, 60)}, Note("failed in 3: pytest", "command"))
    assert frame.promised(0, 9) == 130
    assert frame.loose(0, 9) == (70 if is_text else 130)
    assert frame.loose(1, 9) == 70


def test_what_a_harness_put_into_a_user_s_message_is_no_statement_of_the_user_s():
    ran = [page(1, user(ASKED)), page(2, user("Captured output follows below.\n" + "All of it is plain words.\n" * 3))]
    pages = [*ran, *(evolve(one, id=one.id + 1) for one in work(60)[1:])]
    request = plan_request(pages, 1200)

    def stands(request: PlanRequest) -> bool:
        entries = planned(request, CoverageSettings(statement=0.3, **NOTHING)).entries
        digests = [entry.rendition for entry in entries if isinstance(entry.rendition, Digest)]
        is_whole = any(e.first <= 2 <= e.last and isinstance(e.rendition, Verbatim) for e in entries)
        return is_whole or any(e.page == 2 for digest in digests for e in digest.excerpts)

    def by_people(one: Page):
        return () if one.id == 2 else request.passages(one)

    assert stands(request)
    assert not stands(evolve(request, passages=by_people))
