"""What a person wrote in a user's message, told apart from what a harness (an agent's program) wraps around it.

Harnesses put reminders, opened files, output of commands and notices into the user's messages, because providers know no
role for them. The shapes are those of harnesses that many people use; a recording keeps them whatever format it is
exported to, so that every format asks here.

Where it is unclear who wrote something, it counts as the person's: a reminder too many costs a few tokens, a sentence too
few costs the task. So only blocks of known names count, whole ones, that begin a line outside of a fenced code block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from attrs import define

from lamina.model import Message, Text
from lamina.protocols import Passage

_Kind = Literal["own", "rules", "wrap"]

_TOKEN = re.compile(
    r"<(?P<close>/)?(?P<name>[A-Za-z][\w-]*)(?P<given>\s[^<>]*)?>"
    r"|^[ \t]{0,3}(?P<fence>```|~~~)"
    r"|^(?P<called>Called the \w{1,40} tool with the following input:)[^\n]*"
    r"|^(?P<files>--- Content from referenced files ---)"
    r"|^[ \t]*(?P<notice>\[Request interrupted by user[^\n\]]*\]|\[Image(?: #\d+|: [^\n\]]*)\]"
    r"|\[Pasted text #\d+[^\n\]]*\]|Caveat: The messages below we[^\n]*"
    r"|The user (?:denied|approved) this operation[^\n]{0,60}[.:]|The user provided the following feedback:)[ \t]*$",
    re.MULTILINE,
)
"""Whatever may begin or end something of a harness. Each alternative stays on its line or between two brackets, and none
can begin within another's repeated part: so a search is linear."""
_SIGNS = ("<", "[", "Called the ", "--- Content from", "Caveat: ", "The user ")
"""A text without any of these holds nothing of a harness but what stands at its beginning."""
_OWN = frozenset(
    {"command_name", "command_args", "user_query", "user_message", "user_input", "user_request", "task", "feedback", "answer"}
)  # fmt: skip
"""Blocks that hold what the person typed (``-`` read as ``_``)."""
_RULES = re.compile(
    r"(?:user|project|custom)_instructions|(?:cursor|user|project|cline|(?:always_applied_)?workspace)_rules|INSTRUCTIONS"
)
_WRAPS = re.compile(
    r"(?:ide|local_command)_\w+|bash_(?:input|stdout|stderr)|command_(?:message|contents|stdout|stderr)"
    r"|system_(?:reminder|warning|notification|notice|message|information)|(?:plan_mode|todo)_reminder"
    r"|(?:user_prompt_submit|session_start|pre_tool_use|post_tool_use|stop)_hook|hook_(?:context|prompt|output|result)"
    r"|(?:task|agent|subagent|background_task)_notification|agent_(?:skills|transcripts)|mcp_(?:file_system|resources?|servers?)"
    r"|(?:apps|plugins|skills|permissions|explicit|additional|developer|mcp|tool)_instructions"
    r"|(?:environment|session|project|workspace|editor|user|additional|conversation|file|goal|tool|hook)_context"
    r"|(?:codex_internal|internal_model)_context|environment_details|user_(?:info|action|shell_command)|turn_aborted"
    r"|teammate_message|collaboration_mode|model_switch|personality_spec|(?:token|rollout)_budget|total_tokens"
    r"|recommended_plugins|additional_data|(?:open(?:_and_recently_viewed)?|attached|image|opened|visible|related)_files"
    r"|recently_viewed_files|git_(?:status|working_state)|(?:file|folder|url)_content|project_layout|linter_errors"
    r"|edit_history|current_file|(?:manually_added|code|terminal)_selection|cursor_commands|(?:new|workspace)_diagnostics"
    r"|available_skills"
)
_ALONE = frozenset({"task", "feedback", "answer", "instructions"})
"""Names that a person's own markup may well have: of a harness's, they have no attributes."""
_READ = frozenset({"file", "path", "type", "content", "entries", "timestamp"})
"""Blocks that are a harness's only where it is seen at work: behind a notice of a call, beside a wrapped query."""
_SHAPES = {"rules": "_rules>", "skill": "<skill>\n<name>"}
"""Names that need something else in the text to be a harness's."""

_CONTINUED = re.compile(
    r"\s*(?:This session is being continued from a previous conversation"
    r"|Another language model started to solve this problem and produced a summary"
    r"|Stop hook feedback:\s*\n|Result of calling the \w{1,40} tool:|</image>\s*\Z|<image name=\[[^\n]*>\s*\Z)"
)
"""All of a text that begins like this is the harness's."""
_ANSWERS = re.compile(r"\s*(?:\[\w{1,60} for '[^\n]*\] Result:|\[TASK RESUMPTION\])")
"""A message that begins like this is the harness's, but for the person's own blocks."""
_SETS_UP = "This is the Gemini CLI. We are setting up the context for our chat."
_SET_UP = "I will provide my first command in the next turn."
_FROM_EDITOR = re.compile(r"\s*# (?:Context from my IDE setup|Files mentioned by the user):")
_REQUEST = re.compile(r"^## My request for [^\n]{1,40}:[ \t]*$", re.MULTILINE)
_FILES_END = "--- End of content ---"
_AGENTS = re.compile(r"\s*# AGENTS\.md instructions for [^\n]*\n")
_RULES_FILE = re.compile(
    r"^[ \t]*(?:Contents of|Instructions from:|(?:--- )?Context from:?) [^\n]*"
    r"(?:CLAUDE|AGENTS|GEMINI|copilot-instructions|cursorrules|clinerules|windsurfrules)[^\n]*$",
    re.MULTILINE,
)
"""Heads an instructions file of the project inside of a reminder."""
_RULES_END = re.compile(
    r"^[ \t]*(?:IMPORTANT: this context may or may not be relevant|--- End of Context from|# (?:important-instruction-reminders"
    r"|currentDate|gitStatus|userEmail)\b)",
    re.MULTILINE,
)
_COMMAND = re.compile(r"<command-name>\s*/?(?P<name>[\w:.-]+)\s*</command-name>")
_LOCAL = re.compile(
    "add-dir|agents|bashes|clear|compact|config|context|cost|doctor|effort|exit|export|extra-usage|fast|feedback|help|hooks"
    "|ide|init-verifiers|keybindings|login|logout|mcp|memory|model|output-style|permissions|plugins?|privacy-settings|quit"
    "|rate-limit-options|release-notes|reload-plugins|remote-control|rename|resume|rewind|sandbox|skills|stats|status"
    "|statusline|tasks|terminal-setup|theme|todos|upgrade|usage|vim"
)
"""Commands that the harness carries out itself: they ask nothing of the model."""


@define(eq=False)
class _Mark:
    """A tag of a harness, a fence or a notice."""

    start: int
    end: int
    what: str
    """``open``, ``close``, ``fence``, ``notice``, ``called`` or ``files``."""
    name: str = ""
    kind: _Kind | None = None
    line: int = 0
    pair: _Mark | None = None
    """What ends it: a tag's closing one, the next fence of the same kind."""


@define
class _Reading:
    """What the parts of a message so far say about the next."""

    files: bool = False
    """Whether contents of files go on."""
    called: bool = False
    """Whether the harness told of calls that it made, or wraps what is asked."""
    shapes: frozenset[str] = frozenset()
    """Names of :data:`_SHAPES` that are a harness's in this part."""
    answers: bool = False
    """Whether only the person's own blocks are the person's."""


ATTACHED = "[attached file "
"""Begins a text in which a format shows a file that the harness attached."""


def passages(message: Message) -> tuple[Passage, ...]:
    """What a person wrote in a user's message, and the project's rules that a harness quotes there; in order.

    Each is a piece of one text part, verbatim, without white space around it. Of a command (``/review the parser``) name
    and arguments are passages; commands that the harness carries out itself are none. Linear.
    """
    if message.role != "user":
        return ()
    reading = _Reading()
    found: list[Passage] = []
    for part in message.parts:
        if isinstance(part, Text):
            found += _of_text(part.text, reading)
    return tuple(found)


def _of_text(text: str, reading: _Reading) -> Iterator[Passage]:
    if _CONTINUED.match(text) or text.startswith(ATTACHED):
        return
    reading.shapes = frozenset(name for name, sign in _SHAPES.items() if sign in text)
    reading.called = reading.called or "<user_query>" in text
    reading.answers = reading.answers or _ANSWERS.match(text) is not None
    begin, rules = _begin(text)
    for start, end, are_rules in _pieces(text, begin, reading):
        if piece := text[start:end].strip():
            yield Passage(piece, rules or are_rules)


def _begin(text: str) -> tuple[int, bool]:
    """Where what may be the person's begins, and whether it is a bare instructions file."""
    if text.lstrip().startswith(_SETS_UP):
        end = text.find(_SET_UP)
        return (len(text) if end < 0 else end + len(_SET_UP)), False
    if _FROM_EDITOR.match(text) and (request := _REQUEST.search(text)):
        return request.end(), False
    if heading := _AGENTS.match(text):
        return heading.end(), "<INSTRUCTIONS>" not in text
    return 0, False


def _pieces(text: str, begin: int, reading: _Reading) -> Iterator[tuple[int, int, bool]]:
    """Stretches that the person wrote or that hold rules, as start, end, and whether they hold rules."""
    at, own, quoted = begin, list[_Mark](), begin
    if reading.files:
        at = quoted = _past_files(text, at, reading)
    command = _COMMAND.search(text)
    is_local = command is not None and _LOCAL.fullmatch(command["name"]) is not None
    for mark in _marks(text, reading) if any(sign in text for sign in _SIGNS) else ():
        if mark.start < quoted or (mark.what == "close" and mark not in own[-1:]):
            continue  # in something that is passed over, or the end of something that was
        if mark.what == "fence":
            quoted = _past_fence(mark, own[-1].start if own else len(text))
            continue
        if own or not reading.answers:
            yield at, mark.start, False
        at = mark.end
        if mark.what == "close":
            own.pop()
        elif mark.what == "files":
            at = _past_files(text, at, reading)
        elif mark.pair is not None:
            if mark.kind == "own" and not (is_local and mark.name.startswith("command")):
                own.append(mark.pair)
            else:
                yield from _wrapped(text, mark, mark.pair)
                at = mark.pair.end
        quoted = at
    if own or not reading.answers:
        yield at, len(text), False


def _past_fence(fence: _Mark, limit: int) -> int:
    return fence.pair.end if fence.pair is not None and fence.pair.start < limit else fence.end


def _past_files(text: str, at: int, reading: _Reading) -> int:
    end = text.find(_FILES_END, at)
    reading.files = end < 0
    return len(text) if end < 0 else end + len(_FILES_END)


def _wrapped(text: str, opening: _Mark, closing: _Mark) -> Iterator[tuple[int, int, bool]]:
    """The rules in a block of a harness."""
    start, end = opening.end, closing.start
    if opening.kind != "rules":
        head = _RULES_FILE.search(text, start, end)
        if head is None:
            return
        start = head.end()
        tail = _RULES_END.search(text, start, end)
        end = end if tail is None else tail.start()
    yield start, end, True


def _marks(text: str, reading: _Reading) -> list[_Mark]:
    """All tags of harnesses, fences and notices, in order, tags and fences with what ends them."""
    marks: list[_Mark] = []
    waiting: dict[str, list[_Mark]] = {}
    end, line, beside = 0, 0, True
    for token in _TOKEN.finditer(text):
        between = text[end : token.start()]
        line += between.count("\n")
        cut = between.rfind("\n")
        # A tag inside of a sentence is the person's. One beside another block is as good as at the line's beginning.
        begins = (beside or cut >= 0) and not between[cut + 1 :].strip()
        mark = _mark(token, begins, line, reading)
        end, line, beside = token.end(), line + token[0].count("\n"), False
        if mark is None:
            continue
        open_ones = waiting.setdefault(mark.name, [])
        if mark.what == "close":
            beside = _close(text, open_ones, mark)
        elif mark.what == "open":
            open_ones.append(mark)
            beside = True
        elif mark.what == "fence":
            if open_ones:
                open_ones.pop().pair = mark
            open_ones.append(mark)  # whether it opens or closes is seen when what is quoted is passed over
        marks.append(mark)
    return [mark for mark in marks if mark.what != "open" or mark.pair is not None]


def _mark(token: re.Match[str], begins: bool, line: int, reading: _Reading) -> _Mark | None:
    start, end = token.span()
    if token["name"] is None:
        what = token.lastgroup or ""
        reading.called = reading.called or what == "called"
        return _Mark(start, end, what, token["fence"] or "", line=line)
    kind = _kind(token["name"], token["given"] or "", reading)
    if kind is None or not (begins or token["close"]):
        return None
    return _Mark(start, end, "close" if token["close"] else "open", token["name"], kind, line)


def _kind(name: str, given: str, reading: _Reading) -> _Kind | None:
    key = name.lower().replace("-", "_")
    if key in _ALONE and given.strip():
        return None
    if key in _OWN:
        return "own"
    if key in reading.shapes and not given:
        return "rules" if key == "rules" else "wrap"
    if _RULES.fullmatch(key) or _RULES.fullmatch(name):
        return "rules"
    if key == "permissions" and given.strip() == "instructions":
        return "wrap"
    return "wrap" if _WRAPS.fullmatch(key) or (reading.called and key in _READ) else None


_LINE_ENDS = re.compile(r"[ \t]*(?:\r?\n|<|\Z)")


def _close(text: str, open_ones: list[_Mark], closing: _Mark) -> bool:
    """Pair the tag with the last one of its name that is open; whether there is one."""
    if not open_ones:
        return False
    opening = open_ones.pop()
    if opening.line == closing.line and not _LINE_ENDS.match(text, closing.end):
        return False  # a whole block within a sentence: someone speaks of it
    opening.pair = closing
    return True
