"""A recording on its way into a session's log, and a session's log on its way out as a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

from lamina._checking import checked
from lamina._fold import Fold
from lamina._log import Kept, voided
from lamina._records import DIGEST, LogRecord, Recorded, Said, Sourced
from lamina.errors import FormatError
from lamina.model import Message
from lamina.protocols import Parsed


class Recording:
    """The source records of one session's recording.

    Args:
        parsed: All of them.
        source: The recording's name.
    """

    def __init__(self, parsed: Sequence[Parsed], source: str) -> None:
        self.skipped: dict[str, int] = {}
        """Records that are no messages, by reason."""
        for p in parsed:
            if p.skipped is not None:
                self.skipped[p.skipped] = self.skipped.get(p.skipped, 0) + 1
        self.damaged = tuple([p.line for p in parsed if p.damaged and p.line is not None])
        """Lines of records that are half-written or overwritten."""
        self._parsed, self._source = [p for p in parsed if not p.torn], source
        self.digests = [blake2b(p.raw, digest_size=DIGEST).digest() for p in self._parsed]

    def check(self, session: str, fold: Fold) -> None:
        """Refuse a recording that is not the one that the session holds, shorter or longer.

        Raises:
            FormatError: It is another one; names the first record that differs.
        """
        known, digests = bytes(fold.digests), b"".join(self.digests)
        if not known.startswith(digests) and not digests.startswith(known):
            at = next(i for i, (a, b) in enumerate(zip(known, digests, strict=False)) if a != b) // DIGEST
            raise FormatError(
                f"session {session!r} already holds a different recording (from record {at + 1} on); import this one under another name: --session NAME",
                self._source, self._parsed[at].line,
            )  # fmt: skip
        if not known and fold.messages:
            raise FormatError(f"session {session!r} already holds messages that were not imported; import under another name: --session NAME", self._source)  # fmt: skip

    def made(self, fold: Fold, format: str) -> tuple[Sequence[LogRecord], Mapping[int, bytes]]:
        """The log records, and source bytes by number, of what the session does not hold yet.

        Raises:
            FormatError: A message is none; names the line.
        """
        known = len(fold.digests) // DIGEST
        coming = fold.ahead()
        if not known and (fold.format, fold.source) != (format, self._source):
            coming.records.append(Recorded(format, self._source))
        for p, digest in zip(self._parsed[known:], self.digests[known:], strict=True):
            number = coming.keep(p.raw)
            if not p.messages:
                coming.records.append(Sourced(number, digest, p.skipped or ""))
            for index, message in enumerate(p.messages):
                try:
                    coming.say(checked(message), number, b"" if index else digest)
                except FormatError as error:
                    raise FormatError(error.why, self._source, p.line) from error
        return coming.records, coming.sources


Row = tuple[tuple[str, int] | None, list[Message]]
"""A source record (owner session, number), where there is one, and the messages that came from it."""


def exported(log: Sequence[Kept]) -> list[Row]:
    """What a log says as a recording, in order, what was rolled back left out."""
    gone = voided(log)
    groups: dict[tuple[str, int], list[Message]] = {}
    rows: list[Row] = []
    for kept in log:
        if kept.seq in gone:
            continue
        match kept.record:
            case Said(message=message, source=source, digest=digest):
                key = None if source is None else (kept.owner, source)
                if key in groups:
                    groups[key].append(message)
                elif key is not None and digest:
                    rows.append((key, groups.setdefault(key, [message])))
                else:  # a program added it; what it keeps of it is no record of a recording
                    rows.append((None, [message]))
            case Sourced(source=source):
                rows.append(((kept.owner, source), []))
            case _:
                pass
    return rows
