"""An agent's own plan, recognised by its shape in any harness: a list of items, each with a status.

Known shapes: a call whose arguments hold a list of objects with a text and a status (Claude Code's ``TodoWrite``, Codex's
``update_plan``, OpenCode's ``todowrite``, Gemini's ``write_todos``, VS Code's ``manage_todo_list``, Cursor's ``todo_write``
with ``merge``); calls that create and update single tasks (Claude Code's ``TaskCreate`` and ``TaskUpdate``); a Markdown check
list, in an argument (Roo's ``update_todo_list``, Cline's ``task_progress``) or in the agent's own words.

Orders and tickets have a status too. What tells a plan apart is what it is called, by its tool or by its argument; where
that word has other meanings (a step, a task, a plan that one subscribes to), every status must be one of a plan's as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import evolve, frozen

from lamina.model import Page, Text, ToolCall

Status = Literal["open", "doing", "done", "dropped"]

_TEXTS = ("content", "step", "title", "text", "subject", "description", "task", "name", "label", "todo", "activeForm")
_STATES = ("status", "state", "done", "completed", "checked")
_STATUS: Mapping[str, Status] = {
    "pending": "open", "todo": "open", "notstarted": "open", "queued": "open", "planned": "open", "blocked": "open",
    "waiting": "open", "open": "open", "false": "open", "incomplete": "open", "new": "open", "none": "open",
    "inprogress": "doing", "doing": "doing", "active": "doing", "started": "doing", "running": "doing", "current": "doing",
    "ongoing": "doing", "wip": "doing",
    "completed": "done", "complete": "done", "done": "done", "finished": "done", "closed": "done", "true": "done",
    "resolved": "done", "checked": "done",
    "cancelled": "dropped", "canceled": "dropped", "deleted": "dropped", "skipped": "dropped", "abandoned": "dropped",
    "dropped": "dropped", "removed": "dropped", "obsolete": "dropped",
}  # fmt: skip
"""By their letters alone: harnesses and models spell them ``in_progress``, ``In Progress`` and ``in-progress``."""
_PLANS = frozenset(
    {
        "pending", "todo", "notstarted", "inprogress", "completed", "complete", "done", "cancelled", "canceled", "blocked",
        "true", "false", "deleted", "skipped", "doing",
    }
)  # fmt: skip
"""Those that a plan has and that hardly anything else has in common with plans and steps of other kinds."""
_CHECK = re.compile(
    r"^[ \t]*(?:(?:[-*+]|\d{1,4}[.)])[ \t]+)?(?:\[(?P<mark>[ xX~/>-])\]|(?P<sign>[☐⬜☑✅]))[ \t]+(?P<text>\S.*)$",
    re.MULTILINE,
)
_MARKS: Mapping[str, Status] = {
    " ": "open", "☐": "open", "⬜": "open", "x": "done", "X": "done", "☑": "done", "✅": "done", "~": "doing", "/": "doing",
    ">": "doing", "-": "doing",
}  # fmt: skip
_FENCED = re.compile(r"^[ \t]*```.*?(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_MADE = re.compile(r"#\s?(\w[\w-]*)|\bid\W{1,4}(\w[\w-]*)", re.IGNORECASE)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_SURE = re.compile(r"todo|check_?list|update_?plan|task_?progress", re.IGNORECASE)
_MAYBE = frozenset(
    {"task", "tasks", "tasklist", "subtasks", "plan", "planning", "planner", "step", "steps", "milestones"}
)
_KEYS = re.compile(r"\"\w{0,20}(?:todo|check_?list|task|plan|step|milestone)\w{0,20}\"\s{0,3}:", re.IGNORECASE)
"""Arguments without any of these hold no plan, if the tool's name speaks of none: looked for before anything is parsed."""
_CREATES = re.compile(r"create|add|new", re.IGNORECASE)
_UPDATES = re.compile(r"update|complete|finish|set|edit|delete|remove|cancel", re.IGNORECASE)
_ENDS: Mapping[str, Status] = {
    "complete": "done", "finish": "done", "delete": "dropped", "remove": "dropped", "cancel": "dropped",
}  # fmt: skip
_OF_TASKS = frozenset(
    {
        "taskId", "task_id", "id", "todoId", "action", "operation", "priority", "owner", "metadata", "blocks", "blockedBy",
        "addBlocks", "addBlockedBy", "parentId", "parent_id", "dependencies", *_TEXTS, *_STATES,
    }
)  # fmt: skip
"""Arguments of calls that create single tasks; others create something in somebody's system."""


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
    told: bool = False
    """Whether the agent only wrote it down, by no tool."""

    @property
    def open(self) -> tuple[Item, ...]:
        """What is left to do, in order."""
        return tuple(item for item in self.items if item.is_open)


def after(plan: Plan | None, page: Page) -> Plan | None:
    """The plan's state after this page; ``plan`` itself where the page says nothing of it, ``None`` where it was cleared.

    Linear in what the page's calls and the agent's words hold; results are read for the ids that they give only.
    """
    head = page.messages[0]
    if head.role != "assistant":
        return plan
    refused = {r.call_id for message in page.messages[1:] for r in message.results if r.error}
    for part in head.parts:
        if isinstance(part, ToolCall) and part.id not in refused:
            items = _after_call(plan.items if plan is not None else (), part, page)
            if items is not None:
                plan = Plan(page.id, tuple(items)) if items else None
        elif isinstance(part, Text) and (told := _told(plan, part.text)):
            plan = Plan(page.id, tuple(told), told=True)
    return plan


def may_speak(page: Page) -> bool:
    """Whether :func:`after` could change a plan by this page, whatever the plan is; cheap."""
    head = page.messages[0]
    return head.role == "assistant" and any(
        _may_hold(part) if isinstance(part, ToolCall) else isinstance(part, Text) and _has_check(part.text)
        for part in head.parts
    )


def _may_hold(call: ToolCall) -> bool:
    return bool(_about(call.name)) or _KEYS.search(call.arguments) is not None


def _has_check(text: str) -> bool:
    return any(sign in text for sign in ("[ ]", "[x]", "[X]", "[-]", "☐", "⬜", "☑"))


def _after_call(known: Sequence[Item], call: ToolCall, page: Page) -> Sequence[Item] | None:
    if not _may_hold(call):
        return None
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    for key, value in _values(given):
        found = _found(key, value, call.name, known if given.get("merge") is True else ())
        if found is not None:
            return _merged(known, found) if given.get("merge") is True else found
    return _single(known, call, given, page) if _about(call.name) else None


def _about(name: str) -> str:
    """Whether a name speaks of a plan: ``sure``, ``maybe`` or empty."""
    if _SURE.search(name):
        return "sure"
    return "maybe" if any(word.lower() in _MAYBE for word in _WORD.findall(name[:80])) else ""


def _values(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments, and those of objects among them; lists that were written as text are read."""
    for key, value in given.items():
        if isinstance(value, dict):
            yield from ((inner, held) for inner, held in value.items() if isinstance(held, list))
        elif isinstance(value, str) and value.lstrip().startswith("[{") and _about(key):
            try:
                yield key, json.loads(value)
            except (ValueError, RecursionError):
                continue
        else:
            yield key, value


def _found(key: str, value: Any, tool: str, known: Sequence[Item]) -> list[Item] | None:
    """The items of a plan in an argument; ``None`` where it holds none, empty where it clears the plan."""
    sure = "sure" in (_about(key), _about(tool))
    if isinstance(value, str):
        about_plan = _about(key) == "sure" or (_about(tool) == "sure" and key not in ("text", "description"))
        return (_checked(value) or None) if about_plan else None
    if not isinstance(value, list) or not (sure or _about(key) or _about(tool)):
        return None
    if not value:
        return [] if sure and _about(key) else None
    texts = {item.id: item.text for item in known if item.id}
    items = [_item(one, texts) for one in value]
    if not sure and not all(_is_planned(one) for one in value):
        return None
    stated = any(isinstance(one, dict) and any(state in one for state in _STATES) for one in value)
    return ([item for item in items if item is not None] or None) if stated else None


def _is_planned(value: Any) -> bool:
    """Whether an object is an item of a plan by itself: it says what is to be done, and how far it is."""
    if not isinstance(value, dict) or _letters(_state(value)) not in _PLANS:
        return False
    return bool(_text({key: held for key, held in value.items() if key not in ("name", "label")}))


def _state(value: Mapping[str, Any]) -> Any:
    return next((value[key] for key in _STATES if key in value), None)


def _letters(state: Any) -> str:
    return "".join(letter for letter in str(state).lower() if letter.isalpha()) if state is not None else "none"


def _text(value: Mapping[str, Any]) -> str:
    return next((" ".join(v.split()) for key in _TEXTS if isinstance(v := value.get(key), str) and v.strip()), "")


def _item(value: Any, texts: Mapping[str, str]) -> Item | None:
    """An item of a list; of one that is known by its id the text may be left out."""
    if not isinstance(value, dict):
        return None
    id = value.get("id", value.get("taskId"))
    id = str(id) if isinstance(id, str | int) else ""
    text = _text(value) or texts.get(id, "")
    return Item(text, _STATUS.get(_letters(_state(value)), "open"), id) if text else None


def _merged(known: Sequence[Item], new: Sequence[Item]) -> list[Item]:
    by_key = {item.id or item.text: item for item in new}
    kept = [by_key.pop(item.id or item.text, item) for item in known]
    return [*kept, *by_key.values()]


def _single(known: Sequence[Item], call: ToolCall, given: Mapping[str, Any], page: Page) -> Sequence[Item] | None:
    """A task that is created or updated by itself."""
    does = f"{call.name} {given.get('action', given.get('operation', ''))}"
    ids = (given[key] for key in ("taskId", "task_id", "id", "todoId") if isinstance(given.get(key), str | int))
    id = str(next(ids, ""))
    if id and any(item.id == id for item in known):
        verb = _UPDATES.search(does)
        if verb is None:
            return None
        state = _state(given)
        status = _ENDS.get(verb[0].lower()) if state is None else _STATUS.get(_letters(state))
        text = _text({key: value for key, value in given.items() if key not in ("description", "activeForm")})
        return [
            evolve(item, status=status or item.status, text=text or item.text) if item.id == id else item
            for item in known
        ]
    item = _item(given, {})
    if item is None or not _CREATES.search(does) or not _OF_TASKS.issuperset(given):
        return None
    answers = (r.text for message in page.messages[1:] for r in message.results if r.call_id == call.id)
    made = _MADE.search(next(answers, "")[:2000])
    return [*known, evolve(item, id=(made[1] or made[2]) if made else item.id)]


def _checked(text: str) -> list[Item]:
    """The items of a Markdown check list."""
    return [Item(" ".join(m["text"].split()), _MARKS[m["mark"] or m["sign"]]) for m in _CHECK.finditer(text)]


def _told(plan: Plan | None, text: str) -> list[Item]:
    """A check list of at least two items in the agent's own words, if it is its plan: empty where it is not.

    In a code block it is part of some text that the agent writes. Beside a plan that a tool keeps, only a list of the same
    items tells of it; and a list without an open item is a plan only where one is known that it may end.
    """
    if not _has_check(text):
        return []
    items = _checked(_FENCED.sub("", text))
    if len(items) < 2:
        return []
    known = {item.text for item in plan.items} if plan is not None else set()
    if any(item.text in known for item in items):
        return items
    is_free = plan is None or plan.told or not plan.open
    return items if is_free and any(item.is_open for item in items) else []
