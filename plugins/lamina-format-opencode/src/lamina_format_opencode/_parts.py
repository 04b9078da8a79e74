"""From the parts of opencode's messages to lamina's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lamina.kit.blocks import FAMILY as BLOCKS
from lamina.kit.documents import pages
from lamina.kit.forms import MalformedError
from lamina.kit.sources import arguments, as_object
from lamina.model import Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina_format_opencode._rules import AS_TEXT, FAMILY, SUMMARY, SYNTHETIC


def of_user(part: Mapping[str, Any]) -> Part | None:
    """What a part of a user's message says to a model; ``None`` where it says nothing."""
    match part:
        case {"type": "text", "text": str(text)}:
            if part.get("ignored") is True or not text:
                return None
            return Text(text, extra=SYNTHETIC) if part.get("synthetic") is True else Text(text)
        case {"type": "file", "mime": str(mime), "url": str(url)}:
            return None if mime in AS_TEXT else file(part, mime, url)
        case {"type": "subtask", "prompt": str(prompt)}:
            return Text(prompt)
        case {"type": "compaction"}:
            return Text(SUMMARY, extra=SYNTHETIC)
        case {"type": "text" | "file" | "subtask" as kind}:
            raise MalformedError(f"a part of type {kind!r} lacks what it must have")
        case {"type": str()}:
            return None
        case _:
            raise MalformedError("a part must be an object with a type")


def of_model(part: Mapping[str, Any]) -> Part | None:
    """What a part of an assistant's message says; ``None`` where it says nothing."""
    match part:
        case {"type": "text", "text": str(text)}:
            return Text(text) if text and part.get("ignored") is not True else None
        case {"type": "reasoning", "text": str(text)}:
            return _thought(part, text)
        case {"type": "tool", "callID": str(call_id), "tool": str(name), "state": dict(state)}:
            return ToolCall(call_id, name, _input(state))
        case {"type": "file", "mime": str(mime), "url": str(url)}:
            return file(part, mime, url)
        case {"type": "text" | "reasoning" | "tool" | "file" as kind}:
            raise MalformedError(f"a part of type {kind!r} lacks what it must have")
        case {"type": str()}:
            return None
        case _:
            raise MalformedError("a part must be an object with a type")


def _input(state: Mapping[str, Any]) -> str:
    """The input as JSON text; what was wrapped because it is no object is unwrapped again."""
    given = state.get("input")
    match given:
        case {"_raw": str(raw), **others} if not others and as_object(raw) is None:
            return raw
        case None:
            return "{}"
        case _:
            return arguments(given)


def _thought(part: Mapping[str, Any], text: str) -> Reasoning | None:
    metadata = part.get("metadata")
    held = metadata.get(BLOCKS) if isinstance(metadata, dict) else None
    signed = held if isinstance(held, dict) else {}
    if isinstance(data := signed.get("redactedData"), str) and data:
        return Reasoning(data, redacted=True)
    signature = signed.get("signature")
    if isinstance(signature, str) and signature:
        return Reasoning(text, signature)
    return Reasoning(text) if text else None


def outcome(part: Mapping[str, Any]) -> ToolResult | None:
    """What a call gave; ``None`` while it runs."""
    state = part["state"]
    metadata = state.get("metadata")
    match state:
        case {"status": "completed", "output": str(output)}:
            shown = [one for item in _attached(state) if isinstance(one := _attachment(item), Image | Opaque)]
            blocks = [*((Text(output),) if output else ()), *shown]
            return ToolResult.of(part["callID"], blocks) if shown else ToolResult(part["callID"], output)
        case {"status": "error"} if isinstance(metadata, dict) and metadata.get("interrupted") is True and isinstance(metadata.get("output"), str):  # fmt: skip
            return ToolResult(part["callID"], metadata["output"])
        case {"status": "error", "error": str(error)}:
            return ToolResult(part["callID"], error, error=True)
        case {"status": "completed" | "error" as status}:
            raise MalformedError(f"a tool that is {status} must say what it gave")
        case _:
            return None


def _attached(state: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = state.get("attachments")
    yield from (item for item in found if isinstance(item, dict)) if isinstance(found, list) else ()


def _attachment(item: Mapping[str, Any]) -> Part | None:
    mime, url = item.get("mime"), item.get("url")
    return file(item, mime, url) if isinstance(mime, str) and isinstance(url, str) else None


def file(part: Mapping[str, Any], mime: str, url: str) -> Image | Opaque:
    """An attached file: an image, a document as the provider takes it, or another file."""
    head, comma, data = url.partition(",")
    inline = data if comma and head.startswith("data:") and head.endswith(";base64") else None
    if mime.startswith("image/"):
        return Image("url", url) if inline is None else Image(mime, inline)
    name = part.get("filename")
    said = name if isinstance(name, str) and name else (url if inline is None else "")
    if mime == "application/pdf" and inline is not None:
        source = {"type": "base64", "media_type": mime, "data": inline}
        block: dict[str, Any] = {"type": "document", "source": source, **({"title": said} if said else {})}
        return Opaque(f"{BLOCKS}:document", block, text=said, pages=pages(inline))
    held = {key: part[key] for key in ("type", "mime", "filename", "url") if key in part}
    return Opaque(f"{FAMILY}:file", held, text=said, pages=1 if inline is None else pages(inline))
