"""What Pydantic AI's messages are, for reading, writing and checking.

Source: ``pydantic_ai.messages`` (the parts of requests and responses, and what their validators refuse).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lamina.kit.images import readable

FAMILY = "pydantic-ai"

IN_REQUESTS = frozenset({
    "system-prompt", "user-prompt", "tool-return", "retry-prompt", "retry-feedback", "speech", "compaction",
    "tool-availability-delta", "capability-load-delta", "model-settings-delta", "instruction-delta", "instruction-baseline",
})  # fmt: skip
IN_RESPONSES = frozenset({
    "text", "thinking", "tool-call", "builtin-tool-call", "builtin-tool-return", "file", "speech", "compaction",
})  # fmt: skip
KNOWN = IN_REQUESTS | IN_RESPONSES
"""All parts; one of another kind comes from a later release, and is taken where it came."""
RETRIES = ("retry-prompt", "retry-feedback")
"""Parts in which Pydantic AI itself asks the model to try again."""

LINKS = frozenset({"image-url", "audio-url", "video-url", "document-url"})
ITEMS = LINKS | {"binary", "uploaded-file", "text-content", "structured-content", "cache-point"}
"""What a user's prompt may hold beside texts."""

FAILED = ("failed", "retried")
"""Outcomes of a call that are errors."""

_SILENT: dict[str, Any] = {"state": "complete", "scope": "conversation", "outcome": "success", "force_download": False}


def rest(value: Mapping[str, Any], *known: str) -> dict[str, Any]:
    """The members that say something and are not known."""
    return {
        key: item for key, item in value.items() if key not in known and item is not None and _SILENT.get(key) != item
    }


def decodes(data: Any) -> bool:
    """Whether the library loads this as data: base64 in either alphabet, or nothing."""
    return isinstance(data, str) and (data == "" or readable(data.replace("-", "+").replace("_", "/")))


def seconds(stamp: Any) -> float | None:
    """The time of a part or message, as Unix seconds."""
    if not isinstance(stamp, str):
        return None
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, OverflowError):
        return None
