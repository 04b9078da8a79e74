"""Runs recordings through configurations, message by message, and measures every window."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen

from lamina.errors import BudgetError, LaminaError
from lamina_command_replay._figures import Figures, total
from lamina_command_replay._measures import Measure
from lamina_command_replay._recording import FORM, Recording, Steps, steps_of
from lamina_command_replay._texts import Texts
from lamina_command_replay._trace import Trace

if TYPE_CHECKING:
    from lamina import Context, Session

IN_MEMORY: Mapping[str, Any] = {
    "storages": {"replay": {"use": "memory"}},
    "log": {"storage": "replay"},
    "memory": {"tiers": []},
}
"""Laid over every configuration: a replay leaves nothing behind, and sees nothing of other sessions."""

Emit = Callable[[str, int, list[dict[str, Any]]], None]
"""Takes the session's id, the step's index, and the window in OpenAI form."""


class ReplayError(LaminaError):
    """A recorded session cannot be replayed with this configuration or budget."""


@frozen
class Played:
    """One session under one configuration."""

    session: str
    source: str
    figures: Figures
    window_s: tuple[float, ...]
    """Seconds that each window took, in order."""
    repairs: tuple[str, ...]
    """What the gate had to repair, in order."""
    trace: Trace | None = None
    """What stood in each window, where that was asked for."""


@define
class Outcome:
    """What a configuration came to."""

    name: str
    file: str | None
    played: list[Played] = field(factory=list)

    @property
    def figures(self) -> Figures:
        """Over all sessions."""
        return total(one.figures for one in self.played)

    @property
    def window_s(self) -> list[float]:
        """Seconds that each window took."""
        return [taken for one in self.played for taken in one.window_s]

    @property
    def repairs(self) -> list[str]:
        """What the gate had to repair."""
        return [repair for one in self.played for repair in one.repairs]


@asynccontextmanager
async def open_all(
    files: Sequence[str | None], *, settings: Mapping[str, Any] | None = None, profile: str | None = None
) -> AsyncIterator[list[tuple[Outcome, Context]]]:
    """Open configurations side by side, in memory.

    Args:
        files: Paths of configuration files; ``None`` is the default configuration.
        settings: Laid over each of them.
        profile: The installed profile to start from.

    Raises:
        ConfigError: Every fault of one of them.
    """
    import lamina

    names = names_of(files)
    over = {**(settings or {}), **IN_MEMORY}
    over["storages"] = {**(settings or {}).get("storages", {}), **IN_MEMORY["storages"]}
    async with AsyncExitStack() as stack:
        opened = []
        for name, file in zip(names, files, strict=True):
            context = await stack.enter_async_context(lamina.open(file, settings=over, profile=profile))
            opened.append((Outcome(name, file), context))
        yield opened


def names_of(files: Sequence[str | None]) -> list[str]:
    """What configurations are called: by their file's name where that tells them apart, else by its path."""
    from pathlib import Path

    short = ["default" if file is None else Path(file).stem for file in files]
    return [one if short.count(one) == 1 or file is None else file for one, file in zip(short, files, strict=True)]


async def replay(
    opened: Sequence[tuple[Outcome, Context]],
    recordings: Iterable[Recording],
    budget: int,
    *,
    emit: Emit | None = None,
    trace: bool = False,
    told: Callable[[str], None] = lambda session: None,
) -> None:
    """Replay every recording through every configuration; the outcomes are filled in.

    Args:
        opened: Outcomes with their contexts.
        recordings: What to replay.
        budget: Tokens of each window.
        emit: Given every window.
        trace: Whether to keep what stood in each window.
        told: Told the session's id for every message that was fed to a configuration.

    Raises:
        ReplayError: What must stay does not fit the budget; names session and message.
        LaminaError: Whatever else a configuration's parts raise.
    """
    for number, recording in enumerate(recordings, start=1):
        steps = await steps_of(opened[0][1], recording, f"steps of {number}")
        counted: dict[str, Texts] = {}
        for outcome, context in opened:
            info = context.count.info
            if info.fingerprint not in counted:
                counted[info.fingerprint] = Texts(
                    context.count,
                    message_tokens=info.message_tokens,
                    call_tokens=info.call_tokens,
                    count_images=context.count.images,
                )
            traced = Trace(steps, counted[info.fingerprint]) if trace else None
            play = _Play(recording, steps, budget, counted[info.fingerprint], emit, traced)
            outcome.played.append(await play.run(await context.session(f"replay of {number}"), told))


class _Play:
    """One recording on its way through one session."""

    def __init__(
        self,
        recording: Recording,
        steps: Steps,
        budget: int,
        texts: Texts,
        emit: Emit | None,
        trace: Trace | None,
    ) -> None:
        self._recording, self._steps, self._budget, self._emit = recording, steps, budget, emit
        self._trace = trace
        self._measure = Measure(recording.id, steps.history, budget, texts, trace.measured if trace else None)
        self._window_s: list[float] = []
        self._repairs: list[str] = []

    async def run(self, session: Session, told: Callable[[str], None]) -> Played:
        recording = self._recording
        for at, message in enumerate(recording.messages):
            index = self._steps.before.get(at)
            if index is not None:
                await self._step(session, index)
            await session.add(message)
            told(recording.id)
        figures = self._measure.figures
        return Played(recording.id, recording.source, figures, tuple(self._window_s), tuple(self._repairs), self._trace)

    async def _step(self, session: Session, index: int) -> None:
        start = time.perf_counter()
        try:
            window = await session.window(self._budget)
        except BudgetError as error:
            raise ReplayError(f"session {self._recording.id}, message {index}: {error}") from error
        self._window_s.append(time.perf_counter() - start)
        self._repairs += window.ledger.repairs
        messages = window.messages(FORM)
        if self._trace is not None:
            self._trace.window(window)
        self._measure.step(index, messages)
        if self._emit is not None:
            self._emit(self._recording.id, index, messages)
