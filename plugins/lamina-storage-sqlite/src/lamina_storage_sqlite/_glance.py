"""Reads at once, for whoever cannot wait: a connection of their own, from any thread."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from lamina.errors import IntegrityError
from lamina.protocols import Record
from lamina_storage_sqlite import _careful, _file, _rows


class Glance:
    """A connection that only reads, opened when it is first used.

    Args:
        path: The file.
        space: The namespace.
        timeout_s: How long a read waits for a lock. In WAL mode it waits for none, but while the file is recovered.
    """

    def __init__(self, path: Path, space: _rows.Space, timeout_s: float) -> None:
        self._path, self._space, self._timeout_s = path, space, timeout_s
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def read(self, keys: Sequence[str]) -> Sequence[Record | None]:
        """The records of the keys; those that are damaged say so."""
        try:
            with self._lock:
                if self._connection is None:
                    self._connection = _file.open_reader(self._path, self._timeout_s)
                try:
                    return _rows.read(self._connection, self._space, keys)
                except (_rows.DamageError, IntegrityError):
                    return _careful.read(self._connection, space=self._space, keys=keys, path=self._path)
        except sqlite3.Error as error:
            raise _file.translated(error, self._path, self._timeout_s) from error

    def close(self) -> None:
        """Close the connection, if it was opened."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
