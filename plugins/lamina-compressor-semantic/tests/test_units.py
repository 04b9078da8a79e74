"""Where a text may be cut."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.kit.identifiers import identifiers
from lamina_compressor_semantic._units import LONG, units

quick = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
PIECES = st.sampled_from(
    [
        *(
            "a",
            "Port 8765",
            "src/main.py:120",
            ". ",
            "! ",
            "。",
            "？」",
            ", ",
            ",",
            '", "',
            "}, {",
            '": ',
            "\n",
            "\r\n",
        ),
        *(
            "  ",
            "\t",
            "z. B. ",
            "3. ",
            "1,234.5",
            "好",
            "数据库",
            "\u0301",
            "\u200d",
            "👍🏽",
            "word " * 60,
            "x" * 300,
            "; ",
        ),
        *("…", "[", "]"),
    ]
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)


def cut(text):
    return [text[start:end] for start, end in units(text)]


@quick
@given(TEXTS)
def test_units_are_in_order_and_miss_nothing_but_white_space(text):
    at = 0
    for start, end in units(text):
        assert at <= start < end <= len(text)
        assert text[at:start].strip() == ""
        assert text[start:end].strip()
        at = end
    assert text[at:].strip() == ""


@quick
@given(TEXTS)
def test_no_cut_parts_a_number_or_a_character(text):
    for start, end in units(text):
        assert text[start] not in "\u0301\u200d" or not text[:start].strip()
        assert text[end - 1] != "\u200d" or end == len(text) or text[end].isspace()
        assert not (end < len(text) and text[end - 1].isalnum() and text[end].isalnum() and text[end].isascii())


@quick
@given(
    st.lists(
        st.sampled_from(["src/main.py:120", "HAT238", "2024-05-14", "1,234.50", "a@b.de", "well", "So"]), max_size=80
    )
)
def test_identifiers_stay_whole(names):
    text = ", ".join(names) + ". " + json.dumps([{"id": name, "n": i} for i, name in enumerate(names)])
    assert frozenset().union(*map(identifiers, cut(text))) == identifiers(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It failed. We try again! Why?", ["It failed.", "We try again!", "Why?"]),
        ("Dr. Smith, e.g. the J. Doe case. Next.", ["Dr. Smith, e.g. the J. Doe case.", "Next."]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("Am 3. Mai z. B. bzw. Nr. 5 ging es. Gut.", ["Am 3. Mai z. B. bzw. Nr. 5 ging es.", "Gut."]),
        ("Порт 8765, т.е. новый. Не менять! Ладно.", ["Порт 8765, т.е. новый.", "Не менять!", "Ладно."]),
        ("数据库失败。请检查！好吗？", ["数据库失败。", "请检查！", "好吗？"]),
        ("「終わり。」明日は雨です。", ["「終わり。」", "明日は雨です。"]),
        ("first\n\n    second\r\n third", ["first", "    second", " third"]),
        ("v1.2.3 of a.b is out", ["v1.2.3 of a.b is out"]),
        (" \n\t\n", []),
        ("", []),
    ],
)
def test_sentences_and_lines(text, wanted):
    assert cut(text) == wanted


def test_long_sentences_become_clauses():
    text = "we looked at the port which the old server used, " * 12
    made = cut(text)
    assert len(made) > 5
    assert all(60 <= len(unit) <= LONG for unit in made)


def test_json_in_one_line_is_cut_between_objects_and_members():
    text = json.dumps([{"id": f"item-{i}", "name": "Kettle, black", "note": "x, y"} for i in range(40)])
    made = cut(text)
    assert 8 <= len(made) <= 20
    assert all(unit.startswith(("[{", "{", '"')) for unit in made)
    assert all(unit.endswith((",", "}]")) for unit in made)


def test_what_has_no_place_to_cut_is_one_unit():
    assert cut("x" * 5000) == ["x" * 5000]


@pytest.mark.parametrize("piece", [".", " ", "!?", '"', ",", ", ", "a. ", '{"', "。", ")", "\n", "\t–", "é", "\u0301"])
def test_long_runs_take_linear_time(piece):
    text = f"a{piece * 60_000}b"  # minutes, if a run were tried at each of its characters
    assert "".join("".join(cut(text)).split()) == "".join(text.split())
