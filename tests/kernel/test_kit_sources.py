import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import FormatError
from lamina.kit.sources import MAX_DEPTH, Calls, Source, as_object, peek
from lamina.protocols import ParseRequest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.text().filter(lambda key: key != "messages"), VALUES, max_size=3)


def source(data, **limit):
    return Source(ParseRequest(data=data, source="x.json"), **limit)


@given(st.lists(OBJECTS, max_size=4), st.sampled_from([None, 1]))
def test_records_give_every_value_with_its_slice(values, indent):
    for data in (
        json.dumps(values, indent=indent, ensure_ascii=False),
        json.dumps({"id": 7, "messages": values, "z": [{}]}, indent=indent, ensure_ascii=False),
        "\n".join(json.dumps(value, indent=indent, ensure_ascii=False) for value in values),
    ):
        found = list(source(data.encode()).records())
        assert [record.value for record in found] == values
        assert [json.loads(record.raw) for record in found] == values
        pos = 0
        for record in found:
            pos = data.encode().index(record.raw, pos)
            assert record.line == 1 + data.encode().count(b"\n", 0, pos)
            pos += len(record.raw)


@given(VALUES)
def test_a_value_is_what_the_standard_library_reads(value):
    raw = json.dumps(value, ensure_ascii=False).encode()
    assert source(raw).value(raw, 1) == json.loads(raw)


def refusal(read):
    try:
        read()
    except FormatError as error:
        return error
    return None


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused(data):
    whole = refusal(lambda: list(source(data).records()))
    lines = refusal(lambda: [source(data).value(raw, number) for number, raw in source(data).lines()])
    for error in filter(None, (whole, lines)):
        assert error.source == "x.json"
        assert 1 <= error.line <= data.count(b"\n") + 1
    assert isinstance(peek(data), list)


@given(st.lists(OBJECTS.map(lambda value: {"role": "user", "of": value}), min_size=2, max_size=4), st.integers(0))
@settings(max_examples=40, deadline=None)
def test_peek_shows_how_a_source_begins_wherever_it_is_cut(values, cut):
    data = json.dumps({"id": "x", "messages": values}).encode()
    for found in peek(data[: max(12, cut % len(data))]):
        assert found["id"] == "x"
        shown = found.get("messages", [])
        assert shown[:-1] == values[: max(0, len(shown) - 1)]


def test_conversations_carry_their_id_and_are_told_apart():
    data = b'{"messages": [{"a": 1}], "conv_id": "one"}\n{"messages": [{}]}\n{"alone": 1}'
    found = list(source(data).records())
    assert [(record.session, record.key, record.document) for record in found] == [
        ("one", "messages", 1),
        (None, "messages", 2),
        (None, "", 0),
    ]


def test_a_conversation_may_have_several_members_with_records_and_a_record_such_a_member():
    data = b"""{"id": 1, "output": [1, 2], "model": "m", "prompt": "a", "input": [3]}
{"type": "x", "output": [4]}
{"output": 5}"""
    found = list(source(data).records(("input", "output"), ("prompt",), alone=("type",)))
    assert [(r.value, r.key, r.session, r.line) for r in found] == [
        ("a", "prompt", "1", 1),
        (1, "output", "1", 1),
        (2, "output", "1", 1),
        (3, "input", "1", 1),
        ({"type": "x", "output": [4]}, "", None, 2),
        ({"output": 5}, "", None, 3),
    ]


@pytest.mark.parametrize(
    ("data", "line", "why"),
    [
        (b'[\n{"a": 1},\n{"a": ', 3, "cut off"),
        (b'[\n{"a": "b\n', 2, "control character"),
        (b'{"a": 1,}', 1, "property name"),
        (b'{"messages": [1 2]}', 1, "delimiter"),
        (b"[1,\n\n2]]", 3, "an object or an array"),
        (b'\n{"a": "\xff"}', 2, "0xff is not UTF-8"),
        (b"\xff\xfe[\x00]\x00", 1, "iconv"),
        (b'\n{"a": ' + b"[" * 300 + b"]" * 300 + b"}", 2, f"deeper than {MAX_DEPTH}"),
        (b'\n{"a": ' + b"9" * 5000 + b"}", 2, "digits"),
        (b'[\n{"a": "' + b"x" * 2000 + b'"}]', 2, "allows 1,000"),
    ],
)
def test_errors_name_line_and_reason(data, line, why):
    with pytest.raises(FormatError, match=why) as caught:
        list(source(data, max_record_bytes=1000).records())
    assert caught.value.line == line


def test_lines_count_blank_ones_and_drop_their_ends():
    assert list(source(b"\xef\xbb\xbfa\r\n\n \nb").lines()) == [(1, b"a"), (4, b"b")]
    with pytest.raises(FormatError, match="2,000 bytes") as caught:
        list(source(b"a\n" + b"b" * 2000, max_record_bytes=1000).lines())
    assert caught.value.line == 2


def test_lone_surrogates_become_replacement_characters():
    raw = rb'{"\ud800": ["a\udfff", "\ud83d\ude00", 1]}'
    assert source(raw).value(raw, 1) == {"\ufffd": ["a\ufffd", "😀", 1]}


@given(st.lists(st.sampled_from(["a", "a-2", "b"]), max_size=12))
def test_ids_of_calls_are_unique_and_depend_only_on_the_past(recorded):
    first, again = Calls(), Calls()
    made = [first.call(name) for name in recorded]
    assert len(set(made)) == len(made)
    assert made[: len(made) // 2] == [again.call(name) for name in recorded[: len(made) // 2]]
    for name in set(recorded):
        assert [first.result(name) for at in recorded if at == name] == [
            m for at, m in zip(recorded, made, strict=True) if at == name
        ]
        assert first.result(name) is None


def test_only_objects_are_arguments():
    assert as_object('{"a": 1}') == {"a": 1}
    for text in ("", "[]", "1", '{"a": NaN}', '{"a"', "[" * 100_000, '{"a":' * 300 + "1" + "}" * 300):
        assert as_object(text) is None
