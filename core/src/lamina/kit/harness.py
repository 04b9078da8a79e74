"""What a person wrote in a user's message, told apart from what a harness (an agent's program) wraps around it.

Harnesses put reminders, opened files, output of commands and notices into the user's messages, because providers know no
role for them. The shapes are those of harnesses that many people use; a recording keeps them whatever format it is
exported to, so that every format asks here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lamina.model import Message, Text
from lamina.protocols import Passage

_WRAPPED = re.compile(
    r"<(?P<name>[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)+|task|feedback|INSTRUCTIONS)(?P<given>\s[^<>]*)?>"
    r"(?P<inside>.*?)</(?P=name)>",
    re.DOTALL,
)
"""A block of a harness. Its tags have names of several words, which people's HTML hardly has."""
_OWN = frozenset(
    {"command-args", "user_query", "user-query", "user_message", "user_input", "user_request", "task", "feedback"}
)
"""Blocks that hold what the person typed."""
_RULES = re.compile(
    r"^(?:user[_-]instructions|INSTRUCTIONS|project[_-](?:instructions|rules)|(?:cursor|user|workspace)[_-]rules)$"
)
_RULES_FILE = re.compile(
    r"(?:Contents of|Context from:?|# )\s*\S*(?:CLAUDE|AGENTS|GEMINI|copilot-instructions|\.cursorrules)[^\n]*\n(?P<rules>.*)",
    re.DOTALL,
)
"""An instructions file of the project inside of a reminder, to the reminder's end."""
_LINE_NOTICE = re.compile(
    r"^\s*(?:\[Request interrupted[^\n]*|\[Image[^\n\]]*\]|\[Pasted text[^\n\]]*\])\s*$", re.MULTILINE
)
_END_NOTICE = re.compile(r"^\s*(?:Caveat:|API Error|This session is being continued from)", re.MULTILINE)
"""From here on the text is the harness's."""
_COMMAND = re.compile(r"<command-name>\s*/?(?P<name>[\w:.-]+)\s*</command-name>")
_LOCAL = frozenset(
    [
        "add-dir",
        "agents",
        "bashes",
        "clear",
        "compact",
        "config",
        "context",
        "cost",
        "doctor",
        "exit",
        "export",
        "help",
        "hooks",
        "ide",
        "init-verifiers",
        "login",
        "logout",
        "mcp",
        "memory",
        "model",
        "output-style",
        "permissions",
        "plugin",
        "privacy-settings",
        "quit",
        "resume",
        "rewind",
        "status",
        "statusline",
        "terminal-setup",
        "todos",
        "upgrade",
        "usage",
        "vim",
    ]
)
"""Commands that the harness carries out itself: they ask nothing of the model."""


def passages(message: Message) -> tuple[Passage, ...]:
    """What a person wrote in a user's message, and the project's rules that a harness quotes there; in order.

    Each is a piece of one text part, verbatim, without white space around it. A command (``/review the parser``) is its
    name where nothing else was typed. Linear in practice; a message without a ``<`` is passed over quickly.
    """
    if message.role != "user":
        return ()
    return tuple(passage for part in message.parts if isinstance(part, Text) for passage in _of_text(part.text))


def _of_text(text: str) -> list[Passage]:
    end = _END_NOTICE.search(text)
    if end is not None:
        text = text[: end.start()]
    found: list[Passage] = []
    at = 0
    for block in _blocks(text):
        found += _said(text[at : block.start()])
        found += _inside(block)
        at = block.end()
    found += _said(text[at:])
    if not found and (command := _COMMAND.search(text)) and command["name"] not in _LOCAL:
        found.append(Passage(command[0][len("<command-name>") : -len("</command-name>")].strip()))
    return found


def _blocks(text: str) -> Iterator[re.Match[str]]:
    """The blocks of a harness: each stands on lines of its own, or beside other blocks."""
    if "</" not in text:
        return
    at = 0
    for block in _WRAPPED.finditer(text):
        line = text.rfind("\n", 0, block.start()) + 1
        before = text[max(line, at) : block.start()]
        if before.strip():
            continue  # a tag inside of a sentence is the person's
        at = block.end()
        yield block


def _inside(block: re.Match[str]) -> Sequence[Passage]:
    name, inside = block["name"], block["inside"]
    if name in _OWN:
        return _said(inside)
    if _RULES.match(name):
        return _said(inside, rules=True)
    rules = _RULES_FILE.search(inside) if "instruction" in inside else None
    return _said(rules["rules"], rules=True) if rules is not None else ()


def _said(text: str, *, rules: bool = False) -> list[Passage]:
    """The text between notices, as passages."""
    if not text or text.isspace():
        return []
    pieces = [text] if rules or "[" not in text else _LINE_NOTICE.split(text)
    return [Passage(said, rules) for piece in pieces if (said := piece.strip().rstrip("\\").rstrip())]
