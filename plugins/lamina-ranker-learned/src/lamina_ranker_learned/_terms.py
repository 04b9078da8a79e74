"""Terms: what of a text is compared, and what of a query is looked for."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from functools import cache, lru_cache
from typing import Protocol, cast

import Stemmer
from attrs import field, frozen

from lamina.kit.identifiers import identifiers, words
from lamina_ranker_learned import _languages
from lamina_ranker_learned._related import forms, related

VERSION = 1
"""Of the rules in this module; what was made by others is to be made anew."""

RELATED_TERMS = 48
"""Of a query's word; those that fit better stay."""

QUERY_TERMS = 64
"""Of a query; the longest stay, as whole messages may be queries."""

LONGEST_QUESTION = 60
"""Words of a query that is taken for a question."""

ROLES = frozenset({"user", "assistant", "system", "tool"})
"""Authors that are no names: their words stay in a query."""


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...  # noqa: N802


@frozen
class Term:
    """One thing that a query looks for."""

    spellings: tuple[str, ...]
    """What it may read as in documents: its stems by language."""
    whole: bool = False
    """Whether it is a whole identifier, which means what it means only letter by letter."""
    related: Mapping[str, float] = field(factory=dict, hash=False)
    """Other terms that speak of it, each with how surely, in (0, 1]."""


@frozen
class Query:
    """A query read."""

    terms: tuple[Term, ...]
    named: frozenset[str] = frozenset()
    """Authors whose names it says."""
    question: bool = False
    when: bool = False
    who: bool = False
    much: bool = False


def counts(text: str, default: str = "english") -> Counter[str]:
    """The terms of a document, each with how often it stands there.

    A term is the stem of a word that carries content, by the stemmer of the text's language, without accents; a pair
    of characters of a script without spaces; or a whole identifier of several parts.

    Args:
        text: Any text.
        default: The language of a text that shows none.

    Cost: linear; about 2 MB/s once the words are known.
    """
    said = words(text)
    name = _languages.language(set(said), default)
    stop = _languages.STOP[name]
    # What says nothing else is found by its words without content.
    content = [w for w in said if w not in stop] or said
    found = Counter([stem(w, name) for w in content])
    found.update(whole(text))
    return found


def whole(text: str) -> set[str]:
    """Identifiers of several parts, folded: those of one part are words already."""
    return {i.casefold() for i in identifiers(text) if not i.isalnum()}


@lru_cache(maxsize=100_000)
def stem(word: str, name: str) -> str:
    """The stem of a folded word by a language's snowball stemmer; of an irregular English form that of its base."""
    if name != "english":
        return _plain(_stemmer(name).stemWord(word))
    known = forms()
    if word in known:
        return _stemmer(name).stemWord(known[word])
    found = _stemmer(name).stemWord(word)
    return _stemmer(name).stemWord(known[found]) if found in known else _plain(found)


@lru_cache(maxsize=8)
def _stemmer(name: str) -> _Stemmer:
    return cast(_Stemmer, Stemmer.Stemmer(name))


def _plain(word: str) -> str:
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not "\u0300" <= c <= "\u036f")


def _spellings(word: str) -> tuple[str, ...]:
    """By every language: a query is too short to tell its own, and a false stem finds nothing."""
    return tuple(dict.fromkeys(stem(word, name) for name in _languages.STOP))


def parse(text: str, names: Mapping[str, str]) -> Query:
    """Read a query.

    Words without content and the names of authors are no terms, unless there are no others.

    Args:
        text: Any text.
        names: For each word of a known author's name, folded, the author.
    """
    said = words(text)
    there = frozenset(said)
    named = frozenset(names[w] for w in there if w in names)
    subject = [w for w in said if w not in _languages.COMMON and w not in _languages.ASKING and w not in names]
    if not subject:
        subject = [w for w in said if w not in _languages.COMMON] or said
    exact = sorted(whole(text))
    terms = [*(Term((i,), whole=True) for i in exact), *map(_term, dict.fromkeys(subject))]
    return Query(
        _merged(terms)[:QUERY_TERMS],
        named,
        len(said) <= LONGEST_QUESTION and _languages.is_asked(said, text),
        _languages.asks_when(there, text),
        _languages.asks_who_or_where(there, text),
        _languages.asks_how_much(there, text),
    )


@lru_cache(maxsize=2_000)
def _term(word: str) -> Term:
    spellings = _spellings(word)
    near = _near().get(stem(word, "english"), {})
    best = sorted(((w, t) for t, w in near.items() if t not in spellings), key=lambda pair: (-pair[0], pair[1]))
    return Term(spellings, related={t: w for w, t in best[:RELATED_TERMS]})


@cache
def _near() -> Mapping[str, Mapping[str, float]]:
    """What speaks of what, by English stems."""
    found: dict[str, dict[str, float]] = {}
    for asked, others in related().items():
        row = found.setdefault(stem(asked, "english"), {})
        for other, weight in others.items():
            term = stem(other, "english")
            row[term] = max(weight, row.get(term, 0.0))
    return found


def _merged(terms: Iterable[Term]) -> tuple[Term, ...]:
    """Without those whose spellings were all seen: two forms of a word are one term."""
    seen: set[str] = set()
    kept = []
    for term in terms:
        if not seen.issuperset(term.spellings):
            kept.append(term)
        seen.update(term.spellings)
    return tuple(kept)


def name_words(author: str) -> Set[str]:
    """The words of an author's name that, said in a query, mean the author."""
    return (
        frozenset()
        if author.casefold() in ROLES
        else frozenset(w for w in words(author) if len(w) > 1 or not w.isascii())
    )
