"""Cutting the middle out of a text, at places where it may be cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

Count = Callable[[Sequence[str]], Sequence[int]]

_JOINING = frozenset("\u200c\u200d\ufe0e\ufe0f\u20e3")


def _splits(text: str, at: int) -> bool:
    """Whether a cut at ``at`` would part what is read as one character (as far as ``unicodedata`` knows)."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if after < "\u0300":
        return (before == "\r" and after == "\n") or before == "\u200d"
    if before == "\u200d" or after in _JOINING or unicodedata.category(after)[0] == "M":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\udc00" <= after <= "\udfff":  # skin tones; second half of a pair
        return True
    flag = "\U0001f1e6", "\U0001f1ff"  # flags are two letters: an odd number of them before means inside of one
    if flag[0] <= after <= flag[1] and flag[0] <= before <= flag[1]:
        first = at
        while first > 0 and flag[0] <= text[first - 1] <= flag[1]:
            first -= 1
        return (at - first) % 2 == 1
    return False


def head_end(text: str, wanted: int) -> int:
    """Where a head of at most ``wanted`` characters ends: after a line, else after a word, else a character."""
    wanted = max(0, min(wanted, len(text)))
    line = text.rfind("\n", wanted * 2 // 3, wanted)
    if line >= 0:
        return line + 1
    word = text.rfind(" ", wanted * 9 // 10, wanted)
    at = word if word > 0 else wanted
    while _splits(text, at):
        at -= 1
    return at


def tail_start(text: str, wanted: int) -> int:
    """Where a tail of at most ``wanted`` characters begins: at a line's start, else a word's, else a character."""
    wanted = max(0, min(wanted, len(text)))
    earliest = len(text) - wanted
    line = text.find("\n", earliest, len(text) - wanted * 2 // 3)
    if line >= 0:
        return line + 1
    word = text.find(" ", earliest, len(text) - wanted * 9 // 10)
    at = word + 1 if word >= 0 else earliest
    while _splits(text, at):
        at += 1
    return at


def remark(page: int, tokens: int) -> str:
    """What stands where something was left out."""
    return f"[… {tokens:,} tokens of page {page} left out; expand {page} …]"


def cut(text: str, size: int, limit: int, head_share: float, page: int, count: Count) -> tuple[str, int]:
    """The text's head and tail with a remark between them, of at most ``limit`` tokens, and its tokens.

    At best 10 calls of the counter, on texts of about ``limit`` tokens; never on the whole text.

    Args:
        text: What is cut.
        size: Its tokens.
        limit: The tokens it may have; where not even the remark fits, the remark alone is given.
        head_share: The share of the kept characters that the head gets.
        page: The page that the text belongs to.
        count: The session's counter.
    """
    spare = sum(count(["\n" + remark(page, size) + "\n"]))
    room = max(0.0, len(text) / max(size, 1) * (limit - spare))
    for _ in range(10):
        if room < 8:
            break
        end = head_end(text, int(room * head_share))
        start = max(end, tail_start(text, int(room) - int(room * head_share)))
        head, tail = text[:end], text[start:]
        left = max(1, size - sum(count([head, tail])))
        joint = "" if not head or head.endswith("\n") else "\n"
        made = f"{head}{joint}{remark(page, left)}\n{tail}" if tail else f"{head}{joint}{remark(page, left)}"
        tokens = sum(count([made]))
        if tokens <= limit:
            return made, tokens
        # Tokens are not spread evenly: scale by what this cut cost, and a little more, so that few rounds do.
        room *= 0.97 * max(0.3, (limit - spare) / tokens)
    alone = remark(page, size)
    return alone, sum(count([alone]))
