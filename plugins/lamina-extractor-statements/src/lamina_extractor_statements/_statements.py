"""Sentences that stand by themselves: what must be, what was decided, what somebody is, has or wants."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lamina.kit.statements import constraints, gist, sentences
from lamina.model import Draft, Page
from lamina.protocols import ExtractRequest

_WORD = r"[\w .'’&-]{1,60}?"
_END = r"(?=[.,;!?]|\s+(?:and|but|und|aber|et|mais)\b|$)"
_SLOTS: tuple[tuple[str, str], ...] = (
    ("user.name", rf"\b(?:my name is|i am called|ich heiße|mein name ist|je m['’]appelle)\s+({_WORD}){_END}"),
    (
        "user.city",
        rf"\b(?:i (?:now )?live in|i (?:just )?moved to|ich wohne (?:jetzt )?in|j['’]habite (?:à|en))\s+({_WORD}){_END}",
    ),
    (
        "user.employer",
        rf"\b(?:i (?:now )?work (?:at|for)|ich arbeite (?:jetzt )?bei|je travaille chez)\s+({_WORD}){_END}",
    ),
    ("user.{0}", rf"\bmy (?:favou?rite|preferred) (\w{{2,20}}) is\s+{_WORD}{_END}"),
    ("user.{0}", rf"\bmein(?:e|en)? liebst\w+ (\w{{2,20}}) ist\s+{_WORD}{_END}"),
)
"""What a sentence says the value of; ``{0}`` is the word that it names."""
_SLOT = [(slot, re.compile(pattern, re.IGNORECASE)) for slot, pattern in _SLOTS]
_FACT = re.compile(
    r"\b(?:i|we|my|our)\b.*\b(?:am|are|is|was|were|have|has|had|use|uses|run|runs|chose|decided|bought|got|started|moved|live|work)\b"
    r"|\b(?:ich|wir|mein\w*|unser\w*)\b.*\b(?:bin|sind|ist|war\w*|hab\w*|hat\w*|benutz\w*|nehm\w*)\b"
    r"|\b(?:je|nous|mon|ma|mes|notre|nos)\b.*\b(?:suis|sommes|est|était|ai|avons|a|utilis\w*)\b",
    re.IGNORECASE,
)
"""Somebody speaks of themselves."""
_EXACT = re.compile(r"\d")
_LEAST = 3
"""Words of a sentence that stands by itself."""


class Statements:
    """Draws what people say must be, what they say of themselves, and what the model decided for a reason.

    Args:
        most: Characters of a sentence, at most.
        decisions: Whether the model's decisions are drawn.
    """

    def __init__(self, most: int, decisions: bool) -> None:
        self._most, self._decisions = most, decisions

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        """Each sentence once, verbatim; rules with the tag ``rule``, decisions ``decision``, facts ``fact``. O(text)."""
        drawn: dict[str, Draft] = {}
        for page in request.pages:
            source = f"{request.session}#{page.id}"
            for draft in self._of(request, page, source):
                drawn.setdefault(draft.text, draft)
        return list(drawn.values())

    def _of(self, request: ExtractRequest, page: Page, source: str) -> Iterator[Draft]:
        if page.role == "user":
            for passage in request.passages(page):
                yield from self._said(passage.text, source)
        elif page.role == "assistant" and self._decisions:
            # Its count is of characters: a sentence of the limit's length is one piece.
            told = gist(page.messages[0].text, 3 * self._most, lambda texts: [len(text) for text in texts])
            for sentence in told.split(" … ") if told else ():
                if self._stands(sentence, 3 * self._most):
                    yield Draft(sentence, "semantic", ("decision",), 0.6, (source,), author="assistant")

    def _said(self, text: str, source: str) -> Iterator[Draft]:
        rules = set(constraints(text))
        for sentence in sentences(text):
            if not self._stands(sentence, self._most) or sentence.endswith("?"):
                continue
            slot = _slot(sentence)
            if slot:
                yield Draft(sentence, "semantic", ("fact",), 0.7, (source,), author="user", slot=slot)
            elif sentence in rules:
                yield Draft(sentence, "semantic", ("rule",), 0.8, (source,), author="user")
            elif _FACT.search(sentence) and (_EXACT.search(sentence) or _named(sentence)):
                yield Draft(sentence, "semantic", ("fact",), 0.5, (source,), author="user")

    def _stands(self, sentence: str, most: int) -> bool:
        words = len(sentence.split())
        return len(sentence) <= most and (words >= _LEAST or (not sentence.isascii() and len(sentence) >= 2 * _LEAST))


def _slot(sentence: str) -> str:
    for slot, pattern in _SLOT:
        found = pattern.search(sentence)
        if found:
            return slot.format(found[1].lower())
    return ""


def _named(sentence: str) -> bool:
    """Whether it names something: a capital inside the sentence, beside "I"."""
    return any(word[:1].isupper() and word not in ("I", "I'm", "I’m", "I've") for word in sentence.split()[1:])
