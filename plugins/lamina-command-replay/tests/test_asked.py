"""What stands of what was asked for, on conversations small enough to check by hand."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina_command_replay._asked import HEAD, Requests, sentences
from lamina_command_replay._measures import Measure
from lamina_command_replay._texts import Texts


def words(texts):
    return [len(text.split()) for text in texts]


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


def calls(name="TodoWrite", id="c1", **arguments):
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function", "function": function}]}


def todo(*items, id="c1"):
    """A plan and its result; an item that ends with ``!`` is done."""
    listed = [{"content": one.rstrip("!"), "status": "completed" if "!" in one else "pending"} for one in items]
    return [calls(todos=listed, id=id), result("Todos have been modified", id)]


def result(text, id="c1"):
    return {"role": "tool", "tool_call_id": id, "content": text}


def asked(messages, window, budget=1000):
    """What the window after all these messages says."""
    requests = Requests(messages, budget, Texts(words))
    for at in range(len(messages)):
        requests.read(at)
    page = len(messages) - 1
    while page and messages[page]["role"] == "tool":
        page -= 1
    return requests.step(page, window)


def said_in(text):
    return sentences(text, Texts(words))


REQUESTS = {
    "English": ("Move the parcel service to port 8417. Never push to main!", "Move the parcel service to port 8417."),
    "German": (
        "Bitte räume die Prüfungen auf. Ändere nichts an der Datenbank!",
        "Bitte räume die Prüfungen auf.",
    ),
    "Chinese": (
        "请先修复登录页面的错误，然后运行测试。 千万不要修改数据库里的用户表！",
        "请先修复登录页面的错误，然后运行测试。",
    ),
}


@pytest.mark.parametrize(("request_", "part"), REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_asked_whole_partly_or_not_at_all(request_, part):
    past = [user(request_), says("I see."), says("Done.")]
    whole, partly, lost = (asked(past, [user(text)]) for text in (f"[1] > {request_}", part, "go on"))
    assert (whole.newest, partly.newest, lost.newest) == ((2, 2), (1, 2), (0, 2))
    assert (whole.is_whole, partly.is_whole, lost.is_whole) == (True, False, False)


def test_white_space_quoting_and_list_marks_do_not_matter():
    past = [user("- Rename `parse_all`\n- Write a test for it"), says("Yes.")]
    assert asked(past, [user("> rename  «parse_all»\n  * write a\n    test for it")]).is_whole


def test_words_that_are_spread_over_messages_do_not_stand():
    past = [user("Rename the parser to reader"), says("Yes.")]
    assert asked(past, [user("Rename the parser"), says("to reader")]).newest == (0, 1)
    with_call = {**calls("note", text="to reader"), "content": "Rename the parser"}
    assert asked(past, [with_call]).newest == (0, 1)


def test_a_call_says_what_its_arguments_say():
    past = [user("Räume die Prüfungen auf"), says("Ja.")]
    assert asked(past, [calls("note", text="Räume die Prüfungen auf")]).is_whole
    broken = calls("note")
    broken["tool_calls"][0]["function"]["arguments"] = '{"text": "Räume die Prüfungen auf'
    assert asked(past, [broken]).is_whole


def test_what_stands_in_system_messages_does_not_count():
    past = [user("Rename the parser to reader"), says("Yes.")]
    assert asked(past, [{"role": "system", "content": "Rename the parser to reader"}]).newest == (0, 1)


def test_nothing_is_measured_before_anything_was_asked_for():
    assert asked([{"role": "system", "content": "Help people with parcels."}, says("Hello.")], []) is None
    assert asked([user("ok"), says("Hello.")], []) is None


def test_the_newest_request_is_outside_of_the_newest_page_once_something_followed():
    past = [user("Rename the parser to reader")]
    assert not asked(past, past).outside
    assert asked([*past, says("Yes.")], past).outside
    assert asked([*past, says("Yes.")], past).at == 0


@pytest.mark.parametrize(
    "text",
    [
        "<system-reminder>\nNever forget the rules\n</system-reminder>\nRename the parser to reader",
        'Rename the parser to reader\n<file path="a.py">print the whole file</file>',
        "<a>what is <b>inside of tags</a> Rename the parser to reader",
        "Rename the parser to reader\n[Request interrupted by user for tool use]",
        "Rename the parser to reader\n  Caveat: The messages below were made by the user\nand more of it",
        "Rename the parser to reader\napi error: the server is overloaded",
    ],
)
def test_what_a_harness_wraps_or_tells_is_not_asked_for(text):
    assert said_in(text) == ("rename the parser to reader",)


def test_a_tag_that_is_never_closed_wraps_nothing():
    assert said_in("Use <T extends Parcel> and List<T> here") == ("use t extends parcel and list t here",)


def test_a_notice_as_the_whole_message_is_no_request():
    past = [user("Rename the parser to reader"), says("Yes."), user("[Request interrupted by user]"), says("Go on?")]
    assert asked(past, past[:1]).at == 0


def test_many_tags_that_are_never_closed_are_read_quickly():
    start = time.perf_counter()
    said_in("".join(f"<tag-{k % 50}>" for k in range(40_000)))
    assert time.perf_counter() - start < 5


def test_short_pieces_are_no_sentences():
    assert said_in("ok. go on. 继续。 Understood! All of it.") == ("all of it",)
    assert said_in("继续做这件事情直到测试通过。") == ("继续做这件事情直到测试通过",)


def test_only_the_beginning_of_a_long_message_counts():
    pasted = "\n".join(f"row {k} of the table" for k in range(500))
    found = said_in("Sort these rows by weight:\n" + pasted)
    assert found[0] == "sort these rows by weight"
    assert HEAD / 5 - 1 <= len(found) <= HEAD / 5 + 1


@given(st.text("ab \n", max_size=200), st.integers(1, 30))
def test_the_head_of_a_text_has_at_most_so_many_tokens(text, tokens):
    head = Texts(words).head(text, tokens)
    assert text.startswith(head)
    assert len(head.split()) <= tokens
    assert head == text or len(text.split()) > tokens


def test_all_of_what_users_said_counts_while_it_fits_a_fifth_of_the_budget():
    past = [user(f"request number {name} of mine") for name in ("one", "two", "three")] + [says("Yes.")]
    window = [past[0], past[2]]
    # Each of the three has 26 to 28 characters, which are 6 or 7 tokens.
    assert asked(past, window, budget=100).said == (2, 3)
    assert asked(past, window, budget=60).said == (2, 2)
    assert asked(past, window[1:], budget=60).said == (1, 2)
    assert asked(past, window[1:], budget=5).said == (1, 2)


def test_the_first_request_counts_by_itself_too():
    past = [user("Rename the parser. Never touch the tests!"), says("Yes."), user("Now write the docs"), says("Yes.")]
    found = asked(past, [user("never touch the tests"), past[2]])
    assert (found.newest, found.first, found.said) == ((1, 1), (1, 2), (2, 3))


PLAN = ["Read the parser!", "Rename the parser to reader", "Update the documentation"]


def test_open_items_of_the_newest_plan_should_stand():
    past = [user("Rename the parser to reader"), *todo(*PLAN), says("Now the docs.")]
    assert asked(past, past).todo == (2, 2)
    assert asked(past, [user("left: update the documentation")]).todo == (1, 2)
    assert asked(past, past[:1]).todo == (1, 2)


def test_a_newer_plan_supersedes_the_older_one():
    past = [user("Rename the parser to reader"), *todo(*PLAN), *todo("Rename the parser to reader!", id="c2")]
    assert asked([*past, says("Done.")], past).todo is None
    newer = [*todo("Translate the documentation", id="c2"), says("Done.")]
    assert asked([*past[:3], *newer], [user("Update the documentation")]).todo == (0, 1)


def test_a_plan_may_be_emptied():
    past = [user("Rename the parser to reader"), *todo(*PLAN), *todo(id="c2"), says("Done.")]
    assert asked(past, []).todo is None


def test_a_plan_in_the_newest_page_is_not_asked_for():
    past = [user("Rename the parser to reader"), *todo(*PLAN)]
    assert asked(past, []).todo is None


@pytest.mark.parametrize("items", [["Dokumentation überarbeiten"], ["更新所有的项目文档，然后再次运行测试"]])
def test_items_are_compared_in_any_script(items):
    past = [user("Rename the parser to reader"), *todo(*items), says("Go.")]
    assert asked(past, past).todo == (1, 1)
    assert asked(past, past[:1]).todo == (0, 1)


def test_plans_of_other_harnesses_are_known_by_their_shape():
    steps = [{"step": "Update the documentation", "status": "pending"}, {"step": "Read it", "status": "completed"}]
    codex = [user("Rename the parser to reader"), calls("update_plan", plan=steps), result("ok"), says("Go.")]
    assert asked(codex, codex).todo == (1, 1)
    made = [calls("TaskCreate", subject="Update the documentation"), result("Task #1 created")]
    done = [calls("TaskUpdate", id="c2", taskId="1", status="completed", addBlocks=[]), result("ok", "c2")]
    tasks = [user("Rename the parser to reader"), *made]
    assert asked([*tasks, says("Go.")], tasks).todo == (1, 1)
    assert asked([*tasks, *done, says("Go.")], tasks).todo is None


def test_steps_that_are_not_pressed_are_not_measured():
    messages = [user("Rename the parser to reader"), says("Yes."), user("And then?"), says("Then I write docs.")]
    told = []
    for budget in (15, 1000):
        measure = Measure("s", messages, budget, Texts(words), told.append)
        measure.step(1, messages[:1])
        measure.step(3, messages[2:3])
        assert measure.figures.requested == (budget == 15)
    assert [one.asked is None for one in told] == [True, False, True, True]


def test_rates_are_means_over_steps():
    first = user("Rename the parser to reader. Never push to main!")
    messages = [first, says("a " * 30), says("b " * 30), says("c " * 30)]
    measure = Measure("s", messages, 20, Texts(words))
    for index, window in {1: messages[:1], 2: [user("never push to main")], 3: messages[:3]}.items():
        measure.step(index, window)
    figures = measure.figures
    assert (figures.requested, figures.asked_whole, figures.outside, figures.planned) == (2, 1, 2, 0)
    assert [figures.asked, figures.said, figures.first, figures.recent] == [0.5, 0.75, 0.75, 0.75]
    assert figures.todo == 0
