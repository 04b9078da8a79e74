"""``lamina trust``: configuration files that came with a folder."""

import json

import pytest

STRANGE = """
[window]
budget = 3000
compressors = ["summary"]

[compressors.summary]
use = "llm"
url = "http://localhost:1/v1"
model = "any"
key_env = "HOME"
"""
KEYS = [f"compressors.summary.{key}" for key in ("use", "url", "model", "key_env")] + ["window.compressors"]


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "work" / "lamina.toml"
    place.write_text(STRANGE)
    return place


def test_a_file_that_sends_windows_elsewhere_is_refused_until_it_is_trusted(lamina, file):
    refused = lamina("config")
    assert refused.code == 1
    assert refused.err == (
        "lamina: configuration: lamina.toml: lies in the working folder and is not trusted, so it may not set "
        f"{', '.join(KEYS)}; read it, and if you trust all that it sets: lamina trust lamina.toml\n"
    )
    told = lamina("trust")
    assert told.code == 0
    assert "is trusted until what it sets changes; what it sets that needs trust: compressors.summary.use" in told.out
    assert lamina("config").code == 0
    file.write_text(STRANGE.replace("HOME", "TOKEN"))
    assert lamina("config").code == 1


def test_trust_is_taken_back(lamina, file):
    assert lamina("trust", file, "--json").json == {"file": str(file), "trusted": True, "keys": KEYS}
    assert lamina("trust", "--revoke", "--json").json == {"file": str(file), "trusted": False, "keys": KEYS}
    assert lamina("config").code == 1


def test_a_file_that_is_named_needs_no_trust(lamina, file, monkeypatch):
    assert lamina("config", "--config", "lamina.toml").code == 0
    monkeypatch.setenv("LAMINA_CONFIG", str(file))
    assert lamina("config").code == 0


def test_a_harmless_file_needs_no_trust_and_gets_none(lamina, file, tmp_path):
    file.write_text("[window]\nbudget = 3000\n")
    assert lamina("config").code == 0
    assert lamina("trust", "--json").json == {"file": str(file), "trusted": False, "keys": []}
    assert not (tmp_path / "config").exists()


def test_where_there_is_no_file_it_says_so(lamina):
    done = lamina("trust")
    assert done.code == 1
    assert "name the file" in done.err


def test_a_strange_file_keeps_no_plugin_from_being_loaded(lamina, file):
    file.write_text('[plugins]\nblock = ["lamina-storage-*"]\n')
    told = lamina("plugins", "--json").json
    assert told["blocked"] == []
    assert "may not set plugins.block" in told["configuration_error"]
    lamina("trust")
    assert lamina("plugins", "--json").json["blocked"] != []


@pytest.mark.parametrize("command", [("pack", "talk.json"), ("recall", "x"), ("sessions",), ("doctor", "--json")])
def test_no_command_uses_a_strange_file(lamina, file, tmp_path, command):
    (file.parent / "talk.json").write_text(json.dumps([{"role": "user", "content": "hello"}]))
    done = lamina(*command)
    assert done.code == 1
    assert "is not trusted" in done.err + done.out
    assert not (tmp_path / "data").exists()
