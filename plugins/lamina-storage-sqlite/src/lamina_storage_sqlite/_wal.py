"""What SQLite says nothing about: commits in the write-ahead log that a damaged frame cuts off.

SQLite reads the log up to the first frame whose checksum does not hold, and takes what follows for the rest of an
unfinished write. Where a whole commit follows, it is not: something was lost.

Source:
    https://www.sqlite.org/fileformat2.html#the_write_ahead_log and https://www.sqlite.org/walformat.html
"""

from __future__ import annotations

import os
import shutil
import struct
import sys
from pathlib import Path

_HEADER_BYTES = 32
_FRAME_BYTES = 24
_FRAME = struct.Struct(">II8s")
"""Page number, size of the database after a commit (else 0), salts."""
_INDEX = struct.Struct("<IIIBBHIIQ8s" if sys.byteorder == "little" else ">IIIBBHIIQ8s")
"""The head of the -shm file: version, -, change, is init, -, page size, last valid frame, pages, checksum, salts."""
_MOST = 100
"""Copies of damaged logs that are kept, at most."""


def lost_commits(path: Path) -> int:
    """How many commits stand in the log of a database behind what SQLite reads of it; 24 bytes a frame are read.

    Call it after a first read of the database, by which SQLite has looked through the log.
    """
    wal, shm = side_file(path, "-wal"), side_file(path, "-shm")
    try:
        for _ in range(3):
            before = _index(shm)
            found = _commits_behind(wal, *before) if before else 0
            # Others may write meanwhile; then what was counted is theirs, and not lost.
            if not found or _index(shm) == before:
                return found
    except OSError:
        return 0
    return 0


def keep_damaged(path: Path) -> Path | None:
    """Copy the log, which SQLite will overwrite; where it stands now, ``None`` if it could not be copied."""
    wal = side_file(path, "-wal")
    for number in range(1, _MOST):
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


def _index(shm: Path) -> tuple[int, int, bytes] | None:
    """(last valid frame, page size, salts), as all connections share it."""
    with shm.open("rb") as file:
        head = file.read(_INDEX.size)
    if len(head) < _INDEX.size:
        return None
    _, _, _, is_init, _, page_size, last, _, _, salts = _INDEX.unpack(head)
    return (last, 65536 if page_size == 1 else page_size, salts) if is_init else None


def _commits_behind(wal: Path, last: int, page_size: int, salts: bytes) -> int:
    found, step = 0, _FRAME_BYTES + page_size
    with wal.open("rb") as file:
        header = file.read(_HEADER_BYTES)
        # A log that begins anew has other salts until its first frame is written.
        if header[16:24] != salts:
            return 0
        # A frame that is not whole is the end of a write that was never acknowledged.
        for place in range(_HEADER_BYTES + last * step, os.fstat(file.fileno()).st_size - step + 1, step):
            file.seek(place)
            _, committed, salt = _FRAME.unpack(file.read(_FRAME.size))
            if salt == salts and committed:
                found += 1
    return found
