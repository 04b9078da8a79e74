"""Which lines of a rollout are the conversation: turns that the user took back are not, and nothing twice."""

from __future__ import annotations

from collections import Counter
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
    turns: list[int] = []
    after: list[int] = []
    found, said = Told(), Counter[str]()
    events: list[tuple[int, str]] = []
    for number, line in lines:
        if line.kind == ITEM:
            after.append(number)
            if _begins(line.payload):
                turns.append(number)
                said.update(_texts(line.payload))
        elif line.event == "user_message":
            events.append((number, _typed(line.payload)))
        elif line.event == "thread_rolled_back":
            count = line.payload.get("num_turns")
            if isinstance(count, int) and not isinstance(count, bool) and count > 0 and turns:
                first = turns[max(0, len(turns) - count)]
                found.gone.update(n for n in after if n >= first)
                turns = turns[: max(0, len(turns) - count)]
    for number, text in events:
        if text and not said[text]:
            found.typed.add(number)
        said[text] -= bool(said[text])
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
        return [content.strip()]
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    texts = [text for part in parts if isinstance(text := part.get("text"), str)]
    whole = "\n".join(texts).strip()
    return list(dict.fromkeys([*(text.strip() for text in texts), whole])) if len(texts) > 1 else [whole]


def _typed(event: Mapping[str, Any]) -> str:
    text = event.get("message")
    return text.strip() if isinstance(text, str) else ""
