"""What ``generateContent`` knows and allows, for reading, writing and checking.

Source: Google, "Generating content", "Function calling", "Thought signatures", "Image understanding" and "Code execution"
(ai.google.dev/api, ai.google.dev/gemini-api/docs), the types of ``google-genai``, and the texts of the errors that the API
answers with.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from lamina.verbatim import named

FAMILY = "gemini"

ROLES = ("user", "model")
SYSTEM = "system"
"""The role of a first element that stands for ``systemInstruction``."""

SIGNATURE = "thoughtSignature"
UNSIGNED = "skip_thought_signature_validator"
"""The signature that Google documents for calls which Gemini did not make."""

DATA = frozenset({
    "text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse",
})  # fmt: skip
"""A part has exactly one of these; all its other members say something about it."""
OF_MODEL = frozenset({"functionCall", "executableCode", "codeExecutionResult", "toolCall", "toolResponse"})
"""Parts that only the model has."""

IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"})
RESULT_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp"})
"""Kinds of images that the result of a function may show."""
MEDIA = re.compile(r"[a-z]+/[\w.+-]+")
INLINE_BYTES = 20 * 2**20
"""Of all inline data of a request, as base64."""

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
"""A function's name."""

EMPTY = "[empty message]"

_SNAKE = re.compile(r"_([a-z])")


def camel(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members as the API names them, without those that are null: Python's library names them otherwise."""
    return {
        (key if "_" not in key else _SNAKE.sub(lambda m: m[1].upper(), key)): value
        for key, value in members.items()
        if value is not None
    }


def function_name(name: str) -> str:
    """The name as the API takes it; see :func:`lamina.verbatim.named` for one that it does not take."""
    if NAME.fullmatch(name):
        return name
    fit = named(name, 63)
    return fit if NAME.fullmatch(fit) else f"_{fit}"


def standard(data: str) -> str:
    """Base64 in its usual alphabet, filled up: Python's library writes the one for links."""
    plain = data.replace("-", "+").replace("_", "/")
    return plain if plain.isascii() and len(plain) % 4 == 0 else plain + "=" * (-len(plain) % 4)


@lru_cache(maxsize=256)
def is_base64(data: str) -> bool:
    """Whether this is the base64 of something, in either alphabet."""
    try:
        return bool(base64.b64decode(standard(data), validate=True))
    except (binascii.Error, ValueError):
        return False
