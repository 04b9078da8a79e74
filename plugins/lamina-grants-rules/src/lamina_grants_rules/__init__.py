"""Permits tool calls by rules, for lamina."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar, Literal

from attrs import field, frozen

from lamina.hookspecs import Register, hookimpl
from lamina.host import Host
from lamina.protocols import Grants

Effect = Literal["read-only", "idempotent", "destructive", "open-world", "changes-world"]


@frozen
class Rule:
    """One rule."""

    decision: Literal["allow", "ask", "deny"]
    """What becomes of the calls that it is about."""
    call: str = "*"
    """A tool's name or a glob, and in parentheses a pattern of its argument: ``shell(git *)``, ``write(src/**)``."""
    effects: tuple[Effect, ...] = ()
    """Only of tools that have all of these."""
    session: str = "*"
    """Only of calls for sessions of this name or glob."""
    namespace: str = "*"
    """Only in namespaces of this name or glob."""
    why: str = ""
    """What a person and a model are told."""


@frozen
class RulesSettings:
    """Settings of ``rules``."""

    __trust__: ClassVar[bool] = True  # who may permit himself everything needs no rules

    rules: tuple[Rule, ...] = ()
    """In this order; the first that fits decides."""
    otherwise: Literal["allow", "ask", "deny"] = "allow"
    """What becomes of a call that no rule fits, of a tool that changes nothing that cannot be taken back."""
    changing: Literal["allow", "ask", "deny"] = "deny"
    """The same of a tool that destroys, or writes beyond this machine."""
    root: Path | None = field(default=None)
    """What relative paths, in calls and in patterns, are relative to; the working folder by default."""


@asynccontextmanager
async def open_rules(settings: RulesSettings, host: Host) -> AsyncIterator[Grants]:
    """Open ``rules``.

    Raises:
        ConfigError: A rule cannot be read.
    """
    from lamina_grants_rules._grants import RuleGrants

    yield RuleGrants(settings, f"grants.{host.name}")


@hookimpl
def register_grants(register: Register[Grants]) -> None:
    """Offer ``rules``."""
    register("rules", open_rules, RulesSettings, protocol=1)
