"""Measures whether a window still says what the agent was asked to do.

Values may stand in plenty in a window that has lost the task. Asked for is what people wrote in the user's messages, and what is
open in the agent's own plan. Both are compared by their words, sentence by sentence, in order: white space, quoting and
list marks aside, wherever in one message of the window they stand, system messages excepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from attrs import frozen

from lamina.kit import plans
from lamina.model import Message, Page, ToolCall, ToolResult
from lamina_command_replay._texts import ChatMessage, Texts, content_text, words

HEAD = 300
"""Tokens of a user's message that count: the rest is mostly pasted output. So many characters always count."""
SHARE = 5
"""What users said counts as far as it fits one part in so many of the budget."""
CHARACTERS = 4
"""So many characters of a sentence's words are taken for a token there: the same whatever the counter."""

_OPENING = re.compile(r"<(?P<name>[A-Za-z][\w-]*)(?:\s[^<>]*)?>")
_NOTICE = re.compile(r"\[Request interrupted|Caveat:|\[Image|API Error|This session is being continued", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+")
_LEAST_WORDS, _LEAST_CHARACTERS = 3, 12
_PLAN = re.compile(r"todo|plan", re.IGNORECASE)

Share = tuple[int, int]
"""How many sentences or items stand, and of how many."""


@frozen
class Asked:
    """How much of what was asked for one window says."""

    at: int
    """Index of the message that holds the newest request."""
    newest: Share
    """Sentences of the newest request."""
    said: Share
    """Sentences of the users' messages: the newest ones within their share of the budget, and the first."""
    first: Share
    """Sentences of the first request."""
    todo: Share | None
    """Open items of the plan; ``None`` where there are none, or the newest page holds the plan."""
    outside: bool
    """Whether the newest request stands outside of the newest page."""

    @property
    def is_whole(self) -> bool:
        """Whether the newest request stands whole."""
        return self.newest[0] == self.newest[1]


class Requests:
    """What was asked for so far in one session.

    Args:
        messages: The whole recording, in OpenAI chat form; every tool result follows its call.
        budget: Tokens that each window may have.
        texts: Counts and remembers.
    """

    def __init__(self, messages: Sequence[ChatMessage], budget: int, texts: Texts) -> None:
        self._messages, self._texts = messages, texts
        self._room = budget // SHARE
        self._requests: list[tuple[int, tuple[str, ...]]] = []
        self._plan: plans.Plan | None = None
        self._items: tuple[str, ...] = ()

    def read(self, at: int) -> None:
        """Take the next message."""
        message = self._messages[at]
        if message["role"] == "user":
            found = sentences(content_text(message.get("content")), self._texts)
            if found:
                self._requests.append((at, found))
        elif message["role"] == "assistant" and message.get("tool_calls"):
            self._follow(at)

    def step(self, page: int, window: Sequence[ChatMessage]) -> Asked | None:
        """What the next window says of it; ``None`` where nothing was asked for yet.

        Args:
            page: Index of the newest page's first message.
            window: The window, in OpenAI chat form.
        """
        if not self._requests:
            return None
        have = " | ".join(said for m in window if m["role"] != "system" for said in self._texts.words(m))
        at, newest = self._requests[-1]
        items = self._items if self._plan is not None and self._plan.page < page else ()
        return Asked(
            at=at,
            newest=_standing(newest, have),
            said=_standing(self._counted(), have),
            first=_standing(self._requests[0][1], have),
            todo=_standing(items, have) if items else None,
            outside=at < page,
        )

    def _counted(self) -> list[str]:
        """The sentences of which ``said`` is a share."""
        room = self._room
        found: list[str] = []
        for number in reversed(range(len(self._requests))):
            said = self._requests[number][1]
            room -= sum(map(len, said)) // CHARACTERS
            if room < 0 and found:
                # The first request always counts: it is what the session is for.
                found += self._requests[0][1]
                break
            found += said
        return found

    def _follow(self, at: int) -> None:
        """Follow the agent's plan through its calls."""
        message, results = self._messages[at], []
        for result in self._messages[at + 1 :]:
            if result["role"] != "tool":
                break
            answer = ToolResult(call_id=result["tool_call_id"], text=content_text(result.get("content")))
            results.append(Message(role="tool", parts=(answer,)))
        before = self._plan
        for given in message["tool_calls"]:
            call = ToolCall(given["id"], given["function"]["name"], given["function"]["arguments"])
            said = (Message(role="assistant", parts=(call,)), *results)
            if _is_emptied(call):
                self._plan = None
            else:
                self._plan = plans.after(self._plan, Page(at, said, (0,) * len(said)))
        if self._plan is not before:
            left = (words(item.text) for item in self._plan.open) if self._plan is not None else ()
            self._items = tuple(item for item in left if len(item) >= _LEAST_CHARACTERS)


def _is_emptied(call: ToolCall) -> bool:
    """Whether a call sets a plan without items, which has no shape to know it by but the tool's name."""
    if _PLAN.search(call.name) is None or "[]" not in call.arguments:
        return False
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return False
    return isinstance(given, dict) and [] in given.values() and given.get("merge") is not True


def _standing(wanted: Sequence[str], have: str) -> Share:
    return sum(one in have for one in wanted), len(wanted)


def sentences(text: str, texts: Texts) -> tuple[str, ...]:
    """The words of each sentence of what a person wrote, each once, in order.

    What a harness wraps (``<reminder>…</reminder>``) is left out, from a notice of its on the message ends, and of the
    rest :data:`HEAD` tokens count. A sentence has three words or twelve characters at least; a line's end ends it.
    """
    own = "".join(_own(text))
    found: dict[str, None] = {}
    # Where a character costs several tokens, a message of few characters is counted whole: it is hardly pasted output.
    for line in (texts.head(own, HEAD) if len(own) > HEAD else own).splitlines():
        if _NOTICE.match(line.strip()):
            break
        for part in _SENTENCE_END.split(line):
            said = words(part)
            if said.count(" ") >= _LEAST_WORDS - 1 or len(said) >= _LEAST_CHARACTERS:
                found[said] = None
    return tuple(found)


def _own(text: str) -> Iterator[str]:
    """The pieces of a text outside of blocks, with a line's end in place of each block.

    By search for the closing tag, not by one pattern: that would read to the end for every tag that is never closed.
    """
    at = read = 0
    unclosed: set[str] = set()
    while opening := _OPENING.search(text, read):
        name, read = opening["name"], opening.end()
        end = -1 if name in unclosed else text.find(f"</{name}>", read)
        if end < 0:
            unclosed.add(name)
            continue
        yield text[at : opening.start()]
        yield "\n"
        at = read = end + len(name) + 3
    yield text[at:]
