"""SQLite files that must not lose anything in silence, for parts that keep one.

What SQLite does not do by itself: read on behind a damaged page, tell of commits that a damaged write-ahead log cuts off,
and make a file that has its name only once it is whole.

Source:
    https://www.sqlite.org/fileformat2.html#the_write_ahead_log and https://www.sqlite.org/walformat.html
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lamina.errors import IntegrityError

_BATCH = 500
_HEADER_BYTES = 32
_FRAME_BYTES = 24
_FRAME = struct.Struct(">II8s")
"""Page number, size of the database after a commit (else 0), salts."""
_INDEX = struct.Struct("<IIIBBHIIQ8s" if sys.byteorder == "little" else ">IIIBBHIIQ8s")
"""The head of the -shm file: version, -, change, is init, -, page size, last valid frame, pages, checksum, salts."""
_COPIES = 100
"""Copies of damaged logs that are kept, at most."""


def lost_commits(path: Path) -> int:
    """How many commits stand in the log of a database behind what SQLite reads of it; 24 bytes a frame are read.

    Call it after a first read of the database, by which SQLite has looked through the log.
    """
    wal, shm = side_file(path, "-wal"), side_file(path, "-shm")
    try:
        for _ in range(3):
            before = _index(shm)
            found = _commits_behind(wal, *before, _page_size(path)) if before else 0
            # Others may write meanwhile; then what was counted is theirs, and not lost.
            if not found or _index(shm) == before:
                return found
    except OSError:
        return 0
    return 0


def keep_damaged(path: Path) -> Path | None:
    """Copy the log, which SQLite will overwrite; where it stands now, ``None`` if it could not be copied."""
    wal = side_file(path, "-wal")
    for number in range(1, _COPIES):
        kept = side_file(path, f"-wal.damaged-{number}")
        try:
            with (
                os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out,
                wal.open("rb") as log,
            ):
                shutil.copyfileobj(log, out)
        except FileExistsError:
            continue
        except OSError:
            return None
        return kept
    return None


def kept_logs(path: Path) -> list[Path]:
    """The damaged logs that stand beside a database."""
    return sorted(path.parent.glob(f"{path.name}-wal.damaged-*"))


def side_file(path: Path, ending: str) -> Path:
    """A file beside the database, by what is added to its name."""
    return path.with_name(path.name + ending)


def _index(shm: Path) -> tuple[int, bytes] | None:
    """(last valid frame, salts), as all connections share it."""
    with shm.open("rb") as file:
        head = file.read(_INDEX.size)
    if len(head) < _INDEX.size:
        return None
    _, _, _, is_init, _, _, last, _, _, salts = _INDEX.unpack(head)
    return (last, salts) if is_init else None


def _page_size(path: Path) -> int:
    with path.open("rb") as file:
        said = int.from_bytes(file.read(18)[16:], "big")
    return 65536 if said == 1 else said or 4096


def _commits_behind(wal: Path, last: int, salts: bytes, page_size: int) -> int:
    found, step = 0, _FRAME_BYTES + page_size
    with wal.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        if not _is_header(header):
            # SQLite takes such a log for none at all; its frames say whose they are.
            last, salts = 0, file.read(_FRAME.size)[8:]
        elif header[16:24] != salts:
            return 0  # a log that begins anew has other salts until its first frame is written
        # A frame that is not whole is the end of a write that was never acknowledged.
        for place in range(_HEADER_BYTES + last * step, os.fstat(file.fileno()).st_size - step + 1, step):
            file.seek(place)
            _, committed, salt = _FRAME.unpack(file.read(_FRAME.size))
            if salt == salts and committed:
                found += 1
    return found


def _is_header(header: bytes) -> bool:
    """Whether a log's head is whole, by its checksum."""
    magic = int.from_bytes(header[:4], "big")
    if len(header) < _HEADER_BYTES or magic & ~1 != 0x377F0682:
        return False
    one = two = 0
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return header[24:] == struct.pack(">II", one, two)


# ---------------------------------------------------------------------------------------------------------- errors


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite met a page or a text that cannot be."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "Could not decode" in str(error)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds the lock."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_unwritable(error: Exception) -> bool:
    """Whether what failed was the writing: a folder, a file, a file system or a disk that takes nothing more."""
    if isinstance(error, OSError):
        return True
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PERM,
    )


# ----------------------------------------------------------------------------------------------------------- files


def new_file(path: Path) -> Path:
    """An empty file beside ``path`` that only its owner may read; SQLite gives its side files the same mode."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    return Path(name)


def give_name(made: Path, path: Path) -> None:
    """Give a whole file its name.

    Raises:
        FileExistsError: There is one of that name.
    """
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without links. Another process may come between.
        if path.exists():
            raise FileExistsError(path) from None
        made.rename(path)


def check_size(path: Path) -> None:
    """Refuse a file that is too short to be a database: one that was made by :func:`give_name` never is.

    Raises:
        IntegrityError: It was cut off.
    """
    size = path.stat().st_size
    if path.is_file() and size < 512:
        raise IntegrityError(
            f"{path} has {size} bytes, which is no database: it was cut off, or something else made it; restore a "
            "backup, or delete it to begin with an empty one"
        )


def check_missing(path: Path) -> None:
    """Refuse to make a database anew where the log of one lies.

    Raises:
        IntegrityError: The database was removed, not never made.
    """
    wal = side_file(path, "-wal")
    if wal.exists() and wal.stat().st_size > 0:
        raise IntegrityError(
            f"{path} is missing, but {wal.name} beside it holds commits: restore the file, or delete {wal.name} to begin "
            "with an empty database"
        )


def missing_bytes(path: Path) -> int:
    """How much shorter the file is than its head says; SQLite reads nothing of such a file."""
    with path.open("rb") as file:
        head = file.read(100)
    page_size, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    said = pages * (65536 if page_size == 1 else page_size)
    # A head that says nonsense is damaged itself.
    return max(0, said - path.stat().st_size) if said < 2**40 else 0


def copied(path: Path, folder: Path) -> Path:
    """Copy a database and its log into another folder, with zeros where its end is missing."""
    copy = folder / path.name
    for file in (path, side_file(path, "-wal")):
        if file.exists():
            shutil.copyfile(file, copy.with_name(file.name))
            copy.with_name(file.name).chmod(0o600)
    os.truncate(copy, copy.stat().st_size + missing_bytes(copy))
    return copy


def vacuum_into(source: sqlite3.Connection, target: Path, check: Callable[[Path], None]) -> None:
    """Write a packed copy of a database as of one moment, while others go on writing.

    Unlike a copy of pages it takes nothing along that was deleted.

    Args:
        source: A connection to it.
        target: Where the copy is to stand; only its owner may read it.
        check: Looks at the copy before it has its name; what it raises goes through, and there is no copy.

    Raises:
        FileExistsError: There is something at ``target``.
        sqlite3.Error: It cannot be read, or not written.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there already; a copy never replaces anything")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = new_file(target)
    try:
        source.execute("PRAGMA query_only = 0")
        source.execute("VACUUM INTO ?", (str(made),))
        check(made)
        descriptor = os.open(made, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        give_name(made, target)
    finally:
        for left in (made, side_file(made, "-wal"), side_file(made, "-shm")):
            with contextlib.suppress(FileNotFoundError):
                left.unlink()


# ------------------------------------------------------------------------------------------------- rows of a table


def readable_rows(
    connection: sqlite3.Connection, statement: str, lose: Callable[[int], None]
) -> Iterator[tuple[Any, ...]]:
    """Every row of a table that can be read.

    Args:
        connection: To the damaged file.
        statement: Gives rows, each with its row id first, in the order of those, for ``(row id, limit)``: those behind.
        lose: Is told behind which row id some cannot be read.
    """
    last = 0
    while True:
        rows, is_broken = _rows_behind(connection, statement, last, _BATCH)
        if is_broken and not rows:
            # A cursor looks one row ahead, so an error takes the row before it along, unless that is asked for alone.
            rows, is_broken = _rows_behind(connection, statement, last, 1)
        yield from rows
        if rows:
            last = rows[-1][0]
        elif not is_broken:
            return
        else:
            lose(last)
            behind = _behind_error(connection, statement, last)
            if behind is None:
                return
            last = behind


def _rows_behind(
    connection: sqlite3.Connection, statement: str, last: int, limit: int
) -> tuple[list[tuple[Any, ...]], bool]:
    """The next rows up to one that cannot be read, and whether there is such a one."""
    rows: list[tuple[Any, ...]] = []
    try:
        for row in connection.execute(statement, (last, limit)):
            # Pages that lead back to one another would give the same rows for ever.
            if type(row[0]) is not int or row[0] <= last:
                return rows, True
            rows.append(row)
            last = row[0]
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return rows, True
    return rows, False


def _behind_error(connection: sqlite3.Connection, statement: str, last: int) -> int | None:
    """The row id behind which the next row can be read again, found by steps that grow, then by halves."""
    highest, step = 2**62, 1
    while last + step < highest and _rows_behind(connection, statement, last + step, 1)[1]:
        step *= 2
    if last + step >= highest:
        return None
    low, high = last + max(1, step // 2), last + step
    while low < high:
        middle = (low + high) // 2
        if _rows_behind(connection, statement, middle, 1)[1]:
            low = middle + 1
        else:
            high = middle
    return high
