"""Tools in the forms of providers, checked against what these refuse."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lamina.errors import SchemaError, ToolError
from lamina.protocols import ToolSpec

FORMS = ("openai", "anthropic", "mcp")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DESCRIPTION = 1024
"""Characters of a description that OpenAI takes."""


def exported(specs: Sequence[ToolSpec], form: str) -> list[dict[str, Any]]:
    """The tools as a provider takes them.

    ``openai`` is the form of chat completions; ``mcp`` that of ``tools/list``, with the effects as annotations.

    Raises:
        ToolError: There is no such form, or two tools have one name.
        SchemaError: A tool's parameters are no object, which none of them takes.
    """
    if form not in FORMS:
        raise ToolError(f"tools have no form {form!r}; forms are {', '.join(FORMS)}")
    names = [spec.name for spec in specs]
    for name in names:
        if not _NAME.fullmatch(name) or names.count(name) > 1:
            raise ToolError(f"tool name {name!r}: letters, digits, _ and -, at most 64, each once")
    return [_FORM[form](spec, _object(spec)) for spec in specs]


def _object(spec: ToolSpec) -> dict[str, Any]:
    parameters = dict(spec.parameters)
    if parameters.get("type", "object") != "object":
        raise SchemaError(spec.name, [f"parameters.type: {parameters['type']!r}; providers take an object"])
    combined = [key for key in ("oneOf", "anyOf", "allOf", "enum", "not") if key in parameters]
    if combined:
        raise SchemaError(spec.name, [f"parameters.{key}: providers do not take it at the top" for key in combined])
    properties = parameters.get("properties", {})
    wrong = [name for name in properties if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", str(name))]
    if wrong:
        raise SchemaError(spec.name, [f"parameters.properties.{name}: no name that providers take" for name in wrong])
    return {"type": "object", "properties": dict(properties), **{k: v for k, v in parameters.items() if k not in ("type", "properties")}}  # fmt: skip


def _openai(spec: ToolSpec, parameters: dict[str, Any]) -> dict[str, Any]:
    description = (
        spec.description if len(spec.description) <= _DESCRIPTION else f"{spec.description[: _DESCRIPTION - 1]}…"
    )
    return {"type": "function", "function": {"name": spec.name, "description": description, "parameters": parameters}}


def _anthropic(spec: ToolSpec, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"name": spec.name, "description": spec.description, "input_schema": parameters}


def _mcp(spec: ToolSpec, parameters: dict[str, Any]) -> dict[str, Any]:
    effects = spec.effects
    annotations = {
        "readOnlyHint": effects.read_only,
        "destructiveHint": effects.destructive,
        "idempotentHint": effects.idempotent,
        "openWorldHint": effects.open_world,
    }
    made: dict[str, Any] = {"name": spec.name, "description": spec.description, "inputSchema": parameters, "annotations": annotations}  # fmt: skip
    if isinstance(spec.output, Mapping) and spec.output.get("type") == "object":
        made["outputSchema"] = dict(spec.output)
    return made


_FORM = {"openai": _openai, "anthropic": _anthropic, "mcp": _mcp}
