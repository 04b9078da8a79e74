"""An agent's own plan, recognised by its shape in any harness: a list of items, each with a status.

Known shapes: a call whose arguments hold a list of objects with a text and a status (Claude Code's ``TodoWrite``, Codex's
``update_plan``, OpenCode's ``todowrite``, Gemini's ``write_todos``, Cursor's ``todo_write`` with ``merge``); calls that
create and update single tasks (Claude Code's ``TaskCreate`` and ``TaskUpdate``); a Markdown check list, in an argument or
in the agent's own words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import evolve, frozen

from lamina.model import Page, Text, ToolCall

Status = Literal["open", "doing", "done", "dropped"]

_TEXTS = ("content", "step", "title", "text", "subject", "description", "task", "name", "label", "todo", "activeForm")
_STATES = ("status", "state", "done", "completed", "checked")
_STATUS: Mapping[str, Status] = {
    "in_progress": "doing", "in-progress": "doing", "inprogress": "doing", "doing": "doing", "active": "doing",
    "started": "doing", "running": "doing", "current": "doing",
    "completed": "done", "complete": "done", "done": "done", "finished": "done", "closed": "done", "true": "done",
    "cancelled": "dropped", "canceled": "dropped", "deleted": "dropped", "skipped": "dropped", "abandoned": "dropped",
}  # fmt: skip
_CHECK = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])?[ \t]*\[(?P<mark>[ xX~/>-])\][ \t]+(?P<text>\S.*)$", re.MULTILINE)
_MARKS: Mapping[str, Status] = {
    " ": "open",
    "x": "done",
    "X": "done",
    "~": "doing",
    "/": "doing",
    ">": "doing",
    "-": "doing",
}
_MADE = re.compile(r"#\s?(\w+)|\bid\W{1,4}(\w+)", re.IGNORECASE)
_CREATES, _UPDATES = (
    re.compile(r"create|add|new", re.IGNORECASE),
    re.compile(r"update|complete|set|stop|delete", re.IGNORECASE),
)
_TASK = re.compile(r"task|todo|plan", re.IGNORECASE)
_HINTS = ('"status"', '"state"', '"done"', '"completed"', '"checked"', "[ ]", "[x]")
"""A call's arguments without any of these hold no plan: looked for before anything is parsed."""


@frozen
class Item:
    """One item of a plan."""

    text: str
    status: Status = "open"
    id: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.status in ("open", "doing")


@frozen
class Plan:
    """The state of a plan."""

    page: int
    """The page that set this state."""
    items: tuple[Item, ...]

    @property
    def open(self) -> tuple[Item, ...]:
        """What is left to do, in order."""
        return tuple(item for item in self.items if item.is_open)


def after(plan: Plan | None, page: Page) -> Plan | None:
    """The plan's state after this page; ``plan`` itself where the page says nothing of it."""
    head = page.messages[0]
    if head.role != "assistant":
        return plan
    for part in head.parts:
        items: Sequence[Item] | None = None
        if isinstance(part, ToolCall):
            items = _after_call(plan, part, page)
        elif isinstance(part, Text) and "[ ]" in part.text:
            items = _checked(part.text)
        if items is not None:
            plan = Plan(page.id, tuple(items))
    return plan


def _after_call(plan: Plan | None, call: ToolCall, page: Page) -> Sequence[Item] | None:
    known = plan.items if plan is not None else ()
    about_task = _TASK.search(call.name) is not None
    if not about_task and not any(hint in call.arguments for hint in _HINTS):
        return None
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    for value in given.values():
        if isinstance(value, str) and "[ ]" in value + "[x]" and (found := _checked(value)) and about_task:
            return found
        listed = _listed(value)
        if listed is not None:
            return _merged(known, listed) if given.get("merge") is True else listed
    return _single(known, call, given, page) if about_task else None


def _listed(value: Any) -> list[Item] | None:
    """The items of a list in which each has a text and most have a status; ``None`` for anything else."""
    if not isinstance(value, list) or not value:
        return None
    found = [_item(one) for one in value]
    if any(item is None for item in found):
        return None
    if not all(any(state in one for state in _STATES) for one in value):
        return None
    return [item for item in found if item is not None]


def _item(value: Any) -> Item | None:
    if not isinstance(value, dict):
        return None
    text = next((value[key] for key in _TEXTS if isinstance(value.get(key), str) and value[key].strip()), None)
    if text is None:
        return None
    state = next((value[key] for key in _STATES if key in value), "open")
    id = value.get("id", value.get("taskId", ""))
    return Item(" ".join(text.split()), _STATUS.get(str(state).lower(), "open"), str(id) if id is not None else "")


def _merged(known: Sequence[Item], new: Sequence[Item]) -> list[Item]:
    by_id = {item.id: item for item in new if item.id}
    kept = [by_id.pop(item.id, item) if item.id else item for item in known]
    return [*kept, *(item for item in new if not item.id or item.id in by_id)]


def _single(known: Sequence[Item], call: ToolCall, given: Mapping[str, Any], page: Page) -> Sequence[Item] | None:
    """A task that is created or updated by itself."""
    id = next(
        (given[key] for key in ("taskId", "task_id", "id", "todoId") if isinstance(given.get(key), str | int)), None
    )
    if id is not None and any(item.id == str(id) for item in known):
        if not _UPDATES.search(call.name):
            return None
        status = _STATUS.get(str(given.get("status", given.get("state", ""))).lower())
        text = next((given[key] for key in _TEXTS if isinstance(given.get(key), str)), None)
        return [
            evolve(item, status=status or item.status, text=text or item.text) if item.id == str(id) else item
            for item in known
        ]
    if not _CREATES.search(call.name) or (item := _item(given)) is None:
        return None
    answers = (r.text for message in page.messages[1:] for r in message.results if r.call_id == call.id)
    made = _MADE.search(next(answers, ""))
    return [*known, evolve(item, id=(made[1] or made[2]) if made else item.id)]


def _checked(text: str) -> list[Item] | None:
    """A Markdown check list of at least two items."""
    found = [Item(" ".join(m["text"].split()), _MARKS[m["mark"]]) for m in _CHECK.finditer(text)]
    return found if len(found) > 1 else None
