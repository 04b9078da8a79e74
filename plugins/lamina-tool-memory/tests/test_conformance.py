import pytest
from attrs import evolve

from lamina.model import Hit, Memory
from lamina.testing import LoneHost, ToolSuite, made_page
from lamina_tool_memory import (
    ExpandSettings,
    RecallSettings,
    RememberSettings,
    open_expand,
    open_recall,
    open_remember,
)


class Services:
    """What the context does, on a few pages and memories."""

    async def recall(self, query, *, limit=10, session=None, use=True):
        hit = Hit(Memory("test#3", f"said about {query}"), 1.0, "short", session="test", page=3)
        return [evolve(hit, score=1 / n) for n in range(1, limit + 1)]

    async def mark_used(self, hits):
        pass

    async def remember(self, text, *, kind="semantic", tags=()):
        return Memory("m1", text, kind, tags)

    async def expand(self, session, first, last):
        return [made_page(n) for n in range(first, last + 1)]


class TestRecall(ToolSuite):
    strategy = "recall"
    arguments = ({"query": "the port"}, {"query": "x", "limit": 50, "everywhere": False})

    @pytest.fixture
    def open_tool(self, tmp_path):
        return lambda: open_recall(RecallSettings(), LoneHost(tmp_path, services=Services()))


class TestExpand(ToolSuite):
    strategy = "expand"
    arguments = ({"pages": "12"}, {"pages": "12-30", "start": 5}, {"pages": "#3"})

    @pytest.fixture
    def open_tool(self, tmp_path):
        return lambda: open_expand(ExpandSettings(), LoneHost(tmp_path, services=Services()))


class TestRemember(ToolSuite):
    strategy = "remember"
    arguments = ({"text": "the port is 5433"}, {"text": "x", "kind": "procedural", "tags": ["a", "b"]})

    @pytest.fixture
    def open_tool(self, tmp_path):
        return lambda: open_remember(RememberSettings(), LoneHost(tmp_path, services=Services()))
