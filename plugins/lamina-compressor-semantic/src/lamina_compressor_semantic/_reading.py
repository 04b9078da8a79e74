"""What a page's texts consist of, and what their units are worth beside the rest of the session."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import lru_cache
from weakref import WeakKeyDictionary

from attrs import frozen

from lamina.kit.identifiers import identifiers, words
from lamina.model import Page, Text, ToolCall, ToolResult
from lamina.protocols import CompressRequest
from lamina_compressor_semantic._cues import asks, cues
from lamina_compressor_semantic._telegraph import language, telegram
from lamina_compressor_semantic._units import LONG, units

Count = Callable[[Sequence[str]], Sequence[int]]


ID = 4.0
"""Worth of an identifier, against 1 of the rarest word."""
CITED = 2.0
"""What an identifier's worth is multiplied with where the model or the user names it elsewhere."""
LIVE = 0.5
"""What all that its unit says is worth more for one cited identifier; two count double."""
SHOWN = 0.4
"""What the worth of a word is multiplied with that stays in the window anyway."""
SHOWN_ID = 0.25
"""The same for an identifier."""
NAME = 1.5
"""What the worth of a word is multiplied with that is written as a name."""
NUMBER = 0.6
"""The same for a short number."""
ANSWER = (1.0, 1.15, 1.5)
"""The same for the units after a question, from the last to the first of them."""
ASKED = 0.5
"""What a unit is worth more for one rare word of the call or question that it answers; two count double."""
SHORT_WORD = (0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
"""The same by a word's letters, up to six."""
FLOOR = 0.15
"""Worth of a unit that shows nothing new, so that what is worth nothing still has an order."""


@frozen(eq=False)
class Unit:
    """A line, sentence or clause of a text."""

    start: int
    end: int
    shown: str
    """As it will stand: the text itself, unless telegraphic forms are wanted."""
    tokens: int
    """With the white space before it."""
    words: tuple[str, ...]
    """Each once, in order."""
    ids: tuple[str, ...]
    """Each once, sorted."""
    boost: float
    error: str | None
    """Which error it names."""
    asks: bool
    """Whether it is a question."""


@frozen(eq=False)
class Passage:
    """A text of a page that may be shortened."""

    key: tuple[int, int]
    text: str
    tokens: int
    units: tuple[Unit, ...]


@frozen(eq=False)
class Facts:
    """What a page says, as other pages need to know it."""

    words: frozenset[str]
    ids: frozenset[str]
    """Of a page that is to be shortened only those that were ``said``."""
    said: frozenset[str]
    """Identifiers in what the user or the model said, results excluded."""


@frozen(eq=False)
class Reading:
    """A page that is to be shortened."""

    count: Count
    passages: tuple[Passage, ...]
    """Its texts that do not stay whole anyway."""
    facts: Facts
    names: frozenset[str]
    """Words that are written as names."""


class Reader:
    """Reads pages, each once as long as it lives."""

    def __init__(self, min_tokens: int, telegraphic: bool) -> None:
        self._min_tokens, self._telegraphic = min_tokens, telegraphic
        self._readings: WeakKeyDictionary[Page, Reading] = WeakKeyDictionary()
        self._facts: WeakKeyDictionary[Page, Facts] = WeakKeyDictionary()

    def read(self, pages: Sequence[Page], count: Count) -> list[Reading]:
        """A reading per page, in order; two calls of the counter for all that are new. O(characters)."""
        new = [page for page in pages if page not in self._readings or self._readings[page].count != count]
        texts = [(page, key, text) for page in new for key, text in _texts(page)]
        sizes = count([text for *_, text in texts]) if texts else ()
        long = [(*place, size) for place, size in zip(texts, sizes, strict=True) if size > self._min_tokens]
        cut = [list(self._units(text)) for _, _, text, _ in long]
        costs = iter(count([before + shown for spans in cut for _, _, before, shown in spans]) if cut else ())
        passages: dict[int, list[Passage]] = {page.id: [] for page in new}
        for (page, key, text, size), spans in zip(long, cut, strict=True):
            made = tuple(_unit(text, start, end, shown, next(costs)) for start, end, _, shown in spans)
            passages[page.id].append(Passage(key, text, size, made))
        for page in new:
            own = tuple(passages[page.id])
            self._readings[page] = Reading(count, own, _facts(page, own), frozenset(_names(own)))
        return [self._readings[page] for page in pages]

    def _units(self, text: str) -> Iterator[tuple[int, int, str, str]]:
        """Start and end of each unit, the white space before it, and how it will stand."""
        spoken = language(text) if self._telegraphic else None
        end = 0
        for start, stop in units(text):
            shown = text[start:stop]
            yield start, stop, text[end:start], telegram(shown, spoken) if spoken else shown
            end = stop

    def facts(self, page: Page) -> Facts:
        """What a page that stays says; O(characters), once."""
        known = self._facts.get(page)
        if known is None:
            ids = identifiers(page.text)
            said = _facts(page, ()).said if any(message.results for message in page.messages) else ids
            known = self._facts[page] = Facts(frozenset(words(page.text)), ids, said)
        return known


def _texts(page: Page) -> Iterator[tuple[tuple[int, int], str]]:
    """Place and text of each part that may be shortened."""
    for m, message in enumerate(page.messages):
        for p, part in enumerate(message.parts):
            if isinstance(part, Text | ToolResult) and _encodable(part.text):
                yield (m, p), part.text


def _facts(page: Page, passages: Sequence[Passage]) -> Facts:
    """What the page says: from the passages, and of what is none of them from the text."""
    read = {passage.key: passage for passage in passages}
    found: set[str] = set()
    said: set[str] = set()
    for m, message in enumerate(page.messages):
        for p, part in enumerate(message.parts):
            if passage := read.get((m, p)):
                for unit in passage.units:
                    found.update(unit.words)
                    if isinstance(part, Text):
                        said.update(unit.ids)
            elif isinstance(part, ToolResult):
                found.update(words(part.text))
            elif isinstance(part, Text | ToolCall):
                text = part.text if isinstance(part, Text) else part.arguments
                found.update(words(text))
                said |= identifiers(text)
    return Facts(frozenset(found), frozenset(said), frozenset(said))


_KEY = re.compile(r'"(?!\w*\d{3})[\w .$@/-]{1,60}"\s*:')
"""A field's name in JSON: it says what the value is, and is not worth anything without it."""


def _unit(text: str, start: int, end: int, shown: str, tokens: int) -> Unit:
    raw = text[start:end]
    return Unit(start, end, shown, tokens, *(_said(raw) if end - start <= 2 * LONG else _said.__wrapped__(raw)))


# Lines recur: the same file is read twice, the same log is shown again. A few megabytes at most.
@lru_cache(maxsize=4096)
def _said(raw: str) -> tuple[tuple[str, ...], tuple[str, ...], float, str | None, bool]:
    """Words, identifiers, boost, error and whether it is a question: what a unit says by itself."""
    told = _KEY.sub(" ", raw) if '":' in raw else raw
    own = words(told)
    boost, error = cues(raw, own)
    return tuple(dict.fromkeys(own)), tuple(sorted(identifiers(told))), boost, error, asks(raw)


class Worth:
    """What the session says about the words and identifiers of each page of a request.

    Rare is counted in the other pages and in the page's own units; what resident pages show is worth less, and what
    they, or newer pages, name is alive. O(characters of pages not seen before, words of all).
    """

    def __init__(self, reader: Reader, request: CompressRequest, readings: Sequence[Reading]) -> None:
        known = {page.id: reading.facts for page, reading in zip(request.pages, readings, strict=True)}
        stays = [page for page in request.resident if page.id not in known]
        known.update((page.id, reader.facts(page)) for page in stays)
        self._known = known
        self._all = sorted((*request.pages, *stays), key=lambda page: page.id)
        self._df = Counter(word for facts in known.values() for word in facts.words)
        self._named = Counter(name for facts in known.values() for name in facts.said)
        self._shown_words = frozenset[str]().union(*(known[page.id].words for page in stays))
        self._shown_ids = frozenset[str]().union(*(known[page.id].ids for page in stays))
        self._before = {page.id: earlier for earlier, page in zip(self._all, self._all[1:], strict=False)}
        self._asker: dict[int, Page] = {}
        last: Page | None = None
        for page in self._all:
            if last is not None:
                self._asker[page.id] = last
            if page.role == "user":
                last = page

    def of(self, page: Page, reading: Reading) -> tuple[list[float], dict[str, float]]:
        r"""By unit, through all passages: its factor; and by word or identifier (``"\\0"`` before it) its worth."""
        passages = reading.passages
        own = Counter(word for passage in passages for unit in passage.units for word in unit.words)
        rare = self._rarity(page, own, sum(len(passage.units) for passage in passages))
        said = self._known[page.id].said
        worth = {word: self._word(word, rare[word]) for word in own}
        for name in reading.names & worth.keys():
            worth[name] *= NAME
        cited: set[str] = set()
        for passage in passages:
            for unit in passage.units:
                for name in unit.ids:
                    alive = self._named[name] > (name in said)
                    if alive:
                        cited.add(name)
                    shown = name in self._shown_ids
                    # A citation shows the name and not what it stands for, so that this is still worth having.
                    worth["\0" + name] = ID * (
                        SHOWN_ID if shown and not alive else CITED if alive and not shown else 1.0
                    )
        asked = {word for word in self._asked(page) if rare.get(word, 0.0) > 0.3}
        answers = self._answers(page)
        factors = [made for passage in passages for made in self._factors(passage, cited, asked, answers)]
        return factors, worth

    def _rarity(self, page: Page, own: Mapping[str, int], units: int) -> dict[str, float]:
        """By word: 1 if it stands once in the session, 0 if in 1.5 sqrt(places) or more."""
        scale = 1 / math.log(max(3.0, 1.5 * math.sqrt(len(self._all) - 1 + units)))
        return {w: max(0.0, 1 - math.log(max(1, self._df[w] - 1 + n)) * scale) for w, n in own.items()}

    def _word(self, word: str, rare: float) -> float:
        return rare * _telling(word) * (SHOWN if word in self._shown_words else 1.0)

    def _asked(self, page: Page) -> Set[str]:
        """Words of what the page answers: its calls' arguments, and the user's message before it."""
        found: set[str] = set()
        for message in page.messages:
            for call in message.calls:
                found.update(words(call.arguments[:2000]))
        if page.role == "assistant" and (asker := self._asker.get(page.id)) is not None:
            found |= self._known[asker.id].words
        return found

    def _answers(self, page: Page) -> bool:
        before = self._before.get(page.id)
        return before is not None and before.id == page.id - 1 and asks(before.text[-200:].rstrip())

    def _factors(self, passage: Passage, cited: Set[str], asked: Set[str], answers: bool) -> Iterator[float]:
        after = len(ANSWER) - 1 if answers else 0
        for unit in passage.units:
            alive = min(2, sum(name in cited for name in unit.ids))
            hits = min(2, sum(word in asked for word in unit.words)) if asked else 0
            made = unit.boost * (1 + LIVE * alive) * (1 + ASKED * hits)
            made *= ANSWER[after]
            after = 2 if unit.asks else max(0, after - 1)
            yield made


_UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_KANA = re.compile("[\u3040-\u309f]")
_PARTICLES = frozenset("的了是在们和也就都很不有这那会一个吧呢啊着我你他她它来去好大家没点么")


@lru_cache(maxsize=1 << 15)
def _telling(word: str) -> float:
    """What a rare word is worth by its form: short words, and pairs with particles, say little in every language."""
    if word.isdigit():
        return NUMBER
    if not word.isascii() and len(word) <= 2 and _UNSPACED.match(word):
        # Pairs overlap, so that each character counts twice.
        return 0.2 if _KANA.search(word) or not _PARTICLES.isdisjoint(word) else 0.6
    return SHORT_WORD[min(len(word), len(SHORT_WORD)) - 1]


_INSIDE = re.compile(r"(?<=[\w,;] )[^\W\d_]\w*")


def _names(passages: Sequence[Passage]) -> list[str]:
    """Words written with a capital inside a sentence, folded; where most nouns are (as in German), two in a row."""
    single: list[str] = []
    pairs: list[str] = []
    seen = 0
    for passage in passages:
        for unit in passage.units:
            before = ""
            for match in _INSIDE.finditer(passage.text, unit.start, unit.end):
                seen += 1
                word = match.group()
                named = word[0].isupper() and word[1:].islower()
                if named:
                    single.append(word.casefold())
                    if before and passage.text[match.start() - len(before) - 1 : match.start() - 1] == before:
                        pairs += (before.casefold(), word.casefold())
                before = word if named else ""
    return single if len(single) < 0.2 * seen else pairs


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
