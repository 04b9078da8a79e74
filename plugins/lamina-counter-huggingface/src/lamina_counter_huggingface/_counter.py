"""Counting by the library ``tokenizers``, on any text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lamina.errors import ConfigError, IntegrityError
from lamina.protocols import CounterInfo, CountRequest

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def read(path: Path) -> tuple[Tokenizer, str]:
    """The tokenizer in a file, and the file's sha256.

    Raises:
        ConfigError: The file is not there, or cannot be read.
        IntegrityError: It is no tokenizer, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            [f"file: {path} cannot be read ({error.strerror or error}); give the path of a tokenizer.json file"]
        ) from error
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:
        raise IntegrityError(f"{path} is no tokenizer.json file, or damaged: {error}") from error
    # What a file may ask for, and would change counts.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # Special tokens are taken for ordinary text.
    tokenizer.encode_special_tokens = True
    return tokenizer, hashlib.sha256(data).hexdigest()


class HuggingfaceCounter:
    """Counts by one tokenizer.

    Lone surrogates count as U+FFFD, which is what they are sent as; two that make a pair count as their character.
    """

    def __init__(self, tokenizer: Tokenizer, sha256: str, origin: str = "") -> None:
        self.info = CounterInfo(
            exact=True,
            bound=1.0,
            fingerprint=f"tokenizers {version('tokenizers')} {sha256[:16]}",
            message_tokens=4,
            call_tokens=4,
            origin=origin,
        )
        self._encode = tokenizer.encode

    def count(self, request: CountRequest) -> Sequence[int]:
        """One exact count per text; 1 for a text that the tokenizer drops altogether, such as white space.

        One after the other: the library's batch calls start threads, of which it warns in forked processes.
        """
        return [self._one(text) if text else 0 for text in request.texts]

    def _one(self, text: str) -> int:
        if not text.isascii():
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return max(1, len(self._encode(text, add_special_tokens=False)))
