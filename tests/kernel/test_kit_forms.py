import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import FormatError
from lamina.kit import forms
from lamina.kit.sources import Calls, Source
from lamina.model import Message, Text, ToolCall, assistant, tool_result, user
from lamina.protocols import ExportRequest, ParseRequest
from lamina.testing.conversations import TEXTS


def told(data, say, begin=list):
    source = Source(ParseRequest(data=data, source="talk.json"), tolerant=True)
    return list(forms.read(source, source.records(), begin, say))


def test_what_is_known_begins_anew_with_each_document():
    def say(record, known):
        known.append(record.value)
        return (user("".join(known)),), None

    read = told(b'["a", "b"]\n["c"]', say)
    assert [message.text for parsed in read for message in parsed.messages] == ["a", "ab", "c"]


def test_what_cannot_be_read_is_refused_with_its_place():
    def refuse(record, known):
        raise forms.MalformedError(f"no message: {record.value}")

    with pytest.raises(FormatError, match=r"^talk\.json:1: no message: 5 \(message 2 of the line\)"):
        told(b'["a", 5]', lambda record, known: refuse(record, known) if record.value == 5 else ((), "empty"))


def test_half_written_records_are_told_and_not_asked_about():
    read = told(b'{"a": 1}\n{"a": ', lambda record, known: ((user(str(record.value)),), None))
    assert [(parsed.skipped, parsed.torn) for parsed in read] == [(None, False), ("half-written line", True)]


def test_results_stand_before_what_else_is_said_and_those_without_calls_are_left_out():
    calls = Calls()
    asked, _ = forms.sorted_out("assistant", [ToolCall("c", "look", "{}"), ToolCall("c", "look", "{}")], calls, {})
    assert [call.id for call in asked[0].calls] == ["c", "c-2"]
    parts = [Text("and"), *tool_result("c", "1").parts, *tool_result("gone", "x").parts]
    made, skipped = forms.sorted_out("user", parts, calls, {"family": {"a": 1}})
    assert made == (tool_result("c", "1"), Message("user", (Text("and"),), extra={"family": {"a": 1}}))
    assert skipped == "tool result without a call"
    for role, part in (("user", ToolCall("c", "look", "{}")), ("assistant", *tool_result("c", "1").parts)):
        with pytest.raises(forms.MalformedError, match=f"{role}.* cannot hold"):
            forms.sorted_out(role, [part], calls, {})


def test_only_pieces_of_one_message_are_joined():
    pieces = [
        Message("assistant", (Text(text),), group) for text, group in zip("abcd", ["m", "m", "n", None], strict=True)
    ]
    assert [m.text for m in forms.joined([*pieces, assistant("e"), user("f")])] == ["a\nb", "c", "d", "e", "f"]


@given(st.text(st.characters()) | TEXTS)
def test_a_text_is_torn_if_and_only_if_no_encoding_takes_it(text):
    try:
        text.encode()
        whole = True
    except UnicodeEncodeError:
        whole = False
    assert forms.is_torn({"a": ["b", {"c": text}]}) is not whole


def test_a_document_holds_its_own_records_as_they_came_and_others_as_they_are_written():
    records = [(b'{ "own": 1 }', ()), (None, (user("a"), user("b"))), (b"\0\0", ()), (b"[2]", ())]
    made = forms.document(ExportRequest("säss", records, own=True), lambda given: [{"text": m.text} for m in given])
    assert made == '{"id": "säss", "messages": [{ "own": 1 }, {"text": "a"}, {"text": "b"}, [2]]}\n'.encode()
    foreign = forms.document(
        ExportRequest("s", [(b"raw", (user("a"),))], own=False), lambda given: [m.text for m in given]
    )
    assert json.loads(foreign) == {"id": "s", "messages": ["a"]}
