"""An agent's own plan, recognised by its shape."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina import Message, Page, Text, ToolCall, ToolResult, user
from lamina.kit.plans import Item, Plan, after

ABC = [Item("a", "done"), Item("b", "doing"), Item("c", "open")]


def page(*calls, id=1, text="", results=None, errors=()):
    """An assistant's page of calls, given as name and arguments, with their results."""
    parts = [
        ToolCall(f"c{n}", name, given if isinstance(given, str) else json.dumps(given))
        for n, (name, given) in enumerate(calls)
    ]
    said = [Text(text)] if text else []
    answers = tuple(
        Message("tool", (ToolResult(call.id, (results or {}).get(n, "ok"), n in errors),))
        for n, call in enumerate(parts)
    )
    messages = (Message("assistant", (*said, *parts)), *answers)
    return Page(id, messages, (1,) * len(messages))


def plan_of(*pages):
    plan = None
    for one in pages:
        plan = after(plan, one)
    return plan


def items(*pages):
    plan = plan_of(*pages)
    return None if plan is None else [(item.text, item.status) for item in plan.items]


def listed(text="content", state="status", words=("completed", "in_progress", "pending"), **more):
    return [{text: name, state: word, **more} for name, word in zip("abc", words, strict=True)]


EXPECTED = [("a", "done"), ("b", "doing"), ("c", "open")]

SHAPES = {
    "Claude Code": ("TodoWrite", {"todos": listed(activeForm="doing it")}),
    "Codex": ("update_plan", {"explanation": "why", "plan": listed("step")}),
    "OpenCode": ("todowrite", {"todos": listed(id="1", priority="high")}),
    "Gemini": ("write_todos", {"todos": listed("description")}),
    "Cursor": ("todo_write", {"merge": False, "todos": listed()}),
    "VS Code": ("manage_todo_list", {"operation": "write", "todoList": listed("title", words=("completed", "in-progress", "not-started"))}),
    "Roo": ("update_todo_list", {"todos": "[x] a\n[-] b\n[ ] c"}),
    "Cline": ("write_to_file", {"path": "a.py", "content": "- [ ] no plan", "task_progress": "- [x] a\n- [~] b\n- [ ] c"}),
    "an MCP server": ("mcp__planner__set_plan", {"steps": listed("title")}),
    "booleans": ("set_checklist", {"items": [{"text": "a", "done": True}, {"text": "b", "status": "doing"}, {"text": "c", "done": False}]}),
    "text for a list": ("TodoWrite", {"todos": json.dumps(listed())}),
    "a list within": ("update", {"plan": {"steps": listed("step")}}),
    "capitals": ("TodoWrite", {"todos": listed(words=("COMPLETED", "In Progress", "Pending"))}),
    "other words": ("TodoWrite", {"todos": listed(words=("Done", "active", "whatever"))}),
    "items without a text": ("TodoWrite", {"todos": [*listed(), {"status": "pending"}, "x", None]}),
}  # fmt: skip


@pytest.mark.parametrize("harness", SHAPES)
def test_the_plan_of_a_harness_is_recognised(harness):
    assert items(page(SHAPES[harness])) == EXPECTED


NONE = {
    "orders": ("update_orders", {"orders": [{"id": 1, "name": "lamp", "status": "pending"}, {"id": 2, "name": "bed", "status": "done"}]}),
    "items of an order": ("change_order", {"items": [{"description": "lamp", "status": "pending"}, {"description": "x", "status": "pending"}]}),
    "plans to subscribe to": ("list", {"plans": [{"name": "Gold", "status": "active"}, {"name": "Tin", "status": "closed"}]}),
    "steps of a pipeline": ("run", {"steps": [{"name": "build", "status": "pending"}]}),
    "tickets": ("sync_tasks", {"tasks": [{"title": "x", "status": "Ready for QA"}]}),
    "no states": ("set_plan", {"steps": [{"title": "a"}, {"title": "b"}]}),
    "a file with a check list": ("Write", {"file_path": "TODO.md", "content": "- [ ] a\n- [ ] b"}),
    "a file that explains": ("Write", {"file_path": "a", "content": '{"todos": [{"content": "a", "status": "pending"}]}'}),
    "a search for to-dos": ("Grep", {"pattern": "TODO"}),
    "reading the list": ("TodoRead", {}),
    "another agent": ("Task", {"description": "look", "prompt": "- [ ] a\n- [ ] b", "subagent_type": "x"}),
    "a task in somebody's system": ("create_task", {"title": "a", "assignee": "bob", "project": "x"}),
    "an explained step": ("explain", {"explanation": [{"text": "a", "status": "pending"}]}),
    "no list": ("TodoWrite", {"todos": 7}),
    "no object": ("TodoWrite", "[1, 2]"),
    "cut off": ("TodoWrite", '{"todos": [{"content": "a", "status": "pend'),
    "nested without end": ("TodoWrite", '{"todos":' + "[" * 100_000),
    "nothing": ("TodoWrite", ""),
}  # fmt: skip


@pytest.mark.parametrize("what", NONE)
def test_what_only_looks_like_a_plan_is_none(what):
    plan = Plan(1, tuple(ABC))
    assert after(None, page(NONE[what])) is None
    assert after(plan, page(NONE[what], id=2)) is plan


def test_the_newest_state_takes_the_place_of_the_older():
    older, newer = (
        page(SHAPES["Claude Code"]),
        page(("TodoWrite", {"todos": [{"content": "d", "status": "pending"}]}), id=7),
    )
    plan = plan_of(older, newer)
    assert (plan.page, [item.text for item in plan.items]) == (7, ["d"])


def test_an_empty_list_clears_the_plan():
    assert plan_of(page(SHAPES["Claude Code"]), page(("TodoWrite", {"todos": []}))) is None
    assert plan_of(page(SHAPES["Codex"]), page(("update_plan", {"plan": []}))) is None


def test_an_empty_list_of_something_else_does_not():
    assert items(page(SHAPES["Claude Code"]), page(("change_order", {"tasks": [], "items": []}))) == EXPECTED


def test_a_call_that_was_refused_changes_nothing():
    assert items(page(SHAPES["Claude Code"]), page(("TodoWrite", {"todos": []}), errors=[0])) == EXPECTED


def test_a_merge_changes_items_by_id_and_keeps_their_texts():
    first = [{"id": str(n), "content": name, "status": "pending"} for n, name in enumerate("ab")]
    change = [{"id": "1", "status": "completed"}, {"id": "9", "content": "c", "status": "in_progress"}]
    pages = page(("todo_write", {"todos": first})), page(("todo_write", {"merge": True, "todos": change}))
    assert items(*pages) == [("a", "open"), ("b", "done"), ("c", "doing")]
    assert items(*pages, page(("todo_write", {"merge": True, "todos": []}))) == [
        ("a", "open"),
        ("b", "done"),
        ("c", "doing"),
    ]


class TestSingleTasks:
    made = page(
        ("TaskCreate", {"subject": "a", "description": "more of it", "activeForm": "doing a"}),
        ("TaskCreate", {"subject": "b", "description": ""}),
        ("TaskCreate", {"subject": "c"}),
        results={
            0: "Task #2 created successfully: a",
            1: '{"task": {"id": "1", "subject": "b"}}',
            2: "Task #3 created: see #1",
        },
    )

    def test_several_of_one_page_have_the_ids_of_their_results(self):
        assert [(item.text, item.id) for item in plan_of(self.made).items] == [("a", "2"), ("b", "1"), ("c", "3")]

    def test_updates_change_the_one_that_they_name(self):
        changed = page(
            ("TaskUpdate", {"taskId": "2", "status": "completed"}),
            ("TaskUpdate", {"taskId": "1", "status": "in_progress", "activeForm": "doing b"}),
        )
        assert items(self.made, changed) == EXPECTED

    def test_an_update_without_a_status_leaves_it(self):
        changed = [
            page(("TaskUpdate", {"taskId": "2", "status": "completed"})),
            page(("TaskUpdate", {"taskId": "2", "subject": "A"})),
        ]
        assert items(self.made, *changed)[0] == ("A", "done")

    def test_a_deleted_task_is_dropped(self):
        assert items(self.made, page(("TaskUpdate", {"taskId": "1", "status": "deleted"})))[1] == ("b", "dropped")

    def test_an_unknown_id_changes_nothing(self):
        before = plan_of(self.made)
        for call in (
            ("TaskUpdate", {"taskId": "77", "status": "completed"}),
            ("TaskOutput", {"task_id": "2"}),
            ("TaskStop", {"task_id": "2"}),
        ):
            assert after(before, page(call, id=5)) is before

    def test_a_tool_with_actions_makes_and_ends_them(self):
        made = page(("todo", {"action": "create", "subject": "a"}), results={0: "created #5"})
        assert items(made, page(("todo", {"action": "complete", "id": 5}))) == [("a", "done")]
        assert items(made, page(("todo", {"action": "remove", "id": 5}))) == [("a", "dropped")]

    def test_one_that_failed_is_not_made(self):
        assert plan_of(page(("TaskCreate", {"subject": "a"}), errors=[0])) is None


class TestWords:
    told = "My plan:\n- [x] a\n* [~] b\n1. [ ] c\n\nNow b."

    def test_a_check_list_in_the_agents_words_is_its_plan(self):
        plan = plan_of(page(text=self.told, id=4))
        assert (plan.page, list(plan.items)) == (4, ABC)

    def test_signs_do_as_well(self):
        assert items(page(text="☑ a\n☐ b")) == [("a", "done"), ("b", "open")]

    def test_the_same_list_with_all_done_ends_it(self):
        assert plan_of(page(text=self.told), page(text="[x] a\n[x] b\n[x] c")).open == ()

    def test_a_single_item_or_a_list_without_an_open_one_is_none(self):
        assert plan_of(page(text="- [ ] a")) is None
        assert plan_of(page(text="- [x] a\n- [x] b")) is None

    def test_a_list_in_a_code_block_is_none(self):
        assert plan_of(page(text=f"README:\n```md\n{self.told}\n```")) is None

    def test_another_list_does_not_take_the_place_of_a_tools_plan(self):
        kept = page(SHAPES["Claude Code"])
        assert items(kept, page(text="Test plan:\n- [ ] it builds\n- [ ] it runs")) == EXPECTED
        assert items(kept, page(text="- [x] a\n- [x] b\n- [ ] c")) == [("a", "done"), ("b", "done"), ("c", "open")]

    def test_a_list_that_a_user_or_a_tool_wrote_is_none_of_the_agents(self):
        assert after(None, Page(1, (user(self.told),), (1,))) is None
        assert after(None, page(("Read", {"path": "TODO.md"}), results={0: self.told})) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["todos", "plan", "content", "status", "id", "merge"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(
    st.sampled_from(["TodoWrite", "update_plan", "TaskCreate", "TaskUpdate", "todo", "x"]),
    st.dictionaries(
        st.sampled_from(["todos", "plan", "steps", "taskId", "subject", "status", "action", "merge"]), JSON, max_size=4
    ),
    st.text(st.sampled_from("- [x]\n~ab☐`"), max_size=40),
)
def test_arguments_of_any_shape_give_a_plan_or_none(name, given, text):
    for before in (None, Plan(1, tuple(ABC))):
        plan = after(before, page((name, given), id=3, text=text))
        assert plan is before or plan is None or (plan.page == 3 and plan.items)
        assert plan is None or all(
            item.text and item.status in ("open", "doing", "done", "dropped") for item in plan.items
        )


@pytest.mark.parametrize("unit", [" ", "\n", "- ", "[ ]", "- [ ]\n", "- [ ] a\n", "```\n", "1", "\t", "☐ ", "> [ ] "])
def test_hostile_texts_take_no_longer_than_others(unit):
    text = (unit * 200_000)[:200_000]
    begun = time.process_time()
    after(None, page(text=text + "\n[ ] a\n[ ] b"))
    after(None, page(("update_todo_list", {"todos": text}), ("x", '"todo' + text)))
    after(Plan(1, (Item("a", id="1"),)), page(("TaskCreate", {"subject": "a"}), results={0: text}))
    assert time.process_time() - begun < 2
