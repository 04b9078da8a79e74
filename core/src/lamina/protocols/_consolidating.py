"""Tidying memories up: what says the same, what is outdated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from attrs import frozen

from lamina.model import Memory
from lamina.protocols._ranking import Read


@frozen
class ConsolidateRequest:
    """Asks what became superfluous by memories that are new."""

    memories: Sequence[Memory]
    """New or changed since they were last looked at, with their texts; a batch, oldest first."""
    now_s: float
    read: Read
    """Reads others, with their texts; those that are superseded already are left out."""


@frozen
class Superseded:
    """One memory takes the place of another, which stays readable and is not recalled any more."""

    old: str
    by: str
    """Gains the other's uses and provenance where they ``merge``."""
    why: str
    """In a few words, for the history."""
    merge: bool = False
    """Whether the two say the same; otherwise the new one corrects the old one."""


@runtime_checkable
class Consolidator(Protocol):
    """Says which memories another one takes the place of. The kernel writes it down, and can undo it."""

    async def consolidate(self, request: ConsolidateRequest) -> Sequence[Superseded]:
        """At most one for each old memory; none supersedes itself, nor in a circle. Deterministic.

        Asked for each memory once, and again after it changed; an answer may be lost by a crash, and is then asked for
        again.
        """
        ...
