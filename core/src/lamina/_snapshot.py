"""Snapshots of what a log says, so that a session opens without its log being read.

A snapshot is a chain of pieces, each of which says what some thousand records changed; no piece is ever written again,
so they cost each record the same. They hold numbers and no texts: pages are read from the log when they are needed. They
are derived: one that is missing, damaged, of another release or counter, or ahead of its log is left alone, and made anew.

Keys: ``snp/SESSION/NEXT``, where ``NEXT`` is the sequence number of the first record that the piece does not know of.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from attrs import frozen

from lamina._fold import Fold
from lamina._indexes import missed
from lamina._log import segment
from lamina.errors import ConflictError
from lamina.protocols import Commit, Scan, Storage

SCHEMA = 1
EVERY = 1000
"""Records per piece. One takes a millisecond to write; opening a session reads at most so many records of the log."""
_BATCH = 100

_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.decode


@frozen
class Piece:
    """What the records from one sequence number to another changed."""

    base: int
    """Sequence number of the first record that it knows of: the one before ends there."""
    next: int
    said: Mapping[str, Any]

    def pack(self) -> bytes:
        """The record's bytes."""
        said = _encode(self.said)
        return _encode([SCHEMA, sys.byteorder, zlib.crc32(said), self.base, self.next, said])

    @classmethod
    def unpack(cls, data: bytes) -> Piece | None:
        """The piece of these bytes; ``None`` where they are damaged, or of another release or machine."""
        try:
            schema, order, crc, base, next, said = _decode(data)
            if (schema, order, crc) != (SCHEMA, sys.byteorder, zlib.crc32(said)):
                return None
            return cls(base, next, _decode(said))
        except (msgspec.DecodeError, ValueError, TypeError):
            return None


class Snapshots:
    """The snapshot of one session.

    Args:
        storage: Where it is kept.
        session: Whose it is.
    """

    def __init__(self, storage: Storage, session: str) -> None:
        self._storage, self._prefix = storage, f"snp/{segment(session)}/"
        self._useless: set[str] = set()
        """Keys of pieces that belong to no snapshot any more; the next one takes them away."""

    async def read(self) -> list[Piece]:
        """The pieces of the newest snapshot, oldest first; empty where there is none."""
        found: dict[int, Piece] = {}
        after: str | None = None
        while True:
            batch = await self._storage.scan(Scan(prefix=self._prefix, after=after, limit=_BATCH))
            for record in batch:
                piece = Piece.unpack(record.value)
                if piece is None or self._key(piece.next) != record.key:
                    self._useless.add(record.key)
                else:
                    found[piece.next] = piece
            if len(batch) < _BATCH:
                break
            after = batch[-1].key
        return next((chain for end in sorted(found, reverse=True) if (chain := _chain(found, end))), [])

    def drop(self, pieces: Sequence[Piece]) -> None:
        """These count no more."""
        self._useless.update(self._key(piece.next) for piece in pieces)

    async def write(self, fold: Fold, check: bytes) -> None:
        """Write what changed since the last piece; where that fails, it is left to the next time.

        Args:
            fold: What the log says.
            check: Tells the newest record in it from another one of that number.
        """
        key = self._key(fold.next)
        request = Commit(
            puts={key: piece_of(fold, check).pack()}, deletes=frozenset(self._useless - {key}), expect={key: None}
        )
        try:
            await self._storage.commit(request)
        except ConflictError:
            pass  # another process was as far; its piece and ours may follow different ones
        except Exception as error:  # noqa: BLE001 - derived: what was asked for is done
            missed("a snapshot could not be written", error)
        else:
            self._useless.clear()
            fold.marked()

    def _key(self, next: int) -> str:
        return f"{self._prefix}{next:012d}"


def _chain(found: Mapping[int, Piece], end: int) -> list[Piece]:
    """The pieces up to the one that ends there; empty where one is missing."""
    chain: list[Piece] = []
    while end:
        piece = found.get(end)
        if piece is None or not 0 <= piece.base < end:
            return []
        chain.append(piece)
        end = piece.base
    return chain[::-1]


_SCALARS = (
    "next_source",
    "rollbacks",
    "messages",
    "state",
    "format",
    "source",
    "created_s",
    "updated_s",
    "pinned_since",
)


def piece_of(fold: Fold, check: bytes) -> Piece:
    """What changed since the fold was last marked."""
    mark, pages, trail = fold.mark, fold.pages, fold.trail
    n = mark.pages
    tokens = array("q", (pages.sums[at + 1] - pages.sums[at] for at in range(n, len(pages.ids))))
    said: dict[str, Any] = {
        "check": check,
        "counter": fold.counter,
        "scalars": [getattr(fold, name) for name in _SCALARS],
        "next_id": pages.next_id,
        "must": pages.must,
        "pinned": list(pages.pinned),
        "faulted": list(fold.faults.items()),
        "checkpoints": list(fold.checkpoints.items()),
        "layouts": fold.layouts,
        "owners": trail.owners,
        "recorded": fold.recorded,
        "ids": pages.ids[n:].tobytes(),
        "tokens": tokens.tobytes(),
        "last": trail.last[n:].tobytes(),
        "changed": [(at, pages.sums[at + 1] - pages.sums[at], trail.last[at]) for at in sorted(fold.touched)],
        "asked": pages.asked[mark.asked :].tobytes(),
        "digests": bytes(fold.digests[mark.digests :]),
        "calls": pages.calls.changes(),
        **{name: getattr(trail, name)[mark.said :].tobytes() for name in ("seqs", "pages", "before", "sources")},
    }
    return Piece(mark.next, fold.next, said)


def restore(fold: Fold, chain: Sequence[Piece]) -> None:
    """Let a new fold say what the snapshot does; its layout is still to be restored from :attr:`Fold.layouts`.

    Args:
        fold: One that has taken nothing in.
        chain: All pieces, oldest first, at least one.
    """
    pages, trail = fold.pages, fold.trail
    tokens = array("q")
    for piece in chain:
        said = piece.said
        pages.ids.frombytes(said["ids"])
        pages.asked.frombytes(said["asked"])
        tokens.frombytes(said["tokens"])
        fold.digests += said["digests"]
        for name in ("seqs", "pages", "before", "sources", "last"):
            getattr(trail, name).frombytes(said[name])
        for at, its_tokens, last in said["changed"]:
            tokens[at], trail.last[at] = its_tokens, last
        pages.calls.restore(said["calls"])
    newest = chain[-1].said
    for name, value in zip(_SCALARS, newest["scalars"], strict=True):
        setattr(fold, name, value)
    pages.next_id, pages.must, pages.pinned = newest["next_id"], newest["must"], set(newest["pinned"])
    fold.count_faults(dict(newest["faulted"]))
    fold.checkpoints = dict(newest["checkpoints"])
    fold.layouts = [(owner, seq) for owner, seq in newest["layouts"]]
    trail.owners = [(seq, owner) for seq, owner in newest["owners"]]
    recorded = newest["recorded"]
    fold.recorded = None if recorded is None else (recorded[0], recorded[1])
    fold.next = chain[-1].next
    pages.sums = array("q", accumulate(tokens, initial=0))
    pages.all.extend(len(tokens))
    fold.marked()
