"""``lamina plugins``, ``config`` and ``doctor``: what is installed, what is set, what works."""

import pytest

from lamina_cli.commands import doctor
from lamina_cli.commands.config import shown

STORAGE = """
from contextlib import asynccontextmanager
from attrs import frozen
from lamina.hookspecs import hookimpl
from lamina.protocols import Record

@frozen
class Settings:
    pass

class Storage:
    capabilities = frozenset()
    async def commit(self, request):
        {commit}
    async def get(self, request):
        return [Record(key, {value}, 1) for key in request.keys]
    async def scan(self, request):
        return []

@asynccontextmanager
async def opener(settings, host):
    {opening}
    yield Storage()

@hookimpl
def register_storage(register):
    register("{name}", opener, Settings)
"""


def storage(name="acme", commit="return {}", value="b'other'", opening="pass"):
    return STORAGE.format(name=name, commit=commit, value=value, opening=opening)


class TestPlugins:
    def test_every_offer_stands_with_its_distribution_and_use(self, lamina):
        told = lamina("plugins", "--json").json
        assert list(told) == ["plugins", "broken", "blocked", "configuration_error"]
        rows = {(r["kind"], r["name"]): r for r in told["plugins"]}
        assert rows["storage", "sqlite"] == {
            "kind": "storage", "name": "sqlite", "distribution": "lamina-storage-sqlite",
            "version": rows["command", "pack"]["version"], "used": True, "instances": ["main"],
        }  # fmt: skip
        assert rows["storage", "memory"]["used"] is False
        assert rows["index", "lexical"]["used"] is True
        assert rows["profile", "standard"]["used"] is True
        assert rows["command", "pack"]["distribution"] == "lamina-cli"
        assert (told["broken"], told["blocked"], told["configuration_error"]) == ([], [], None)

    def test_the_table_says_it_too(self, lamina):
        lines = lamina("plugins").out.splitlines()
        assert lines[0].split() == ["kind", "name", "distribution", "version", "used"]
        found = {tuple(line.split()[:2]): line for line in lines}
        assert found["storage", "sqlite"].endswith("yes, as main")
        assert found["storage", "memory"].endswith("no")
        assert found["pager", "coverage"].endswith("yes")

    def test_broken_and_blocked_ones_stand_with_the_reason(self, lamina, installed):
        installed("acme-broken", "import nothing_of_this_name")
        installed("acme-blocked", "raise SystemExit")
        block = ("--set", 'plugins.block=["acme-blocked"]')
        told = lamina("plugins", "--json", *block).json
        assert told["broken"] == [{"distribution": "acme-broken", "why": "cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'"}]  # fmt: skip
        assert told["blocked"] == ["acme-blocked"]
        out = lamina("plugins", *block).out
        assert "broken: acme-broken: cannot be imported" in out
        assert "blocked by [plugins]: acme-blocked" in out

    def test_parts_that_others_name_are_used_however_they_name_them(self):
        from attrs import frozen

        from lamina_cli._use import _mentioned

        @frozen
        class Weighted:
            scorers: dict
            storage: str
            indexes: tuple
            counter: None
            half_life: str = "recency"

        found = set(_mentioned(Weighted({"recency": 0.5, "role": 1}, "main", ("a", "b"), None)))
        assert found == {("scorer", "recency"), ("scorer", "role"), ("storage", "main"), ("index", "a"), ("index", "b")}

    def test_a_wrong_configuration_hides_the_use_only(self, lamina):
        wrong = ("--set", "window.pager=nosuch")
        told = lamina("plugins", "--json", *wrong)
        assert told.code == 0
        assert {r["used"] for r in told.json["plugins"]} == {None}
        assert "no pager named 'nosuch'" in told.json["configuration_error"]
        assert "what is used is not known: " in lamina("plugins", *wrong).err


class TestConfig:
    def test_every_value_stands_with_its_origin(self, lamina, tmp_path, monkeypatch):
        (tmp_path / "work" / "lamina.toml").write_text("[window]\nbudget = 4000\n")
        monkeypatch.setenv("LAMINA_WINDOW__RECALL_LIMIT", "2")
        told = lamina("config", "--json", "--set", "window.strict=true").json
        assert (told["file"], told["profile"]) == ("lamina.toml", "standard")
        origins = {v["path"]: (v["value"], v["origin"]) for v in told["values"]}
        assert origins["window.budget"] == (4000, "lamina.toml")
        assert origins["window.recall_limit"] == (2, "environment")
        assert origins["window.strict"] == (True, "argument")
        assert origins["window.pager"] == ("coverage", "profile standard")
        assert origins["window.recall_share"] == (0.1, "default")
        assert origins["storages.main.use"] == ("sqlite", "profile standard")
        out = lamina("config").out
        assert out.splitlines()[0] == "profile: standard; file: lamina.toml"
        assert ["window.budget", "4000", "lamina.toml"] in [line.split() for line in out.splitlines()]

    def test_a_wrong_one_is_the_error_that_every_command_gives(self, lamina):
        done = lamina("config", "--set", "window.budget=-1", "--json")
        assert (done.code, done.raw) == (1, b"")
        assert "window.budget: -1" in done.err

    def test_secrets_are_not_shown(self):
        from pathlib import Path

        from attrs import frozen

        @frozen
        class Login:
            user: str
            password: str

        assert shown("x.api_key", "abc") == "(secret)"
        assert shown("x.token", "abc") == "(secret)"
        assert shown("x.login", Login("me", "pw")) == {"user": "me", "password": "(secret)"}
        assert shown("x.headers", {"authorization": "Bearer"}) == {"authorization": "(secret)"}
        assert shown("x.logins", (Login("me", "pw"),)) == [{"user": "me", "password": "(secret)"}]
        assert shown("x.result_tokens", 5) == 5
        assert shown("x.key", "") == ""
        assert shown("x.path", Path("a/b")) == str(Path("a/b"))
        assert shown("x.odd", 1j) == "1j"


class TestDoctor:
    def test_all_is_well_with_the_standard_set(self, lamina):
        done = lamina("doctor")
        assert (done.code, done.err) == (0, "")
        assert {line.split()[0] for line in done.out.split("\n\n")[0].splitlines()} == {"ok"}
        for part in ("storages.main", "counters.tiktoken", "indexes.main", "tiers.short", "formats.openai", "context"):
            assert part in done.out
        assert "'hello world' is 2 tokens" in done.out
        assert "0 failed, 0 warnings" in done.out

    def test_json_says_the_same(self, lamina):
        told = lamina("doctor", "--json").json
        assert told["ok"] is True
        assert all(list(check) == ["name", "status", "detail", "remedy"] for check in told["checks"])

    def test_it_leaves_nothing_behind(self, lamina):
        assert lamina("doctor").code == 0
        assert lamina("sessions", "--json").json == {"sessions": []}

    def test_every_fault_of_the_configuration_is_a_line(self, lamina):
        done = lamina("doctor", "--set", "window.budget=-1", "--set", "window.pager=nosuch", "--json")
        assert done.code == 1
        failed = [check["detail"] for check in done.json["checks"] if check["status"] == "fail"]
        assert len(failed) == 2
        assert done.json["ok"] is False

    def test_broken_plugins_and_names_offered_twice_are_warned_of(self, lamina, installed):
        installed("acme-broken", "import nothing_of_this_name")
        installed("acme-storage", storage("memory"))
        done = lamina("doctor", "--json")
        assert done.code == 0
        warned = {check["name"]: check for check in done.json["checks"] if check["status"] == "warn"}
        assert set(warned) == {"plugin acme-broken", "storage 'memory'"}
        assert "acme-storage, lamina-storage-memory" in warned["storage 'memory'"]["detail"]
        assert all(check["remedy"] for check in warned.values())
        assert "→ " in lamina("doctor").out

    @pytest.mark.parametrize(("source", "told"), [
        (storage(opening="raise OSError(5, 'the disk is gone')"), "the disk is gone"),
        (storage(opening="import nothing_of_this_name"), "needs a package that is not installed"),
        (storage(commit="raise PermissionError(13, 'Permission denied', 'x.db')"), "x.db: permission denied"),
        (storage(), "does not give back what it was given"),
    ])  # fmt: skip
    def test_a_storage_that_does_not_work_fails_and_the_rest_is_still_checked(self, lamina, installed, source, told):
        installed("acme-storage", source)
        done = lamina("doctor", "--set", "storages.spare.use=acme", "--json")
        assert done.code == 1
        found = {check["name"]: check for check in done.json["checks"]}
        assert found["storages.spare"]["status"] == "fail"
        assert told in found["storages.spare"]["detail"]
        assert found["storages.spare"]["remedy"]
        assert found["storages.main"]["status"] == "ok"
        assert found["context"]["status"] == "ok"

    def test_a_log_that_ends_with_the_process_is_warned_of(self, lamina):
        done = lamina("doctor", "--set", "storages.main.use=memory", "--json")
        (check,) = [check for check in done.json["checks"] if check["status"] == "warn"]
        assert check["name"] == "storages.main"
        assert "durable" in check["remedy"]

    def test_a_counter_that_counts_nothing_fails(self, lamina, installed):
        installed(
            "acme-counter",
            """
from contextlib import asynccontextmanager
from attrs import frozen
from lamina.hookspecs import hookimpl
from lamina.protocols import CounterInfo

@frozen
class Settings:
    pass

class Counter:
    info = CounterInfo(exact=False, bound=2.0, fingerprint="none", origin="the attic")
    def count(self, request):
        return [0 for _ in request.texts]

@asynccontextmanager
async def opener(settings, host):
    yield Counter()

@hookimpl
def register_counter(register):
    register("acme", opener, Settings)
""",
        )
        done = lamina("doctor", "--set", "window.counter=acme", "--json")
        assert done.code == 1
        (check,) = [check for check in done.json["checks"] if check["name"] == "counters.acme"]
        assert "counts 0 tokens in 'hello world'" in check["detail"]

    def test_a_home_that_is_a_file_fails(self, lamina, tmp_path):
        (tmp_path / "file").touch()
        done = lamina("doctor", "--home", tmp_path / "file", "--json")
        assert done.code == 1
        failed = {check["name"] for check in done.json["checks"] if check["status"] == "fail"}
        assert {"home", "storages.main", "context"} <= failed

    def test_a_newer_python_than_the_tests_ran_on_is_warned_of(self, lamina, monkeypatch):
        monkeypatch.setattr(doctor, "TESTED", (3, 10))
        done = lamina("doctor", "--json")
        assert done.json["checks"][0]["status"] == "warn"
        assert done.code == 0

    def test_colours_are_for_terminals_without_no_color(self, lamina, terminal, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b[" not in lamina("doctor").out
        terminal()
        assert "\x1b[32mok" in lamina("doctor").out
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[32m" not in lamina("doctor").out
