"""Checking: which rules of the Responses API do items break?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import define, field

from lamina.kit.images import readable
from lamina.kit.items import rules
from lamina.kit.sources import as_object

_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_LONE = re.compile("[\ud800-\udfff]")
_DATA = re.compile(r"data:(image/[a-z+.-]+);base64,(.*)", re.DOTALL)

Item = Mapping[str, Any]


def faults(items: Sequence[Item]) -> list[str]:
    """Every broken rule, each with its place; empty when a request with these items is valid.

    - There is an item; it has a type, or a role and content. Roles are known; content is text or a list of parts that is
      not empty, each of which may stand there; images are links by http or data of an image that is taken, and not too
      long.
    - An id has at most 64 letters, digits, ``_`` and ``-``, begins as its type's do, and no two items have the same.
    - Each call has an id of its own of 1 to 64 characters, a name of at most 128 letters, digits, ``_`` and ``-``, and what
      its kind takes; one output of its kind follows, and nothing else is an output.
    - Reasoning has summaries, and something that the assistant did follows it. The output of a program follows it.
    - A request to compact comes last. No text is too long or has half a surrogate pair, and no item has members that
      clients add for themselves.
    """
    if not items:
        return ["messages: there is none"]
    talk = _Talk()
    for i, item in enumerate(items):
        at = f"messages[{i}]"
        talk.found += [f"{at}: {why}" for why in _texts_of(item)]
        if talk.reasoned and not _follows(item):
            talk.found.append(f"{talk.reasoned}: reasoning without what follows it")
        talk.reasoned = at if item.get("type") == "reasoning" else ""
        _identity(item, at, talk)
        _item(item, at, talk, last=i == len(items) - 1)
    if talk.reasoned:
        talk.found.append(f"{talk.reasoned}: reasoning without what follows it")
    return talk.found + [f"{made}: call {call!r} has no output" for call, (made, _) in talk.waiting.items()]


@define
class _Talk:
    """What was read of the items so far, and what is wrong with them."""

    found: list[str] = field(factory=list)
    ids: set[str] = field(factory=set)
    calls: set[str] = field(factory=set)
    waiting: dict[str, tuple[str, str]] = field(factory=dict)
    """The id of an unanswered call to its place and type."""
    programs: set[Any] = field(factory=set)
    reasoned: str = ""
    """The place of the item before, where it is reasoning."""


def _follows(item: Item) -> bool:
    """Whether it is something that the assistant did."""
    kind = item.get("type")
    if kind in rules.OUTPUTS or kind in rules.OURS:
        return False
    return bool(item.get("role", "assistant") == "assistant")


def _texts_of(item: Item) -> list[str]:
    texts = list(_texts(item))
    found = ["half a surrogate pair"] if any(map(_LONE.search, texts)) else []
    long = any(len(text) > rules.TEXT_CHARS and not text.startswith("data:") for text in texts)
    return found + ([f"a text of more than {rules.TEXT_CHARS:,} characters"] if long else [])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _identity(item: Item, at: str, talk: _Talk) -> None:
    own, kind = item.get("id"), item.get("type") or ("item_reference" if "role" not in item else "message")
    talk.found += [f"{at}.{name}: is a client's own member" for name in item.keys() & rules.CLIENT_ONLY]
    if own is None or kind == "local_shell_call_output":  # there, it is the call's
        return
    if not rules.suits(kind, own):
        begins = rules.PREFIXES.get(kind, "")
        talk.found.append(
            f"{at}.id: {own!r} is no id of letters, digits, _ and -{f' that begins with {begins!r}' * bool(begins)}"
        )
    elif own in talk.ids:
        talk.found.append(f"{at}.id: a second item {own!r}")
    talk.ids.add(str(own))


def _item(item: Item, at: str, talk: _Talk, *, last: bool) -> None:
    kind = item.get("type")
    if kind == "message" or (kind is None and "role" in item):
        talk.found += _message(item, at)
    elif kind in rules.KINDS and not (kind == "tool_search_call" and item.get("call_id") is None):
        _call(item, at, kind, talk)
    elif kind in rules.OUTPUTS and not (kind == "tool_search_output" and item.get("call_id") is None):
        _output(item, at, kind, talk)
    elif kind == "reasoning":
        if not isinstance(item.get("summary"), list):
            talk.found.append(f"{at}.summary: must be a list")
    elif kind == "program":
        talk.programs.add(item.get("call_id"))
    elif kind == "program_output" and item.get("call_id") not in talk.programs:
        talk.found.append(f"{at}: the output of a program that is not there")
    elif kind == "compaction_trigger" and not last:
        talk.found.append(f"{at}: a request to compact must come last")
    elif not isinstance(kind, str) and not isinstance(item.get("id"), str):
        talk.found.append(f"{at}: is no item with a type, or with a role and content")


def _message(item: Item, at: str) -> list[str]:
    role, content = item.get("role"), item.get("content")
    if role not in rules.PARTS or role == "tool":
        return [f"{at}.role: {role!r} is none of user, assistant, system and developer"]
    return _content(content, f"{at}.content", role)


def _content(content: Any, at: str, role: str) -> list[str]:
    if isinstance(content, str):
        return []
    if not isinstance(content, list):
        return [f"{at}: must be text or a list of parts"]
    if not content and role != "tool":
        return [f"{at}: has no parts"]
    return [f"{at}[{k}]: {why}" for k, part in enumerate(content) if (why := _part(part, role))]


def _part(part: Any, role: str) -> str:
    """What is wrong with a part, if anything."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(kind, str):
        return "is no part with a type"
    if not rules.fits(kind, role):
        return f"{kind} is not for the {role}"
    if kind in ("input_text", "output_text") and not isinstance(part.get("text"), str):
        return "has no text"
    if kind == "refusal" and not isinstance(part.get("refusal"), str):
        return "has no refusal"
    if kind == "input_image":
        return _image(part.get("image_url"), part.get("file_id"))
    if kind == "input_file" and not any(isinstance(part.get(k), str) for k in ("file_data", "file_id", "file_url")):
        return "a file needs its data, its id or its link"
    return ""


def _image(url: Any, file_id: Any) -> str:
    if url is None:
        return "" if isinstance(file_id, str) else "an image needs a link, data or the id of a file"
    if not isinstance(url, str):
        return "the link of an image must be text"
    if rules.URL.match(url):
        return ""
    data = _DATA.fullmatch(url)
    if data is None or data[1] not in rules.MEDIA:
        return f"must be a link by http, or data of one of {', '.join(sorted(rules.MEDIA))}"
    if len(url) > rules.IMAGE_CHARS:
        return f"an image of more than {rules.IMAGE_CHARS:,} characters"
    return "" if readable(data[2]) else "the image is empty, or no base64"


def _call(item: Item, at: str, kind: str, talk: _Talk) -> None:
    call = item.get(rules.KINDS[kind].key)
    if not isinstance(call, str) or not 1 <= len(call) <= rules.CALL_CHARS:
        talk.found.append(f"{at}: the id of a call has 1 to {rules.CALL_CHARS} characters, not {call!r}")
        return
    if call in talk.calls:
        talk.found.append(f"{at}: the id {call!r} is used twice")
    talk.calls.add(call)
    talk.waiting[call] = (at, kind)
    if not rules.KINDS[kind].name:
        name = item.get("name")
        if not (isinstance(name, str) and _NAME.fullmatch(name) and len(name) <= rules.NAME_CHARS):
            talk.found.append(f"{at}.name: has 1 to {rules.NAME_CHARS} letters, digits, _ and -, not {name!r}")
    why = _taken(item, kind)
    talk.found += [f"{at}: {why}"] if why else []


def _taken(item: Item, kind: str) -> str:
    """What is wrong with what a call takes, if anything."""
    match kind, item:
        case "function_call" | "mcp_approval_request", {"arguments": str(args)}:
            return "" if as_object(args) is not None or _is_json(args) else "arguments are no JSON"
        case "custom_tool_call", {"input": str()}:
            return ""
        case "local_shell_call", {"action": {"type": "exec", "command": list()}}:
            return ""
        case "shell_call", {"action": {"commands": list()}}:
            return ""
        case "apply_patch_call", {"operation": {"type": str(), "path": str()}}:
            return ""
        case "computer_call", {"action": {"type": str()}} | {"actions": list()}:
            return ""
        case "tool_search_call", {"arguments": _}:
            return ""
    return "lacks what a call of its kind takes"


def _is_json(text: str) -> bool:
    """Whether it is the JSON text of something other than an object."""
    return as_object(f'{{"value": {text}}}') is not None


def _output(item: Item, at: str, output: str, talk: _Talk) -> None:
    kind = rules.OUTPUTS[output]
    keys = ("call_id", "id") if output == "local_shell_call_output" else (rules.KINDS[kind].answers,)
    call = next((item[key] for key in keys if isinstance(item.get(key), str)), None)
    made, asked = talk.waiting.pop(str(call), ("", ""))
    if call is None or not made:
        talk.found.append(f"{at}: {call!r} is no unanswered call before it")
    elif asked != kind:
        talk.found.append(f"{at}: a {output} for a {asked}")
    given = item.get("output")
    if output in ("function_call_output", "custom_tool_call_output"):
        talk.found += _content(given, f"{at}.output", "tool")
    elif output == "computer_call_output":
        match given:
            case {"type": "computer_screenshot", **screen}:
                why = _image(screen.get("image_url"), screen.get("file_id"))
                talk.found += [f"{at}.output: {why}"] if why else []
            case _:
                talk.found.append(f"{at}.output: must be a screenshot")
    elif output == "shell_call_output" and not isinstance(given, list):
        talk.found.append(f"{at}.output: must be a list of pieces")
    elif output == "local_shell_call_output" and not isinstance(given, str):
        talk.found.append(f"{at}.output: must be text")
