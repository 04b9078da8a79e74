"""A file to which lines are only added, each whole or not there at all."""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from lamina.errors import IntegrityError, StorageError

_CHECK = b',"crc":'
"""What stands between a line's members and its checksum."""


def line_of(entry: dict[str, Any]) -> bytes:
    """The entry as a line: its JSON, the checksum of that as the last member, and a line feed."""
    body = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode().removesuffix(b"}")
    return b"%s%s%d}\n" % (body, _CHECK, zlib.crc32(body))


def entry_of(line: bytes) -> dict[str, Any]:
    """The entry of a line, without its checksum.

    Raises:
        ValueError: It is not what :func:`line_of` made.
    """
    body, check, crc = line.rpartition(_CHECK)
    if not check or crc != b"%d}\n" % zlib.crc32(body):
        raise ValueError("its checksum is wrong")
    entry: dict[str, Any] = json.loads(body + b"}")
    return entry


class Journal:
    """The lines of one file, which this process alone has open.

    Args:
        path: The file; beside it lies a lock, ``.lock``, and while it is rewritten a new one, ``.new``.
        fsync: Whether every change waits for the disk.

    Raises:
        StorageError: Another process has it open, or this one has.
    """

    def __init__(self, path: Path, *, fsync: bool) -> None:
        self.path, self._fsync = path, fsync
        self.size = 0
        """Its bytes."""
        self._file: IO[bytes] | None = None
        # Not the journal itself is locked: rewriting puts another file in its place.
        self._lock = path.with_suffix(".lock").open("ab")
        try:
            _lock(self._lock)
        except OSError as error:
            self._lock.close()
            raise StorageError(
                f"{path} is in use: acme-json serves one process at a time; end the other one, or choose a storage "
                "that is shared (sqlite)"
            ) from error

    def read(self) -> Iterator[dict[str, Any]]:
        """The entries in order; none where there is no file yet.

        A last line without a line feed was never finished, so nobody was told that it is written: it is dropped.

        Raises:
            IntegrityError: Another line is damaged; says which.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                try:
                    entry = entry_of(line)
                except ValueError as error:
                    raise IntegrityError(f"{self.path}:{number}: damaged ({error}); restore a copy") from error
                self.size += len(line)
                yield entry
        os.truncate(self.path, self.size)

    def append(self, entry: dict[str, Any]) -> None:
        """Add one line.

        Raises:
            OSError: It could not be written; then nothing of it is there.
        """
        if self._file is None:
            self._file = open(self.path, "ab", buffering=0, opener=_private)  # noqa: SIM115 - it stays open
        line = line_of(entry)
        try:
            _write(self._file, line, fsync=self._fsync)
        except OSError:
            # Half a line must not stay: the next one would be added to it, and both be lost.
            self._file.truncate(self.size)
            raise
        self.size += len(line)

    def rewrite(self, entries: Iterable[dict[str, Any]]) -> None:
        """Put a file of these entries in the place of this one, at once.

        Raises:
            OSError: It could not be written; then the old one stands.
        """
        new = self.path.with_suffix(".new")
        size = 0
        with open(new, "wb", opener=_private) as file:
            for entry in entries:
                size += file.write(line_of(entry))
            # Before the file takes its place. The reverse leaves an empty one after a power failure.
            file.flush()
            os.fsync(file.fileno())
        self._release()
        new.replace(self.path)
        self.size = size

    def close(self) -> None:
        """Close the file and give the lock back."""
        self._release()
        self._lock.close()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _write(file: IO[bytes], data: bytes, *, fsync: bool) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]
    if fsync:
        os.fsync(file.fileno())


def _private(path: str, flags: int) -> int:
    """Opens a file that only its owner may read: sessions hold what nobody else should see."""
    return os.open(path, flags, 0o600)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
