"""What the two APIs are sent, and how their answers read.

Source:
    OpenAI, "Create chat completion", https://platform.openai.com/docs/api-reference/chat/create: ``messages``,
    ``max_completion_tokens`` (``max_tokens`` is deprecated there), ``response_format``; the answer's
    ``choices[0].message.content`` and ``.refusal``, ``finish_reason`` (``stop``, ``length``, ``content_filter``,
    ``tool_calls``), ``usage.prompt_tokens`` and ``.completion_tokens``.
    Anthropic, "Create a Message", https://platform.claude.com/docs/en/api/messages/create, and "Stop reasons",
    https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons: headers ``x-api-key`` and
    ``anthropic-version``, ``system``, ``max_tokens``; the answer's ``content`` blocks, ``stop_reason``
    (``max_tokens``, ``model_context_window_exceeded``: cut off; ``refusal``), ``usage.input_tokens`` (what is read
    from or written to the provider's cache is counted beside it) and ``.output_tokens``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

if TYPE_CHECKING:
    from lamina_compressor_llm import LlmSettings

_SLUG = re.compile(r"[A-Za-z0-9_.-]{1,60}")


class UnusableError(Exception):
    """The model answered, and the answer is of no use: cut off, refused, garbage."""


class FailedError(Exception):
    """The endpoint did not do what was asked."""


@frozen
class Answer:
    """What the model said."""

    text: str
    unusable: str | None
    """Why it cannot be used, or ``None``."""
    input_tokens: int | None
    """As reported; ``None`` where nothing believable was."""
    output_tokens: int | None


def headers(settings: LlmSettings, key: str) -> dict[str, str]:
    """The headers of a request."""
    made = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "lamina"}
    if settings.api == "anthropic":
        made["anthropic-version"] = "2023-06-01"
        if key:
            made["x-api-key"] = key
    elif key:
        made["Authorization"] = f"Bearer {key}"
    return made


def body(settings: LlmSettings, system: str, user: str, limit: int) -> bytes:
    """A request that asks for at most ``limit`` tokens."""
    asked: dict[str, Any] = {"model": settings.model}
    if settings.api == "anthropic":
        asked |= {"max_tokens": limit, "system": system, "messages": [{"role": "user", "content": user}]}
    else:
        asked |= {
            settings.limit_field: limit,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        }
        if settings.json_mode:
            asked["response_format"] = {"type": "json_object"}
    return json.dumps({**asked, **settings.extra}, ensure_ascii=True).encode()


def read(api: str, data: bytes) -> Answer:
    """The answer in a response of status 200.

    Raises:
        FailedError: The response reports an error after all (some gateways answer 200 then).
    """
    told = _json(data)
    if isinstance(told, Mapping) and told.get("error") and not told.get("choices") and not told.get("content"):
        raise FailedError(f"answered with an error{error_of(data)}")
    if not isinstance(told, Mapping):
        return Answer("", "no JSON object", None, None)
    usage = told.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    if api == "anthropic":
        text, why = _anthropic(told)
        names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
        return Answer(text, why, _sum(usage, names), _sum(usage, ("output_tokens",)))
    text, why = _openai(told)
    return Answer(text, why, _sum(usage, ("prompt_tokens",)), _sum(usage, ("completion_tokens",)))


def _openai(told: Mapping[str, Any]) -> tuple[str, str | None]:
    match told.get("choices"):
        case [{"message": {"refusal": str(refusal)}}, *_] if refusal:
            return "", "refused"
        case [{"finish_reason": "content_filter"}, *_]:
            return "", "refused"
        case [{"finish_reason": "length"}, *_]:
            return "", "cut off"
        case [{"message": {"content": str(text)}}, *_]:
            return text, None
    return "", "not of the API's shape"


def _anthropic(told: Mapping[str, Any]) -> tuple[str, str | None]:
    match told.get("stop_reason"):
        case "refusal":
            return "", "refused"
        case "max_tokens" | "model_context_window_exceeded":
            return "", "cut off"
    blocks = told.get("content")
    if not isinstance(blocks, list):
        return "", "not of the API's shape"
    said = [block["text"] for block in blocks if _is_text(block)]
    return ("".join(said), None) if said else ("", "not of the API's shape")


def _is_text(block: Any) -> bool:
    match block:
        case {"type": "text", "text": str()}:
            return True
    return False


def _sum(usage: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """The sum of the fields; ``None`` where the sum is nothing that a call can have used."""
    given = [usage.get(name) for name in names]
    total = sum(n for n in given if type(n) is int and 0 <= n < 10**8)
    return total or None


def error_of(data: bytes) -> str:
    """`` (type, code)`` as an error response names them. Its message is left out: it may quote key or content."""
    told = _json(data)
    error = told.get("error") if isinstance(told, Mapping) else None
    named = [error.get(field) for field in ("type", "code")] if isinstance(error, Mapping) else []
    said = dict.fromkeys(name for name in named if isinstance(name, str) and _SLUG.fullmatch(name))
    return f" ({', '.join(said)})" if said else ""


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
