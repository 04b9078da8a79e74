"""Pages to test strategies on: what real sessions hold, small enough to be quick, written by hand."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from lamina.model import Image, Message, Opaque, Page, Part, Reasoning, Text, ToolCall, ToolResult

Count = Callable[[Sequence[str]], Sequence[int]]


def count_words(texts: Sequence[str]) -> list[int]:
    """A plain counter for tests: one token for each four bytes of UTF-8 begun; exact by its own definition."""
    return [(len(text.encode("utf-8", "surrogatepass")) + 3) // 4 for text in texts]


def page(id: int, *messages: Message, count: Count = count_words, pinned: bool = False) -> Page:
    """A page of these messages, counted: each text as ``count`` says, 4 for each message and each call."""
    return Page(id, messages, tuple(message_tokens(message, count) for message in messages), pinned)


def message_tokens(message: Message, count: Count = count_words) -> int:
    """Tokens of one message, frames included, as the kernel counts them (images are left out)."""
    calls = len(message.calls)
    return 4 + 4 * calls + sum(count([text for part in message.parts for text in _texts(part)]))


def _texts(part: Part) -> tuple[str, ...]:
    match part:
        case Text(text) | ToolResult(text=text) | Reasoning(text):
            return (text,)
        case ToolCall(name=name, arguments=arguments):
            return (name, arguments)
        case _:
            return ()


def tool_page(
    id: int, *uses: tuple[str, str, str], text: str = "", count: Count = count_words, pinned: bool = False
) -> Page:
    """A page of an assistant message with calls, and their results.

    Args:
        id: The page's.
        uses: For each call: the tool's name, its arguments and its result's text.
        text: What the assistant says before.
        count: Counts the page.
        pinned: Whether it is.
    """
    said: tuple[Part, ...] = (Text(text),) if text else ()
    calls = tuple(ToolCall(f"call_{id}_{i}", name, arguments) for i, (name, arguments, _) in enumerate(uses))
    results = (Message("tool", (ToolResult(f"call_{id}_{i}", result),)) for i, (_, _, result) in enumerate(uses))
    return page(id, Message("assistant", (*said, *calls)), *results, count=count, pinned=pinned)


def texts() -> dict[str, str]:
    """Long texts by kind: prose, code, logs, JSON, Chinese, emoji, one huge line, and the like."""
    rng = random.Random(7)
    words = "the port server reads configuration from disk before opening a connection and retries twice".split()  # noqa: SIM905
    prose = " ".join(
        " ".join(rng.choices(words, k=rng.randint(5, 14))).capitalize() + rng.choice(".?!") for _ in range(80)
    )
    code = "\n".join(
        f"    def method_{i}(self, value: int) -> int:\n        return value * {i} + 1\n" for i in range(60)
    )
    logs = "\n".join(
        f"2025-01-{1 + i % 28:02} 12:{i % 60:02}:07 {'INFO' if i % 17 else 'ERROR'} worker-{i % 5} took {i * 37} ms"
        for i in range(150)
    )
    rows = [{"id": i, "name": f"item {i}", "tags": ["a", "ü", "好"], "price": i * 1.5} for i in range(80)]
    return {
        "prose": prose,
        "code": code,
        "logs": logs,
        "json": json.dumps(rows),
        "json lines": "\n".join(map(json.dumps, rows)),
        "chinese": "数据库连接失败，请检查端口。" * 120,
        "emoji": "👩‍👩‍👧‍👦🇩🇪👍🏽😀" * 120,
        "combining": "e\u0301a\u0308o\u0302\u0323" * 300,
        "one line": "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789+/", k=6000)),
        "crlf": "\r\n".join(f"row {i};{i * i}" for i in range(400)),
        "blank": "\n" * 2000 + "x",
        "spaces": " " * 3000,
    }


def pages(count: Count = count_words) -> list[Page]:
    """About thirty pages in log order.

    Each kind of :func:`texts` as a user's text and as a tool's result, parallel results, invalid and long
    arguments, empty results, images, reasoning and opaque parts.
    """
    long = texts()
    made: list[Page] = [page(1, Message("system", (Text("You are a careful engineer."),)), count=count, pinned=True)]

    def add(*messages: Message) -> None:
        made.append(page(len(made) + 1, *messages, count=count))

    def use(*uses: tuple[str, str, str], text: str = "") -> None:
        made.append(tool_page(len(made) + 1, *uses, text=text, count=count))

    for kind, text in long.items():
        add(Message("user", (Text(text),)))
        use(("Read", json.dumps({"path": f"/src/{kind}.txt"}), text), text=f"Reading {kind}.")
    use(*(("Grep", json.dumps({"pattern": f"p{i}"}), long["logs"][: 40 * i * i]) for i in range(10)))
    use(
        (
            "Write",
            json.dumps({"path": "/src/main.py", "content": long["code"], "deep": {"list": [long["prose"]]}}),
            "ok",
        )
    )
    use(
        ("Plot", json.dumps({"rows": list(range(300)), "k" * 300: 1, "note": long["prose"], "last": [1.5] * 300}), "ok")
    )
    use(("Write", json.dumps({"content": long["chinese"]}, ensure_ascii=False), ""))
    use(("Run", '{"command": "make', "error: " + long["logs"]), ("Run", long["json"], "done"))
    use(("Run", "", "[no result]"), ("List", "{}", ""))
    add(Message("assistant", (Reasoning(long["prose"], "signed"), Text("Decided: port 8765."))))
    add(Message("user", (Image("image/png", "aGk="), Text("What is this?"), Opaque("audio", {"n": 1}))))
    add(Message("assistant", (Text(""),)))
    add(Message("user", (Text(long["prose"]), Text(""), Text(long["chinese"]))))
    add(Message("user", (Text("Thanks."),)))
    return made


def shorten(page: Page, texts: Mapping[tuple[int, int], str | None]) -> tuple[Message, ...]:
    """The page's messages with these texts in place (see :class:`lamina.protocols.Shortened`).

    Raises:
        ValueError: A part that is not there, or a replacement that it cannot take.
    """
    left = dict(texts)
    made: list[Message] = []
    for m, message in enumerate(page.messages):
        parts: list[Part] = []
        for p, part in enumerate(message.parts):
            if (m, p) not in left:
                parts.append(part)
            elif (changed := _replaced(part, left.pop((m, p)))) is not None:
                parts.append(changed)
        made.append(evolve(message, parts=tuple(parts)))
    if left:
        raise ValueError(f"page {page.id} has no parts {sorted(left)}")
    return tuple(made)


def _replaced(part: Part, text: str | None) -> Part | None:
    if isinstance(part, Reasoning) and text is None:
        return None
    if text is None or not isinstance(part, Text | ToolResult | ToolCall):
        raise ValueError(f"a {type(part).__name__} cannot become {text!r}")
    if isinstance(part, ToolResult):
        return part.shortened(text)
    if isinstance(part, Text):
        return evolve(part, text=text)
    if not isinstance(json.loads(text), dict):
        raise ValueError(f"arguments are no JSON object: {text!r}")
    return evolve(part, arguments=text)
