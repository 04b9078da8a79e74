"""How keys and values stand in diskcache's table: text and bytes, never a pickle."""

from __future__ import annotations

import sqlite3
from typing import Any, NoReturn

import diskcache
from diskcache.core import MODE_RAW, UNKNOWN

from lamina.errors import IntegrityError


class SafeDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Raw ``str`` keys and ``bytes`` values, both in the database; anything else is refused before it is read.

    diskcache unpickles whatever a row says is a pickle, so who can write to its folder runs code in whoever reads
    it (CVE-2025-69872); its JSONDisk does so, too. Here no mode leads to a pickle.

    Values never go to files, however large. diskcache removes the old file of a replaced value at once, also inside
    a transaction that is rolled back afterwards or killed before its commit: the old value would be lost. So a row
    that points at a file is not ours, wherever it points.
    """

    def hash(self, key: str) -> NoReturn:
        """Not used: it is for a cache in several shards."""
        raise NotImplementedError

    def put(self, key: str) -> tuple[str, bool]:
        """The key as it stands in the table."""
        if type(key) is not str:
            raise TypeError(f"a key must be str, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        """The key that a row has."""
        if not raw or type(key) is not str:
            raise IntegrityError(f"a key in {self._directory} is not text but {type(key).__name__}: not ours, refused")
        return key

    def store(self, value: bytes, read: bool, key: Any = UNKNOWN) -> tuple[int, int, None, sqlite3.Binary]:
        """The value as it stands in the table: (size in files, mode, file name, value)."""
        if read or type(value) is not bytes:
            raise TypeError(f"a value must be bytes, not {type(value).__name__}")
        return 0, MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> bytes:
        """The value that a row has.

        Raises:
            IntegrityError: It is anything but bytes in the row itself; nothing was read or run.
        """
        if mode != MODE_RAW or filename is not None or read or not isinstance(value, bytes):
            where = "" if filename is None else f" in file {filename!r}"
            raise IntegrityError(
                f"a record in {self._directory} has mode {mode!r}{where}, which this storage never writes; it was "
                "refused unread: someone else writes to this folder"
            )
        return value

    def remove(self, file_path: str) -> None:
        """Remove nothing: no row of ours has a file, and that of another's may be any file."""
