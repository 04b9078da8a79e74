import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model import Image, Message, Reasoning, Text, ToolResult, assistant, system, user
from lamina.protocols import ScoreRequest
from lamina.testing.pages import page, tool_page
from lamina_scorer_role import RoleSettings
from lamina_scorer_role._scorer import RoleScorer


def scores(*pages, log=(), **settings):
    request = ScoreRequest(pages=pages, newest=max(p.id for p in pages), log=log)
    return asyncio.run(RoleScorer(RoleSettings(**settings)).score(request))


def of(*messages, **settings):
    return scores(page(1, *messages), **settings)[0]


def test_who_speaks_orders_the_pages():
    found = scores(
        page(1, system("Be careful.")),
        page(2, user("Use port 8765 and never touch main.")),
        page(3, assistant("The server listens on 8765 now.")),
        tool_page(4, ("Read", "{}", "all is well " * 50)),
        page(5, Message("assistant", (Reasoning("let me think " * 50, None),))),
    )
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == len(found)


def test_a_user_s_instruction_is_worth_more_than_what_a_user_pastes():
    short, long = of(user("Fix the port.")), of(user("Fix the port.\n" + "log line\n" * 5000))
    assert short == pytest.approx(0.9)
    assert 0.4 < long < 0.45


@pytest.mark.parametrize(
    "question", ["Which port?", "用哪个端口？", "どのポートですか？", "Welcher Port? **", "أي منفذ؟", "Какой порт?»"]
)
def test_a_short_reply_to_a_question_is_a_decision(question):
    asked, reply = page(1, assistant(question)), page(2, user("8765"))
    assert scores(asked, reply, instruction=0.3)[1] == 1.0
    assert scores(reply, log=[asked, reply], instruction=0.3) == [1.0]


def test_a_reply_is_a_decision_only_right_after_a_question_of_the_assistant():
    question, told = page(1, assistant("Which port?")), page(1, assistant("It listens."))
    reply, again = page(2, user("8765")), page(3, user("and log it"))
    long = page(2, user("x" * 2000))
    assert scores(told, reply)[1] == pytest.approx(0.9)
    assert scores(page(1, user("Which port?")), reply)[1] == pytest.approx(0.9)
    assert scores(question, reply, again)[1:] == [1.0, pytest.approx(0.9)]
    assert scores(question, long)[1] < 0.9


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):",
        "error: no such file",
        "ValueError: x",
        "错误：端口被占用",
        "Ошибка: нет файла",
        "エラーが発生しました",
        "Fehler beim Lesen",
    ],
)
def test_a_result_that_reads_like_an_error_is_worth_more(text):
    [plain, bad] = scores(tool_page(1, ("Run", "{}", "x" * 200)), tool_page(2, ("Run", "{}", text.ljust(200, "."))))
    assert bad > plain + 0.2


def test_a_result_that_says_it_is_an_error_is_one():
    bad = Message("tool", (ToolResult("a", "x" * 200, error=True),))
    assert of(bad) == pytest.approx(0.6)


def test_an_error_far_down_a_result_is_not_its_point():
    assert scores(tool_page(1, ("Read", "{}", "fine line\n" * 100 + "error: x")), call=0.25) == [pytest.approx(0.25)]


def test_what_the_assistant_says_beside_its_calls_is_worth_less_than_an_answer():
    assert of(assistant("Done, the port is 8765.")) == pytest.approx(0.7)
    assert scores(tool_page(1, ("Read", "", ""), text="I read it."), call=0.5, result=0.5) == [pytest.approx(0.5)]


def test_a_page_is_worth_the_mean_of_its_parts_by_length():
    mixed = of(Message("user", (Text("a" * 400), Image("image/png", "aGk="))), instruction=1.0, other=0.0)
    assert mixed == pytest.approx(0.5)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_page_is_worth_at_most_its_dearest_part(worths):
    prose, call, result = worths
    [found] = scores(tool_page(1, ("R", "{}", "text"), text="word"), prose=prose, call=call, result=result)
    assert min(worths) - 1e-9 <= found <= max(worths) + 1e-9


@pytest.mark.parametrize(
    "wrong", [{"system": 1.1}, {"result": -0.1}, {"error": float("nan")}, {"instruction_characters": 0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        RoleSettings(**wrong)
