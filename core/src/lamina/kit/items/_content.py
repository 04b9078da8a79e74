"""From the content of items to lamina's parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from attrs import evolve

from lamina.kit.documents import pages
from lamina.kit.items.rules import BARE, CLIENT_ONLY, FAMILY, PART, SUMMARIES
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text
from lamina.verbatim import extra, unmarked


class MalformedError(Exception):
    """Why an item cannot be read; the caller adds the place."""


def more(value: Mapping[str, Any], *known: str) -> Extra:
    """The members that the model has no word for; those that are null say nothing."""
    return extra(FAMILY, {k: v for k, v in value.items() if v is not None}, {*known, *CLIENT_ONLY})


def content(value: Any) -> list[Part]:
    """The parts of a message's content; a list of nothing but texts is told apart from one text."""
    match value:
        case None:
            return []
        case str():
            return [Text(value)] if value else []
        case list():
            parts = [_part(part) for part in value]
            texts = [part for part in parts if isinstance(part, Text)]
            if len(texts) < len(parts):
                return parts
            # Nothing else says that they came as parts: they go out as one text otherwise.
            return [evolve(text, extra=text.extra or {FAMILY: {}}) for text in texts]
        case _:
            raise MalformedError(f"content must be text, a list of parts or null, not {type(value).__name__}")


def _part(part: Any) -> Part:
    match part:
        case str():
            return Text(part)
        case {"type": "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text", "text": str(text)}:
            return Text(text, extra=more(part, "type", "text"))
        case {"type": "refusal", "refusal": str(text)}:
            return Text(text, extra=more(part, "refusal"))
        case {"type": "input_image" | "computer_screenshot", "image_url": str(url)}:
            return image(part, url)
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:  # as chat completions have it
            return image({"type": "input_image", "detail": "auto"}, url)
        case {"type": "input_file"}:
            return _file(part)
        case {"type": str(kind)}:
            return Opaque(f"{PART}:{kind}", _bare(part), text=said(part))
        case _:
            raise MalformedError("a part of the content must be an object with a type")


def image(part: Mapping[str, Any], url: str) -> Image:
    """An image of a part with this link or data URL."""
    known = ["image_url"]
    known += ["type"] if part["type"] == "input_image" else []
    known += ["detail"] if part.get("detail") == "auto" else []
    given = {**more(part, *known), **({BARE: {}} if part.get("detail") is None else {})}
    head, comma, data = url.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return Image(head[len("data:") : -len(";base64")], data, extra=given)
    return Image("url", url, extra=given)


def _file(part: Mapping[str, Any]) -> Opaque:
    data, name = part.get("file_data"), part.get("filename") or part.get("file_url") or part.get("file_id")
    shown = name if isinstance(name, str) else ""
    if not isinstance(data, str):
        return Opaque(f"{PART}:input_file", _bare(part), text=shown, pages=1)
    return Opaque(f"{PART}:input_file", _bare(part), text=shown, pages=pages(data.partition(",")[2] or data))


def _bare(part: Mapping[str, Any]) -> Any:
    """The part without what is null and what the API refuses."""
    return unmarked({k: v for k, v in part.items() if v is not None and k not in CLIENT_ONLY})


def reasoning(item: Mapping[str, Any]) -> Reasoning:
    """The reasoning of an item: its summaries as text, what is encrypted as its signature."""
    encrypted, summary = item.get("encrypted_content"), item.get("summary")
    signature = encrypted if isinstance(encrypted, str) and encrypted else None
    texts = [_summary(part) for part in summary] if isinstance(summary, list) else []
    plain = [text for text in texts if text]
    hidden = _hidden(signature or "")
    if isinstance(summary, list) and len(plain) == len(texts) and "\n\n".join(plain).split("\n\n") == (plain or [""]):
        given = more(item, "type", "encrypted_content", "summary")
        return Reasoning("\n\n".join(plain), signature, extra={SUMMARIES: {}, **given}, hidden_tokens=hidden)
    given = more(item, "type", "encrypted_content") or {FAMILY: {}}
    return Reasoning("", signature, extra=given, hidden_tokens=hidden)


def _hidden(encrypted: str) -> int:
    """Tokens of encrypted reasoning, by the length of its base64.

    Source:
        Codex, ``estimate_reasoning_length``: three quarters of the base64 less 650 bytes of frame; four bytes a token.
    """
    return max(0, len(encrypted) * 3 // 4 - 650) // 4


def _summary(part: Any) -> str:
    match part:
        case {"type": "summary_text", "text": str(text)} if len(part) == 2:
            return text
        case _:
            return ""


_SAID = frozenset(
    {
        "title", "url", "text", "query", "queries", "pattern", "code", "logs", "output", "name", "arguments", "error",
        "message", "revised_prompt", "server_label", "filename", "command", "commands", "path", "diff", "stdout",
        "stderr", "reason",
    }
)  # fmt: skip


def said(value: Any) -> str:
    """What people read in an item, line by line: no ids, no base64, nothing that is encrypted."""
    return "\n".join(_readable(value))


def _readable(value: Any, named: Collection[str] = ()) -> list[str]:
    if isinstance(value, list):
        return [text for item in value for text in _readable(item, named)]
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in _readable(item, (key,))]
    shown = isinstance(value, str) and value and _SAID.intersection(named)
    return [value] if shown else []


def opaque(item: Mapping[str, Any]) -> Opaque:
    """An item that is carried as it came."""
    kind, data = str(item.get("type") or "item_reference"), _kept(item)
    # The picture is charged as one, however long its base64 is.
    drawn = 1 if kind == "image_generation_call" and isinstance(item.get("result"), str) else None
    return Opaque(f"{FAMILY}:{kind}", data, text=said(item), pages=drawn)


def _kept(item: Mapping[str, Any]) -> Any:
    return unmarked({k: v for k, v in item.items() if k not in CLIENT_ONLY})
