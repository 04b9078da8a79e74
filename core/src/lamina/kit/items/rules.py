"""What the Responses API knows and allows, for reading, writing and checking.

Source: OpenAI, "Responses" (platform.openai.com/docs/api-reference/responses), "Conversation state", "Reasoning models",
"Images and vision", "File inputs", the types of the package ``openai``, and the texts of the errors that the API answers
with.
"""

from __future__ import annotations

import re

from attrs import frozen

FAMILY = "responses"
"""Whose members and items these are. The Agents SDK and Codex record the same."""
ITEM = "responses.item"
"""Members of an item of which a part is the first one: an assistant's text may be one of several in its item."""
PART = "responses.part"
"""The kind of a part of a message's content that the model has no word for; an item of its own is of :data:`FAMILY`."""
EASY = "responses.easy"
"""Marks a message that came without a type."""
DEVELOPER = "responses.developer"
"""Marks what came in the role ``developer``."""
BARE = "responses.bare"
"""Marks an image that came without the detail that the types want."""
SUMMARIES = "responses.summaries"
"""Marks reasoning whose text is its summaries with a blank line between them."""
OWN = frozenset({FAMILY, ITEM, PART, EASY, DEVELOPER, BARE, SUMMARIES})


@frozen
class Kind:
    """A kind of call that the program answers."""

    output: str
    """The type of the item that answers it."""
    name: str = ""
    """The tool's name, where its items have none."""
    payload: tuple[str, ...] = ()
    """The members that are its arguments, where these are no text: the first one there is."""
    key: str = "call_id"
    """The member that names the call."""
    answers: str = "call_id"
    """The member of the answer that names the call."""


KINDS = {
    "function_call": Kind("function_call_output"),
    "custom_tool_call": Kind("custom_tool_call_output"),
    "local_shell_call": Kind("local_shell_call_output", "local_shell", ("action",), answers="id"),
    "shell_call": Kind("shell_call_output", "shell", ("action",)),
    "apply_patch_call": Kind("apply_patch_call_output", "apply_patch", ("operation",)),
    "computer_call": Kind("computer_call_output", "computer", ("action", "actions")),
    "tool_search_call": Kind("tool_search_output", "tool_search", ("arguments",)),
    "mcp_approval_request": Kind("mcp_approval_response", key="id", answers="approval_request_id"),
}
OUTPUTS = {kind.output: name for name, kind in KINDS.items()}
"""The type of an answer to that of its call."""

IDENTIFIED = frozenset({"computer_call", "local_shell_call"})
"""Calls that the types want an id of."""

SERVED = frozenset(
    {
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "compaction",
        "program",
        "program_output",
        "item_reference",
    }
)
"""What the provider did or keeps itself: the assistant's, and carried as it came."""
OURS = frozenset({"compaction_trigger", "configuration_update", "additional_tools"})
"""What a program says to the provider, and no person."""
TYPES = frozenset({"message", "reasoning", *KINDS, *OUTPUTS, *SERVED, *OURS})

PARTS = {
    "user": frozenset({"input_text", "input_image", "input_file", "input_audio"}),
    "system": frozenset({"input_text"}),
    "developer": frozenset({"input_text"}),
    "assistant": frozenset({"output_text", "refusal"}),
    "tool": frozenset({"input_text", "input_image", "input_file"}),
}
"""The parts that the content of a message of this role, or the output of a tool, may have."""
KNOWN_PARTS = frozenset().union(*PARTS.values())
"""All parts; one of another type comes from a later API, or another server, and is taken where it came."""

PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fc",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctc",
    "web_search_call": "ws",
}
"""How the id of an item begins; an item with another one is refused, one without is taken."""
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
"""The id of an item."""
CALL_CHARS = 64
"""Of the id of a call."""
NAME_CHARS = 128
"""Of a function's name."""
TEXT_CHARS = 10 * 2**20
"""Of one text, of the arguments of a call, and of its output."""
IMAGE_CHARS = 20 * 2**20
"""Of an image's data URL."""
MEDIA = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
URL = re.compile(r"https?://")
CLIENT_ONLY = frozenset({"parsed", "parsed_arguments", "provider_data", "prompt_cache_breakpoint"})
"""Members that clients add for themselves and that the API refuses, and marks of a cached prefix, which are the caller's."""
EMPTY = "[empty message]"


def suits(item_type: object, id: object) -> bool:
    """Whether an item of this type may have this id."""
    if not (isinstance(id, str) and ID.fullmatch(id)):
        return False
    return not isinstance(item_type, str) or id.startswith(PREFIXES.get(item_type, ""))


def fits(kind: object, role: str) -> bool:
    """Whether a part of this type may stand in a message of this role, or in a tool's output."""
    return kind in PARTS[role] or kind not in KNOWN_PARTS
