"""A sound format, and one for each way to break the protocol.

The form is a line per message: ``{"role", "parts"}``, where a part is a text, a call ``[id, name, arguments]`` or a
result ``{"of", "text"}``; a line without a role is a note, which is skipped. Each broken format names in ``fails``
the tests of :class:`lamina.testing.FormatSuite` that it must fail, and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from attrs import evolve

from lamina.errors import FormatError
from lamina.kit.sources import Calls, Source, peek
from lamina.model import ROLES, Message, Part, Text, ToolCall, ToolResult
from lamina.protocols import ExportRequest, Parsed, ParseRequest, Passage, RenderRequest

LIMIT = 100_000
"""The fakes' ``max_record_bytes``."""


class SoundFormat:
    """Reads and writes its form as the protocol asks."""

    fails: ClassVar[frozenset[str]] = frozenset()
    sends = "fake"
    limit = LIMIT

    def sniff(self, request: ParseRequest) -> float:
        found = [value for value in peek(request.data) if isinstance(value, dict)]
        return 0.9 if any("role" in value and "parts" in value for value in found) else 0.0

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        source, calls = Source(request, self.limit), Calls()
        for number, raw in source.lines():
            value = source.value(raw, number)
            if not isinstance(value, dict):
                source.fail("a line must be an object", number)
            if "role" not in value:
                yield Parsed(session=None, raw=raw, skipped="note", line=number)
                continue
            if value["role"] not in ROLES or not isinstance(value.get("parts"), list):
                source.fail("not a message", number)
            parts = tuple(self._part(part, calls, source, number) for part in value["parts"])
            if any(isinstance(part, ToolResult) != (value["role"] == "tool") for part in parts):
                source.fail("a tool message holds results and nothing else", number)
            session = value.get("session")
            yield Parsed(session=session, raw=raw, messages=(Message(value["role"], parts),), line=number)

    def _part(self, part: Any, calls: Calls, source: Source, number: int) -> Part:
        match part:
            case str():
                return Text(part)
            case [str(call_id), str(name), str(arguments)]:
                return ToolCall(calls.call(call_id), name, arguments)
            case {"of": str(call_id), "text": str(text)} if (unique := calls.result(call_id)) is not None:
                return ToolResult(unique, text)
        return source.fail("not a part", number)

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        return [self._line(message) for message in request.messages]

    def _line(self, message: Message) -> dict[str, Any]:
        parts: list[Any] = []
        for part in message.parts:
            match part:
                case Text(text):
                    parts.append(text)
                case ToolCall(call_id, name, arguments):
                    parts.append([call_id, name, arguments])
                case ToolResult(call_id, text):
                    parts.append({"of": call_id, "text": text})
                case _:
                    pass
        return {"role": message.role, "parts": parts}

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        found = [] if messages else ["messages: there is none"]
        waiting: list[str] = []
        for i, message in enumerate(messages):
            if not message["parts"]:
                found.append(f"messages[{i}]: is empty")
            for part in message["parts"]:
                if isinstance(part, list):
                    waiting.append(part[0])
                elif isinstance(part, dict) and part["of"] in waiting:
                    waiting.remove(part["of"])
                elif isinstance(part, dict):
                    found.append(f"messages[{i}]: result without its call")
        return found + [f"messages: call {call_id} without its result" for call_id in waiting]

    def passages(self, message: Message) -> Sequence[Passage]:
        texts = (part.text.strip() for part in message.parts if isinstance(part, Text))
        return [Passage(text) for text in texts if text] if message.role == "user" else []

    def export(self, request: ExportRequest) -> bytes:
        return b"".join(line + b"\n" for line in self._lines(request))

    def _lines(self, request: ExportRequest) -> Iterator[bytes]:
        for raw, messages in request.records:
            if raw is not None and request.own:
                yield raw
            else:
                for line in self.render(RenderRequest(messages=messages)):
                    yield json.dumps(line | {"session": request.session}).encode()


class SniffsNothing(SoundFormat):
    """Does not know its own sources."""

    fails = frozenset({"test_sniff_knows_its_own_samples"})

    def sniff(self, request: ParseRequest) -> float:
        return 0.0


class SniffsByParsing(SoundFormat):
    """Raises on what it cannot read."""

    fails = frozenset({"test_sniff_gives_a_share_for_any_bytes"})

    def sniff(self, request: ParseRequest) -> float:
        return 0.9 if list(self.parse(request)) else 0.0


class KeepsTheLineEnd(SoundFormat):
    """Gives raw records that are no slices: it writes them anew."""

    fails = frozenset({"test_every_byte_but_the_frame_is_in_one_record"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        for parsed in super().parse(request):
            yield evolve(parsed, raw=json.dumps(json.loads(parsed.raw)).encode())


class DropsNotes(SoundFormat):
    """Leaves out the records that are no messages."""

    fails = frozenset({"test_every_byte_but_the_frame_is_in_one_record"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        return (parsed for parsed in super().parse(request) if parsed.messages)


class SkipsSilently(SoundFormat):
    """Does not say why a record says nothing."""

    fails = frozenset({"test_a_record_says_something_or_why_not"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        return (evolve(parsed, skipped=None) for parsed in super().parse(request))


class RepeatsIds(SoundFormat):
    """Leaves the ids of calls as recorded, although they repeat."""

    fails = frozenset({"test_a_tool_message_holds_results_of_earlier_calls_and_nothing_else"})

    def _part(self, part: Any, calls: Calls, source: Source, number: int) -> Part:
        made = super()._part(part, calls, source, number)
        match made, part:
            case ToolCall(_, name, arguments), [str(call_id), *_]:
                return ToolCall(call_id, name, arguments)
            case ToolResult(_, text), {"of": str(call_id)}:
                return ToolResult(call_id, text)
            case _:
                return made


class NeedsARecord(SoundFormat):
    """Refuses an empty source."""

    fails = frozenset({"test_an_empty_source_has_no_records"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        records = list(super().parse(request))
        if not records and not request.data.strip(b" \t\r\n\xef\xbb\xbf"):
            raise FormatError("empty", request.source, 1)
        return iter(records)


class KnowsNoMark(SoundFormat):
    """Refuses a byte order mark."""

    fails = frozenset({"test_a_byte_order_mark_changes_nothing"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        if request.data.startswith(b"\xef\xbb\xbf{"):
            raise FormatError("byte order mark", request.source, 1)
        return super().parse(request)


class NamesNoLine(SoundFormat):
    """Says what is wrong, but not where."""

    fails = frozenset(
        {
            "test_a_record_over_the_limit_is_refused_by_line_size_and_setting",
            "test_bad_input_is_refused_with_its_line",
            "test_damaged_input_is_read_or_refused_with_its_line",
            "test_other_encodings_are_refused",
            "test_truncated_input_is_refused",
        }
    )

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        try:
            yield from super().parse(request)
        except FormatError as error:
            raise FormatError(error.why, request.source) from error


class TakesTornEnds(SoundFormat):
    """Leaves out a last record that is cut off, and says nothing of it."""

    fails = frozenset(
        {
            "test_a_source_that_is_cut_off_is_read_as_far_as_it_is_whole_or_refused",
            "test_truncated_input_is_refused",
        }
    )

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        torn = request.data.rstrip().endswith(b"]") and not request.data.rstrip().endswith(b"}")
        cut = request.data.rstrip().rfind(b"\n") + 1 if torn else len(request.data)
        return super().parse(evolve(request, data=request.data[:cut]))


class RepairsEncoding(SoundFormat):
    """Replaces what is not UTF-8."""

    fails = frozenset({"test_other_encodings_are_refused"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        return super().parse(evolve(request, data=request.data.decode("utf-8", "replace").encode()))


class Recurses(SoundFormat):
    """Lets the error of nesting without end escape."""

    fails = frozenset({"test_nesting_without_end_is_refused_or_skipped"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        if request.data.count(b"[") > 50_000:
            raise RecursionError
        return super().parse(request)


class HasNoLimit(SoundFormat):
    """Takes records of any size."""

    fails = frozenset({"test_a_record_over_the_limit_is_refused_by_line_size_and_setting"})
    limit = 2**40


class RendersBytes(SoundFormat):
    """Renders what JSON cannot hold."""

    fails = frozenset(
        {"test_every_valid_conversation_renders_to_valid_json", "test_what_was_parsed_renders_to_valid_json"}
    )

    def render(self, request: RenderRequest) -> list[dict[str, Any]]:
        return [line | {"parts": tuple(line["parts"])} for line in super().render(request)]


class ChecksTooMuch(SoundFormat):
    """Reports a rule that there is not."""

    fails = frozenset(
        {"test_every_valid_conversation_renders_to_valid_json", "test_what_was_parsed_renders_to_valid_json"}
    )

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        spoken = [m for m in messages if m["role"] == "assistant"]
        return super().check(messages) + ["messages[0]: speaks"] * bool(spoken)


class ChecksNoPairs(SoundFormat):
    """Does not report calls without results."""

    fails = frozenset({"test_check_reports_broken_pairs"})

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        return [fault for fault in super().check(messages) if "without its result" not in fault]


class ChecksWithoutPlace(SoundFormat):
    """Says which rule is broken, but not where."""

    fails = frozenset({"test_check_reports_every_broken_rule_with_its_place"})

    def check(self, messages: Sequence[Mapping[str, Any]]) -> list[str]:
        return [fault.rpartition(": ")[2] for fault in super().check(messages)]


class StripsTexts(SoundFormat):
    """Writes texts without the white space around them."""

    fails = frozenset(
        {
            "test_messages_from_elsewhere_are_exported_whole",
            "test_what_is_rendered_reads_back_as_the_same_messages",
        }
    )

    def _line(self, message: Message) -> dict[str, Any]:
        line = super()._line(message)
        return line | {"parts": [part.strip() if isinstance(part, str) else part for part in line["parts"]]}


class ExportsTheLast(SoundFormat):
    """Exports one message less than there is, of those from elsewhere."""

    fails = frozenset({"test_messages_from_elsewhere_are_exported_whole"})

    def export(self, request: ExportRequest) -> bytes:
        lines = list(self._lines(request))
        return b"".join(line + b"\n" for line in (lines if request.own else lines[-2:]))


class ExportsAnew(SoundFormat):
    """Writes its own records anew, from what it understood of them."""

    fails = frozenset({"test_own_records_are_exported_byte_for_byte"})

    def export(self, request: ExportRequest) -> bytes:
        records = [(json.dumps(json.loads(raw)).encode() if raw else raw, said) for raw, said in request.records]
        return super().export(evolve(request, records=records))


class CountsIdsFromTheEnd(SoundFormat):
    """Makes ids that repeat unique by the number of all calls."""

    fails = frozenset({"test_a_source_that_has_grown_begins_with_the_same_messages"})

    def parse(self, request: ParseRequest) -> Iterator[Parsed]:
        records = list(super().parse(request))
        total = sum(len(message.calls) for parsed in records for message in parsed.messages)
        for parsed in records:
            yield evolve(parsed, messages=tuple(self._counted(message, total) for message in parsed.messages))

    def _counted(self, message: Message, total: int) -> Message:
        parts: list[Part] = []
        for part in message.parts:
            match part:
                case ToolCall(call_id) if "-" in call_id:
                    parts.append(evolve(part, id=f"{call_id}+{total}"))
                case ToolResult(call_id) if "-" in call_id:
                    parts.append(evolve(part, call_id=f"{call_id}+{total}"))
                case _:
                    parts.append(part)
        return evolve(message, parts=tuple(parts))


class DropsWords(SoundFormat):
    """Takes what stands behind a user's first line for a harness's."""

    fails = frozenset({"test_what_a_user_typed_plainly_is_passed_on_whole"})

    def passages(self, message: Message) -> Sequence[Passage]:
        return [evolve(passage, text=passage.text.split("\n")[0]) for passage in super().passages(message)]


class InventsWords(SoundFormat):
    """Says who speaks, as if the user had typed it."""

    fails = frozenset(
        {
            "test_passages_are_pieces_of_what_a_user_wrote_in_order",
            "test_what_a_user_typed_plainly_is_passed_on_whole",
        }
    )

    def passages(self, message: Message) -> Sequence[Passage]:
        return [evolve(passage, text=f"user: {passage.text}") for passage in super().passages(message)]


class SortsPassages(SoundFormat):
    """Gives the passage of the last part first."""

    fails = frozenset(
        {
            "test_passages_are_pieces_of_what_a_user_wrote_in_order",
            "test_what_a_user_typed_plainly_is_passed_on_whole",
        }
    )

    def passages(self, message: Message) -> Sequence[Passage]:
        return super().passages(message)[::-1]


class TakesAllForRules(SoundFormat):
    """Takes what a user typed for an instructions file."""

    fails = frozenset({"test_what_a_user_typed_plainly_is_passed_on_whole"})

    def passages(self, message: Message) -> Sequence[Passage]:
        return [evolve(passage, rules=True) for passage in super().passages(message)]


class HearsEveryone(SoundFormat):
    """Takes the model's words for a user's."""

    fails = frozenset({"test_only_users_write_passages"})

    def passages(self, message: Message) -> Sequence[Passage]:
        return super().passages(evolve(message, role="user"))


class TellsOnce(SoundFormat):
    """Tells of a message only when asked for the first time."""

    fails = frozenset({"test_passages_of_a_message_are_always_the_same"})
    told: Message | None = None

    def passages(self, message: Message) -> Sequence[Passage]:
        before, self.told = self.told, message
        return [] if message is before else super().passages(message)


BROKEN: tuple[type[SoundFormat], ...] = (
    SniffsNothing,
    SniffsByParsing,
    KeepsTheLineEnd,
    DropsNotes,
    SkipsSilently,
    RepeatsIds,
    NeedsARecord,
    KnowsNoMark,
    NamesNoLine,
    TakesTornEnds,
    RepairsEncoding,
    Recurses,
    HasNoLimit,
    RendersBytes,
    ChecksTooMuch,
    ChecksNoPairs,
    ChecksWithoutPlace,
    StripsTexts,
    ExportsTheLast,
    ExportsAnew,
    CountsIdsFromTheEnd,
    DropsWords,
    InventsWords,
    SortsPassages,
    TakesAllForRules,
    HearsEveryone,
    TellsOnce,
)
