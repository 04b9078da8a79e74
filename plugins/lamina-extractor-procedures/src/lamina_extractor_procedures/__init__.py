"""What worked and what did not, drawn from agents' calls for lamina, without a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from attrs import field, frozen, validators

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.kit.working import State
from lamina.model import Draft
from lamina.protocols import Extractor, ExtractRequest


@frozen
class ProceduresSettings:
    """Settings of the procedures."""

    most: int = field(default=20, validator=validators.ge(1))
    """Memories of each sort that are drawn from one piece of a conversation; the newest."""


class Procedures:
    """Draws the commands that build and test and how they went last, and what failed and was not mended.

    Args:
        most: Memories of each sort, at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most

    async def extract(self, request: ExtractRequest) -> Sequence[Draft]:
        """What the pages say of work: ``works`` and ``dead end`` are their tags. O(calls)."""
        state = State()
        for page in request.pages:
            state.take(page)
        drawn: dict[str, Draft] = {}
        for work, ran in list(state.ran.items())[-self._most :]:
            if not ran.failed:
                told = f"`{work}` works{f': {ran.says}' if ran.says else ''}"
                drawn.setdefault(told, self._draft(request, told, "works", ran.page))
        for failed in list(state.failed.values())[-self._most :]:
            told = f"tried and failed: {failed.call}{f' — {failed.says}' if failed.says else ''}"
            drawn.setdefault(told, self._draft(request, told, "dead end", failed.page))
        return list(drawn.values())

    def _draft(self, request: ExtractRequest, told: str, tag: str, page: int) -> Draft:
        return Draft(told, "procedural", (tag,), 0.6, (f"{request.session}#{page}",), author="assistant")


@asynccontextmanager
async def open_procedures(settings: ProceduresSettings, host: Host) -> AsyncIterator[Extractor]:
    """Open the extractor."""
    yield Procedures(settings.most)


@hookimpl
def register_extractor(register: Register[Extractor]) -> None:
    """Offer ``procedures``."""
    register("procedures", open_procedures, ProceduresSettings)
