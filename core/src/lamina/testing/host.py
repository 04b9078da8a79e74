"""A host for a part that is tested by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import Any

from lamina.errors import ConfigError


class LoneHost:
    """Stands in for the kernel when one opener is tested alone.

    Args:
        home: Where relative paths lie.
        namespace: The tenant.
        parts: What ``open(kind, name)`` gives.
        clock: Unix time in seconds; ``time.time`` by default.
        services: What ``services`` gives, for tools.
    """

    def __init__(
        self,
        home: Path,
        *,
        name: str = "lone",
        namespace: str = "test",
        parts: Mapping[tuple[str, str], Any] | None = None,
        clock: Callable[[], float] = time.time,
        services: Any = None,
    ) -> None:
        self.name, self.namespace, self.clock, self.services = name, namespace, clock, services
        self.random = random.Random(0)
        self.logged: list[dict[str, Any]] = []
        """What the part logged: the facts of each event, its level as ``log_level`` and its text as ``event``."""
        self._home, self._parts = home, dict(parts or {})

    @cached_property
    def logger(self) -> Any:
        """A structlog logger that keeps its events in :attr:`logged` and prints none."""
        import structlog

        def keep(_: Any, method: str, event: MutableMapping[str, Any]) -> Any:
            self.logged.append({**event, "log_level": method})
            raise structlog.DropEvent

        wrapper = structlog.make_filtering_bound_logger(0)
        return structlog.wrap_logger(None, processors=[keep], wrapper_class=wrapper, part=self.name)

    def path(self, given: str | Path) -> Path:
        """The path, in the home folder unless absolute; its parent exists afterwards."""
        path = self._home / Path(given).expanduser()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    async def open(self, kind: str, name: str) -> Any:
        """The given part."""
        try:
            return self._parts[kind, name]
        except KeyError:
            raise ConfigError([f"{kind}s.{name}: not among the parts given to LoneHost"]) from None
