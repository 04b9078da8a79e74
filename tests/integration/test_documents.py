"""Every Python block of the README and the guide runs; every TOML block is a valid configuration."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lamina import config

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "README.md", ROOT / "docs" / "guide.md"]


def blocks(language):
    """Every block of a language, with the file's name."""
    made = []
    for path in FILES:
        found = re.findall(rf"^```{language}\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        made += [pytest.param(text, id=f"{path.name}-{n}") for n, text in enumerate(found)]
    return made


@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_block_runs(tmp_path, monkeypatch, block):
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    done = subprocess.run([sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("toml"))
def test_a_toml_block_is_a_valid_configuration(tmp_path, block):
    path = tmp_path / "lamina.toml"
    path.write_text(block, encoding="utf-8")
    config.load(path, environ={})
