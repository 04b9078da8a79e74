"""The hooks that a plugin may implement; all are optional.

``register_*`` hooks run once, at start, and only *register named openers with their settings class*: nothing is
opened, nothing heavy imported. The other hooks notify observers, and one decides. No hook is ever called on a hot
path: notifications come once per compaction, fault, written memory or finished call, and only where an observer
is installed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pluggy

from lamina.protocols import (
    Compressor,
    Consolidator,
    Counter,
    Embedder,
    Executor,
    Extractor,
    Format,
    Grants,
    Index,
    Opener,
    Pager,
    Ranker,
    Scorer,
    Storage,
    Tier,
    Tool,
    ToolSource,
)

if TYPE_CHECKING:
    import argparse

    from lamina.model import Call, CallResult, Memory
    from lamina.protocols import Decision
    from lamina.window import Window

GROUP = "lamina"
"""The one entry-point group, and the name of the pluggy project."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)

T_contra = TypeVar("T_contra", contravariant=True)


class Register(Protocol[T_contra]):
    """What a ``register_*`` hook is given: call it once per strategy that the plugin offers."""

    def __call__(
        self, name: str, opener: Opener[T_contra], settings: type, /, *, protocol: int | tuple[int, int] = 1
    ) -> None:
        """Offer ``opener`` under ``name``.

        Args:
            name: What configuration calls it; unique for its kind among all that is installed.
            opener: Opens one instance; see :class:`lamina.protocols.Opener`.
            settings: An attrs class, every field documented and with a default where one makes sense.
            protocol: The version of its kind's protocol that it was written for, or the first and the last one that
                it can do; see :data:`lamina.protocols.PROTOCOLS`. Who says nothing was written for the first.
        """
        ...


class RegisterProfile(Protocol):
    """What ``register_profile`` is given."""

    def __call__(self, name: str, settings: Mapping[str, Any], /) -> None:
        """Offer a partial configuration, in the shape of ``lamina.toml``, under ``name``."""
        ...


class RegisterCommand(Protocol):
    """What ``register_command`` is given."""

    def __call__(
        self,
        name: str,
        help: str,
        configure: Callable[[argparse.ArgumentParser], None],
        run: Callable[[argparse.Namespace], int],
        /,
    ) -> None:
        """Offer a subcommand of ``lamina``.

        Beside the command's own arguments, ``run`` finds in the namespace what the global options say:

        - ``config`` (the file's path or ``None``), ``profile`` (a name or ``None``) and ``settings`` (in the shape
          of ``lamina.toml``): for :func:`lamina.open` or :func:`lamina.config.load`;
        - ``catalogue``: what is installed, found already;
        - ``debug``: whether tracebacks are wanted.

        A command that has an option of the same name itself gets its own instead (``--config`` of ``replay``).

        Args:
            name: The subcommand.
            help: One line.
            configure: Adds its arguments to the parser it is given.
            run: Does it and gives the exit code; :class:`lamina.LaminaError` becomes one line and exit code 1.
        """
        ...


class Hooks:
    """The hook specifications. ``hookimpl`` marks a module's functions as implementations."""

    @hookspec
    def register_storage(self, register: Register[Storage]) -> None:
        """Offer storages."""

    @hookspec
    def register_tier(self, register: Register[Tier]) -> None:
        """Offer tiers of memory."""

    @hookspec
    def register_index(self, register: Register[Index]) -> None:
        """Offer indexes."""

    @hookspec
    def register_embedder(self, register: Register[Embedder]) -> None:
        """Offer embedders."""

    @hookspec
    def register_ranker(self, register: Register[Ranker]) -> None:
        """Offer rankers of what indexes found."""

    @hookspec
    def register_consolidator(self, register: Register[Consolidator]) -> None:
        """Offer consolidators of memories."""

    @hookspec
    def register_extractor(self, register: Register[Extractor]) -> None:
        """Offer extractors of memories."""

    @hookspec
    def register_compressor(self, register: Register[Compressor]) -> None:
        """Offer compressors."""

    @hookspec
    def register_scorer(self, register: Register[Scorer]) -> None:
        """Offer scorers of pages."""

    @hookspec
    def register_counter(self, register: Register[Counter]) -> None:
        """Offer token counters."""

    @hookspec
    def register_pager(self, register: Register[Pager]) -> None:
        """Offer pagers."""

    @hookspec
    def register_tool(self, register: Register[Tool | ToolSource]) -> None:
        """Offer tools, or sources of many that may change."""

    @hookspec
    def register_executor(self, register: Register[Executor]) -> None:
        """Offer executors of tool calls."""

    @hookspec
    def register_grants(self, register: Register[Grants]) -> None:
        """Offer parts that permit calls."""

    @hookspec
    def register_format(self, register: Register[Format]) -> None:
        """Offer formats of messages and recordings."""

    @hookspec
    def register_profile(self, register: RegisterProfile) -> None:
        """Offer partial configurations by name."""

    @hookspec
    def register_command(self, register: RegisterCommand) -> None:
        """Offer subcommands of the command line."""

    @hookspec
    def window_compacted(self, window: Window) -> None:
        """A window was built by a compaction, which is committed."""

    @hookspec
    def pages_paged_out(self, session: str, pages: tuple[tuple[int, int], ...]) -> None:
        """A compaction paged out these runs (first and last id, inclusive)."""

    @hookspec
    def page_faulted(self, session: str, page: int) -> None:
        """A page that was not resident was needed."""

    @hookspec
    def memory_written(self, memory: Memory, tier: str) -> None:
        """A memory was written to a tier, or moved there."""

    @hookspec
    def call_finished(self, result: CallResult) -> None:
        """A tool call came to its end, well or not."""

    @hookspec
    def call_decided(self, call: Call, decision: Decision) -> None:
        """It was decided whether a call may run, and by which rule; after asking, once more."""

    @hookspec
    def authorize(self, call: Call, decision: Decision) -> bool | Awaitable[bool | None] | None:
        """Decide about a call whose grant says ``ask``: true, false, or ``None`` to leave it to others.

        May be ``async``, to ask a person: only this call waits.

        All are asked, in no order. The call is allowed where one says true, and none says anything else or raises.
        """
