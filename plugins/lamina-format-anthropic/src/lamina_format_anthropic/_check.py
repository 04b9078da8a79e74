"""Checking: which rules of the Messages API do messages break?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.kit.forms import is_torn
from lamina.kit.images import readable
from lamina.verbatim import MARK
from lamina_format_anthropic._images import too_many
from lamina_format_anthropic._rules import (
    ALLOWED,
    IMAGE_BYTES,
    INSIDE,
    KNOWN,
    MARKS,
    MEDIA,
    NAME_CHARS,
    RESULTS,
    SERVER_CALLS,
    THINKING,
)

_IDENT = re.compile(r"[a-zA-Z0-9_-]+")

Block = Mapping[str, Any]


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when a request with these messages is valid.

    - After at most one first element of role ``system``, which holds only texts, there is a message; user and
      assistant alternate, the user first; a message has a role and content, and nothing else.
    - No content is empty and no text blank; each block may stand where it stands.
    - Each call has an id that no other call has, a name and an object as input; the results of a message's calls
      stand first in the message that follows, each once, and nowhere else. A tool of the provider has its result in
      the same message, unless it ends the conversation.
    - An error holds text, and nothing but texts. Images are of a kind, size and number that is taken, or links by https.
    - Reasoning is signed and only the assistant's; it begins its message, and does not end it.
    - At most four blocks mark a cached prefix. No text has half a surrogate pair; the last text of the assistant, where
      it ends the conversation, does not end in white space.
    """
    found: list[str] = []
    start = bool(messages) and messages[0].get("role") == "system"
    if start:
        found += _system(messages[0].get("content"))
    if len(messages) == start:
        return [*found, "messages: there is none"]
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    before = "assistant" if start else None
    for i, message in enumerate(messages[start:], start):
        at, role = f"messages[{i}]", message.get("role")
        found += [f"{at}.{name}: is no member of a message" for name in message.keys() - {"role", "content"}]
        if role not in ("user", "assistant"):
            found.append(f"{at}.role: {role!r} is neither user nor assistant (system only first)")
        elif i == start and role != "user":
            found.append(f"{at}.role: the first message must be the user's")
        elif i > start and role == before:
            found.append(f"{at}.role: a second {role} message in a row")
        before = role
        blocks = _blocks(message.get("content"), at, found)
        answered = _results(blocks, at, role, waiting, found)
        found += [
            f"{made}: call {call_id!r} has no result in {at}"
            for call_id, made in waiting.items()
            if call_id not in answered
        ]
        waiting = _others(blocks, at, role, seen, found)
        if role == "assistant":
            found += _servers(blocks, at, last=i == len(messages) - 1)
            found += _thinking(blocks, at)
    found += [f"{made}: call {call_id!r} has no result" for call_id, made in waiting.items()]
    return found + _whole(messages)


def _whole(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with the request as one: marks, halves of characters, its end."""
    found: list[str] = []
    marks = _marks(messages)
    if marks > MARKS:
        found.append(f"messages: {marks} blocks with {MARK}, at most {MARKS}")
    found += [f"messages[{i}]: half a surrogate pair" for i, m in enumerate(messages) if is_torn(m)]  # fmt: skip
    found += [f"messages: an image that is {why}" for _, _, why in too_many(messages)]
    last = messages[-1]
    if last.get("role") == "assistant":
        content = last.get("content")
        end = content[-1] if isinstance(content, list) and content else {"type": "text", "text": content}
        text = end.get("text") if isinstance(end, Mapping) and end.get("type") == "text" else None
        if isinstance(text, str) and text != text.rstrip():
            found.append(f"messages[{len(messages) - 1}]: the last text ends in white space")
    return found


def _marks(value: Any) -> int:
    if isinstance(value, Mapping):
        return (MARK in value) + sum(map(_marks, value.values()))
    return sum(map(_marks, value)) if isinstance(value, list | tuple) else 0


def _system(content: Any) -> list[str]:
    found: list[str] = []
    blocks = _blocks(content, "messages[0]", found)
    wrong = (k for k, block in enumerate(blocks) if block.get("type") != "text")
    return found + [f"messages[0].content[{k}]: a system prompt holds only texts" for k in wrong]


def _blocks(content: Any, at: str, found: list[str]) -> list[Block]:
    """The blocks of a content, text as one block; adds what is wrong with their shape."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        found.append(f"{at}.content: must be text or a list of blocks")
        return []
    if not content:
        found.append(f"{at}.content: is empty")
    blocks: list[Block] = []
    for k, block in enumerate(content):
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            found.append(f"{at}.content[{k}]: is no block with a type")
            continue
        blocks.append(block)
        found += [f"{at}.content[{k}]: {fault}" for fault in _shape(block)]
    return blocks


def _shape(block: Block) -> list[str]:
    """What is wrong with a text or an image by itself."""
    if block["type"] == "text" and not (isinstance(text := block.get("text"), str) and text.strip()):
        return ["text is blank"]
    if block["type"] != "image":
        return []
    match block.get("source"):
        case {"type": "base64", "media_type": media, "data": str(data)}:
            wrong = [f"media type {media!r} is none of {', '.join(sorted(MEDIA))}"] if media not in MEDIA else []
            if not readable(data):
                wrong.append("the image is empty, or no base64")
            return wrong + (["an image of more than 5 MB"] if len(data) > IMAGE_BYTES else [])
        case {"type": "url", "url": str(url)}:
            return [] if url.startswith("https://") else ["the link of an image must be https"]
        case {"type": "file"}:
            return []
        case _:
            return ["an image needs a source: base64, a link or a file"]


def _results(blocks: Sequence[Block], at: str, role: Any, waiting: Mapping[str, str], found: list[str]) -> set[str]:
    """The ids that the results answer; adds what is wrong with them."""
    answered: set[str] = set()
    for k, block in enumerate(blocks):
        if block["type"] != "tool_result":
            continue
        here, call_id = f"{at}.content[{k}]", block.get("tool_use_id")
        if role != "user":
            found.append(f"{here}: a tool result must be in a user message")
        if any(earlier["type"] != "tool_result" for earlier in blocks[:k]):
            found.append(f"{here}: tool results must come first")
        if not isinstance(call_id, str) or call_id not in waiting:
            found.append(f"{here}: result for {call_id!r}, which the message before does not call")
        elif call_id in answered:
            found.append(f"{here}: a second result for {call_id!r}")
        else:
            answered.add(call_id)
        found += [f"{here}: {fault}" for fault in _inside(block)]
    return answered


def _inside(result: Block) -> list[str]:
    """What is wrong with the content of a result."""
    content, error = result.get("content"), result.get("is_error") is True
    if error and (not content or (isinstance(content, str) and not content.strip())):
        return ["an error without a text"]
    if not isinstance(content, list):
        return [] if content is None or isinstance(content, str) else ["content must be text or a list of blocks"]
    found: list[str] = []
    for block in content:
        kind = block.get("type") if isinstance(block, Mapping) else None
        if not isinstance(kind, str):
            found.append("holds what is no block with a type")
            continue
        if kind in KNOWN and kind not in INSIDE:
            found.append(f"holds a {kind}")
        if error and kind != "text":
            found.append(f"is an error and holds a {kind}")
        found += _shape(block)
    return found


def _others(blocks: Sequence[Block], at: str, role: Any, seen: set[str], found: list[str]) -> dict[str, str]:
    """The calls that the blocks make, with their places; adds what is wrong with calls, reasoning and roles."""
    made: dict[str, str] = {}
    for k, block in enumerate(blocks):
        here = f"{at}.content[{k}]"
        match block:
            case {"type": "tool_use", "id": str(call_id), "name": str(name), "input": dict()} if (
                _IDENT.fullmatch(call_id) and _IDENT.fullmatch(name) and len(name) <= NAME_CHARS
            ):
                if call_id in seen:
                    found.append(f"{here}: id {call_id!r} is used twice")
                seen.add(call_id)
                made[call_id] = here
            case {"type": "tool_use"}:
                found.append(
                    f"{here}: a call needs an id and a name of letters, digits, _ and -, and an object as input"
                )
            case {"type": "thinking", "signature": str(signature)} if signature:
                pass
            case {"type": "thinking"}:
                found.append(f"{here}: reasoning without a signature")
            case _:
                pass
        kind = block["type"]
        if kind in KNOWN and kind != "tool_result" and kind not in ALLOWED.get(str(role), KNOWN):
            found.append(f"{here}: {kind} is not for the {role}")
    return made


def _servers(blocks: Sequence[Block], at: str, *, last: bool) -> list[str]:
    """What is wrong with the calls and results of tools that the provider runs."""
    found: list[str] = []
    open_: dict[Any, str] = {}
    for k, block in enumerate(blocks):
        here = f"{at}.content[{k}]"
        if block["type"] in SERVER_CALLS:
            open_[block.get("id")] = here
        elif block["type"] in RESULTS and open_.pop(block.get("tool_use_id"), None) is None:
            found.append(f"{here}: {block['type']} without its call in the same message")
    return found if last else found + [f"{here}: call {call_id!r} has no result" for call_id, here in open_.items()]


def _thinking(blocks: Sequence[Block], at: str) -> list[str]:
    kinds = [block["type"] in THINKING for block in blocks]
    if not any(kinds):
        return []
    found = [] if kinds[0] else [f"{at}: a message with reasoning must begin with it"]
    return [*found, f"{at}: reasoning ends the message"] if kinds[-1] else found
