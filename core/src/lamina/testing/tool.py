"""The conformance suite of tools."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest

from lamina.model import Call
from lamina.protocols import Tool, ToolSpec
from lamina.testing.suite import Suite

OpenTool = Callable[[], AbstractAsyncContextManager[Tool]]

TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


def schema_faults(schema: Any, at: str = "parameters") -> list[str]:
    """What is wrong with a JSON Schema, as far as models and providers care; empty when nothing is."""
    if isinstance(schema, bool):
        return []
    if not isinstance(schema, Mapping):
        return [f"{at}: not a schema: {schema!r}"]
    types = schema.get("type", [])
    given = [types] if isinstance(types, str) else types
    faults = [f"{at}.type: {name!r}" for name in given if name not in TYPES]
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping):
        return [*faults, f"{at}.properties: not an object"]
    for name, below in properties.items():
        faults += schema_faults(below, f"{at}.properties.{name}")
    required = schema.get("required", [])
    if not isinstance(required, list | tuple) or not all(isinstance(name, str) for name in required):
        faults.append(f"{at}.required: not a list of names")
    else:
        faults += [f"{at}.required: {name!r} is no property" for name in required if name not in properties]
    for key in ("items", "additionalProperties"):
        if key in schema:
            faults += schema_faults(schema[key], f"{at}.{key}")
    if "enum" in schema and not (isinstance(schema["enum"], list | tuple) and schema["enum"]):
        faults.append(f"{at}.enum: not a list of values")
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

    def spec(self, open_tool: OpenTool) -> ToolSpec:
        """The tool's specification."""

        async def opened() -> ToolSpec:
            async with open_tool() as tool:
                return tool.spec

        return asyncio.run(opened())

    def test_its_name_is_one_that_every_provider_takes(self, open_tool: OpenTool) -> None:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", self.spec(open_tool).name)

    def test_it_says_what_it_does(self, open_tool: OpenTool) -> None:
        assert self.spec(open_tool).description.strip()

    def test_its_parameters_are_a_json_schema_of_an_object(self, open_tool: OpenTool) -> None:
        parameters = self.spec(open_tool).parameters
        assert json.loads(json.dumps(parameters)) == parameters
        assert parameters.get("type") == "object"
        assert schema_faults(parameters) == []

    def test_the_arguments_of_the_suite_are_of_the_schema(self, open_tool: OpenTool) -> None:
        assert self.arguments
        parameters = self.spec(open_tool).parameters
        for arguments in self.arguments:
            assert set(parameters.get("required", ())) <= set(arguments) <= set(parameters.get("properties", {}))

    def test_arguments_that_fit_run_and_give_text(self, open_tool: OpenTool) -> None:
        async def run() -> list[Any]:
            async with open_tool() as tool:
                calls = [Call(tool.spec.name, a, id=f"{n}", session=self.session) for n, a in enumerate(self.arguments)]
                return [await tool.call(call) for call in calls]

        assert all(isinstance(text, str) for text in asyncio.run(run()))

    def test_many_calls_at_once_run(self, open_tool: OpenTool) -> None:
        async def run() -> list[Any]:
            async with open_tool() as tool:
                calls = [Call(tool.spec.name, self.arguments[0], id=f"{n}", session=self.session) for n in range(20)]
                return await asyncio.gather(*(tool.call(call) for call in calls))

        assert all(isinstance(text, str) for text in asyncio.run(run()))
