"""What a unit says of itself: an error, a decision, a time, a fact about the one who speaks, or mere courtesy.

The lists are for English, German, Russian, Chinese and Japanese. They sharpen what is counted in the session, and other
languages get by without them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_QUESTION = re.compile(r"[?？؟][\"'”’»)\]」』）]*$")

_ERROR_KEY = re.compile(
    r"^\W{0,6}(?:E\s+)?(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception)\b(?::|$|\s*\()"  # what ends a traceback
    r"|^\W{0,3}(?i:error|fatal|panic|failed|failure|err!|fehler|ошибка|сбой)(?:\[\w+\])?\s?:"
    r"|^\W{0,3}(?:错误|失败|异常|エラー|例外|失敗)\s*[:：]"
    r"|\b(?:ERROR|FATAL|CRITICAL|FAILED|PANIC|FEHLER|ОШИБКА)\b"
    r"|\bnpm ERR!|[:)] (?:fatal )?error(?: \w+)?:"
    r"|^\W{0,3}(?i:exit (?:code|status)|returned? code)\W{1,3}[1-9]"
)
"""A line that says what went wrong. Only such lines are never left out."""
_DIGITS = re.compile(r"\d+")


def _list(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Folded words; of scripts without spaces pairs of characters, or single ones; of Russian also stems (with a hyphen).
_ERROR = _list(
    """
    error errors exception exceptions fail fails failed failing failure failures fatal panic critical crash crashed
    refused denied timeout timed broken cannot unable invalid missing err exit returned fehler fehlgeschlagen
    abgebrochen kaputt abgelehnt fehlt ошибк- сбой сбоя отказ- упал упала упало исключени- 错误 失败 异常 超时 拒绝 无法 失敗 例外
    拒否 エラ タイ
    """
)
_DECISION = _list(
    """
    decide decided decision agree agreed must never always chose chosen choose instead conclusion conclude concluded
    therefore cause because fix fixed important remember note todo plan planned deadline confirm confirmed approved
    require required requires should entschieden entscheiden entscheidung beschlossen einigten geeinigt vereinbart
    müssen muss soll sollen niemals immer stattdessen deshalb daher weil ursache wichtig nehmen bleiben bleibt frist
    bestätigt genehmigt решил- решен- договорил- должн- нельзя никогда всегда вместо поэтому потому причин- важно
    оставляем выбра- срок- подтвержд- согласован- 决定 选择 选了 必须 不要 不能 绝不 总是 改用 因此 所以 因为 原因 重要 确认 同意 截止 決定 決め 決ま
    選び 選択 必ず べき 禁止 代わ 確認 合意 締め
    """
)
_FIRST = _list(
    """
    i im ive my me mine ich mich mir mein meine meinen meinem meiner я мне меня мой моя моё мои 我 私 僕 俺
    """
)
_TIME = _list(
    """
    yesterday tomorrow tonight ago last next weekend week weeks month months year years monday tuesday wednesday
    thursday friday saturday sunday january february march april june july august september october november december
    recently since until gestern morgen letzte letzten nächste nächsten woche wochen monat monate monaten jahr
    jahre jahren seit bis montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli
    oktober dezember вчера завтра назад недел- месяц- год года лет понедельник- вторник- сред- четверг- пятниц-
    суббот- воскресень- январ- феврал- март- апрел- мая май июн- июл- август- сентябр- октябр- ноябр- декабр- 昨天 明天 上周
    下周 去年 今年 明年 星期 周末 月份 昨日 明日 先週 来週 先月 来月 来年 曜日 年 月 日 号 点 时 時
    """
)
_PAST = _list(
    """
    was were had went took got made saw gave found met told said won lost left joined been hatte war waren wurde wurden
    ging kam gab habe haben был была было были
    """
)
_SECOND = _list(
    """
    you your yours youre youve du dich dir dein deine deinen ihnen ты тебя тебе твой вы вас вам ваш ваша 你 您 あな
    """
)
_COURTESY = _list(
    """
    thanks thank wow great awesome amazing cool nice glad sounds congrats congratulations sorry welcome appreciate sure
    definitely absolutely yeah yep haha hey hi hello bye wonderful lovely incredible proud happy exciting inspiring
    keep please perfect excellent danke toll super klasse hallo gerne bitte genau freut prima спасибо привет здорово
    отлично классно рад рада пожалуйста конечно здравствуйте круто 谢谢 你好 太好 真棒 好的 客气 あり 了解 すご こん よろ お疲
    """
)
_LISTS = (_ERROR, _DECISION, _FIRST, _TIME, _PAST, _SECOND, _COURTESY)
_SINGLE = frozenset("我私僕俺你您")
"""Characters that count wherever they stand."""


@lru_cache(maxsize=1 << 15)
def _classes(word: str) -> int:
    """The lists that a folded word is on, as bits."""
    forms = {word}
    if "\u0400" <= word[0] <= "\u04ff":
        forms.update(f"{word[:k]}-" for k in range(3, len(word) + 1))
    elif not word.isascii():
        forms.update(_SINGLE.intersection(word) if "们" not in word else ())
    if len(word) > 4 and word.endswith("ed"):
        forms.add("was")
    return sum(1 << k for k, listed in enumerate(_LISTS) if not listed.isdisjoint(forms))


def _tally(on: Sequence[int]) -> list[int]:
    """How many of the words are on each list."""
    return [sum(bits >> k & 1 for bits in on) for k in range(len(_LISTS))] if on else [0] * len(_LISTS)


def asks(unit: str) -> bool:
    """Whether the unit is a question."""
    return _QUESTION.search(unit[-8:]) is not None


def cues(unit: str, words: Sequence[str]) -> tuple[float, str | None]:
    """What each word of the unit is worth for what the unit says, about 0.1 to 6; and which error it names, if any.

    The error is the line without its numbers, so that equal ones are one kind.

    Args:
        unit: A sentence, a line, or a part of one.
        words: Its words, folded, with repetitions.
    """
    error, decision, first, time, past, second, courtesy = _tally([bits for word in words if (bits := _classes(word))])
    # Long lines are no messages but what holds them; reading only the head keeps this linear.
    key = error and _ERROR_KEY.search(unit[:400])
    made = 3.0 if key else 1.4 if error else 1.0
    if decision:
        made *= 1.35
    if first:
        made *= 1.35
    if time:
        made *= 1.35
    if past:
        made *= 1.2
    if any(map(str.isdigit, words)):
        made *= 1.2
    if asks(unit):
        made *= 0.75
    n = max(1, len(words))
    made /= (1 + 6 * second / n) * (1 + 5 * courtesy / n)
    return made, _DIGITS.sub("0", unit.strip()) if key else None
