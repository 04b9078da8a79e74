"""Opens configured parts, once each, in the order they are asked for, and closes them in reverse."""

from __future__ import annotations

import random
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from lamina.config import TABLES, Config
from lamina.errors import ConfigError, LaminaError, MissingDependencyError, PluginError
from lamina.host import Services
from lamina.logging import logger


class Opened:
    """All open parts of one context.

    Args:
        config: Which parts there are.
        stack: Closes them.
        services: What tools are given.
    """

    def __init__(self, config: Config, stack: AsyncExitStack, services: Services) -> None:
        self.config, self.services = config, services
        self.random = random.Random(config.top.seed)  # noqa: S311 - not for secrets
        self._stack = stack
        self._parts: dict[tuple[str, str], Any] = {}

    async def open(self, kind: str, name: str, chain: tuple[tuple[str, str], ...] = ()) -> Any:
        """The part, opened now unless it is open already.

        Raises:
            ConfigError: It needs itself; the chain is spelt out.
            PluginError: Its opener failed; names the distribution.
        """
        key = (kind, name)
        if key in self._parts:
            return self._parts[key]
        if kind not in TABLES:
            raise ConfigError([f"{kind!r} is no kind of part; kinds are {', '.join(TABLES)}"])
        if key in chain:
            way = " → ".join(f"{k} {n}" for k, n in (*chain[chain.index(key) :], key))
            raise ConfigError([f"{TABLES[kind]}.{name}: needs itself: {way}; break the circle"])
        instance = self.config.instance(kind, name)
        offer = self.config.catalogue.find(kind, instance.use)
        part_host = PartHost(self, kind, name, (*chain, key))
        try:
            part = await self._stack.enter_async_context(offer.opener(instance.settings, part_host))
        except LaminaError:
            raise
        except ImportError as error:
            raise MissingDependencyError(
                offer.distribution, f"{kind} {name!r} needs a package that is not installed: {error}"
            ) from error
        except Exception as error:
            raise PluginError(
                offer.distribution, f"{kind} {name!r} could not be opened: {type(error).__name__}: {error}"
            ) from error
        self._parts[key] = part
        return part


class PartHost:
    """What one opener is given; see :class:`lamina.host.Host`."""

    def __init__(self, opened: Opened, kind: str, name: str, chain: tuple[tuple[str, str], ...]) -> None:
        self.name = name
        self.namespace = opened.config.top.namespace
        self.clock = time.time
        self.random = opened.random
        self.logger: Any = logger(part=f"{TABLES[kind]}.{name}")
        self.services = opened.services
        self._opened, self._chain = opened, chain

    def path(self, given: str | Path) -> Path:
        """The path, in lamina's home folder unless absolute; its parent exists afterwards (mode 0700)."""
        path = Path(self._opened.config.top.home).expanduser() / Path(given).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    async def open(self, kind: str, name: str) -> Any:
        """Another configured part."""
        return await self._opened.open(kind, name, self._chain)
