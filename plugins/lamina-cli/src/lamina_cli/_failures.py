"""What may go wrong, as one line for people and an exit code."""

from __future__ import annotations

from typing import NoReturn

from lamina.errors import LaminaError, SeveralSessionsError

FAILED, WRONG, INTERRUPTED = 1, 2, 130
"""Exit codes: the job failed, the command was used wrongly, the user stopped it."""


class UsageError(LaminaError):
    """The command was used wrongly; exit code 2."""


class JobError(LaminaError):
    """The job cannot be done as things are; exit code 1."""


def wrong(what: str) -> NoReturn:
    """Refuse the arguments."""
    raise UsageError(what)


def told(error: BaseException) -> tuple[str, int]:
    """What to say of an error, remedy included, and the exit code; nothing is said where the text is empty."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case KeyboardInterrupt():
            return "interrupted", INTERRUPTED
        case BrokenPipeError():
            return "", FAILED  # the reader went away and needs no telling
        case UsageError() | SeveralSessionsError():
            return str(error), WRONG
        case LaminaError():
            return str(error), FAILED
        case OSError():
            return of_os(error), FAILED
        case MemoryError():
            return "out of memory; give the input in smaller files", FAILED
        case _:
            text = " ".join(str(error).split())
            what = f"{type(error).__name__}: {text}" if text else type(error).__name__
            return f"unexpected {what}; run it again with --debug for the traceback, and report that", FAILED


def of_os(error: OSError) -> str:
    """What the operating system refused, with the file's name and a remedy."""
    place = f"{error.filename}: " if error.filename is not None else ""
    match error:
        case FileNotFoundError():
            what = "no such file or folder; check the path"
        case IsADirectoryError():
            what = "is a folder; name the files in it"
        case NotADirectoryError():
            what = "part of the path is a file, not a folder; check the path"
        case PermissionError():
            what = "permission denied; check whose it is and its mode (ls -l)"
        case _:
            what = error.strerror or str(error) or type(error).__name__
    return place + what
