"""Conformance suites for plugins: subclass the suite of your kind, give a fixture, and run pytest.

``pip install "lamina[testing]"``. Every suite class is named ``<Kind>Suite`` (never ``Test…``, so that pytest
collects only your subclass), has a ``strategy`` (the registered name) and says in its docstring which fixture to
give. Suite tests are synchronous and drive the part by ``asyncio.run``, so no asyncio plugin is needed. All of them
are a :class:`lamina.testing.suite.Suite`, which refuses a test that is overridden without :func:`deviates`.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from lamina.testing.compressor import CompressorSuite as CompressorSuite
    from lamina.testing.consolidator import ConsolidatorSuite as ConsolidatorSuite
    from lamina.testing.conversations import conversations as conversations
    from lamina.testing.counter import CounterSuite as CounterSuite
    from lamina.testing.embedder import EmbedderSuite as EmbedderSuite
    from lamina.testing.executor import ExecutorSuite as ExecutorSuite
    from lamina.testing.extractor import ExtractorSuite as ExtractorSuite
    from lamina.testing.format import FormatSuite as FormatSuite
    from lamina.testing.grants import GrantsSuite as GrantsSuite
    from lamina.testing.host import LoneHost as LoneHost
    from lamina.testing.index import IndexSuite as IndexSuite
    from lamina.testing.index import documents_of as documents_of
    from lamina.testing.pager import PagerSuite as PagerSuite
    from lamina.testing.plans import made_page as made_page
    from lamina.testing.plans import plan_request as plan_request
    from lamina.testing.plans import reference_count as reference_count
    from lamina.testing.plans import reference_offers as reference_offers
    from lamina.testing.plans import window_tokens as window_tokens
    from lamina.testing.ranker import RankerSuite as RankerSuite
    from lamina.testing.run import failing as failing
    from lamina.testing.scorer import ScorerSuite as ScorerSuite
    from lamina.testing.storage import StorageSuite as StorageSuite
    from lamina.testing.suite import Suite as Suite
    from lamina.testing.tier import TierSuite as TierSuite
    from lamina.testing.tool import ToolSourceSuite as ToolSourceSuite
    from lamina.testing.tool import ToolSuite as ToolSuite

F = TypeVar("F", bound=Callable[..., Any])

_WHERE = {
    "CompressorSuite": "compressor",
    "ConsolidatorSuite": "consolidator",
    "CounterSuite": "counter",
    "EmbedderSuite": "embedder",
    "ExecutorSuite": "executor",
    "ExtractorSuite": "extractor",
    "FormatSuite": "format",
    "GrantsSuite": "grants",
    "IndexSuite": "index",
    "LoneHost": "host",
    "PagerSuite": "pager",
    "RankerSuite": "ranker",
    "ScorerSuite": "scorer",
    "StorageSuite": "storage",
    "Suite": "suite",
    "TierSuite": "tier",
    "ToolSourceSuite": "tool",
    "ToolSuite": "tool",
    "conversations": "conversations",
    "documents_of": "index",
    "failing": "run",
    "made_page": "plans",
    "plan_request": "plans",
    "reference_count": "plans",
    "reference_offers": "plans",
    "window_tokens": "plans",
}
"""Public names to the submodule that has them; imported when first used, so that pytest can rewrite asserts."""


def deviates(reason: str) -> Callable[[F], F]:
    """Mark a test that overrides a suite's, and say why the strategy deviates; overriding without it fails.

    It is the outermost decorator: others, such as hypothesis' ``given``, do not hand the mark on.
    """
    if not reason.strip():
        raise ValueError("a deviation needs a reason")

    def mark(test: F) -> F:
        test.__dict__["__deviates__"] = reason
        return test

    return mark


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        module = f"lamina.testing.{_WHERE[name]}"
        try:
            import pytest
        except ImportError:
            pass
        else:
            if module not in sys.modules:  # it may have been imported by its own name
                pytest.register_assert_rewrite(module)
        return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'lamina.testing' has no attribute {name!r}")
