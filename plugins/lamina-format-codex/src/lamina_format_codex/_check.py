"""Checking: what keeps lines from being a rollout?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lamina.kit.items import rules


def faults(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every broken rule, each with its place; empty when Codex could have written these lines.

    There is a line; a line has a type and a payload; an item has a type, a message a role and content; a call has an id, and
    an output later; an output comes after its call.
    """
    if not lines:
        return ["messages: there is none"]
    found: list[str] = []
    open_: dict[str, str] = {}
    for i, line in enumerate(lines):
        at, payload = f"messages[{i}]", line.get("payload")
        if not isinstance(line.get("type"), str) or not isinstance(payload, Mapping):
            found.append(f"{at}: a line has a type and a payload")
        elif line["type"] == "response_item" and (fault := _item(payload, at, open_)):
            found.append(f"{at}.payload: {fault}")
    return found + [f"{made}: call {call!r} has no output" for call, made in open_.items()]


def _item(item: Mapping[str, Any], at: str, open_: dict[str, str]) -> str | None:
    """What is wrong with an item, if anything; keeps the open calls."""
    kind = item.get("type")
    if not isinstance(kind, str):
        return "an item has a type"
    if kind == "message" and not (isinstance(item.get("role"), str) and isinstance(item.get("content"), str | list)):
        return "a message has a role and content"
    if kind in rules.KINDS:
        call = item.get(rules.KINDS[kind].key)
        if isinstance(call, str):
            open_[call] = at
        elif kind != "tool_search_call":
            return f"a {kind} has an id"
    if kind in rules.OUTPUTS:
        keys = (rules.KINDS[rules.OUTPUTS[kind]].answers, "call_id")
        call = next((item[key] for key in keys if isinstance(item.get(key), str)), None)
        if open_.pop(str(call), None) is None and kind != "tool_search_output":
            return f"an output for {call!r}, which no earlier line calls"
    return None
