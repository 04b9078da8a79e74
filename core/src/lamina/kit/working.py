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
from typing import Any, TypeGuard, TypeVar

from attrs import define, field, frozen

from lamina.kit import _commands, plans
from lamina.kit._outcomes import Outcome, outcome, short
from lamina.kit._outcomes import telling as telling
from lamina.model import Page, ToolCall, ToolResult

MOST = 128
"""Files, commands and errors that are held."""
_KEY = 200
"""Characters by which a failed call is known again."""
_PATHS = (
    "file_path", "filePath", "path", "filename", "file", "notebook_path", "target_file", "absolute_path", "relative_path",
    "target_notebook", "uri",
)  # fmt: skip
_COMMANDS = ("command", "cmd", "script", "command_line")
_EDITOR = {
    "view": "read", "open": "read", "read": "read", "create": "written", "write": "written", "str_replace": "changed",
    "insert": "changed", "undo_edit": "changed", "edit": "changed", "append": "changed", "delete": "deleted",
    "remove": "deleted", "rename": "changed",
}  # fmt: skip
"""What an editor that takes a command does to its file."""
_WRITES = ("write", "create", "save", "put", "overwrite")
_CHANGES = (
    "edit", "replace", "insert", "patch", "update", "append", "modify", "rename", "move", "multiedit", "apply",
)  # fmt: skip
_DELETES = ("delete", "remove", "rm", "unlink")
_READS = ("read", "view", "open", "cat", "get", "show", "fetch", "load")
_WHOLE_TEXT = ("content", "contents", "file_text", "code_edit", "text")
_CHANGED_BY = ("new_string", "new_str", "old_string", "old_str", "edits", "patch", "diff", "new_source", "replacement")
_PARTS = ("offset", "limit", "view_range", "start_line", "end_line", "line_start", "line_end", "pages", "line_ranges")
_PATCHED = re.compile(r"^\*\*\* (?P<does>Update|Add|Delete) File: (?P<path>[^\n]{1,300})$", re.MULTILINE)
_PATCHES = {"Update": "changed", "Add": "written", "Delete": "deleted"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_NOT_RUN = (
    "[no result]",
    "[Request interrupted by user",
    "The user doesn't want to take this action right now",
    "<tool_use_error>Cancelled: ",
)
"""How results begin of calls that were not made, because another one of the same turn was refused or the turn ended."""

T = TypeVar("T")


@frozen
class File:
    """The latest that was done to a file."""

    page: int
    did: str
    """``read``, ``changed``, ``written`` or ``deleted``."""
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
    """By what was tried and what it was tried on. What a person refused stands until the very same call succeeds."""

    def copy(self) -> State:
        """A state that may go on without changing this one."""
        return State(self.plan, copy(self.files), copy(self.ran), copy(self.failed))

    def take(self, page: Page, did: Did | None = None) -> None:
        """Go on by one page; linear in its calls, whatever the length of its results.

        Args:
            page: The next page.
            did: What it did, where that was read before.
        """
        did = did or read(page)
        if did.plans:
            self.plan = plans.after(self.plan, page)
        for call in did.calls:
            self._tried(page.id, call)
            if call.builds and not call.went.refused:
                self._run(short(call.work), Ran(page.id, call.went.failed, call.went.says))
            elif not call.went.failed:
                for one in call.touched:
                    self._touch(page.id, one)

    def _run(self, work: str, ran: Ran) -> None:
        for same in [known for known in self.ran if _bare(known) == _bare(work)]:
            del self.ran[same]  # with other options it is the same work
        _hold(self.ran, work, ran)

    def _tried(self, page: int, call: _Called) -> None:
        went, key, exactly = call.went, call.key, call.exactly
        if went.failed:
            failed = Failed(page, call.tried, went.says)
            for same in [
                known for known, held in self.failed.items() if (held.call, held.says) == (failed.call, failed.says)
            ]:
                del self.failed[same]  # one line tells as much as several
            _hold(self.failed, exactly if went.refused else key, failed)
            return
        self.failed.pop(exactly, None)
        # A file that could not be read and was written since, or edited after a failed edit, is no dead end any more.
        kinds = ("read", "changed", "written", "deleted") if key[0] in ("read", "changed", "written") else (key[0],)
        for kind in kinds:
            self.failed.pop((kind, key[1]), None)

    def _touch(self, page: int, one: _Touched) -> None:
        before = self.files.get(one.path)
        if one.whole and one.did in ("read", "written"):
            file = File(page, one.did, whole=page)
        elif one.did == "deleted":
            file = File(page, one.did)
        else:
            whole = before.whole if before is not None else 0
            changed = bool(whole) and (one.did != "read" or (before is not None and before.changed_since))
            file = File(page, one.did, whole, changed)
        _hold(self.files, one.path, file)


@frozen
class _Touched:
    path: str
    did: str
    whole: bool


@frozen
class _Called:
    """What one call did."""

    tried: str
    """In a line."""
    key: tuple[str, str]
    """By what it is known again when it is tried anew."""
    exactly: tuple[str, str]
    """By what only the very same call is."""
    went: Outcome
    work: str
    """The command that it ran, without what stands around it; empty for none."""
    builds: bool
    touched: tuple[_Touched, ...]


@frozen
class Did:
    """What a page did, as far as no other page matters for that; so it may be read as soon as the page is there."""

    calls: tuple[_Called, ...]
    plans: bool
    """Whether it may say something of a plan."""


def read(page: Page) -> Did:
    """What the page did; linear in its calls, whatever the length of its results."""
    may_plan = plans.may_speak(page)
    if len(page.messages) < 2:
        return Did((), may_plan)
    results = {r.call_id: r for message in page.messages[1:] for r in message.results}
    found = ((call, results.get(call.id)) for call in page.messages[0].calls)
    made = tuple(_called(c, r) for c, r in found if r is not None and not r.text.startswith(_NOT_RUN))
    return Did(made, may_plan)


def _called(call: ToolCall, result: ToolResult) -> _Called:
    given = _arguments(call)
    touched = list(_touched(call, given))
    command = "" if touched else _command(given)
    work = _commands.main(command) if command else ""
    builds = bool(work) and _commands.builds(work)
    went = outcome(result, command=bool(command), builds=builds, reads=touched[:1] != [] and touched[0].did == "read")
    target = work or (touched[0].path if touched else _first(given))
    key = ("command", _bare(work)) if work else (touched[0].did if touched else call.name, target[:_KEY])
    if work and not builds and not went.failed:
        touched = [_Touched(*one) for one in _commands.files(command)]
    return _Called(
        tried=f"{call.name} {short(target)}".strip() if went.failed else "",
        key=key,
        exactly=("refused", f"{call.name} {len(call.arguments)} {call.arguments[:_KEY]}"),
        went=went,
        work=work,
        builds=builds,
        touched=tuple(touched),
    )


def _hold(held: OrderedDict[Any, T], key: Any, value: T) -> None:
    held[key] = value
    held.move_to_end(key)
    if len(held) > MOST:
        held.popitem(last=False)


def _arguments(call: ToolCall) -> Mapping[str, Any]:
    if call.arguments.lstrip().startswith("*** "):
        return {"input": call.arguments}  # a tool that takes plain text
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def _command(given: Mapping[str, Any]) -> str:
    for key in _COMMANDS:
        value = given.get(key)
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            value = value[2] if len(value) == 3 and value[1].startswith("-") else " ".join(value)
        if isinstance(value, str) and value.strip():
            return _commands.unwrapped(value.strip())
    return ""


def _bare(work: str) -> str:
    """What a command does, without its options: by that it is known when it is tried again."""
    return " ".join(word for word in work.split() if not word.startswith("-"))[:_KEY]


def _touched(call: ToolCall, given: Mapping[str, Any]) -> Iterator[_Touched]:
    """The files that a call names, and what it does to them; none where it does neither read nor change."""
    patches = [
        text
        for value in given.values()
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    ]
    patched = [found for text in patches if "*** " in text for found in _PATCHED.finditer(text)]
    if patched:
        for found in patched:
            yield _Touched(found["path"].strip(), _PATCHES[found["does"]], found["does"] == "Add")
        return
    paths = list(_paths(given))
    does = given.get("command")
    did = _EDITOR.get(does, "") if isinstance(does, str) and paths else ""
    did = did or (_did(call.name, given) if paths else "")
    if not did:
        return
    for path, whole in paths:
        yield _Touched(path, did, did == "written" or (did == "read" and whole))


def _paths(given: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Paths among the arguments, and whether no part of the file is named."""
    whole = not any(given.get(key) for key in _PARTS)
    for key in _PATHS:
        if _is_path(value := given.get(key)):
            yield value, whole
            return
    for key in ("files", "paths", "file_paths"):
        listed = given.get(key)
        for one in listed[:MOST] if isinstance(listed, list) else ():
            if _is_path(one):
                yield one, whole
            elif isinstance(one, dict):
                yield from _paths(
                    {name: value for name, value in one.items() if name not in ("files", "paths", "file_paths")}
                )


def _is_path(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= 300 and "\n" not in value


def _did(name: str, given: Mapping[str, Any]) -> str:
    """What a call does to its file; empty where that is neither reading nor changing."""
    words = [word.lower() for word in _WORD.findall(name[:80])]
    if any(word.startswith(("dir", "folder")) for word in words):
        return ""
    if any(word.startswith(_DELETES) for word in words):
        return "deleted"
    if any(key in given for key in _CHANGED_BY):
        return "changed"
    if any(word.startswith(_CHANGES) for word in words):
        return "changed"
    if any(word.startswith(_WRITES) for word in words):
        return "written" if any(isinstance(given.get(key), str) for key in _WHOLE_TEXT) else "changed"
    return "read" if any(word.startswith(_READS) for word in words) else ""


def _first(given: Mapping[str, Any]) -> str:
    found = (value for value in given.values() if isinstance(value, str | int | float) and str(value).strip())
    return " ".join(str(next(found, ""))[: 4 * _KEY].split())
