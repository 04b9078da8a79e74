"""The plugin author's page is complete, and its code is that of the example."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import lamina.testing
from lamina import errors
from lamina.hookspecs import Hooks
from lamina.plugins import Catalogue, Offer
from lamina.protocols import KINDS, PROTOCOLS, Capability

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "plugin-authors.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^(?:<!-- from: (\S+) -->\n)?```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
CODE = [(path, text) for path, language, text in BLOCKS if language in ("python", "toml")]
HOOKS = sorted(name for name in vars(Hooks) if not name.startswith("_"))
SUITES = sorted(name for name in lamina.testing._WHERE if name.endswith("Suite"))


def mentioned(name):
    return re.search(rf"`{re.escape(name)}[`(]", TEXT) is not None


@pytest.mark.parametrize(("path", "text"), CODE, ids=[text.splitlines()[0].strip()[:40] for _, text in CODE])
def test_a_block_of_code_stands_in_its_file_as_it_is(path, text):
    assert path, "say where the block is from: <!-- from: path --> on the line before it"
    assert f"\n{text}" in f"\n{(ROOT / path).read_text(encoding='utf-8')}"


def test_there_is_code_of_every_module_of_the_example():
    quoted = {Path(path).name for path, _ in CODE}
    for module in (ROOT / "docs/examples/lamina-acme/src").rglob("*.py"):
        assert module.name in quoted


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_described(hook):
    assert re.search(rf"^\| `{hook}` \| \w", TEXT, re.MULTILINE)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_is_mentioned(suite):
    assert mentioned(suite)


def test_every_kind_has_a_hook_and_a_suite():
    assert {f"register_{kind}" for kind in KINDS} <= set(HOOKS)
    assert {f"{kind.capitalize()}Suite" for kind in KINDS} <= set(SUITES)


@pytest.mark.parametrize("capability", list(Capability))
def test_every_capability_is_mentioned(capability):
    assert mentioned(capability.value)


def test_no_hook_suite_or_error_is_made_up():
    for hook in re.findall(r"`(register_\w+)`", TEXT):
        assert hook in HOOKS
    for suite in re.findall(r"`(\w+Suite)`", TEXT):
        assert suite in SUITES
    for error in re.findall(r"`(\w+Error)[`(]", TEXT):
        assert hasattr(errors, error) or error in ("ValueError", "ImportError")


def test_the_numbers_of_the_protocols_are_the_present_ones():
    assert ("Today all are at 1." in TEXT) == (set(PROTOCOLS.values()) == {(1, 1)})
    assert PROTOCOLS.keys() == set(KINDS)


def catalogue(*offers):
    made = Catalogue()
    for name, distribution in offers:
        made.offers.setdefault(("storage", name), []).append(Offer("storage", name, None, object, distribution))
    return made


def test_the_errors_that_it_shows_are_those_that_are_raised():
    with pytest.raises(errors.DuplicatePluginError) as twice:
        catalogue(("acme-json", "lamina-acme"), ("acme-json", "lamina-copy")).find("storage", "acme-json")
    with pytest.raises(errors.UnknownPluginError) as missing:
        catalogue(("acme-json", "lamina-acme"), ("sqlite", "lamina-storage-sqlite")).find("storage", "acme-jsno")
    shown = [text.strip() for _, language, text in BLOCKS if language == "text"]
    assert shown == [str(twice.value), str(missing.value)]


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (PAGE.parent / target).exists(), target


def test_the_folder_that_it_draws_is_the_example():
    drawn = set(re.findall(r"^ +(\S+\.\w+)", TEXT.split("```")[1], re.MULTILINE))
    there = {path.name for path in (ROOT / "docs/examples/lamina-acme").rglob("*.*") if path.is_file()}
    assert drawn <= there
    assert {path.name for path in (ROOT / "docs/examples/lamina-acme/src").rglob("*.py")} <= drawn
    project = tomllib.loads((ROOT / "docs/examples/lamina-acme/pyproject.toml").read_text(encoding="utf-8"))
    assert list(project["project"]["entry-points"]) == ["lamina"]
