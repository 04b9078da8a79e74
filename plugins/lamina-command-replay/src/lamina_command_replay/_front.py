"""Which of several configurations are worth choosing between, and which of these to choose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

Worth = tuple[float, float]
"""Retention and bill."""


def dominates(one: Worth, other: Worth) -> bool:
    """Whether one is no worse both ways, and better in one."""
    return one[0] >= other[0] and one[1] <= other[1] and one != other


def front(items: Sequence[T], worth: Callable[[T], Worth], simplicity: Callable[[T], Any]) -> list[T]:
    """Those that none other dominates, by ascending bill; of equal ones the simplest.

    Args:
        items: In any order, which does not matter.
        worth: Retention and bill of one.
        simplicity: Orders those of equal worth, the one to take first; distinct for distinct items.

    Returns:
        Retention ascends with the bill. O(n log n).
    """
    best: list[T] = []
    for item in sorted(items, key=lambda i: (worth(i)[1], -worth(i)[0], simplicity(i))):
        if not best or worth(item)[0] > worth(best[-1])[0]:
            best.append(item)
    return best


def knee(ordered: Sequence[T], worth: Callable[[T], Worth]) -> T:
    """Where more retention begins to cost more than its share: the farthest above the line between both ends.

    Of equal ones the one that retains the most.

    Args:
        ordered: A front, by ascending bill; not empty.
        worth: Retention and bill of one.
    """
    (r0, b0), (r1, b1) = worth(ordered[0]), worth(ordered[-1])

    def above(item: T) -> tuple[float, float]:
        r, b = worth(item)
        return ((r - r0) / (r1 - r0) - (b - b0) / (b1 - b0) if r1 > r0 and b1 > b0 else 0.0), r

    return max(ordered, key=above)


def choose(
    ordered: Sequence[T],
    worth: Callable[[T], Worth],
    *,
    at_most_bill: float | None = None,
    at_least_retention: float | None = None,
) -> T | None:
    """The member that keeps the most for at most a bill, or costs the least for at least a retention, or the knee.

    Args:
        ordered: A front, by ascending bill.
        worth: Retention and bill of one.
        at_most_bill: If given, what counts.
        at_least_retention: If given, and no bill is.

    Returns:
        ``None`` where no member fits.
    """
    if at_most_bill is not None:
        return max((i for i in ordered if worth(i)[1] <= at_most_bill), key=lambda i: worth(i)[0], default=None)
    if at_least_retention is not None:
        return min((i for i in ordered if worth(i)[0] >= at_least_retention), key=lambda i: worth(i)[1], default=None)
    return knee(ordered, worth) if ordered else None


def spread(ordered: Sequence[T], worth: Callable[[T], Worth], most: int, always: Sequence[T] = ()) -> list[T]:
    """At most so many members of a front, those left out nearest to others in bill; the ends stay.

    Args:
        ordered: A front, by ascending bill.
        worth: Retention and bill of one.
        most: At least 2.
        always: Members that stay as well.
    """
    left = list(ordered)
    while len(left) > most:
        inner = [at for at in range(1, len(left) - 1) if not any(left[at] is kept for kept in always)]
        if not inner:
            break
        # The gap that opens where a member goes: the smaller, the less is lost.
        del left[min(inner, key=lambda at: (worth(left[at + 1])[1] - worth(left[at - 1])[1], at))]
    return left
