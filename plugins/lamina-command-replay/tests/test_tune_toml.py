"""What is written as TOML is read back as it was."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamina_command_replay._toml import as_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=12
)
TREES = st.dictionaries(TEXTS, VALUES, max_size=5)


@given(TREES)
@example({"a": {"b": {"c": 1}, "d": 2}, "e": 3})
@example({"grants": [{"tool": "x", "decision": "ask"}], "": {"": {'\x7f"\\\n': [[1.5, -0.0], []]}}})
@settings(max_examples=30)
def test_reading_what_was_written_gives_it_back(tree):
    assert tomllib.loads(as_toml(tree)) == tree


def test_a_part_without_settings_keeps_its_table():
    assert as_toml({"tools": {"recall": {}}}) == "[tools.recall]\n"


def test_what_is_none_is_left_out_and_paths_and_times_are_written():
    day = datetime.date(2026, 11, 22)
    text = as_toml({"a": None, "path": Path("x/y"), "day": day, "use": {"b": None}})
    assert tomllib.loads(text) == {"path": "x/y", "day": day, "use": {}}
