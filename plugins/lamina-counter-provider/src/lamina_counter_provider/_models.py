"""Finding the rule for a model by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from lamina.errors import ConfigError

T = TypeVar("T")

_DATED = r"(?:-latest|[-@]\d{8}|-\d{4}-\d{2}-\d{2})?(?:-v\d+(?::\d+)?)?"
"""What may follow a known name: a date, as both providers and their resellers write it. A version never: the next
model of a family may be charged for by another rule."""


def rule_of(table: Mapping[str, T], model: str, counter: str) -> T:
    """The rule of a model, whose name may carry a date.

    Raises:
        ConfigError: There is none; the text names those that there are.
    """
    for name, rule in table.items():
        if re.fullmatch(re.escape(name) + _DATED, model):
            return rule
    remedy = f"name the one of these that its documentation agrees with: {', '.join(table)}"
    raise ConfigError([f"counters.{counter}.model: no rule is known for {model!r}; {remedy}"])
