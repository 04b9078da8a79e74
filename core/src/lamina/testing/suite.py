"""What all conformance suites have in common: a strategy, and no test that is overridden in silence."""

from __future__ import annotations

from typing import Any, ClassVar


class Suite:
    """A conformance suite: subclass the one of your kind.

    A test of the suite that a subclass overrides, also by ``None`` or through a mixin, must be marked with
    :func:`lamina.testing.deviates`, which says why. Otherwise the subclass cannot be created: a strategy that
    deviates says so where its tests are read, and never by accident.

    Raises:
        TypeError: When a subclass is created that overrides a test without saying why; names class and test.
    """

    strategy: ClassVar[str]
    """The registered name of what is tested."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in dir(cls):
            if not name.startswith("test"):
                continue
            # In the order in which they are found: the last is the original, those before it take its place.
            *overriding, original = [owner for owner in cls.__mro__ if name in vars(owner)]
            for owner in overriding:
                if getattr(vars(owner)[name], "__deviates__", None) is None:
                    raise TypeError(
                        f"{owner.__qualname__}.{name} overrides the test of {original.__qualname__} without saying "
                        'why; mark it with @deviates("reason")'
                    )
