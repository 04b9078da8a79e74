"""Tools of plain functions."""

from __future__ import annotations

import asyncio
import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from attrs import evolve, frozen

from lamina.errors import ArgumentsError, SchemaError, ToolError
from lamina.outputs import Output, output_of
from lamina.protocols import Effects, RunRequest, ToolReference, ToolSpec

if TYPE_CHECKING:
    from cattrs import Converter

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "__lamina_tool__"
_NO_EFFECTS = Effects()


@frozen
class Definition:
    """What :func:`tool` was told."""

    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    effects: Effects = _NO_EFFECTS
    resources: tuple[str, ...] = ()
    timeout_s: float | None = None
    limit: int | None = None
    version: str = ""


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Sequence[str] = (),
    read_only: bool = False,
    idempotent: bool = False,
    destructive: bool = False,
    open_world: bool = False,
    resources: Sequence[str] = (),
    timeout_s: float | None = None,
    limit: int | None = None,
    version: str = "",
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    tags: Sequence[str] = (),
    read_only: bool = False,
    idempotent: bool = False,
    destructive: bool = False,
    open_world: bool = False,
    resources: Sequence[str] = (),
    timeout_s: float | None = None,
    limit: int | None = None,
    version: str = "",
) -> Any:
    """Make a function one that ``ctx.tools.register`` takes; it stays the function that it is.

    The schema comes from its type hints and docstring (Google's sections) when it is registered: attrs classes,
    dataclasses, TypedDicts, literals, enums, unions, ``Annotated`` with a text (the description), a mapping (members
    of the schema; around the whole type) or the constraints of ``annotated-types``. Arguments come as what the hints say. A parameter of the
    type :class:`lamina.protocols.RunRequest` is given the request, and models are not shown it. A function without
    ``async`` runs in a thread. What it returns becomes an output by :func:`lamina.outputs.output_of`.

    Args:
        function: Where there is nothing else to say: ``@lamina.tool``.
        name: The function's by default.
        description: The docstring up to its first section by default.
        tags: Words to find it by.
        read_only: See :class:`lamina.protocols.Effects`, and so are the next three.
        idempotent: See there.
        destructive: See there.
        open_world: See there.
        resources: See :class:`lamina.protocols.ToolSpec`, and so are the rest.
        timeout_s: Seconds.
        limit: Calls at once.
        version: Any text.
    """
    effects = Effects(read_only, idempotent, destructive, open_world)
    made = Definition(name, description, tuple(tags), effects, tuple(resources), timeout_s, limit, version)

    def mark(function: F) -> F:
        setattr(function, _MARK, made)
        return function

    return mark if function is None else mark(function)


class FunctionTool:
    """A function as a tool; see :func:`tool`.

    Raises:
        SchemaError: A parameter is of a type that JSON has nothing like, or has no name to be given by.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        definition: Definition = getattr(function, _MARK, Definition())
        name = str(definition.name or getattr(function, "__name__", ""))
        self._parameters, parameters, asked = _described(function, name)
        self._asked = asked
        self._plain = all(hint in (str, int, bool, Any, object) for hint, _ in self._parameters.values())
        self.spec = ToolSpec(
            name,
            definition.description or _said(function).text,
            parameters,
            definition.tags,
            definition.effects,
            definition.resources,
            definition.timeout_s,
            definition.limit,
            definition.version,
        )
        self.reference = _reference(function)
        if self.reference is not None:
            self.spec = evolve(self.spec, shippable=True)
        if not _is_async(function):
            # Only then: executors look for it to give the call a thread.
            self.run_blocking = self._run_blocking

    async def run(self, request: RunRequest) -> Output:
        """Call the function, in a thread where it blocks."""
        if hasattr(self, "run_blocking"):
            return await asyncio.to_thread(self._run_blocking, request)
        return output_of(await self._function(**self._structured(request)))

    def _run_blocking(self, request: RunRequest) -> Output:
        return output_of(self._function(**self._structured(request)))

    def _structured(self, request: RunRequest) -> dict[str, Any]:
        arguments = dict(request.call.arguments)
        if not self._plain:
            arguments = self._converted(arguments)
        if self._asked is not None:
            arguments[self._asked] = request
        return arguments

    def _converted(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        ready: dict[str, Any] = {}
        faults: list[str] = []
        for name, value in arguments.items():
            hint = self._parameters[name][0] if name in self._parameters else Any
            try:
                ready[name] = converter().structure(value, hint)
            except Exception as error:  # noqa: BLE001 - converters and the classes' own validators raise anything
                faults += [f"{name}{place}: {what}" for place, what in _faults(error)]
        if faults:
            raise ArgumentsError(self.spec.name, faults)
        return ready


def function_tool(function: Callable[..., Any]) -> FunctionTool:
    """The tool of a function, marked by :func:`tool` or not."""
    return FunctionTool(function)


def _is_async(function: Callable[..., Any]) -> bool:
    plain = function
    while isinstance(plain, functools.partial):
        plain = plain.func
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None))  # noqa: B004


def _said(function: Callable[..., Any]) -> Any:
    from lamina.tools._hints import documented

    return documented(inspect.getdoc(function))


def _described(
    function: Callable[..., Any], tool: str
) -> tuple[dict[str, tuple[Any, bool]], dict[str, Any], str | None]:
    """(type, required) of each parameter by name; their schema; the parameter that is given the request."""
    from lamina.tools._hints import Hints

    said, hints, maker = _said(function), _hints(function, tool), Hints()
    # What Annotated adds is for the schema; converters want types.
    kinds = _hints(function, tool, extras=False)
    parameters: dict[str, tuple[Any, bool]] = {}
    properties: dict[str, Any] = {}
    asked, faults = None, list[str]()
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name, Any)
        if hint is RunRequest:
            asked = name
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            faults.append(f"{name}: arguments are given by name; write it as a plain parameter")
            continue
        try:
            schema = maker.schema(hint)
        except TypeError as error:
            faults.append(f"{name}: {error}")
            continue
        needed = parameter.default is parameter.empty
        if said.arguments.get(name) and "description" not in schema:
            schema = {**schema, "description": said.arguments[name]}
        if not needed and isinstance(parameter.default, str | int | float | bool) and "default" not in schema:
            schema = {**schema, "default": parameter.default}
        parameters[name], properties[name] = (kinds.get(name, Any), needed), schema
    if faults:
        raise SchemaError(tool, faults)
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [name for name, (_, needed) in parameters.items() if needed]
    if required:
        made["required"] = required
    if maker.definitions:
        made["$defs"] = maker.definitions
    return parameters, made, asked


def _hints(function: Callable[..., Any], tool: str, *, extras: bool = True) -> dict[str, Any]:
    plain = function
    while isinstance(plain, functools.partial):
        plain = plain.func
    if not inspect.isroutine(plain):
        plain = getattr(plain, "__call__")  # noqa: B004, B009
    try:
        return typing.get_type_hints(plain, include_extras=extras)
    except Exception as error:
        raise SchemaError(tool, [f"its type hints cannot be read: {type(error).__name__}: {error}"]) from error


def _reference(function: Callable[..., Any]) -> ToolReference | None:
    """Where another process finds the function; ``None`` where it cannot."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not module or module == "__main__" or not name or "<" in name or inspect.ismethod(function):
        return None
    return ToolReference(f"{module}:{name}")


def resolved(target: str) -> Any:
    """What an import path leads to, as a tool: the tool of a function, an instance of a class of tools, a tool.

    Raises:
        ToolError: It leads nowhere, or to no tool.
    """
    import importlib

    module, _, name = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ToolError(f"{target!r} leads to no tool: {type(error).__name__}: {error}") from error
    return as_tool(found)


def as_tool(given: Any) -> Any:
    """A tool as it is, one of a class by calling it, that of a function by its hints.

    Raises:
        ToolError: It is none of these.
    """
    if isinstance(given, type):
        given = given()
    if hasattr(given, "spec") and callable(getattr(given, "run", None)):
        return given
    if callable(given):
        return FunctionTool(given)
    raise ToolError(f"{given!r} is no tool: it is neither a function nor has it a spec and run(request)")


@functools.cache
def converter() -> Converter:
    """The cattrs converter of arguments: what JSON holds into what hints say, and nothing turned into another type."""
    from lamina.tools._converting import made

    return made()


def _faults(error: Exception) -> list[tuple[str, str]]:
    from lamina.tools._converting import faults

    return faults(error)
