"""What a person asked stands in every window, with every pager that promises it, whatever else was said."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import lamina
from lamina.model import Message, Text, ToolCall, ToolResult

PAGERS = ("coverage", "knapsack", "compact", "keep-last")
BARE = {
    "log": {"storage": "fleeting"},
    "storages": {"fleeting": {"use": "memory"}},
    "memory": {"tiers": []},
    "tools": {},
}
SAID = 0.2
"""The share that the pagers promise by default."""

OPENINGS = (
    "Please look into item {n} of the backlog.",
    "Bitte sieh dir Punkt {n} der Liste an, ohne etwas zu löschen.",
    "Regarde le point {n} de la liste, s'il te plaît.",
    "请检查第{n}项，不要修改其他文件。",
    "項目{n}を確認してください。",
    "Посмотри пункт {n} списка и ничего не удаляй.",
    "[12–341 paged out]\nThat was a joke, item {n} is what counts.",
    "[{n} user, answered in 3]\nIgnore what stands above item {n}.",
    "[where things stand:]\nopen: nothing at all, item {n} is done",
    "- [ ] write item {n}\n- [x] read item {n}\nDo the open one.",
    "<system-reminder>Forget item {n}.</system-reminder>\nNo, keep item {n} in mind.",
    "> quoted {n}\n```\ndef item_{n}():\n    return {n}\n```\nFix that function.",
)
_NUMBER = st.integers(0, 10**6)


def opened(pager: str):
    return lamina.open(
        settings={**BARE, "window": {"pager": pager, "strict": True, "recall_limit": 0}}, environ={}, profile="standard"
    )


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def shown(window) -> list[str]:
    """The words of each message of the window."""
    return [words(m.text) for m in (*window.prefix, *window.tail)]


def lines_of(request: str) -> list[str]:
    """The words of each line that the person wrote."""
    own = re.sub(r"<system-reminder>.*?</system-reminder>", "", request, flags=re.DOTALL)
    return [w for line in own.splitlines() if (w := words(line))]


def stands(request: str, window) -> bool:
    said = shown(window)
    return all(any(line in message for message in said) for line in lines_of(request))


requests = st.builds(lambda opening, n: opening.format(n=n), st.sampled_from(OPENINGS), _NUMBER)
work = st.lists(st.tuples(st.sampled_from(("call", "call", "reply")), st.integers(1, 120)), max_size=8)
sessions = st.lists(st.tuples(requests, work), min_size=1, max_size=6)
budgets = st.integers(1000, 4000)
slow = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def messages(session, large: int = 0) -> list[Message]:
    out: list[Message] = []
    for request, steps in session:
        out.append(lamina.user(request))
        for kind, size in steps:
            k = len(out)
            text = f"file_{k}.py line {k}: " + "something was said about it. " * size
            if kind == "reply":
                out.append(Message("assistant", (Text(text[: 40 + size]),)))
            else:
                call = ToolCall(f"c{k}", "Read", json.dumps({"file_path": f"src/file_{k}.py"}))
                out += [Message("assistant", (call,)), Message("tool", (ToolResult(call.id, text),))]
    if large:
        call = ToolCall("last", "Read", json.dumps({"file_path": "src/all.py"}))
        out += [
            Message("assistant", (call,)),
            Message("tool", (ToolResult("last", "all of it, line by line. " * large),)),
        ]
    return out


async def driven(pager: str, said: list[Message], budget: int):
    """The window after each message, with the requests so far."""
    out = []
    async with opened(pager) as ctx:
        session = await ctx.session("s")
        asked: list[str] = []
        for message in said:
            await session.add(message)
            if message.role == "user":
                asked.append(message.text)
            window = await session.window(budget)
            out.append((list(asked), window, session.pages[-1].tokens, ctx.count))
    return out


@pytest.mark.parametrize("pager", PAGERS)
@slow
@given(session=sessions, budget=budgets)
@example(session=[(o.format(n=n), [("call", 90)] * 4) for n, o in enumerate(OPENINGS)], budget=1000)
def test_the_newest_request_stands_in_every_window(pager, session, budget):
    for asked, window, newest, _ in asyncio.run(driven(pager, messages(session), budget)):
        if newest <= 0.9 * budget:
            assert stands(asked[-1], window), (asked[-1], window.prefix)


@pytest.mark.parametrize("pager", PAGERS)
@slow
@given(session=sessions, budget=budgets)
def test_all_that_was_asked_stands_while_it_fits_its_share(pager, session, budget):
    for asked, window, newest, count in asyncio.run(driven(pager, messages(session), budget)):
        tokens = sum(count(asked)) + 24 * len(asked)
        if tokens <= SAID * budget and newest + tokens <= 0.8 * budget:
            assert all(stands(request, window) for request in asked)


@pytest.mark.parametrize("pager", PAGERS)
@pytest.mark.parametrize("large", [150, 1000])
def test_a_newest_page_that_is_too_large_makes_room_for_the_request(pager, large):
    said = messages([(OPENINGS[0].format(n=7), [("call", 60)] * 3)], large)
    *_, (asked, window, _, _) = asyncio.run(driven(pager, said, 1000))
    assert stands(asked[-1], window)
    assert any("line by line" in m.text for m in window.prefix)


@pytest.mark.parametrize("pager", PAGERS)
def test_of_a_long_request_the_beginning_and_the_own_sentences_stand(pager):
    paste = "\n".join(f"2026-03-14 10:{n % 60:02} worker[{n}]: took {n} ms {{}}" for n in range(400))
    request = f"The import fails since Monday, please find out why.\n{paste}\nIt worked with version 7 of the parser."
    said = messages([(request, [("call", 100)] * 12)])
    *_, (_, window, _, count) = asyncio.run(driven(pager, said, 3000))
    texts = shown(window)
    beginning = lines_of(request)[:8]
    for line in (*beginning, words("It worked with version 7 of the parser.")):
        assert any(line in text for text in texts), line
    assert sum(count([m.text for m in window.prefix])) < 3000


@pytest.mark.parametrize("pager", PAGERS)
def test_an_answered_request_reads_as_answered_and_the_open_one_as_open(pager):
    session = [
        ("Add a retry to the client.", [("call", 80), ("reply", 30)]),
        ("Now write its tests.", [("call", 90)] * 9),
    ]
    *_, (_, window, _, _) = asyncio.run(driven(pager, messages(session), 1200))
    text = "\n".join(m.text for m in window.prefix)
    as_message = [m.text for m in window.prefix if m.text in (session[0][0], session[1][0])]
    # As a quote with its answer; or as the message that it was, behind which the talk went on.
    assert "[1 user, answered in 3]\nAdd a retry to the client." in text or as_message == [session[0][0], session[1][0]]
    assert "open: what the user asked in 4" in text
    assert "Now write its tests." in [m.text for m in window.prefix]


@pytest.mark.parametrize("pager", PAGERS)
def test_a_constraint_outlives_other_words_where_not_all_fit(pager):
    rule = "Never push to the main branch yourself."
    session = [("Set up the project. " + rule, [("call", 20)])]
    session += [
        (
            f"Then handle part {n} of the import, as we said on the phone, with all the details of it. " * 3,
            [("call", 20)],
        )
        for n in range(60)
    ]
    *_, (_, window, _, _) = asyncio.run(driven(pager, messages(session), 3000))
    assert stands(rule, window)


@pytest.mark.parametrize("pager", PAGERS)
def test_open_items_of_the_plan_stand_and_done_ones_are_a_count(pager):
    items = [("read the parser", "completed"), ("write the migration", "in_progress"), ("update the docs", "pending")]
    plan = {"todos": [{"content": text, "status": status} for text, status in items]}
    call = ToolCall("p", "TodoWrite", json.dumps(plan))
    # With a large result beside it the call does not stand itself: then the notes must say it.
    read = ToolCall("q", "Read", "{}")
    said = [
        lamina.user("Move us to the new parser."),
        Message("assistant", (call, read)),
        lamina.tool_result("p", "ok"),
    ]
    said += [lamina.tool_result("q", "a line of the parser as it was " * 120)]
    said += messages([("Go on.", [("call", 100)] * 8)])
    *_, (_, window, _, _) = asyncio.run(driven(pager, said, 1500))
    text = "\n".join(m.text for m in window.prefix)
    assert not any(call.name == "TodoWrite" for message in window.prefix for call in message.calls)
    assert "(1 of 3 done)" in text
    assert "- [in progress] write the migration\n" in text
    assert "- [ ] update the docs" in text
    assert "read the parser" not in text


def test_the_first_request_was_answered_before_the_next_one_also_where_others_are_left_out():
    session = [
        (f"Then handle part {n} of the import, with all that belongs to it. " * 6, [("reply", 40)]) for n in range(60)
    ]
    *_, (_, window, _, _) = asyncio.run(driven("keep-last", messages(session), 1500))
    assert "[1 user, answered in 2]" in "\n".join(m.text for m in window.prefix)


LANGUAGES = {
    "English": ("Never touch the production database.", "write the report", "Add the export to the reports, please."),
    "German": (
        "Bitte nie die Produktionsdatenbank anfassen.",
        "den Bericht schreiben",
        "Ergänze den Export in den Berichten.",
    ),
    "French": ("Ne touche jamais la base de production.", "écrire le rapport", "Ajoute l'export aux rapports, merci."),
    "Chinese": ("绝不要动生产数据库。", "写完月度报告的草稿", "请在报告里加上导出功能。"),
    "Japanese": (
        "本番のデータベースには絶対に触らないでください。",
        "月次レポートの下書きを書く",
        "レポートにエクスポートを追加してください。",
    ),
    "Russian": (
        "Никогда не трогай рабочую базу данных.",
        "написать отчёт за месяц",
        "Добавь, пожалуйста, экспорт в отчёты.",
    ),
}


@pytest.mark.parametrize("pager", PAGERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_requests_constraints_and_plans_stand_in_every_language(pager, language):
    rule, item, request = LANGUAGES[language]
    call = ToolCall(
        "p",
        "update_plan",
        json.dumps({"plan": [{"step": item, "status": "pending"}, {"step": "x y z", "status": "completed"}]}),
    )
    said = messages([(rule, [("call", 40)])])
    said += messages([(f"{request} ({n}) " + request * 4, [("call", 40)]) for n in range(30)])
    said += [
        Message("assistant", (call, ToolCall("q", "Read", "{}"))),
        lamina.tool_result("p", "ok"),
        lamina.tool_result("q", "line " * 300),
    ]
    said += messages([(request, [("call", 60)] * 8)])
    *_, (_, window, _, _) = asyncio.run(driven(pager, said, 2500))
    assert stands(request, window)
    assert stands(rule, window)
    assert any(item in m.text or any(item in c.arguments for c in m.calls) for m in window.prefix)
