"""A storage against a dict: the state machine of :class:`lamina.testing.storage.StorageSuite`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lamina.errors import ConflictError
from lamina.protocols import Capability, Commit, Get, Record, Scan, Storage, measured

T = TypeVar("T")

PIECES = (
    *("a", "A", "b", "%", "_", "/", "\\", "'", '"', " ", "*", "."),
    *("é", "e\u0301", "ß", "\u017f", "\u212a", "中", "\x01", "\x7f", "\ud7ff", "\ue000", "\uffff", "😀", "\U0010ffff"),
)
"""What nasty keys are made of: wildcards, quotes, case folds, composed and combining forms, the ends of planes."""

KEYS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)
PREFIXES = st.lists(st.sampled_from(PIECES), max_size=2).map("".join)
VALUES = st.one_of(st.just(b""), st.binary(max_size=8), st.sampled_from([b"\0", b"\0\0a", b"\xff\xfe", "é".encode()]))


class Holder:
    """Keeps one storage open on a loop of its own, entered and left by one task.

    Some libraries (anyio's cancel scopes) require that: the task that opens is the one that closes.
    """

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[Storage]]) -> None:
        self._opened = opened
        self._runner = asyncio.Runner()
        self.open()

    def open(self) -> None:
        """Open the storage."""
        self.storage = self._runner.run(self._start())

    def close(self) -> None:
        """Close the storage; the loop stays for the next opening."""
        self._runner.run(self._stop())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a call of the storage."""
        return self._runner.run(work)

    def finish(self) -> None:
        """Close the storage and the loop."""
        self.close()
        self._runner.close()

    async def _start(self) -> Storage:
        ready: asyncio.Future[Storage] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self._task = asyncio.create_task(self._hold(ready))
        waited: list[asyncio.Future[Any]] = [self._task, ready]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            await self._task
        return await ready

    async def _hold(self, ready: asyncio.Future[Storage]) -> None:
        async with self._opened() as storage:
            ready.set_result(storage)
            await self._leave.wait()

    async def _stop(self) -> None:
        self._leave.set()
        await self._task


class StorageMachine(RuleBasedStateMachine):
    """Does whatever a storage allows, in any order, and compares with a dict."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[Storage]]) -> None:
        super().__init__()
        self._opened = opened
        self.model: dict[str, Record] = {}
        self.used: dict[str, int] = {}
        """The highest version that each key ever had."""

    @initialize()
    def start(self) -> None:
        self.held = Holder(self._opened)
        self.durable = Capability.DURABLE in self.held.storage.capabilities

    def teardown(self) -> None:
        """Close what is open, also after a failure."""
        if hasattr(self, "held"):
            self.held.finish()

    @rule(puts=st.dictionaries(KEYS, VALUES, max_size=4), deletes=st.frozensets(KEYS, max_size=2), near=st.data())
    def commit(self, puts: dict[str, bytes], deletes: frozenset[str], near: st.DataObject) -> None:
        present = sorted(self.model)
        if present:
            deletes |= near.draw(st.frozensets(st.sampled_from(present), max_size=2))
            puts |= dict.fromkeys(near.draw(st.lists(st.sampled_from(present), max_size=2)), b"again")
        self._commit(Commit(puts=puts, deletes=deletes - puts.keys()))

    @rule(key=KEYS, other=KEYS, value=VALUES, wrong=st.integers(0, 2), remove=st.booleans())
    def compare_and_set(self, key: str, other: str, value: bytes, wrong: int, remove: bool) -> None:
        now = {name: self.model[name].version if name in self.model else None for name in (key, other)}
        expect = dict(now)
        if wrong:
            expect[other] = (self.used.get(other, 0) + 1) if wrong == 1 or now[other] is None else None
        request = Commit(puts={} if remove else {key: value}, deletes=frozenset({key} if remove else ()), expect=expect)
        if expect == now:
            self._commit(request)
            return
        try:
            self.held.run(self.held.storage.commit(request))
        except ConflictError as error:
            assert set(error.keys) == {other}  # noqa: PT017 - the rule needs the error, not only its type
            self._compare_all()
        else:
            raise AssertionError(f"committed although {other!r} was expected to be {expect[other]}, not {now[other]}")

    @rule(keys=st.lists(KEYS, max_size=4))
    def get(self, keys: list[str]) -> None:
        wanted = [*keys, *list(self.model)[:3]]
        got = self.held.run(self.held.storage.get(Get(keys=wanted)))
        assert list(got) == [self.model.get(key) for key in wanted]

    @rule(prefix=PREFIXES, after=st.none() | KEYS, limit=st.integers(1, 5), reverse=st.booleans(), near=st.data())
    def scan(self, prefix: str, after: str | None, limit: int, reverse: bool, near: st.DataObject) -> None:
        if after is not None and self.model:
            after = near.draw(st.sampled_from([after, *sorted(self.model)]))
        got = self.held.run(self.held.storage.scan(Scan(prefix=prefix, after=after, limit=limit, reverse=reverse)))
        # Compared as bytes, by a filter instead of a range: nothing that a storage would do.
        names = sorted((key for key in self.model if key.startswith(prefix)), key=str.encode, reverse=reverse)
        if after is not None:
            edge = after.encode()
            names = [n for n in names if (n.encode() < edge if reverse else n.encode() > edge)]
        assert list(got) == [self.model[name] for name in names[:limit]]
        assert self.held.run(measured(self.held.storage, prefix)).records == len(
            [key for key in self.model if key.startswith(prefix)]
        )

    @precondition(lambda self: self.durable)
    @rule()
    def reopen(self) -> None:
        self.held.close()
        self.held.open()
        self._compare_all()

    def _compare_all(self) -> None:
        everything = self.held.run(self.held.storage.scan(Scan()))
        assert {record.key: record for record in everything} == self.model

    def _commit(self, request: Commit) -> None:
        versions = self.held.run(self.held.storage.commit(request))
        assert versions.keys() == request.puts.keys()
        for key in request.deletes:
            self.model.pop(key, None)
        for key, value in request.puts.items():
            assert versions[key] > self.used.get(key, 0), f"version {versions[key]} of {key!r} was used before"
            self.used[key] = versions[key]
            self.model[key] = Record(key=key, value=value, version=versions[key])
