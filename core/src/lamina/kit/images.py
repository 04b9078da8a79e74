"""How large images are and of which kind, by their first bytes: for counters that charge by size, and for formats."""

from __future__ import annotations

import base64
import binascii
import struct
from functools import lru_cache

from attrs import evolve

from lamina.model import Image

_HEAD = 1 << 19
"""Bytes that are looked at: a JPEG's size stands after its metadata, of which 512 KiB are more than cameras write."""
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the segments that give a JPEG's size (start of frame)."""


def size(image: Image) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP; nothing is decoded but the header.

    Returns:
        ``None`` where the image is a link, of another kind, or damaged.
    """
    data = image.data
    if image.media_type == "url":
        head, mark, data = data.partition(";base64,")
        if not mark or not head.startswith("data:"):
            return None
    return _measured(data)


@lru_cache(maxsize=256)
def _measured(data: str) -> tuple[int, int] | None:
    try:
        head_bytes = _first_bytes(data)
        found = _size(head_bytes)
    except (binascii.Error, ValueError, struct.error, IndexError):
        return None
    return found if found and min(found) > 0 else None


def mended(image: Image) -> Image:
    """The image as providers want it spelt, where that is sure; else as it is.

    A data URL becomes its data; a media type is in lower case, without parameters, ``image/jpg`` is ``image/jpeg``,
    and where the first bytes tell another one, that stands. Base64 has no line ends.
    """
    media_type, data = image.media_type, image.data
    if media_type == "url":
        head, mark, inner = data.partition(",")
        if not (mark and head[:5].lower() == "data:" and head.lower().endswith(";base64")):
            return image
        media_type, data = head[5:-7], inner
    kind, data = _mended(media_type, data)
    same = (kind, data) == (image.media_type, image.data)
    return image if same else evolve(image, media_type=kind, data=data)


@lru_cache(maxsize=64)
def _mended(media_type: str, data: str) -> tuple[str, str]:
    kind = media_type.partition(";")[0].strip().lower()
    kind = "image/jpeg" if kind in ("image/jpg", "image/pjpeg") else kind
    data = "".join(data.split())
    try:
        head = base64.b64decode(data[:64])
    except (binascii.Error, ValueError):
        return kind, data
    return _kind(head) or kind, data


def _kind(head: bytes) -> str | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


@lru_cache(maxsize=64)
def readable(data: str) -> bool:
    """Whether this is the base64 of something."""
    try:
        return bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False


def _first_bytes(data: str) -> bytes:
    text = "".join(data[: _HEAD * 4 // 3 + 4].split())
    return base64.b64decode(text[: len(text) // 4 * 4])


def _size(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return struct.unpack_from(">II", data, 16)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return struct.unpack_from("<HH", data, 6)
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        # Markers without a length: restarts and TEM.
        at += 2 if marker == 0x01 or 0xD0 <= marker <= 0xD7 else 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L" and len(data) >= 25 and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None
