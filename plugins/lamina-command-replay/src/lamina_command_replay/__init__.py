"""The command ``lamina replay``: recorded sessions through any configuration, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamina.hookspecs import RegisterCommand, hookimpl

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    from lamina_command_replay._command import configure  # keeps start-up light

    configure(parser)


def _run(args: argparse.Namespace) -> int:
    from lamina_command_replay._command import run

    return run(args)


@hookimpl
def register_command(register: RegisterCommand) -> None:
    """Offer ``replay``."""
    register(
        "replay", "run recorded sessions through configurations, and measure what their windows show", _configure, _run
    )
