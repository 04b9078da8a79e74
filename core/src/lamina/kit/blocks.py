"""Content blocks of Anthropic's API that the model has no word for, as they are carried, recalled and counted.

Its own messages and Claude Code's recordings hold the same blocks: documents, search results, what the provider's own tools
took and gave.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.kit.documents import pages
from lamina.model import Opaque
from lamina.verbatim import unmarked

FAMILY = "anthropic"
"""Whose members and blocks these are."""


def opaque(kind: str, block: Mapping[str, Any]) -> Opaque:
    """A block that the model has no word for, with what it says and the pages that it is charged as."""
    data = unmarked(block)
    match block:
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, text), pages=0)
        case {"type": "document", "source": {"type": "base64", "data": str(pdf)}}:
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block), pages=pages(pdf))
        case {"type": "document", "source": {"type": "content", "content": inner}}:
            # A picture in a document is charged as one, and so is a page.
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, *_texts(inner)), pages=_images(inner))
        case {"type": "document"}:
            # A link or an uploaded file: there is a page at least.
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, *_names(block.get("source"))), pages=1)
        case {"type": "search_result", "content": inner}:
            return Opaque(f"{FAMILY}:{kind}", data, text=_said(block, *_names(block), *_texts(inner)), pages=0)
        case {"type": "tool_reference", "tool_name": str(name)}:
            return Opaque(f"{FAMILY}:{kind}", data, text=name)
        case _:
            # What the provider's own tools took and gave is charged whole; only what is readable is recalled.
            return Opaque(f"{FAMILY}:{kind}", data, text="\n".join(_readable(block)))


def _said(block: Mapping[str, Any], *texts: str) -> str:
    heads = [block[name] for name in ("title", "context") if isinstance(block.get(name), str)]
    return "\n".join(text for text in (*heads, *texts) if text)


def _texts(value: Any) -> list[str]:
    blocks = value if isinstance(value, list) else [value]
    found = [b if isinstance(b, str) else b.get("text") if isinstance(b, dict) else None for b in blocks]
    return [text for text in found if isinstance(text, str)]


def _images(value: Any) -> int:
    return sum(isinstance(b, dict) and b.get("type") == "image" for b in value) if isinstance(value, list) else 0


def _names(value: Any) -> list[str]:
    members = value if isinstance(value, dict) else {}
    return [members[name] for name in ("source", "url") if isinstance(members.get(name), str)]


_READABLE = frozenset({"title", "url", "text", "query", "stdout", "stderr", "name", "command", "code"})


def _readable(value: Any) -> list[str]:
    """The texts of the members that people read, in order; base64 and signatures are none."""
    if isinstance(value, list):
        return [text for item in value for text in _readable(item)]
    if not isinstance(value, dict):
        return []
    found: list[str] = []
    for key, item in value.items():
        if isinstance(item, str):
            found += [item] if key in _READABLE and item else []
        else:
            found += _readable(item)
    return found
