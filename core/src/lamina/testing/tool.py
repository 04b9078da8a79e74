"""The conformance suite of tools."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, TypeVar

import pytest

from lamina.errors import SchemaError
from lamina.kit.toolforms import exported
from lamina.model import Call
from lamina.outputs import Output
from lamina.protocols import Effects, RunRequest, Tool, ToolSource, ToolSpec
from lamina.testing.suite import Suite
from lamina.tools import Checker

T = TypeVar("T")
OpenTool = Callable[[], AbstractAsyncContextManager[Tool]]
OpenSource = Callable[[], AbstractAsyncContextManager[ToolSource]]

GIVE_UP_S = 10.0
"""After so long what should have ended is taken to hang."""


def spec_faults(spec: ToolSpec) -> list[str]:
    """What is wrong with a specification, as far as models, providers and the engine care; empty where nothing is."""
    faults = (
        [] if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", spec.name) else [f"name {spec.name!r}: none that providers take"]
    )
    faults += [] if spec.description.strip() else ["description: says nothing"]
    try:
        if json.loads(json.dumps(spec.parameters)) != spec.parameters:
            faults.append("parameters: JSON makes something else of them")
        Checker(spec.parameters, spec.name)
        if not faults:
            for form in ("openai", "anthropic", "mcp"):
                exported([spec], form)
    except (SchemaError, TypeError, ValueError) as error:
        faults.append(f"parameters: {error}")
    properties = spec.parameters.get("properties", {})
    if isinstance(properties, Mapping):
        named = [name for resource in spec.resources for name in re.findall(r"\{(\w+)\}", resource)]
        faults += [f"resources: {name!r} is no argument" for name in named if name not in properties]
        required = spec.parameters.get("required", [])
        faults += [f"required: {name!r} is no property" for name in required if name not in properties]
    return faults


class ToolSuite(Suite):
    """What every tool must hold.

    Give a fixture ``open_tool``: ``async with open_tool() as tool``, and in ``arguments`` some that fit the schema
    and are legal to run.
    """

    arguments: ClassVar[Sequence[Mapping[str, Any]]]
    """Arguments to run it with, at least one set of them."""
    session: ClassVar[str | None] = "test"
    """The session that calls are made for."""

    @pytest.fixture
    def open_tool(self) -> OpenTool:
        raise NotImplementedError("give the fixture open_tool")

    def with_tool(self, open_tool: OpenTool, act: Callable[[Tool], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened tool."""

        async def opened() -> T:
            async with asyncio.timeout(GIVE_UP_S), open_tool() as tool:
                return await act(tool)

        return asyncio.run(opened())

    def spec(self, open_tool: OpenTool) -> ToolSpec:
        """The tool's specification."""

        async def act(tool: Tool) -> ToolSpec:
            return tool.spec

        return self.with_tool(open_tool, act)

    def request(self, tool: Tool, arguments: Mapping[str, Any], n: int = 0) -> RunRequest:
        """Asks to run it with these."""
        # A copy: what a tool does to its arguments is for one test alone to see.
        return RunRequest(
            Call(tool.spec.name, copy.deepcopy(dict(arguments)), id=f"c{n}", session=self.session), key=f"k{n}"
        )

    def test_its_specification_is_one_that_models_and_providers_take(self, open_tool: OpenTool) -> None:
        assert spec_faults(self.spec(open_tool)) == []

    def test_its_effects_do_not_contradict_each_other(self, open_tool: OpenTool) -> None:
        effects = self.spec(open_tool).effects
        assert isinstance(effects, Effects)
        assert not (effects.read_only and effects.destructive)

    def test_the_arguments_of_the_suite_fit_its_schema(self, open_tool: OpenTool) -> None:
        assert self.arguments
        checker = Checker(self.spec(open_tool).parameters, "tool")
        assert [checker.faults(arguments) for arguments in self.arguments] == [[]] * len(self.arguments)

    def test_arguments_that_fit_run_and_give_an_output(self, open_tool: OpenTool) -> None:
        async def act(tool: Tool) -> list[Any]:
            return [await tool.run(self.request(tool, a, n)) for n, a in enumerate(self.arguments)]

        for output in self.with_tool(open_tool, act):
            assert type(output) is Output
            assert output.failure is None
            assert isinstance(output.text, str)
            assert json.loads(json.dumps(output.structured)) == output.structured

    def test_a_structured_value_is_as_its_schema_says(self, open_tool: OpenTool) -> None:
        async def act(tool: Tool) -> list[str]:
            if tool.spec.output is None:
                return []
            checker = Checker(tool.spec.output, tool.spec.name)
            outputs = [await tool.run(self.request(tool, a, n)) for n, a in enumerate(self.arguments)]
            return [fault for output in outputs for fault in checker.faults(output.structured)]

        assert self.with_tool(open_tool, act) == []

    def test_running_it_does_not_change_its_arguments(self, open_tool: OpenTool) -> None:
        async def act(tool: Tool) -> None:
            for arguments in self.arguments:
                request = self.request(tool, arguments)
                await tool.run(request)
                assert request.arguments == arguments

        self.with_tool(open_tool, act)

    def test_many_calls_at_once_run(self, open_tool: OpenTool) -> None:
        async def act(tool: Tool) -> list[Any]:
            asked = [self.request(tool, self.arguments[0], n) for n in range(min(20, tool.spec.limit or 20))]
            return await asyncio.gather(*(tool.run(one) for one in asked))

        assert all(type(output) is Output and output.failure is None for output in self.with_tool(open_tool, act))

    def test_a_cancelled_run_ends(self, open_tool: OpenTool) -> None:
        """At once or with its output, but it does not go on as if nothing had been said."""

        async def act(tool: Tool) -> bool:
            task = asyncio.ensure_future(tool.run(self.request(tool, self.arguments[0])))
            await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=GIVE_UP_S / 5)
            return bool(done) and (task.cancelled() or task.exception() is None)

        assert self.with_tool(open_tool, act)


class ToolSourceSuite(Suite):
    """What every source of tools must hold.

    Give a fixture ``open_source``: ``async with open_source() as source``, and in ``change`` what makes its list
    change, where anything does. Each of its tools is a tool: run :class:`ToolSuite` for those that matter.
    """

    least: ClassVar[int] = 1
    """So many tools it has at least, as the fixture opens it."""

    @pytest.fixture
    def open_source(self) -> OpenSource:
        raise NotImplementedError("give the fixture open_source")

    async def change(self, source: ToolSource) -> bool:
        """Make its list change; false where nothing can."""
        return False

    def with_source(self, open_source: OpenSource, act: Callable[[ToolSource], Coroutine[Any, Any, T]]) -> T:
        """Do something with a freshly opened source."""

        async def opened() -> T:
            async with asyncio.timeout(GIVE_UP_S * 3), open_source() as source:
                return await act(source)

        return asyncio.run(opened())

    def test_each_of_its_tools_is_one_that_models_and_providers_take(self, open_source: OpenSource) -> None:
        async def act(source: ToolSource) -> list[ToolSpec]:
            return [tool.spec for tool in await source.tools()]

        specs = self.with_source(open_source, act)
        assert len(specs) >= self.least
        assert [fault for spec in specs for fault in spec_faults(spec)] == []
        assert len({spec.name for spec in specs}) == len(specs)

    def test_without_a_change_it_waits_and_has_the_same_tools(self, open_source: OpenSource) -> None:
        async def act(source: ToolSource) -> bool:
            before = [tool.spec for tool in await source.tools()]
            waiting = asyncio.ensure_future(source.changed())
            done, _ = await asyncio.wait([waiting], timeout=0.2)
            waiting.cancel()
            await asyncio.wait([waiting])
            return not done and [tool.spec for tool in await source.tools()] == before

        assert self.with_source(open_source, act)

    def test_a_change_is_told_and_then_seen(self, open_source: OpenSource) -> None:
        async def act(source: ToolSource) -> bool:
            before = {tool.spec for tool in await source.tools()}
            waiting = asyncio.ensure_future(source.changed())
            await asyncio.sleep(0)
            if not await self.change(source):
                waiting.cancel()
                await asyncio.wait([waiting])
                return True
            done, _ = await asyncio.wait([waiting], timeout=GIVE_UP_S)
            waiting.cancel()
            return bool(done) and {tool.spec for tool in await source.tools()} != before

        assert self.with_source(open_source, act)
