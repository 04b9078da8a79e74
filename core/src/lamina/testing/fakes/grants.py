"""Sound grants, and some for each way to break the protocol; ``fails`` names the tests that they must fail."""

from __future__ import annotations

from typing import Any, ClassVar

from lamina.protocols import Decision, GrantRequest, ToolSpec

ANSWERED = "test_what_it_must_allow_ask_and_deny_is_answered_so"
NAMES = "test_every_decision_names_its_rule"
AGAIN = "test_the_same_is_answered_again_and_by_many_at_once"
UNCHANGED = "test_deciding_changes_no_argument"
ANY = "test_any_arguments_and_any_session_have_an_answer"
DEFAULT = "test_what_changes_the_world_is_not_allowed_by_default"
HIDES = "test_a_tool_that_it_hides_is_denied_always"


class SoundGrants:
    """Allows what says please, asks about what does not, and denies what begins with no."""

    fails: ClassVar[frozenset[str]] = frozenset()

    async def decide(self, request: GrantRequest) -> Any:
        return self.answer(request)

    def answer(self, request: GrantRequest) -> Decision:
        """The decision."""
        text = str(request.call.arguments.get("text", ""))
        if request.call.tool.startswith("no") or text.startswith("no"):
            return Decision("deny", "no", "it says no")
        if "please" in text and not request.spec.effects.changes_world:
            return Decision("allow", "please", "it says please")
        return Decision("ask", "default")

    def hides(self, spec: ToolSpec) -> bool:
        """Whether it is denied always."""
        return spec.name.startswith("no")


class AllowsAll(SoundGrants):
    """Allows everything."""

    fails = frozenset({ANSWERED, DEFAULT, HIDES})

    def answer(self, request: GrantRequest) -> Decision:
        return Decision("allow", "all")


class NamesNoRule(SoundGrants):
    """Does not say why."""

    fails = frozenset({NAMES})

    def answer(self, request: GrantRequest) -> Decision:
        return Decision(super().answer(request).answer, "")


class Alternates(SoundGrants):
    """Changes its mind each time it is asked the same."""

    fails = frozenset({AGAIN})

    def __init__(self) -> None:
        self._asked: set[str] = set()

    def answer(self, request: GrantRequest) -> Decision:
        said, key = super().answer(request), repr(request.call)
        if key in self._asked:
            return Decision("deny", "again")
        self._asked.add(key)
        return said


class TakesOut(SoundGrants):
    """Takes an argument out."""

    fails = frozenset({UNCHANGED})

    async def decide(self, request: GrantRequest) -> Any:
        said = self.answer(request)
        arguments: Any = request.call.arguments
        arguments.pop("text", None)
        return said


class KnowsTextsOnly(SoundGrants):
    """Raises where an argument is no text."""

    fails = frozenset({ANY})

    def answer(self, request: GrantRequest) -> Decision:
        for value in request.call.arguments.values():
            value.startswith("no")
        return super().answer(request)


class TrustsTheUnknown(SoundGrants):
    """Allows what nothing was said about."""

    fails = frozenset({DEFAULT})

    def answer(self, request: GrantRequest) -> Decision:
        return Decision("allow", "unknown") if request.call.tool == "unheard-of" else super().answer(request)


class HidesWhatItAllows(SoundGrants):
    """Hides everything."""

    fails = frozenset({HIDES})

    def hides(self, spec: ToolSpec) -> bool:
        return True


BROKEN: tuple[type[SoundGrants], ...] = (
    AllowsAll,
    NamesNoRule,
    Alternates,
    TakesOut,
    KnowsTextsOnly,
    TrustsTheUnknown,
    HidesWhatItAllows,
)
