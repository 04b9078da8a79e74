"""Reading: from exported messages, and from the files of the storage, to lamina's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, evolve, field

from lamina.errors import FormatError
from lamina.kit import forms
from lamina.kit.forms import MalformedError, Said
from lamina.kit.sources import Calls, Record, Source, peek
from lamina.model import Message, Part, Text, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina_format_opencode._parts import of_model, of_user, outcome
from lamina_format_opencode._rules import is_info, is_message, part_of

FAILED = "API error"
"""Why a message of the assistant says nothing: it holds an error in place of an answer."""
BRANCH = "earlier branch"
"""Why a message says nothing: the user undid it."""
REPEATED = "repeated part"


@define
class _Session:
    """What was read of one session so far."""

    calls: Calls = field(factory=Calls)
    system: str | None = None
    undone: bool = False
    seen: dict[str, set[str]] = field(factory=dict)
    """Each part that was read by itself, and what of it was said: storage and events tell of it again."""


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an export, an array of messages, messages one a line, or files of the storage one after the other.

    A message of the assistant gives a message for each of its steps, and one for the results of its tools; calls that
    still ran have none. Texts that opencode put there itself are marked; those that it does not send are no messages, nor
    are steps, snapshots and the like. A message that holds an error in place of an answer is skipped, and so is what the
    user undid. Half-written records are skipped unless the request is strict.

    Of the storage, a part is a message of the one that its ``messageID`` names; what is known of messages may stand
    anywhere.

    Raises:
        FormatError: Broken JSON, what is no message, a message that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    undone, roles = _undone(request.data), dict[str, str]()
    if source.holds(b'"messageID"') and not is_message(_first(request.data)):
        roles = _roles(source)
    sessions: dict[str | None, _Session] = {}

    def say(record: Record, _: None) -> Said:
        return _messages(record.value, sessions.setdefault(_session(record), _Session()), roles, undone)

    records = (evolve(record, session=_session(record)) for record in source.records(ids=("sessionID", "id")))
    return forms.read(source, records, lambda: None, say)


def _first(data: bytes) -> Any:
    """The first message or part of the source."""
    found = peek(data)
    value = found[0] if found else None
    held = value.get("messages") if isinstance(value, dict) else value
    return held[0] if isinstance(held, list) and held else value


def _undone(data: bytes) -> tuple[str, bool] | None:
    """The message from which on the user undid the session, and whether it stands itself."""
    found = peek(data)
    info = found[0].get("info") if found and isinstance(found[0], dict) else None
    revert = info.get("revert") if isinstance(info, dict) else None
    match revert:
        case {"messageID": str(own), **others}:
            return own, isinstance(others.get("partID"), str)
        case _:
            return None


def _roles(source: Source) -> dict[str, str]:
    try:
        return {r.value["id"]: r.value["role"] for r in source.records() if is_info(r.value)}
    except FormatError:
        return {}  # whoever reads the records next says what is wrong


def _session(record: Record) -> str | None:
    value = record.value if isinstance(record.value, dict) else {}
    info = value.get("info")
    held: dict[str, Any] = info if isinstance(info, dict) else part_of(value) or value
    named = held.get("sessionID")
    return named if isinstance(named, str) and named else record.session


def _messages(value: Any, state: _Session, roles: Mapping[str, str], undone: tuple[str, bool] | None) -> Said:
    if is_info(value):
        return (), "message without parts"
    if (part := part_of(value)) is not None:
        return _alone(part, state, roles.get(part["messageID"], "assistant"))
    if not isinstance(value, dict) or not isinstance(value.get("info"), dict):
        if isinstance(value, dict) and isinstance(value.get("type"), str) and "sessionID" in value:
            return (), value["type"]  # an event that tells of no part
        raise MalformedError("a message must be an object with info and parts")
    info, parts = value["info"], value.get("parts")
    role = info.get("role")
    if role not in ("user", "assistant"):
        raise MalformedError(f"unknown role {role!r}; known: user, assistant")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise MalformedError("parts must be a list of objects")
    if undone is not None and info.get("id") == undone[0]:
        state.undone = True
        if undone[1]:
            return _said(info, parts, state)
    if state.undone:
        return (), BRANCH
    return _said(info, parts, state)


def _said(info: dict[str, Any], parts: list[dict[str, Any]], state: _Session) -> Said:
    created_s = _time(info)
    if info["role"] == "user":
        said = tuple(one for part in parts if (one := of_user(part)) is not None)
        made: tuple[Message, ...] = (Message("user", said, created_s=created_s),) if said else ()
        system = info.get("system")
        if isinstance(system, str) and system and system != state.system:
            state.system = system
            made = (Message("system", (Text(system),)), *made)
        return made, None if made else "empty"
    error = info.get("error")
    aborted = isinstance(error, dict) and error.get("name") == "MessageAbortedError"
    speaks = any(part.get("type") not in ("step-start", "reasoning") for part in parts)
    if error is not None and not (aborted and speaks):
        return (), FAILED
    made = tuple(message for step in _steps(parts) for message in _step(step, state, created_s))
    return made, None if made else "empty"


def _steps(parts: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    step: list[dict[str, Any]] = []
    for part in parts:
        if part.get("type") == "step-start" and step:
            yield step
            step = []
        step.append(part)
    yield step


def _step(parts: list[dict[str, Any]], state: _Session, created_s: float | None) -> Iterator[Message]:
    """What the model said in one step, and what its tools gave."""
    said: list[Part] = []
    results: list[ToolResult] = []
    for part in parts:
        one = of_model(part)
        if isinstance(one, ToolCall):
            one = evolve(one, id=state.calls.call(one.id, one.name))
            answer = outcome(part)
            results += [] if answer is None else [evolve(answer, call_id=one.id)]
        said += [] if one is None else [one]
    if said:
        yield Message("assistant", tuple(said), created_s=created_s)
    if results:
        yield Message("tool", tuple(results), created_s=created_s)


def _alone(part: dict[str, Any], state: _Session, role: str) -> Said:
    """What a part by itself says that it did not say before."""
    kind, own = part["type"], part.get("id")
    seen = state.seen.setdefault(own, set()) if isinstance(own, str) else set[str]()
    if role == "user":
        shown = of_user(part)
        if shown is None or seen:
            return (), REPEATED if seen else kind
        seen.add("said")
        return (Message("user", (shown,)),), None
    one = of_model(part)
    made: list[Message] = []
    if isinstance(one, ToolCall):
        if "said" not in seen:
            unique = state.calls.call(one.id, one.name)
            seen |= {"said", f"id:{unique}"}
            made.append(Message("assistant", (evolve(one, id=unique),), part["messageID"]))
        answer = outcome(part)
        if answer is not None and "answered" not in seen:
            seen.add("answered")
            unique = next((key[3:] for key in seen if key.startswith("id:")), answer.call_id)
            made.append(Message("tool", (evolve(answer, call_id=unique),)))
    elif one is not None and "said" not in seen:
        seen.add("said")
        made.append(Message("assistant", (one,), part["messageID"]))
    return tuple(made), None if made else REPEATED if seen else str(kind)


def _time(info: Mapping[str, Any]) -> float | None:
    time = info.get("time")
    created = time.get("created") if isinstance(time, dict) else None
    return created / 1000 if isinstance(created, int | float) and not isinstance(created, bool) else None
