"""What a plugin's README tells people to write is a configuration, and leaves no setting out."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from lamina import config
from lamina.plugins import discover

READMES = sorted((Path(__file__).resolve().parents[2] / "plugins").glob("*/README.md"))
BLOCKS = [
    pytest.param(block, id=f"{readme.parent.name}-{number}")
    for readme in READMES
    for number, block in enumerate(re.findall(r"^```toml\n(.*?)^```", readme.read_text("utf-8"), re.M | re.S))
]


@pytest.fixture(scope="module")
def catalogue():
    """What is installed: the plugins of the workspace."""
    return discover((), None)


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_readme_shows_is_a_configuration(block, catalogue, tmp_path):
    file = tmp_path / "lamina.toml"
    file.write_text(block, "utf-8")
    assert config.load(file, environ={}, catalogue=catalogue).file == file


@pytest.mark.parametrize("readme", READMES, ids=lambda readme: readme.parent.name)
def test_a_readme_names_each_strategy_and_each_setting(readme, catalogue):
    text, plugin = readme.read_text("utf-8"), readme.parent.name
    offers = [offer for found in catalogue.offers.values() for offer in found if offer.distribution == plugin]
    said = {offer.name for offer in offers} | {a.name for offer in offers for a in attrs.fields(offer.settings)}
    assert [name for name in sorted(said) if not re.search(rf"(?m)^{name} *=|[`\"\[.]{name}[`\"\]]", text)] == []
