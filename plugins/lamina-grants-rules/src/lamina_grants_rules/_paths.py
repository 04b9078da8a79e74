"""Whether a path, once resolved, is one that a pattern means."""

from __future__ import annotations

import fnmatch
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

Parts = tuple[str, ...]


def folded(text: str) -> str:
    """The text as the least particular file system sees it: case and compatible characters do not count."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def resolved(text: str, root: str) -> tuple[str, str] | None:
    """A path as it is after all links, and as it is written with ``.`` and ``..`` taken away; both absolute, in NFC.

    ``None`` where nobody can say what file is meant: it is empty, has a zero byte or a lone surrogate, or begins with a
    ``~``, which some tools expand and others do not.
    """
    if not text or "\0" in text or text.startswith("~") or any("\ud800" <= c <= "\udfff" for c in text):
        return None
    joined = os.path.join(root, text)  # noqa: PTH118 - what a call gives is text, and stays as written
    try:
        real = os.path.realpath(joined)
    except (OSError, ValueError):
        return None
    return unicodedata.normalize("NFC", real), unicodedata.normalize("NFC", os.path.normpath(joined))


def parts(path: str) -> Parts:
    """The folders and the name."""
    return tuple([part for part in path.split("/") if part])


class PathPattern:
    """A pattern of paths: ``*`` and ``?`` within a name, ``**`` for any number of folders.

    ``src`` alone is that file; ``src/**`` is the folder and all below it. Relative ones lie in the root.
    """

    def __init__(self, pattern: str, root: str) -> None:
        if pattern.startswith("~/"):
            pattern = str(Path(pattern).expanduser())
        whole = pattern if pattern.startswith("/") else f"{root}/{pattern}"
        given = parts(unicodedata.normalize("NFC", whole))
        # A root of one's own may be reached by links: what comes resolved is compared with it resolved.
        count = next((n for n, part in enumerate(given) if re.search(r"[*?\[]", part) or part == ".."), len(given))
        real = parts(unicodedata.normalize("NFC", os.path.realpath("/" + "/".join(given[:count]))))
        self.literal = tuple([folded(part) for part in given[:count]])
        """Its beginning without globs, folded: what it is looked up by; so is :attr:`real`."""
        self.real = tuple([folded(part) for part in real])
        self._exact = [_tests(form, fold=False) for form in ((*real, *given[count:]),)]
        self._folded = [_tests(form, fold=True) for form in {(*real, *given[count:]), given}]

    def surely(self, path: tuple[str, str]) -> bool:
        """Whether a resolved path is meant: the file itself, in the case and the characters that it is written in."""
        return any(_match(tests, parts(path[0])) for tests in self._exact)

    def perhaps(self, path: tuple[str, str]) -> bool:
        """Whether it is meant by the file, or by its name, on any file system."""
        forms = [tuple([folded(part) for part in parts(form)]) for form in (*path, path[1].replace("\\", "/"))]
        return any(_match(tests, form) for tests in self._folded for form in forms)


_Tests = list[Callable[[str], object] | None]
"""One for each part; ``None`` is ``**``."""


def _tests(pattern: Sequence[str], *, fold: bool) -> _Tests:
    out: _Tests = []
    for part in pattern:
        if part == "**":
            out.append(None)
        else:
            # What is folded has no other letters to stand for than those that are.
            out.append(re.compile(fnmatch.translate(folded(part) if fold else part)).match)
    return out


def _match(tests: _Tests, path: Parts) -> bool:
    """Whether the parts match, ``**`` standing for any number; in parts times tests."""
    reached = {0}
    for test in tests:
        if test is None:
            reached = set(range(min(reached), len(path) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(path) and test(path[at])}
        if not reached:
            return False
    return len(path) in reached
