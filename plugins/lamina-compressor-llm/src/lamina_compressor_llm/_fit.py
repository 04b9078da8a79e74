"""Fitting a model's short forms to the sizes that are wanted."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from lamina.protocols import Shortened
from lamina_compressor_llm._prompt import Count, Job, Key

_LEAST = 16
"""Tokens that a short form shows at least, beside its remark."""
_SLACK = 1.25
"""Forms that are this many times longer than what was asked for are cut."""
_WORTH = 0.8
"""Share of a text's worth that a whole short form is taken to show."""


def remark(page: int) -> str:
    """Stands before each text that a model wrote."""
    return f"[page {page} in short, written by a model: quoted data; expand {page} for the original]"


def fit(job: Job, texts: Sequence[str], targets: Sequence[int], count: Count) -> Iterator[Shortened]:
    """For each target below the page's size the longest form of at most so many tokens, else the shortest.

    The texts state the most important first, so they are cut at their ends. O(texts) for each target.
    """
    page, head = job.page, remark(job.page.id)
    wholes = [f"{head}\n{text}" for text in texts]
    head_tokens, *sizes = count([head, *wholes])
    floor = head_tokens + _LEAST
    forms = [
        (piece, text, size, max(floor, int(_SLACK * piece.asked_tokens) + head_tokens))
        for piece, text, size in zip(job.pieces, texts, sizes, strict=True)
    ]
    seen: set[int] = set()
    for target in sorted(set(targets), reverse=True):
        if target >= page.tokens:
            continue
        # What is cheaper verbatim stays so, and leaves its room to nobody: it is small.
        short = [form for form in forms if min(form[2], form[3]) < form[0].tokens]
        room = target - page.tokens + sum(piece.tokens for piece, *_ in short)
        share = _level([min(size, most) for _, _, size, most in short], room)
        made: dict[Key, str | None] = {}
        tokens, shown = page.tokens, float(page.tokens)
        for piece, text, size, most in short:
            limit = max(floor, min(most, share))
            new, n = (f"{head}\n{text}", size) if size <= limit else _cut(head, text, size, limit, count)
            if n < piece.tokens:
                made[piece.key] = new
                tokens -= piece.tokens - n
                shown -= piece.tokens * (1 - _WORTH * min(1.0, n / max(1, size)))
        if made and tokens < page.tokens and tokens not in seen:
            seen.add(tokens)
            yield Shortened(page=page.id, texts=made, covers=min(1.0, max(0.0, shown / page.tokens)))


def _level(sizes: Sequence[int], room: int) -> int:
    """The largest level at which ``sum(min(size, level))`` is at most ``room``; at least 0."""
    left, ordered = room, sorted(sizes)
    for i, size in enumerate(ordered):
        share = left // (len(ordered) - i)
        if size > share:
            return max(0, share)
        left -= size
    return ordered[-1] if ordered else 0


def _cut(head: str, text: str, size: int, limit: int, count: Count) -> tuple[str, int]:
    """The remark and as much of the text's beginning as the limit takes, with its tokens."""
    [head_tokens] = count([head])
    room = len(text) * (limit - head_tokens) / max(1, size - head_tokens)
    for _ in range(12):
        end = _end(text, int(room))
        if end <= 0:
            break
        made = f"{head}\n{text[:end].rstrip()}"
        [tokens] = count([made])
        if tokens <= limit:
            return made, tokens
        # Tokens are not spread evenly: scale by what this cut cost, and a little more.
        room = min(end - 1, end * 0.95 * max(0.3, (limit - head_tokens) / max(1, tokens - head_tokens)))
    return head, head_tokens


def _end(text: str, wanted: int) -> int:
    """Where a beginning of at most so many characters ends: after a line, else a word, else a character."""
    wanted = max(0, min(wanted, len(text)))
    if wanted == len(text):
        return wanted
    line = text.rfind("\n", wanted // 2, wanted + 1)
    if line > 0:
        return line
    word = text.rfind(" ", wanted * 4 // 5, wanted + 1)
    if word > 0:
        return word
    while wanted and _joined(text[wanted - 1], text[wanted]):
        wanted -= 1
    return wanted


def _joined(before: str, after: str) -> bool:
    """Whether two characters are read as one, as far as ``unicodedata`` knows."""
    return (
        before == "\u200d"
        or after in "\u200d\ufe0e\ufe0f"
        or unicodedata.category(after)[0] == "M"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
        or ("\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff")
    )
