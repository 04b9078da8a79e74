"""What OpenAI charges for beside texts."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from lamina.kit.images import size
from lamina.protocols import Counter, CountRequest, ImagesRequest, ToolSpec, ToolsRequest
from lamina_counter_provider._models import rule_of

VERSION = 1
"""Part of the fingerprint; grows when a rule changes."""

MESSAGE, REQUEST, CALL = 4, 3, 12
"""Frames of a message, of the reply, and of a tool call.

Source: OpenAI Cookbook, "How to count tokens with tiktoken", section 6: 3 for a message and 1 for its role, 3 for the reply.
The frame of a call is not documented; one more call with its result was measured at 25 tokens where names, arguments,
result and the result's frame are 14 (community.openai.com/t/538914): 11, and one more for safety.
"""

PROPERTIES, PROPERTY, ENUM, CHOICE, END = 3, 3, -3, 3, 12
"""Frames within tools. Source: the same notebook, section 7 (prop_init, prop_key, enum_init, enum_item, func_end)."""


@frozen
class Model:
    """The rules of a family of models."""

    name: str
    tool: int
    """Frame of a tool (func_init of the notebook)."""
    base: int = 0
    """What an image costs before its tiles; 0 where patches are counted."""
    tile: int = 0
    """What each tile of 512 pixels costs."""
    patch: float = 0.0
    """What each patch of 32 pixels costs."""


# Source: OpenAI, "Images and vision", section "Calculating costs" (platform.openai.com/docs/guides/images-vision);
# frames of tools: the notebook, which names gpt-4o and gpt-4o-mini (7), gpt-4 and gpt-3.5-turbo (10). What followed
# gpt-4o has its tokenizer and is taken to have its frames.
MODELS = {
    model.name: model
    for model in (
        Model("gpt-3.5-turbo", 10, 85, 170),
        Model("gpt-4", 10, 85, 170),
        Model("gpt-4-turbo", 10, 85, 170),
        Model("gpt-4o", 7, 85, 170),
        Model("gpt-4o-mini", 7, 2833, 5667),
        Model("gpt-4.1", 7, 85, 170),
        Model("gpt-4.1-mini", 7, patch=1.62),
        Model("gpt-4.1-nano", 7, patch=2.46),
        Model("gpt-4.5", 7, 85, 170),
        Model("gpt-5", 7, 70, 140),
        Model("gpt-5-chat-latest", 7, 70, 140),
        Model("gpt-5-mini", 7, patch=1.62),
        Model("gpt-5-nano", 7, patch=2.46),
        Model("o1", 7, 75, 150),
        Model("o1-pro", 7, 75, 150),
        Model("o3", 7, 75, 150),
        Model("o4-mini", 7, patch=1.72),
        Model("computer-use-preview", 7, 65, 129),
    )
}

_PATCHES = 1536
"""Most patches of an image."""
_LARGEST = (2048, 768)
"""No image has more tiles than one of this size."""


def model_of(name: str, counter: str) -> Model:
    """The rules for a model.

    Raises:
        ConfigError: There are none.
    """
    return rule_of(MODELS, name, counter)


def image_tokens(model: Model, extent: tuple[int, int] | None, detail: str = "high") -> int:
    """What an image of this extent in pixels costs; of unknown extent, the most that an image can cost.

    By tiles: the image is scaled down into a square of 2,048, then until its shorter side is at most 768; each square
    of 512 that covers it costs ``tile``, all of it ``base``. In low detail ``base`` is all. By patches: squares of 32
    that cover it, at most 1,536; the detail makes no difference.

    Source: as of ``MODELS``. Results below 1 token for a patch are rounded up.
    """
    if model.patch:
        return math.ceil(model.patch * (_patches(*extent) if extent else _PATCHES))
    if detail == "low":
        return model.base
    width, height = extent or _LARGEST
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / min(width, height))
    # Scaled sides are whole pixels: without rounding 768.0000001 would be two tiles.
    across, down = (math.ceil(max(1, round(side * scale)) / 512) for side in (width, height))
    return model.base + model.tile * across * down


def _patches(width: int, height: int) -> int:
    # Larger images are scaled down to at most so many patches. The guide's rule for that gives up to 6 % less, but the
    # API was seen to charge the most (4000 x 1474: 1,536 patches, community.openai.com/t/1281361).
    return min(_PATCHES, math.ceil(width / 32) * math.ceil(height / 32))


class OpenaiCounter:
    """Counts texts by another counter, and the rest of a request by OpenAI's rules."""

    def __init__(self, texts: Counter, model: Model, detail: str) -> None:
        self._texts, self._model, self._detail = texts, model, detail
        self.info = evolve(
            texts.info,
            fingerprint=f"openai {VERSION} {model.name} {detail}; {texts.info.fingerprint}",
            message_tokens=MESSAGE,
            call_tokens=CALL,
            image_tokens=image_tokens(model, None, detail),
            request_tokens=REQUEST,
        )

    def count(self, request: CountRequest) -> Sequence[int]:
        """The other counter's counts."""
        return self._texts.count(request)

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """One count per image, by its size; see :func:`image_tokens`."""
        return [image_tokens(self._model, size(image), self._detail) for image in request.images]

    def tools(self, request: ToolsRequest) -> int:
        """What the tools cost: a frame and ``name:description`` each, the same for each property, and once an end.

        Source: as of ``PROPERTIES``. The notebook knows strings and enumerations only: whatever else a schema says of
        a property (items, inner objects, bounds) is added as JSON text, which is more than it is likely to cost.
        """
        texts: list[str] = []
        total = END
        for tool in request.tools:
            total += self._model.tool
            texts.append(f"{tool.name}:{_line(tool.description)}")
            total += _frames(tool, texts)
        return total + sum(self._texts.count(CountRequest(texts=texts)))


def _frames(tool: ToolSpec, texts: list[str]) -> int:
    """Frames of a tool's properties; their texts are appended."""
    properties = tool.parameters.get("properties") or {}
    total = PROPERTIES if properties else 0
    for name, given in properties.items():
        schema = given if isinstance(given, Mapping) else {}
        total += PROPERTY
        kind = schema.get("type", "")
        kind = kind if isinstance(kind, str) else "|".join(map(str, kind))
        texts.append(f"{name}:{kind}:{_line(str(schema.get('description', '')))}")
        choices = schema.get("enum")
        if isinstance(choices, Sequence) and choices:
            total += ENUM + CHOICE * len(choices)
            texts.extend(map(str, choices))
    texts.extend(_rest(tool.parameters))
    return total


def _rest(parameters: Mapping[str, Any]) -> Iterator[str]:
    """What the notebook's rule leaves out, as JSON."""
    told = {"type", "properties", "required", "additionalProperties"}
    inner = [{k: v for k, v in parameters.items() if k not in told}]
    given = [schema for schema in (parameters.get("properties") or {}).values() if isinstance(schema, Mapping)]
    inner += [{k: v for k, v in schema.items() if k not in ("type", "description", "enum")} for schema in given]
    return (json.dumps(left, ensure_ascii=False, default=dict) for left in inner if left)


def _line(text: str) -> str:
    return text.removesuffix(".")
