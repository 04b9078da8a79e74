"""Which calls were made again, and which files were read or written again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any
from weakref import WeakKeyDictionary

from attrs import frozen

from lamina.model import Page, ToolCall
from lamina.protocols import ScoreRequest
from lamina_scorer_supersession import SupersessionSettings

LONGEST_PATH = 300
"""Characters; a longer value is a text, not a path."""

NO_RESULT = "[no result]"
"""What a page shows where a call has no result (see :class:`lamina.model.Page`)."""

_EXTENSION = re.compile(r"\w\.[^\W\d_]\w{0,9}$")
_PATH_KEY = re.compile(r"path|file|dir|folder|uri|url", re.IGNORECASE)
_NOT_IN_PATHS = re.compile(r"[\s*?<>|\"(){};=,]")


@frozen
class _Use:
    """One call of a page."""

    key: int
    """Of name and arguments; equal for equal calls."""
    paths: tuple[str, ...]
    replaces: tuple[int | str, ...]
    """Key and paths where it came to a result, so that earlier ones are out of date."""


class SupersessionScorer:
    """Rates pages by what later pages leave of them."""

    def __init__(self, settings: SupersessionSettings) -> None:
        self._settings = settings
        self._known: WeakKeyDictionary[Page, tuple[_Use, ...]] = WeakKeyDictionary()

    async def score(self, request: ScoreRequest) -> Sequence[float]:
        """Rate each page by whether later pages supersede its calls.

        1 for a page without calls; else the mean over its calls: ``repeated`` where a later page makes an equal
        call, ``touched`` where a later call names all files that it names, else 1. Calls that failed or have
        no result supersede nothing. Later pages are looked for in the log, or among the candidates where no log is
        given. O(calls); a page is read once.
        """
        newest: dict[int | str, int] = {}
        for page in request.log or sorted(request.pages, key=lambda page: page.id):
            for use in self._uses(page):
                for mark in use.replaces:
                    newest[mark] = page.id
        return [self._worth(page, newest) for page in request.pages]

    def _worth(self, page: Page, newest: dict[int | str, int]) -> float:
        uses = self._uses(page)
        if not uses:
            return 1.0
        total = 0.0
        for use in uses:
            if newest.get(use.key, 0) > page.id:
                total += self._settings.repeated
            elif use.paths and all(newest.get(path, 0) > page.id for path in use.paths):
                total += self._settings.touched
            else:
                total += 1.0
        return min(1.0, total / len(uses))

    def _uses(self, page: Page) -> tuple[_Use, ...]:
        known = self._known.get(page)
        if known is None:
            known = self._known[page] = tuple(_read(page))
        return known


def _read(page: Page) -> Iterator[_Use]:
    results = {result.call_id: result for message in page.messages for result in message.results}
    for message in page.messages:
        for call in message.calls:
            result = results.get(call.id)
            replaces = result is not None and not result.error and result.text != NO_RESULT
            yield _use(call, replaces)


def _use(call: ToolCall, replaces: bool) -> _Use:
    try:
        arguments = json.loads(call.arguments)
        text = json.dumps(arguments, sort_keys=True)
    except (ValueError, RecursionError):
        arguments, text = None, call.arguments.strip()
    digest = blake2b(digest_size=8)
    for part in (call.name, "\0", text):
        digest.update(part.encode("utf-8", "surrogatepass"))
    key, paths = int.from_bytes(digest.digest(), "big"), tuple(sorted(set(_paths(arguments))))
    return _Use(key, paths, (key, *paths) if replaces else ())


def _paths(arguments: Any) -> Iterator[str]:
    """The path-like values in arguments, normalised."""
    left = [("", arguments)]  # no recursion: arguments may be nested deeper than the stack
    while left:
        key, value = left.pop()
        if isinstance(value, str) and _is_path(key, value):
            yield value.replace("\\", "/").removeprefix("./").rstrip("/") or "/"
        elif isinstance(value, dict):
            left += value.items()
        elif isinstance(value, list):
            left += ((key, inner) for inner in value)


def _is_path(key: str, value: str) -> bool:
    if not 0 < len(value) <= LONGEST_PATH or "\n" in value:
        return False
    if not ("/" in value or "\\" in value or _EXTENSION.search(value)):
        return False
    # A key that speaks of a path may hold blanks; any other value with blanks or globs is a text or a pattern.
    return bool(_PATH_KEY.search(key)) or not _NOT_IN_PATHS.search(value)
