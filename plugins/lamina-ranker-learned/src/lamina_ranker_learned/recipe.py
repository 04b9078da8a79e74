"""The recipe: pure functions over plain values.

:class:`Corpus` holds everything in memory; an index that keeps its documents elsewhere gives :func:`facts` of each when it
is added, and :class:`Statistics`, candidates and neighbours to :func:`gather`.
"""

from __future__ import annotations

from lamina_ranker_learned._alike import Place, alike, fold
from lamina_ranker_learned._corpus import Corpus
from lamina_ranker_learned._facts import Entry, Facts, facts
from lamina_ranker_learned._features import OFFSETS, Rows, Statistics
from lamina_ranker_learned._ranking import Known, Ranked, gather, order, values
from lamina_ranker_learned._terms import Query, Term, counts, name_words, parse

__all__ = [
    "OFFSETS",
    "Corpus",
    "Entry",
    "Facts",
    "Known",
    "Place",
    "Query",
    "Ranked",
    "Rows",
    "Statistics",
    "Term",
    "alike",
    "counts",
    "facts",
    "fold",
    "gather",
    "name_words",
    "order",
    "parse",
    "values",
]
