from contextlib import asynccontextmanager

import pytest

from lamina.testing import LoneHost, ToolSourceSuite, ToolSuite
from lamina_tool_files import FilesSettings, open_files


class TestSource(ToolSourceSuite):
    strategy = "files"
    least = 5

    @pytest.fixture
    def open_source(self, tmp_path):
        return lambda: open_files(FilesSettings(root=tmp_path), LoneHost(tmp_path))


class OneTool(ToolSuite):
    strategy = "files"
    name: str

    @pytest.fixture
    def open_tool(self, tmp_path):
        (tmp_path / "a.txt").write_text("one\ntwo\n")

        @asynccontextmanager
        async def opened():
            async with open_files(FilesSettings(root=tmp_path), LoneHost(tmp_path)) as source:
                yield next(tool for tool in await source.tools() if tool.spec.name == self.name)

        return opened


class TestRead(OneTool):
    name = "read_file"
    arguments = ({"path": "a.txt"}, {"path": "./a.txt", "start": 2, "lines": 1})


class TestWrite(OneTool):
    name = "write_file"
    arguments = ({"path": "b/c.txt", "text": "x"}, {"path": "a.txt", "text": ""})


class TestFind(OneTool):
    name = "find_files"
    arguments = ({}, {"pattern": "*.txt"})


class TestSearch(OneTool):
    name = "search_files"
    arguments = ({"text": "two"}, {"text": "^t.o$", "regex": True, "pattern": "*.txt"})
