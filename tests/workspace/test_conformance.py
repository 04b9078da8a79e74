"""Every strategy of this repository runs the conformance suite of its kind."""

from __future__ import annotations

import ast
from pathlib import Path

from lamina import plugins
from lamina.protocols import KINDS

ROOT = Path(__file__).resolve().parents[2]


def text_of(node):
    """The text that a node is, or ``None``."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def strategy_of(node):
    """What a class body says in ``strategy = "…"``."""
    for line in node.body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == "strategy" for target in targets):
            return text_of(line.value)
    return None


def collected_from(source):
    """(suite, strategy) of each class that pytest collects from a module, bases in the same module followed."""
    classes = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)}

    def ancestry(name, seen=()):
        found = [name]
        if name in classes and name not in seen:
            for base in classes[name].bases:
                inner = base.value if isinstance(base, ast.Subscript) else base
                found += ancestry(inner.attr if isinstance(inner, ast.Attribute) else ast.unparse(inner), (*seen, name))
        return found

    for name in classes:
        if name.startswith("Test"):
            ancestors = ancestry(name)
            strategy = next((s for a in ancestors if a in classes and (s := strategy_of(classes[a]))), None)
            yield from ((a, strategy) for a in ancestors if a.endswith("Suite") and a not in classes)


def ours():
    """Names of this repository's distributions."""
    return {path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")}


def test_every_strategy_runs_the_suite_of_its_kind():
    catalogue = plugins.discover()
    assert [broken for broken in catalogue.broken if broken.distribution in ours()] == []
    tested = {
        found
        for path in ROOT.glob("plugins/*/tests/**/test_*.py")
        for found in collected_from(path.read_text(encoding="utf-8"))
    }
    offered = {
        (kind, name)
        for (kind, name), offers in catalogue.offers.items()
        if kind in KINDS and any(offer.distribution in ours() for offer in offers)
    }
    assert offered
    missing = sorted(f"{kind} {name}" for kind, name in offered if (f"{kind.capitalize()}Suite", name) not in tested)
    assert missing == [], f"no suite is run for: {', '.join(missing)}"


def test_every_plugin_of_this_repository_is_installed_and_works():
    catalogue = plugins.discover()
    assert ours() - catalogue.loaded.keys() == set()


def test_a_strategy_is_found_in_a_module_however_its_class_is_written():
    source = """
class Common(lamina.testing.StorageSuite):
    strategy: ClassVar[str] = "common"

class TestPlain(ScorerSuite):
    strategy = "plain"

class TestInherited(Common):
    pass

class TestOther(Mixin, Common):
    strategy = "other"

class NotCollected(PagerSuite):
    strategy = "never"

class TestNothing:
    strategy = "nothing"
"""
    assert set(collected_from(source)) == {
        ("ScorerSuite", "plain"),
        ("StorageSuite", "common"),
        ("StorageSuite", "other"),
    }
