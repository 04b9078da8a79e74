"""The version of the protocols, the kinds of parts, and how a part is opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from lamina.host import Host

KINDS = (
    "storage",
    "tier",
    "index",
    "embedder",
    "ranker",
    "consolidator",
    "extractor",
    "compressor",
    "scorer",
    "counter",
    "pager",
    "tool",
    "executor",
    "grants",
    "format",
)
"""The kinds of parts that configuration chooses, each a table of named instances (``[storages.main]``)."""

PROTOCOLS: Mapping[str, tuple[int, int]] = dict.fromkeys(KINDS, (1, 1))
"""The first and the last version of each kind's protocol that this release speaks. A kind's number grows alone, when a
part written before could no longer work; an offer whose own range does not meet it is refused by name."""

T_co = TypeVar("T_co", covariant=True)


class Opener(Protocol[T_co]):
    """Opens one configured instance: ``async with opener(settings, host) as part``.

    ``settings`` is an instance of the settings class that was registered beside the opener; ``host`` gives the
    clock, the random generator, the logger, paths, the namespace and other configured parts. Import heavy
    dependencies inside, so that an installed but unused plugin costs nothing.
    """

    def __call__(self, settings: Any, host: Host, /) -> AbstractAsyncContextManager[T_co]:
        """Give the part; close it on exit."""
        ...
