"""Checking at opening that splintr counts as tiktoken does."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.errors import IntegrityError
from lamina.protocols import CountRequest

if TYPE_CHECKING:
    import splintr

    from lamina_counter_splintr._counter import SplintrCounter

PROBES = (
    ("hello world", 2, 2),
    ("The port server reads its configuration; it's done, isn't it? WE'LL SEE.", 20, 18),
    ("    def method(self, value: int) -> int:\n        return value * 3 + 1\n", 22, 22),
    ('{"id": 12345678, "tags": ["a", "ü", "好"], "price": 1.5e-07, "path": "/src/main.py"}', 39, 39),
    ("数据库连接失败，请检查端口。データベース 연결 실패", 19, 14),
    ("Ошибка: порт занят. Größenänderung déjà vu ǅ ſ K", 21, 16),
    ("👩\u200d👩\u200d👧\u200d👦🇩🇪👍🏽😀 e\u0301o\u0302\u0323", 39, 24),
    ("see <|endoftext|> and <|im_start|> here", 14, 16),
    (" " * 90 + "x", 3, 3),
    ("\t\n \r\n\r\n  \u3000\u2003\x85\x0b\x1c x", 11, 10),
    ("=" * 70 + "\n" + "a" * 300, 40, 41),
    ("\U000a0c39Ὺ⋺\u088f+WQჁ\U0004b93d\x04-ပ庫\U000b6630K-\u0a43Ͳ鰣\U0003a5e8", 45, 41),
    ("0123456789 ٠١² 0xDEADBEEF 2025-01-02T12:34:56Z", 30, 28),
)
"""Texts, and what tiktoken 0.14 counts in each, by cl100k_base and by o200k_base."""

VOCABULARIES = {
    "cl100k_base": (100_256, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"),
    "o200k_base": (199_998, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"),
}
"""Ordinary tokens of each encoding, and the sha256 that OpenAI publishes of the file that lists them."""

# Source: tiktoken 0.14, tiktoken_ext/openai_public.py (MIT). Copied, because what that module exports are functions
# that may download. Not splintr's own: they are what is checked.
PATTERNS = {
    "cl100k_base": (
        r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|"""
        r"""\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
    ),
    "o200k_base": "|".join(
        [
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        ]
    ),
}


def check(counter: SplintrCounter, tokenizer: splintr.AnyTokenizer, stamp: Path) -> None:
    """Refuse a splintr that counts otherwise than tiktoken.

    The recorded probes always (0.1 ms). Where tiktoken is installed, once for each pair of versions: the vocabulary's
    published sha256, and tiktoken itself on the probes and on a text of every tenth token.

    Args:
        counter: What is checked.
        tokenizer: The tokenizer that it counts by.
        stamp: A file with a line for each check that was passed; where it cannot be written, the check is made again.

    Raises:
        IntegrityError: Says what differs, and the versions.
    """
    recorded = [cl100k if counter.encoding == "cl100k_base" else o200k for _, cl100k, o200k in PROBES]
    _compare(counter, [text for text, _, _ in PROBES], recorded, "0.14 (recorded)")
    try:
        tiktoken = version("tiktoken")
    except PackageNotFoundError:
        return
    line = f"{counter.info.fingerprint} = tiktoken {tiktoken}"
    if line in _lines(stamp):
        return
    _cross(counter, tokenizer, tiktoken)
    try:
        with stamp.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError:
        pass  # a read-only home: slower openings, nothing else


def _lines(stamp: Path) -> list[str]:
    try:
        return stamp.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _compare(counter: SplintrCounter, texts: Sequence[str], expected: Sequence[int], by: str) -> None:
    for text, count, true in zip(texts, counter.count(CountRequest(texts=texts)), expected, strict=True):
        if count != true:
            raise IntegrityError(
                f"{counter.info.fingerprint} counts {count} tokens in {text[:40]!r} where tiktoken {by} counts {true};"
                " install another splintr-rs, or use the counter 'tiktoken'"
            )


def _cross(counter: SplintrCounter, tokenizer: splintr.AnyTokenizer, by: str) -> None:
    size, sha256 = VOCABULARIES[counter.encoding]
    tokens = list(map(tokenizer.decode_token_bytes, range(size)))
    listed = b"".join([b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens)])
    if hashlib.sha256(listed).hexdigest() != sha256:
        raise IntegrityError(
            f"{counter.info.fingerprint} has another vocabulary than the published {counter.encoding}"
            " (its sha256 differs); install another splintr-rs, or use the counter 'tiktoken'"
        )
    import tiktoken

    true = tiktoken.Encoding(
        counter.encoding,
        pat_str=PATTERNS[counter.encoding],
        mergeable_ranks={token: rank for rank, token in enumerate(tokens)},
        special_tokens={},
    )
    texts = [text for text, _, _ in PROBES]
    texts.append("".join(token.decode("utf-8", "ignore") for token in tokens[::10]))
    _compare(counter, texts, [len(true.encode_ordinary(text)) for text in texts], by)
