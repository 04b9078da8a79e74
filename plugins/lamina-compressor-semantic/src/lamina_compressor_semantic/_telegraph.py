"""Telegram style: a sentence without its articles and fillers, and with every negation."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen


def _list(text: str) -> frozenset[str]:
    return frozenset(text.split())


@frozen
class _Style:
    """What may be dropped in a language, and how the language is told from others."""

    signs: frozenset[str]
    """Words that are frequent in it and stand for it."""
    articles: frozenset[str]
    """Dropped before a word that may follow an article."""
    fillers: frozenset[str]
    """Dropped wherever they stand by themselves."""
    negations: frozenset[str]
    """Never dropped; neither are the two words after one."""
    before_capital: bool
    """Whether an article is dropped before a capital only: in German the same words are pronouns."""


_STYLES: Mapping[str, _Style] = {
    "en": _Style(
        signs=_list("the and of to is that it was for with this have are be we you they from not on at"),
        articles=_list("the a an"),
        fillers=_list("really very basically actually literally honestly essentially totally"),
        negations=_list(
            """
            not no never none nothing nobody nowhere neither nor without cannot hardly barely scarcely seldom rarely
            unless except don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't
            haven't hasn't hadn't mustn't needn't ain't dont doesnt didnt isnt cant wont
            """
        ),
        before_capital=False,
    ),
    "de": _Style(
        signs=_list("und nicht ist ich für wird auch dass sie mit auf wir aus bei nach wurde sind haben kann"),
        articles=_list("der die das den dem des ein eine einen einem einer eines"),
        fillers=_list("sehr wirklich natürlich sozusagen quasi gewissermaßen übrigens bekanntlich selbstverständlich"),
        negations=_list(
            """
            nicht nichts nie niemals niemand niemanden niemandem nirgends nirgendwo weder noch ohne kein keine keinen
            keinem keiner keines keinerlei keineswegs keinesfalls kaum außer statt
            """
        ),
        before_capital=True,
    ),
    "ru": _Style(
        signs=_list("и что как это был была было из мы вы они только если или на по для но все уже при чтобы"),
        articles=frozenset(),
        fillers=_list("очень конечно действительно собственно кстати буквально ну вот ведь разумеется"),
        negations=_list(
            """
            не ни нет нельзя без никогда никто никого никому ничто ничего ничему нигде никуда никак никакой никакая
            никакие никаких невозможно незачем некому нечего едва кроме вместо
            """
        ),
        before_capital=False,
    ),
}
_FOREIGN = re.compile("[іїєґўјљњћђџѓќ]", re.IGNORECASE)
"""Letters of other languages that are written as Russian is."""
_RUSSIAN = re.compile("[ыэ]", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_EXACT = re.compile(r"[\"`“”„«»‚‘{}<>=\\/|_$@#\[\]]|(?<!\w)'|'(?!\w)|\w\(")
"""What is quoted, or is no prose: there the very words may matter, so that the sentence stays as it is."""
_NO_ARTICLE = _list(
    """
    is was are were be and or but to of in on at for with by as if then than that which who not no has had will would
    few little lot bit couple number hour day week month year night minute second quarter piece person
    """
)
"""Before one of these, ``a`` is a name, or changes what is said (``a few``, ``twice a day``)."""


def language(text: str) -> str | None:
    """The language of a text, where it is one in which something may be dropped, else ``None``; O(characters).

    At least four different frequent words of the language, and more than of any other, and its letters.
    """
    found = {word.casefold() for word in _WORD.findall(text[:20_000])}
    hits = sorted(((len(found & style.signs), name) for name, style in _STYLES.items()), reverse=True)
    (most, name), (second, _) = hits[:2]
    if most < 4 or second >= most:
        return None
    if name == "ru" and (_FOREIGN.search(text) or not _RUSSIAN.search(text)):
        return None
    return name


def telegram(unit: str, spoken: str) -> str:
    """The unit without articles and fillers, as far as it is prose of that language; O(characters).

    The first word stays, and so do negations, the two words after one, and whole units that hold quotes, paths or code,
    or no frequent words of the language. Nothing is put in, replaced or moved.
    """
    style = _STYLES[spoken]
    if _EXACT.search(unit):
        return unit
    found = list(_WORD.finditer(unit))
    words = [match.group().casefold().replace("’", "'") for match in found]
    if len(words) < 5 or len(style.signs.intersection(words)) < 2:
        return unit
    made: list[str] = []
    done = 0
    for at in range(1, len(words) - 1):
        here, word = found[at], words[at]
        # Both are out of reach behind a negation: "not a very good idea" is no "not good idea".
        if word in style.negations or not style.negations.isdisjoint(words[max(0, at - 2) : at]):
            continue
        between = unit[here.end() : found[at + 1].start()]
        if not unit[here.start() - 1].isspace() or not between.isspace() or "\n" in between or not here[0].islower():
            continue
        if word in style.fillers or (word in style.articles and _is_article(unit, here, found[at + 1][0], style)):
            made.append(unit[done : here.start()])
            done = found[at + 1].start()
    return "".join((*made, unit[done:]))


def _is_article(unit: str, here: re.Match[str], after: str, style: _Style) -> bool:
    if style.before_capital:
        # Behind a comma it is a relative pronoun: "der Mann, den Peter sah".
        return after[0].isupper() and not unit[: here.start()].rstrip().endswith(",")
    return after.casefold() not in _NO_ARTICLE
