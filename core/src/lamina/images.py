"""How large images are, by their first bytes: for counters whose provider charges by size."""

from __future__ import annotations

import base64
import binascii
import struct

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
    try:
        head_bytes = _first_bytes(data)
        found = _size(head_bytes)
    except (binascii.Error, ValueError, struct.error, IndexError):
        return None
    return found if found and min(found) > 0 else None


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
