"""A sound tool, and one for each way to break the protocol; ``fails`` names the tests that it must fail."""

from __future__ import annotations

from typing import Any, ClassVar

from lamina.model import Call
from lamina.protocols import ToolSpec

NAME = "test_its_name_is_one_that_every_provider_takes"
SAYS = "test_it_says_what_it_does"
SCHEMA = "test_its_parameters_are_a_json_schema_of_an_object"
FIT = "test_the_arguments_of_the_suite_are_of_the_schema"
RUN = "test_arguments_that_fit_run_and_give_text"
MANY = "test_many_calls_at_once_run"


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": ["text"]}


class SoundTool:
    """Says what it was told."""

    fails: ClassVar[frozenset[str]] = frozenset()
    spec = ToolSpec("echo", "Say it.", _object(text={"type": "string"}))

    async def call(self, request: Call) -> Any:
        return str(request.arguments["text"])


class HasAName(SoundTool):
    """Has a name with a space."""

    fails = frozenset({NAME})
    spec = ToolSpec("my echo", "Say it.", _object(text={"type": "string"}))


class SaysNothing(SoundTool):
    """Has no description."""

    fails = frozenset({SAYS})
    spec = ToolSpec("echo", " ", _object(text={"type": "string"}))


class HasAStrangeType(SoundTool):
    """Uses a type that JSON Schema does not have."""

    fails = frozenset({SCHEMA})
    spec = ToolSpec("echo", "Say it.", _object(text={"type": "str"}))


class TakesAList(SoundTool):
    """Takes no object."""

    fails = frozenset({SCHEMA})
    spec = ToolSpec("echo", "Say it.", _object(text={"type": "string"}) | {"type": "array"})


class WantsTheUnknown(SoundTool):
    """Requires what it does not describe."""

    fails = frozenset({SCHEMA, FIT})
    spec = ToolSpec("echo", "Say it.", _object(words={"type": "string"}))


class GivesNumbers(SoundTool):
    """Gives no text."""

    fails = frozenset({RUN, MANY})

    async def call(self, request: Call) -> Any:
        return len(request.arguments["text"])


class RunsOnce(SoundTool):
    """Runs only one call at a time."""

    fails = frozenset({MANY})

    def __init__(self) -> None:
        self._busy = False

    async def call(self, request: Call) -> Any:
        import asyncio

        if self._busy:
            raise RuntimeError("busy")
        self._busy = True
        await asyncio.sleep(0)
        self._busy = False
        return "done"


BROKEN: tuple[type[SoundTool], ...] = (
    HasAName,
    SaysNothing,
    HasAStrangeType,
    TakesAList,
    WantsTheUnknown,
    GivesNumbers,
    RunsOnce,
)
