"""How many pages a PDF has: for counting it as providers charge for it, by pages and not by its bytes."""

from __future__ import annotations

import base64
import binascii
import re
import zlib

_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")
_PACKED = re.compile(rb"/ObjStm\b.{0,400}?stream\r?\n", re.DOTALL)
_MOST_BYTES = 1 << 24
"""So much of a packed stream is looked at."""
_PAGE_BYTES = 50_000
"""Where no page can be found, a page for each so many bytes: what scanned and written ones come to on average."""


def pages(data: str) -> int:
    """How many pages the PDF of this base64 has; at least one.

    Its page objects are counted, in packed streams too. Of an encrypted or damaged one, the size tells.
    """
    try:
        raw = base64.b64decode(data)
    except (binascii.Error, ValueError):
        return max(1, len(data) * 3 // 4 // _PAGE_BYTES)
    found = len(_PAGE.findall(raw))
    for stream in _PACKED.finditer(raw):
        try:
            found += len(_PAGE.findall(zlib.decompressobj().decompress(raw[stream.end() :], _MOST_BYTES)))
        except zlib.error:
            continue
    return found or max(1, len(raw) // _PAGE_BYTES)
