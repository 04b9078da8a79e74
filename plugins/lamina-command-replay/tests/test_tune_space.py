"""The space follows from what is installed: from the settings classes, by no part's name."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import ClassVar, Literal

import pytest
from attrs import evolve, field, frozen, validators
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.config import load
from lamina.errors import ConfigError, PluginError
from lamina.hookspecs import Hooks, hookimpl
from lamina.plugins import Catalogue, add
from lamina_command_replay._player import laid
from lamina_command_replay._space import LONGEST, Point, Space, moved
from lamina_command_replay._tune_report import _changes
from lamina_command_replay.tuning import Choices, Range


@frozen
class Nothing:
    """Nothing to set."""


@frozen
class Strange:
    """A third party's pager, which lamina was never told of."""

    bite: float = field(default=0.5, metadata={"tune": (0.1, 0.9)})
    teeth: int = field(default=4, validator=[validators.ge(1), validators.le(32)])
    mode: Literal["sharp", "blunt"] = "sharp"
    path: str = "x"


@frozen
class Needy:
    url: str
    share: float = field(default=0.5, metadata={"tune": (0.1, 0.9)})


@frozen
class Costly:
    __tune__: ClassVar[bool] = False
    share: float = field(default=0.5, metadata={"tune": (0.1, 0.9)})


@frozen
class Nonsense:
    share: float = field(default=0.5, metadata={"tune": "a lot"})


PARTS = {
    "storage": {"store": Nothing},
    "counter": {"words": Nothing},
    "pager": {"plain": Nothing, "strange": Strange, "needy": Needy},
    "scorer": {"old": Nothing, "new": Strange},
    "compressor": {"cut": Strange, "fold": Nothing, "squeeze": Nothing, "oracle": Costly},
}
BASE = {"window": {"pager": "plain", "counter": "words", "scorer": "old", "compressors": ["cut"]}, "log": {"storage": "store"}}  # fmt: skip


def catalogue(more):
    @asynccontextmanager
    async def opener(settings, host):
        yield None

    class Plugin:
        pass

    def offering(parts):
        def offer(self, register):
            for name, cls in parts.items():
                register(name, opener, cls)

        return hookimpl(offer)

    for kind, parts in PARTS.items():
        setattr(Plugin, f"register_{kind}", offering({**parts, **more.get(kind, {})}))
    made = Catalogue()
    made.manager.add_hookspecs(Hooks)
    add(made, Plugin(), "lamina-acme")
    assert not made.broken
    return made


PLAIN = catalogue({})


def config(tmp_path, settings=BASE, environ=None, **more):
    file = tmp_path / "base.toml"
    file.write_text("")
    return load(file, settings=settings, environ=environ or {}, catalogue=catalogue(more) if more else PLAIN)


@pytest.fixture
def space(tmp_path):
    # As if a file said it: what an argument says is not searched.
    return Space(evolve(config(tmp_path), values=()))


def values(space, point):
    return {path: space._domains[path] for path in space.dimensions(point) if path in space._domains}


def test_everything_installed_can_be_chosen_but_what_needs_a_person_or_costs_money(space):
    assert space.pagers == ("plain", "strange")
    assert space.scorers == ("old", "new")
    assert space.compressors == ("cut", "fold", "squeeze")


def test_a_third_party_pager_is_tuned_by_what_its_settings_say(space):
    assert values(space, Point("strange", "old", ())) == {
        "pagers.strange.bite": Range(0.1, 0.9),
        "pagers.strange.teeth": Range(1, 32, whole=True),
        "pagers.strange.mode": Choices(("sharp", "blunt")),
    }


def test_only_the_parts_in_use_have_dimensions(space):
    assert "pagers.strange.bite" not in space.dimensions(space.base)
    assert "compressors.cut.bite" in space.dimensions(space.base)
    assert "compressors.cut.bite" not in space.dimensions(Point("plain", "old", ("fold",)))


def test_what_is_kept_stays(tmp_path):
    own = evolve(config(tmp_path), values=())
    space = Space(own, ["window.pager", "window.comp*", "compressors.cut.*"])
    assert space.pagers == ("plain",)
    assert space.dimensions(space.base) == ["window.scorer"]


def test_what_the_environment_or_an_argument_says_stays(tmp_path):
    own = config(tmp_path, environ={"LAMINA_COMPRESSORS__CUT__TEETH": "8"})
    found = Space(own).dimensions(Space(own).base)
    assert "window.pager" not in found
    assert "compressors.cut.teeth" not in found
    assert "compressors.cut.bite" in found


def test_a_part_that_is_not_for_trials_is_refused_where_it_is_in_use(tmp_path):
    with pytest.raises(ConfigError, match="compressor 'oracle' is not for trials.*leave it out with --set"):
        Space(config(tmp_path, laid(BASE, {"window": {"compressors": ["cut", "oracle"]}})))


def test_a_declaration_that_says_nothing_names_its_distribution(tmp_path):
    own = evolve(config(tmp_path, pager={"odd": Nonsense}), values=())
    with pytest.raises(PluginError, match=r"lamina-acme: Nonsense\.share"):
        Space(own)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_point_that_a_walk_comes_to_is_a_configuration(space, tmp_path, seed):
    rng = random.Random(seed)
    one, other = space.base, space.base
    for _ in range(8):
        dimensions = space.dimensions(one)
        one, other = space.changed(one, rng.choice(dimensions), rng), one
        one = rng.choice([one, space.anywhere(one, rng), space.mixed(one, other, rng)])
        read = config(tmp_path, laid(BASE, space.settings(one)))
        assert (read.window.pager, read.window.scorer, read.window.compressors) == (
            one.pager,
            one.scorer,
            one.compressors,
        )
        assert len(set(one.compressors)) == len(one.compressors) <= LONGEST
        for path, value in one.values:
            kind, name, setting = path.split(".")
            assert getattr(read.instance(kind.removesuffix("s"), name).settings, setting) == value
            assert value != getattr(Strange(), setting)


def test_values_of_parts_that_are_not_in_use_do_not_count(space):
    point = space.made(Point("strange", "old", ()), [("pagers.strange.teeth", 9), ("compressors.cut.teeth", 9)])
    assert point.values == (("pagers.strange.teeth", 9),)
    assert space.made(Point("strange", "old", ()), [("pagers.strange.teeth", 4)]).values == ()


def test_every_difference_can_be_taken_back(space):
    point = Point("strange", "new", ("fold",), (("pagers.strange.teeth", 9),))
    assert list(space.differences(point)) == [
        "window.pager",
        "window.scorer",
        "window.compressors",
        "pagers.strange.teeth",
    ]
    for path in space.differences(point):
        assert path not in space.differences(space.reverted(point, path))
    for path in space.differences(point):
        point = space.reverted(point, path)
    assert point == space.base


def test_changes_are_told_shortly(space):
    class Trial:
        point = Point("strange", "old", ("fold", "cut"), (("pagers.strange.bite", 0.25),))

    assert _changes(Trial, space) == "pager=strange, compressors=[fold, cut], strange.bite=0.25"
    Trial.point = space.base
    assert _changes(Trial, space) == "none"


RANGES = st.one_of(
    st.tuples(st.just(0.0) | st.floats(0.001, 5), st.floats(0.01, 50)).map(lambda p: Range(p[0], p[0] + p[1])),
    st.tuples(st.integers(0, 50), st.integers(1, 5000)).map(lambda p: Range(p[0], p[0] + p[1], whole=True)),
)


@given(RANGES, st.floats(-10, 6000), st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_moved_number_stays_in_its_range(domain, value, seed):
    value = round(value) if domain.whole else value
    got = moved(domain, value, random.Random(seed))
    assert domain.low <= got <= domain.high
    assert not domain.whole or isinstance(got, int)


def test_a_choice_becomes_another_one():
    rng = random.Random(0)
    assert {moved(Choices(("a", "b", "c")), "a", rng) for _ in range(20)} == {"b", "c"}
