"""The reference page says what is public, and nothing else."""

import importlib.util
from pathlib import Path

spec = importlib.util.spec_from_file_location("_reference", Path(__file__).parent / "_reference.py")
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)


def test_the_page_says_what_the_code_offers():
    assert reference.PAGE.read_text("utf-8") == reference.page(), "write it anew: nox -s reference"


def test_every_public_module_and_name_is_documented():
    for module in reference.modules():
        assert module.__doc__, module.__name__
        for name in reference.names(module):
            value = getattr(module, name)
            if callable(value) and getattr(value, "__module__", "").startswith("lamina"):
                assert reference.line(value), f"{module.__name__}.{name}"
