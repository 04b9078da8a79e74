"""A plugin from outside: installed into a fresh environment, found, chosen, tested and removed; our code untouched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lamina import config, plugins

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("third party")]

ROOT = Path(__file__).resolve().parents[2]
ACME = ROOT / "docs" / "examples" / "lamina-acme"
BACKEND = tomllib.loads((ACME / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
BUDGET = 8000


class Environment:
    """A virtual environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
        beside = shutil.which("uv", path=str(Path(sys.executable).parent))
        self.uv = shutil.which("uv") or beside
        made = [self.uv, "venv", "-q", "-p", sys.executable] if self.uv else [sys.executable, "-m", "venv"]
        self.run(*made, folder / "venv")

    def run(self, *command, check=True):
        """Run a command there; what it says is shown when it fails."""
        ours = ("PYTHON", "PYTEST", "COV", "LAMINA", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env=clean
            | {"PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def install(self, *what):
        constraints = ROOT / "constraints.txt"
        pinned = ("-c", constraints) if constraints.is_file() else ()
        if self.uv:
            # Without sources the workspace means nothing to uv, and all is built and copied as for a stranger.
            self.run(self.uv, "pip", "install", "-q", "--no-sources", "--python", self.python, *what, *pinned)
        else:
            # pip makes an environment for each build otherwise, which takes minutes for so many distributions.
            quickly = ("-q", "--no-compile", *pinned)
            self.run(self.python, "-m", "pip", "install", *quickly, *BACKEND)
            self.run(self.python, "-m", "pip", "install", *quickly, "--no-build-isolation", *what)

    def uninstall(self, name):
        if self.uv:
            self.run(self.uv, "pip", "uninstall", "-q", "--python", self.python, name)
        else:
            self.run(self.python, "-m", "pip", "uninstall", "-q", "-y", name)


def needed():
    """The distributions of the standard profile's parts, of the sample's and its window's format, and of the commands."""
    catalogue = plugins.discover()
    read = config.load(settings={"home": "."}, profile="standard", environ={}, catalogue=catalogue)
    parts = set(read.instances) | {("format", "claude-code"), ("format", "anthropic")}
    for section, key, kind in config.REFERENCES:
        named = getattr(getattr(read, section), key)
        parts |= {(kind, name) for name in ([named] if isinstance(named, str) else named or ())}
    found = {catalogue.find(kind, read.instance(kind, name).use).distribution for kind, name in parts}
    found |= {distribution for distribution, _ in catalogue.profiles["standard"]}
    return sorted(found | {catalogue.commands[name][0].distribution for name in ("pack", "expand")})


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    made = Environment(tmp_path_factory.mktemp("third party"))
    # All at once: a core that came alone could be a stranger's of the same name.
    made.install(f"{ROOT / 'core'}[testing]", *(ROOT / "plugins" / name for name in needed()), ACME)
    return made


@pytest.fixture
def job(environment, sample, tmp_path):
    """Runs the main job there, with the example's own configuration."""
    script = Path(__file__).with_name("_outsider.py")

    def run():
        given = (ACME / "lamina.toml", tmp_path / "home", sample, BUDGET)
        return json.loads(environment.run(environment.python, "-W", "error", script, *given).stdout)

    return run


def test_it_is_found_chosen_by_one_line_each_and_does_the_main_job(job, environment, tmp_path):
    seen = job()
    assert Path(seen["lamina"]).is_relative_to(environment.folder)
    assert seen["points"] == ["lamina_acme"]
    assert seen["broken"] == []
    assert seen["storage"] == seen["compressor"] == "lamina-acme"
    assert seen["heavy"] == []
    assert seen["tuned"] == [5, "acme-json"]
    assert BUDGET // 4 < seen["tokens"] <= BUDGET
    assert seen["rules"] == []
    assert seen["repairs"] == []
    assert seen["compressors"] == ["acme-firstlines"]
    assert seen["raw"] > seen["pages"] > 50
    assert seen["raw equal"]
    assert seen["export equal"]
    assert seen["expanded"]
    assert len(list((tmp_path / "home" / "acme").glob("*.jsonl"))) == 1


def test_the_command_line_packs_and_expands_with_it(environment, sample, tmp_path):
    command = environment.python.with_name("lamina")
    chosen = ("--config", ACME / "lamina.toml", "--home", tmp_path / "home")
    source = Path(shutil.copy(sample, tmp_path / "copy.jsonl"))
    packed = json.loads(environment.run(command, "pack", source, "--budget", BUDGET, "--json", *chosen).stdout)
    assert 0 < packed["tokens"]["after"] <= BUDGET < packed["tokens"]["before"]
    source.unlink()
    pages = packed["pages"]["total"]
    raw = environment.run(command, "expand", f"1-{pages}", "--raw", *chosen).stdout.splitlines()
    lines = sample.read_text(encoding="utf-8").splitlines()
    assert len(raw) > pages
    assert [line for line in lines if line in set(raw)] == raw
    assert "acme-firstlines" in environment.run(command, "plugins").stdout


def test_its_own_tests_pass_there(environment):
    done = environment.run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", ACME / "tests")
    assert " passed" in done.stdout
    for missed in ("failed", "error", "warning"):
        assert missed not in done.stdout.splitlines()[-1]


def test_once_it_is_gone_the_error_names_what_is_missing(environment):
    read = "import sys, lamina.config; lamina.config.load(sys.argv[1], environ={})"
    environment.uninstall("lamina-acme")
    try:
        done = environment.run(environment.python, "-c", read, ACME / "lamina.toml", check=False)
    finally:
        environment.install("--no-deps", ACME)
    assert done.returncode != 0
    said, compressor, storage = done.stderr.splitlines()[-3:]
    assert said.endswith("ConfigError: configuration has 2 errors:")
    assert compressor.startswith(
        "  window.compressors: no compressor named 'acme-firstlines'; installed: structural, truncate; "
    )
    assert storage.startswith("  log.storage: no storage named 'acme-json'; installed: sqlite; ")
    for fault in (compressor, storage):
        assert "is its distribution installed?" in fault
        assert fault.endswith(f"(from {ACME / 'lamina.toml'})")
