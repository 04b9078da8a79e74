"""A token counter for lamina that corrects another by the usage that a provider reported, and the command for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen, validators

from lamina.hookspecs import Register, RegisterCommand, hookimpl
from lamina.host import Host
from lamina.protocols import Counter
from lamina.trust import outside_home

if TYPE_CHECKING:
    import argparse


@frozen
class CalibratedSettings:
    """Settings of the calibrated counter."""

    counter: str
    """The configured counter that is corrected."""
    model: str
    """The model whose reported usage corrects it, as the recordings name it."""
    file: Path = field(default=Path("calibration.json"), metadata={"trust": outside_home})
    """What ``lamina calibrate`` wrote; relative paths lie in lamina's home."""
    cover: float = field(default=0.95, validator=validators.in_((0.5, 0.9, 0.95, 0.99)))
    """The share of requests that shall not cost more than was counted, as measured on sessions held out; 0.5 gives the
    likeliest count."""


@asynccontextmanager
async def open_calibrated(settings: CalibratedSettings, host: Host) -> AsyncIterator[Counter]:
    """Open the counter around the one that it names, with the calibration that the file holds now.

    Raises:
        ConfigError: The file is not there, or holds none for this model and counter; says which it holds.
        IntegrityError: The file is damaged.
    """
    from lamina_counter_calibrated._counter import calibrated
    from lamina_counter_calibrated._file import read, select

    inner = await host.open("counter", settings.counter)
    path = host.path(settings.file)
    chosen = select(read(path), settings.model, inner.info.fingerprint, path)
    yield calibrated(inner, chosen, settings.cover)


@hookimpl
def register_counter(register: Register[Counter]) -> None:
    """Offer ``calibrated``."""
    register("calibrated", open_calibrated, CalibratedSettings)


def _configure(parser: argparse.ArgumentParser) -> None:
    from lamina_counter_calibrated._command import configure  # keeps start-up light

    configure(parser)


def _run(args: argparse.Namespace) -> int:
    from lamina_counter_calibrated._command import run

    return run(args)


@hookimpl
def register_command(register: RegisterCommand) -> None:
    """Offer ``calibrate``."""
    register("calibrate", "correct a counter by the usage that recordings report", _configure, _run)
