"""Command lines: what they run, whether it builds or tests, which files they show or change."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHELL = re.compile(r"^(?:\S*/)?(?:bash|sh|zsh) -l?i?c (?P<quote>['\"]?)(?P<line>.*)(?P=quote)$", re.DOTALL)
_TOKEN = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|(?P<parts>&&|\|\||;|\n)|(?P<into>\|&?|\s2?>&?|<<)|.", re.DOTALL)
"""Quoted texts count as one: what they hold parts nothing."""
_MOST = 2000
"""Characters of a command that are looked at."""
_BEFORE = re.compile(
    r"(?:cd|pushd|export|source|\.|set|echo|sleep|true|false|printf|clear|ulimit|which|mkdir -p)(?:\s|$)|\w+=\S*$"
)
"""Parts of a line that only prepare or report."""
_OPENS = re.compile(
    r"^(?:(?:\w+=\S+|sudo|time|env|timeout(?: -\S+)* \S+|nice(?: -n ?-?\d+)?|nohup|uv run|uvx|poetry run|pipenv run|hatch run|npx"
    r"|bunx|pnpm exec|yarn exec|python[\d.]* -m|bundle exec|xvfb-run(?: -\S+)*)\s+)+"
)
_BUILDS = re.compile(
    r"^(?:(?:\S*/)?(?:pytest|py\.test|unittest|tox|nox|jest|vitest|mocha|rspec|phpunit|ctest|cargo|make|ninja|cmake|tsc|eslint|ruff"
    r"|mypy|pyright|ty|flake8|black|pylint|prettier|biome|mvnw?|gradlew?|dotnet|npm|yarn|pnpm|bun|deno|act|rake|bazel|playwright"
    r"|cypress|pre-commit|swift|xcodebuild|sbt|mix|lint|check|build|test|deploy)(?=\s|$)|go (?:test|build|vet|run)\b"
    r"|(?:python[\d.]*|node|bash|sh|ruby|php|perl) (?:-\S+ )*(?:manage\.py test|setup\.py|\S*(?:test|build|check|lint|deploy)\S*)"
    r"|\./\S*(?:test|build|check|lint|deploy)\S*)"
)
_READS = re.compile(r"^(?:cat|nl|bat|less|more)(?: -\S+)* (?P<whole>[^\s|<>&;-][^\s|<>&;]*)(?: \|.*)?$")
_READS_PART = re.compile(
    r"^(?:sed -n \S+|head(?: -\S+(?: \d+)?)?|tail(?: -\S+(?: [\d+]+)?)?) (?P<part>[^\s|<>&;-][^\s|<>&;]*)(?: \|.*)?$"
)
_WRITES = re.compile(r"^(?:cat|tee)\b[^|;&]{0,80}?(?:>\s?|tee (?:-\S+ )?)(?P<written>[^\s|<>&;-][^\s|<>&;]*)\s*<<")
_CHANGES = re.compile(r"^(?:sed -i\S*|perl -p?i\S*)\s.*\s(?P<changed>[^\s'\"|<>&;-][^\s'\"|<>&;]*)$")


def unwrapped(command: str) -> str:
    """The line that a shell is called with, where it is."""
    found = _SHELL.match(command)
    return found["line"].strip() if found else command


def main(command: str) -> str:
    """The part of a line that does the work: the first one that builds or tests, else the last that is no preparation."""
    parts = [alone for part, alone in _parts(command)]
    work = [part for part in parts if not _BEFORE.match(part)] or parts
    return next((part for part in work if builds(part)), work[-1] if work else command[:_MOST])


def _parts(command: str) -> list[tuple[str, str]]:
    """What a line does one after the other: each as it stands, and without what its output goes to."""
    found: list[tuple[str, str]] = []
    begin, cut, text = 0, None, command[:_MOST]
    for token in _TOKEN.finditer(text):
        if token["into"] and cut is None:
            cut = token.start()
        if token["into"] == "<<":
            break  # the rest is fed to it
        if token["parts"]:
            found.append((text[begin : token.start()].strip(), text[begin : cut or token.start()].strip()))
            begin, cut = token.end(), None
    found.append((text[begin:].strip(), text[begin : len(text) if cut is None else cut].strip()))
    return [(part, " ".join(alone.split())) for part, alone in found if part]


def builds(part: str) -> bool:
    """Whether one part of a line builds, checks or tests something."""
    return _BUILDS.match(_OPENS.sub("", part[:400], count=1)) is not None


def files(command: str) -> Iterator[tuple[str, str, bool]]:
    """Files that a line shows or changes: path, what is done to it, whether it is shown or written whole."""
    for part, _ in _parts(command):
        for pattern, did, whole in (
            (_READS, "read", True),
            (_READS_PART, "read", False),
            (_WRITES, "written", True),
            (_CHANGES, "changed", False),
        ):
            if found := pattern.match(part):
                yield found[1], did, whole
                break
