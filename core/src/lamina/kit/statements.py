"""What a person's words are about: constraints, corrections, and their own sentences around pasted matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

_WORDS = (
    (
        r"always|never|only|don['’]?t|do not|must|must(?:n['’]t| not)|should(?:n['’]t| not| always| never)|prefer\w*|avoid"
        r"|make sure|ensure|instead of|no longer|from now on|stick (?:to|with)|under no circumstances"
    ),
    (
        r"immer|nie|niemals|nur|nicht|keine?[nrsm]?|muss|musst|müssen|darf|dürfen|bevorzug\w+|lieber|vermeide\w*"
        r"|stattdessen|unbedingt|auf keinen fall"
    ),
    (
        r"toujours|jamais|seulement|uniquement|doit|dois|doivent|préfér\w+|plutôt|évite\w*|il faut|ne \w+ pas"
        r"|n['’]\w+ pas"
    ),
    r"siempre|nunca|s[oó]lo|debe\w*|prefier\w+|evita\w*",
    r"всегда|никогда|только|нельзя|не надо|не нужно|долж\w+|обязательно|предпочита\w+|избега\w+|вместо",
)
"""Of English, German, French, Spanish and Russian."""
_SIGNS = (
    r"总是|始终|永远|从不|绝不|不要|别再|只能|只用|仅|必须|务必|禁止|不得|不能|优先|尽量|避免|請勿|必須",
    r"必ず|常に|いつも|決して|絶対|しないで|ないこと|だけ|のみ|べき|避け|なければ|優先|てはいけ",
)
"""Of Chinese and Japanese, which put no spaces between words."""
_CONSTRAINT = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b|{'|'.join(_SIGNS)}", re.IGNORECASE)
_CORRECTION = re.compile(
    r"^\W*(?:(?:no|nope|nein|non|нет|stop|wait|halt|actually|instead|rather|sorry|oops|i meant|eigentlich|stattdessen|doch"
    r"|plutôt|en fait|attends|на самом деле|лучше)\b|不对|不是|不，|其实|等等|错了|いや|いいえ|違|やっぱり|そうではなく)"
    r"|\b(?:instead|stattdessen|au lieu de|à la place|вместо)\b|代わりに|改用|而不是|ではなく",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"\b(?:because|so that|decid\w+|chose|choose|instead of|therefore|the (?:cause|reason|problem|bug) (?:is|was)"
    r"|weil|damit|entschied\w*|gewählt|deshalb|parce que|afin|choisi\w*|décid\w+|donc|porque|elegí\w*|decid\w+"
    r"|потому|поэтому|чтобы|решил\w*|выбра\w+)\b|因为|所以|决定|选择|原因|ので|ため|決め|選",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")
_CODE = re.compile(
    r"^\s{4,}\S|^\t|[{};\\]\s*$|^\s*(?:at |File \"|Traceback|>|\$ |\+\+\+|---|@@|\d{4}-\d\d-\d\d|\d\d:\d\d|#\d+ |\|)|[=_*~-]{6,}"
    r"|^\s*(?:import|from|def|class|const|let|var|function|return|public|private|SELECT|INSERT)\s|=>|\w\(.*\)\s*[:{;]?\s*$|^\s*[<\[({].*[>\])}],?\s*$"
)
"""A line that was pasted rather than typed, more likely than not."""
_TELLS = 20
"""Characters; a shorter sentence decides nothing."""
HEAD = 360
"""Tokens of a long passage's beginning that always stand, about."""


def sentences(text: str) -> list[str]:
    """The sentences of each line, in order, without white space around them."""
    return [said for line in text.splitlines() for piece in _SENTENCE_END.split(line) if (said := piece.strip())]


def constraints(text: str) -> list[str]:
    """The sentences that say what must, must not or should rather be; in the languages named in this module."""
    if _CONSTRAINT.search(text) is None:
        return []
    return [sentence for sentence in sentences(text) if _CONSTRAINT.search(sentence)]


def corrects(text: str) -> bool:
    """Whether the text takes back or changes what was said or done just before."""
    return _CORRECTION.search(text[:400]) is not None


def gist(text: str, most: int, count: Callable[[Sequence[str]], Sequence[int]]) -> str:
    """The sentences of an answer that decide something or give reasons, as far as they fit ``most`` tokens; verbatim.

    Empty where it does neither.
    """
    if _DECISION.search(text) is None:
        return ""
    said = sentences(text)
    telling = [at for at, sentence in enumerate(said) if _DECISION.search(sentence) and len(sentence) > _TELLS]
    chosen: list[int] = []
    for at, tokens in zip(telling, count([said[at] for at in telling]), strict=True):
        if tokens + 1 <= most:
            most -= tokens + 1
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

    Lines stay as they are, ``…`` where some are left out; a single line that is too long is cut.

    Args:
        text: Of more than ``most`` tokens.
        most: Tokens.
        count: Counts texts.
        cited: Names that later work uses.
    """
    lines = text.splitlines()
    tokens = [n + 1 for n in count(lines)]
    chosen: set[int] = set()
    left = most

    def take(at: int) -> bool:
        nonlocal left
        if at not in chosen and lines[at].strip():
            if tokens[at] > left:
                return False
            left -= tokens[at]
            chosen.add(at)
        return True

    head = 0
    for at in range(len(lines)):
        head += tokens[at]
        if not take(at):
            return _cut(lines, at, left, chosen, count)
        if head >= min(HEAD, most):
            break
    for at in range(len(lines) - 1, max(-1, len(lines) - 4), -1):
        take(at)
    own = [at for at in range(len(lines)) if not _CODE.search(lines[at]) and lines[at].count(" ") >= 3]
    for at in reversed(own):
        take(at)
    for at, line in enumerate(lines):
        if cited and any(name in line for name in cited):
            take(at)
    return _joined(lines, chosen)


def _cut(
    lines: Sequence[str], at: int, left: int, chosen: set[int], count: Callable[[Sequence[str]], Sequence[int]]
) -> str:
    """What was chosen and the beginning of the line that does not fit."""
    low, high = 0, len(lines[at])
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count((lines[at][:middle],))[0] <= left else (low, middle - 1)
    begun = [*lines[:at], lines[at][:low].rstrip() + " …"]
    return _joined(begun, {*chosen, at})


def _joined(lines: Sequence[str], chosen: Collection[int]) -> str:
    out: list[str] = []
    before = -1
    for at in sorted(chosen):
        if at > before + 1 and any(line.strip() for line in lines[before + 1 : at]):
            out.append("…")
        out.append(lines[at])
        before = at
    return "\n".join(out)
