"""Which lines of a rollout are the conversation: turns that the user took back are not, and nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import define, field

from lamina.kit.harness import passages
from lamina.model import Image, Message, Text
from lamina_format_codex._lines import ITEM, Line

ROLLED_BACK = "rolled back"
"""Why a line says nothing: the user went back to before it."""


@define
class Told:
    """What the whole rollout says of its lines."""

    gone: set[int] = field(factory=set)
    """Lines that were rolled back, by their numbers in the file."""
    typed: set[int] = field(factory=set)
    """Events that hold what a person typed and no item says."""


def told(lines: Iterable[tuple[int, Line]]) -> Told:
    """Look through a rollout for turns that were rolled back, and for what stands in events only.

    A turn begins where a person says something; what Codex itself puts into the user's role begins none. Codex writes what
    was typed twice: as an item for the model and as an event for the screen.
    """
    found, turns, items = Told(), list[int](), list[int]()
    said, events = list[str](), list[tuple[int, str, int]]()
    for number, line in lines:
        if line.kind == ITEM:
            items.append(number)
            if _begins(line.payload):
                turns.append(number)
                said.append(_bare("".join(_texts(line.payload))))
        elif line.event == "user_message":
            events.append((number, _bare(line.payload.get("message")), len(said)))
        elif line.event == "thread_rolled_back":
            count = line.payload.get("num_turns")
            if isinstance(count, int) and not isinstance(count, bool) and count > 0 and turns:
                kept = max(0, len(turns) - count)
                found.gone.update(number for number in items if number >= turns[kept])
                del turns[kept:]
    shown: set[int] = set()
    for number, text, at in events:
        # Beside the item that the event shows; images and mentions leave more in the item than was typed.
        beside = next((k for k in (at - 1, at) if 0 <= k < len(said) and k not in shown and text in said[k]), None)
        if beside is not None:
            shown.add(beside)
        elif text:
            found.typed.add(number)
    return found


def _begins(item: Mapping[str, Any]) -> bool:
    """Whether a person says something in an item."""
    if item.get("role") != "user" or item.get("type", "message") != "message":
        return False
    content = item.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    shown = tuple(Image("url", "") for part in parts if part.get("type") == "input_image")
    return bool(shown) or any(not found.rules for found in passages(Message("user", tuple(map(Text, _texts(item))))))


def _texts(item: Mapping[str, Any]) -> list[str]:
    content = item.get("content")
    if isinstance(content, str):
        return [content]
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return [text for part in parts if isinstance(text := part.get("text"), str)]


def _bare(text: Any) -> str:
    """The text without white space, which is not the same in both."""
    return "".join(text.split()) if isinstance(text, str) else ""
