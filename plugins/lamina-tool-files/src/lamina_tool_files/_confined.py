"""Files below one folder, reached without ever leaving it."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from lamina.errors import CallFailedError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Confined:
    """One folder.

    A path is resolved first, and then walked folder by folder without following links. So one that is put in place
    between the two is refused, and does not lead out.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root.expanduser()))

    def parts(self, path: str) -> tuple[str, ...]:
        """Where a path leads, from the root; links followed.

        Raises:
            CallFailedError: It leads out of the root, or nowhere.
        """
        if "\0" in path:
            raise CallFailedError(f"{path[:100]!r} is no path", type="NoSuchPath")
        real = Path(os.path.realpath(self.root / path))
        try:
            return real.relative_to(self.root).parts
        except ValueError:
            raise CallFailedError(
                f"{path[:200]} lies outside of the folder that is shared", type="Outside", hint="give a path below it"
            ) from None

    @contextlib.contextmanager
    def folder(self, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
        """A descriptor of a folder below the root, made where it is not there and ``make``."""
        here = os.open(self.root, _DIRECTORY)
        try:
            for part in parts:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, dir_fd=here)
                below = os.open(part, _DIRECTORY, dir_fd=here)
                os.close(here)
                here = below
            yield here
        finally:
            os.close(here)

    def read(self, path: str, max_bytes: int) -> bytes:
        """A file's bytes.

        Raises:
            CallFailedError: It is none, too large, or outside.
            OSError: It cannot be read.
        """
        parts = self.parts(path)
        if not parts:
            raise CallFailedError(f"{path or '.'} is a folder", type="IsAFolder", hint="name a file in it")
        with self.folder(parts[:-1]) as folder:
            # Without blocking, because opening a pipe waits for who writes into it.
            file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
            try:
                found = os.fstat(file)
                if not stat.S_ISREG(found.st_mode):
                    what = "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file"
                    raise CallFailedError(f"{path} is {what}", type="NoFile")
                if found.st_size > max_bytes:
                    why = f"{path} has {found.st_size} bytes; at most {max_bytes} are read"
                    raise CallFailedError(why, type="TooLarge")
                with os.fdopen(file, "rb", closefd=False) as source:
                    return source.read(max_bytes)
            finally:
                os.close(file)

    def write(self, path: str, data: bytes) -> bool:
        """Write a file whole or not at all; whether it is new. Its mode stays.

        Raises:
            CallFailedError: It is a folder, or outside.
            OSError: It cannot be written; what was there is as it was.
        """
        parts = self.parts(path)
        if not parts:
            raise CallFailedError(f"{path or '.'} is a folder", type="IsAFolder", hint="name a file in it")
        with self.folder(parts[:-1], make=True) as folder:
            try:
                before = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                before = None
            if before is not None and not stat.S_ISREG(before.st_mode):
                raise CallFailedError(f"{path} is no plain file", type="NoFile")
            # Beside it and then in its place, so that what is there stays whole whenever this ends.
            name = f".{parts[-1][:200]}.{secrets.token_hex(6)}"
            mode = 0o644 if before is None else stat.S_IMODE(before.st_mode)
            file = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=folder
            )
            try:
                with os.fdopen(file, "wb") as out:
                    out.write(data)
                    out.flush()
                    if before is not None:
                        os.fchmod(out.fileno(), mode)
                    os.fsync(out.fileno())
                os.rename(name, parts[-1], src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=folder)
                raise
            return before is None

    def walk(self) -> Iterator[str]:
        """Every plain file below the root, by its path from there, in order; links are not followed."""
        for folder, folders, files in os.walk(self.root, followlinks=False):
            folders[:] = sorted(name for name in folders if name != ".git")
            base = Path(folder)
            for name in sorted(files):
                place = base / name
                if place.is_file() and not place.is_symlink():
                    yield place.relative_to(self.root).as_posix()
