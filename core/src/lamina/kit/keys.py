"""The rules of keys and batches, for those who write a storage."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lamina.errors import CapabilityError
from lamina.protocols import Capability, Commit, Scan

KEY_BYTES = 1000
"""The longest key, in UTF-8 bytes."""


def check_key(key: str) -> None:
    """Refuse a key that no storage can hold; 0.3 µs.

    Raises:
        ValueError: It is empty, has U+0000 or a lone surrogate, or takes more than :data:`KEY_BYTES` in UTF-8.
    """
    if not key:
        raise ValueError("a key may not be empty")
    if "\0" in key:
        raise ValueError(f"a key may not contain U+0000: {key[:80]!r}")
    # Most keys are short ASCII: four bytes a character is the most that UTF-8 takes.
    if not key.isascii():
        check_text(key, "key")
        n_bytes = len(key.encode())
    else:
        n_bytes = len(key)
    if n_bytes > KEY_BYTES:
        raise ValueError(f"a key may take {KEY_BYTES} bytes in UTF-8, this one takes {n_bytes}: {key[:80]!r}…")


def check_text(text: str, what: str) -> None:
    """Refuse text with lone surrogates, which has no UTF-8 form.

    Raises:
        ValueError: It has one; ``what`` names the text in the message.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"a {what} may not contain a lone surrogate: {text[:80]!r}") from error


def check_keys(keys: Iterable[str]) -> None:
    """Refuse impossible keys among ``keys``; see :func:`check_key`."""
    for key in keys:
        check_key(key)


def check_commit(request: Commit, capabilities: frozenset[Capability], name: str) -> None:
    """Refuse a batch that no storage, or not this one, can write, before anything is written.

    Args:
        request: The batch.
        capabilities: What the storage declares.
        name: What the configuration calls it.

    Raises:
        ValueError: An impossible key, a key both put and deleted, or a lifetime that is not positive and finite.
        TypeError: A value that is not ``bytes``.
        CapabilityError: ``ttl_s`` or ``delete_prefixes``, which is not declared.
    """
    for key, value in request.puts.items():
        check_key(key)
        if not isinstance(value, bytes):
            raise TypeError(f"the value of {key!r} must be bytes, not {type(value).__name__}")
    if request.deletes:
        check_keys(request.deletes)
        both = request.deletes & request.puts.keys()
        if both:
            raise ValueError(f"both put and deleted: {', '.join(map(repr, sorted(both)))}")
    for key in request.expect:
        if key not in request.puts:
            check_key(key)
    if request.ttl_s is not None and not (request.ttl_s > 0 and math.isfinite(request.ttl_s)):
        raise ValueError(f"a lifetime must be positive and finite, in seconds: {request.ttl_s!r}")
    for prefix in request.delete_prefixes:
        check_text(prefix, "prefix")
    if request.ttl_s is not None and Capability.TTL not in capabilities:
        raise CapabilityError(Capability.TTL.value, name)
    if request.delete_prefixes and Capability.RANGE_DELETES not in capabilities:
        raise CapabilityError(Capability.RANGE_DELETES.value, name)


def check_scan(request: Scan) -> None:
    """Refuse a scan that cannot be done.

    ``prefix`` and ``after`` need not be possible keys: any text that has a UTF-8 form marks a place in the order.

    Raises:
        ValueError: A limit below 1, or a lone surrogate.
    """
    if request.limit < 1:
        raise ValueError(f"a scan's limit is at least 1, not {request.limit}")
    check_text(request.prefix, "prefix")
    if request.after is not None:
        check_text(request.after, "place to scan from")


def prefix_end(prefix: str) -> str | None:
    """The least text beyond every text that starts with ``prefix``, by code points; ``None`` if there is none.

    With it a scan of a prefix is a range: ``prefix <= key < prefix_end(prefix)``. Adding a high character instead,
    such as U+FFFF, would miss keys that go on with a higher one.
    """
    kept = prefix.rstrip("\U0010ffff")
    if not kept:
        return None
    last = ord(kept[-1])
    # U+D800 to U+DFFF are surrogates, which have no UTF-8 form.
    return kept[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)
