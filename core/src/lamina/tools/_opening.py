"""Opens the tools that a configuration names."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any, Protocol

from lamina.config import Config
from lamina.outputs import plain_value
from lamina.protocols import Storage, ToolReference, ToolSource
from lamina.tools._entries import Placed
from lamina.tools._registry import Registry, Wiring


class Opens(Protocol):
    """Opens configured parts."""

    async def open(self, kind: str, name: str) -> Any:
        """The part."""
        ...


async def open_registry(config: Config, parts: Opens, storage: Storage, chance: Any, stack: AsyncExitStack) -> Registry:
    """The registry of a context, with its executors, its grants, and the tools that have a table.

    Raises:
        ConfigError: A part is not configured or not installed.
        PluginError: One could not be opened.
        ToolError: Two tools have one name, or an executor cannot run a tool.
    """
    calls = config.calls
    names = [calls.executor] if calls.executor else []
    executors = {name: Placed(name, await parts.open("executor", name)) for name in dict.fromkeys([*names, *calls.executors.values()])}  # fmt: skip
    grants = await parts.open("grants", calls.grants) if calls.grants else None
    by_tool = {pattern: executors[name] for pattern, name in calls.executors.items()}
    default = executors[calls.executor] if calls.executor else None
    registry = Registry(
        calls, config.catalogue, Wiring(default, by_tool, grants, config.top.namespace, storage, chance)
    )
    stack.push_async_callback(registry.close)
    for name in config.names("tool"):
        part = await parts.open("tool", name)
        if isinstance(part, ToolSource):
            await registry.add_source(part, name)
        else:
            registry.register(part, source=name, reference=_reference(config, name) if part.spec.shippable else None)
    return registry


def _reference(config: Config, name: str) -> ToolReference:
    """Where another process finds a configured tool: in a configuration that has it, and nothing else."""
    instance = config.instance("tool", name)
    table = {"use": instance.use, **plain_value(instance.settings)}
    top = {"home": config.top.home, "namespace": config.top.namespace, "profile": config.top.profile}
    return ToolReference(f"tool:{name}", {**{k: v for k, v in top.items() if v is not None}, "tools": {name: table}})
