"""Where things stand: files, commands and errors with their latest state, and what was tried in vain.

Recognised by shape: arguments that name a file, a command line, results that say how it went. Everything is bounded: of
each kind only the latest are held.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any, TypeVar

from attrs import define, field, frozen

from lamina.kit import plans
from lamina.model import Page, ToolCall, ToolResult

MOST = 128
"""Files, commands and errors that are held."""
_LINE = 100
"""Characters of what a result says, and of a command."""
_PATHS = (
    "file_path", "filePath", "path", "filename", "file", "notebook_path", "target_file", "absolute_path", "relative_path",
)  # fmt: skip
_COMMANDS = ("command", "cmd", "script", "command_line")
_CHANGES = re.compile(
    r"write|create|edit|replace|insert|patch|update|append|modify|delete|remove|save|rename|move", re.IGNORECASE
)
_READS = re.compile(r"read|view|open|cat|get|show|fetch|load", re.IGNORECASE)
_CHANGED_BY = (
    "new_string",
    "new_str",
    "old_string",
    "old_str",
    "edits",
    "patch",
    "diff",
    "content",
    "contents",
    "file_text",
    "new_source",
)
_PARTS = ("offset", "limit", "view_range", "start_line", "end_line", "line_start", "line_end", "pages")
_PATCHED = re.compile(r"^\*\*\* (?:Update|Add|Delete) File: (.+)$", re.MULTILINE)
_BUILDS = re.compile(
    r"\b(?:tests?|pytest|tox|nox|jest|vitest|mocha|rspec|phpunit|ctest|cargo|make|ninja|cmake|build|compile|tsc|lint|eslint"
    r"|ruff|mypy|pyright|ty|flake8|black|check|mvn|gradle|gradlew|dotnet|go (?:test|build|vet|run)|npm|yarn|pnpm|bun|act|deploy)\b"
)
_EXIT = re.compile(r"exit(?:ed)?[ _-]*(?:code|status)?\"?[ :=]*(?:with )?(\d+)", re.IGNORECASE)
_FAILED = re.compile(
    r"^\s*(?:<\w+>)?(?:error\b|traceback|fatal|exception|failed\b|\{\"error|command failed)", re.IGNORECASE
)
_TELLS = re.compile(
    r"\b(?:\d+ (?:passed|failed|errors?|warnings?|tests?)|passed|failed|FAILED|error|Error|success\w*|warning|not found|denied|OK)\b"
)

T = TypeVar("T")


@frozen
class File:
    """The latest that was done to a file."""

    page: int
    did: str
    """``read``, ``changed`` or ``written``."""
    whole: int = 0
    """The page that holds its newest full text, if any."""
    changed_since: bool = False
    """Whether it changed after that."""


@frozen
class Ran:
    """The last run of a command that builds or tests."""

    page: int
    failed: bool
    says: str


@frozen
class Failed:
    """A call that failed and was not tried again with success."""

    page: int
    call: str
    says: str


@define
class State:
    """Where a session's work stands after its pages so far."""

    plan: plans.Plan | None = None
    files: OrderedDict[str, File] = field(factory=OrderedDict)
    """By path; the one touched last is last."""
    ran: OrderedDict[str, Ran] = field(factory=OrderedDict)
    failed: OrderedDict[tuple[str, str], Failed] = field(factory=OrderedDict)
    """By the tool and what it was used on."""

    def copy(self) -> State:
        """A state that may go on without changing this one."""
        return State(self.plan, copy(self.files), copy(self.ran), copy(self.failed))

    def take(self, page: Page) -> None:
        """Go on by one page; linear in its calls and results."""
        self.plan = plans.after(self.plan, page)
        if len(page.messages) < 2:
            return
        results = {r.call_id: r for message in page.messages[1:] for r in message.results}
        for call in page.messages[0].calls:
            self._call(page.id, call, results.get(call.id))

    def _call(self, page: int, call: ToolCall, result: ToolResult | None) -> None:
        given = _arguments(call)
        command, paths = _command(given), list(_paths(call, given))
        target = command or (paths[0] if paths else _first(given))
        says = result.text if result is not None else ""
        failed = result is not None and (result.error or _went_wrong(says, command))
        key = (call.name, _head(command) if command else target)
        self.failed.pop(key, None)
        if failed:
            shown = f"{call.name} {_short(target)}".strip()
            _hold(self.failed, key, Failed(page, shown, telling(says)))
        if command and _BUILDS.search(command):
            _hold(self.ran, _short(command), Ran(page, failed, telling(says)))
        elif paths and not failed and (did := _did(call.name, given)):
            for path in paths:
                _hold(self.files, path, self._file(path, page, did, given))

    def _file(self, path: str, page: int, did: str, given: Mapping[str, Any]) -> File:
        before = self.files.get(path)
        if did == "written" or (did == "read" and not any(given.get(key) for key in _PARTS)):
            return File(page, did, whole=page)
        whole = before.whole if before is not None else 0
        changed = bool(whole) and (did == "changed" or (before is not None and before.changed_since))
        return File(page, did, whole, changed)


def _hold(held: OrderedDict[Any, T], key: Any, value: T) -> None:
    held[key] = value
    held.move_to_end(key)
    if len(held) > MOST:
        held.popitem(last=False)


def _arguments(call: ToolCall) -> Mapping[str, Any]:
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _command(given: Mapping[str, Any]) -> str:
    for key in _COMMANDS:
        value = given.get(key)
        if isinstance(value, str) and value.strip() and _READS.fullmatch(value) is None:
            return " ".join(value.split())
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            return " ".join(" ".join(value).split())
    return ""


def _head(command: str) -> str:
    """What a command does, without where and how: its first words that are no options."""
    last = re.split(r"&&|;", command)[-1]
    return " ".join(word for word in last.split() if not word.startswith("-"))[:60]


def _paths(call: ToolCall, given: Mapping[str, Any]) -> Iterator[str]:
    for key in _PATHS:
        value = given.get(key)
        if isinstance(value, str) and 0 < len(value) <= 300 and "\n" not in value:
            yield value
            return
    for value in given.values():
        if isinstance(value, str) and "*** " in value:
            yield from (path.strip() for path in _PATCHED.findall(value))


def _did(name: str, given: Mapping[str, Any]) -> str:
    """What a call does to its file; empty where that is neither reading nor changing."""
    if any(key in given for key in _CHANGED_BY) or _CHANGES.search(name):
        whole = any(key in given for key in ("content", "contents", "file_text")) and "old_string" not in given
        return "written" if whole else "changed"
    return "read" if _READS.search(name) else "changed" if "*** " in str(given) else ""


def _first(given: Mapping[str, Any]) -> str:
    return next(
        (" ".join(str(v).split()) for v in given.values() if isinstance(v, str | int | float) and str(v).strip()), ""
    )


def _went_wrong(says: str, command: str) -> bool:
    head = says[:400]
    if _FAILED.search(head):
        return True
    found = _EXIT.search(says[:200]) or _EXIT.search(says[-200:]) if command else None
    return found is not None and found[1] != "0"


def telling(says: str) -> str:
    """The line of a result that tells how it went, shortened to a line's length."""
    lines = [line.strip() for line in says[-4000:].splitlines() if line.strip()]
    if not lines:
        return ""
    first = says[:200].strip().splitlines()[0].strip() if says.strip() else ""
    if _FAILED.search(first):
        return _short(first if len(lines) < 2 or len(first) > 20 else f"{first} {lines[-1]}")
    found = [line for line in lines[-12:] if _TELLS.search(line)]
    return _short(found[-1] if found else lines[-1])


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LINE else text[: _LINE - 1] + "…"
