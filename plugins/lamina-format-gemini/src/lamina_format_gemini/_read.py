"""Reading: from contents to messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, evolve, field

from lamina.kit import forms
from lamina.kit.forms import MalformedError, Said
from lamina.kit.sources import ORPHAN, Calls, Record, Source, peek
from lamina.model import Message, Part, Role, ToolCall, ToolResult
from lamina.protocols import Parsed, ParseRequest
from lamina.verbatim import extra
from lamina_format_gemini._chats import Chat, is_chat_line
from lamina_format_gemini._parts import parts
from lamina_format_gemini._rules import FAMILY, SYSTEM, camel

CONTENTS = ("contents", "history", "messages")
"""Where a document has its contents: a request, a saved checkpoint of Gemini CLI, a saved chat of it."""
PROMPTS = ("systemInstruction", "system_instruction")
_ROLES: dict[str, Role] = {"user": "user", "model": "assistant", "function": "user", "tool": "user", SYSTEM: "system"}


@define
class _Talk:
    """What was read of one conversation so far."""

    calls: Calls = field(factory=Calls)


def read(request: ParseRequest, max_record_bytes: int) -> Iterator[Parsed]:
    """Read an array of contents, a request, a saved chat of Gemini CLI, or any of them one after the other.

    A request is an object with ``contents``; its ``systemInstruction`` comes first, its ``id`` names the session, and its
    other members are frame. An answer (``candidates``) says what its first candidate says. A chat of Gemini CLI is an
    object with ``messages``, or one line for each; see :class:`lamina_format_gemini._chats.Chat`.

    A response answers the oldest open call of its id or, without one, of its name. One without a call is skipped and
    counted; so is a half-written record, unless the request is strict.

    Raises:
        FormatError: Broken JSON, an unknown role, a content that cannot be read.
    """
    source = Source(request, max_record_bytes, tolerant=not request.strict)
    first = next((value for value in peek(request.data) if isinstance(value, dict)), {})
    many = next((name for name in CONTENTS if name in first), CONTENTS[0])
    chat = Chat(source) if is_chat_line(first) else None
    records = source.records(many, one=PROMPTS, ids=("id", "conv_id", "sessionId", "session_id"))

    def say(record: Record, talk: _Talk) -> Said:
        if record.key in PROMPTS:
            return (_system(record.value),), None
        if chat is not None and not _is_content(record.value):
            return chat.messages(record.value)
        return _messages(record.value, talk)

    for parsed in forms.read(source, records, lambda: _Talk(source.calls()), say):
        # The first line of a chat says whose all lines are.
        named = chat is None or parsed.session is not None or parsed.damaged
        yield parsed if named else evolve(parsed, session=chat.session if chat else None)


def _is_content(value: Any) -> bool:
    return isinstance(value, dict) and "parts" in value and "type" not in value


def _system(value: Any) -> Message:
    held = value.get("parts") if isinstance(value, dict) and "text" not in value else value
    found = parts(held)
    if any(isinstance(part, ToolCall | ToolResult) for part in found):
        raise MalformedError("a systemInstruction holds no calls and no responses")
    more = extra(FAMILY, camel(value), ("parts", "role")) if isinstance(value, dict) and "text" not in value else {}
    return Message("system", tuple(found), extra=more)


def _messages(value: Any, talk: _Talk) -> Said:
    """The messages of a content, and why a part of it says nothing."""
    if not isinstance(value, dict):
        raise MalformedError(f"a content must be an object, not {type(value).__name__}")
    answers = value.get("candidates")
    if isinstance(answers, list):
        held = answers[0].get("content") if answers and isinstance(answers[0], dict) else None
        if not isinstance(held, dict):
            return (), "answer without content"
        value = {"role": "model", **held}
    if "parts" not in value:
        raise MalformedError("a content must have parts")
    found, name = parts(value["parts"]), value.get("role")
    if name is None:
        name = "model" if any(isinstance(part, ToolCall) for part in found) else "user"
    role = _ROLES.get(name) if isinstance(name, str) else None
    if role is None:
        raise MalformedError(f"unknown role {name!r}; known: {', '.join(_ROLES)}")
    if role == "system":
        return (_system(value),), None
    return _sorted(role, found, talk, value)


def _sorted(role: Role, found: list[Part], talk: _Talk, value: dict[str, Any]) -> Said:
    """The message that these parts are, results in one of their own before it, and why some say nothing."""
    said: list[Part] = []
    results: list[Part] = []
    orphans, names = 0, _names(value)
    for part in found:
        match part:
            case ToolCall() if role == "assistant":
                said.append(evolve(part, id=talk.calls.call(part.id, part.name)))
            case ToolResult() if role == "user":
                unique = _answered(part, next(names), talk.calls)
                if unique is None:
                    orphans += 1
                else:
                    results.append(evolve(part, call_id=unique))
            case ToolCall() | ToolResult():
                raise MalformedError(f"a content of role {value.get('role')!r} cannot hold a {type(part).__name__}")
            case _:
                said.append(part)
    made = (Message("tool", tuple(results)),) if results else ()
    if said or not (results or orphans):
        made = (*made, Message(role, tuple(said), extra=extra(FAMILY, camel(value), ("role", "parts"))))
    return made, ORPHAN if orphans else None


def _names(value: dict[str, Any]) -> Iterator[str]:
    """The names of the functions that responded, in order."""
    held = value["parts"] if isinstance(value["parts"], list) else [value["parts"]]
    for item in held:
        response = camel(item).get("functionResponse") if isinstance(item, dict) else None
        if isinstance(response, dict):
            yield response["name"] if isinstance(response.get("name"), str) else ""


def _answered(result: ToolResult, name: str, calls: Calls) -> str | None:
    """The call that a response answers: by its id, else the oldest open one of its name, else the one answered last."""
    if result.call_id and (found := calls.result(result.call_id)):
        return found
    return calls.result_of(name) or (calls.repeated(result.call_id) if result.call_id else None)
