"""Vectors that were asked for before: in memory, and in a storage where one is configured."""

from __future__ import annotations

import sys
from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from lamina.protocols import Commit, Get, Storage

Vector: TypeAlias = "array[float]"

SCHEMA = 1
"""The first byte of what is stored; what follows are 32-bit floats, the least significant byte first."""


class Cache:
    """Vectors by a key that names model and text.

    Args:
        most: So many are kept in memory; the least recently used go first.
        storage: Keeps them for later runs. One that fails is named in the log, once, and done without.
        logger: Told of that.
    """

    def __init__(self, most: int, storage: Storage | None, logger: Any) -> None:
        self._most, self._storage, self._logger = most, storage, logger
        self._known: OrderedDict[str, Vector] = OrderedDict()
        self._told = False

    async def get(self, keys: Sequence[str], dimensions: int) -> dict[str, Vector]:
        """Those that are known."""
        found = {key: self._known[key] for key in keys if key in self._known}
        for key in found:
            self._known.move_to_end(key)
        missing = [key for key in keys if key not in found]
        if self._storage is not None and missing:
            try:
                records = await self._storage.get(Get(keys=missing))
            except Exception as error:  # noqa: BLE001 - the plugin boundary: without a cache there are still vectors
                self._complain(error)
                records = []
            for key, record in zip(missing, records, strict=False):
                vector = _unpacked(record.value, dimensions) if record is not None else None
                if vector is not None:
                    found[key] = vector
                    self._keep(key, vector)
        return found

    async def put(self, vectors: Mapping[str, Vector]) -> None:
        """Keep vectors."""
        for key, vector in vectors.items():
            self._keep(key, vector)
        if self._storage is None or not vectors:
            return
        try:
            await self._storage.commit(Commit(puts={key: _packed(vector) for key, vector in vectors.items()}))
        except Exception as error:  # noqa: BLE001 - the plugin boundary
            self._complain(error)

    def _keep(self, key: str, vector: Vector) -> None:
        self._known[key] = vector
        self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)

    def _complain(self, error: Exception) -> None:
        if not self._told:
            self._told = True
            self._logger.warning("the storage of vectors fails", error=f"{type(error).__name__}: {error}")


def _packed(vector: Vector) -> bytes:
    return bytes([SCHEMA]) + _little(vector).tobytes()


def _unpacked(data: bytes, dimensions: int) -> Vector | None:
    """The vector, or ``None`` where it is of another kind."""
    if len(data) != 1 + 4 * dimensions or data[0] != SCHEMA:
        return None
    vector = array("f")
    vector.frombytes(data[1:])
    return _little(vector)


def _little(vector: Vector) -> Vector:
    """The vector, its bytes in the order of files."""
    if sys.byteorder == "little":
        return vector
    swapped = vector[:]
    swapped.byteswap()
    return swapped
