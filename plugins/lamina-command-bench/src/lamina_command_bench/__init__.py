"""The command ``lamina bench``: how well and how fast a configuration does what it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lamina.hookspecs import RegisterCommand, hookimpl

if TYPE_CHECKING:
    import argparse


def _configure(parser: argparse.ArgumentParser) -> None:
    from lamina_command_bench._command import configure  # keeps start-up light

    configure(parser)


def _run(args: argparse.Namespace) -> int:
    from lamina_command_bench._command import run

    return run(args)


@hookimpl
def register_command(register: RegisterCommand) -> None:
    """Offer ``bench``."""
    register("bench", "measure recall on memories and questions of your own", _configure, _run)
