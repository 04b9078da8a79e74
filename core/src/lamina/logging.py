"""Logging by structlog: quiet unless something is wrong, one line per event, to standard error.

``[logging] level`` and ``format`` (``text`` or ``json``) configure it for lamina alone: the application's own
structlog configuration and the root logger are left as they are.
"""

from __future__ import annotations

import logging as stdlib
import sys
from typing import Any, Literal

_logger: Any = None

LEVELS = ("debug", "info", "warning", "error", "critical")


def configure(level: str = "warning", format: Literal["text", "json"] = "text") -> None:
    """Log events of this level and above in this form from now on."""
    import structlog

    global _logger
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


def logger(**facts: Any) -> Any:
    """A structlog logger that adds these facts to every event."""
    if _logger is None:
        configure()
    return _logger.bind(**facts)
