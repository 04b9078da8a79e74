"""Conversations drawn by hypothesis, and what two of them have in common."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import strategies as st

from lamina.model import (
    Image,
    Message,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    system,
    tool_result,
    user,
)

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.sampled_from(
        [
            "\ufeffbom",
            "a\u2028b\u2029c\x85d\x0be",
            'q"\\u0041\\',
            "\x00\x1b[1m",
            "日本語 🏳️‍🌈",
            "[{]}",
            "\r\nx\r",
            "</tool>",
        ]
    ),
).filter(lambda text: bool(text.strip()))
"""Texts that say something and are hard on whoever splits lines, escapes or counts bytes; no lone surrogates."""

_PLAIN = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
_VALUES = _PLAIN | TEXTS | st.lists(_PLAIN | TEXTS, max_size=2).map(lambda items: {"in": [items]})
_ARGUMENTS = st.dictionaries(TEXTS, _VALUES, max_size=2).map(lambda value: json.dumps(value, ensure_ascii=False))
_NAMES = st.sampled_from(["read_file", "Bash", "mcp__x__y", "a-b"])
_IMAGE = Image("image/png", "iVBORw0KGgo=")


@st.composite
def conversations(draw: st.DrawFn, holds: frozenset[str] = frozenset()) -> list[Message]:
    """A valid conversation: user first, sides alternate, every call answered at once.

    Args:
        draw: Given by hypothesis.
        holds: What else may be in it: ``system`` (a first system message), ``errors`` (of results), ``images``
            (the user's), ``reasoning`` (signed).
    """
    made = [system(draw(TEXTS))] if "system" in holds and draw(st.booleans()) else []
    number = 0
    for _ in range(draw(st.integers(1, 3))):
        picture = (_IMAGE,) if "images" in holds and draw(st.booleans()) else ()
        made.append(Message("user", (Text(draw(TEXTS)), *picture)))
        for _ in range(draw(st.integers(0, 2))):
            calls = [
                ToolCall(f"call_{number + k}", draw(_NAMES), draw(_ARGUMENTS)) for k in range(draw(st.integers(1, 3)))
            ]
            number += len(calls)
            text = draw(st.just("") | TEXTS)
            thought: tuple[Part, ...] = ()
            if "reasoning" in holds and draw(st.booleans()):
                thought = (Reasoning(draw(TEXTS), "c2ln"),)
            made.append(Message("assistant", (*thought, *assistant(text, *calls).parts)))
            for call in calls:
                error = "errors" in holds and draw(st.booleans())
                made.append(tool_result(call.id, draw(st.just("") | TEXTS), error=error))
        made.append(assistant(draw(TEXTS)))
    return made


def spread(messages: Iterable[Message]) -> list[Message]:
    """The messages with one result per tool message, pieces of one joined, and without times: what any form can hold."""
    out: list[Message] = []
    group: str | None = None
    for message in messages:
        if message.role == "tool":
            out += [Message("tool", (result,)) for result in message.results]
        elif message.role == "assistant" and message.group is not None and message.group == group:
            out.append(Message("assistant", out.pop().parts + message.parts))
        else:
            out.append(Message(message.role, message.parts))
        group = message.group
    return out


def faulty() -> dict[str, list[Message]]:
    """Conversations that no provider takes, by what is wrong with them."""
    call = ToolCall("call_1", "Bash", "{}")
    return {
        "a call without its result": [user("do"), assistant("", call), user("more")],
        "a last call without its result": [user("do"), assistant("", call)],
        "one of two results is missing": [
            user("do"),
            assistant("", call, ToolCall("call_2", "Bash", "{}")),
            tool_result("call_2", "2"),
            assistant("done"),
        ],
        "a result without its call": [user("do"), assistant("did"), tool_result("call_1", "1"), assistant("done")],
        "a result before its call": [user("do"), tool_result("call_1", "1"), assistant("", call), user("more")],
        "a second result": [user("do"), assistant("", call), *[tool_result("call_1", "1")] * 2, assistant("done")],
        "no message": [],
    }


def results_of(messages: Iterable[Message]) -> list[ToolResult]:
    """All tool results, in order."""
    return [result for message in messages for result in message.results]
