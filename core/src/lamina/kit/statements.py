"""What a person's words are about: constraints, corrections, and their own sentences around pasted matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence

_WORDS = (
    (
        r"always|never|only|don['’]?t|do not|must|must(?:n['’]?t| not)|should(?:n['’]?t| not| always| never)|prefer\w*|avoid"
        r"|make sure|ensure|instead of|rather than|(?:would|['’]d) rather|no longer|from now on|stick (?:to|with)|without"
        r"|under no circumstances|no matter|no need|(?:not|n['’]t) allowed|(?:is|are)n['’]t allowed|forbidden|prohibited|mandatory|at (?:most|least)|except"
        r"|no (?:more|less|fewer|later|earlier|longer) than|(?:you|it|they) (?:can['’]t|cannot|may not)|nothing (?:else|but)"
        r"|no (?:new|more|other|further|extra|additional|external|breaking|third[- ]party) \w+|no \w+,? please|unless"
        r"|no (?:changes?|tests?|mocks?|comments?|emojis?|dependenc\w+|commits?|push\w*|hacks?|workarounds?|globals?)"
        r"|stop \w+ing|refrain|(?:has|have|needs?) to (?:be|stay|remain|keep|work)|keep (?:it|them|the|this|that|all|using)"
        r"|leave\b[^.\n]{1,40}?\b(?:alone|as is|untouched|unchanged|as (?:it is|they are))|ask (?:me )?(?:first|before)"
        r"|use\b[^.;\n]{1,40}? (?:not|over)|remember to|be careful|i want (?:everything|all|every|no)"
    ),
    (
        r"immer|nie|niemals|nur|nicht|keine?[nrsm]?|muss|musst|müssen|darf|dürfen|bevorzug\w+|lieber|vermeide\w*|soll(?:st|te\w*)?"
        r"|stattdessen|statt|anstatt|anstelle|unbedingt|auf (?:keinen|jeden) fall|ohne|außer|ausschließlich|höchstens"
        r"|mindestens|maximal|verboten|achte darauf|stelle? sicher|lass(?:t|e)? [^.\n]{1,40}? (?:in ruhe|unverändert|so)"
        r"|frag\w* (?:mich|erst|vorher)|ab (?:jetzt|sofort)"
    ),
    (
        r"toujours|jamais|seulement|uniquement|doit|dois|doivent|devez|préfér\w+|préfèr\w+|plutôt|évite\w*|il faut|ne pas|sans"
        r"|ne \w+ (?:pas|plus|jamais|rien)|n['’]\w+ (?:pas|plus|jamais|rien)|pas (?:de|d['’]\w+)|au lieu d\w*|à la place|sauf"
        r"|au (?:plus|moins|maximum)|interdit\w*|obligatoire\w*|veille\w* à|assure\w*-\w+|désormais|aucun\w*"
    ),
    (
        r"siempre|nunca|s[oó]lo|solamente|únicamente|debe\w*|prefier\w+|evita\w*|sin|en (?:lugar|vez) de|hay que|tienes? que"
        r"|no (?:lo |la |me )?\w{2,}(?:es|as)|ning[uú]n\w*|como (?:máximo|mínimo)|salvo|excepto|prohibid\w+|aseg[uú]r\w+"
        r"|nada de|obligatori\w+"
    ),
    (
        r"всегда|никогда|только|нельзя|не (?:надо|нужно|более|менее|больше)|долж\w+|обязательно|предпочита\w+|избега\w+"
        r"|вместо|без|кроме|а не|не \w+(?:йте|й|ите|и|ьте|ь|ть)|ни в коем случае|запрещ\w+|следует|лучше|максимум|минимум"
    ),
)
"""Of English, German, French, Spanish and Russian."""
_SIGNS = (
    (
        r"总是|始终|永远|从不|绝不|不要|不用|不可|不准|别再|别(?!的|人)|只能|只用|仅|必须|务必|禁止|不得|不能|优先|尽量|请勿|請勿"
        r"|必須|而不是|改用|代替|请用|請用|不需要|无需|以外|最多|至少|不超过|保持|一定要|应该|应当|避免|先问"
    ),
    (
        r"必ず|常に|いつも|決して|絶対|ないで|ないこと|ずに|だけ|のみ|べき|避け|なければ|優先|てはいけ|てはなら|ではなく|じゃなく"
        r"|代わりに|禁止|不要|以外|以内|最大|最低|なるべく|できるだけ|ようにし|なしで|だめ|ダメ|でお願い|語で"
    ),
)
"""Of Chinese and Japanese, which put no spaces between words."""
_CONSTRAINT = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b|,\s?not\b(?! (?:sure|yet))")
_SIGN = re.compile("|".join(_SIGNS))
_CORRECTION = re.compile(
    r"^\W*(?:(?:nope|nein|нет|stop|wait|halt|actually|instead|rather|sorry|oops|i (?:meant|said|asked)|eigentlich|stattdessen"
    r"|doch|falsch|wrong|ich (?:meinte|sagte)|plutôt|en fait|en realidad|attends|espera|undo|revert|roll(?:ed)? ?back"
    r"|not (?:that|this|what|the|quite|like)|nicht (?:das|die|den|so)|mejor|quise decir|я имел\w? в виду|неверно|неправильно"
    r"|не (?:то|так)|на самом деле|лучше)\b"
    r"|no(?=\s*(?:[,.;:!—–]|- |$)|\s+(?:use|i|we|it|that|this|the|not|you|don['’]?t|do|wait|just)\b)"
    r"(?!\W+(?:that['’]?s (?:all|it|fine|ok)|thanks?|thank|nothing|worries|problem))"
    r"|non\b(?!-)|不对|不是|不，|其实|等等|错了|搞错|我是说|我说的是|錯|错|いや|いいえ|違|ちが|間違|やっぱり|そうではなく|そうじゃな)"
    r"|\b(?:instead|stattdessen|au lieu d\w*|à la place|en (?:lugar|vez) de|вместо|that['’]?s (?:wrong|not (?:right|what|it))"
    r"|(?:das|es) (?:ist|war) falsch|c['’]est faux|ce n['’]est pas|está mal|you misunderstood)\b"
    r"|,\s?not\b(?! (?:sure|yet))|代わりに|改用|而不是|ではなく|じゃなく",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"\b(?:because|so that|decid\w+|chose|choose|instead of|therefore|the (?:cause|reason|problem|bug) (?:is|was)"
    r"|weil|damit|entschied\w*|gewählt|deshalb|parce que|afin|choisi\w*|décid\w+|donc|porque|elegí\w*|decid\w+"
    r"|потому|поэтому|чтобы|решил\w*|выбра\w+)\b|因为|所以|决定|选择|原因|ので|ため|決め|選",
)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])(?![。！？」』）])")
_CODE = re.compile(
    r"^(?:\s{4,}\S|\t)|[{};\\]$|^\s*(?:File \"|Traceback|>|\$ |\+\+\+|---|@@|\d{4}-\d\d-\d\d|\d\d:\d\d|#\d+ |\|)|^\s+at [\w.$<]"
    r"|[=_*~-]{6}|=>|^\s*[<\[({].*[>\])}],?$"
    r"|^\s*(?:import [\w.{*\"'@]+$|from [\w.]+ import|(?:async )?def \w|class \w+\s?[:({]|(?:const|let|var) \w+\s?[:=]"
    r"|(?:async |export )*function\b|(?:public|private|static) \w|SELECT |INSERT INTO )"
)
"""A line, without white space at its end, that was pasted rather than typed, more likely than not."""
_CALLED = re.compile(r"\w\(")
_SCRIPT = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{4}")
"""Chinese, Japanese or Korean words, which have no spaces between them."""
_TELLS = 20
"""Bytes; a shorter sentence decides nothing."""
_GAP = 2
"""Tokens of the sign that something is left out, and of its line's end."""
_LETTERS = 12
"""Letters of a token, at most, in what is cut off a line; where there are more, a little less stands."""
HEAD = 360
"""Tokens of a long passage's beginning that always stand, about."""


def sentences(text: str) -> list[str]:
    """The sentences of each line, in order, without white space around them."""
    return [said for line in text.splitlines() for piece in _SENTENCE_END.split(line) if (said := piece.strip())]


def constraints(text: str) -> list[str]:
    """The sentences that say what must, must not or should rather be; in the languages named in this module."""
    return [sentence for sentence in sentences(text) if _constrains(sentence)]


def _constrains(sentence: str) -> bool:
    # Patterns that ignore case look at every alternative in every place, which takes three times as long.
    return _CONSTRAINT.search(sentence.lower()) is not None or (
        not sentence.isascii() and _SIGN.search(sentence) is not None
    )


def corrects(text: str) -> bool:
    """Whether the text takes back or changes what was said or done just before."""
    return _CORRECTION.search(text[:400]) is not None


def gist(text: str, most: int, count: Callable[[Sequence[str]], Sequence[int]]) -> str:
    """The sentences of an answer that decide something or give reasons, as far as they fit ``most`` tokens; verbatim.

    Empty where it does neither.
    """
    if _DECISION.search(text.lower()) is None:
        return ""
    said = sentences(text)
    telling = [
        at for at, sentence in enumerate(said) if _DECISION.search(sentence.lower()) and len(sentence.encode()) > _TELLS
    ]
    chosen: list[int] = []
    for at, tokens in zip(telling, count([said[at] for at in telling]), strict=True):
        if tokens + _GAP <= most:
            most -= tokens + _GAP
            chosen.append(at)
    return " … ".join(" ".join(said[at] for at in run) for run in _runs(chosen))


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Stretches of adjacent numbers."""
    out: list[list[int]] = []
    for n in numbers:
        if out and out[-1][-1] == n - 1:
            out[-1].append(n)
        else:
            out.append([n])
    return out


def shortened(
    text: str, most: int, count: Callable[[Sequence[str]], Sequence[int]], cited: Collection[str] = ()
) -> str:
    """A long text in about ``most`` tokens: its beginning, the person's own sentences, its end, and lines that are cited.

    Lines stay as they are, ``…`` where some are left out; of a line that is too long the beginning stands, and the end of
    the last. Of what a person wrote, lines with constraints come first, then the newest. O(n log n).

    Args:
        text: Of more than ``most`` tokens.
        most: Tokens.
        count: Counts texts.
        cited: Names that later work uses.
    """
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    costs = [n + 1 for n in count(lines)]
    filled = [at for at, line in enumerate(lines) if line and not line.isspace()]
    chosen: set[int] = set()
    left = most
    room = min(HEAD, most - most // 8)
    cut = None
    for at in filled:
        if costs[at] > room:
            cut = at if room > 0 else None
            break
        room -= costs[at]
        left -= costs[at]
        chosen.add(at)
    left -= room if cut is not None else 0
    for at in _worth(lines, filled, cited):
        if left <= 2 * _GAP:
            break  # nothing that says anything fits
        if at not in chosen and at != cut and costs[at] + _GAP <= left:
            left -= costs[at] + _GAP
            chosen.add(at)
    if cut is not None:
        lines[cut] = _cut(lines[cut], room + left - _GAP, count, ends=cut == filled[-1])
        chosen.add(cut)
    return _joined(lines, chosen)


def _worth(lines: Sequence[str], filled: Sequence[int], cited: Collection[str]) -> Iterator[int]:
    """Lines behind the beginning, the ones that must stand first."""
    yield from reversed(filled[-3:])
    own = [at for at in reversed(filled) if _is_own(lines[at])]
    yield from (at for at in own if _constrains(lines[at]))
    yield from own
    yield from (at for at in filled if any(name in lines[at] for name in cited))


def _is_own(line: str) -> bool:
    """Whether the line was typed rather than pasted, more likely than not."""
    if line.count(" ") < 3 and not _SCRIPT.search(line):
        return False
    line = line.rstrip()
    if line.endswith((")", "):", ") {", "){")) and _CALLED.search(line):
        return False
    return not _CODE.search(line)


def _cut(line: str, most: int, count: Callable[[Sequence[str]], Sequence[int]], *, ends: bool) -> str:
    """The beginning of a line, and its end if it is the text's end."""
    last = most // 8 if ends else 0
    begun = line[: _fitting(line, most - last, count, lambda line, n: line[:n])].rstrip()
    rest = line[len(begun) :]
    size = _fitting(rest, last, count, lambda line, n: line[len(line) - n :])
    return f"{begun} … {rest[len(rest) - size :].lstrip()}".rstrip() if len(begun) + size < len(line) else line


def _fitting(
    line: str, most: int, count: Callable[[Sequence[str]], Sequence[int]], part: Callable[[str, int], str]
) -> int:
    """How many letters of a line, taken from one of its ends, fit; found by halving."""
    low, high = 0, min(len(line), _LETTERS * max(most, 0))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count((part(line, middle),))[0] <= most else (low, middle - 1)
    return low


def _joined(lines: Sequence[str], chosen: Collection[int]) -> str:
    out: list[str] = []
    before = -1
    for at in sorted(chosen):
        if any(line and not line.isspace() for line in lines[before + 1 : at]):
            out.append("…")
        out.append(lines[at])
        before = at
    if any(line and not line.isspace() for line in lines[before + 1 :]):
        out.append("…")
    return "\n".join(out)
