"""What the Messages API knows and allows, for reading, writing and checking.

Source: Anthropic, "Messages" (platform.claude.com/docs/en/api/messages), "Vision", "PDF support", "Extended thinking",
"Tool use", and the texts of the errors that the API answers with.
"""

from __future__ import annotations

FAMILY = "anthropic"
"""Whose members and blocks these are; Claude Code records the same."""

MEDIA = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
RESULTS = frozenset(
    f"{tool}_tool_result"
    for tool in (
        "web_search",
        "web_fetch",
        "code_execution",
        "bash_code_execution",
        "text_editor_code_execution",
        "tool_search",
        "advisor",
        "mcp",
    )
)
"""Results of tools that the provider runs: they stand in the assistant's own message."""
SERVER_CALLS = frozenset({"server_tool_use", "mcp_tool_use"})
THINKING = frozenset({"thinking", "redacted_thinking"})
ALLOWED = {
    "system": frozenset({"text"}),
    "user": frozenset({"text", "image", "document", "tool_result", "search_result", "container_upload"}),
    "assistant": frozenset({"text", "tool_use", "compaction", "container_upload"}) | THINKING | SERVER_CALLS | RESULTS,
}
"""The blocks that a message of this role may hold."""
INSIDE = frozenset({"text", "image", "document", "search_result", "tool_reference"})
"""The blocks that a tool's result may hold."""
KNOWN = INSIDE.union(*ALLOWED.values())
"""All blocks; one of another type comes from a later API, and is taken where it came."""

NAME_CHARS = 128
IMAGE_BYTES = 5 * 2**20
"""Of the base64; some hosts of the API allow twice as much."""
IMAGE_SIDE = 8000
"""Pixels."""
MANY_IMAGES = 20
"""In a request with more of them, a side may have :data:`MANY_SIDE` pixels only."""
MANY_SIDE = 2000
MOST_IMAGES = 100
"""In one request."""
MARKS = 4
"""Blocks with ``cache_control`` in one request."""

NO_OUTPUT = "[no output]"
"""Stands for nothing where the API wants text: an error without a word."""
FAILED = "[error]"
"""Stands before what an error shows, because ``is_error`` goes with texts only."""
EMPTY = "[empty message]"


def fits(kind: object, role: str) -> bool:
    """Whether a block of this type may stand in a message of this role."""
    return kind in ALLOWED[role] or (kind not in KNOWN and role != "system")
