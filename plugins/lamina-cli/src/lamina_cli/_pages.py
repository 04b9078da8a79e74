"""How people name pages: ``12``, ``12-30``, ``SESSION#12``."""

from __future__ import annotations

import re

from attrs import frozen

from lamina_cli._failures import wrong

_NAMED = re.compile(r"(?:(?P<session>.+)#)?(?P<first>\d{1,18})(?:[-–](?P<last>\d{1,18}))?", re.ASCII | re.DOTALL)


@frozen
class Span:
    """One page (``last`` is ``None``), or a run of them."""

    session: str | None
    first: int
    last: int | None


def span(text: str) -> Span:
    """The pages that the text names.

    Raises:
        UsageError: It names none.
    """
    found = _NAMED.fullmatch(text.strip())
    if found is None:
        wrong(f"{text!r} names no page; write 12, 12-30 or SESSION#12")
    first, last = int(found["first"]), None if found["last"] is None else int(found["last"])
    if last is not None and last < first:
        wrong(f"{text!r} runs backwards; write {last}-{first}")
    return Span(found["session"], first, last)


def one_page(text: str) -> int:
    """The one page that the text names.

    Raises:
        UsageError: It names none, or several.
    """
    named = span(text)
    if named.last not in (None, named.first) or named.session is not None:
        wrong(f"{text!r}: name one page by its number, such as 12")
    return named.first
