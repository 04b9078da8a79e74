"""Writing: from lamina's messages to what ``messages_from_dict`` loads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import Any

from lamina.kit.forms import joined
from lamina.model import Message, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.rendering import OPENING
from lamina.verbatim import LeftOut
from lamina_format_langchain._rules import COMMON, DEFAULTS, FAMILY, WRITTEN, fits
from lamina_format_langchain._shown import Block, Blocks


def write(
    messages: Iterable[Message], *, told: LeftOut | None = None, piece: bool = False, kept: bool = False
) -> list[Block]:
    """Give the messages as ``message_to_dict`` writes them: ``{"type", "data"}``, with all members of a message.

    Texts are joined by a line feed into one string; where a message shows something else, or its texts came as blocks,
    content is a list. Pieces of one message are joined. Members and blocks that came in this form go out again, a call
    that stood in the content too. Images of other forms become standard blocks.

    Reasoning of other forms is left out, because only the provider that gave it takes it; a message of which nothing else
    would remain is gone. Artifacts of tools stay in the log. Arguments that are no JSON object become ``{"_raw": …}``, but
    for calls that LangChain itself found invalid.

    Args:
        messages: In the order of the conversation.
        told: Collects what is left out.
        piece: Whether they are a piece of a conversation, of which nothing may remain.
        kept: Whether they are written to be kept, and not to be sent.
    """
    blocks, given = Blocks(LeftOut() if told is None else told, kept=kept), joined(messages)
    made = [one for message in given for one in _written(message, blocks)]
    return made or ([] if piece or kept else [_dumped("human", {"content": OPENING}) for _ in given[:1]])


def _written(message: Message, blocks: Blocks) -> list[Block]:
    if message.role == "tool":
        return [_result(result, blocks) for result in message.results]
    shown: list[Block] = []
    calls: list[Block] = []
    for part in message.parts:
        block: Block | None
        if isinstance(part, ToolCall):
            call, block = blocks.call(part)
            calls.append(call)
        else:
            block = blocks.of(part)
        shown += [] if block is None else [block]
    if message.parts and all(isinstance(part, Reasoning) for part in message.parts) and not shown:
        return []
    given = _fitting(blocks.members(message.extra), blocks)
    kind = given.pop("type", WRITTEN[message.role])
    if message.role == "assistant" and kind == "ai":
        invalid = [call for call in calls if call["type"] == "invalid_tool_call"]
        given |= {"tool_calls": [call for call in calls if call not in invalid], "invalid_tool_calls": invalid}
    return [_dumped(kind, {"content": _content(message.parts, shown), **given})]


def _content(parts: Sequence[Part], shown: list[Block]) -> str | list[Block]:
    came = any(isinstance(part, Text) and FAMILY in part.extra for part in parts)
    if came or any(block.get("type") != "text" for block in shown):
        return shown
    return "\n".join(block["text"] for block in shown)


def _result(result: ToolResult, blocks: Blocks) -> Block:
    given = _fitting(blocks.members(result.extra), blocks)
    if "artifact" in given:
        blocks.told("artifact")
    held: Sequence[Any] = result.blocks or (
        *((Text(result.text),) if result.text or not result.images else ()),
        *result.images,
    )
    shown = [block for part in held if (block := blocks.of(part)) is not None]
    status = "error" if result.error else "success"
    unique = blocks.ids.result(result.call_id)
    data = {"content": _content(held, shown), "tool_call_id": unique, "status": status}
    return _dumped("tool", data | given)


def _fitting(given: Block, blocks: Blocks) -> Block:
    """The members that LangChain loads."""
    blocks.told(*(key for key, value in given.items() if not fits(key, value)))
    return {key: value for key, value in given.items() if fits(key, value)}


def _dumped(kind: str, data: dict[str, Any]) -> Block:
    return {"type": kind, "data": {**deepcopy(COMMON), **deepcopy(DEFAULTS.get(kind, {})), "type": kind, **data}}
