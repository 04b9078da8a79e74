"""What lines of the type ``attachment`` say: prompts that were typed while the agent worked, and attached files."""

from __future__ import annotations

from typing import Any

from lamina.kit.blocks import FAMILY
from lamina.kit.documents import pages
from lamina.model import Image, Opaque, Part, Text
from lamina_format_claude_code._blocks import content


def attached(line: dict[str, Any]) -> list[Part]:
    """What the user said or showed by an attachment; nothing where it is a note of Claude Code's own."""
    found = line.get("attachment")
    if not isinstance(found, dict):
        return []
    match found:
        case {"type": "queued_command", "prompt": str() | list() as prompt}:
            return [part for part in content(prompt) if not isinstance(part, Text) or part.text.strip()]
        case {"type": "file", "content": dict(held)}:
            return _file(held, _name(found))
        case {"type": "directory", "content": str(listed)}:
            return [Text(f"[attached folder {_name(found)}]\n{listed}")]
        case _:
            return []


def _name(found: dict[str, Any]) -> str:
    named = (found.get(key) for key in ("filename", "path", "displayPath"))
    return next((name for name in named if isinstance(name, str) and name), "without a name")


def _file(held: dict[str, Any], name: str) -> list[Part]:
    head = Text(f"[attached file {name}]")
    match held:
        case {"file": {"content": str(text)}}:
            return [Text(f"{head.text}\n{text}")]
        case {"type": "image", "file": {"base64": str(data), "type": str(media)}}:
            return [head, Image(media if "/" in media else f"image/{media}", data)]
        case {"type": "pdf", "file": {"base64": str(data)}}:
            source = {"type": "base64", "media_type": "application/pdf", "data": data}
            block = {"type": "document", "source": source, "title": name}
            return [head, Opaque(f"{FAMILY}:document", block, text=name, pages=pages(data))]
        case {"type": "notebook", "file": {"cells": list(cells)}}:
            sources = [cell.get("source") for cell in cells if isinstance(cell, dict)]
            return [Text("\n".join([head.text, *(source for source in sources if isinstance(source, str))]))]
        case _:
            return []
