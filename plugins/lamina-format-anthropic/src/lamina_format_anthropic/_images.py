"""What the API takes of images, one by one and together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lamina.kit.images import readable, size
from lamina.model import Image
from lamina_format_anthropic._rules import IMAGE_BYTES, IMAGE_SIDE, MANY_IMAGES, MANY_SIDE, MEDIA, MOST_IMAGES

Block = Mapping[str, Any]


def refused(image: Image) -> str:
    """Why the API would not take an image in base64; empty where it does."""
    if image.media_type not in MEDIA:
        return short(image.media_type)
    if len(image.data) > IMAGE_BYTES:
        return "more than 5 MB"
    if not readable(image.data):
        return "damaged"
    return f"a side of more than {IMAGE_SIDE:,} pixels" if _side(image.data) > IMAGE_SIDE else ""


def too_many(messages: Sequence[Block]) -> list[tuple[list[Any], int, str]]:
    """The images that are too many, or too large among many: the list that each is in, its place there, and why.

    The oldest ones are too many.
    """
    found = list(_images(messages))
    over = [(held, k, f"one of more than {MOST_IMAGES}") for held, k in found[: max(0, len(found) - MOST_IMAGES)]]
    kept = found[len(over) :]
    if len(kept) > MANY_IMAGES:
        over += [
            (held, k, f"a side of more than {MANY_SIDE:,} pixels among more than {MANY_IMAGES} images")
            for held, k in kept
            if _side((held[k].get("source") or {}).get("data")) > MANY_SIDE
        ]
    return over


def _images(messages: Sequence[Block]) -> Iterator[tuple[list[Any], int]]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from _among(content)


def _among(blocks: list[Any]) -> Iterator[tuple[list[Any], int]]:
    """The images among blocks, and those in the results among them."""
    for k, block in enumerate(blocks):
        if not isinstance(block, Mapping):
            continue
        if block.get("type") == "image":
            yield blocks, k
        inner = block.get("content")
        if block.get("type") == "tool_result" and isinstance(inner, list):
            yield from _among(inner)


def _side(data: Any) -> int:
    extent = size(Image("", data)) if isinstance(data, str) else None
    return max(extent) if extent else 0


def short(text: str) -> str:
    """The text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"
