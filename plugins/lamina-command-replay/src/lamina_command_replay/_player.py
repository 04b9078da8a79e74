"""Replays points of the search space, each in a context of its own."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import evolve

from lamina.config import TABLES, Config, load
from lamina.errors import ConfigError
from lamina.plugins import Offer
from lamina_command_replay._recording import Recording, read, steps_of
from lamina_command_replay._replay import IN_MEMORY, Outcome, ReplayError, replay
from lamina_command_replay._schedule import Case
from lamina_command_replay._space import Point, Space
from lamina_command_replay._texts import Texts
from lamina_command_replay.tuning import for_trials

if TYPE_CHECKING:
    from lamina import Context
    from lamina.host import Host
    from lamina.protocols import Counter, Opener
    from lamina_command_replay._search import Wanted


class Player:
    """Opens configurations over the user's own one, in memory, and replays sessions through them.

    Args:
        args: What the command line says of the configuration; see :class:`lamina.hookspecs.RegisterCommand`.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._file, self._profile = getattr(args, "config", None), getattr(args, "profile", None)
        self.given: Mapping[str, Any] = getattr(args, "settings", None) or {}
        self.own: Config = self._load(self.given, getattr(args, "catalogue", None))
        """The user's own configuration, as it is."""
        self.budget: int = getattr(args, "budget", None) or self.own.window.budget
        self._catalogue = self.own.catalogue
        self._space: Space | None = None

    @property
    def profile(self) -> str | None:
        """The profile that the command line names."""
        return self._profile

    def _load(self, settings: Mapping[str, Any], catalogue: Any) -> Config:
        return load(self._file, settings=settings, profile=self._profile, catalogue=catalogue)

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[None]:
        """Make many trials cheap and harmless meanwhile.

        The counter is kept open, because loading its vocabulary can take as long as playing a short session; counters
        are pure, so trials may share one, and every other part is opened anew by each. Parts that are not for trials
        refuse to be opened, also by a part that was chosen.
        """
        from lamina.context import open_part

        name, known = self.own.window.counter, self.own.catalogue
        counter = known.find("counter", self.own.instance("counter", name).use)
        async with open_part(self.own, "counter", name) as opened:
            offers = {key: [_refusing(offer) for offer in found] for key, found in known.offers.items()}
            offers["counter", counter.name] = [evolve(counter, opener=_sharing(opened, name, counter.opener))]
            self._catalogue = evolve(known, offers=offers)
            try:
                yield
            finally:
                self._catalogue = known

    def space(self, keep: Sequence[str]) -> Space:
        """What may be tried."""
        self._space = Space(self.own, keep)
        return self._space

    def config(self, point: Point | None) -> Config:
        """The configuration of a point, or the user's own one, kept in memory.

        Raises:
            ConfigError: Its settings do not go together.
        """
        chosen = self._space.settings(point) if self._space and point else {}
        # Parts that use chance get the same at every trial.
        seeded = {} if self.own.top.seed is not None else {"seed": 0}
        return self._load(laid(self.given, chosen, seeded, IN_MEMORY), self._catalogue)

    def valid(self, point: Point) -> bool:
        """Whether its settings go together."""
        try:
            self.config(point)
        except ConfigError:
            return False
        return True

    async def cases(self, files: Sequence[str], wanted: Sequence[str]) -> tuple[list[Case], int]:
        """The sessions that exceed the budget, and the tokens of the largest session.

        Raises:
            FormatError: A file cannot be read; says where.
            OSError: It is not there, or not readable.
            ReplayError: No session was chosen, or there is none in the files.
        """
        import lamina

        async with lamina.open(config=self.config(None)) as context:
            recordings = read(context, files, wanted)
            if not recordings:
                which = f"no session fits --session {' '.join(wanted)}" if wanted else "no messages in it"
                raise ReplayError(f"{', '.join(files)}: {which}")
            found, largest = [], 0
            for number, recording in enumerate(recordings, start=1):
                history = await _history(context, recording, number)
                largest = max(largest, *history, 0)
                pressed = sum(tokens > self.budget for tokens in history)
                if pressed:
                    found.append(Case(recording, pressed))
        return found, largest

    async def __call__(self, point: Point, wanted: Wanted) -> None:
        """Replay what is wanted, one session after another."""
        import lamina

        async with lamina.open(config=self.config(point)) as context:
            outcome = Outcome("trial", None)

            def feed() -> Iterator[Recording]:
                while (recording := wanted(outcome.played)) is not None:
                    yield recording

            await replay([(outcome, context)], feed(), self.budget)


def _refusing(offer: Offer) -> Offer:
    """The offer; one that is not for trials cannot be opened."""
    if for_trials(offer.settings):
        return offer

    def refuse(settings: Any, host: Host) -> NoReturn:
        where = f"{TABLES[offer.kind]}.{host.name}"
        raise ConfigError([f"{where}: is not for trials (each may cost money or reach the network)"])

    return evolve(offer, opener=refuse)


def _sharing(counter: Counter, name: str, opener: Opener[Counter]) -> Opener[Counter]:
    """Gives the open counter for this name, and opens others."""

    @asynccontextmanager
    async def share(settings: Any, host: Host) -> AsyncIterator[Counter]:
        if host.name == name:
            yield counter
        else:
            async with opener(settings, host) as other:
                yield other

    return share


async def _history(context: Context, recording: Recording, number: int) -> list[int]:
    """Tokens of the full history at each step."""
    steps = await steps_of(context, recording, f"steps of {number}")
    info = context.count.info
    texts = Texts(
        context.count,
        message_tokens=info.message_tokens,
        call_tokens=info.call_tokens,
        image_tokens=info.image_tokens,
    )
    before = list(accumulate((texts.facts(message).tokens for message in steps.history), initial=0))
    return [before[index] for index in steps.before.values()]


def laid(*trees: Mapping[str, Any]) -> dict[str, Any]:
    """Settings one over the other, the later ones winning."""
    found: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            under = found.get(key)
            if isinstance(value, Mapping):
                found[key] = laid(under if isinstance(under, Mapping) else {}, value)
            else:
                found[key] = value
    return found
