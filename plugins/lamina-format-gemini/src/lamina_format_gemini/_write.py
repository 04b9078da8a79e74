"""Writing: from lamina's messages to contents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field

from lamina.model import Message, Reasoning, ToolCall, ToolResult
from lamina.rendering import OPENING
from lamina.verbatim import LeftOut, foreign, members
from lamina_format_gemini._rules import EMPTY, FAMILY, INLINE_BYTES, SYSTEM
from lamina_format_gemini._shown import Parts, Shown

Content = dict[str, Any]


@define
class _Turn:
    """What one side says before the other one does."""

    role: str
    responses: list[tuple[int, Shown]] = field(factory=list)
    """Each with the number of its call."""
    parts: list[Shown] = field(factory=list)
    silent: bool = True
    """Whether it holds nothing but reasoning."""
    extra: dict[str, Any] = field(factory=dict)


def write(
    messages: Sequence[Message],
    *,
    told: LeftOut | None = None,
    sign: bool = True,
    piece: bool = False,
    kept: bool = False,
) -> list[Content]:
    """Give the messages as contents, user and model in turn.

    System messages before all others become one first element of role ``system``: take it out and send it as
    ``systemInstruction``. Later ones are said by the user, where they stand. Messages of one side that follow each other
    become one, in which responses come first, in the order of their calls.

    What the API refuses is fitted or left out: parts without data, blank texts, reasoning of other providers, kinds of
    images and names of functions that it does not know. What cannot be shown is said in words
    (``[image left out: image/gif]``); where nothing would remain, words stand for it (``[empty message]``), but for a
    message of such reasoning only, which is gone. Arguments that are no JSON object become ``{"_raw": …}``.

    Args:
        messages: In the order of the conversation.
        told: Collects what is left out.
        sign: Whether the first call of a message of another model has a signature.
        piece: Whether they are a piece of a conversation, whose beginning may be anything.
        kept: Whether they are written to be kept, and not to be sent.
    """
    told = LeftOut() if told is None else told
    made: list[Content] = []
    for turn in _turns(messages, Parts(told, sign=sign and not kept, kept=kept)):
        parts = [part for _, part in sorted(turn.responses, key=lambda pair: pair[0])] + turn.parts
        if not parts:
            if turn.role == SYSTEM or (turn.role == "model" and turn.silent):
                continue
            parts = [{"text": EMPTY}]
        if made and made[-1]["role"] == turn.role:
            made[-1]["parts"] += parts
        else:
            made.append({"role": turn.role, "parts": parts, **turn.extra})
    if messages and not (piece or kept):
        start = int(bool(made) and made[0]["role"] == SYSTEM)
        if len(made) == start or made[start]["role"] != "user":
            made.insert(start, {"role": "user", "parts": [{"text": OPENING}]})
        for held, k in too_much(made):
            held[k] = {"text": "[file left out: too much data]"}
    if not kept:
        for content in made:
            _pair(content["parts"], told)
    return made


def _pair(parts: list[Shown], told: LeftOut) -> None:
    """Say in words what code gave, where the code does not stand before it."""
    ran = False
    for k, part in enumerate(parts):
        if "codeExecutionResult" in part and not ran:
            told.as_text("codeExecutionResult")
            output = part["codeExecutionResult"].get("output")
            parts[k] = {"text": output if isinstance(output, str) and output.strip() else "[no output]"}
        if part.keys() & {"executableCode", "codeExecutionResult"}:
            ran = "executableCode" in part


def _turns(messages: Sequence[Message], parts: Parts) -> list[_Turn]:
    turns: list[_Turn] = []
    for message in messages:
        leading = message.role == "system" and (not turns or turns[-1].role == SYSTEM)
        role = SYSTEM if leading else "model" if message.role == "assistant" else "user"
        if not turns or turns[-1].role != role or (role == "user" and message.role == "tool" and turns[-1].parts):
            turns.append(_Turn(role))
        turn = turns[-1]
        turn.silent = turn.silent and bool(message.parts) and all(isinstance(p, Reasoning) for p in message.parts)
        parts.told(*foreign(message.extra, FAMILY))
        turn.extra |= members(message.extra, FAMILY)
        unsigned = True
        for part in message.parts:
            if isinstance(part, ToolResult):
                turn.responses.append(parts.response(part))
                continue
            shown = parts.of(part, role, first=unsigned)
            unsigned = unsigned and not isinstance(part, ToolCall)
            if shown is not None:
                turn.parts.append(shown)
    return turns


def too_much(contents: Sequence[Content]) -> Iterator[tuple[list[Any], int]]:
    """The oldest files of a request whose data is too much: the list that each is in, and its place there."""
    found = [
        (held, k, len(data))
        for content in contents
        for held in _lists(content.get("parts"))
        for k, part in enumerate(held)
        if isinstance(part, dict) and isinstance(blob := part.get("inlineData"), dict)
        if isinstance(data := blob.get("data"), str)
    ]
    total = sum(size for _, _, size in found)
    for held, k, size in found:
        if total <= INLINE_BYTES:
            return
        total -= size
        yield held, k


def _lists(parts: Any) -> Iterator[list[Any]]:
    """The parts of a content, and those of its responses."""
    if isinstance(parts, list):
        yield parts
        for part in parts:
            response = part.get("functionResponse") if isinstance(part, dict) else None
            if isinstance(response, dict) and isinstance(response.get("parts"), list):
                yield response["parts"]
