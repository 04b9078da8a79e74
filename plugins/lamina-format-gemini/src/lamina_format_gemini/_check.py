"""Checking: which rules of ``generateContent`` do contents break?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamina.kit.forms import is_torn
from lamina_format_gemini._rules import (
    DATA,
    IMAGES,
    INLINE_BYTES,
    MEDIA,
    NAME,
    OF_MODEL,
    RESULT_IMAGES,
    ROLES,
    SIGNATURE,
    SYSTEM,
    is_base64,
)
from lamina_format_gemini._write import too_much

Shown = Mapping[str, Any]


def faults(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when a request with these contents is valid.

    - After at most one first element of role ``system``, which holds only texts, there is a content; user and model
      alternate, the user first; no content is without parts.
    - A part has exactly one kind of data; no text is blank but one that carries a signature, and signatures are base64.
      Calls, code and what it gave are the model's, responses the user's.
    - Calls have a name that functions may have, an object as arguments, and an id that no other call has, or none. The
      content after them begins with as many responses, each to one of them by id, or by name in their order, and each an
      object; nowhere else are responses.
    - What code gave follows the code. Files have a kind, and data or a link; images are of a kind that is taken, and all
      data together is at most 20 MB. No text has half a surrogate pair.

    Whether a model wants signatures of calls depends on the model, and is no rule here.
    """
    found: list[str] = []
    start = bool(contents) and contents[0].get("role") == SYSTEM
    if start:
        found += _system(_parts(contents[0], "messages[0]", found))
    if len(contents) == start:
        return [*found, "messages: there is none"]
    waiting: list[Shown] = []
    before, seen = "model", set[str]()
    for i, content in enumerate(contents[start:], start):
        at, role = f"messages[{i}]", content.get("role")
        if role not in ROLES:
            found.append(f"{at}.role: {role!r} is neither user nor model (system only first)")
        elif role == before:
            first = "the first content must be the user's" if i == start else f"a second content of {role} in a row"
            found.append(f"{at}.role: {first}")
        before = str(role)
        parts = _parts(content, at, found)
        found += [f"{at}.parts[{k}]: {fault}" for k, part in enumerate(parts) for fault in _part(part, role)]
        found += _responses(parts, at, waiting)
        found += _code(parts, at)
        waiting = [part["functionCall"] for part in parts if isinstance(part.get("functionCall"), Mapping)]
        for call in waiting:
            if isinstance(call_id := call.get("id"), str):
                found += [f"{at}: id {call_id!r} is used twice"] if call_id in seen else []
                seen.add(call_id)
    found += [f"messages[{len(contents) - 1}]: call of {call.get('name')!r} has no response" for call in waiting]
    found += [f"messages[{i}]: half a surrogate pair" for i, c in enumerate(contents) if is_torn(c)]  # fmt: skip
    if next(too_much([dict(content) for content in contents]), None):
        found.append(f"messages: more than {INLINE_BYTES:,} characters of data")
    return found


def _system(parts: Sequence[Shown]) -> list[str]:
    wrong = (k for k, part in enumerate(parts) if not (isinstance(part.get("text"), str) and part["text"].strip()))
    return [f"messages[0].parts[{k}]: a system instruction holds only texts" for k in wrong]


def _parts(content: Mapping[str, Any], at: str, found: list[str]) -> list[Shown]:
    held = content.get("parts")
    if not isinstance(held, list) or not held:
        found.append(f"{at}.parts: must be a list that is not empty")
        return []
    found += [f"{at}.parts[{k}]: is no object" for k, part in enumerate(held) if not isinstance(part, Mapping)]
    return [part if isinstance(part, Mapping) else {} for part in held]


def _part(part: Shown, role: Any) -> list[str]:
    """What is wrong with a part by itself."""
    found: list[str] = []
    kinds = sorted(DATA & part.keys())
    if len(kinds) > 1:
        found.append(f"has {' and '.join(kinds)}; a part has one kind of data")
    elif not kinds and not (part.keys() - {"thought", SIGNATURE}):
        found.append("has no data")
    signature = part.get(SIGNATURE)
    if signature is not None and not (isinstance(signature, str) and is_base64(signature)):
        found.append(f"{SIGNATURE} is no base64")
    if "thought" in part and (role != "model" or not isinstance(part["thought"], bool)):
        found.append("thought is for the model, and true or false")
    for kind in kinds:
        if kind in OF_MODEL and role != "model":
            found.append(f"{kind} is for the model")
        if kind == "functionResponse" and role != "user":
            found.append("a response is for the user")
        if why := _data(kind, part[kind], part):
            found.append(why)
    return found


def _data(kind: str, held: Any, part: Shown) -> str:
    """What is wrong with the data of a part, if anything."""
    if kind == "text":
        return "" if isinstance(held, str) and (held.strip() or part.get(SIGNATURE)) else "text is blank"
    if not isinstance(held, Mapping):
        return f"{kind} must be an object"
    match kind:
        case "inlineData" | "fileData":
            return _file(kind, held, IMAGES)
        case "functionCall":
            return _call(held)
        case "executableCode" if not isinstance(held.get("code"), str):
            return "executableCode needs code"
        case "codeExecutionResult" if not isinstance(held.get("outcome"), str):
            return "codeExecutionResult needs an outcome"
        case "functionResponse":
            return _response(held)
        case _:
            return ""


def _file(kind: str, file: Shown, images: frozenset[str]) -> str:
    media = file.get("mimeType")
    if kind == "fileData":
        if not isinstance(file.get("fileUri"), str) or not file["fileUri"]:
            return "fileData needs a fileUri"
        return "" if media is None or MEDIA.fullmatch(str(media)) else f"mimeType {media!r} is none"
    if not (isinstance(media, str) and MEDIA.match(media)):
        return "inlineData needs a mimeType"
    if media.startswith("image/") and media not in images:
        return f"mimeType {media!r} is none of {', '.join(sorted(images))}"
    return "" if isinstance(file.get("data"), str) and is_base64(file["data"]) else "data is empty, or no base64"


def _call(call: Shown) -> str:
    name, call_id = call.get("name"), call.get("id")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        return f"a name begins with a letter or _, and has 1 to 64 letters, digits, _ . : and -, not {name!r}"
    if call_id is not None and not (isinstance(call_id, str) and call_id):
        return "an id is text that is not empty"
    return "" if isinstance(call.get("args", {}), Mapping) else "args must be an object"


def _response(response: Shown) -> str:
    if not isinstance(response.get("response"), Mapping):
        return "response must be an object"
    shown = response.get("parts", [])
    for part in shown if isinstance(shown, list) else [None]:
        match part:
            case {"inlineData": _, "fileData": _}:
                return "a part of a response has one kind of data"
            case {"inlineData": dict(file)}:
                why = _file("inlineData", file, RESULT_IMAGES)
            case {"fileData": dict(file)}:
                why = _file("fileData", file, RESULT_IMAGES)
            case _:
                return "parts of a response must be inlineData or fileData"
        if why:
            return f"in a response, {why}"
    return ""


def _responses(parts: Sequence[Shown], at: str, waiting: Sequence[Shown]) -> list[str]:
    """What is wrong with the responses of a content to the calls of the one before."""
    found: list[str] = []
    places = [k for k, part in enumerate(parts) if "functionResponse" in part]
    if places != list(range(len(places))):
        found.append(f"{at}: responses must come first")
    if len(places) != len(waiting):
        found.append(f"{at}: {len(places)} responses for {len(waiting)} calls")
    open_ = list(waiting)
    for k in places:
        response = parts[k]["functionResponse"]
        key = [response.get("id"), response.get("name")] if isinstance(response, Mapping) else []
        call = next((c for c in open_ if [c.get("id"), c.get("name")] == key), None)
        if call is None:
            found.append(f"{at}.parts[{k}]: a response to {key!r}, which the content before does not call")
        else:
            open_.remove(call)
    return found


def _code(parts: Sequence[Shown], at: str) -> list[str]:
    """What code gave that does not follow the code."""
    found: list[str] = []
    ran = False
    for k, part in enumerate(parts):
        if "codeExecutionResult" in part and not ran:
            found.append(f"{at}.parts[{k}]: codeExecutionResult without executableCode before it")
        if part.keys() & {"executableCode", "codeExecutionResult"}:
            ran = "executableCode" in part
    return found
