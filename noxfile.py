"""Every chore of the project: ``nox -l`` lists them."""

from __future__ import annotations

import os
from pathlib import Path

import nox

os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["test", "lint", "types", "layers"]

ROOT = Path(__file__).parent
PLUGINS = sorted(p.parent for p in ROOT.glob("plugins/*/pyproject.toml"))
PACKAGES = ["lamina", *(next((p / "src").iterdir()).name for p in PLUGINS)]


def install(session: nox.Session, *groups: str) -> None:
    """Install the workspace, editable, with the versions of constraints.txt."""
    paths = [arg for p in (ROOT / "core", *PLUGINS) for arg in ("-e", str(p))]
    wanted = [arg for group in groups for arg in ("--group", group)]
    session.install(*paths, *wanted, "-c", "constraints.txt")


@nox.session
def test(session: nox.Session) -> None:
    """Run every test, in random order and in parallel, with branch coverage of the kernel."""
    install(session, "test")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install("--group", "lint", "-c", "constraints.txt")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, in every package."""
    install(session, "types", "test")
    session.run("mypy", *(arg for name in PACKAGES for arg in ("-p", name)))


@nox.session
def layers(session: nox.Session) -> None:
    """Check who may import whom."""
    install(session, "layers")
    session.run("lint-imports")
