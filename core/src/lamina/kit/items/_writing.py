"""From messages to items."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define, evolve, field

from lamina.kit.images import mended, readable
from lamina.kit.items._reading import REASONED
from lamina.kit.items._results import answer, kind_of, native
from lamina.kit.items.rules import (
    BARE,
    CALL_CHARS,
    DEVELOPER,
    EASY,
    FAMILY,
    IDENTIFIED,
    IMAGE_CHARS,
    ITEM,
    KINDS,
    MEDIA,
    NAME_CHARS,
    OURS,
    OUTPUTS,
    OWN,
    PART,
    PREFIXES,
    SUMMARIES,
    URL,
    fits,
    suits,
)
from lamina.kit.sources import as_object
from lamina.model import Extra, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.rendering import OPENING
from lamina.verbatim import Ids, LeftOut, members, named

Item = dict[str, Any]


def write(
    messages: Iterable[Message], *, told: LeftOut | None = None, piece: bool = False, kept: bool = False
) -> list[Item]:
    """Give the messages as items of the Responses API.

    Each text, call, reasoning and thing of the provider's is an item, as it came. From elsewhere, texts of a message are
    joined by a line feed into one string; where it shows images or other parts, content is a list.

    What the API refuses is fitted, left out, or said in words (``[image left out: image/tiff]``): reasoning of other
    providers, or that nothing of its turn follows; items that stand twice; ids that are not the API's; images of other
    kinds. An item whose reasoning is gone goes out without its id. Where nothing remains, a line stands for the
    conversation.

    Args:
        messages: In the order of the conversation.
        told: Collects what is left out.
        piece: Whether they are a piece of a conversation, of which nothing may remain.
        kept: Whether they are written to be kept, and not to be sent: images stay then, whatever the API takes.
    """
    said = _whole(messages)
    writer = _Writer(LeftOut() if told is None else told, kept, _answers(said))
    items = [item for message in said for item in writer.items(message)]
    if not kept:
        alone = writer.alone(items)
        items = items if piece else [item for k, item in enumerate(items) if k not in alone]
    if not items and said and not (piece or kept):
        items = [{"type": "message", "role": "user", "content": OPENING}]
    return items


def _whole(messages: Iterable[Message]) -> list[Message]:
    """The messages, those of one turn joined where they came in pieces."""
    whole: list[Message] = []
    for message in messages:
        last = whole[-1] if whole else None
        if last and message.role == last.role == "assistant" and message.group and message.group == last.group:
            whole[-1] = evolve(last, parts=last.parts + message.parts, extra={**last.extra, **message.extra})
        else:
            whole.append(message)
    return whole


def _answers(messages: Sequence[Message]) -> dict[str, deque[ToolResult]]:
    """The results of each id, in order: what a call is written as depends on them."""
    found: dict[str, deque[ToolResult]] = {}
    for message in messages:
        for result in message.results:
            found.setdefault(result.call_id, deque()).append(result)
    return found


@define
class _Turn:
    """The items of one turn of the assistant so far."""

    items: list[Item] = field(factory=list)
    open: str = ""
    """What a text may still join: the ``list`` or the ``text`` of the last item; nothing."""
    lost: bool = False
    """Whether reasoning is gone that what follows was given with."""


class _Writer:
    """Writes message by message, and tells what it leaves out."""

    def __init__(self, told: LeftOut, kept: bool, answers: dict[str, deque[ToolResult]]) -> None:
        self._told, self._kept, self._answers = told, kept, answers
        self._ids = Ids(CALL_CHARS, plain=False)
        self._seen: set[str] = set()
        self._programs: set[Any] = set()
        self._native: dict[str, tuple[str, Item | None]] = {}
        """The id of a call, as it is written, to its kind and what its answer says, where that is no function's."""

    def items(self, message: Message) -> list[Item]:
        """The items of a message."""
        self._foreign(message.extra)
        if message.role == "tool":
            return [self._output(result) for result in message.results]
        return self._turn(message) if message.role == "assistant" else self._message(message)

    def alone(self, items: Sequence[Item]) -> set[int]:
        """Which items cannot stand: reasoning that nothing of its turn follows, outputs of programs that are gone."""
        gone: set[int] = set()
        answered = True
        for k in range(len(items) - 1, -1, -1):
            kind = items[k].get("type")
            if kind == "reasoning":
                if not answered:
                    continue
                self._told("reasoning")
                gone.add(k)
            elif kind == "compaction_trigger" and k < len(items) - 1:
                self._told("compaction_trigger")
                gone.add(k)
            elif kind == "program_output" and items[k].get("call_id") not in self._programs:
                self._told("program_output")
                gone.add(k)
            else:
                answered = (
                    kind in OUTPUTS or kind in OURS or (kind == "message" and items[k].get("role") != "assistant")
                )
                answered = answered or (kind is None and items[k].get("role", "assistant") != "assistant")
        return gone

    # ------------------------------------------------------------------------------------------ members and ids

    def _foreign(self, extra: Extra) -> None:
        if extra:
            self._told(*(name for family, kept in extra.items() if family not in OWN for name in kept))

    def _members(self, extra: Extra) -> Item:
        self._foreign(extra)
        return dict(members(extra, FAMILY))

    def _identified(self, item: Item, lost: bool = False) -> Item:
        """The item, without an id that the API would refuse."""
        own = item.get("id")
        if own is None or item["type"] == "mcp_approval_request":  # there, it is the call's
            return item
        refused = lost or own in self._seen or not suits(item["type"], own)
        self._seen.add(own)
        return {k: v for k, v in item.items() if k != "id"} if refused else item

    # ------------------------------------------------------------------------------------------ what people say

    def _message(self, message: Message) -> list[Item]:
        role = "developer" if DEVELOPER in message.extra else message.role
        shown: list[Item] = []
        apart: list[Item] = []
        for part in message.parts:
            if isinstance(part, Opaque) and part.kind.startswith(f"{FAMILY}:"):
                apart.append(self._identified(dict(part.data)))
            elif (one := self._part(part, role)) is not None:
                shown.append(one)
        if apart and not shown:
            return apart
        head: Item = {} if EASY in message.extra else {"type": "message"}
        made = {**head, "role": role, "content": self._joined(message.parts, shown), **self._members(message.extra)}
        return [self._identified(made) if head else made, *apart]

    @staticmethod
    def _joined(parts: Iterable[Part], shown: list[Item]) -> str | list[Item]:
        """One text, unless it came as parts or shows something else."""
        came = any(isinstance(part, Text) and FAMILY in part.extra for part in parts)
        if came or any(part["type"] != "input_text" for part in shown):
            return shown
        return "\n".join(part["text"] for part in shown)

    def _part(self, part: Part, role: str) -> Item | None:
        match part:
            case Text():
                given = self._members(part.extra)
                given.pop("type", None)  # a refusal that somebody quotes
                return {"type": "input_text", "text": part.text, **given}
            case Image():
                return self._image(part) if self._kept or fits("input_image", role) else self._gone("image")
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                return (
                    dict(data)
                    if family == PART and (self._kept or fits(data.get("type"), role))
                    else self._as_text(part, name)
                )
            case Reasoning():
                self._told("reasoning")
        return None

    def _as_text(self, part: Opaque, name: str) -> Item:
        if not part.text.strip():
            return self._gone(name)
        self._told.as_text(name)
        return {"type": "input_text", "text": part.text}

    def _gone(self, what: str, why: str = "") -> Item:
        self._told(what)
        return {"type": "input_text", "text": f"[{what} left out{': ' if why else ''}{why}]"}

    def _image(self, image: Image) -> Item:
        image = image if self._kept else mended(image)
        url = image.data if image.media_type == "url" else f"data:{image.media_type};base64,{image.data}"
        why = "" if self._kept else _refused(image)
        if why:
            return self._gone("image", why)
        given = self._members(image.extra)
        given.pop("type", None)
        return {"type": "input_image", "image_url": url, **({} if BARE in image.extra else {"detail": "auto"}), **given}

    # ------------------------------------------------------------------------------------------ the assistant's turn

    def _turn(self, message: Message) -> list[Item]:
        reasons = any(isinstance(part, Reasoning) and not OWN.isdisjoint(part.extra) for part in message.parts)
        turn = _Turn(lost=(message.group or "").startswith(REASONED) and not reasons)
        for part in message.parts:
            match part:
                case Text():
                    self._text(part, turn)
                    continue
                case Reasoning():
                    self._reasoning(part, turn)
                case ToolCall():
                    turn.items.append(self._call(part, turn.lost))
                case Opaque(kind) if kind.startswith(f"{FAMILY}:"):
                    self._served(part, turn)
                case Opaque(kind):
                    self._say(self._as_text(part, kind.partition(":")[2])["text"], turn)
                    continue
                case _:
                    self._say(self._gone("image")["text"], turn)
                    continue
            turn.open = ""
        return turn.items

    def _text(self, part: Text, turn: _Turn) -> None:
        given = self._members(part.extra)
        if OWN.isdisjoint(part.extra):
            self._say(part.text, turn)
            return
        kind, key = ("refusal", "refusal") if given.get("type") == "refusal" else ("output_text", "text")
        shown = {"type": kind, key: part.text, **given}
        begins = ITEM in part.extra or EASY in part.extra
        if FAMILY in part.extra and not begins and turn.open == "list":
            turn.items[-1]["content"].append(shown)
            return
        head: Item = {} if EASY in part.extra else {"type": "message"}
        content = [shown] if FAMILY in part.extra else part.text
        made = {**head, "role": "assistant", "content": content, **members(part.extra, ITEM)}
        turn.items.append(self._identified(made, turn.lost) if head else made)
        turn.open = "list" if FAMILY in part.extra else ""

    def _say(self, text: str, turn: _Turn) -> None:
        """Say something in a message without members."""
        if turn.open == "text":
            turn.items[-1]["content"] += f"\n{text}"
        elif text:
            turn.items.append({"type": "message", "role": "assistant", "content": text})
            turn.open = "text"

    def _reasoning(self, part: Reasoning, turn: _Turn) -> None:
        if OWN.isdisjoint(part.extra):
            self._told("reasoning")
            return
        given = self._members(part.extra)
        made: Item = {"type": "reasoning", "summary": []}
        if SUMMARIES in part.extra and part.text:
            made["summary"] = [{"type": "summary_text", "text": text} for text in part.text.split("\n\n")]
        if part.signature:
            made["encrypted_content"] = part.signature
        made |= given
        repeated = given.get("id") in self._seen
        if repeated or not (part.signature or made.get("content") or suits("reasoning", given.get("id"))):
            self._told("reasoning")
            turn.lost = True
            return
        turn.lost = False
        turn.items.append(self._identified(made))

    def _served(self, part: Opaque, turn: _Turn) -> None:
        """What the provider did itself, or an item of a later API."""
        item = dict(part.data)
        kind, own = item.get("type") or "item_reference", item.get("id")
        if (own in self._seen and own is not None) or (turn.lost and kind not in PREFIXES and own is not None):
            self._told(kind)
            return
        if kind == "program":
            self._programs.add(item.get("call_id"))
        if kind == "mcp_call" and item.get("approval_request_id") not in self._native:
            item.pop("approval_request_id", None)
        if kind in PREFIXES:
            item = self._identified(item, turn.lost)
        elif isinstance(own, str):
            self._seen.add(own)
        turn.items.append(item)

    # ------------------------------------------------------------------------------------------ calls

    def _call(self, call: ToolCall, lost: bool) -> Item:
        kind, given = kind_of(call), self._members(call.extra)
        waiting = self._answers.get(call.id)
        result = waiting.popleft() if waiting else None
        unique = self._ids.call(call.id)
        given.pop("type", None)
        caller = given.get("caller")
        if isinstance(caller, dict) and caller.get("caller_id") not in {None, *self._programs}:
            del given["caller"]
        if kind == "custom_tool_call":
            self._native[unique] = (kind, None)
            made = {"type": kind, "call_id": unique, "name": named(call.name, NAME_CHARS), "input": call.arguments}
            return self._identified({**made, **given}, lost)
        if kind != "function_call":
            body, said = native(kind, call), None if result is None else answer(kind, self._shown(result))
            refused = "id" in given and (lost or given["id"] in self._seen or not suits(kind, given["id"]))
            # Those of some kinds cannot be without their id.
            if body is not None and (said is not None or result is None) and not (refused and kind in IDENTIFIED):
                self._native[unique] = (kind, said)
                return self._identified({"type": kind, KINDS[kind].key: unique, **body, **given}, lost)
            self._told.as_text(kind)
            given = {}
        made = {"type": "function_call", "call_id": unique, "name": named(call.name, NAME_CHARS)}
        return self._identified({**made, "arguments": _arguments(call.arguments), **given}, lost)

    def _shown(self, result: ToolResult) -> ToolResult:
        """The result without images that the API refuses."""
        if self._kept or not result.images:
            return result
        fit = [mended(image) for image in result.images]
        return evolve(result, images=tuple(fit) if not any(map(_refused, fit)) else ())

    def _output(self, result: ToolResult) -> Item:
        unique = self._ids.result(result.call_id)
        kind, said = self._native.get(unique, ("function_call", None))
        known = KINDS[kind]
        if said is not None:
            key = "call_id" if "call_id" in said else known.answers
            made = {"type": known.output, **said, key: unique}
            return made if key == "id" else self._identified(made)
        if result.error:
            self._told("error mark")
        own = kind_of_output(result) in ("", known.output)
        given = self._members(result.extra) if own else {}
        blocks = result.blocks or (*((Text(result.text),) if result.text or not result.images else ()), *result.images)
        shown = [self._inner(block, own) for block in blocks]
        made = {"type": known.output, "call_id": unique, "output": self._joined(blocks if own else (), shown)}
        return self._identified({**made, **given})

    def _inner(self, block: Text | Image | Opaque, own: bool) -> Item:
        match block:
            case Text() if own:
                return self._part(block, "tool") or {}
            case Text(text):
                return {"type": "input_text", "text": text}
            case Image():
                return self._image(block)
            case Opaque(kind, data):
                family, _, name = kind.partition(":")
                return dict(data) if family == PART and fits(data.get("type"), "tool") else self._as_text(block, name)


def kind_of_output(result: ToolResult) -> str:
    """The type of item that a result came as, where that is not a function's."""
    kind = members(result.extra, FAMILY).get("type")
    return kind if isinstance(kind, str) else ""


def _refused(image: Image) -> str:
    """Why the API would refuse the image, if it would."""
    if image.media_type == "url":
        return "" if URL.match(image.data) else image.data.partition(",")[0][:80]
    if image.media_type not in MEDIA:
        return image.media_type[:80]
    if not readable(image.data):
        return "damaged"
    return "more than 20 MB" if len(image.data) + len(image.media_type) + 13 > IMAGE_CHARS else ""


def _arguments(text: str) -> str:
    if not text.strip():
        return "{}"
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return json.dumps({"_raw": text}, ensure_ascii=False)
    # What Python reads and JSON has not: NaN and infinities.
    strict = not ("NaN" in text or "Infinity" in text) or as_object(text) is not None
    return text if strict else json.dumps({"_raw": text}, ensure_ascii=False)
