"""The worst that a tool can do ends its own call, and nothing else."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

import lamina
from lamina import Call
from lamina.errors import CallTimeoutError, ConfigError, LostCallError, ToolError
from lamina.outputs import Output
from lamina.protocols import ExecuteRequest, RunRequest, ToolReference
from lamina.testing import LoneHost
from lamina.testing.executor import children
from lamina.tools import function_tool
from lamina_executor_process import ProcessSettings, open_process

sys.path.insert(0, str(Path(__file__).parent))  # workers are given the same path
import _hostile as hostile

GENEROUS_S = 60.0


def request(function, timeout_s=GENEROUS_S, **arguments):
    tool = function_tool(function)
    return ExecuteRequest(RunRequest(Call(tool.spec.name, arguments)), reference=tool.reference, timeout_s=timeout_s)


def with_executor(tmp_path, act, **settings):
    made = ProcessSettings(**{"workers": 2, "memory_mb": 512, "cpu_s": 30.0, **settings})
    before = children()

    async def go():
        async with open_process(made, LoneHost(tmp_path)) as executor:
            return await act(executor)

    try:
        return asyncio.run(go())
    finally:
        assert children() <= before


def outcomes(tmp_path, *asked, **settings):
    """What each comes to: an output, or the exception."""

    async def act(executor):
        return await asyncio.gather(*(executor.execute(one) for one in asked), return_exceptions=True)

    return with_executor(tmp_path, act, **settings)


def test_time_ends_what_hangs_deadlocks_or_listens_to_nobody(tmp_path):
    file = tmp_path / "file"
    asked = [
        request(hostile.hangs, 3.0),
        request(hostile.deadlocks, 3.0),
        request(hostile.ignores, 3.0, file=str(file)),
    ]
    assert [type(o) for o in outcomes(tmp_path, *asked, workers=3)] == [CallTimeoutError] * 3
    size = file.stat().st_size if file.exists() else 0
    time.sleep(0.1)
    assert (file.stat().st_size if file.exists() else 0) == size


@pytest.mark.parametrize(
    ("function", "type", "settings"),
    [
        (hostile.fills_memory, "MemoryError", {}),
        (hostile.fills_disk, "FileLimit", {"file_mb": 5}),
        (hostile.exits, "SystemExit", {}),
        (hostile.raises, "LookupError", {}),
        (hostile.garbage, "TypeError", {}),
        (hostile.spins, "CpuLimit", {"cpu_s": 1.0}),
    ],
)
def test_what_a_tool_does_wrong_is_its_failure(tmp_path, function, type, settings):
    (output,) = outcomes(tmp_path, request(function), **settings)
    assert isinstance(output, Output), output
    assert output.failure.type == type


@pytest.mark.parametrize(("function", "how"), [(hostile.leaves, "with exit code 3"), (hostile.crashes, "by signal 11")])
def test_a_process_that_dies_loses_its_call_and_says_how(tmp_path, function, how):
    (error,) = outcomes(tmp_path, request(function))
    assert isinstance(error, LostCallError)
    assert str(error) == f"the tool's process ended {how}"


def test_output_without_end_reaches_nobody(tmp_path):
    printed, large, fits = outcomes(tmp_path, request(hostile.prints), request(hostile.returns, size=3 * 2**20), request(hostile.returns, size=2**19), output_mb=1)  # fmt: skip
    assert printed.text == "printed"
    assert (large.failure.type, large.failure.hint) == ("OutputTooLarge", "ask for less")
    assert fits.text == "x" * 2**19


def test_all_that_a_call_started_ends_with_it(tmp_path):
    file = tmp_path / "file"
    (output,) = outcomes(tmp_path, request(hostile.forks, file=str(file)))
    assert output.text == "forked"
    size = file.stat().st_size
    time.sleep(0.1)
    assert file.stat().st_size == size


def test_one_that_dies_takes_no_other_with_it(tmp_path):
    asked = [request(f) for _ in range(5) for f in (hostile.leaves, hostile.pid, hostile.crashes, hostile.pid)]
    results = outcomes(tmp_path, *asked, workers=3)
    assert [isinstance(o, Output) for o in results] == [False, True] * 10


def test_a_process_is_used_again_while_it_is_sound_and_not_too_often(tmp_path):
    async def act(executor):
        return [(await executor.execute(request(hostile.counts))).structured for _ in range(7)]

    assert with_executor(tmp_path, act, workers=1, calls=3) == [1, 2, 3, 1, 2, 3, 1]


def test_secrets_and_the_callers_folder_stay_outside(tmp_path, monkeypatch):
    monkeypatch.setenv("LAMINA_TEST_SECRET", "hunter2")
    (output,) = outcomes(tmp_path, request(hostile.secrets))
    said, folder = output.text.split(" ")
    assert said == "None"
    assert folder != str(Path.cwd())
    assert not Path(folder).exists()
    (output,) = outcomes(
        tmp_path, request(hostile.secrets), environment=("PATH", "LAMINA_TEST_SECRET"), folder=tmp_path
    )
    assert output.text == f"hunter2 {tmp_path}"


def test_what_a_tool_writes_into_the_channel_is_no_answer(tmp_path):
    (outcome,) = outcomes(tmp_path, request(hostile.speaks, 10.0))
    assert isinstance(outcome, LostCallError | CallTimeoutError)


def test_a_tool_that_nobody_finds_is_told(tmp_path):
    nowhere = ExecuteRequest(RunRequest(Call("x")), reference=ToolReference("no.such:tool"), timeout_s=GENEROUS_S)
    (output,) = outcomes(tmp_path, nowhere)
    assert output.failure.type == "ToolError"
    assert "leads to no tool" in output.failure.message


def test_a_configured_tool_runs_elsewhere_where_the_configuration_says_so(tmp_path):
    async def go():
        settings = {
            "home": str(tmp_path),
            "calls": {"executors": {"pid": "process"}},
            "executors": {"process": {"workers": 1}},
        }
        async with lamina.open(settings=settings, environ={}) as ctx:
            ctx.tools.register(hostile.pid)
            ctx.tools.register(lamina.tool(name="here")(hostile.pid))
            there, here = await ctx.tools.gather([Call("pid"), Call("here")])
            assert here.output.structured == os.getpid()
            assert there.output.structured != os.getpid()
            result = await ctx.tools.call(Call("pid"))
            assert result.output.structured == there.output.structured

    asyncio.run(go())


def test_a_tool_that_needs_its_context_is_refused_with_the_remedy(tmp_path):
    async def go():
        settings = {"home": str(tmp_path), "calls": {"executors": {"recall": "process"}}}
        async with lamina.open(settings=settings, environ={}):
            pass

    with pytest.raises((ToolError, ConfigError), match="executor 'process' cannot run it"):
        asyncio.run(go())
