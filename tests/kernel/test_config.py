"""The configuration: layers, strict types, every fault at once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import field, frozen, validators

from lamina import config, plugins
from lamina.errors import ConfigError, DuplicatePluginError, UnknownPluginError
from lamina.hookspecs import hookimpl


@frozen
class ColdSettings:
    path: Path
    size: int = field(default=10, validator=validators.gt(0))
    mode: str = "fast"
    names: tuple[str, ...] = ()
    share: float | None = None


@frozen
class MarkSettings:
    low: float = field(default=0.5, validator=validators.gt(0))
    high: float = 1.0

    @low.validator
    def _below_high(self, attribute, value):
        if value > self.high:
            raise ValueError(f"is above high = {self.high}")


@frozen
class NoSettings:
    pass


@asynccontextmanager
async def opener(settings, host):
    yield object()


class Parts:
    @hookimpl
    def register_storage(self, register):
        register("disk", opener, ColdSettings)
        register("ram", opener, NoSettings)

    @hookimpl
    def register_pager(self, register):
        register("plain", opener, NoSettings)

    @hookimpl
    def register_counter(self, register):
        register("words", opener, NoSettings)

    @hookimpl
    def register_profile(self, register):
        register("base", {"window": {"pager": "plain", "counter": "words"}, "log": {"storage": "ram"}})


class Marks:
    @hookimpl
    def register_pager(self, register):
        register("marks", opener, MarkSettings)


def catalogue_of(*given):
    catalogue = plugins.Catalogue()
    catalogue.manager.add_hookspecs(plugins.Hooks)
    for number, plugin in enumerate(given):
        plugins.add(catalogue, plugin, f"dist-{number}")
    return catalogue


def read(tmp_path=None, text=None, environ=None, settings=None, profile=None, catalogue=None):
    path = None
    if text is not None:
        path = tmp_path / "lamina.toml"
        path.write_text(text, encoding="utf-8")
    return config.load(
        path, settings=settings, profile=profile, environ=environ or {}, catalogue=catalogue or catalogue_of(Parts())
    )


@pytest.fixture(autouse=True)
def elsewhere(tmp_path_factory, monkeypatch):
    """No lamina.toml of the working folder gets in the way."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


def test_the_only_profile_is_the_default():
    assert read().window.pager == "plain"


def test_later_layers_win_and_say_where_a_value_came_from(tmp_path):
    text = "[window]\nbudget = 1\nrecall_limit = 2\nrecall_share = 0.3\n"
    environ = {"LAMINA_WINDOW__BUDGET": "20", "LAMINA_WINDOW__RECALL_LIMIT": "3"}
    made = read(tmp_path, text, environ, {"window": {"budget": 300}})
    assert (made.window.budget, made.window.recall_limit, made.window.recall_share) == (300, 3, 0.3)
    origins = {v.path: v.origin for v in made.values}
    assert origins["window.budget"] == "argument"
    assert origins["window.recall_limit"] == "environment"
    assert origins["window.recall_share"].endswith("lamina.toml")
    assert origins["window.pager"] == "profile base"
    assert origins["window.strict"] == "default"


def test_a_named_instance_has_its_own_strategy_and_settings(tmp_path):
    made = read(tmp_path, '[storages.cold]\nuse = "disk"\npath = "x"\nsize = 3\n[log]\nstorage = "cold"\n')
    instance = made.instance("storage", "cold")
    assert instance.use == "disk"
    assert instance.settings == ColdSettings(Path("x"), 3)


def test_a_name_without_a_table_is_the_strategy_of_that_name():
    assert read().instance("storage", "ram").settings == NoSettings()


def test_another_strategy_drops_the_settings_of_the_one_it_replaces(tmp_path):
    class Two(Parts):
        @hookimpl
        def register_profile(self, register):
            base = {"window": {"pager": "plain", "counter": "words"}, "log": {"storage": "main"}}
            register("base", {**base, "storages": {"main": {"use": "disk", "path": "x"}}})

    made = read(tmp_path, '[storages.main]\nuse = "ram"\n', catalogue=catalogue_of(Two()))
    assert made.instance("storage", "main").settings == NoSettings()


def test_five_errors_are_reported_at_once_with_place_value_and_remedy(tmp_path):
    text = """
surprise = 1
[window]
budget = "many"
recal_share = 0.2
pager = "plane"
[storages.cold]
use = "disk"
size = -1
"""
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    faults = caught.value.faults
    joined = "\n".join(faults)
    assert len(faults) == 6
    assert "window.budget: 'many' is not a whole number" in joined
    assert "did you mean 'recall_share'?" in joined
    assert "no pager named 'plane'; installed: plain; did you mean 'plain'?" in joined
    assert "storages.cold.size: -1 must be > 0" in joined
    assert "storages.cold.path: required setting missing" in joined
    assert "surprise: unknown" in joined
    assert all("lamina.toml" in f for f in faults if "required" not in f)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [('"3"', "whole number"), ("true", "whole number"), ("3.0", "whole number"), ("[1]", "whole number")],
)
def test_types_are_never_turned_into_one_another(tmp_path, value, wanted):
    with pytest.raises(ConfigError, match=wanted):
        read(tmp_path, f"[window]\nbudget = {value}\n")


def test_environment_values_are_toml_or_text(tmp_path):
    environ = {
        "LAMINA_STORAGES__COLD__USE": "disk",
        "LAMINA_STORAGES__COLD__PATH": "some/where",
        "LAMINA_STORAGES__COLD__SIZE": "7",
        "LAMINA_STORAGES__COLD__NAMES": '["a", "b"]',
        "LAMINA_NAMESPACE": "12",
    }
    made = read(environ=environ)
    assert made.instance("storage", "cold").settings == ColdSettings(Path("some/where"), 7, names=("a", "b"))
    assert made.top.namespace == "12"


def test_other_tools_variables_are_left_alone():
    assert read(environ={"LAMINA_SOMETHING": "x"}).window.pager == "plain"


def test_a_missing_file_that_was_named_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        config.load(tmp_path / "none.toml", environ={}, catalogue=catalogue_of(Parts()))


def test_broken_toml_names_file_and_line(tmp_path):
    with pytest.raises(ConfigError, match=r"lamina\.toml: not valid TOML.*line 2"):
        read(tmp_path, "[window]\nbudget = \n")


def test_pyproject_is_read_where_there_is_no_lamina_toml(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.lamina.window]\nbudget = 77\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read().window.budget == 77


def test_without_a_profile_what_is_needed_must_be_named():
    class NoProfile(Parts):
        register_profile = None

    with pytest.raises(ConfigError) as caught:
        read(catalogue=catalogue_of(NoProfile()))
    assert any("window.pager: required" in f for f in caught.value.faults)
    assert any("log.storage: required" in f for f in caught.value.faults)


def test_of_several_profiles_one_must_be_named():
    class Other:
        @hookimpl
        def register_profile(self, register):
            register(
                "other", {"window": {"pager": "plain", "counter": "words", "budget": 5}, "log": {"storage": "ram"}}
            )

    both = catalogue_of(Parts(), Other())
    with pytest.raises(ConfigError, match="several are installed"):
        read(catalogue=both)
    assert read(profile="other", catalogue=both).window.budget == 5


def test_a_name_offered_twice_names_both_distributions():
    made = catalogue_of(Parts(), Parts())
    with pytest.raises(DuplicatePluginError, match=r"storage 'ram' is offered by both dist-0 and dist-1"):
        made.find("storage", "ram")


def test_a_missing_name_lists_what_is_installed():
    with pytest.raises(
        UnknownPluginError, match=r"no storage named 'dsk'; installed: disk, ram; did you mean 'disk'\?"
    ):
        catalogue_of(Parts()).find("storage", "dsk")


class TestBrokenPlugins:
    def test_a_misspelt_hook_is_reported_and_nothing_of_it_registered(self):
        class Misspelt(Parts):
            @hookimpl
            def register_storages(self, register):
                pass

        made = catalogue_of(Misspelt())
        assert [b.distribution for b in made.broken] == ["dist-0"]
        assert "did you mean 'register_storage'?" in made.broken[0].why
        assert made.offers == {}

    def test_a_half_made_offer_is_rolled_back_and_the_rest_works(self):
        class Half:
            @hookimpl
            def register_storage(self, register):
                register("first", opener, NoSettings)
                raise RuntimeError("no more")

        made = catalogue_of(Half(), Parts())
        assert made.names("storage") == ["disk", "ram"]
        assert "no more" in made.broken[0].why

    @pytest.mark.parametrize(
        ("offer", "why"),
        [
            (("", opener, NoSettings), "impossible name"),
            (("a b", opener, NoSettings), "impossible name"),
            (("x", "no opener", NoSettings), "not callable"),
            (("x", opener, dict), "no attrs class"),
        ],
    )
    def test_nonsense_is_refused(self, offer, why):
        class Nonsense:
            @hookimpl
            def register_storage(self, register):
                register(*offer)

        assert why in catalogue_of(Nonsense()).broken[0].why

    @pytest.mark.parametrize(
        ("spoken", "offered", "why"),
        [
            ((1, 1), 99, "needs protocol 99 of its kind; this lamina has 1"),
            ((2, 3), 1, "needs protocol 1 of its kind; this lamina has 2 to 3"),
            ((2, 3), (4, 5), "needs protocol 4 to 5 of its kind; this lamina has 2 to 3"),
            ((1, 1), (2, 1), "no range of versions"),
            ((1, 1), 0, "no range of versions"),
            ((2, 3), (1, 2), None),
            ((2, 3), (3, 9), None),
            ((1, 4), 2, None),
        ],
    )
    def test_an_offer_needs_a_version_of_its_kind_in_common(self, monkeypatch, spoken, offered, why):
        class Offers:
            @hookimpl
            def register_storage(self, register):
                register("x", opener, NoSettings, protocol=offered)

        monkeypatch.setattr(plugins, "PROTOCOLS", {"storage": spoken})
        catalogue = catalogue_of(Offers())
        assert [why in broken.why for broken in catalogue.broken] == ([] if why is None else [True])
        assert catalogue.names("storage") == (["x"] if why is None else [])


@pytest.mark.parametrize("marks", [{"low": 0.6}, {"low": 0.2, "high": 0.3}, {"high": 0.7}, {"low": 2.0, "high": 3}])
def test_a_setting_may_be_checked_against_another(marks):
    made = read(settings={"pagers": {"marks": marks}}, catalogue=catalogue_of(Parts(), Marks()))
    assert made.instances["pager", "marks"].settings == MarkSettings(**marks)


@pytest.mark.parametrize(
    ("marks", "places"),
    [
        ({"low": 0.6, "high": 0.5}, ["pagers.marks.low: 0.6 is above high = 0.5"]),
        ({"high": 0.4}, ["pagers.marks: is above high = 0.4"]),
        ({"low": 0.6, "high": "x"}, ["pagers.marks.high: 'x' is not a number"]),
        ({"low": -1.0, "high": "x"}, ["pagers.marks.high: 'x' is not a number", "pagers.marks.low: -1.0 must be > 0"]),
    ],
)
def test_settings_that_do_not_go_together_are_a_fault_of_one_of_them(marks, places):
    with pytest.raises(ConfigError) as error:
        read(settings={"pagers": {"marks": marks}}, catalogue=catalogue_of(Parts(), Marks()))
    assert len(error.value.faults) == len(places)
    assert all(fault.startswith(place) for fault, place in zip(sorted(error.value.faults), places, strict=True))
