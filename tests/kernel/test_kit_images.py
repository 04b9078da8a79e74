"""Sizes of images, read from files that were made by hand."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.images import size
from lamina.model import Image

sides = st.integers(1, 16_383)


def png(w, h):
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", w, h, 8, 2, 0, 0, 0)


def gif(w, h):
    return b"GIF89a" + struct.pack("<HH", w, h) + b"\x80\0\0"


def jpeg(w, h, metadata=b"Exif\0\0" + bytes(3000)):
    frame = struct.pack(">BHHB", 8, h, w, 3) + bytes(9)
    return (
        b"\xff\xd8\xff\xe1" + struct.pack(">H", len(metadata) + 2) + metadata
        + b"\xff\xff\xc4" + struct.pack(">H", 4) + b"\0\0"
        + b"\xff\xc2" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda"
    )  # fmt: skip


def webp(w, h):
    return b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0" + b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", w, h)


def webp_lossless(w, h):
    return b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", (w - 1) | (h - 1) << 14) + b"\0"


def webp_extended(w, h):
    return b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (w - 1).to_bytes(3, "little") + (h - 1).to_bytes(3, "little")


KINDS = [png, gif, jpeg, webp, webp_lossless, webp_extended]


def image(data, kind="image/png"):
    return Image(kind, base64.b64encode(data).decode())


@pytest.mark.parametrize("make", KINDS)
@given(w=sides, h=sides)
def test_the_size_of_a_file_is_read(make, w, h):
    assert size(image(make(w, h) + b"the pixels, which are not looked at")) == (w, h)


def test_the_size_in_a_data_url_is_read():
    url = "data:image/gif;base64," + base64.b64encode(gif(320, 200)).decode()
    assert size(Image("url", url)) == (320, 200)


def test_base64_with_line_ends_is_read():
    assert size(Image("image/jpeg", base64.encodebytes(jpeg(640, 480)).decode())) == (640, 480)


def test_a_link_has_no_size():
    assert size(Image("url", "https://example.org/a.png")) is None


@pytest.mark.parametrize("make", KINDS)
def test_an_image_of_no_extent_has_no_size(make):
    if make in (png, gif, jpeg, webp):
        assert size(image(make(0, 7))) is None


@given(st.sampled_from(KINDS), st.integers(0, 60))
def test_a_cut_file_has_its_size_or_none(make, n):
    assert size(image(make(100, 50)[:n])) in (None, (100, 50))


@given(st.binary(max_size=64))
def test_what_is_no_image_has_no_size_and_raises_nothing(data):
    assert size(image(b"BM" + data)) is None


@given(st.text(max_size=40))
def test_what_is_no_base64_raises_nothing(text):
    size(Image("image/png", text))


@given(st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFFxxxxWEBPVP8L", b"GIF89a"]), st.binary(max_size=80))
def test_damaged_files_raise_nothing(start, rest):
    size(image(start + rest))
