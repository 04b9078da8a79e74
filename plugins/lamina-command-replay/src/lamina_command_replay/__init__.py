"""The commands ``lamina replay`` and ``lamina tune``: recorded sessions through any configuration, measured."""

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


def _configure_tune(parser: argparse.ArgumentParser) -> None:
    from lamina_command_replay._tune import configure

    configure(parser)


def _run_tune(args: argparse.Namespace) -> int:
    from lamina_command_replay._tune import run

    return run(args)


@hookimpl
def register_command(register: RegisterCommand) -> None:
    """Offer ``replay`` and ``tune``."""
    register(
        "replay", "run recorded sessions through configurations, and measure what their windows show", _configure, _run
    )
    register("tune", "search for the configuration that suits your own recorded sessions", _configure_tune, _run_tune)
