"""What calls take and what answers them, there and back: function calls, shells, patches, the screen, approvals.

A call of any kind is a :class:`~lamina.model.ToolCall`, its answer a :class:`~lamina.model.ToolResult`, so that they stay
together and long outputs can be shortened. What an answer has beside its text is kept with it. A pair whose answer cannot be
said in its own kind any more, because a window shows it otherwise, is written as a function's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lamina.kit.items._content import MalformedError, content, image, more, said
from lamina.kit.items.rules import FAMILY, KINDS
from lamina.kit.sources import arguments, as_object
from lamina.model import Extra, Image, Opaque, Text, ToolCall, ToolResult
from lamina.verbatim import members, unmarked


def call_of(kind: str, item: Mapping[str, Any], call_id: str) -> ToolCall:
    """The call that an item is."""
    known, name = KINDS[kind], item.get("name")
    if kind in ("function_call", "custom_tool_call", "mcp_approval_request"):
        if not isinstance(name, str):
            raise MalformedError(f"an item of type {kind!r} must have a name")
        given = "input" if kind == "custom_tool_call" else "arguments"
        args, held = item.get(given), {"name", given}
        text = "{}" if args is None or (args == "" and given == "arguments") else arguments(args)
    else:
        payload = next((key for key in known.payload if item.get(key) is not None), known.payload[0])
        name, held = known.name, {payload}
        text = json.dumps(unmarked(item.get(payload) or {}), ensure_ascii=False)
        if isinstance(item.get(payload), list):
            text = json.dumps({payload: unmarked(item[payload])}, ensure_ascii=False)
    hidden = ("type",) if kind == "function_call" else ()
    return ToolCall(call_id, name, text, extra=more(item, known.key, *held, *hidden))


def kind_of(call: ToolCall) -> str:
    """The type of item that a call came as; a function call where it came from elsewhere."""
    kind = members(call.extra, FAMILY).get("type")
    return kind if isinstance(kind, str) and kind in KINDS else "function_call"


def native(kind: str, call: ToolCall) -> dict[str, Any] | None:
    """What an item of its own kind says of the call, beside its id and members; ``None`` where it cannot be one."""
    if kind == "mcp_approval_request":
        return {"name": call.name, "arguments": call.arguments}
    if kind == "custom_tool_call":
        return {"input": call.arguments}
    payload = as_object(call.arguments)
    if payload is None:
        return None
    match kind, payload:
        case "tool_search_call", _:
            return {"arguments": payload}
        case "computer_call", {"actions": list(actions)}:
            return {"actions": actions}
        case "computer_call", {"type": str()}:
            return {"action": payload}
        case "local_shell_call", {"type": "exec", "command": [*words]} if all(isinstance(w, str) for w in words):
            return {"action": payload}
        case "shell_call", {"commands": [*lines]} if all(isinstance(line, str) for line in lines):
            return {"action": payload}
        case "apply_patch_call", {"type": "delete_file", "path": str()}:
            return {"operation": payload}
        case "apply_patch_call", {"type": "create_file" | "update_file", "path": str(), "diff": str()}:
            return {"operation": payload}
    return None


def result_of(output: str, item: Mapping[str, Any], call_id: str, answers: str) -> ToolResult:
    """The result that an item of this type is."""
    given = item.get("output")
    if output in ("function_call_output", "custom_tool_call_output"):
        return _function(call_id, given, more(item, "type", answers, "output"))
    extra = more(item, answers, "output")
    match output, given:
        case "local_shell_call_output", _:
            # The guides name the call in ``call_id``, the types in ``id``: it goes out as it came.
            extra = extra if answers == "id" else more(item, "output")
            return ToolResult(call_id, given if isinstance(given, str) else said(item), extra=extra)
        case "apply_patch_call_output", _:
            text = given if isinstance(given, str) else ""
            return ToolResult(call_id, text, item.get("status") == "failed", extra=extra)
        case "shell_call_output", list():
            return _shell(call_id, given, extra)
        case "computer_call_output", {"type": "computer_screenshot", "image_url": str(url)} if isinstance(given, dict):
            return ToolResult.of(call_id, [image(given, url)], extra=extra)
        case _:
            # Searched tools, approvals, screens that are files: they are not for shortening.
            body = Opaque(
                f"{FAMILY}:{output}", unmarked({k: v for k, v in item.items() if k != answers}), text=_decided(item)
            )
            return ToolResult.of(call_id, [body])


def _decided(item: Mapping[str, Any]) -> str:
    if item.get("type") != "mcp_approval_response":
        return said(item)
    return "\n".join(["approved" if item.get("approve") is True else "not approved", *filter(None, [said(item)])])


def _function(call_id: str, given: Any, extra: Extra) -> ToolResult:
    match given:
        case list():
            parts = content(given)
            return ToolResult.of(call_id, [p for p in parts if isinstance(p, Text | Image | Opaque)], extra=extra)
        case {"content": str(text)}:  # as early recordings of Codex have it
            return ToolResult(call_id, text, given.get("success") is False, extra=extra)
        case str():
            return ToolResult(call_id, given, extra=extra)
        case None:
            return ToolResult(call_id, "", extra=extra)
        case _:
            return ToolResult(call_id, json.dumps(given, ensure_ascii=False), extra=extra)


def _shell(call_id: str, chunks: list[Any], extra: Extra) -> ToolResult:
    blocks, failed = [], False
    for chunk in chunks:
        if not isinstance(chunk, dict):
            raise MalformedError("a piece of a shell's output must be an object")
        key = "stdout" if chunk.get("stdout") or not isinstance(chunk.get("stderr"), str) else "stderr"
        text = chunk.get(key)
        blocks.append(Text(text if isinstance(text, str) else "", extra=more(chunk, key) or {FAMILY: {}}))
        outcome = chunk.get("outcome")
        failed = failed or (isinstance(outcome, dict) and outcome.get("exit_code", 1) != 0)
    return ToolResult.of(call_id, blocks, failed, extra)


def answer(kind: str, result: ToolResult) -> dict[str, Any] | None:
    """What an item of the call's own kind says of the result, beside the call's id; ``None`` where it cannot be one."""
    given = {k: v for k, v in members(result.extra, FAMILY).items() if k != "type"}
    own = next((b for b in result.others if b.kind == f"{FAMILY}:{KINDS[kind].output}"), None)
    match kind:
        case "local_shell_call" if not result.blocks:
            return {"output": result.text, **given}
        case "shell_call":
            return {"output": _chunks(result), **given}
        case "apply_patch_call" if not result.blocks:
            status = "failed" if result.error else "completed"
            return {"status": status, **({"output": result.text} if result.text else {}), **given}
        case "computer_call" if result.images and not result.text:
            shown = result.images[0]
            url = shown.data if shown.media_type == "url" else f"data:{shown.media_type};base64,{shown.data}"
            return {
                "output": {"type": "computer_screenshot", "image_url": url, **members(shown.extra, FAMILY)},
                **given,
            }
        case "computer_call" | "tool_search_call" | "mcp_approval_request" if own is not None:
            return {k: v for k, v in own.data.items() if k != "type"}
    return None


def _chunks(result: ToolResult) -> list[dict[str, Any]]:
    blocks = [block for block in result.blocks if isinstance(block, Text)] or [Text(result.text)]
    made = []
    for block in blocks:
        given = dict(members(block.extra, FAMILY))
        key = "stderr" if isinstance(given.get("stdout"), str) else "stdout"
        outcome = {"type": "exit", "exit_code": int(result.error)}
        made.append({"stdout": "", "stderr": "", "outcome": outcome, **given, key: block.text})
    return made
