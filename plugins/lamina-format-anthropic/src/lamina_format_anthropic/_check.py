"""Checking: which rules of the Messages API do messages break?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamina_format_anthropic._write import _ID


def faults(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when a request with these messages is valid.

    After at most one first element of role ``system``, which holds only texts, there is a message; user and
    assistant alternate, the user first; no content is empty and no text blank; each call has an id of its own, a
    name and an object as input; the results of a message's calls stand first in the message that follows, each
    once, and nowhere else; reasoning is signed and only the assistant's.
    """
    found: list[str] = []
    start = bool(messages) and messages[0].get("role") == "system"
    if start:
        found += _system(messages[0].get("content"))
    if len(messages) == start:
        return [*found, "messages: there is none"]
    waiting: dict[str, str] = {}
    before = "assistant" if start else None
    for i, message in enumerate(messages[start:], start):
        at, role = f"messages[{i}]", message.get("role")
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
        waiting = _others(blocks, at, role, found)
    return found + [f"{made}: call {call_id!r} has no result" for call_id, made in waiting.items()]


def _system(content: Any) -> list[str]:
    found: list[str] = []
    blocks = _blocks(content, "messages[0]", found)
    wrong = (k for k, block in enumerate(blocks) if block.get("type") != "text")
    return found + [f"messages[0].content[{k}]: a system prompt holds only texts" for k in wrong]


def _blocks(content: Any, at: str, found: list[str]) -> list[Mapping[str, Any]]:
    """The blocks of a content, text as one block; adds what is wrong with their shape."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        found.append(f"{at}.content: must be text or a list of blocks")
        return []
    if not content:
        found.append(f"{at}.content: is empty")
    blocks: list[Mapping[str, Any]] = []
    for k, block in enumerate(content):
        if not isinstance(block, Mapping) or not isinstance(block.get("type"), str):
            found.append(f"{at}.content[{k}]: is no block with a type")
            continue
        blocks.append(block)
        if block["type"] == "text" and not (isinstance(text := block.get("text"), str) and text.strip()):
            found.append(f"{at}.content[{k}]: text is blank")
    return blocks


def _results(
    blocks: Sequence[Mapping[str, Any]], at: str, role: Any, waiting: Mapping[str, str], found: list[str]
) -> set[str]:
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
    return answered


def _others(blocks: Sequence[Mapping[str, Any]], at: str, role: Any, found: list[str]) -> dict[str, str]:
    """The calls that the blocks make, with their places; adds what is wrong with calls and reasoning."""
    made: dict[str, str] = {}
    for k, block in enumerate(blocks):
        here = f"{at}.content[{k}]"
        match block:
            case {"type": "tool_use", "id": str(call_id), "name": str(name), "input": dict()} if (
                _ID.fullmatch(call_id) and name
            ):
                if call_id in made:
                    found.append(f"{here}: id {call_id!r} is used twice")
                made[call_id] = here
            case {"type": "tool_use"}:
                found.append(f"{here}: a call needs an id of letters, digits, _ and -, a name, and an object as input")
            case {"type": "thinking", "signature": str(signature)} if signature:
                pass
            case {"type": "thinking"}:
                found.append(f"{here}: reasoning without a signature")
            case _:
                pass
        if role != "assistant" and block["type"] in ("tool_use", "thinking", "redacted_thinking"):
            found.append(f"{here}: {block['type']} is only for the assistant")
    return made
