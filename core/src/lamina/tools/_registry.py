"""The tools of a context: what there is, and how it is called."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import hashlib
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from lamina.config import CallSettings
from lamina.errors import ConflictError, ToolError, UnknownToolError
from lamina.model import Call, CallResult, Text
from lamina.outputs import Blob, Output, OutputPart
from lamina.plugins import Catalogue
from lamina.protocols import (
    Commit,
    Decision,
    Get,
    Grants,
    Storage,
    Tool,
    ToolReference,
    ToolSource,
    ToolSpec,
)
from lamina.tools._definition import as_tool
from lamina.tools._engine import Engine
from lamina.tools._entries import Entry, Placed
from lamina.tools._permits import Permits
from lamina.tools._run import Run
from lamina.tools._sources import Followed

if TYPE_CHECKING:
    from lamina.tools._search import Found, Search

_BLOB = "blob/"


@frozen
class Wiring:
    """What a registry is made of; the context knows."""

    executor: Placed | None = None
    """The one that runs what no other is named for."""
    executors: Mapping[str, Placed] = field(factory=dict)
    """By a tool's name or a glob, in order."""
    grants: Grants | None = None
    namespace: str = "default"
    storage: Storage | None = None
    """Keeps what is large."""
    chance: random.Random = field(factory=random.Random)


@frozen
class Place:
    """Where a tool stands."""

    source: str
    """The configured part that it comes from; empty where a program registered it."""
    executor: str
    """The configured executor that runs it; empty where it runs as it is."""
    hidden: bool
    """Whether models are not shown it, because every call is denied."""


class Registry:
    """The tools of a context, by name.

    Args:
        settings: How calls run.
        catalogue: Has the hooks.
        wiring: The parts behind it.
    """

    def __init__(self, settings: CallSettings, catalogue: Catalogue, wiring: Wiring | None = None) -> None:
        self._settings, self._wiring = settings, wiring or Wiring()
        self._permits = Permits(self._wiring.grants, settings.grants or "", self._wiring.namespace, catalogue)
        self._engine = Engine(settings, self._permits, catalogue, self._kept, self._wiring.chance)
        self._entries: dict[str, Entry] = {}
        self._sources: list[Followed] = []
        self._search: Search | None = None
        self.refused: dict[str, str] = {}
        """Tools of sources that could not be taken in, by name, and why; also sources that cannot be asked."""

    # ------------------------------------------------------------- what there is

    def register(self, tool: Tool | Callable[..., Any], *, source: str = "", reference: ToolReference | None = None) -> None:  # fmt: skip
        """Add a tool, or a function: one that :func:`lamina.tool` marked, or any other.

        Args:
            tool: It.
            source: Where it comes from, for messages.
            reference: Where another process finds it, if that is not known of it anyway.

        Raises:
            ToolError: The name is taken, or is none that providers accept, or its executor cannot run it.
            SchemaError: The function's parameters cannot be described.
        """
        made: Tool = as_tool(tool)
        name = made.spec.name
        entry = Entry(made, self._settings, self._executor(name), source, reference)
        if name in self._entries:
            raise ToolError(f"a tool named {name!r} is registered already")
        self._entries[name] = entry
        self._search = None

    def unregister(self, name: str) -> None:
        """Take a tool away; calls that run go on.

        Raises:
            UnknownToolError: There is none.
        """
        self._entry(name)
        del self._entries[name]
        self._search = None

    async def add_source(self, source: ToolSource, name: str) -> None:
        """Add all tools of a source, and follow its changes until the context closes.

        A tool that cannot be taken in (its name is taken) stands in :attr:`refused`, and the others are there.
        """
        followed = Followed(self, source, name)
        self._sources.append(followed)
        await followed.begin()

    def specs(self, tag: str | None = None) -> list[ToolSpec]:
        """The tools as a model is shown them, by name, without those that are denied whatever the arguments.

        Args:
            tag: Only those that carry it.
        """
        specs = [entry.spec for _, entry in sorted(self._entries.items())]
        return [s for s in specs if (tag is None or tag in s.tags) and not self._permits.hides(s)]

    def find_tools(self, query: str, limit: int = 5) -> list[Found]:
        """The tools that fit a need best, best first, so that a thousand need not stand in every prompt.

        By words of names, tags, descriptions and parameters; a millisecond at a thousand tools.
        """
        if self._search is None:
            from lamina.tools._search import Search

            self._search = Search([entry.spec for _, entry in sorted(self._entries.items())])
        found = self._search.find(query, limit + len(self._entries))
        return [f for f in found if not self._permits.hides(f.spec)][:limit]

    def get(self, name: str) -> Tool:
        """A tool by name.

        Raises:
            UnknownToolError: Says which there are.
        """
        return self._entry(name).tool

    def placed(self, name: str) -> Place:
        """Where a tool comes from, and where it runs.

        Raises:
            UnknownToolError: There is none.
        """
        entry = self._entry(name)
        return Place(entry.source, entry.executor_name, self._permits.hides(entry.spec))

    def names(self) -> list[str]:
        """All tools, those that models are not shown too."""
        return sorted(self._entries)

    # ------------------------------------------------------------- calls

    async def call(self, call: Call) -> CallResult:
        """Run one call.

        What the tool itself does wrong (it raises, it takes too long) is a result with ``error`` set, because the
        model should read it. Whoever is cancelled here cancels the call.

        Raises:
            UnknownToolError: No such tool.
            ArgumentsError: The arguments do not fit the schema; every fault with its path.
            SchemaError: The tool's schema cannot be checked.
            DeniedError: No grant.
        """
        run = await self.start(call)
        try:
            return await run.result()
        except asyncio.CancelledError:
            await self._stop([run])
            raise

    async def start(self, call: Call, *, key: str | None = None) -> Run:
        """Start a call and give its handle, by which it is followed and cancelled.

        Waits only where the queue is full.

        Args:
            call: What to run.
            key: Its idempotency key, for tools that hand it on; made from session and id, or by chance.

        Raises:
            UnknownToolError: No such tool.
            ArgumentsError: The arguments do not fit the schema.
            SchemaError: The tool's schema cannot be checked.
        """
        entry = self._entry(call.tool)
        entry.check(call)
        if key is None:
            key = f"{call.session or ''}:{call.id}" if call.id else secrets.token_hex(8) if entry.spec.effects.repeatable else ""  # fmt: skip
        return await self._engine.start(entry, call, key)

    async def gather(self, calls: Sequence[Call]) -> list[CallResult]:
        """Run calls at once; results in the order of the calls; a refused call becomes a result with ``error``.

        Of more calls than the queue takes, the rest wait; nothing of one reaches another.
        """
        runs: list[Run | ToolError] = []
        try:
            for call in calls:
                try:
                    runs.append(await self.start(call))
                except ToolError as refused:
                    runs.append(refused)
            for run in runs:
                if isinstance(run, Run) and not run.done:
                    await run.ended()
        except asyncio.CancelledError:
            await self._stop([run for run in runs if isinstance(run, Run)])
            raise
        return [_result(call, run) for call, run in zip(calls, runs, strict=True)]

    async def decide(self, call: Call, spec: ToolSpec | None = None) -> Decision:
        """What the grants say of a call, without running it or asking anybody.

        Args:
            call: The call; its arguments need not fit.
            spec: What it would be a call of, where that is none of the tools that are there.

        Raises:
            UnknownToolError: No such tool.
        """
        return await self._permits.decide(call, spec or self._entry(call.tool).spec)

    async def blob(self, reference: str) -> bytes:
        """The bytes that an output's blob refers to.

        Raises:
            ToolError: Nothing is kept under this reference.
        """
        storage = self._wiring.storage
        record = None
        if storage is not None and reference.startswith(_BLOB):
            (record,) = await storage.get(Get(keys=[reference]))
        if record is None:
            raise ToolError(f"nothing is kept as {reference!r}")
        return record.value

    async def close(self) -> None:
        """Cancel what runs, and forget the sources."""
        for followed in self._sources:
            await followed.end()
        await self._engine.close()

    # ------------------------------------------------------------- inside

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownToolError(name, tuple(self._entries))
        return entry

    def _executor(self, tool: str) -> Placed | None:
        named = next((e for pattern, e in self._wiring.executors.items() if fnmatch.fnmatchcase(tool, pattern)), None)
        return named or self._wiring.executor

    @staticmethod
    async def _stop(runs: Sequence[Run]) -> None:
        """Cancel calls, and wait until they have ended: the engine sees to it that they do before long."""
        for run in runs:
            run.cancel()
        for run in runs:
            await run.ended()

    async def _kept(self, output: Output) -> Output:
        """The output with large blobs stored, and no more text than is kept."""
        most = self._settings.output_bytes
        parts: list[OutputPart] = []
        for part in output.parts:
            if isinstance(part, Text) and len(part.text) > most:
                cut = len(part.text) - most
                parts.append(
                    Text(f"{part.text[:most]}\n[… {cut} characters more than [calls] output_bytes were dropped …]")
                )
            elif isinstance(part, Blob) and part.data is not None and len(part.data) > 64_000:
                parts.append(await self._stored(part, part.data))
            else:
                parts.append(part)
        return evolve(output, parts=tuple(parts))

    async def _stored(self, blob: Blob, data: bytes) -> Blob:
        storage = self._wiring.storage
        if len(data) > self._settings.output_bytes or storage is None:
            return evolve(blob, data=None, size=len(data))
        reference = _BLOB + hashlib.sha256(data).hexdigest()
        with contextlib.suppress(ConflictError):  # it is there already: the name is the content's
            await storage.commit(Commit(puts={reference: data}, expect={reference: None}))
        return evolve(blob, data=None, size=len(data), reference=reference)


def _result(call: Call, run: Run | ToolError) -> CallResult:
    if isinstance(run, Run) and run.value is not None:
        return run.value
    refusal = run.refusal if isinstance(run, Run) else run
    grant = run.grant if isinstance(run, Run) else None
    return CallResult(call, str(refusal), error=True, state="refused", tries=0, grant=grant)
