"""What the Gemini API refuses, as far as its documentation and its errors tell; shares no code with the format's own check."""

from __future__ import annotations

import base64
import re

KINDS = {"text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"}  # fmt: skip
IMAGES = {"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"}
NAME = re.compile(r"[A-Za-z_][\w.:-]{0,63}", re.ASCII)


def surrogates(value):
    if isinstance(value, str):
        return bool(re.search("[\ud800-\udfff]", value))
    if isinstance(value, dict):
        return any(map(surrogates, value.values()))
    return isinstance(value, list) and any(map(surrogates, value))


def decodes(data):
    try:
        return bool(base64.b64decode(data.replace("-", "+").replace("_", "/") + "=" * (-len(data) % 4), validate=True))
    except ValueError:
        return False


def media(blob, allowed):
    if not blob.get("mimeType") or (blob["mimeType"].startswith("image/") and blob["mimeType"] not in allowed):
        return [f"mimeType {blob.get('mimeType')!r}"]
    return [] if decodes(blob["data"]) else ["data is no base64"]


def part(held, role):
    found = []
    kinds = KINDS & held.keys()
    if len(kinds) > 1 or not held.keys() - {"thought", "thoughtSignature"}:
        found.append(f"one kind of data, not {sorted(kinds)}")
    if "text" in held and not held["text"].strip() and not held.get("thoughtSignature"):
        found.append("text is empty")
    if "thoughtSignature" in held and not decodes(held["thoughtSignature"]):
        found.append("thoughtSignature is no base64")
    if kinds & {"functionCall", "executableCode", "codeExecutionResult"} and role != "model":
        found.append(f"{role} has {kinds}")
    if "functionResponse" in kinds and role != "user":
        found.append(f"{role} has a functionResponse")
    for blob in [held["inlineData"]] if "inlineData" in held else []:
        found += media(blob, IMAGES)
    for shown in held.get("functionResponse", {}).get("parts", []):
        found += media(shown["inlineData"], {"image/png", "image/jpeg", "image/webp"}) if "inlineData" in shown else []
        found += [] if shown.keys() <= {"inlineData", "fileData"} else [f"a response shows {sorted(shown)}"]
    if "fileData" in held and not held["fileData"].get("fileUri"):
        found.append("fileData without fileUri")
    return found


def gemini(contents):
    """Every fault of these contents, of which a first one of role ``system`` is the systemInstruction."""
    found = ["half a surrogate pair"] if surrogates(contents) else []
    rest = list(contents)
    if rest and rest[0]["role"] == "system":
        found += [f"system: {p}" for p in rest.pop(0)["parts"] if not p.get("text", "").strip()]
    if not rest:
        return [*found, "contents is not specified"]
    open_, ids = [], []
    for i, content in enumerate(rest):
        at, role, parts = f"contents[{i}]", content["role"], content["parts"]
        if role not in ("user", "model"):
            found.append(f"{at}: please use a valid role: user, model")
        if role != ("user", "model")[i % 2]:
            found.append(f"{at}: {role} is not in turn")
        if not parts:
            found.append(f"{at}: must include at least one parts field")
        found += [f"{at}.parts[{k}]: {why}" for k, held in enumerate(parts) for why in part(held, role)]
        given = [held["functionResponse"] for held in parts if "functionResponse" in held]
        if [("functionResponse" in held) for held in parts] != [True] * len(given) + [False] * (
            len(parts) - len(given)
        ):
            found.append(f"{at}: responses stand behind something else")
        if [(g.get("id"), g["name"]) for g in given] != [(c.get("id"), c["name"]) for c in open_]:
            found.append(f"{at}: responses must be as many as calls, and theirs")
        if not all(isinstance(g["response"], dict) for g in given):
            found.append(f"{at}: a response is no object")
        open_ = [held["functionCall"] for held in parts if "functionCall" in held]
        found += [f"{at}: name {c['name']!r}" for c in open_ if not NAME.fullmatch(c["name"])]
        found += [f"{at}: args" for c in open_ if not isinstance(c.get("args", {}), dict)]
        ids += [c["id"] for c in open_ if "id" in c]
    found += ["a call at the end has no response"] if open_ else []
    return found + (["an id is used twice"] if len(ids) != len(set(ids)) else [])
