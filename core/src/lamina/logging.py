"""Logging by structlog: quiet unless something is wrong, one line per event, to standard error.

``[logging] level`` and ``format`` (``text`` or ``json``) configure it for lamina alone: the application's own
structlog configuration and the root logger are left as they are. structlog is imported with the first event,
because it costs as much as all the rest that a short command loads, and most commands have nothing to log.
"""

from __future__ import annotations

import logging as stdlib
import sys
from collections.abc import Mapping
from typing import Any, Literal

LEVELS = ("debug", "info", "warning", "error", "critical")

_wanted: tuple[str, str] = ("warning", "text")
_logger: Any = None


def configure(level: str = "warning", format: Literal["text", "json"] = "text") -> None:
    """Log events of this level and above in this form from now on."""
    global _wanted, _logger
    _wanted, _logger = (level, format), None


def logger(**facts: Any) -> Any:
    """A structlog logger that adds these facts to every event."""
    return _Deferred(facts)


class _Deferred:
    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copy, pickle and inspect ask for what no logger has
            raise AttributeError(name)
        return getattr(_made().bind(**self._facts), name)


def _made() -> Any:
    global _logger
    if _logger is None:
        import structlog

        level, format = _wanted
        renderer: Any = (
            structlog.processors.JSONRenderer() if format == "json" else structlog.dev.ConsoleRenderer(colors=False)
        )
        _logger = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(getattr(stdlib, level.upper())),
            cache_logger_on_first_use=False,
        )
    return _logger
