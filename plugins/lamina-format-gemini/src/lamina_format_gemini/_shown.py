"""From lamina's parts to those of a content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.kit.images import mended
from lamina.kit.sources import as_object
from lamina.model import Extra, Image, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.verbatim import Ids, LeftOut, foreign, members, unmarked
from lamina_format_gemini._parts import WHOLE
from lamina_format_gemini._rules import (
    DATA,
    FAMILY,
    IMAGES,
    MEDIA,
    OF_MODEL,
    RESULT_IMAGES,
    SIGNATURE,
    SYSTEM,
    UNSIGNED,
    function_name,
    is_base64,
)

Shown = dict[str, Any]

_ENDINGS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp", "heic": "heic", "heif": "heif"}


class Parts:
    """Makes parts of contents, and tells what it leaves out.

    Args:
        told: Collects what is left out.
        sign: Whether the first call of a message has a signature, if the model that made it was another one.
        kept: Whether the parts are written to be kept: images stay then, whatever the API takes.
    """

    def __init__(self, told: LeftOut, *, sign: bool, kept: bool) -> None:
        self.told, self._sign, self._kept = told, sign, kept
        self._ids = Ids(plain=False)
        self._named: dict[str, tuple[str, bool, int]] = {}
        """The name of each call, whether its id goes out, and which one it is."""

    def of(self, part: Part, role: str, *, first: bool = False) -> Shown | None:
        """The part of a content of this role, or ``None`` where there is nothing to show.

        Args:
            part: No result of a call; see :meth:`response`.
            role: ``user``, ``model`` or ``system``.
            first: Whether a call is the first one of its message.
        """
        match part:
            case Text(text):
                made: Shown = {"text": text, **self._members(part.extra)}
                return made if text.strip() or (SIGNATURE in made and role != SYSTEM) else None
            case ToolCall():
                return self._call(part, first)
            case Image():
                return self._image(part, IMAGES) if role != SYSTEM else self._gone("image")
            case Reasoning(text) if FAMILY in part.extra and role == "model":
                made = {"text": text, "thought": True, **self._members(part.extra)}
                return made if text.strip() or SIGNATURE in made else None
            case Opaque():
                kind = next(iter(DATA & part.data.keys()), "")
                return self._opaque(part, fits=role == "model" or (role == "user" and kind not in OF_MODEL))
            case _:
                self.told("reasoning")
                return None

    def _members(self, extra: Extra) -> Shown:
        if not extra:
            return {}
        self.told(*foreign(extra, FAMILY))
        given = dict(unmarked(dict(members(extra, FAMILY))))
        if SIGNATURE in given and not (isinstance(given[SIGNATURE], str) and is_base64(given[SIGNATURE])):
            del given[SIGNATURE]
            self.told("damaged signature")
        return given

    def _call(self, call: ToolCall, first: bool) -> Shown:
        given = self._members(call.extra)
        anonymous = "id" in given
        given.pop("id", None)
        unique, name = self._ids.call(call.id), function_name(call.name)
        self._named[unique] = (name, not anonymous, len(self._named))
        args = as_object(call.arguments) if call.arguments.strip() else {}
        inner: Shown = {} if anonymous else {"id": unique}
        inner |= {"name": name, "args": {"_raw": call.arguments} if args is None else args}
        inner |= _held(given, "functionCall")
        # Models that sign their calls give them ids, too: one without any comes from an older one, which wants none.
        if first and self._sign and not anonymous:
            given.setdefault(SIGNATURE, UNSIGNED)
        return {"functionCall": inner, **given}

    def response(self, result: ToolResult) -> tuple[int, Shown]:
        """The response that a result is, and which of all calls, in order, it answers."""
        unique = self._ids.result(result.call_id)
        name, has_id, number = self._named.get(unique, ("_", True, len(self._named)))
        given = self._members(result.extra)
        shape = given.pop("response", "")
        inner: Shown = {"id": unique} if has_id else {}
        inner |= {"name": name, "response": _response(result, shape)}
        shown = [self._inner(block) for block in (*(result.blocks or result.images),) if not isinstance(block, Text)]
        words = [block["text"] for block in shown if "text" in block]
        if words:
            # A response shows files only: what cannot be shown is said in its text.
            inner["response"] = _with(inner["response"], words)
        files = [block for block in shown if "text" not in block]
        inner |= {"parts": files} if files else {}
        return number, {"functionResponse": inner | _held(given, "functionResponse"), **given}

    def _inner(self, block: Image | Opaque) -> Shown:
        if isinstance(block, Image):
            return self._image(block, RESULT_IMAGES)
        return self._opaque(block, fits=bool({"inlineData", "fileData"} & block.data.keys()))

    def _opaque(self, part: Opaque, *, fits: bool) -> Shown:
        family, _, kind = part.kind.partition(":")
        if family == FAMILY and fits and _is_whole(part.data):
            return dict(unmarked(dict(part.data)))
        if part.text.strip():
            self.told.as_text(kind)
            return {"text": part.text}
        return self._gone(kind)

    def _gone(self, what: str, why: str = "") -> Shown:
        self.told(what)
        return {"text": f"[{what} left out{': ' if why else ''}{why[:80]}]"}

    def _image(self, image: Image, kinds: frozenset[str]) -> Shown:
        given = self._members(image.extra)
        if not self._kept:
            image = mended(image)
        if image.media_type != "url":
            why = image.media_type if image.media_type not in kinds else "" if is_base64(image.data) else "damaged"
            if why and not self._kept:
                return self._gone("image", why)
            blob: Shown = {"mimeType": image.media_type, "data": image.data} | _held(given, "inlineData")
            return {"inlineData": blob, **given}
        file: Shown = {"fileUri": image.data} | _held(given, "fileData")
        if "mimeType" not in file and (ending := _ENDINGS.get(image.data.partition("?")[0].rpartition(".")[2].lower())):
            file["mimeType"] = f"image/{ending}"
        # What is left of data URLs is no base64, and of other links the kind must be known.
        fits = image.data.startswith(("https://", "http://", "gs://")) and file.get("mimeType") in kinds
        if not (fits or self._kept):
            return self._gone("image", image.data.partition(",")[0])
        return {"fileData": file, **given}


def _held(given: Shown, key: str) -> Shown:
    """The members of this name, taken out."""
    held = given.pop(key, {})
    return dict(held) if isinstance(held, Mapping) else {}


def _response(result: ToolResult, shape: Any) -> Shown:
    key = "error" if result.error else "output"
    if shape == WHOLE:
        return dict(as_object(result.text) or {key: result.text})
    return {shape if isinstance(shape, str) and shape else key: result.text}


def _with(response: Shown, words: list[str]) -> Shown:
    key = next((key for key, value in response.items() if isinstance(value, str)), "output")
    held = response.get(key)
    return {**response, key: "\n".join([*([held] if isinstance(held, str) and held else ()), *words])}


def _is_whole(data: Mapping[str, Any]) -> bool:
    """Whether the API would take a part that is carried: exactly one kind of data, files with a kind and with data."""
    if len(DATA & data.keys()) > 1:
        return False
    match data:
        case {"inlineData": {"mimeType": str(media), "data": str(held)}}:
            return MEDIA.fullmatch(media) is not None and is_base64(held)
        case {"fileData": {"fileUri": str(uri), **others}}:
            return uri != "" and MEDIA.fullmatch(str(others.get("mimeType", "a/b"))) is not None
        case {"executableCode": {"code": str()}} | {"codeExecutionResult": {"outcome": str()}}:
            return True
        case {"inlineData": _} | {"fileData": _} | {"executableCode": _} | {"codeExecutionResult": _}:
            return False
        case _:
            return bool(data)
