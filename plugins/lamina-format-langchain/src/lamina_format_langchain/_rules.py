"""What LangChain's messages are, for reading, writing and checking.

Source: ``langchain_core.messages`` (the classes of messages, ``content`` for the standard blocks, ``utils`` for loading) and
``langchain_core.load``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.model import Role

FAMILY = "langchain"

CLASSES = {
    "HumanMessage": "human",
    "AIMessage": "ai",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "ChatMessage": "chat",
    "RemoveMessage": "remove",
}
"""Classes of messages and their types; a piece of a stream is a ``…Chunk``, and its type is its class's name."""
TYPES: dict[str, str] = {
    **{kind: kind for kind in CLASSES.values()},
    **{f"{name}Chunk": kind for name, kind in CLASSES.items()},
}
"""Every type that is loaded, and what it is."""
ROLES: dict[str, Role] = {
    "human": "user",
    "user": "user",
    "ai": "assistant",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
"""The roles of types, and of speakers whose message is of type ``chat``, or a plain ``role``."""
WRITTEN: dict[Role, str] = {"user": "human", "assistant": "ai", "system": "system", "tool": "tool"}

DEFAULTS: dict[str, dict[str, Any]] = {
    "human": {},
    "system": {},
    "chat": {},
    "ai": {"tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None},
    "tool": {"artifact": None, "status": "success"},
}
"""The members of a type that LangChain writes though nothing is known of them."""
COMMON: dict[str, Any] = {"additional_kwargs": {}, "response_metadata": {}, "name": None, "id": None}
"""Those of every message."""

CALLS = {
    "tool_use": ("id", "input"),
    "tool_call": ("id", "args"),
    "function_call": ("call_id", "arguments"),
}
"""Blocks of content that are calls: the members that hold the id and the arguments."""
USAGE = ("input_tokens", "output_tokens", "total_tokens")
_KINDS: dict[str, tuple[type, ...]] = {
    "additional_kwargs": (dict,),
    "response_metadata": (dict,),
    "usage_metadata": (dict, type(None)),
    "name": (str, type(None)),
    "id": (str, type(None)),
    "tool_call_id": (str,),
    "role": (str,),
}


def fits(key: str, value: Any) -> bool:
    """Whether LangChain loads a message whose member of this name is this; of other members it takes anything."""
    if key not in _KINDS:
        return True
    counts = value if key == "usage_metadata" and isinstance(value, dict) else dict.fromkeys(USAGE, 0)
    return isinstance(value, _KINDS[key]) and all(isinstance(counts.get(name), int) for name in USAGE)


def is_default(kind: str, key: str, value: Any) -> bool:
    """Whether a member says nothing: it is what LangChain writes anyway, or what an older release wrote (``example``)."""
    known = COMMON | DEFAULTS.get(kind, {})
    return (key in known and value in (known[key], None)) or (key == "example" and value is False)


def unpacked(value: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The type of a message and its members, however it was dumped; ``None`` where it is none."""
    kind, data = value.get("type"), value.get("data")
    if kind == "constructor" and value.get("lc") == 1:
        path, given = value.get("id"), value.get("kwargs")
        name = path[-1] if isinstance(path, list) and path else None
        base = name.removesuffix("Chunk") if isinstance(name, str) else ""
        return (CLASSES[base], given) if base in CLASSES and isinstance(given, dict) else None
    if not isinstance(kind, str):
        role = value.get("role")
        return (role, value) if isinstance(role, str) and role in ROLES and "content" in value else None
    if kind not in TYPES:
        return None
    if isinstance(data, dict) and "content" not in value:
        return TYPES[kind], data
    return (TYPES[kind], value) if "content" in value or kind == "remove" else None
