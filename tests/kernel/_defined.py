"""Functions with every kind of hint, at a module's top as tools have them."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, NotRequired, TypedDict

import attrs

import lamina
from lamina.protocols import Progress, RunRequest


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Point:
    """Where it is.

    Attributes:
        x: To the right.
    """

    x: int
    y: int = attrs.field(default=0, validator=attrs.validators.ge(0))


@dataclasses.dataclass
class Box:
    corner: Point
    size: float = 1.0
    tags: list[str] = dataclasses.field(default_factory=list)


class Options(TypedDict):
    deep: bool
    limit: NotRequired[int]


@attrs.frozen
class Tree:
    """A tree."""

    name: str
    children: list[Tree] = attrs.field(factory=list)


Metres = NewType("Metres", float)


@attrs.frozen
class AtLeast:
    """As annotated-types has it."""

    ge: Any = None
    max_length: Any = None


@lamina.tool(read_only=True, tags=["places"], version="2")
async def place(
    name: Annotated[str, "What it is called.", AtLeast(max_length=5)],
    at: Point | None = None,
    colours: set[Colour] = frozenset(),
    how: Literal["fast", "slow", 3] = "fast",
    size: Annotated[int, AtLeast(ge=1), {"maximum": 9}] = 1,
) -> dict[str, Any]:
    """Put a thing somewhere.

    More of it
    here.

    Args:
        name: Not this, the annotation is nearer.
        at: Where to,
            in two lines.
        how (str): The way.

    Returns:
        What was done.
    """
    return {"name": name, "at": at, "colours": sorted(c.value for c in colours), "how": how, "size": size}


@lamina.tool
def blocking(box: Box, when: datetime.datetime, day: datetime.date, id: uuid.UUID, price: decimal.Decimal, data: bytes, file: Path, far: Metres, either: int | float | Point, pair: tuple[int, str], many: dict[str, Options], options: Options) -> str:  # fmt: skip
    """Take all of it."""
    import threading

    return repr([box, when, day, id, price, data, file, far, either, pair, many, options, threading.current_thread() is threading.main_thread()])  # fmt: skip


@lamina.tool
async def grow(tree: Tree, request: RunRequest) -> Tree:
    """Grow it."""
    request.report(Progress(text="grown"))
    return Tree(tree.name, [*tree.children, Tree(request.call.id)])


def bare(text, times: int = 2):
    return text * times
