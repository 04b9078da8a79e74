"""The version of the protocols, the kinds of parts, and how a part is opened."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from lamina.host import Host

PROTOCOL = 1
"""Version of these protocols. An offer for another version is refused by name when it is registered."""

KINDS = (
    "storage",
    "tier",
    "index",
    "embedder",
    "ranker",
    "compressor",
    "scorer",
    "counter",
    "pager",
    "tool",
    "executor",
    "format",
)
"""The kinds of parts that configuration chooses, each a table of named instances (``[storages.main]``)."""

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
