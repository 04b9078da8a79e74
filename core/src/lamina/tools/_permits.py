"""Whether a call may run: what grants say, what hooks answer where these ask, and a record of each decision."""

from __future__ import annotations

import inspect
from typing import Any

from lamina.errors import DeniedError
from lamina.logging import logger
from lamina.model import Call
from lamina.outputs import failure_of
from lamina.plugins import Catalogue
from lamina.protocols import Decision, GrantRequest, Grants, HidingGrants, ToolSpec

_ANSWERS = ("allow", "ask", "deny")
_ALLOWED = Decision("allow", "default", "changes nothing that cannot be taken back")
_REMEDY = "may change what cannot be taken back; allow it by a rule of the part that [calls] grants names"


class EffectGrants:
    """What stands where no grants are configured: all but what changes the world is allowed."""

    async def decide(self, request: GrantRequest) -> Decision:
        """By the tool's effects alone."""
        return Decision("deny", "default", _REMEDY) if request.spec.effects.changes_world else _ALLOWED

    def hides(self, spec: ToolSpec) -> bool:
        """Whether it is denied, which here depends on nothing but the tool."""
        return spec.effects.changes_world


class Permits:
    """Asks the grants, and the hooks where these say so.

    Args:
        grants: The configured part, or ``None``.
        name: What configuration calls it.
        namespace: The tenant.
        catalogue: Has the hooks.
    """

    def __init__(self, grants: Grants | None, name: str, namespace: str, catalogue: Catalogue) -> None:
        self._grants: Grants = EffectGrants() if grants is None else grants
        self._name, self._namespace, self._catalogue = name, namespace, catalogue
        self._observed = catalogue.observed("call_decided")
        self._log: Any = None

    def hides(self, spec: ToolSpec) -> bool:
        """Whether models are not shown a tool, because no call of it would run."""
        return isinstance(self._grants, HidingGrants) and self._grants.hides(spec) is True

    async def decide(self, call: Call, spec: ToolSpec) -> Decision:
        """What the grants say; what they do wrong denies the call. Logged, and told to observers."""
        try:
            decided = await self._grants.decide(GrantRequest(call, spec, self._namespace))
        except Exception as error:  # noqa: BLE001 - the plugin boundary: who cannot decide has not allowed it
            decided = Decision("deny", self._name, f"grants {self._name!r} failed: {failure_of(error).text}")
        if type(decided) is not Decision or decided.answer not in _ANSWERS:
            decided = Decision("deny", self._name, f"grants {self._name!r} gave {decided!r:.100}, which is no decision")
        self._record(call, decided)
        return decided

    def _record(self, call: Call, decided: Decision) -> None:
        if self._log is None:
            # Bound once, with the first decision: a logger costs more to bind than a decision to make.
            self._log = logger(part="tools").bind()
        self._log.info("call decided", tool=call.tool, call=call.id, session=call.session, answer=decided.answer,
                       rule=decided.rule, why=decided.why)  # fmt: skip
        if self._observed:
            self._catalogue.notify("call_decided", call=call, decision=decided)

    async def ask(self, call: Call, decided: Decision) -> Decision:
        """What the ``authorize`` hooks decide together: one that says no, or that fails, outweighs all others.

        Raises:
            DeniedError: None said yes, or one did not.
        """
        allowed = ""
        try:
            for impl in self._catalogue.manager.hook.authorize.get_hookimpls():
                plugin = impl.plugin_name.partition(":")[0]
                if await self._answer(impl, plugin, call, decided):
                    allowed = plugin
            if not allowed:
                raise DeniedError(
                    call.tool, f"it has to be asked for ({decided.rule}), and no authorize hook allowed it"
                )
        except DeniedError as denied:
            self._record(call, Decision("deny", decided.rule, denied.why))
            raise
        answered = Decision("allow", decided.rule, f"{allowed} was asked and allowed it")
        self._record(call, answered)
        return answered

    async def _answer(self, impl: Any, plugin: str, call: Call, decided: Decision) -> bool:
        facts = {"call": call, "decision": decided}
        try:
            said = impl.function(*(facts[name] for name in impl.argnames))
            if inspect.isawaitable(said):
                said = await said
        except Exception as error:
            raise DeniedError(call.tool, f"the authorize hook of {plugin} failed: {failure_of(error).text}") from error
        if said is not None and said is not True:
            raise DeniedError(call.tool, f"the authorize hook of {plugin} said {said!r}")
        return said is True
