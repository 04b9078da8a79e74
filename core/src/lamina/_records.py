"""The session log's records and their bytes.

A record is MessagePack: ``[schema, kind, when, …fields]``. The log owns the originals; everything else is derived from
it. A record from a newer release is refused, never guessed at. Schema 1, which is still read, had no time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import asdict, frozen

from lamina.errors import IntegrityError
from lamina.model import Extra, Image, Message, Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import Digest, Entry, Excerpt, Note, PagedOut, Rendition, Shortened, Verbatim

SCHEMA = 2

DIGEST = 8
"""Bytes of a source record's digest."""

_LARGE = 1
"""Code of the extension that holds a whole number which MessagePack has no room for, in decimal digits."""


def _extension(code: int, data: memoryview) -> Any:
    if code != _LARGE:
        raise ValueError(f"extension {code}")
    return int(bytes(data))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ext_hook=_extension).decode


@frozen
class Said:
    """A message was added."""

    message: Message
    pages: tuple[int, ...]
    """The page that each of its results (in a tool message), or the message itself, belongs to."""
    counts: tuple[int, ...]
    """Tokens of each part, frames of calls included, by the counter of ``counter``; then, of a message with members
    of its own, theirs."""
    counter: str
    source: int | None = None
    """Number of the source record that it came from."""
    digest: bytes = b""
    """Of that source record, on the first message that came from it."""


@frozen
class Sourced:
    """A source record that says nothing to a model was kept."""

    source: int
    digest: bytes
    reason: str


@frozen
class Recorded:
    """What follows came in a format, from a recording."""

    format: str
    source: str
    """The recording's name; empty for a session that a program says."""


@frozen
class Compacted:
    """The renditions changed: the entries hold every page up to the last one's."""

    entries: tuple[Entry, ...]
    budget: int
    pager: str


@frozen
class Admitted:
    """A large page entered the window in a shorter form."""

    entry: Entry


@frozen
class Pinned:
    """A page was pinned, or unpinned."""

    page: int
    pinned: bool


@frozen
class Faulted:
    """A page that was not resident was needed."""

    page: int


@frozen
class Checkpointed:
    """A name for this place in the log."""

    name: str


@frozen
class RolledBack:
    """All records after ``to`` (a sequence number) and before this one are void."""

    to: int


@frozen
class Forked:
    """The session begins as another one stood at a sequence number."""

    parent: str
    to: int


@frozen
class Lived:
    """The life cycle moved on."""

    state: str


LogRecord = (
    Said | Sourced | Recorded | Compacted | Admitted | Pinned | Faulted | Checkpointed | RolledBack | Forked | Lived
)


# What came later stands behind what was there, and only where there is something: a record without it reads as ever.
def _part_out(part: Part) -> list[Any]:
    match part:
        case Text(text):
            return ["t", text, *_more(part.extra)]
        case ToolCall(id, name, arguments):
            return ["c", id, name, arguments, *_more(part.extra)]
        case ToolResult(call_id, text, error, images):
            if not part.blocks and not part.extra and not any(i.extra for i in images):
                return ["r", call_id, text, error, [[i.media_type, i.data] for i in images]]
            if not part.blocks:
                return ["r", call_id, text, error, [_part_out(i)[1:] for i in images], part.extra, []]
            # The texts and images are in the blocks: written once.
            return ["r", call_id, "", error, [], part.extra, [_part_out(block) for block in part.blocks]]
        case Image(media_type, data):
            return ["i", media_type, data, *_more(part.extra)]
        case Reasoning(text, signature, redacted):
            hidden = (part.extra, part.hidden_tokens) if part.hidden_tokens else _more(part.extra)
            return ["h", text, signature, redacted, *hidden]
        case Opaque(kind, data):
            plain = not part.text and part.pages is None
            return ["o", kind, data] if plain else ["o", kind, data, part.text, part.pages]


def _more(extra: Extra) -> tuple[Extra, ...]:
    return (extra,) if extra else ()


def _part_in(raw: Sequence[Any]) -> Part:
    match raw:
        case ["t", text, *more]:
            return Text(text, extra=_extra(more))
        case ["c", id, name, arguments, *more]:
            return ToolCall(id, name, arguments, extra=_extra(more))
        case ["r", call_id, text, error, images, *more]:
            if len(more) > 1 and more[1]:
                blocks: Any = map(_part_in, more[1])
                return ToolResult.of(call_id, blocks, error, more[0])
            shown = tuple(Image(m, d, extra=_extra(its)) for m, d, *its in images)
            return ToolResult(call_id, text, error, shown, extra=_extra(more))
        case ["i", media_type, data, *more]:
            return Image(media_type, data, extra=_extra(more))
        case ["h", text, signature, redacted, *more]:
            return Reasoning(text, signature, redacted, extra=_extra(more), hidden_tokens=more[1] if more[1:] else 0)
        case ["o", kind, data]:
            return Opaque(kind, data)
        case ["o", kind, data, text, pages, *_]:
            return Opaque(kind, data, text=text, pages=pages)
    raise ValueError(f"part {raw[:1]!r}")


_NO_EXTRA: Extra = {}


def _extra(more: Sequence[Any]) -> Extra:
    return more[0] if more else _NO_EXTRA


def _entry_out(entry: Entry) -> list[Any]:
    match entry.rendition:
        case Verbatim():
            form: list[Any] = ["v"]
        case PagedOut():
            form = ["p"]
        case Shortened(page, texts, compressor, lossless, covers, tokens):
            flat = [[m, p, text] for (m, p), text in texts.items()]
            form = ["s", page, flat, compressor, lossless, covers, tokens]
        case Digest(excerpts, tokens, notes):
            quoted = [[e.page, e.text, e.label, e.block, e.why] for e in excerpts]
            form = ["d", quoted, tokens, [[n.text, n.why] for n in notes]]
    return [entry.first, entry.last, form, entry.rule, entry.score]


def _entry_in(raw: Sequence[Any]) -> Entry:
    first, last, form, rule, score = raw
    rendition: Rendition
    match form:
        case ["v"]:
            rendition = Verbatim()
        case ["p"]:
            rendition = PagedOut()
        case ["s", page, flat, compressor, lossless, covers, tokens]:
            rendition = Shortened(page, {(m, p): text for m, p, text in flat}, compressor, lossless, covers, tokens)
        case ["d", excerpts, tokens, *notes]:  # records of before notes existed have none
            quoted = tuple(Excerpt(*fields) for fields in excerpts)
            rendition = Digest(quoted, tokens, tuple(Note(*fields) for group in notes for fields in group))
        case _:
            raise ValueError(f"rendition {form[:1]!r}")
    return Entry(first, last, rendition, rule, score)


def encode(record: LogRecord, when_s: float = 0.0) -> bytes:
    """The bytes of a record that was made at ``when_s`` (Unix seconds)."""
    kind, *fields = _fields(record)
    stored = [SCHEMA, kind, when_s, *fields]
    try:
        return _encode(stored)
    except OverflowError:  # JSON knows no largest number, and members are carried as they came
        return _encode(_sized(stored))


def _fields(record: LogRecord) -> list[Any]:
    match record:
        case Said(m, pages, counts, counter, source, digest):
            said = [m.role, [_part_out(p) for p in m.parts], m.group, m.created_s, *_more(m.extra)]
            return ["said", said, pages, counts, counter, source, digest]
        case Compacted(entries, budget, pager):
            return ["compacted", [_entry_out(e) for e in entries], budget, pager]
        case Admitted(entry):
            return ["admitted", _entry_out(entry)]
        case _:
            return [type(record).__name__.lower(), *asdict(record, recurse=False).values()]


def _sized(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sized(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sized(item) for item in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return msgspec.msgpack.Ext(_LARGE, str(value).encode())
    return value


_PLAIN: Mapping[str, type[Any]] = {
    c.__name__.lower(): c for c in (Sourced, Recorded, Pinned, Faulted, Checkpointed, RolledBack, Forked, Lived)
}


def decode(key: str, data: bytes) -> LogRecord:
    """The record of these bytes; see :func:`stamped`."""
    return stamped(key, data)[0]


def stamped(key: str, data: bytes) -> tuple[LogRecord, float]:
    """The record of these bytes, and when it was made (Unix seconds; 0 where it does not say).

    Raises:
        IntegrityError: Damaged, or written by a newer release; names the key.
    """
    try:
        schema, kind, *fields = _decode(data)
        if schema > SCHEMA:
            raise IntegrityError(
                f"{key}: written by a newer lamina (schema {schema}, this one reads {SCHEMA}); upgrade"
            )
        when_s = 0.0 if schema < 2 else float(fields.pop(0))
        return _record(kind, fields), when_s
    except (msgspec.DecodeError, ValueError, TypeError, KeyError, IndexError) as error:
        raise IntegrityError(f"{key}: damaged record ({error}); restore the store from a copy") from error


def _record(kind: str, fields: Sequence[Any]) -> LogRecord:
    match [kind, *fields]:
        case ["said", [role, parts, group, created_s, *more], pages, counts, counter, source, digest]:
            message = Message(role, tuple(map(_part_in, parts)), group, created_s, extra=_extra(more))
            return Said(message, tuple(pages), tuple(counts), counter, source, digest)
        case ["compacted", entries, budget, pager]:
            return Compacted(tuple(map(_entry_in, entries)), budget, pager)
        case ["admitted", entry]:
            return Admitted(_entry_in(entry))
        case _:
            made: LogRecord = _PLAIN[kind](*fields)
            return made
