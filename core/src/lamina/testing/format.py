"""The conformance suite of formats."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.errors import FormatError
from lamina.model import Message, Text, user
from lamina.protocols import ExportRequest, Format, Parsed, ParseRequest, RenderRequest
from lamina.testing.conversations import TEXTS, conversations, faulty, spread
from lamina.testing.suite import Suite

OpenFormat = Callable[[], AbstractAsyncContextManager[Format]]

fast = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
_PLACE = re.compile(r"messages(\[\d+\])?")


class FormatSuite(Suite):
    """What every format must hold. Give the fixture ``open_format``, a factory without arguments.

    The class attributes say what cannot be known from outside: what the format's sources look like, what it
    refuses, and what its form has a place for.
    """

    samples: ClassVar[Sequence[bytes]]
    """Sources, each of valid conversations, at least one with calls and results and one with several records."""
    bad: ClassVar[Mapping[str, tuple[bytes, int]]]
    """Sources that must be refused when they are read strictly, by what is wrong, with the line that the error must
    name."""
    broken: ClassVar[Mapping[str, Sequence[Mapping[str, Any]]]]
    """Rendered messages that break one rule each, by the rule (roles, first speaker, order, empty content, …)."""
    frame: ClassVar[re.Pattern[bytes]] = re.compile(rb"\s*")
    """What may stand between the records of the samples."""
    holds: ClassVar[frozenset[str]] = frozenset({"system"})
    """What survives writing and reading: of ``system``, ``errors``, ``images`` and ``reasoning``."""
    record_limit: ClassVar[int]
    """``max_record_bytes`` of what ``open_format`` opens; small, so that the test is quick."""

    # ------------------------------------------------------------------------------------------- sniffing

    def test_sniff_knows_its_own_samples(self, open_format: OpenFormat) -> None:
        for sample in self.samples:
            assert opened(open_format).sniff(ParseRequest(data=sample)) > 0.5

    def test_sniff_gives_a_share_for_any_bytes(self, open_format: OpenFormat) -> None:
        @fast
        @given(data=st.binary(max_size=200) | self._damaged())
        def check(data: bytes) -> None:
            assert 0.0 <= fmt.sniff(ParseRequest(data=data)) <= 1.0

        fmt = opened(open_format)
        check()
        for nested in _nested():
            assert 0.0 <= fmt.sniff(ParseRequest(data=nested)) <= 1.0

    # -------------------------------------------------------------------------------------------- parsing

    def test_every_byte_but_the_frame_is_in_one_record(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            pos = 0
            for parsed in fmt.parse(ParseRequest(data=sample)):
                found = sample.find(parsed.raw, pos)
                assert parsed.raw, "a record is empty"
                assert found >= 0, "a record is no slice of the source behind the one before it"
                assert self.frame.fullmatch(sample[pos:found]), sample[pos:found]
                assert parsed.line == sample.count(b"\n", 0, found) + 1, "a record names another line"
                pos = found + len(parsed.raw)
            assert self.frame.fullmatch(sample[pos:]), sample[pos:]

    def test_a_record_says_something_or_why_not(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            records = list(fmt.parse(ParseRequest(data=sample)))
            assert all(record.messages or record.skipped for record in records)
            assert any(record.messages for record in records)
            assert records == list(fmt.parse(ParseRequest(data=sample))), "parsing again gives something else"

    def test_a_tool_message_holds_results_of_earlier_calls_and_nothing_else(self, open_format: OpenFormat) -> None:
        fmt, answered = opened(open_format), 0
        for sample in self.samples:
            for _, messages in _sessions(fmt.parse(ParseRequest(data=sample))):
                calls: list[str] = []
                for message in messages:
                    if message.role == "tool":
                        assert len(message.results) == len(message.parts) > 0
                        assert {result.call_id for result in message.results} <= set(calls)
                        answered += len(message.results)
                    else:
                        assert not message.results
                    calls += [call.id for call in message.calls]
                assert len(calls) == len(set(calls)), "an id of a call is used twice"
        assert answered, "no sample has a result"

    def test_an_empty_source_has_no_records(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for data in (b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf"):
            assert list(fmt.parse(ParseRequest(data=data))) == []

    def test_a_byte_order_mark_changes_nothing(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            marked = list(fmt.parse(ParseRequest(data=b"\xef\xbb\xbf" + sample)))
            assert marked == list(fmt.parse(ParseRequest(data=sample)))

    # ------------------------------------------------------------------------------------------ bad input

    def test_bad_input_is_refused_with_its_line(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for what, (data, line) in self.bad.items():
            error = _refusal(fmt, data)
            assert error is not None, f"{what}: was taken"
            assert (error.source, error.line) == ("here.json", line), what

    def test_damaged_input_is_read_or_refused_with_its_line(self, open_format: OpenFormat) -> None:
        @fast
        @given(data=st.binary(max_size=200) | self._damaged())
        def check(data: bytes) -> None:
            error = _refusal(fmt, data)
            assert error is None or (error.line is not None and 1 <= error.line <= data.count(b"\n") + 1)

        fmt = opened(open_format)
        check()

    def test_truncated_input_is_refused(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            cut = sample.rstrip()[:-1]
            error = _refusal(fmt, cut)
            assert error is not None
            assert error.line is not None

    def test_a_source_that_is_cut_off_is_read_as_far_as_it_is_whole_or_refused(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            whole = [record.messages for record in fmt.parse(ParseRequest(data=sample))]
            try:
                cut = list(fmt.parse(ParseRequest(data=sample.rstrip()[:-1])))
            except FormatError:
                continue
            said = [record.messages for record in cut if not record.torn]
            assert said == whole[: len(said)], "a record is read that is not whole"
            assert all(record.damaged and record.skipped and not record.messages for record in cut if record.torn)
            assert sum(record.torn for record in cut) == 1, "nothing is said of the end"
            assert cut[-1].torn

    def test_other_encodings_are_refused(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
                assert _refusal(fmt, sample.decode().encode(encoding)) is not None, encoding
            # At the start of every text: in some, a format that repairs the byte would find nothing else wrong.
            for opening in re.finditer(rb'[\[{:,]\s*"', sample):
                error = _refusal(fmt, sample[: opening.end()] + b"\xff" + sample[opening.end() :])
                assert error is not None
                assert error.line == sample.count(b"\n", 0, opening.end()) + 1

    def test_nesting_without_end_is_refused_or_skipped(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for nested in _nested():
            assert _refusal(fmt, nested) is not None or not any(
                r.messages for r in fmt.parse(ParseRequest(data=nested))
            )

    def test_a_record_over_the_limit_is_refused_by_line_size_and_setting(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        data = _export(fmt, [user("first"), user("x" * self.record_limit)])
        error = _refusal(fmt, data)
        assert error is not None
        assert error.line is not None
        assert "max_record_bytes" in error.why
        assert re.search(r"\d", error.why)

    # ------------------------------------------------------------------------------- rendering and checking

    def test_what_was_parsed_renders_to_valid_json(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            for session, messages in _sessions(fmt.parse(ParseRequest(data=sample))):
                rendered = fmt.render(RenderRequest(messages=messages))
                assert fmt.check(rendered) == [], session
                assert json.loads(json.dumps(rendered, allow_nan=False)) == rendered

    def test_every_valid_conversation_renders_to_valid_json(self, open_format: OpenFormat) -> None:
        @fast
        @given(messages=conversations(self.holds | {"errors", "images", "reasoning"}))
        def check(messages: list[Message]) -> None:
            rendered = fmt.render(RenderRequest(messages=messages))
            assert fmt.check(rendered) == []
            assert json.loads(json.dumps(rendered, allow_nan=False)) == rendered

        fmt = opened(open_format)
        check()

    def test_check_reports_broken_pairs(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for what, messages in faulty().items():
            assert fmt.check(fmt.render(RenderRequest(messages=messages))), what

    def test_check_reports_every_broken_rule_with_its_place(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for rule, rendered in self.broken.items():
            faults = fmt.check(rendered)
            assert faults, rule
            assert all(_PLACE.match(fault) for fault in faults), faults

    # --------------------------------------------------------------------------------------- there and back

    def test_what_is_rendered_reads_back_as_the_same_messages(self, open_format: OpenFormat) -> None:
        @fast
        @given(messages=conversations(self.holds))
        def check(messages: list[Message]) -> None:
            # As a piece: a request may have to end otherwise than what was said.
            rendered = fmt.render(RenderRequest(messages=messages, piece=True))
            source = b"".join(json.dumps(m, ensure_ascii=False).encode() + b"\n" for m in rendered)
            read = [m for parsed in fmt.parse(ParseRequest(data=source)) for m in parsed.messages]
            assert spread(read) == spread(messages)

        fmt = opened(open_format)
        check()

    def test_messages_from_elsewhere_are_exported_whole(self, open_format: OpenFormat) -> None:
        @fast
        @given(messages=conversations(self.holds))
        def check(messages: list[Message]) -> None:
            read = list(fmt.parse(ParseRequest(data=_export(fmt, messages))))
            assert spread(m for parsed in read for m in parsed.messages) == spread(messages)
            assert {parsed.session for parsed in read} == {"säss/1"}

        fmt = opened(open_format)
        check()

    def test_own_records_are_exported_byte_for_byte(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            for records in _by_session(fmt.parse(ParseRequest(data=sample))):
                again = list(fmt.parse(ParseRequest(data=_export_own(fmt, records))))
                assert [(r.raw, r.messages) for r in again] == [(r.raw, r.messages) for r in records]

    def test_a_source_that_has_grown_begins_with_the_same_messages(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for sample in self.samples:
            for records in _by_session(fmt.parse(ParseRequest(data=sample))):
                for size in range(1, len(records)):
                    first = list(fmt.parse(ParseRequest(data=_export_own(fmt, records[:size]))))
                    assert [r.messages for r in first] == [r.messages for r in records[:size]]

    # -------------------------------------------------------------------------------------- what people wrote

    def test_passages_are_pieces_of_what_a_user_wrote_in_order(self, open_format: OpenFormat) -> None:
        @fast
        @given(messages=conversations(self.holds), texts=st.lists(TEXTS, min_size=2, max_size=3))
        def check(messages: list[Message], texts: list[str]) -> None:
            for message in [*messages, Message("user", tuple(map(Text, texts)))]:
                if message.role == "user":
                    held = [part.text for part in message.parts if isinstance(part, Text)]
                    _stands_in(held, [passage.text for passage in fmt.passages(message)])

        fmt = opened(open_format)
        check()
        for message in self._said(fmt):
            if message.role == "user":
                held = [part.text for part in message.parts if isinstance(part, Text)]
                _stands_in(held, [passage.text for passage in fmt.passages(message)])

    def test_what_a_user_typed_plainly_is_passed_on_whole(self, open_format: OpenFormat) -> None:
        @fast
        @given(texts=st.lists(st.text("abcÄßя語 .,!?\n", min_size=1, max_size=40), min_size=1, max_size=3))
        def check(texts: list[str]) -> None:
            found = fmt.passages(Message("user", tuple(map(Text, texts))))
            assert " ".join(passage.text for passage in found).split() == " ".join(texts).split()
            assert not any(passage.rules for passage in found), "what is typed is no instructions file"

        fmt = opened(open_format)
        check()

    def test_only_users_write_passages(self, open_format: OpenFormat) -> None:
        @fast
        @given(messages=conversations(self.holds | {"errors", "images", "reasoning"}))
        def check(messages: list[Message]) -> None:
            assert not any(fmt.passages(message) for message in messages if message.role != "user")

        fmt = opened(open_format)
        check()

    def test_passages_of_a_message_are_always_the_same(self, open_format: OpenFormat) -> None:
        fmt = opened(open_format)
        for message in self._said(fmt):
            assert list(fmt.passages(message)) == list(fmt.passages(message))

    def _said(self, fmt: Format) -> list[Message]:
        """The messages of the samples."""
        parsed = (record for sample in self.samples for record in fmt.parse(ParseRequest(data=sample)))
        return [message for record in parsed for message in record.messages]

    def _damaged(self) -> st.SearchStrategy[bytes]:
        """Samples with a piece cut out and other bytes in its place."""

        def damage(sample: bytes, start: float, size: int, instead: bytes) -> bytes:
            at = int(start * len(sample))
            return sample[:at] + instead + sample[at + size :]

        pieces = st.binary(max_size=4) | st.sampled_from([b"null", b"{}", b"[]", b"1e999", b'"\\ud800"', b"\n", b"NaN"])
        where = st.floats(0, 1, allow_nan=False)
        return st.builds(damage, st.sampled_from(list(self.samples)), where, st.integers(0, 40), pieces)


def opened(open_format: OpenFormat) -> Format:
    """The format, closed again; it holds nothing that closing would free, so it may be used afterwards."""

    async def run() -> Format:
        async with open_format() as fmt:
            return fmt

    return asyncio.run(run())


def _nested() -> list[bytes]:
    deep = 100_000
    ends = (b"[" * deep, b"[" * deep + b"]" * deep, b'{"a":' * deep, b'{"a":' * 500 + b"1" + b"}" * 500)
    own = b'{"role":"user","type":"user","message":{"content":%s},"content":%s}'
    return [*ends, *(own % (end, end) for end in ends), b'{"messages":[' + ends[1] + b"]}"]


def _refusal(fmt: Format, data: bytes) -> FormatError | None:
    try:
        list(fmt.parse(ParseRequest(data=data, source="here.json", strict=True)))
    except FormatError as error:
        return error
    return None


def _stands_in(texts: list[str], passages: list[str]) -> None:
    """Every passage is a piece of one of the texts, behind the passage before it."""
    number = at = 0
    for passage in passages:
        assert passage, "a passage is empty"
        while number < len(texts) and (found := texts[number].find(passage, at)) < 0:
            number, at = number + 1, 0
        assert number < len(texts), "a passage is no piece of a text, or not behind the one before it"
        at = found + len(passage)


def _by_session(records: Any) -> list[list[Parsed]]:
    found: dict[str | None, list[Parsed]] = {}
    for record in records:
        found.setdefault(record.session, []).append(record)
    return list(found.values())


def _sessions(records: Any) -> list[tuple[str | None, list[Message]]]:
    """Each session's messages, pieces of one message joined as the kernel joins them."""
    return [(group[0].session, _joined([m for r in group for m in r.messages])) for group in _by_session(records)]


def _joined(messages: list[Message]) -> list[Message]:
    out: list[Message] = []
    for key, pieces in groupby(enumerate(messages), lambda pair: pair[1].group or pair[0]):
        same = [message for _, message in pieces]
        if isinstance(key, str):
            out.append(Message(same[0].role, tuple(part for m in same for part in m.parts)))
        else:
            out += same
    return out


def _export(fmt: Format, messages: list[Message]) -> bytes:
    return fmt.export(ExportRequest(session="säss/1", records=[(None, (m,)) for m in messages], own=False))


def _export_own(fmt: Format, records: list[Parsed]) -> bytes:
    pairs = [(record.raw, record.messages) for record in records]
    return fmt.export(ExportRequest(session=records[0].session or "s", records=pairs, own=True))
