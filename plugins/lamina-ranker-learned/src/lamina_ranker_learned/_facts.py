"""Documents, and what a ranking must know of each: made once, when it is added, so that a query reads no text."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import field, frozen

from lamina.kit.dates import DAY_S, Days, days_of
from lamina.kit.identifiers import words
from lamina_ranker_learned import _languages
from lamina_ranker_learned._terms import counts

_NAME = re.compile(r"(?<![.!?:\n] )(?<!^)(?<!\n)\b[A-Z][a-z]+")
_HEAD = 4_000
"""Characters of a text that are looked at for how it speaks; its terms count wherever they stand."""


@frozen
class Entry:
    """A document: one memory."""

    id: str
    text: str
    author: str = ""
    created: float = 0.0
    """When it was said, Unix seconds; 0 where that is not known."""
    thread: str = ""
    position: int | None = None
    """Its place in the thread; neighbours explain each other."""
    kind: str = "semantic"
    tags: tuple[str, ...] = ()


@frozen
class Facts:
    """What a ranking knows of a document. Small: an index keeps it beside its postings."""

    terms: Mapping[str, int] = field(hash=False)
    """How often each term stands in it."""
    length: int
    """Terms, with repetitions."""
    asks: bool
    """Whether it ends with a question."""
    questions: bool
    """Whether there is a question in it."""
    times: bool
    """Whether it places something in time."""
    amounts: bool
    """Whether it says a number or how often."""
    names: int
    """Capitalised words within its sentences, 4 at most."""
    first_person: int
    """How often its author speaks of himself, 15 at most."""
    day: int
    """The day of its creation, 0 where that is not known."""
    told: Days | None
    """The first time that it speaks of."""


def facts(entry: Entry, default: str = "english") -> Facts:
    """What a ranking must know of a document.

    Args:
        entry: The document.
        default: The language of a text that shows none.

    Cost: some 150 µs for a turn of a conversation; linear.
    """
    terms = counts(entry.text, default)
    head = entry.text[:_HEAD]
    said = words(head)
    there = set(said)
    days = days_of(head, entry.created)
    return Facts(
        terms=terms,
        length=sum(terms.values()),
        asks=_languages.is_question(head.rstrip()[-2:]) or _languages.is_question(_before_picture(head)[-2:]),
        questions=_languages.is_question(head),
        times=_languages.speaks_of_time(there, head),
        amounts=_languages.speaks_of_amount(there, head),
        names=min(len(_NAME.findall(head)), 4),
        first_person=min(sum(w in _languages.FIRST_PERSON for w in said), 15),
        day=int(entry.created // DAY_S) + 719_163 if entry.created > 0 else 0,
        told=days[0] if days else None,
    )


def _before_picture(text: str) -> str:
    """A text without what stands for a picture behind it: ``[image: …]``."""
    cut = text.rfind("[image")
    return text[:cut].rstrip() if cut > 0 and text.rstrip().endswith("]") else text
