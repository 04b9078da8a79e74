"""What a stranger's configuration file must not set is marked, in every plugin of ours."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from lamina import plugins
from lamina.trust import KEY, needs_trust

OFFERS = [offer for offers in plugins.discover().offers.values() for offer in offers]
DANGEROUS = re.compile(
    r"(^|_)(url|uri|host|address|endpoint|command|program|shell|env|key|password|download|path|file|folder)$"
)


def dangerous(settings):
    """The fields that by type or name reach files, the network, commands or the environment."""
    attrs.resolve_types(settings)
    return [f for f in attrs.fields(settings) if DANGEROUS.search(f.name) or "Path" in str(f.type) or f.type is Path]


@pytest.mark.parametrize("offer", OFFERS, ids=lambda offer: f"{offer.kind}-{offer.name}")
def test_settings_that_reach_out_are_marked(offer):
    marked = needs_trust(offer.settings)
    assert [f.name for f in dangerous(offer.settings) if not marked and not f.metadata.get(KEY)] == []


def test_there_are_such_settings():
    assert sum(bool(dangerous(offer.settings)) for offer in OFFERS) > 5
