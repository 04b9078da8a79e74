"""Times that a text speaks of, as ranges of days: ISO dates, dates in words, ``yesterday``, ``two weeks ago``.

Days are counted as :meth:`datetime.date.toordinal` counts them, by UTC. What is relative is resolved against the clock
of who speaks: for a query the time of asking, for a document the time when it was said.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator

from attrs import frozen

DAY_S = 86_400

_MONTHS = (
    "january jan januar janvier enero января январь",
    "february feb februar février fevrier febrero февраля февраль",
    "march mar märz maerz mars marzo марта март",
    "april apr avril abril апреля апрель",
    "may mai mayo мая май",
    "june jun juni juin junio июня июнь",
    "july jul juli juillet julio июля июль",
    "august aug août aout agosto августа август",
    "september sept sep septembre septiembre сентября сентябрь",
    "october oct oktober octobre octubre октября октябрь",
    "november nov novembre noviembre ноября ноябрь",
    "december dec dezember décembre decembre diciembre декабря декабрь",
)
_MONTH = {word: n for n, words in enumerate(_MONTHS, 1) for word in words.split()}
_NOT_MONTHS = frozenset(("may", "mar", "mars"))
"""In small letters they are rather a verb, the sea, a planet."""
_WEEKDAYS = (
    "monday mon montag lundi lunes понедельник",
    "tuesday tue tues dienstag mardi martes вторник",
    "wednesday wed mittwoch mercredi miércoles среду",
    "thursday thu thur thurs donnerstag jeudi jueves четверг",
    "friday fri freitag vendredi viernes пятницу",
    "saturday sat samstag samedi sábado субботу",
    "sunday sun sonntag dimanche domingo воскресенье",
)
_WEEKDAY = {word: n for n, words in enumerate(_WEEKDAYS) for word in words.split()}
_UNITS = {
    1: "day days tag tage tagen jour jours día días день дня дней 天 日",
    7: "week weeks woche wochen semaine semaines semana semanas неделя неделю недели недель неделе 周 週間",
    30: "month months monat monate monaten mois mes meses месяц месяца месяцев месяце 个月 か月",
    365: "year years jahr jahre jahren an ans année années año años год года лет 年",
}
_UNIT = {word: days for days, words in _UNITS.items() for word in words.split()}
_LITTLE = {
    "a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "three": 3, "few": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "einem": 1, "einer": 1, "zwei": 2, "drei": 3, "vier": 4, "un": 1, "une": 1,
    "deux": 2, "trois": 3, "quatre": 4, "uno": 1, "una": 1, "dos": 2, "tres": 3, "cuatro": 4, "два": 2, "две": 2,
    "три": 3, "четыре": 4, "один": 1, "одну": 1,
}  # fmt: skip


def _one_of(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_M = _one_of(_MONTH)
_N = rf"\d{{1,3}}|{_one_of(_LITTLE)}"
_U = _one_of(u for u in _UNIT if u.isascii() or u[0] < "\u3000")
_DATE = re.compile(
    rf"""\b(?P<y1>(?:19|20)\d\d)[-/.](?P<m1>\d{{1,2}})(?:[-/.](?P<d1>\d{{1,2}}))?\b
    |\b(?P<d2>\d{{1,2}})\.\s?(?P<m2>\d{{1,2}})\.\s?(?P<y2>(?:19|20)\d\d)\b
    |\b(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s(?:of\s|de\s)?(?P<m3>{_M})\b\.?,?(?:\s(?:de\s)?(?P<y3>(?:19|20)\d\d)\b)?
    |\b(?P<m4>{_M})\.?\s(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?\b,?(?:\s(?P<y4>(?:19|20)\d\d)\b)?
    |\b(?P<m5>{_M})\b,?(?:\s(?:of\s|de\s)?(?P<y5>(?:19|20)\d\d)\b)?
    |(?P<y6>(?:19|20)\d\d)年(?:(?P<m6>\d{{1,2}})月(?:(?P<d6>\d{{1,2}})[日号])?)?
    |(?P<m7>\d{{1,2}})月(?P<d7>\d{{1,2}})[日号]
    |\b(?:in|im|en|since|during|в)\s(?P<y8>(?:19|20)\d\d)\b(?![-/.]\d)""",
    re.X | re.I,
)
_AGO = re.compile(
    rf"\b(?P<n1>{_N})(?:\s(?:of|or\sso))?\s(?P<u1>{_U})\s(?:ago|back|назад)\b"
    rf"|\b(?:vor|il\sy\sa|hace)\s(?P<n2>{_N})\s(?P<u2>{_U})\b"
    r"|(?P<n3>\d{1,3})(?P<u3>天|周|个月|年|日|週間|か月)前",
    re.I,
)
_NEAR_DAYS = {
    -1: "yesterday gestern hier ayer вчера 昨天 昨日",
    0: "today tonight heute aujourd'hui hoy сегодня 今天 今日",
    1: "tomorrow demain mañana завтра 明天 明日",
    -2: "vorgestern anteayer позавчера 前天",
}
_NEAR = {word: days for days, words in _NEAR_DAYS.items() for word in words.split()}
_NEAR_WORD = re.compile(
    rf"(?<!\bla )(?<!\besta )\b(?:{_one_of(w for w in _NEAR if w[0] < chr(0x3000))})\b|{_one_of(w for w in _NEAR if w[0] >= chr(0x3000))}",
    re.I,
)
_GERMAN = re.compile(
    r"\b(?:der|die|das|dem|den|ist|sind|war|und|oder|wir|ich|ihr|nicht|ein|eine|einen|was|wo|wer|gibt)\b", re.I
)
_LAST = r"last|past|letzte[nrsm]?|vorige[nrsm]?|прошл\w+"
_NEXT = r"next|coming|nächste[nrsm]?|следующ\w+"
_THIS = r"this|diese[nrsm]?|ce|cette|este|esta|эт\w+"
_BESIDE = re.compile(
    rf"\b(?P<which>(?P<last>{_LAST})|(?P<next>{_NEXT})|(?P<this>{_THIS}))\s"
    rf"(?P<what>{_U}|weekend|wochenende|{_M}|{_one_of(_WEEKDAY)})\b"
    rf"|\b(?P<what2>{_U}|{_M}|{_one_of(_WEEKDAY)})\s(?:(?P<last2>dernière|dernier|pasado|pasada)"
    r"|(?P<next2>prochaine?|próximo|próxima))\b"
    r"|(?P<cjk>上周|先週|上个月|先月|去年|下周|来週|下个月|来月|明年|来年)",
    re.I,
)
_CJK_BESIDE = {
    "上周": (7, -1), "先週": (7, -1), "上个月": (30, -1), "先月": (30, -1), "去年": (365, -1),
    "下周": (7, 1), "来週": (7, 1), "下个月": (30, 1), "来月": (30, 1), "明年": (365, 1), "来年": (365, 1),
}  # fmt: skip
# What a text must hold for one of the patterns to be worth a try: they cost twenty times as much as these.
_HINT = re.compile(r"\w+")
_WORDS_AGO = frozenset(["ago", "back", "назад", "vor", "il", "hace"])
_WORDS_BESIDE = re.compile(
    r"last|past|letzte[nrsm]?|vorige[nrsm]?|прошл\w+|next|coming|nächste[nrsm]?|следующ\w+|this|diese[nrsm]?|ce|cette|"
    r"este|esta|эт\w+|dernière|dernier|pasado|pasada|prochaine?|próximo|próxima"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


@frozen(order=True)
class Days:
    """A range of days, both ends in it."""

    first: int
    last: int

    def distance(self, day: int) -> int:
        """How many days a day lies beside the range; 0 inside."""
        return max(self.first - day, day - self.last, 0)


Spoken = tuple[int, int, Days]
"""Where in a text, from and to, and what."""


def days_of(text: str, now_s: float) -> list[Days]:
    """The times that a text speaks of, in its order; dates without a year are the last such ones by ``now_s``.

    Args:
        text: Any text; the first 2,000 characters count.
        now_s: When it is said, Unix seconds; 0 where that is not known: then only full dates are found.

    Cost: some 20 µs for a turn of a conversation.
    """
    text = text[:2_000]
    today = int(now_s // DAY_S) + _EPOCH if now_s > 0 else 0
    said = set(_HINT.findall(text.lower()))
    far = not text.isascii()
    found: list[Spoken] = []
    if far or not said.isdisjoint(_MONTH) or _YEAR.search(text):
        found += _dates(text, today)
    if today:
        if far or not said.isdisjoint(_WORDS_AGO):
            found += _ago(text, today)
        if far or not said.isdisjoint(_NEAR):
            found += _near(text, today)
        if far or any(_WORDS_BESIDE.fullmatch(word) for word in said):
            found += _beside(text, today)
    spoken = []
    beyond = 0
    for start, end, days in sorted(found, key=lambda s: (s[0], -s[1])):
        # "last May" also holds "May".
        if start >= beyond:
            spoken.append(days)
            beyond = end
    return spoken


_EPOCH = datetime.date(1970, 1, 1).toordinal()


def _dates(text: str, today: int) -> Iterator[Spoken]:
    for match in _DATE.finditer(text):
        given = match.groupdict()
        part = {k[0]: v for k, v in given.items() if v}
        if match["m5"] and not match["y5"] and match["m5"] in _NOT_MONTHS:
            continue
        month = _month(part.get("m"))
        year = int(part["y"]) if "y" in part else None
        days = _range(year, month, int(part["d"]) if "d" in part else None, today)
        if days:
            yield *match.span(), days


def _month(word: str | None) -> int | None:
    if word is None:
        return None
    return int(word) if word.isdecimal() else _MONTH.get(word.lower())


def _range(year: int | None, month: int | None, day: int | None, today: int) -> Days | None:
    try:
        if year is None:
            if not today:
                return None
            year = datetime.date.fromordinal(today).year
            first = datetime.date(year, month or 1, day or 1)
            if first.toordinal() > today:
                year -= 1
        if month is None:
            return Days(datetime.date(year, 1, 1).toordinal(), datetime.date(year, 12, 31).toordinal())
        if day is not None:
            one = datetime.date(year, month, day).toordinal()
            return Days(one, one)
        after = datetime.date(year + month // 12, month % 12 + 1, 1).toordinal()
        return Days(datetime.date(year, month, 1).toordinal(), after - 1)
    except ValueError:
        return None


def _ago(text: str, today: int) -> Iterator[Spoken]:
    for match in _AGO.finditer(text):
        n = match["n1"] or match["n2"] or match["n3"]
        unit = _UNIT[(match["u1"] or match["u2"] or match["u3"]).lower()]
        many = int(n) if n.isdecimal() else _LITTLE[n.lower()]
        loose = 0 if unit == 1 else unit // 2
        day = today - unit * many
        if day > loose:
            yield *match.span(), Days(day - loose, day + loose)


def _near(text: str, today: int) -> Iterator[Spoken]:
    german = None
    for match in _NEAR_WORD.finditer(text):
        if match.group().lower() == "hier":
            # Yesterday in French, here in German.
            german = bool(_GERMAN.search(text)) if german is None else german
            if german:
                continue
        day = today + _NEAR[match.group().lower()]
        yield *match.span(), Days(day, day)


def _beside(text: str, today: int) -> Iterator[Spoken]:
    for match in _BESIDE.finditer(text):
        if match["what"] in _NOT_MONTHS:
            continue
        days = _step(match, today)
        if days:
            yield *match.span(), days


def _step(match: re.Match[str], today: int) -> Days | None:
    if match["cjk"]:
        unit, step = _CJK_BESIDE[match["cjk"]]
        return _unit(unit, step, today)
    what = (match["what"] or match["what2"]).lower()
    step = -1 if match["last"] or match["last2"] else 1 if match["next"] or match["next2"] else 0
    if what in _UNIT:
        return _unit(_UNIT[what], step, today)
    if what in _WEEKDAY:
        gap = (today - 1 - _WEEKDAY[what]) % 7
        day = today - (gap or 7) if step < 0 else today + (7 - gap if gap else 7)
        return Days(day, day)
    monday = today - (today - 1) % 7
    if what in ("weekend", "wochenende"):
        return Days(monday + 5 + 7 * step, monday + 6 + 7 * step)
    now = datetime.date.fromordinal(today)
    month = _MONTH[what]
    year = now.year - (step < 0 and month >= now.month) + (step > 0 and month <= now.month)
    return _range(year, month, None, today)


def _unit(unit: int, step: int, today: int) -> Days | None:
    now = datetime.date.fromordinal(today)
    if unit == 1:
        return Days(today + step, today + step)
    if unit == 7:
        monday = today - (today - 1) % 7
        return Days(monday + 7 * step, monday + 7 * step + 6)
    if unit == 30:
        month = now.year * 12 + now.month - 1 + step
        return _range(month // 12, month % 12 + 1, None, today)
    return _range(now.year + step, None, None, today)
