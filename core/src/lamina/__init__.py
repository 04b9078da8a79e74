"""Virtual memory for the context of LLM agents.

``import lamina`` loads next to nothing: every name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lamina.config import Config as Config
    from lamina.context import Context as Context
    from lamina.context import open as open
    from lamina.errors import LaminaError as LaminaError
    from lamina.hookspecs import hookimpl as hookimpl
    from lamina.model import Call as Call
    from lamina.model import CallResult as CallResult
    from lamina.model import Draft as Draft
    from lamina.model import Hit as Hit
    from lamina.model import Image as Image
    from lamina.model import Memory as Memory
    from lamina.model import Message as Message
    from lamina.model import Opaque as Opaque
    from lamina.model import Page as Page
    from lamina.model import Reasoning as Reasoning
    from lamina.model import Text as Text
    from lamina.model import ToolCall as ToolCall
    from lamina.model import ToolResult as ToolResult
    from lamina.model import assistant as assistant
    from lamina.model import system as system
    from lamina.model import tool_result as tool_result
    from lamina.model import user as user
    from lamina.outputs import Output as Output
    from lamina.protocols import Filter as Filter
    from lamina.session import Session as Session
    from lamina.session import SessionInfo as SessionInfo
    from lamina.sync import open_sync as open_sync
    from lamina.tools import tool as tool
    from lamina.window import Ledger as Ledger
    from lamina.window import LedgerLine as LedgerLine
    from lamina.window import LedgerRow as LedgerRow
    from lamina.window import Window as Window

_WHERE = {
    "config": ("Config",),
    "context": ("Context", "open"),
    "errors": ("LaminaError",),
    "hookspecs": ("hookimpl",),
    "model": (
        "Call", "CallResult", "Draft", "Hit", "Image", "Memory", "Message", "Opaque", "Page", "Reasoning", "Text", "ToolCall",
        "ToolResult", "assistant", "system", "tool_result", "user",
    ),
    "protocols": ("Filter",),
    "session": ("Session", "SessionInfo"),
    "outputs": ("Output",),
    "sync": ("open_sync",),
    "tools": ("tool",),
    "window": ("Ledger", "LedgerLine", "LedgerRow", "Window"),
}  # fmt: skip
_MODULE = {name: module for module, names in _WHERE.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE)]


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        value = getattr(importlib.import_module(f"lamina.{_MODULE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lamina' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
