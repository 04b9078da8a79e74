"""Reading a damaged file: what is whole comes back, what is not is named.

Only where the fast way met damage, or by a check: it reads the table, not only what is asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from lamina.kit.tables import is_damage, readable_rows
from lamina.protocols import Damage, Record, Scan
from lamina_storage_sqlite._rows import Space, bounds_of

_ROWS = """
SELECT version, CAST(namespace AS BLOB), CAST(key AS BLOB), checksum, value FROM records NOT INDEXED
WHERE version > ? ORDER BY version LIMIT ?
"""
_ENTRIES = """
SELECT CAST(key AS BLOB), version FROM records INDEXED BY sqlite_autoindex_records_1
WHERE namespace = ? AND key >= ? ORDER BY key {} LIMIT -1
"""
_REMEDY = "restore a backup, or write it anew"


@define
class Found:
    """What can be read of one namespace."""

    whole: dict[str, Record] = field(factory=dict)
    damaged: dict[str, Record] = field(factory=dict)
    hole: bool = False
    """Whether there may be records that cannot even be named."""

    def record(self, key: str, why: str) -> Record | None:
        """The record of a key, or what is known of it."""
        found = self.whole.get(key) or self.damaged.get(key)
        if found is None and self.hole:
            return Record(key=key, value=b"", version=0, damaged=f"{key!r} may be missing: {why}")
        return found


def read(connection: sqlite3.Connection, space: Space, keys: Sequence[str], path: Path) -> list[Record | None]:
    """The records of the keys in their order, damaged ones as such."""
    found = _find(connection, space, path)
    return [found.record(key, f"{path} is damaged; restore a backup") for key in keys]


def read_range(connection: sqlite3.Connection, space: Space, request: Scan, path: Path) -> list[Record]:
    """The records of a range in order, damaged ones as such.

    Where records may be missing that cannot be named, the first record of the first batch says so, with version 0.
    """
    found = _find(connection, space, path)
    low, low_is, end = bounds_of(request)
    every = found.damaged | found.whole
    keys = [k for k in every if (k > low if low_is == ">" else k >= low) and (end is None or k < end)]
    keys.sort(reverse=request.reverse)
    records = [every[key] for key in keys]
    if request.keys_only:
        records = [Record(r.key, b"", r.version, r.expires_s, r.damaged) for r in records]
    if found.hole and request.after is None:
        why = f"{path} is damaged: records under {request.prefix!r} may be missing; restore a backup"
        records.insert(0, Record(key=request.prefix, value=b"", version=0, damaged=why))
    return records[: request.limit]


def check(connection: sqlite3.Connection, path: Path, limit: int) -> list[Damage]:
    """What is damaged in all namespaces, by SQLite's own check and by every record's checksum."""
    damages = []
    try:
        for (text,) in connection.execute(f"PRAGMA integrity_check({limit})"):
            if text != "ok":
                damages.append(Damage(what=f"{path}: {text}; restore a backup"))
    except sqlite3.Error as error:
        damages.append(Damage(what=f"{path}: {error}; restore a backup"))
    lost: list[int] = []
    for version, namespace, key, checksum, value in readable_rows(connection, _ROWS, lost.append):
        name, text = _text(namespace), _text(key)
        if not _is_whole(Space(name), text, checksum, value):
            what = f"{path}: record {text!r} of namespace {name!r} is damaged (row {version}); {_REMEDY}"
            damages.append(Damage(what=what, namespace=name, key=text))
    if lost:
        damages.append(Damage(what=f"{path}: rows behind row {lost[0]} cannot be read; restore a backup"))
    return damages[:limit]


def _find(connection: sqlite3.Connection, space: Space, path: Path) -> Found:
    """Everything of a namespace: by the table, and what that lacks by the index."""
    found, lost = Found(), list[int]()
    versions: set[int] = set()
    broken: dict[int, str] = {}
    for version, namespace, key, checksum, value in readable_rows(connection, _ROWS, lost.append):
        name, text = _text(namespace), _text(key)
        if _is_whole(space, text, checksum, value):
            found.whole[text] = Record(key=text, value=value, version=version)  # the last one is the newest
            versions.add(version)
        elif name == space.name:
            broken[version] = text
    index_is_whole = True
    for order in ("ASC", "DESC"):
        try:
            for key, version in connection.execute(_ENTRIES.format(order), (space.name, "")):
                if version not in versions:
                    broken[version] = _text(key)  # the index knows it, however the row reads
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            index_is_whole = False
    for version, text in broken.items():
        if text not in found.whole:
            why = f"{path}: record {text!r} is damaged; {_REMEDY}"
            found.damaged[text] = Record(key=text, value=b"", version=version, damaged=why)
    found.hole = bool(lost) and not index_is_whole
    return found


def _is_whole(space: Space, key: str, checksum: Any, value: Any) -> bool:
    return type(value) is bytes and space.checksum(key, value) == checksum


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else repr(raw)
