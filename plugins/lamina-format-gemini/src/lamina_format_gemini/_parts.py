"""From the parts of a content to lamina's."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from lamina.kit.documents import pages
from lamina.kit.forms import MalformedError
from lamina.kit.sources import arguments
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import unmarked
from lamina_format_gemini._rules import DATA, FAMILY, SIGNATURE, UNSIGNED, camel, standard

ANONYMOUS = "call"
"""The id of a call that has none."""
WHOLE = "*"
"""Says of a result that its text is the JSON of the whole response."""


def parts(value: Any) -> list[Part]:
    """The parts of a content, in order."""
    match value:
        case None:
            return []
        case str():
            return [Text(value)] if value else []
        case dict():
            return [part(value)]
        case list():
            return [part(item) for item in value]
        case _:
            raise MalformedError(f"parts must be a list, not {type(value).__name__}")


def part(value: Any) -> Part:
    """One part; what the model has no word for is carried."""
    if isinstance(value, str):
        return Text(value)
    if not isinstance(value, dict):
        raise MalformedError(f"a part must be an object, not {type(value).__name__}")
    given = camel(value)
    given |= {key: camel(given[key]) for key in DATA & given.keys() if isinstance(given[key], dict)}
    match given:
        case {"text": str(text), "thought": True}:
            # Marked as its own even where nothing else is known of it: reasoning of others is not taken. The signature is
            # kept beside it, because other providers would take it for one of theirs.
            return Reasoning(text, extra={FAMILY: _rest(given, "text", "thought")})
        case {"text": str(text)}:
            return Text(text, extra=_extra(_rest(given, "text", *(() if given.get("thought") else ("thought",)))))
        case {"functionCall": dict(call)}:
            return _call(given, call)
        case {"functionResponse": dict(response)}:
            return _result(given, response)
        case {"inlineData": dict(blob)}:
            return _inline(given, blob)
        case {"fileData": dict(file)}:
            return _file(given, file)
        case {"functionCall": _} | {"functionResponse": _} | {"inlineData": _} | {"fileData": _} | {"text": _}:
            kind = next(iter(DATA & given.keys()))
            raise MalformedError(f"{kind} of a part must be {'text' if kind == 'text' else 'an object'}")
        case _:
            return _carried(given)


def _carried(given: dict[str, Any]) -> Part:
    match given:
        case {"executableCode": {"code": str(said)}} | {"codeExecutionResult": {"output": str(said)}}:
            return _opaque(given, said)
        case {"toolCall": dict(held)} | {"toolResponse": dict(held)}:
            return _opaque(given, json.dumps(held.get("args") or held.get("response") or {}, ensure_ascii=False))
        case _ if given.keys() - {SIGNATURE, "thought", "partMetadata"}:
            return _opaque(given, "")
        case _:
            # A signature by itself comes at the end of a stream, and goes back where it stood.
            return Text("", extra=_extra(_rest(given, "thought")))


def _rest(given: Mapping[str, Any], *known: str) -> dict[str, Any]:
    return {key: unmarked(value) for key, value in given.items() if key not in known}


def _extra(members: dict[str, Any]) -> Extra:
    return {FAMILY: members} if members else {}


def _opaque(given: dict[str, Any], text: str, pages: int | None = None) -> Opaque:
    kind = next(iter([key for key in given if key in DATA] or given))
    return Opaque(f"{FAMILY}:{kind}", unmarked(given), text=text, pages=pages)


def _call(given: dict[str, Any], call: dict[str, Any]) -> ToolCall:
    name, call_id, args = call.get("name"), call.get("id"), call.get("args", {})
    if not isinstance(name, str):
        raise MalformedError("a functionCall must have a name")
    members = _rest(given, "functionCall")
    if inner := _rest(call, "name", "id", "args"):
        members["functionCall"] = inner
    if members.get(SIGNATURE) == UNSIGNED:
        del members[SIGNATURE]  # another model's
    has_id = isinstance(call_id, str) and call_id != ""
    # Which calls came without an id is kept, so that they go out without one.
    members |= {} if has_id else {"id": None}
    return ToolCall(str(call_id) if has_id else ANONYMOUS, name, arguments(args), extra=_extra(members))


def _result(given: dict[str, Any], response: dict[str, Any]) -> ToolResult:
    call_id = response.get("id")
    members = _rest(given, "functionResponse")
    if inner := _rest(response, "name", "id", "response", "parts"):
        members["functionResponse"] = inner
    text, error, shape = said(response.get("response"))
    members |= {"response": shape} if shape else {}
    answered = call_id if isinstance(call_id, str) else ""
    held = response.get("parts")
    if not isinstance(held, list) or not held:
        return ToolResult(answered, text, error, extra=_extra(members))
    blocks = [*((Text(text),) if text else ()), *map(_shown, held)]
    return ToolResult.of(answered, blocks, error, _extra(members))


def said(response: Any) -> tuple[str, bool, str]:
    """The text of a function's response, whether it is an error, and by which member it says so.

    A response that is one text is that text; any other is its JSON, and says :data:`WHOLE`. Where nothing is said of the
    shape, it is the one that the documentation gives: ``output``, or ``error``.
    """
    if response is None:
        return "", False, ""
    if not isinstance(response, dict):
        raise MalformedError(f"response of a functionResponse must be an object, not {type(response).__name__}")
    error = response.keys() == {"error"}
    if len(response) == 1:
        ((key, text),) = response.items()
        if isinstance(text, str) and key != WHOLE:
            return text, error, "" if key in ("output", "error") else key
    return json.dumps(unmarked(response), ensure_ascii=False), error, WHOLE


def _shown(item: Any) -> Image | Opaque:
    made = part(item)
    if isinstance(made, Image | Opaque):
        return made
    raise MalformedError("a part of a functionResponse must be inlineData or fileData")


def _inline(given: dict[str, Any], blob: dict[str, Any]) -> Part:
    media, data = blob.get("mimeType"), blob.get("data")
    if not (isinstance(media, str) and isinstance(data, str)):
        raise MalformedError("inlineData must have a mimeType and data")
    if media.lower().startswith("image/"):
        members = _rest(given, "inlineData")
        if inner := _rest(blob, "mimeType", "data"):
            members["inlineData"] = inner
        return Image(media, standard(data), extra=_extra(members))
    name = blob.get("displayName")
    heading = name if isinstance(name, str) else ""
    if media.startswith("text/") and (text := _decoded(data)) is not None:
        return _opaque(given, f"{heading}\n{text}" if heading else text, pages=0)
    # Sound and films cost by their length; what a page of a document costs for so many bytes is more.
    return _opaque(given, heading, pages=pages(standard(data)))


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(standard(data)).decode()
    except (binascii.Error, ValueError):
        return None


def _file(given: dict[str, Any], file: dict[str, Any]) -> Part:
    uri, media = file.get("fileUri"), file.get("mimeType")
    if not isinstance(uri, str):
        raise MalformedError("fileData must have a fileUri")
    is_link = uri.startswith(("https://", "http://")) and "googleapis.com/" not in uri
    if is_link and isinstance(media, str) and media.startswith("image/"):
        members = _rest(given, "fileData")
        members["fileData"] = _rest(file, "fileUri")
        return Image("url", uri, extra=_extra(members))
    name = file.get("displayName")
    return _opaque(given, f"{name}\n{uri}" if isinstance(name, str) and name else uri, pages=1)
