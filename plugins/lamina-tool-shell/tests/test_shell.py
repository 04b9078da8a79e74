"""What a command line comes to, and that nothing of it stays."""

import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina
from lamina import Call
from lamina.protocols import RunRequest
from lamina.testing import LoneHost
from lamina_tool_shell import ShellSettings, open_shell
from lamina_tool_shell._tool import _Kept


def run(folder, command, report=None, **settings):
    async def go():
        async with open_shell(ShellSettings(folder=folder, **settings), LoneHost(folder)) as tool:
            request = RunRequest(Call("shell", {"command": command}), **({"report": report} if report else {}))
            return await tool.run(request)

    return asyncio.run(go())


def test_output_and_exit_code_come_back(tmp_path):
    output = run(tmp_path, "pwd; echo err >&2; cat")
    assert output.text == f"{tmp_path}\nerr\n"
    assert (output.structured, output.failure) == ({"exit_code": 0}, None)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("echo x; exit 3", "Exit: exit code 3"),
        ("kill -9 $$", "Exit: ended by signal 9 (SIGKILL)"),
        ("nosuchcommand", "Exit: exit code 127"),
    ],
)
def test_a_command_that_fails_says_how(tmp_path, command, said):
    output = run(tmp_path, command)
    assert output.failure is not None
    assert output.text.endswith(said)


def test_output_without_end_is_kept_by_its_beginning_and_its_end(tmp_path):
    output = run(tmp_path, "echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last", output_bytes=10_000)
    assert output.text.startswith("first\nxxx")
    assert output.text.endswith("xxx\nlast\n")
    assert len(output.text) < 10_100
    assert "bytes left out" in output.text


@given(pieces=st.lists(st.binary(max_size=30), max_size=40), most=st.integers(2, 60))
def test_what_is_kept_is_head_and_tail_in_bounded_memory(pieces, most):
    kept, whole = _Kept(most), b"".join(pieces)
    for piece in pieces:
        kept.add(piece)
        assert kept._tail_size <= most // 2 + 30
    half = most // 2
    text = kept.text()
    if len(whole) <= 2 * half:
        assert text == whole[:half].decode("utf-8", "replace") + whole[half:].decode("utf-8", "replace")
    else:
        assert text.startswith(whole[:half].decode("utf-8", "replace"))
        assert f"[… {len(whole) - 2 * half} bytes left out …]" in text


def ticking(file):
    return f"(while true; do printf . >> {file}; sleep 0.02; done)"


def stands_still(file):
    size = file.stat().st_size
    time.sleep(0.1)
    return file.stat().st_size == size


def test_what_is_left_in_the_background_ends_with_the_command(tmp_path):
    file = tmp_path / "file"
    output = run(tmp_path, f"{ticking(file)} & while [ ! -s {file} ]; do sleep 0.01; done; echo done")
    assert output.text == "done\n"
    assert stands_still(file)


def test_a_command_that_is_cancelled_or_takes_too_long_is_killed_with_all_that_it_started(tmp_path):
    file = tmp_path / "file"

    async def go():
        settings = {
            "home": str(tmp_path / "home"),
            "tools": {"shell": {"folder": str(tmp_path), "timeout_s": 1.0}},
            "grants": {"rules": {"rules": [{"decision": "allow", "call": "shell"}]}},
        }
        async with lamina.open(settings=settings, environ={}) as ctx:
            late = await ctx.tools.call(Call("shell", {"command": f"trap '' TERM INT; {ticking(file)} & wait"}))
            assert late.state == "timed out"
            assert await asyncio.to_thread(stands_still, file)
            handle = await ctx.tools.start(Call("shell", {"command": f"echo begun; {ticking(file)}"}))
            async for progress in handle.progress():
                assert progress.text == "begun\n"
                break
            handle.cancel()
            assert (await handle.result()).state == "cancelled"
            assert await asyncio.to_thread(stands_still, file)

    asyncio.run(go())


def test_secrets_stay_outside(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hunter2")
    assert "hunter2" not in run(tmp_path, "env").text
    assert "hunter2" in run(tmp_path, "env", environment=("PATH", "MY_TOKEN")).text


def test_without_a_rule_nothing_runs(tmp_path):
    async def go():
        settings = {"home": str(tmp_path / "home"), "tools": {"shell": {}}}
        async with lamina.open(settings=settings, environ={}) as ctx:
            (result,) = await ctx.tools.gather([Call("shell", {"command": f"touch {tmp_path}/x"})])
            assert "shell" not in [spec.name for spec in ctx.tools.specs()]
            return result

    assert asyncio.run(go()).state == "refused"
    assert not (tmp_path / "x").exists()
