"""What a configuration file may set that merely lies in the working folder, and who trusts it."""

from __future__ import annotations

import asyncio
import stat
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from attrs import field, frozen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina import config, trust
from lamina.context import open_part
from lamina.errors import ConfigError
from lamina.hookspecs import hookimpl
from lamina.trust import outside_home


@frozen
class DiskSettings:
    path: Path = field(default=Path("disk"), metadata={"trust": outside_home})
    key_env: str | None = field(default=None, metadata={"trust": True})
    extra: dict[str, int] = field(factory=dict, metadata={"trust": True})
    fetch: bool = field(default=False, metadata={"trust": bool})
    size: int = 3


@frozen
class RemoteSettings:
    __trust__: ClassVar[bool] = True
    speed: int = 1


@frozen
class NothingSettings:
    """Nothing to set."""


@frozen
class ChainSettings:
    inner: str = "disk"


class Remote:
    @hookimpl
    def register_storage(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield object()

        @asynccontextmanager
        async def chain(settings, host):
            yield await host.open("storage", settings.inner)

        register("disk", opener, DiskSettings)
        register("remote", opener, RemoteSettings)
        register("chain", chain, ChainSettings)

    @hookimpl
    def register_grants(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield object()

        register("lenient", opener, NothingSettings)

    @hookimpl
    def register_executor(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield object()

        register("here", opener, NothingSettings)

    @hookimpl
    def register_tool(self, register):
        @asynccontextmanager
        async def opener(settings, host):
            yield object()

        register("shell", opener, RemoteSettings)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder, and an environment whose configuration folder is empty."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def load(kernel, folder, text=None, path=None, environ=None, name="lamina.toml", **arguments):
    """Write the file into the working folder and load it."""
    if text is not None:
        Path(name).write_text(text, encoding="utf-8")
    environ = {"XDG_CONFIG_HOME": str(folder / "config"), **(environ or {})}
    catalogue = kernel.catalogue_of(kernel.Parts(), Remote())
    return config.load(path, environ=environ, catalogue=catalogue, **arguments)


def refused(kernel, folder, text, **more):
    """The settings that the file may not make."""
    with pytest.raises(ConfigError) as caught:
        load(kernel, folder, text, **more)
    (fault,) = caught.value.faults
    assert fault.endswith(f"lamina trust {more.get('name', 'lamina.toml')}")
    return fault.partition("may not set ")[2].partition(";")[0].split(", ")


# Table to its lines.
HARMLESS = {
    "": "seed = 1",
    "window": 'budget = 500\nrecall_share = 0.2\npager = "plain"\nstrict = true\ncompressors = []',
    "calls": "timeout_s = 3.0",
    "logging": 'level = "error"',
    "storages.disk": 'path = "a/b"\nsize = 9\nfetch = false',
    "log": 'storage = "disk"',
}
# What is refused to the lines that are.
GUARDED = {
    "home": 'home = "/elsewhere"',
    "namespace": 'namespace = "boss"',
    "profile": 'profile = "plain"',
    "plugins.block": '[plugins]\nblock = ["guard"]',
    "calls.grants": '[calls]\ngrants = "lenient"',
    "calls.executors": '[calls.executors]\n"*" = "here"',
    "storages.a.path": '[storages.a]\nuse = "disk"\npath = "/etc"',
    "storages.b.path": '[storages.b]\nuse = "disk"\npath = "x/../../y"\nsize = 4',
    "storages.c.key_env": '[storages.c]\nuse = "disk"\nkey_env = "TOKEN"',
    "storages.d.key-env": '[storages.d]\nuse = "disk"\nkey-env = "TOKEN"',
    "storages.e.extra": '[storages.e]\nuse = "disk"\nextra = {a = 1}',
    "storages.f.fetch": '[storages.f]\nuse = "disk"\nfetch = true',
    "storages.g.use": '[storages.g]\nuse = "remote"',
    "tools.shell": "[tools.shell]",
}


def test_a_file_that_lies_in_the_folder_may_set_what_is_harmless(kernel, folder):
    text = "\n".join(f"[{table}]\n{lines}" if table else lines for table, lines in HARMLESS.items())
    made = load(kernel, folder, text)
    assert (made.window.budget, made.instance("storage", "disk").settings.size) == (500, 9)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chosen=st.sets(st.sampled_from(sorted(GUARDED)), min_size=1))
@example(chosen=set(GUARDED))
def test_all_that_needs_trust_is_named_at_once_and_nothing_else(kernel, folder, chosen):
    ordered = [name for name in GUARDED if name in chosen]
    text = "\n".join(GUARDED[name] for name in ordered)
    assert sorted(refused(kernel, folder, text)) == sorted(ordered)
    trust.trust(config.read_file(environ={})[1], Path("lamina.toml"), {"HOME": str(folder)})
    made = load(kernel, folder, text, environ={"XDG_CONFIG_HOME": "", "HOME": str(folder)})
    assert made.untrusted is None


@pytest.mark.parametrize("name", sorted(GUARDED))
def test_the_environment_arguments_and_named_files_may_set_everything(kernel, folder, name):
    text = GUARDED[name]
    refused(kernel, folder, text)
    assert load(kernel, folder, path="lamina.toml").untrusted is None
    assert load(kernel, folder, environ={"LAMINA_CONFIG": "lamina.toml"}).untrusted is None
    given = config.read_file("lamina.toml")[1]
    Path("lamina.toml").unlink()
    assert load(kernel, folder, settings=given).untrusted is None
    Path("pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert load(kernel, folder, settings=given).untrusted is None


def test_what_something_else_overrides_does_not_matter(kernel, folder):
    text = 'home = "/elsewhere"\n[storages.c]\nuse = "disk"\nkey_env = "TOKEN"\n'
    environ = {"LAMINA_HOME": str(folder), "LAMINA_STORAGES__C__KEY_ENV": "MINE"}
    assert load(kernel, folder, text, environ=environ).instance("storage", "c").settings.key_env == "MINE"


def test_it_is_named_beside_all_other_faults(kernel, folder):
    with pytest.raises(ConfigError) as caught:
        load(kernel, folder, 'home = "/elsewhere"\n[window]\nbudget = -1\n')
    assert len(caught.value.faults) == 2


def test_a_pyproject_of_the_folder_is_trusted_by_what_it_says_of_lamina(kernel, folder):
    text = '[tool.lamina]\nhome = "/elsewhere"\n[project]\nversion = "%d"\n'
    assert refused(kernel, folder, text % 1, name="pyproject.toml") == ["home"]
    environ = {"XDG_CONFIG_HOME": str(folder / "config")}
    trust.trust(config.read_file(environ={})[1], Path("pyproject.toml"), environ)
    assert load(kernel, folder, text % 2, name="pyproject.toml").top.home == "/elsewhere"


def test_trust_ends_when_what_is_set_changes_and_not_with_a_comment(kernel, folder):
    environ = {"XDG_CONFIG_HOME": str(folder / "config")}
    text = '[storages.c]\nuse = "disk"\nkey_env = "TOKEN"\n'
    refused(kernel, folder, text)
    given = config.read_file(environ={})[1]
    trust.trust(given, Path("/somewhere/lamina.toml"), environ)
    load(kernel, folder, f"# a remark\n\n{text}")
    assert refused(kernel, folder, text.replace("TOKEN", "OTHER")) == ["storages.c.key_env"]
    trust.distrust(given, Path("/somewhere/lamina.toml"), environ)
    refused(kernel, folder, text)


def test_a_file_that_is_trusted_anew_is_not_trusted_for_what_it_set_before(kernel, folder):
    environ = {"XDG_CONFIG_HOME": str(folder / "config")}
    for value in ("one", "two"):
        trust.trust({"home": value}, Path("/somewhere/lamina.toml"), environ)
    assert not trust.is_trusted({"home": "one"}, environ)
    assert trust.is_trusted({"home": "two"}, environ)


def test_without_a_home_nothing_is_trusted_and_nothing_can_be(folder):
    assert not trust.is_trusted({"home": "x"}, {})
    with pytest.raises(OSError, match="names no home folder"):
        trust.trust({"home": "x"}, Path("lamina.toml"), {})


def test_only_the_user_may_read_what_is_trusted(folder):
    environ = {"HOME": str(folder)}
    trust.trust({"home": "x"}, Path("/w/lamina.toml"), environ)
    place = folder / ".config" / "lamina"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place, place / "trusted")] == [0o700, 0o600]
    assert [path.name for path in place.iterdir()] == ["trusted"]


def test_a_part_that_needs_trust_is_not_opened_for_such_a_file_whoever_asks(kernel, folder):
    assert refused(kernel, folder, '[log]\nstorage = "remote"\n') == ["log.storage"]
    opened = load(kernel, folder, '[storages.chain]\ninner = "remote"\n[log]\nstorage = "chain"\n')

    async def opens(made):
        async with open_part(made, "storage", "chain"):
            return True

    with pytest.raises(ConfigError, match=r"may not set storages\.remote; read it"):
        asyncio.run(opens(opened))
    assert asyncio.run(opens(load(kernel, folder, path="lamina.toml")))
    # Named by the user as well: then the file adds nothing.
    vouched = load(kernel, folder, '[storages.chain]\ninner = "remote"\n', settings={"log": {"storage": "remote"}})
    assert asyncio.run(opens(vouched))


@pytest.mark.parametrize("path", ["/etc/passwd", "~/x", "~other", "../x", "a/../b", "C:\\x", "\\\\host\\share", "a\\..\\b", "//x"])  # fmt: skip
def test_paths_that_may_lead_out_of_the_home_are_known_on_every_system(path):
    assert outside_home(path)
    assert outside_home(Path(path))


@pytest.mark.parametrize("path", ["lamina.db", "a/b/c.db", "..a/b", "a.b..c", ".", "über/ä"])
def test_paths_within_the_home_are_harmless(path):
    assert not outside_home(path)


VALUES = st.recursive(
    st.one_of(st.integers(-2, 2), st.booleans(), st.floats(-2, 2), st.text(max_size=3), st.dates()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=4,
)


@given(
    st.dictionaries(st.text(max_size=2), VALUES, max_size=3), st.dictionaries(st.text(max_size=2), VALUES, max_size=3)
)
@example({"a": 1}, {"a": True})
@example({"a": 1}, {"a": 1.0})
@example({"a": 1}, {"a": "1"})
def test_what_sets_the_same_has_the_same_fingerprint_and_nothing_else_has(one, other):
    assert (trust.fingerprint(one) == trust.fingerprint(other)) == same(one, other)
    assert trust.fingerprint(one) == trust.fingerprint(dict(reversed(one.items())))


def same(one, other):
    if type(one) is not type(other):
        return False
    match one:
        case dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list():
            return len(one) == len(other) and all(map(same, one, other))
        case _:
            return repr(one) == repr(other)
