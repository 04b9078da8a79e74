"""``lamina tune`` with the installed parts, from files to a configuration."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from attrs import evolve, field, frozen

from lamina.config import load
from lamina.errors import ConfigError, LaminaError
from lamina.hookspecs import hookimpl
from lamina.kit.paging import keep_newest
from lamina.plugins import add, discover
from lamina_command_replay import _command, _tune
from lamina_command_replay.tuning import Choices, Range, domains

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "examples" / "sample-session.jsonl"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration but what a test writes, and a home folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def run(capsys):
    """Run a command; gives its exit code, and what it wrote to both streams."""

    def go(module, *arguments, **more):
        parser = argparse.ArgumentParser()
        module.configure(parser)
        args = parser.parse_args([str(argument) for argument in arguments])
        for name, value in more.items():
            setattr(args, name, value)
        return module.run(args), *capsys.readouterr()

    return go


@pytest.fixture
def compact(tmp_path):
    """A configuration whose trials take little time."""
    path = tmp_path / "compact.toml"
    path.write_text(
        'namespace = "mine"\n[window]\npager = "packing"\n[pagers.packing]\nuse = "compact"\nlow = 0.6\n'
        '[counters.words]\nuse = "estimate"\n[tools.recall]\n'
    )
    return path


@pytest.fixture
def talk(tmp_path):
    """Seven sessions of words that come back."""
    lines = []
    for number in range(7):
        messages = [{"role": "system", "content": "Answer."}]
        for turn in range(9 + number):
            said = f"item_{number}_{turn:03} " + "and a few words more about it " * 8
            messages.append({"role": "user", "content": said})
            messages.append({"role": "assistant", "content": f"noted item_{number}_{max(0, turn - 5):03}"})
        lines.append(json.dumps({"id": f"t/{number}", "messages": messages}))
    path = tmp_path / "talk.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def figures(one):
    names = ("retention", "context", "bill", "over", "broken", "thin", "steps", "pressed")
    return {name: one[name] for name in names}


KEEP = ("--keep", "window.*", "--keep", "scorers.*", "--keep", "compressors.*")


def test_on_the_sample_session_the_written_file_replays_to_the_figures_that_were_told(run, compact, tmp_path):
    out = tmp_path / "lamina.toml"
    arguments = (SAMPLE, "--budget", 8000, "--trials", 1, *KEEP, "--out", out, "--json")
    code, told, _ = run(_tune, *arguments, config=str(compact))
    assert code == 0
    value = json.loads(told)
    chosen = value["front"][value["chosen"]]
    assert out.read_text().split("\n\n", 1)[1] == chosen["toml"]
    config = load(out, environ={})
    assert (config.top.namespace, config.window.pager) == ("mine", "packing")
    assert config.instance("pager", "packing").use == "compact"
    _, replayed, _ = run(_command, SAMPLE, "--budget", 8000, "--config", out, "--json")
    (session,) = json.loads(replayed)["configurations"][0]["sessions"]
    assert figures(session) == figures(chosen["searched"])
    assert value["trials"]["tried"] == 1


def test_the_file_of_a_set_replays_to_the_figures_of_both_parts(run, talk):
    code, told, _ = run(_tune, talk, "--budget", 300, "--trials", 3, "--json")
    assert code == 0
    value = json.loads(told)
    searched, held = value["sessions"]["searched"], value["sessions"]["held_out"]
    assert (len(searched), len(held)) == (5, 2)
    for member in value["front"][:1]:
        Path("one.toml").write_text(member["toml"])
        for part, ids in (("searched", searched), ("held_out", held)):
            chosen = [argument for id in ids for argument in ("--session", id)]
            _, replayed, _ = run(_command, talk, "--budget", 300, "--config", "one.toml", "--json", *chosen)
            assert figures(json.loads(replayed)["configurations"][0]) == figures(member[part])
    _, replayed, _ = run(_command, talk, "--budget", 300, "--json")
    assert figures(json.loads(replayed)["configurations"][0]) == figures(value["configured"]["all"])


def test_so_many_trials_write_the_same_bytes_at_every_run(run, talk):
    arguments = (talk, "--budget", 300, "--trials", 3, "--session", "t/[456]")
    assert run(_tune, *arguments) == run(_tune, *arguments)


def test_a_person_reads_a_table_and_a_configuration_and_a_pipe_sees_no_progress(run, talk):
    code, out, err = run(
        _tune, talk, "--trials", 2, "--session", "t/6", config=None, settings={"window": {"budget": 400}}
    )
    assert (code, err) == (0, "")
    table, toml = out.split("\n\n# Found by lamina tune for windows of 400 tokens: ")
    assert table.startswith("budget 400; sessions over it: 1 searched\n2 configurations tried")
    assert "\n* " in table
    assert tomllib.loads("# " + toml)["window"]["budget"] == 400
    assert not list(Path("home").rglob("*.db"))


def test_a_person_at_a_terminal_sees_progress(run, talk, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert "tried" in run(_tune, talk, "--budget", 400, "--trials", 1, "--session", "t/6")[2]


def test_a_minute_bound_is_kept_and_reported(run, talk):
    code, out, _ = run(
        _tune,
        talk,
        "--budget",
        400,
        "--minutes",
        0.02,
        "--session",
        "t/6",
        "--json",
        settings={"window": {"pager": "keep-last"}},
    )
    assert code == 0
    assert json.loads(out)["trials"]["stopped"] in ("time", "space")


def test_sessions_below_the_budget_have_nothing_to_tune(run, talk):
    with pytest.raises(LaminaError, match=r"no session exceeds the budget of 90,000 tokens .*smaller --budget"):
        run(_tune, talk, "--budget", 90000, "--trials", 1)


def test_a_wish_that_nothing_meets_names_the_nearest(run, talk):
    wish = ("--at-most-bill", "0.0001")
    code, out, err = run(_tune, talk, "--budget", 400, "--trials", 1, "--session", "t/6", *wish)
    assert code == 1
    assert err.startswith("lamina: no configuration found costs at most 0.0001; the least is 0.")
    assert out.startswith("budget 400")


def test_a_file_that_is_there_is_not_overwritten(run, talk):
    Path("mine.toml").write_text("# by hand\n")
    code, _, err = run(_tune, talk, "--budget", 400, "--trials", 1, "--out", "mine.toml")
    assert code == 2
    assert "mine.toml is there already" in err
    assert Path("mine.toml").read_text() == "# by hand\n"


@pytest.mark.parametrize(
    "arguments", [("--minutes", "0"), ("--minutes", "1", "--trials", "1"), ("--at-most-bill", "x")]
)
def test_wrong_use_is_refused(run, talk, arguments):
    with pytest.raises(SystemExit):
        run(_tune, talk, *arguments)


def test_a_session_that_is_not_there_is_named(run, talk):
    with pytest.raises(LaminaError, match=r"no session fits --session x/\*"):
        run(_tune, talk, "--budget", 400, "--session", "x/*")


def test_a_wrong_configuration_fails_before_anything_is_read(run, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text('[window]\npager = "psychic"\n')
    with pytest.raises(ConfigError, match="psychic"):
        run(_tune, tmp_path / "absent.jsonl", config=str(path))


class Acme:
    """A pager and two compressors of somebody whom lamina never heard of."""

    opened: ClassVar[list[float]] = []

    @frozen
    class Newest:
        share: float = field(default=0.5, metadata={"tune": (0.2, 1.0)})

    @frozen
    class Oracle:
        __tune__: ClassVar[bool] = False

    @frozen
    class Asking:
        whom: str = "acme-oracle"

    class Pager:
        def __init__(self, share):
            self._share = share

        def due(self, request):
            return request.tokens > request.budget

        def large(self, budget):
            return None

        async def plan(self, request):
            return await keep_newest(evolve(request, budget=int(request.budget * self._share)))

    @hookimpl
    def register_pager(self, register):
        @asynccontextmanager
        async def newest(settings, host):
            self.opened.append(settings.share)
            yield self.Pager(settings.share)

        register("acme-newest", newest, self.Newest)

    @hookimpl
    def register_compressor(self, register):
        @asynccontextmanager
        async def oracle(settings, host):
            raise AssertionError("an endpoint was called")
            yield

        @asynccontextmanager
        async def asking(settings, host):
            yield await host.open("compressor", settings.whom)

        register("acme-oracle", oracle, self.Oracle)
        register("acme-asking", asking, self.Asking)


@pytest.fixture
def acme():
    catalogue = discover()
    Acme.opened.clear()
    add(catalogue, Acme(), "lamina-acme")
    assert not catalogue.broken
    return catalogue


def test_a_third_party_pager_is_tuned_like_any_other(run, talk, acme, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[window]\npager = "acme-newest"\ncompressors = []\n')
    arguments = (talk, "--budget", 300, "--trials", 5, "--session", "t/6", *KEEP, "--json")
    run(_tune, *arguments, config=str(own), catalogue=acme)
    own_share, *tried = Acme.opened[1:]  # the first time the sessions were only counted
    assert own_share == 0.5
    assert len({own_share, *tried}) == 6
    assert all(0.2 <= share <= 1.0 for share in tried)


def test_what_is_not_for_trials_is_not_reached_through_another_part(run, talk, acme, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('[window]\npager = "keep-last"\ncompressors = ["acme-asking"]\n')
    with pytest.raises(ConfigError, match=r"compressors\.acme-oracle: is not for trials"):
        run(_tune, talk, "--budget", 300, "--trials", 1, "--session", "t/6", config=str(own), catalogue=acme)


def test_every_installed_setting_that_is_tuned_can_take_both_ends():
    catalogue = discover()
    for (kind, name), (offer, *_) in catalogue.offers.items():
        if any(attribute.default is attrs.NOTHING for attribute in attrs.fields(offer.settings)):
            continue  # what it needs only a person can say
        for setting, domain in domains(offer.settings).items():
            ends = (domain.low, domain.high) if isinstance(domain, Range) else domain.options
            assert isinstance(domain, Range | Choices)
            if kind not in ("pager", "scorer", "compressor"):
                continue
            for end in ends:
                try:
                    read = load(settings={f"{kind}s": {name: {setting: end}}}, environ={}, catalogue=catalogue)
                except ConfigError as error:
                    # Another setting's default may forbid it; a search tries both together.
                    assert re.search(r" is (above|below) \w+ = ", str(error)), error
                else:
                    assert getattr(read.instance(kind, name).settings, setting) == end


def test_the_command_is_offered():
    (command,) = discover().commands["tune"]
    assert command.distribution == "lamina-command-replay"
