"""What formats share when they read recordings: records with exact slices, errors with their line, limits.

A :class:`Source` splits bytes into records, either line by line (:meth:`Source.lines`) or by walking JSON documents
(:meth:`Source.records`). Everything that can be wrong with the bytes comes out as a :class:`lamina.errors.FormatError`
that names source and line: bytes that are not UTF-8, truncated JSON, nesting without end, records without end.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, NoReturn

import msgspec
from attrs import evolve, field, frozen, validators

from lamina.errors import DamagedError, FormatError
from lamina.protocols import ParseRequest
from lamina.verbatim import whole

MAX_RECORD_BYTES = 64 * 2**20
"""Default of the setting ``max_record_bytes``."""

MAX_DEPTH = 200
"""So deep may JSON be nested: deeper values load, but break whatever walks them recursively later."""

BOM = b"\xef\xbb\xbf"
NUL = b"\0"
"""What a file system leaves where a process died while it wrote."""
DAMAGED = "half-written line"
"""Why a damaged record says nothing."""

_PEEK_DEPTH = 50
_ESCAPE = b"\\ud"
_SPACE = re.compile(r"[ \t\n\r]*")
_TOKEN = re.compile(r'"(?>[^"\\]*(?:\\.[^"\\]*)*)"|["\[\]{},]', re.DOTALL)
_CLOSER = {"[": "]", "{": "}"}
_decode = json.JSONDecoder().raw_decode
_decode_bytes = msgspec.json.Decoder().decode


@frozen
class Record:
    """One JSON value of a source and where it stood."""

    value: Any
    raw: bytes
    """The value as it stood in the source, byte for byte."""
    line: int
    """Where it starts, from 1."""
    session: str | None = None
    """The id of the conversation that it was found in, where there is one."""
    key: str = ""
    """The member of that conversation that it was found under; empty for a value that stands by itself."""
    document: int = 0
    """Which of the source's documents it belongs to; values that stand by themselves belong to document 0."""
    number: int = 0
    """Which of its document's records it is, where several begin on one line; else 0."""
    damaged: bool = False
    """Whether it is half-written or overwritten: its value is ``None``."""
    torn: bool = False
    """Whether it is so and the last one: it may still be written."""

    @property
    def place(self) -> str:
        """What an error says of the place beside the line."""
        return f" (message {self.number} of the line)" if self.number else ""


@frozen
class ReadSettings:
    """Settings of every format that reads by :class:`Source`."""

    max_record_bytes: int = field(default=MAX_RECORD_BYTES, validator=validators.gt(0))
    """A longer record is refused: it would be held in memory several times."""


class Source:
    """Bytes to read records from.

    Args:
        request: The bytes and their name.
        max_record_bytes: See :class:`ReadSettings`.
        tolerant: Whether a half-written last record and zero bytes are given as such (``Record.damaged``), and zero bytes
            around a line are no part of it; otherwise they are errors.
    """

    def __init__(
        self, request: ParseRequest, max_record_bytes: int = MAX_RECORD_BYTES, *, tolerant: bool = False
    ) -> None:
        self._data, self.name, self._max = request.data, request.source, max_record_bytes
        self._unreadable, self._waiting = request.unreadable, request.waiting
        self.tolerant = tolerant

    def calls(self) -> Calls:
        """The calls at the beginning of a conversation: those that wait already, where the source is a piece of one."""
        return Calls(self._waiting)

    def holds(self, piece: bytes) -> bool:
        """Whether these bytes stand anywhere in it: a quick look, before something is looked for with care."""
        return piece in self._data

    def fail(self, why: str, line: int | None) -> NoReturn:
        """Raise the error that names this source and the line.

        Raises:
            FormatError: Always.
        """
        raise FormatError(why, self.name, line)

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, each with its number from 1 and without its end (LF or CR LF).

        Raises:
            FormatError: A line is longer than ``max_record_bytes``, or the source is UTF-16.
        """
        data, pos, number = self._data, self._start(), 0
        while pos < len(data):
            end = data.find(b"\n", pos)
            end = len(data) if end < 0 else end
            number += 1
            # Measured before it is cut out, so that a line without end is never copied.
            self._measure(end - pos, number)
            line = data[pos:end].removesuffix(b"\r")
            if line.strip():
                yield number, line
            pos = end + 1

    def value(self, raw: bytes, line: int) -> Any:
        """The JSON value of one line.

        Raises:
            DamagedError: It is no JSON.
            FormatError: It is not UTF-8, or nested deeper than ``MAX_DEPTH``.
        """
        try:
            # Three times as fast as the standard library; its refusals are worded, or overruled, below.
            value = _decode_bytes(raw)
        except (ValueError, RecursionError):
            return self._slow_value(raw.strip(NUL) if self.tolerant else raw, line)
        if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            self.fail(f"JSON nested deeper than {MAX_DEPTH}", line)
        return value

    def _slow_value(self, raw: bytes, line: int) -> Any:
        walk = _Walk(self, self._text(raw, line), line)
        value, end = walk.value(walk.skip(0))
        if walk.skip(end) < len(walk.text):
            walk.fail("Extra data", end)
        return _whole(value, raw)

    def records(
        self,
        many: str | tuple[str, ...] = "messages",
        one: Collection[str] = (),
        ids: Collection[str] = ("id", "conv_id"),
        alone: Collection[str] = (),
    ) -> Iterator[Record]:
        """The records of all JSON documents in the source, which stand one after the other or one a line.

        A document is an array of records, a conversation (an object whose member ``many`` is an array of records, or
        which has several such members, read in their order), or a record by itself, as any object is that has one of the
        members ``alone``. Records of a conversation carry the first text or number among its members ``ids``; its
        members ``one`` are records too and come first; all else is frame.

        Raises:
            FormatError: Between records; see the module.
        """
        many = (many,) if isinstance(many, str) else many
        start = self._start()
        walk = _Walk(self, self._text(self._data[start:], 1), 1)
        pos, document = walk.skip(0), 0
        while pos < len(walk.text):
            if walk.text[pos] == "\0" and self.tolerant:
                first, pos = pos, walk.behind_zeros(pos)
                yield self._damaged(walk, first, pos)
                continue
            document += 1
            if walk.text[pos] == "[":
                yield from self._elements(walk, walk.elements(pos), walk.line(pos), None, many[0], document)
            else:
                try:
                    members = walk.members(pos, many)
                except DamagedError as error:
                    # The first one is refused all the same: what begins like that is more likely another kind of file.
                    if not (self.tolerant and error.cut and document > 1):
                        raise
                    yield self._damaged(walk, pos, len(walk.text))
                    return
                yield from self._object(
                    walk, members, pos, () if members.keys() & set(alone) else many, one, ids, document
                )
            pos = walk.skip(walk.end)

    def _object(
        self, walk: _Walk, members: dict[str, tuple[Any, int, int]], pos: int, many: tuple[str, ...],
        one: Collection[str], ids: Collection[str], document: int,
    ) -> Iterator[Record]:  # fmt: skip
        """The records of a conversation, or the object as a record by itself."""
        arrays = [key for key, value in members.items() if key in many and isinstance(value[0], _Elements)]
        if not arrays:
            value = {k: [e[0] for e in v[0]] if isinstance(v[0], _Elements) else v[0] for k, v in members.items()}
            yield self._record(walk, value, pos, walk.end, None, "", 0)
            return
        line, session = walk.line(pos), _first_id(members[i][0] for i in ids if i in members)
        for key in (k for k in one if k in members and k not in arrays):
            value, start, end = members[key]
            yield self._record(walk, value, start, end, session, key, document)
        for key in arrays:
            yield from self._elements(walk, members[key][0], line, session, key, document)

    def _elements(
        self,
        walk: _Walk,
        found: Iterable[tuple[Any, int, int]],
        line: int,
        session: str | None,
        key: str,
        document: int,
    ) -> Iterator[Record]:
        for number, (value, start, end) in enumerate(found, start=1):
            record = self._record(walk, value, start, end, session, key, document)
            yield evolve(record, number=number) if record.line == line else record

    def _damaged(self, walk: _Walk, start: int, end: int) -> Record:
        raw = walk.text[start:end].rstrip(" \t\r\n").encode()
        return Record(None, raw, walk.line(start), damaged=True, torn=end == len(walk.text))

    def _record(
        self, walk: _Walk, value: Any, start: int, end: int, session: str | None, key: str, document: int
    ) -> Record:
        line = walk.line(start)
        self._measure(end - start, line)
        raw = walk.text[start:end].encode()
        self._measure(len(raw), line)
        return Record(_whole(value, raw), raw, line, session, key, document)

    def _measure(self, size: int, line: int) -> None:
        if size > self._max:
            self.fail(f"record of {size:,} bytes; the setting max_record_bytes allows {self._max:,}", line)

    def _start(self) -> int:
        if self._unreadable:
            self.fail(self._unreadable, 1)
        return len(BOM) if self._data.startswith(BOM) else 0

    def _text(self, raw: bytes, line: int) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            if self.tolerant and error.end == len(raw) and error.reason == "unexpected end of data":
                return raw[: error.start].decode()  # cut off inside a character: what is left is no whole JSON either
            at = line + raw.count(b"\n", 0, error.start)
            why = f"byte 0x{raw[error.start]:02x} is not UTF-8; convert the source to UTF-8"
            raise FormatError(why, self.name, at) from error


def _first_id(values: Iterable[Any]) -> str | None:
    named = (value for value in values if isinstance(value, str | int) and not isinstance(value, bool))
    return next((_whole(str(value), _ESCAPE) for value in named if value != ""), None)


class _Elements(list[tuple[Any, int, int]]):
    """Elements of an array, each with start and end."""


class _Walk:
    """A walk through JSON text that knows where each value stands."""

    def __init__(self, source: Source, text: str, first_line: int) -> None:
        self._source, self.text, self._first = source, text, first_line
        self._seen, self._lines = 0, first_line
        self.end = 0

    def skip(self, pos: int) -> int:
        match = _SPACE.match(self.text, pos)
        return match.end() if match else pos

    def line(self, pos: int) -> int:
        """The line of a position, not before the position last asked for (so that a whole walk counts once)."""
        if pos < self._seen:
            return self._first + self.text.count("\n", 0, pos)
        self._lines += self.text.count("\n", self._seen, pos)
        self._seen = pos
        return self._lines

    def fail(self, why: str, pos: int) -> NoReturn:
        line = self._first + self.text.count("\n", 0, pos)
        cut = why.startswith("Unterminated") or self.skip(pos) >= len(self.text)
        column = pos - (self.text.rfind("\n", 0, pos) + 1) + 1
        hint = "; the data ends inside a record: is it cut off?" if cut else ""
        said = f"not valid JSON: {why[:1].lower()}{why[1:]} (column {column}){hint}"
        raise DamagedError(said, self._source.name, line, cut)

    def behind_zeros(self, pos: int) -> int:
        """The first position behind a run of zero bytes and white space."""
        return len(self.text) - len(self.text[pos:].lstrip("\0 \t\r\n"))

    def value(self, pos: int) -> tuple[Any, int]:
        try:
            value, end = _decode(self.text, pos)
        except json.JSONDecodeError as error:
            self.fail(error.msg, error.pos)
        except RecursionError:
            self._deep(pos)
        except ValueError as error:  # a number of more digits than Python converts
            self._source.fail(f"not readable: {str(error).partition(';')[0]}", self.line(pos))
        # Brackets inside strings count too, which costs a needless look, never a wrong answer.
        if self.text.count("[", pos, end) + self.text.count("{", pos, end) > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            self._deep(pos)
        return value, end

    def _deep(self, pos: int) -> NoReturn:
        self._source.fail(f"JSON nested deeper than {MAX_DEPTH}", self.line(pos))

    def elements(self, pos: int) -> Iterator[tuple[Any, int, int]]:
        """The elements of the array that starts here; afterwards ``end`` is behind it."""
        text, pos = self.text, self.skip(pos + 1)
        if text[pos : pos + 1] == "]":
            self.end = pos + 1
            return
        while True:
            value, end = self.value(pos)
            yield value, pos, end
            pos = self.skip(end)
            if text[pos : pos + 1] == "]":
                self.end = pos + 1
                return
            if text[pos : pos + 1] != ",":
                self.fail("Expecting ',' delimiter", pos)
            pos = self.skip(pos + 1)

    def members(self, pos: int, many: Collection[str]) -> dict[str, tuple[Any, int, int]]:
        """The members of the object that starts here, arrays of ``many`` as their elements; ``end`` is behind it."""
        text, found = self.text, dict[str, tuple[Any, int, int]]()
        if text[pos] != "{":
            self.fail("Expecting an object or an array of messages", pos)
        pos = self.skip(pos + 1)
        while text[pos : pos + 1] != "}" or found:
            if text[pos : pos + 1] != '"':
                self.fail("Expecting property name enclosed in double quotes", pos)
            try:
                key, pos = scanstring(text, pos + 1)
            except json.JSONDecodeError as error:
                self.fail(error.msg, error.pos)
            pos = self.skip(pos)
            if text[pos : pos + 1] != ":":
                self.fail("Expecting ':' delimiter", pos)
            pos = self.skip(pos + 1)
            if key in many and text[pos : pos + 1] == "[":
                found[key] = (_Elements(self.elements(pos)), pos, self.end)
                end = self.end
            else:
                value, end = self.value(pos)
                found[key] = (value, pos, end)
            pos = self.skip(end)
            if text[pos : pos + 1] == "}":
                break
            if text[pos : pos + 1] != ",":
                self.fail("Expecting ',' delimiter", pos)
            pos = self.skip(pos + 1)
        self.end = pos + 1
        return found


def _depth(value: Any) -> int:
    """How deep a value is nested, at most ``MAX_DEPTH + 1``; without recursion."""
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        inner = [v.values() if isinstance(v, dict) else v for v in level if isinstance(v, dict | list)]
        level = [child for children in inner for child in children if isinstance(child, dict | list)]
        depth += bool(inner)
    return depth


def _whole(value: Any, raw: bytes) -> Any:
    """The value with U+FFFD for lone surrogates; nearly always there is no escape that could be one."""
    return value if _ESCAPE not in raw and b"\\uD" not in raw else whole(value)


def peek(data: bytes, size: int = 65_536) -> list[Any]:
    """The first JSON values of a source, at most 20, for :meth:`lamina.protocols.Format.sniff`; never raises.

    Reads ``size`` bytes. The value that is cut off there is closed where it can be, so that a document of any
    length shows how it begins.
    """
    text = data[:size].decode("utf-8", "ignore").removeprefix("\ufeff").lstrip(" \t\r\n")
    found: list[Any] = []
    pos = 0
    while pos < len(text) and len(found) < 20:
        try:
            value, pos = _decode(text, pos)
        except (ValueError, RecursionError):
            value, pos = _closed(text[pos:]), len(text)
            if value is None:
                break
        found.append(value)
        space = _SPACE.match(text, pos)
        pos = space.end() if space else pos
    return found


def _closed(text: str) -> Any:
    """The JSON value that was cut off, without what follows the last whole member; ``None`` if there is none."""
    stack: list[str] = []
    safe, closers = 0, ""
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _CLOSER and len(stack) < _PEEK_DEPTH:
            stack.append(_CLOSER[mark])
        elif mark in ("]", "}"):
            if not stack or stack.pop() != mark:
                break
        elif mark == '"' or mark in _CLOSER:
            break
        elif mark != ",":
            continue
        safe, closers = (token.start() if mark == "," else token.end()), "".join(reversed(stack))
    try:
        return json.loads(text[:safe] + closers)
    except (ValueError, RecursionError):
        return None


ORPHAN = "tool result without a call"
"""Why a result says nothing: its call is not recorded, because another tool trimmed the history."""


class Calls:
    """The tool calls of one conversation: makes their ids unique and finds the call that a result answers.

    Recordings use an id again for a later call. The first use keeps its id, the n-th becomes ``ID-n`` (the next
    free number where that is taken); a result answers the oldest open call of its id. Both depend on nothing but
    what came before, so that a recording that has grown gives its first part the same ids.
    """

    def __init__(self, waiting: Iterable[tuple[str, str]] = ()) -> None:
        """Begin anew, or where calls of these ids and tools wait already."""
        self._used: dict[str, int] = {}
        self._open: deque[tuple[str, str, str]] = deque()
        self._answered: dict[str, str] = {}
        for id, name in waiting:
            self._used[id] = 1
            self._open.append((id, name, id))

    def call(self, id: str, name: str = "") -> str:
        """Open a call; gives its unique id."""
        unique = id
        while unique in self._used:
            self._used[id] += 1
            unique = f"{id}-{self._used[id]}"
        self._used[unique] = 1
        self._open.append((id, name, unique))
        return unique

    def result(self, id: str) -> str | None:
        """Close the oldest open call that was recorded with this id; gives its unique id, or ``None``."""
        return self._close(next((entry for entry in self._open if entry[0] == id), None))

    def repeated(self, id: str) -> str | None:
        """The unique id of the call with this id that was answered last: of a second result the newer one stands."""
        return self._answered.get(id)

    def result_of(self, name: str) -> str | None:
        """Close the oldest open call of the tool of this name; gives its unique id, or ``None``."""
        return self._close(next((entry for entry in self._open if entry[1] == name), None))

    def _close(self, entry: tuple[str, str, str] | None) -> str | None:
        if entry is None:
            return None
        self._open.remove(entry)
        self._answered[entry[0]] = entry[2]
        return entry[2]


def arguments(value: Any) -> str:
    """The arguments of a call as JSON text, however the recording holds them (text stays as it is)."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_object(text: str) -> Mapping[str, Any] | None:
    """The object that a call's arguments are, or ``None`` where they are no valid JSON object."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and _depth(value) <= MAX_DEPTH else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
