"""What Anthropic charges for beside texts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from attrs import evolve, frozen

from lamina.kit.images import size
from lamina.protocols import Counter, CountRequest, ImagesRequest, ToolsRequest
from lamina_counter_provider._models import rule_of

VERSION = 1
"""Part of the fingerprint; grows when a rule changes."""

TOOL = 12
"""Frame of a tool's definition: not documented; tags, and the key that names the schema."""


@frozen
class Model:
    """The rules of a model."""

    name: str
    auto: int
    """The system prompt that comes with tools whose use is free."""
    forced: int
    """The same where a tool must be used."""
    edge: int = 1568
    """Longest side of an image in pixels; larger ones are scaled down."""
    most: int = 1568
    """Most tokens of an image; larger ones are scaled down."""


# Source: Anthropic, "Tool use with Claude", section "Pricing" (platform.claude.com/docs/en/agents-and-tools/tool-use/
# overview) and "Vision", section "Evaluate image size" (platform.claude.com/docs/en/build-with-claude/vision). For the
# models of version 4 the page has said 346 and 313, and 313 and 315 later: the larger ones stand here.
MODELS = {
    model.name: model
    for model in (
        Model("claude-3-haiku", 264, 340),
        Model("claude-3-opus", 530, 281),
        Model("claude-3-5-haiku", 264, 340),
        Model("claude-3-5-sonnet", 346, 313),
        Model("claude-3-7-sonnet", 346, 313),
        Model("claude-sonnet-4", 346, 315),
        Model("claude-opus-4", 346, 315),
        Model("claude-opus-4-1", 346, 315),
        Model("claude-haiku-4-5", 496, 588),
        Model("claude-sonnet-4-5", 496, 588),
        Model("claude-opus-4-5", 496, 588),
        Model("claude-sonnet-4-6", 497, 589),
        Model("claude-opus-4-6", 497, 589),
        Model("claude-opus-4-7", 675, 804, 2576, 4784),
        Model("claude-opus-4-8", 290, 410, 2576, 4784),
    )
}


def model_of(name: str, counter: str) -> Model:
    """The rules for a model.

    Raises:
        ConfigError: There are none.
    """
    return rule_of(MODELS, name, counter)


def image_tokens(model: Model, extent: tuple[int, int] | None) -> int:
    """What an image of this extent in pixels costs; of unknown extent, the most that an image can cost.

    One token for each square of 28 pixels that covers it, once it has been scaled down to the longest side and the
    most tokens that the model takes.

    Source: as of ``MODELS``, and "Coordinates and bounding boxes", section "How Claude resizes and pads images"
    (platform.claude.com/docs/en/build-with-claude/vision-coordinates). An earlier edition said width times height by
    750, which is 2 % more for a square of 1,000 pixels, and less for small images.
    """
    if extent is None:
        return model.most
    long, short = max(extent), min(extent)

    def tokens(side: int) -> int:
        return math.ceil(side / 28) * math.ceil(max(1, round(short * side / long)) / 28)

    low, high = 1, min(long, model.edge)
    while low < high:  # the largest side that fits; tokens never fall as it grows
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens(middle) <= model.most else (low, middle - 1)
    return tokens(low)


class AnthropicCounter:
    """Counts texts by another counter, and the rest of a request by Anthropic's rules.

    Anthropic documents no frames of messages and calls: the other counter's stand.
    """

    def __init__(self, texts: Counter, model: Model, tool_choice: str) -> None:
        self._texts, self._model = texts, model
        self._prompt = model.auto if tool_choice == "auto" else model.forced
        self.info = evolve(
            texts.info,
            fingerprint=f"anthropic {VERSION} {model.name} {tool_choice}; {texts.info.fingerprint}",
            image_tokens=model.most,
        )

    def count(self, request: CountRequest) -> Sequence[int]:
        """The other counter's counts."""
        return self._texts.count(request)

    def images(self, request: ImagesRequest) -> Sequence[int]:
        """One count per image, by its size; see :func:`image_tokens`."""
        return [image_tokens(self._model, size(image)) for image in request.images]

    def tools(self, request: ToolsRequest) -> int:
        """The system prompt that tools bring, and each tool's definition as JSON text.

        Source: as of ``MODELS``; definitions enter the prompt "in JSON Schema".
        """
        said = [
            json.dumps(
                {"description": tool.description, "name": tool.name, "parameters": tool.parameters},
                ensure_ascii=False,
                default=dict,
            )
            for tool in request.tools
        ]
        return self._prompt + TOOL * len(said) + sum(self._texts.count(CountRequest(texts=said)))
