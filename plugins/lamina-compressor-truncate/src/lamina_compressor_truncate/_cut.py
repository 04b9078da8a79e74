"""Cutting the middle out of a text, at places where it may be cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

Count = Callable[[Sequence[str]], Sequence[int]]

_JOINING = frozenset("\u200c\u200d\ufe0e\ufe0f\u20e3\u0e33\u0eb3\uff9e\uff9f")
"""Characters that belong to the one before them and are no marks by their category."""
_LEADING = frozenset(
    "\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2"
    "\U000111c3\U0001193f\U00011941\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88\U00011a89\U00011d46"
)
"""Characters that belong to the one behind them."""


def _splits(text: str, at: int) -> bool:
    """Whether a cut at ``at`` would part what is read as one character (as far as ``unicodedata`` knows)."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if after < "\u0300":
        return (before == "\r" and after == "\n") or before in _LEADING
    if before in _LEADING or after in _JOINING or unicodedata.category(after)[0] == "M":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\udc00" <= after <= "\udfff":  # skin tones; second half of a pair
        return True
    if "\U000e0020" <= after <= "\U000e007f":  # the tags that spell the flags of regions
        return True
    if _is_one_syllable(before, after):
        return True
    flag = "\U0001f1e6", "\U0001f1ff"  # flags are two letters: an odd number of them before means inside of one
    if flag[0] <= after <= flag[1] and flag[0] <= before <= flag[1]:
        first = at
        while first > 0 and flag[0] <= text[first - 1] <= flag[1]:
            first -= 1
        return (at - first) % 2 == 1
    return False


def _is_one_syllable(before: str, after: str) -> bool:
    """Whether they may be of one syllable: a consonant behind an Indic virama, or Hangul that is spelt out."""
    if unicodedata.combining(before) == 9:
        return True
    if "\u1160" <= after <= "\u11ff" or "\ud7b0" <= after <= "\ud7fb":  # a vowel or a final
        return "\u1100" <= before <= "\u11ff" or "\ua960" <= before <= "\ud7fb"
    if "\u1100" <= before <= "\u115f" or "\ua960" <= before <= "\ua97c":  # an initial
        return "\u1100" <= after <= "\u115f" or "\ua960" <= after <= "\ua97c" or "\uac00" <= after <= "\ud7a3"
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
