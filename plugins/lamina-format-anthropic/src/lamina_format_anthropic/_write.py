"""Writing: from lamina's messages to Anthropic's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field

from lamina.model import Message, Reasoning
from lamina.rendering import OPENING
from lamina.verbatim import MARK, Ids, LeftOut, foreign
from lamina_format_anthropic._images import too_many
from lamina_format_anthropic._parts import Blocks
from lamina_format_anthropic._rules import EMPTY, FAMILY, RESULTS, SERVER_CALLS, THINKING

Block = dict[str, Any]

_SERVED = SERVER_CALLS | RESULTS


@define
class _Turn:
    """What one side says before the other one does."""

    role: str
    blocks: list[Block] = field(factory=list)
    silent: bool = True
    """Whether it holds nothing but reasoning."""


def write(
    messages: Sequence[Message],
    *,
    stable: int | None = None,
    marks: int = 0,
    told: LeftOut | None = None,
    piece: bool = False,
    kept: bool = False,
) -> list[Block]:
    """Give the messages in the form of the Messages API, content always as a list of blocks.

    System messages before all others become one first element of role ``system``: take it out and send its
    content as the parameter ``system``. Later ones are said by the user, where they stand. Messages of one side
    that follow each other become one, in which tool results come first.

    What the API refuses is fitted or left out: blank texts; reasoning that is not signed, that ends a message, or
    that does not begin it; tools of the provider without their other half; white space at the end of a last text of
    the assistant. Where nothing would remain, words stand for it (``[empty message]``), but for a message of
    reasoning only, which is gone. What cannot be shown is said in words: ``[image left out: image/tiff]``. Arguments
    that are no JSON object become ``{"_raw": …}``. In names and ids of calls, what the API refuses becomes ``_``.

    Args:
        messages: In the order of the conversation.
        stable: So many of them are a prefix that the next request has too; ``None`` where that is not known.
        marks: How many marks of a cached prefix to set: one where it ends, a second one where the system ends.
        told: Collects what is left out.
        piece: Whether they are a piece of a conversation, whose beginning and end may be anything.
        kept: Whether they are written to be kept, and not to be sent: no rule of requests applies to blocks then.
    """
    told = LeftOut() if told is None else told
    turns, prefix = _turns(messages, stable, Blocks(Ids(), told, kept=kept))
    if not kept:
        _pair(turns, told)
    made: list[Block] = []
    for turn in turns:
        if not kept:
            _order_thinking(turn, told)
        blocks = turn.blocks
        if not blocks:
            if turn.role == "system" or (turn.role == "assistant" and turn.silent):
                continue
            blocks = [{"type": "text", "text": EMPTY}]
        if made and made[-1]["role"] == turn.role:
            blocks = made.pop()["content"] + blocks
            blocks.sort(key=lambda block: block["type"] != "tool_result")
        made.append({"role": turn.role, "content": blocks})
    if messages and not (piece or kept):
        _open(made)
        _close(made)
        for held, k, why in too_many(made):
            held[k] = {"type": "text", "text": f"[image left out: {why}]"}
    if marks and stable is not None:
        _mark(made, prefix, marks)
    return made


def _turns(messages: Sequence[Message], stable: int | None, parts: Blocks) -> tuple[list[_Turn], list[Block]]:
    """The blocks of each turn, and those of the stable prefix."""
    turns, prefix = list[_Turn](), list[Block]()
    for number, message in enumerate(messages):
        leading = message.role == "system" and (not turns or turns[-1].role == "system")
        role = "system" if leading else "assistant" if message.role == "assistant" else "user"
        if not turns or turns[-1].role != role:
            turns.append(_Turn(role))
        turn = turns[-1]
        turn.silent = turn.silent and bool(message.parts) and all(isinstance(p, Reasoning) for p in message.parts)
        made = [block for part in message.parts for block in parts.of(part, role)]
        parts.told(*foreign(message.extra, FAMILY))
        first = next((k for k, block in enumerate(turn.blocks) if block["type"] != "tool_result"), len(turn.blocks))
        turn.blocks[first:first] = [block for block in made if block["type"] == "tool_result"]
        turn.blocks += [block for block in made if block["type"] != "tool_result"]
        if stable is not None and number < stable:
            prefix += made
    return turns, prefix


def _pair(turns: list[_Turn], told: LeftOut) -> None:
    """Leave out what tools of the provider were asked or gave, where the other half is not in the same turn.

    The last turn may end in a call: the provider goes on from it.
    """
    for turn in turns:
        if turn.role != "assistant" or all(block["type"] not in _SERVED for block in turn.blocks):
            continue
        open_: dict[Any, int] = {}
        alone: set[int] = set()
        for k, block in enumerate(turn.blocks):
            if block["type"] in SERVER_CALLS:
                alone.update({open_[block.get("id")]} if block.get("id") in open_ else ())
                open_[block.get("id")] = k
            elif block["type"] in RESULTS and open_.pop(block.get("tool_use_id"), None) is None:
                alone.add(k)
        if turn is not turns[-1]:
            alone.update(open_.values())
        for k in alone:
            kind = turn.blocks[k]["type"]
            told(f"{kind} without its {'result' if kind in SERVER_CALLS else 'call'}")
        turn.blocks = [block for k, block in enumerate(turn.blocks) if k not in alone]


def _order_thinking(turn: _Turn, told: LeftOut) -> None:
    """Leave out reasoning that ends the turn, and all of it where it does not begin the turn."""
    if turn.role != "assistant":
        return
    whole = len(turn.blocks)
    while turn.blocks and turn.blocks[-1]["type"] in THINKING:
        turn.blocks.pop()
    if turn.blocks and turn.blocks[0]["type"] not in THINKING:
        turn.blocks = [block for block in turn.blocks if block["type"] not in THINKING]
    if len(turn.blocks) < whole:
        told("reasoning")


def _open(made: list[Block]) -> None:
    """The user begins, and there is a message beside the system's."""
    start = int(bool(made) and made[0]["role"] == "system")
    if len(made) == start or made[start]["role"] == "assistant":
        made.insert(start, {"role": "user", "content": [{"type": "text", "text": OPENING}]})


def _close(made: list[Block]) -> None:
    """A last text of the assistant does not end in white space: the API would have to go on from it."""
    if made and made[-1]["role"] == "assistant" and made[-1]["content"][-1]["type"] == "text":
        last = made[-1]["content"][-1]
        last["text"] = last["text"].rstrip()


def _mark(made: list[Block], prefix: list[Block], marks: int) -> None:
    """Mark where the stable prefix ends, and where the system does."""
    there = {id(block) for message in made for block in message["content"]}
    ends = [next((b for b in reversed(prefix) if id(b) in there and b["type"] not in THINKING), None)]
    if made and made[0]["role"] == "system":
        ends.append(made[0]["content"][-1])
    for block in ends[:marks]:
        if block is not None:
            block[MARK] = {"type": "ephemeral"}
