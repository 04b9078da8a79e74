"""From recordings with reported usage to pairs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from lamina.model import Message, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import Parsed
from lamina_counter_calibrated._classes import classify
from lamina_counter_calibrated._fit import Pair

_INPUT = (
    ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),  # Anthropic's are apart
    ("prompt_tokens",),  # OpenAI's hold what was cached
)


@define
class _Grown:
    """What a session grew by since its last request."""

    texts: dict[str, int] = field(factory=dict)
    messages: int = 0
    calls: int = 0
    unknown: bool = False
    """Whether something is in it that no text says: an image, an opaque part."""


@define
class _State:
    grown: _Grown = field(factory=_Grown)
    before: int | None = None
    """What the last request had."""
    requests: set[str] = field(factory=set)
    group: str | None = None


def pairs_of(
    records: Iterable[Parsed], count: Callable[[Sequence[str]], Sequence[int]], counter: str, source: str
) -> Iterator[Pair]:
    """A pair for each request whose usage is reported, but the first of a session.

    A request's usage is looked for in the source record of the answer to it, in the record itself or in its ``message``:
    ``usage``, with ``model`` and ``id`` beside it. The request is what stands before the answer's first record.

    Args:
        records: A recording, as a format parses it.
        count: Counts texts.
        counter: The counter's fingerprint.
        source: Names sessions that have no name.
    """
    states: dict[str, _State] = {}
    for number, record in enumerate(records):
        session = record.session or source
        state = states.setdefault(session, _State())
        said = _answer(record)
        if said is not None:
            request = str(said.get("id") or number)
            if request not in state.requests:
                state.requests.add(request)
                yield from _measured(state, said, session, request, counter)
        for message in record.messages:
            _take(state, message, count)


def _answer(record: Parsed) -> Mapping[str, Any] | None:
    """What holds the usage, where the record is an answer that reports it."""
    if not any(message.role == "assistant" for message in record.messages):
        return None
    try:
        value = json.loads(record.raw)
    except ValueError:
        return None
    for said in (value, value.get("message")) if isinstance(value, dict) else ():
        if isinstance(said, dict) and isinstance(said.get("usage"), dict):
            return said
    return None


def _measured(state: _State, said: Mapping[str, Any], session: str, request: str, counter: str) -> Iterator[Pair]:
    total = _input_tokens(said["usage"])
    if total is None:
        return
    grown, before = state.grown, state.before
    state.grown, state.before = _Grown(), total
    if before is None or grown.unknown:
        return
    model = said.get("model")
    pair = Pair(
        model=model if isinstance(model, str) else "",
        counter=counter,
        session=session,
        request=request,
        texts=grown.texts,
        messages=grown.messages,
        calls=grown.calls,
        reported=total - before,
    )
    if pair.plausible:
        yield pair


def _input_tokens(usage: Mapping[str, Any]) -> int | None:
    for names in _INPUT:
        if names[0] in usage:
            parts: list[Any] = [usage.get(name) or 0 for name in names]
            return (sum(parts) or None) if all(type(n) is int and n >= 0 for n in parts) else None
    return None


def _take(state: _State, message: Message, count: Callable[[Sequence[str]], Sequence[int]]) -> None:
    """Count a message as lamina's pages have it: pieces of one message are one, each result is one."""
    grown = state.grown
    continued = message.group is not None and message.group == state.group
    state.group = message.group if message.role == "assistant" else state.group
    grown.messages += len(message.results) if message.role == "tool" else not continued
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text):
                texts.append(text)
            case ToolResult(text=text, images=images):
                texts.append(text)
                grown.unknown = grown.unknown or bool(images or part.others)
            case ToolCall(name=name, arguments=arguments):
                grown.calls += 1
                texts += [name, arguments]
            case Reasoning():
                pass  # providers leave out what earlier turns reasoned
            case _:
                grown.unknown = True
    for text, tokens in zip(texts, count(texts), strict=True):
        kind = classify(text)
        grown.texts[kind] = grown.texts.get(kind, 0) + tokens
