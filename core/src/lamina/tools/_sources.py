"""Follows sources of tools."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lamina.errors import ToolError
from lamina.logging import logger
from lamina.outputs import failure_of
from lamina.protocols import Tool, ToolSource

if TYPE_CHECKING:
    from lamina.tools._registry import Registry

_REST_S = 1.0
"""A source that fails is asked again after this, and then ever less often, up to a minute."""


class Followed:
    """One source: its tools stand in the registry as long as it says so."""

    def __init__(self, registry: Registry, source: ToolSource, name: str) -> None:
        self._registry, self._source, self._name = registry, source, name
        self._tools: dict[str, Tool] = {}
        self._refused: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Take the tools in, and follow."""
        await self._refresh()
        self._task = asyncio.create_task(self._follow())

    async def end(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)

    async def _follow(self) -> None:
        rest_s = _REST_S
        while True:
            try:
                await self._source.changed()
                await self._refresh()
            except Exception as error:  # noqa: BLE001 - the plugin boundary
                self._gone(error)
                await asyncio.sleep(rest_s)
                rest_s = min(rest_s * 2, 60.0)
                await self._refresh()
            else:
                rest_s = _REST_S

    async def _refresh(self) -> None:
        try:
            offered = list(await self._source.tools())
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._gone(error)
            return
        self._registry.refused.pop(self._name, None)
        self._take_in({tool.spec.name: tool for tool in offered})

    def _take_in(self, offered: dict[str, Tool]) -> None:
        for name in self._refused:
            self._registry.refused.pop(name, None)
        self._refused.clear()
        for name, tool in list(self._tools.items()):
            # Equal in what a model sees and the engine knows: then calls go on as before, only to the newer object.
            if offered.get(name) is not tool:
                self._registry.unregister(name)
                del self._tools[name]
        for name, tool in offered.items():
            if name in self._tools:
                continue
            try:
                self._registry.register(tool, source=self._name)
            except ToolError as error:
                self._refused.add(name)
                self._registry.refused[name] = f"{self._name}: {error}"
                logger(part="tools").warning("tool left out", source=self._name, tool=name, why=str(error))
            else:
                self._tools[name] = tool

    def _gone(self, error: Exception) -> None:
        self._take_in({})
        self._registry.refused[self._name] = failure_of(error).text
        logger(part="tools").warning("source of tools failed", source=self._name, error=failure_of(error).text)
