"""What holds across packages: one version, one list of plugins, layers, nothing of a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import lamina

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {
    p.parent.name: tomllib.loads(p.read_text(encoding="utf-8"))
    for p in [ROOT / "core" / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
}
PLUGINS = [name for name in PROJECTS if name != "core"]


def module(name):
    return name.replace("-", "_")


def root_settings():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_all_distributions_have_one_version():
    versions = {name: p["project"]["version"] for name, p in PROJECTS.items()}
    assert set(versions.values()) == {lamina.__version__}


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_has_the_shape_of_a_plugin(name):
    folder, project = ROOT / "plugins" / name, PROJECTS[name]["project"]
    assert project["name"] == name
    assert (folder / "src" / module(name) / "py.typed").is_file()
    assert (folder / "README.md").stat().st_size > 100
    assert "lamina" in [re.split(r"[\[<>=~! ]", d)[0] for d in project["dependencies"]]
    assert all(v.split(":")[0].startswith(module(name)) for v in project["entry-points"]["lamina"].values())
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == ">=3.11"


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_has_tests(name):
    assert list((ROOT / "plugins" / name / "tests").glob("test_*.py"))


def imported(path):
    """Every module that a file imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


@pytest.mark.parametrize("name", PLUGINS)
def test_a_plugin_imports_no_other_plugin_and_no_private_part_of_the_kernel(name):
    others = {module(n) for n in PLUGINS if n != name}
    for path in (ROOT / "plugins" / name / "src").rglob("*.py"):
        for target in imported(path):
            assert target.split(".")[0] not in others, f"{path}: {target}"
            assert not re.match(r"lamina\..*?\b_", target), f"{path}: {target} is private"


def test_the_kernel_imports_no_plugin():
    others = {module(n) for n in PLUGINS}
    for path in (ROOT / "core" / "src").rglob("*.py"):
        assert not others & {t.split(".")[0] for t in imported(path)}, path


def test_the_kernel_names_no_strategy():
    """The design is wrong where the kernel needs a plugin's name."""
    names = {n.removeprefix("lamina-").split("-", 1)[-1] for n in PLUGINS}
    names -= {"memory", "short", "medium", "long", "recency", "cli", "standard", "replay", "semantic"}
    for path in (ROOT / "core" / "src" / "lamina").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                assert node.value not in names, f"{path}: {node.value!r}"


def test_the_lists_of_plugins_are_complete():
    settings = root_settings()
    standard = set(PROJECTS["core"]["project"]["optional-dependencies"]["standard"])
    assert standard <= set(PLUGINS)
    assert set(settings["tool"]["uv"]["sources"]) == {"lamina", *PLUGINS}
    linted = settings["tool"]["importlinter"]
    assert set(linted["root_packages"]) == {"lamina", *map(module, PLUGINS)}
    for contract in linted["contracts"]:
        for key in ("modules", "source_modules", "forbidden_modules"):
            listed = contract.get(key, [])
            if any(m.startswith("lamina_") for m in listed):
                assert set(listed) == set(map(module, PLUGINS)), contract["name"]
    private = {f"lamina.{p.stem}" for p in (ROOT / "core/src/lamina").glob("_*.py") if p.stem != "__init__"}
    assert private == set(
        next(c for c in linted["contracts"] if c["name"].startswith("No private"))["forbidden_modules"]
    )


def test_what_plugins_share_is_kept_out_of_every_part_of_the_kernel():
    contracts = root_settings()["tool"]["importlinter"]["contracts"]
    (kit,) = (
        c for c in contracts if c["forbidden_modules" if c["type"] == "forbidden" else "modules"] == ["lamina.kit"]
    )
    package = ROOT / "core" / "src" / "lamina"
    parts = {p.stem for p in package.glob("*.py")} | {p.parent.name for p in package.glob("*/__init__.py")}
    assert set(kit["source_modules"]) == {f"lamina.{part}" for part in parts - {"__init__", "kit", "testing"}}


def tracked():
    out = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if out.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / line for line in out.stdout.splitlines()]


def test_nothing_else_stands_at_the_top():
    allowed = {
        "core",
        "plugins",
        "tests",
        "docs",
        "noxfile.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
    }
    allowed |= {".ci", ".gitignore", "constraints.txt"}
    assert {p.relative_to(ROOT).parts[0] for p in tracked()} <= allowed


def test_no_file_names_a_machine_or_a_registry():
    hosts = "|".join(["pypi" + r"\.org", "pythonhosted" + r"\.org", "/ro" + "ot/", "/wo" + "rk/"])
    for path in tracked():
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".txt", ".yml", ""}:
            found = re.search(hosts, path.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{path}: {found.group() if found else ''}"
