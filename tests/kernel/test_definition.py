"""Tools of functions: what hints and docstrings become, and how arguments come in."""

from __future__ import annotations

import asyncio
import functools
import json

import jsonschema
import pytest

import lamina
from lamina import Call
from lamina.errors import ArgumentsError, SchemaError, ToolError
from lamina.kit.toolforms import exported
from lamina.outputs import Blob, Failure, Output, output_of
from lamina.protocols import RunRequest
from lamina.testing import ToolSuite
from lamina.tools import as_tool, function_tool, resolved

from . import _defined as defined


def called(kernel, function, arguments, **settings):
    async def go():
        async with kernel(settings) as ctx:
            ctx.tools.register(function)
            name = ctx.tools.specs()[0].name if ctx.tools.specs()[0].name != "echo" else ctx.tools.specs()[1].name
            return await ctx.tools.call(Call(name, arguments, id="c1"))

    return asyncio.run(go())


def test_a_function_becomes_what_its_hints_and_docstring_say():
    spec = function_tool(defined.place).spec
    assert (spec.name, spec.description) == ("place", "Put a thing somewhere. More of it here.")
    assert (spec.tags, spec.version, spec.effects.read_only) == (("places",), "2", True)
    assert spec.parameters == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "What it is called.", "maxLength": 5},
            "at": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {
                            "x": {"type": "integer", "description": "To the right."},
                            "y": {"type": "integer"},
                        },
                        "additionalProperties": False,
                        "required": ["x"],
                        "description": "Where it is.",
                    },
                    {"type": "null"},
                ],
                "description": "Where to, in two lines.",
            },
            "colours": {
                "type": "array",
                "items": {"type": "string", "enum": ["red", "blue"]},
                "uniqueItems": True,
            },
            "how": {
                "type": ["string", "integer"],
                "enum": ["fast", "slow", 3],
                "description": "The way.",
                "default": "fast",
            },
            "size": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
        },
        "additionalProperties": False,
        "required": ["name"],
    }
    assert defined.place.__name__ == "place"  # it stays the function that it is


def test_what_holds_itself_becomes_a_definition():
    parameters = function_tool(defined.grow).spec.parameters
    assert parameters["properties"] == {"tree": {"$ref": "#/$defs/Tree"}}
    assert parameters["$defs"]["Tree"]["properties"]["children"] == {"type": "array", "items": {"$ref": "#/$defs/Tree"}}


@pytest.mark.parametrize("function", [defined.place, defined.blocking, defined.grow, defined.bare])
def test_schemas_are_valid_by_their_metaschema_and_in_every_providers_form(function):
    spec = function_tool(function).spec
    jsonschema.Draft202012Validator.check_schema(spec.parameters)
    assert json.loads(json.dumps(spec.parameters)) == spec.parameters
    openai, anthropic, mcp = (exported([spec], form)[0] for form in ("openai", "anthropic", "mcp"))
    assert openai["function"]["parameters"] == anthropic["input_schema"] == mcp["inputSchema"] == spec.parameters
    assert {openai["function"]["name"], anthropic["name"], mcp["name"]} == {spec.name}
    assert mcp["annotations"]["readOnlyHint"] is spec.effects.read_only


def test_arguments_come_as_what_the_hints_say(kernel):
    arguments = {"name": "box", "at": {"x": 1, "y": 2}, "colours": ["red"], "how": 3, "size": 2}
    result = called(kernel, defined.place, arguments)
    assert result.output.structured == {"name": "box", "at": {"x": 1, "y": 2}, "colours": ["red"], "how": 3, "size": 2}
    assert json.loads(result.text) == result.output.structured
    everything = {
        "box": {"corner": {"x": 1}, "size": 2},
        "when": "2024-05-06T07:08:09",
        "day": "2024-05-06",
        "id": "12345678-1234-5678-1234-567812345678",
        "price": "1.50",
        "data": "aGk=",
        "file": "a/b",
        "far": 3,
        "either": {"x": 5},
        "pair": [1, "a"],
        "many": {"k": {"deep": True}},
        "options": {"deep": False, "limit": 3},
    }
    assert called(kernel, defined.blocking, everything).text == (
        "[Box(corner=Point(x=1, y=0), size=2.0, tags=[]), datetime.datetime(2024, 5, 6, 7, 8, 9), datetime.date(2024, 5, 6), "
        "UUID('12345678-1234-5678-1234-567812345678'), Decimal('1.50'), b'hi', PosixPath('a/b'), 3.0, Point(x=5, y=0), "
        "(1, 'a'), {'k': {'deep': True}}, {'deep': False, 'limit': 3}, False]"
    )
    grown = called(kernel, defined.grow, {"tree": {"name": "oak", "children": [{"name": "twig"}]}})
    assert grown.output.structured == {
        "name": "oak",
        "children": [{"name": "twig", "children": []}, {"name": "c1", "children": []}],
    }


def test_every_fault_of_the_arguments_is_told_with_its_path(kernel):
    wrong = {"name": "too long", "at": {"x": "1", "z": 2}, "colours": ["green", "red", "red"], "how": "fast", "size": 0}
    with pytest.raises(ArgumentsError) as caught:
        called(kernel, defined.place, wrong)
    faults = caught.value.faults
    assert sorted(fault.split(":")[0] for fault in faults) == ["at.x", "at.z", "colours", "colours.0", "name", "size"]


def test_what_only_the_classes_know_is_told_with_its_path_too():
    tool = function_tool(defined.place)
    arguments = {"name": "a", "at": {"x": 1, "y": -1}, "colours": ["red"], "size": "x"}
    with pytest.raises(ArgumentsError) as caught:
        asyncio.run(tool.run(RunRequest(Call("place", arguments))))
    assert sorted(fault.split(":")[0] for fault in caught.value.faults) == ["at", "size"]
    nested = function_tool(defined.blocking)
    with pytest.raises(ArgumentsError) as caught:
        asyncio.run(
            nested.run(RunRequest(Call("blocking", {"box": {"corner": {"x": "1"}}, "day": "x", "many": {"k": {}}})))
        )
    assert sorted(fault.split(":")[0] for fault in caught.value.faults) == ["box.corner.x", "day", "many.k"]


def test_what_json_has_nothing_like_is_refused_with_its_name():
    def strange(a: complex, b: list[type], *args: int, **kwargs: int) -> None:
        """Strange."""

    with pytest.raises(SchemaError) as caught:
        function_tool(strange)
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["a", "b", "args", "kwargs"]

    def unreadable(a: "Nowhere") -> None:  # noqa: F821, UP037
        """Unreadable."""

    with pytest.raises(SchemaError, match="type hints cannot be read: NameError"):
        function_tool(unreadable)


def test_anything_callable_is_taken_and_nothing_else(kernel):
    class Caller:
        """Call it."""

        async def __call__(self, n: int) -> int:
            return n + 1

    assert (
        called(kernel, lamina.tool(name="partly")(functools.partial(defined.bare, times=3)), {"text": "ab"}).text
        == "ababab"
    )
    assert called(kernel, lamina.tool(name="caller")(Caller()), {"n": 1}).output.structured == 2
    with pytest.raises(ToolError, match="5 is no tool"):
        as_tool(5)


def test_other_processes_find_what_stands_in_a_module():
    def inner() -> None:
        """Not found."""

    assert function_tool(inner).reference is None
    assert not function_tool(inner).spec.shippable
    tool = function_tool(defined.place)
    assert tool.reference.target == f"{defined.__name__}:place"
    assert resolved("lamina.testing.shipped:echo").spec.name == "echo"
    for target in ("lamina.nothing:x", "lamina.testing.shipped:nothing", "", "lamina.testing.shipped:GIVE"):
        with pytest.raises(ToolError, match="leads to no tool"):
            resolved(target)


@pytest.mark.parametrize(
    ("value", "text", "structured"),
    [
        ("a", "a", None),
        (None, "", None),
        (b"abc", "[binary: application/octet-stream, 3 bytes]", None),
        (["a", b"abc"], "a\n[binary: application/octet-stream, 3 bytes]", None),
        (["a", "b"], '["a", "b"]', ["a", "b"]),
        ({"a": {1, }}, '{"a": [1]}', {"a": [1]}),
        (0, "0", 0),
        (False, "false", False),
        ([], "[]", []),
        (Output(failure=Failure("Busy", "later", hint="wait")), "Busy: later (wait)", None),
        (Blob("image/x", reference="blob/1", size=9, name="n"), "[binary n: image/x, 9 bytes, kept as blob/1]", None),
    ],
)  # fmt: skip
def test_what_a_function_returns_is_an_output(value, text, structured):
    output = output_of(value)
    assert (output.text, output.structured) == (text, structured)


@pytest.mark.parametrize("value", [object(), float("nan"), {"a": float("inf")}, [object], lambda: 1])
def test_what_json_cannot_hold_is_no_output(kernel, value):
    def gives():
        return value

    result = called(kernel, gives, {})
    assert result.state == "failed"
    assert result.output.failure.type == "TypeError"


def test_exports_are_refused_where_a_provider_would():
    from lamina.protocols import ToolSpec

    with pytest.raises(ToolError, match="forms are openai, anthropic, mcp"):
        exported([], "gemini")
    twice = [ToolSpec("a", "x", {"type": "object"})] * 2
    with pytest.raises(ToolError, match="each once"):
        exported(twice, "openai")
    for parameters in ({"type": "array"}, {"anyOf": [{}]}, {"type": "object", "properties": {"a b": {}}}):
        with pytest.raises(SchemaError):
            exported([ToolSpec("a", "x", parameters)], "mcp")
    long = exported([ToolSpec("a", "x" * 5000, {"type": "object"})], "openai")[0]
    assert len(long["function"]["description"]) == 1024
    assert exported([ToolSpec("a", "x", {})], "anthropic")[0]["input_schema"] == {"type": "object", "properties": {}}


class TestFunction(ToolSuite):
    strategy = "function"
    arguments = ({"name": "a"}, {"name": "b", "at": {"x": 1}, "colours": ["red"]})

    @pytest.fixture
    def open_tool(self):
        import contextlib

        @contextlib.asynccontextmanager
        async def opened():
            yield function_tool(defined.place)

        return opened
