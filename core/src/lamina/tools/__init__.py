"""Tools: defining, finding, permitting and running them.

``ctx.tools`` is a :class:`Registry`. ``lamina.tool`` makes a function one that it takes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lamina.tools._definition import as_tool as as_tool
    from lamina.tools._definition import function_tool as function_tool
    from lamina.tools._definition import resolved as resolved
    from lamina.tools._definition import tool as tool
    from lamina.tools._patterns import Pattern as Pattern
    from lamina.tools._permits import EffectGrants as EffectGrants
    from lamina.tools._registry import Registry as Registry
    from lamina.tools._registry import Wiring as Wiring
    from lamina.tools._run import Run as Run
    from lamina.tools._schemas import Checker as Checker
    from lamina.tools._search import Found as Found

_WHERE = {
    "Checker": "_schemas",
    "EffectGrants": "_permits",
    "Found": "_search",
    "Pattern": "_patterns",
    "Registry": "_registry",
    "Run": "_run",
    "Wiring": "_registry",
    "as_tool": "_definition",
    "function_tool": "_definition",
    "resolved": "_definition",
    "tool": "_definition",
}

__all__ = ["Checker", "EffectGrants", "Found", "Pattern", "Registry", "Run", "Wiring", "as_tool", "function_tool", "resolved", "tool"]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"lamina.tools.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lamina.tools' has no attribute {name!r}")
