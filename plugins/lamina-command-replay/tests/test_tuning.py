"""What a settings class says of the values that are worth trying."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from attrs import field, frozen, make_class, validators

from lamina_command_replay.tuning import Choices, Range, domains, for_trials


@frozen
class Declared:
    share: float = field(default=0.5, metadata={"tune": (0.2, 0.9)})
    pages: int = field(default=3, metadata={"tune": (1, 9)})
    most: int | None = field(default=None, metadata={"tune": (10, 400)})
    mode: str = field(default="a", metadata={"tune": ["a", "b", "c"]})
    on: bool = field(default=True, metadata={"tune": None})
    bounded: float = field(default=0.5, validator=[validators.ge(0), validators.le(1)], metadata={"tune": None})


@frozen
class Plain:
    share: float = field(default=0.5, validator=[validators.ge(0), validators.le(1)])
    open_share: float = field(default=0.5, validator=[validators.gt(0.0), validators.lt(1.0)])
    pages: int = field(default=3, validator=validators.and_(validators.gt(0), validators.le(9)))
    half: float = field(default=1.0, validator=validators.ge(0))
    free: int = 12
    on: bool = False
    mode: Literal["each", "once"] = "each"
    level: str = field(default="low", validator=validators.in_(["low", "high"]))
    only: Literal["one"] = "one"
    path: Path = Path("x")
    needed: float = field(validator=[validators.ge(0), validators.le(1)], kw_only=True)


def test_what_is_declared_counts():
    assert domains(Declared) == {
        "share": Range(0.2, 0.9),
        "pages": Range(1, 9, whole=True),
        "most": Range(10, 400, whole=True),
        "mode": Choices(("a", "b", "c")),
    }


def test_what_is_not_declared_follows_from_types_and_validators():
    assert domains(Plain) == {
        "share": Range(0, 1),
        "open_share": Range(0.01, 0.99),
        "pages": Range(1, 9, whole=True),
        "on": Choices((False, True)),
        "mode": Choices(("each", "once")),
        "level": Choices(("low", "high")),
    }


@pytest.mark.parametrize("ends", [(1, 20), (0.5, 40)])
def test_a_wide_range_goes_by_ratio(ends):
    assert Range(*ends).by_ratio
    assert not Range(0, ends[1]).by_ratio
    assert not Range(ends[0], ends[0] * 19).by_ratio


@pytest.mark.parametrize("said", [(1,), (0.9, 0.2), (1, 1), ("a", "b"), ["a"], [], "auto", 3, [1, 2, 3][:1]])
def test_a_declaration_that_says_nothing_is_named(said):
    broken = make_class("Broken", {"size": field(default=1, metadata={"tune": said})})
    with pytest.raises(ValueError, match=r"Broken\.size: tune = .*; give \(low, high\)"):
        domains(broken)


def test_a_class_may_keep_its_parts_out_of_trials():
    @frozen
    class Costly:
        __tune__: ClassVar[bool] = False
        share: float = 0.5

    assert not for_trials(Costly)
    assert for_trials(Plain)
