"""Files for agents, for lamina: read, write, edit, find and search, confined to folders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Tool, ToolSource


@frozen
class FilesSettings:
    """Settings of ``files``."""

    __trust__: ClassVar[bool] = True  # whoever names the folders decides what a model may read

    root: Path = field(default=Path())
    """The folder that all paths lie in; the working folder by default. Nothing outside of it is reached."""
    write: bool = True
    """Whether there are tools that change files."""
    max_bytes: int = field(default=2_000_000, validator=validators.ge(1000))
    """Largest file that is read or written."""
    max_lines: int = field(default=2000, validator=validators.ge(1))
    """Lines of one answer, where the model does not ask for fewer."""
    max_found: int = field(default=200, validator=validators.ge(1))
    """Files or lines that one search gives."""
    prefix: str = field(default="", validator=validators.matches_re(r"[A-Za-z0-9_-]{0,40}"))
    """Stands before the tools' names, where several of this kind are configured."""


@asynccontextmanager
async def open_files(settings: FilesSettings, host: Host) -> AsyncIterator[Tool | ToolSource]:
    """Open ``files``."""
    from lamina_tool_files._tools import Files

    yield Files(settings)


@hookimpl
def register_tool(register: Register[Tool | ToolSource]) -> None:
    """Offer ``files``."""
    register("files", open_files, FilesSettings)
