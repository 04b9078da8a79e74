"""A sound tool and a sound source, and those that break the protocol; ``fails`` names the tests that they must fail."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from attrs import evolve

from lamina.outputs import Output, text_output
from lamina.protocols import Effects, RunRequest, ToolSpec

SPEC = "test_its_specification_is_one_that_models_and_providers_take"
EFFECTS = "test_its_effects_do_not_contradict_each_other"
FIT = "test_the_arguments_of_the_suite_fit_its_schema"
RUN = "test_arguments_that_fit_run_and_give_an_output"
STRUCTURED = "test_a_structured_value_is_as_its_schema_says"
UNCHANGED = "test_running_it_does_not_change_its_arguments"
MANY = "test_many_calls_at_once_run"
CANCELS = "test_a_cancelled_run_ends"

EACH = "test_each_of_its_tools_is_one_that_models_and_providers_take"
WAITS = "test_without_a_change_it_waits_and_has_the_same_tools"
TOLD = "test_a_change_is_told_and_then_seen"


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": ["text"]}


TEXT = _object(text={"type": "string"})


class SoundTool:
    """Says what it was told."""

    fails: ClassVar[frozenset[str]] = frozenset()
    spec = ToolSpec("echo", "Say it.", TEXT, output={"type": "object"})

    async def run(self, request: RunRequest) -> Any:
        await asyncio.sleep(0)
        return Output(text_output(str(request.arguments["text"])).parts, {"said": request.arguments["text"]})


class HasAName(SoundTool):
    """Has a name with a space."""

    fails = frozenset({SPEC})
    spec = ToolSpec("my echo", "Say it.", TEXT)


class SaysNothing(SoundTool):
    """Has no description."""

    fails = frozenset({SPEC})
    spec = ToolSpec("echo", " ", TEXT)


class HasAStrangeType(SoundTool):
    """Uses a type that JSON Schema does not have."""

    fails = frozenset({SPEC, FIT})
    spec = ToolSpec("echo", "Say it.", _object(text={"type": "str"}))


class TakesAList(SoundTool):
    """Takes no object."""

    fails = frozenset({SPEC, FIT})
    spec = ToolSpec("echo", "Say it.", TEXT | {"type": "array"})


class WantsTheUnknown(SoundTool):
    """Requires what it does not describe."""

    fails = frozenset({SPEC})
    spec = ToolSpec("echo", "Say it.", _object(words={"type": "string"}))


class HoldsTheUnknown(SoundTool):
    """Wants for itself alone what no argument names."""

    fails = frozenset({SPEC})
    spec = evolve(SoundTool.spec, resources=("file:{path}",))


class TakesNoMore(SoundTool):
    """Takes fewer arguments than it is said to."""

    fails = frozenset({FIT})
    spec = ToolSpec("echo", "Say it.", _object(text={"type": "string", "maxLength": 1}))


class DestroysByReading(SoundTool):
    """Says that it changes nothing, and that it destroys."""

    fails = frozenset({EFFECTS})
    spec = evolve(SoundTool.spec, effects=Effects(read_only=True, destructive=True))


class GivesText(SoundTool):
    """Gives no output."""

    fails = frozenset({RUN, MANY, STRUCTURED})

    async def run(self, request: RunRequest) -> Any:
        return str(request.arguments["text"])


class GivesWhatJsonHasNot(SoundTool):
    """Gives a set."""

    fails = frozenset({RUN})
    spec = evolve(SoundTool.spec, output=None)

    async def run(self, request: RunRequest) -> Any:
        return Output(text_output("x").parts, {1, 2})


class GivesAnotherForm(SoundTool):
    """Gives what its schema does not say."""

    fails = frozenset({STRUCTURED})

    async def run(self, request: RunRequest) -> Any:
        return Output(text_output("x").parts, [1])


class Pops(SoundTool):
    """Takes its arguments out of the call."""

    fails = frozenset({UNCHANGED})

    async def run(self, request: RunRequest) -> Any:
        arguments: Any = request.arguments
        return Output(text_output(arguments["text"]).parts, {"said": arguments.pop("times", 1)})


class RunsOnce(SoundTool):
    """Runs only one call at a time, and does not say so."""

    fails = frozenset({MANY})

    def __init__(self) -> None:
        self._busy = False

    async def run(self, request: RunRequest) -> Any:
        if self._busy:
            raise RuntimeError("busy")
        self._busy = True
        try:
            return await super().run(request)
        finally:
            self._busy = False


class WillNotBeCancelled(SoundTool):
    """Goes on when it is cancelled."""

    fails = frozenset({CANCELS})

    async def run(self, request: RunRequest) -> Any:
        try:
            return await super().run(request)
        except asyncio.CancelledError:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return await super().run(request)


BROKEN: tuple[type[SoundTool], ...] = (
    HasAName,
    SaysNothing,
    HasAStrangeType,
    TakesAList,
    WantsTheUnknown,
    HoldsTheUnknown,
    TakesNoMore,
    DestroysByReading,
    GivesText,
    GivesWhatJsonHasNot,
    GivesAnotherForm,
    Pops,
    RunsOnce,
    WillNotBeCancelled,
)


class SoundSource:
    """Has one tool, and one more after each change."""

    fails: ClassVar[frozenset[str]] = frozenset()

    def __init__(self) -> None:
        self.count, self.signal = 1, asyncio.Event()

    async def tools(self) -> Any:
        return [self.tool(n) for n in range(self.count)]

    def tool(self, n: int) -> SoundTool:
        made = SoundTool()
        made.spec = evolve(made.spec, name=f"echo{n}")
        return made

    async def changed(self) -> None:
        await self.signal.wait()
        self.signal.clear()

    def change(self) -> None:
        self.count += 1
        self.signal.set()


class NamesTwice(SoundSource):
    """Has two tools of one name."""

    fails = frozenset({EACH})

    async def tools(self) -> Any:
        return [self.tool(0), *(await super().tools())]


class AlwaysChanges(SoundSource):
    """Says at once that something changed."""

    fails = frozenset({WAITS})

    async def changed(self) -> None:
        await asyncio.sleep(0)


class ToldTooEarly(SoundSource):
    """Says that something changed before it does."""

    fails = frozenset({TOLD})

    def change(self) -> None:
        self.signal.set()


BROKEN_SOURCES: tuple[type[SoundSource], ...] = (NamesTwice, AlwaysChanges, ToldTooEarly)
