"""The commands that the command line brings itself, offered by the hook like anybody else's.

A command is a module with ``configure(parser)`` and ``run(arguments) -> int``; it is imported when it is used.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from lamina.hookspecs import RegisterCommand, hookimpl

if TYPE_CHECKING:
    import argparse

    from lamina.model import Call
    from lamina.protocols import Decision

COMMANDS = {
    "pack": ("pack", "print the window of a session that fits a budget, ready to send"),
    "recall": ("recall", "find what was said or remembered, wherever it is kept"),
    "expand": ("expand", "print the original text of pages"),
    "explain": ("explain", "show what became of each page in the window, and why"),
    "sessions": ("sessions", "list the stored sessions"),
    "import": ("import_files", "store recorded sessions"),
    "export": ("export", "write a stored session as a file"),
    "remember": ("remember", "keep a note that outlives every window"),
    "memories": ("memories", "list what is remembered"),
    "forget": ("forget", "let memories be recalled no more"),
    "consolidate": ("consolidate", "move memories between the tiers by their policies"),
    "undo": ("undo", "take back what a consolidation superseded"),
    "tools": ("tools", "list the tools that a model may be shown"),
    "call": ("call", "run one tool"),
    "grants": ("grants", "say whether a call would be allowed, and by which rule"),
    "plugins": ("plugins", "list what is installed, and what of it is used"),
    "config": ("config", "show every effective setting and where it came from"),
    "trust": ("trust", "let a configuration file in the working folder set everything"),
    "doctor": ("doctor", "check the installation and the configuration"),
}
"""Name to module and help."""


def _configure(module: str, parser: argparse.ArgumentParser) -> None:
    importlib.import_module(f"lamina_cli.commands.{module}").configure(parser)


def _run(module: str, arguments: argparse.Namespace) -> int:
    code: int = importlib.import_module(f"lamina_cli.commands.{module}").run(arguments)
    return code


@hookimpl
def register_command(register: RegisterCommand) -> None:
    """Offer the commands."""
    for name, (module, help) in COMMANDS.items():
        register(name, help, functools.partial(_configure, module), functools.partial(_run, module))


asking: Callable[[Call, Decision], Awaitable[bool | None]] | None = None
"""Asks the person at the terminal; set only while a command runs that may ask, never in a program."""


@hookimpl
async def authorize(call: Call, decision: Decision) -> bool | None:
    """Leave it to others, unless a command of this line is there to ask."""
    return None if asking is None else await asking(call, decision)
