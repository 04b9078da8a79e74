"""What chat completions know and allow, for reading, writing and checking.

Source: OpenAI, "Chat" (platform.openai.com/docs/api-reference/chat), "Images and vision", "File inputs", and the texts
of the errors that the API answers with.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

from lamina.kit.sources import as_object

FAMILY = "openai"

PARTS = {
    "user": frozenset({"text", "image_url", "input_audio", "file"}),
    "assistant": frozenset({"text", "refusal"}),
    "system": frozenset({"text"}),
    "developer": frozenset({"text"}),
    "tool": frozenset({"text"}),
}
"""The parts that the content of a message of this role may have."""
KNOWN = frozenset().union(*PARTS.values())
"""All parts; one of another type comes from a later API, or another server, and is taken where it came."""

MEDIA = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
ID_CHARS = 40
"""Of the id of a call."""
NAME_CHARS = 64
"""Of a function's name, and of a speaker's."""
SPEAKER = re.compile(r"[^\s<|\\/>]{1,64}")
URL = re.compile(r"https?://|data:image/")


def fits(kind: object, role: str) -> bool:
    """Whether a part of this type may stand in a message of this role."""
    return kind in PARTS[role] or kind not in KNOWN


@lru_cache(maxsize=1024)  # a window shows the same calls turn after turn
def is_json(text: str) -> bool:
    """Whether the arguments of a call are what the API reads."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    # What Python reads and JSON has not: NaN and infinities.
    return not ("NaN" in text or "Infinity" in text) or as_object(text) is not None
