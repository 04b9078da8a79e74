import asyncio
from functools import partial

import pytest

import lamina
from lamina.protocols import ExtractRequest, everything
from lamina.testing import ExtractorSuite, LoneHost
from lamina.testing.extractor import pages_of
from lamina_extractor_procedures import ProceduresSettings, open_procedures


def ran(command, result, error=False):
    return (
        lamina.assistant("", lamina.ToolCall("c", "Bash", {"command": command})),
        lamina.tool_result("c", result, error=error),
    )


class TestProcedures(ExtractorSuite):
    strategy = "procedures"
    telling = ran("pytest -q tests", "12 passed in 3.21s")

    @pytest.fixture
    def open_extractor(self, tmp_path):
        return partial(open_procedures, ProceduresSettings(), LoneHost(tmp_path))


def draw(tmp_path, *conversation, **settings):
    async def work():
        async with open_procedures(ProceduresSettings(**settings), LoneHost(tmp_path)) as part:
            pages = pages_of(conversation)
            return list(await part.extract(ExtractRequest(session="s", pages=pages, earlier=[], passages=everything)))

    return asyncio.run(work())


def test_what_worked_in_the_end_and_what_did_not_are_told_apart(tmp_path):
    drawn = draw(
        tmp_path,
        *ran("npm run build", "error: no such script", error=True),
        *ran("pytest -q tests", "1 failed, 11 passed in 3.0s", error=True),
        *ran("pytest -q tests", "12 passed in 3.21s"),
    )
    told = {draft.tags[0]: draft for draft in drawn}
    assert "12 passed" in told["works"].text
    assert told["works"].provenance == ("s#3",)
    assert "npm run build" in told["dead end"].text
    assert "pytest" not in told["dead end"].text


def test_there_are_not_more_than_asked_for(tmp_path):
    calls = [message for n in range(9) for message in ran(f"make target{n}", "error: broken", error=True)]
    assert len(draw(tmp_path, *calls, most=3)) == 3
