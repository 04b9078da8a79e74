"""Items of OpenAI's Responses API, as they are read, written and told apart from everything else.

The Responses API, the Agents SDK and Codex's recordings hold the same items: messages, reasoning, calls of many kinds and
what answers them, what the provider's own tools took and gave. :mod:`lamina.kit.items.rules` has what the API knows and
allows.
"""

from lamina.kit.items._content import MalformedError
from lamina.kit.items._reading import Reader, is_item
from lamina.kit.items._writing import write
from lamina.kit.items.rules import DEVELOPER, FAMILY

__all__ = ["DEVELOPER", "FAMILY", "MalformedError", "Reader", "is_item", "write"]
