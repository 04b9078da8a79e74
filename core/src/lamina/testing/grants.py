"""The conformance suite of grants."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.model import Call
from lamina.protocols import Decision, Effects, GrantRequest, Grants, HidingGrants, ToolSpec
from lamina.testing.executor import VALUES
from lamina.testing.suite import Suite

T = TypeVar("T")
OpenGrants = Callable[[], AbstractAsyncContextManager[Grants]]
Case = tuple[str, Mapping[str, Any]]

ANYTHING: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}


class GrantsSuite(Suite):
    """What every part that permits calls must hold.

    Give a fixture ``open_grants``: ``async with open_grants() as grants``; in ``specs`` the tools that it is about, and
    in ``allowed``, ``asked`` and ``denied`` calls (a tool's name and arguments) that it must answer so, as the fixture
    opens it. One of them may be empty where it never answers so.
    """

    specs: ClassVar[Sequence[ToolSpec]]
    allowed: ClassVar[Sequence[Case]] = ()
    asked: ClassVar[Sequence[Case]] = ()
    denied: ClassVar[Sequence[Case]] = ()

    @pytest.fixture
    def open_grants(self) -> OpenGrants:
        raise NotImplementedError("give the fixture open_grants")

    def with_grants(self, open_grants: OpenGrants, act: Callable[[Grants], Coroutine[Any, Any, T]]) -> T:
        """Do something with freshly opened grants."""

        async def opened() -> T:
            async with asyncio.timeout(30), open_grants() as grants:
                return await act(grants)

        return asyncio.run(opened())

    def request(self, case: Case, session: str | None = "s") -> GrantRequest:
        """Asks about a case."""
        name, arguments = case
        spec = next((spec for spec in self.specs if spec.name == name), ToolSpec(name, "unknown", ANYTHING))
        # A copy: what is done to the arguments is for one test alone to see.
        return GrantRequest(Call(name, copy.deepcopy(dict(arguments)), id="c1", session=session), spec, "default")

    def answers(self, open_grants: OpenGrants, cases: Sequence[Case]) -> list[Decision]:
        """What is answered to each, in one opening."""

        async def act(grants: Grants) -> list[Decision]:
            return [await grants.decide(self.request(case)) for case in cases]

        return self.with_grants(open_grants, act)

    def test_what_it_must_allow_ask_and_deny_is_answered_so(self, open_grants: OpenGrants) -> None:
        cases = [*self.allowed, *self.asked, *self.denied]
        wanted = ["allow"] * len(self.allowed) + ["ask"] * len(self.asked) + ["deny"] * len(self.denied)
        assert len(set(wanted)) >= 2, "give calls of at least two of allowed, asked and denied"
        assert [decision.answer for decision in self.answers(open_grants, cases)] == wanted

    def test_every_decision_names_its_rule(self, open_grants: OpenGrants) -> None:
        for decision in self.answers(open_grants, [*self.allowed, *self.asked, *self.denied, ("unheard-of", {})]):
            assert type(decision) is Decision
            assert decision.rule.strip()
            assert "\n" not in decision.why

    def test_the_same_is_answered_again_and_by_many_at_once(self, open_grants: OpenGrants) -> None:
        cases = [*self.allowed, *self.asked, *self.denied] * 5

        async def act(grants: Grants) -> tuple[list[Decision], list[Decision]]:
            one_by_one = [await grants.decide(self.request(case)) for case in cases]
            return one_by_one, await asyncio.gather(*(grants.decide(self.request(case)) for case in reversed(cases)))

        first, again = self.with_grants(open_grants, act)
        assert first == again[::-1]

    def test_deciding_changes_no_argument(self, open_grants: OpenGrants) -> None:
        async def act(grants: Grants) -> None:
            for case in [*self.allowed, *self.asked, *self.denied]:
                request = self.request(case)
                await grants.decide(request)
                assert request.call.arguments == case[1]

        self.with_grants(open_grants, act)

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(values=st.lists(st.dictionaries(st.sampled_from(["text", "path", "command", "x"]), VALUES, max_size=3), max_size=8))  # fmt: skip
    def test_any_arguments_and_any_session_have_an_answer(
        self, open_grants: OpenGrants, values: list[dict[str, Any]]
    ) -> None:
        async def act(grants: Grants) -> list[Any]:
            asked = [(spec.name, value) for spec in self.specs for value in values]
            return [
                await grants.decide(self.request(case, session)) for case in asked for session in (None, "", "ü/..")
            ]

        assert all(decision.answer in ("allow", "ask", "deny") for decision in self.with_grants(open_grants, act))

    def test_what_changes_the_world_is_not_allowed_by_default(self, open_grants: OpenGrants) -> None:
        """A tool that nothing was said about, and that says itself that it destroys."""
        unknown = self.request(("unheard-of", {"text": "x"}))
        destroys = evolve(unknown, spec=evolve(unknown.spec, effects=Effects(destructive=True)))
        assert self.with_grants(open_grants, lambda grants: grants.decide(destroys)).answer != "allow"

    def test_a_tool_that_it_hides_is_denied_always(self, open_grants: OpenGrants) -> None:
        async def act(grants: Grants) -> list[str]:
            if not isinstance(grants, HidingGrants):
                return []
            cases = [*self.allowed, *self.asked, *self.denied]
            hidden = [case for case in cases if grants.hides(self.request(case).spec)]
            return [(await grants.decide(self.request(case))).answer for case in hidden]

        assert set(self.with_grants(open_grants, act)) <= {"deny"}
