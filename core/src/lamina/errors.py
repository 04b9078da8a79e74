"""Every error that lamina raises on purpose.

The tree::

    LaminaError
    ├── ConfigError (ValueError)          the configuration, all faults at once
    ├── PluginError                       a plugin, named, did something wrong
    │   ├── UnknownPluginError (LookupError)   nothing of that kind and name is installed
    │   ├── DuplicatePluginError               two distributions offer one name
    │   ├── ContractError                      a part broke its protocol (counts, scores, plans, offers)
    │   └── MissingDependencyError (ImportError)   what a plugin needs is not installed
    ├── FormatError (ValueError)          input that cannot be read: file, line, why
    │   ├── DamagedError                       a record of it is no JSON: half-written, or overwritten
    │   └── SeveralSessionsError               it holds several sessions and none was chosen
    ├── StorageError
    │   ├── ConflictError                 compare-and-set lost; read again and retry
    │   ├── CapabilityError               the storage does not do what was asked, and says so
    │   ├── IntegrityError                stored data is damaged, or comes from a newer release
    │   └── ClosedError                   used after close
    ├── UnknownMemoryError (LookupError)  no memory, or no consolidation, of that id
    ├── EmbeddingError                    an embedder has no vectors now: what makes them is out of reach or refuses
    ├── SessionError
    │   ├── UnknownSessionError (LookupError)
    │   ├── UnknownPageError (LookupError)
    │   ├── SessionStateError             the life cycle does not allow it
    │   └── BudgetError (ValueError)      not even what must stay fits
    └── ToolError
        ├── UnknownToolError (LookupError)
        ├── ArgumentsError (ValueError)   the arguments do not fit the schema
        ├── SchemaError (ValueError)      a tool's schema is none, or cannot be checked in bounded time
        ├── DeniedError (PermissionError) the call has no grant
        ├── CallFailedError               raised by a tool: why, whether to try again, what to do instead
        ├── CallTimeoutError (TimeoutError)  an executor ended the call
        └── LostCallError                 what ran the call died
"""

from __future__ import annotations

from collections.abc import Sequence


class LaminaError(Exception):
    """Root of every error that lamina raises on purpose; its text is one line."""


class ConfigError(LaminaError, ValueError):
    """The configuration is wrong; ``faults`` lists every fault, each with place, value and remedy."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(tuple(faults))
        self.faults = tuple(faults)

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return f"configuration: {self.faults[0]}"
        listed = "\n  ".join(self.faults)
        return f"configuration has {len(self.faults)} errors:\n  {listed}"


class PluginError(LaminaError):
    """A plugin did something wrong; ``plugin`` names its distribution or instance."""

    def __init__(self, plugin: str, what: str) -> None:
        super().__init__(plugin, what)
        self.plugin, self.what = plugin, what

    def __str__(self) -> str:
        return f"{self.plugin}: {self.what}"


class UnknownPluginError(PluginError, LookupError):
    """The configuration names a strategy that no installed distribution offers."""

    def __init__(self, kind: str, name: str, known: Sequence[str], hint: str = "") -> None:
        PluginError.__init__(self, name, f"no {kind} of this name")
        self.args = (kind, name, tuple(known), hint)
        self.kind, self.name, self.known, self.hint = kind, name, tuple(known), hint

    def __str__(self) -> str:
        offered = ", ".join(sorted(self.known)) or "none"
        hint = f"; {self.hint}" if self.hint else ""
        return f"no {self.kind} named {self.name!r}; installed: {offered}{hint}"


class DuplicatePluginError(PluginError):
    """Two distributions offer the same kind and name."""

    def __init__(self, kind: str, name: str, first: str, second: str) -> None:
        PluginError.__init__(self, second, f"offers {kind} {name!r} a second time")
        self.args = (kind, name, first, second)
        self.kind, self.name, self.first, self.second = kind, name, first, second

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.name!r} is offered by both {self.first} and {self.second}; "
            f'uninstall one, or block it: [plugins] block = ["{self.second}"]'
        )


class ContractError(PluginError):
    """A part broke its protocol: impossible counts, scores that are not finite, a plan that is none."""


class MissingDependencyError(PluginError, ImportError):
    """What a plugin needs is not installed; the text says what to install."""


class FormatError(LaminaError, ValueError):
    """Input that cannot be read; says which source, which line and why. Nothing of it was stored."""

    def __init__(self, why: str, source: str = "input", line: int | None = None) -> None:
        super().__init__(why, source, line)
        self.why, self.source, self.line = why, source, line

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.why}"


class DamagedError(FormatError):
    """A record that is no whole JSON value; ``cut`` says whether the data ends inside it."""

    def __init__(self, why: str, source: str = "input", line: int | None = None, cut: bool = False) -> None:
        FormatError.__init__(self, why, source, line)
        self.args = (why, source, line, cut)
        self.cut = cut


class SeveralSessionsError(FormatError):
    """One session was wanted of input that holds several; ``sessions`` has their ids, in the input's order."""

    def __init__(self, sessions: Sequence[str], source: str = "input", wanted: str | None = None) -> None:
        FormatError.__init__(self, f"holds {len(sessions)} sessions", source)
        self.args = (tuple(sessions), source, wanted)
        self.sessions, self.wanted = tuple(sessions), wanted

    def __str__(self) -> str:
        none = "" if self.wanted is None else f", none of them {self.wanted!r}"
        known = ", ".join(self.sessions[:20])
        more = f" and {len(self.sessions) - 20} more (lamina import stores them all)" if len(self.sessions) > 20 else ""
        return f"{self.source}: {self.why}{none}; choose one with --session: {known}{more}"


class StorageError(LaminaError):
    """A storage could not do what was asked."""


class ConflictError(StorageError):
    """Another writer was first; nothing was written. Read again and retry."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(tuple(keys))
        self.keys = tuple(keys)

    def __str__(self) -> str:
        return f"changed by another writer: {', '.join(self.keys)}"


class CapabilityError(StorageError):
    """The storage does not have the capability that the request needs."""

    def __init__(self, capability: str, storage: str) -> None:
        super().__init__(capability, storage)
        self.capability, self.storage = capability, storage

    def __str__(self) -> str:
        return f"storage {self.storage!r} does not offer {self.capability!r}"


class IntegrityError(StorageError):
    """Stored data is damaged, or was written by a newer release."""


class ClosedError(StorageError):
    """The part was used after it was closed."""


class EmbeddingError(LaminaError):
    """An embedder has no vectors for what was asked; the text says why, and what to do."""


class SessionError(LaminaError):
    """Something about a session."""


class UnknownSessionError(SessionError, LookupError):
    """No session of that id is stored."""

    def __init__(self, session: str, known: Sequence[str] = ()) -> None:
        super().__init__(session, tuple(known))
        self.session, self.known = session, tuple(known)

    def __str__(self) -> str:
        near = f"; stored: {', '.join(self.known[:5])}" if self.known else ""
        more = f" and {len(self.known) - 5} more (lamina sessions)" if len(self.known) > 5 else ""
        return f"no session {self.session!r}{near}{more}"


class UnknownPageError(SessionError, LookupError):
    """The session has no page of that id."""

    def __init__(self, session: str, page: int | str, last: int | None = None) -> None:
        super().__init__(session, page, last)
        self.session, self.page, self.last = session, page, last

    def __str__(self) -> str:
        span = "it has none yet" if self.last is None else f"its pages are 1 to {self.last}"
        return f"no page {self.page} in session {self.session!r}; {span}"


class UnknownMemoryError(LaminaError, LookupError):
    """There is no memory, or no run of a consolidation, of that id."""

    def __init__(self, id: str, what: str = "memory") -> None:
        super().__init__(id, what)
        self.id, self.what = id, what

    def __str__(self) -> str:
        return f"no {self.what} {self.id!r}"


class SessionStateError(SessionError):
    """The session's life cycle does not allow this."""


class BudgetError(SessionError, ValueError):
    """What must stay does not fit the budget; nothing was changed."""

    def __init__(self, budget: int, needed: int, what: str) -> None:
        super().__init__(budget, needed, what)
        self.budget, self.needed, self.what = budget, needed, what

    def __str__(self) -> str:
        return f"budget of {self.budget} tokens: {self.what} need {self.needed}; raise the budget or unpin pages"


class ToolError(LaminaError):
    """Something about a tool or its call."""


class UnknownToolError(ToolError, LookupError):
    """No registered tool has that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name, tuple(known))
        self.name, self.known = name, tuple(known)

    def __str__(self) -> str:
        return f"no tool named {self.name!r}; registered: {', '.join(sorted(self.known)) or 'none'}"


class ArgumentsError(ToolError, ValueError):
    """The arguments do not fit the tool's schema; ``faults`` lists each with its path."""

    def __init__(self, tool: str, faults: Sequence[str]) -> None:
        super().__init__(tool, tuple(faults))
        self.tool, self.faults = tool, tuple(faults)

    def __str__(self) -> str:
        return f"arguments of {self.tool!r}: {'; '.join(self.faults)}"


class DeniedError(ToolError, PermissionError):
    """The call has no grant."""

    def __init__(self, tool: str, why: str) -> None:
        super().__init__(tool, why)
        self.tool, self.why = tool, why

    def __str__(self) -> str:
        return f"call of {self.tool!r} denied: {self.why}"


class SchemaError(ToolError, ValueError):
    """A tool's schema is no JSON Schema, or holds what cannot be checked in bounded time."""

    def __init__(self, tool: str, faults: Sequence[str]) -> None:
        super().__init__(tool, tuple(faults))
        self.tool, self.faults = tool, tuple(faults)

    def __str__(self) -> str:
        return f"schema of {self.tool!r}: {'; '.join(self.faults)}"


class CallFailedError(ToolError):
    """Raised by a tool that can say more about its failure than an exception's text.

    Args:
        message: What happened.
        type: A short name of the kind of failure.
        retryable: Whether the same call may succeed later, as it is.
        hint: What to do instead, in one sentence.
    """

    def __init__(self, message: str, *, type: str = "Failed", retryable: bool = False, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.type, self.retryable, self.hint = message, type, retryable, hint


class CallTimeoutError(ToolError, TimeoutError):
    """An executor ended a call that took longer than it may."""


class LostCallError(ToolError):
    """What ran the call died; whether the call was done is not known."""
