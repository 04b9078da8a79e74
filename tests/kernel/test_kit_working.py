"""Where things stand: files, commands and errors with their latest state."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina import Message, Page, ToolCall, ToolResult, assistant, user
from lamina.kit.working import MOST, File, State, read, telling


def page(id, name, given, result="ok", *, error=False):
    call = ToolCall("c", name, given if isinstance(given, str) else json.dumps(given))
    messages = (Message("assistant", (call,)), Message("tool", (ToolResult("c", result, error),)))
    return Page(id, messages, (1, 1))


def state_of(*pages):
    state = State()
    for one in pages:
        state.take(one)
    return state


CALLS = st.tuples(
    st.sampled_from(["Read", "Edit", "Bash", "TodoWrite", "update_plan"]),
    st.one_of(
        st.fixed_dictionaries({"file_path": st.sampled_from(["a.py", "b.py"])}),
        st.fixed_dictionaries({"command": st.sampled_from(["pytest -q", "cat a.py", "make"])}),
        st.fixed_dictionaries({"todos": st.just([{"content": "x", "status": "pending"}])}),
    ),
    st.sampled_from(["ok", "1 failed", "Error: no such file", "[no result]"]),
)


@given(st.lists(CALLS, max_size=8))
def test_what_pages_did_may_be_read_before_the_state_gets_to_them(calls):
    pages = [page(id, *call) for id, call in enumerate(calls, 1)]
    did = [read(one) for one in reversed(pages)]
    state = State()
    for one in pages:
        state.take(one, did.pop())
    assert state == state_of(*pages)


READ = page(1, "Read", {"file_path": "a.py"}, "1\tx = 1")


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "given", "did", "whole"),
        [
            ("Read", {"file_path": "a.py"}, "read", True),
            ("Read", {"file_path": "a.py", "offset": 5, "limit": 9}, "read", False),
            ("Read", {"file_path": "a.py", "offset": 0}, "read", True),
            ("read_file", {"target_file": "a.py"}, "read", True),
            ("read_many", {"files": [{"path": "a.py"}, {"path": "b.py"}]}, "read", True),
            ("str_replace_editor", {"command": "view", "path": "a.py"}, "read", True),
            ("str_replace_editor", {"command": "view", "path": "a.py", "view_range": [1, 9]}, "read", False),
            ("str_replace_editor", {"command": "create", "path": "a.py", "file_text": "x"}, "written", True),
            ("str_replace_editor", {"command": "str_replace", "path": "a.py", "old_str": "x", "new_str": "y"}, "changed", False),
            ("str_replace_based_edit_tool", {"command": "view", "path": "a.py"}, "read", True),
            ("Write", {"file_path": "a.py", "content": "x"}, "written", True),
            ("write_to_file", {"path": "a.py", "content": "x"}, "written", True),
            ("Edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"}, "changed", False),
            ("MultiEdit", {"file_path": "a.py", "edits": []}, "changed", False),
            ("replace_in_file", {"path": "a.py", "diff": "x"}, "changed", False),
            ("insert_content", {"path": "a.py", "line": 1, "content": "x"}, "changed", False),
            ("NotebookEdit", {"notebook_path": "a.py", "new_source": "x"}, "changed", False),
            ("NotebookRead", {"notebook_path": "a.py"}, "read", True),
            ("delete_file", {"target_file": "a.py"}, "deleted", False),
            ("apply_patch", {"input": "*** Begin Patch\n*** Update File: a.py\n@@\n-x\n+y\n*** End Patch"}, "changed", False),
            ("apply_patch", "*** Begin Patch\n*** Add File: a.py\n+y\n*** End Patch", "written", True),
            ("apply_patch", {"patch": "*** Begin Patch\n*** Delete File: a.py\n*** End Patch"}, "deleted", False),
            ("shell", {"command": ["apply_patch", "*** Begin Patch\n*** Update File: a.py\n+y\n*** End Patch"]}, "changed", False),
            ("Bash", {"command": "apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: a.py\n+y\n*** End Patch\nEOF"}, "changed", False),
            ("Bash", {"command": "cd /x && cat a.py"}, "read", True),
            ("shell", {"command": ["bash", "-lc", "sed -n '1,20p' a.py"]}, "read", False),
            ("exec_command", {"cmd": "bash -lc 'head -n 5 a.py'"}, "read", False),
            ("Bash", {"command": "sed -i 's/x/y/' a.py"}, "changed", False),
            ("Bash", {"command": "cat > a.py <<'EOF'\nx = 1\nEOF"}, "written", True),
        ],
    )  # fmt: skip
    def test_what_was_done_to_a_file_is_known(self, name, given, did, whole):
        assert state_of(page(3, name, given)).files["a.py"] == File(3, did, 3 if whole else 0)

    def test_several_files_of_a_patch_are_all_held(self):
        patch = "*** Begin Patch\n*** Update File: a.py\n+y\n*** Add File: b.py\n+y\n*** End Patch"
        assert {path: file.did for path, file in state_of(page(1, "apply_patch", {"input": patch})).files.items()} == {
            "a.py": "changed",
            "b.py": "written",
        }

    def test_a_change_leaves_the_page_that_held_the_whole_and_says_so(self):
        changed = page(2, "Edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"})
        part = page(3, "Read", {"file_path": "a.py", "limit": 3})
        assert state_of(READ, changed).files["a.py"] == File(2, "changed", 1, changed_since=True)
        assert state_of(READ, changed, part).files["a.py"] == File(3, "read", 1, changed_since=True)
        assert state_of(READ, part).files["a.py"] == File(3, "read", 1)
        assert state_of(changed, READ).files["a.py"] == File(1, "read", 1)

    @pytest.mark.parametrize(
        ("name", "given"),
        [
            ("Grep", {"pattern": "x", "path": "a.py"}),
            ("LS", {"path": "a.py"}),
            ("create_directory", {"path": "a.py"}),
            ("analyze_structure", {"path": "a.py"}),
            ("Bash", {"command": "grep -n x a.py"}),
            ("Bash", {"command": "cat a.py > b.txt; rm -rf x"}),
        ],
    )
    def test_other_uses_of_a_path_are_none(self, name, given):
        assert "a.py" not in state_of(page(1, name, given)).files

    def test_a_call_that_failed_did_nothing(self):
        assert state_of(page(1, "Read", {"file_path": "a.py"}, "File does not exist.", error=True)).files == {}

    def test_a_call_without_a_result_did_nothing(self):
        state = state_of(page(1, "Edit", {"file_path": "a.py", "new_string": "x"}, "[no result]"))
        assert (state.files, state.failed) == ({}, {})

    def test_a_log_that_is_read_is_no_failure(self):
        for text in ("Traceback (most recent call last):\n" + "x\n" * 500, '{"error": "x"}' + " " * 800):
            state = state_of(page(1, "Read", {"file_path": "a.log"}, text))
            assert (list(state.files), state.failed) == (["a.log"], {})


FAILING = {
    "Claude Code": ("Exit code 1\n2 failed, 1 passed in 0.2s", True, "2 failed, 1 passed in 0.2s"),
    "Codex, an object": (json.dumps({"output": "boom\n1 failed", "metadata": {"exit_code": 1}}), False, "1 failed"),
    "Codex, lines": ("Exit code: 2\nWall time: 1 seconds\nOutput:\n1 failed", False, "1 failed"),
    "Codex, a process": (
        "Chunk ID: ab\nWall time: 1 seconds\nProcess exited with code 1\nOutput:\n1 failed", False, "1 failed",
    ),
    "Gemini": ("Command: x\nOutput: it broke\nError: (none)\nExit Code: 1\nSignal: (none)", False, None),
    "OpenHands": ("it broke\n[The command completed with exit code 2.]", False, "it broke"),
    "mini": ("<returncode>1</returncode>\n<output>\nit broke\n</output>", False, "it broke"),
    "SWE-agent": ("== 1 failed, 2 passed in 1s ==\n(Open file: /a.py)\n(Current directory: /x)\nbash-$", False, "== 1 failed, 2 passed in 1s =="),
    "cargo": ("test result: FAILED. 1 passed; 1 failed; 0 ignored", False, None),
    "npm": ("> test\nnpm ERR! Test failed.", False, None),
    "make": ("cc a.c\nmake: *** [all] Error 2", False, None),
    "go": ("--- FAIL: TestX (0.00s)\nFAIL\tx\t0.1s", False, None),
    "tsc": ("a.ts(1,2): error TS2304: Cannot find name 'x'.", False, None),
    "a missing command": ("bash: line 1: pytest: command not found", False, None),
}  # fmt: skip

PASSING = {
    "pytest": "== 3 passed, 1 xfailed in 0.2s ==",
    "counts": "passed: 10, failed: 0, errors: 0",
    "names of errors": "test_error_message PASSED\ntest_failed_login PASSED\n2 passed",
    "cargo": "test result: ok. 3 passed; 0 failed; 0 ignored",
    "an error that was expected": "error: expected (ok)\n12 passed, 0 failed",
    "no errors": "0 errors, 0 warnings",
    "ruff": "Found 3 errors (3 fixed, 0 remaining).",
    "an object": json.dumps({"output": "error handling: 1 failed attempt, retried", "metadata": {"exit_code": 0}}),
    "lines": "Exit code: 0\nWall time: 1 seconds\nOutput:\nerror: none",
    "a process": "Process exited with code 0\nOutput:\n1 failed (allowed)",
    "Gemini": "Command: x\nOutput: fine\nError: (none)\nExit Code: 0",
    "silence": "",
}


class TestCommands:
    @pytest.mark.parametrize("harness", FAILING)
    def test_a_failed_run_is_known(self, harness):
        text, error, says = FAILING[harness]
        state = state_of(page(2, "Bash", {"command": "npm test"}, text, error=error))
        assert state.ran["npm test"].failed
        assert [failed.call for failed in state.failed.values()] == ["Bash npm test"]
        assert says is None or state.ran["npm test"].says == says

    @pytest.mark.parametrize("what", PASSING)
    def test_words_about_errors_make_no_failure(self, what):
        state = state_of(page(2, "Bash", {"command": "npm test"}, PASSING[what]))
        assert not state.ran["npm test"].failed
        assert state.failed == {}

    @pytest.mark.parametrize(
        "command",
        ["pytest -q", "python -m pytest tests", "cd /x && npm test", "FOO=1 cargo build", "uv run ruff check .", "make", "go test ./...",
         "npx tsc --noEmit", "./build.sh", "bash scripts/run_tests.sh", "timeout 60 make check", "tox; echo done", "python manage.py test"],
    )  # fmt: skip
    def test_what_builds_or_tests_is_held(self, command):
        assert state_of(page(1, "Bash", {"command": command})).ran

    @pytest.mark.parametrize(
        "command",
        ["ls tests", "git commit -m 'make the test pass'", "grep -rn pytest .", "cat Makefile", "echo make", "python -c 'import x; test()'"],
    )  # fmt: skip
    def test_what_only_speaks_of_it_is_not(self, command):
        assert state_of(page(1, "Bash", {"command": command})).ran == {}

    def test_the_newest_run_of_the_same_work_takes_the_place_of_the_older(self):
        first = page(1, "Bash", {"command": "cd /x && pytest -q tests | tail -5"}, "1 failed")
        second = page(2, "Bash", {"command": "pytest -v tests 2>&1 | tail -20"}, "4 passed")
        state = state_of(first, second)
        assert [(work, ran.page, ran.failed) for work, ran in state.ran.items()] == [("pytest -v tests", 2, False)]
        assert state.failed == {}

    def test_a_script_that_ends_in_a_traceback_failed(self):
        text = "start\nTraceback (most recent call last):\n  File 'a.py', line 1\nValueError: bad"
        assert [f.says for f in state_of(page(1, "Bash", {"command": "python a.py"}, text)).failed.values()] == [
            "ValueError: bad"
        ]


class TestFailures:
    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("Error: user not found", False),
            ('{"error": "no such order"}', False),
            ('{"success": false, "message": "x"}', False),
            ('{"status": "error", "detail": "x"}', False),
            ("<tool_use_error>String to replace not found in file.</tool_use_error>", False),
            ("Failed to connect", False),
            ("KeyError: 'x'", False),
            ("anything", True),
        ],
    )
    def test_an_error_of_a_tool_is_known(self, text, error):
        assert state_of(page(1, "lookup", {"id": 7}, text, error=error)).failed[("lookup", "7")].page == 1

    @pytest.mark.parametrize(
        "text",
        ['{"error": null, "name": "x"}', '{"error": false}', '{"errors": []}', '{"success": true, "failed": 0}', "errors: 0", "Error: none",
         "failed: 0", "Error handling is described in chapter 3.", "No errors found", '{"status": "ok", "errors": 0}', "Errors:0"],
    )  # fmt: skip
    def test_success_that_speaks_of_errors_is_none(self, text):
        assert state_of(page(1, "lookup", {"id": 7}, text)).failed == {}

    def test_a_failure_disappears_when_the_same_succeeds(self):
        failed = page(1, "Bash", {"command": "python -v a.py"}, "Exit code 1", error=True)
        assert state_of(failed).failed
        assert state_of(failed, page(2, "Bash", {"command": "cd /x && python a.py"}, "fine")).failed == {}
        assert state_of(failed, page(2, "Bash", {"command": "python b.py"}, "fine")).failed

    def test_a_failed_edit_disappears_when_the_file_is_changed_in_any_way(self):
        failed = page(1, "Edit", {"file_path": "a.py", "old_string": "x", "new_string": "y"}, "not found", error=True)
        assert state_of(failed, page(2, "Write", {"file_path": "a.py", "content": "y"})).failed == {}
        assert state_of(failed, page(2, "Write", {"file_path": "b.py", "content": "y"})).failed

    def test_what_a_person_refused_stays_until_the_very_same_is_allowed(self):
        no = "The user doesn't want to proceed with this tool use. The tool use was rejected. To tell you how to proceed, the user said:\nuse b"
        edit = {"file_path": "a.py", "old_string": "x", "new_string": "y"}
        refused = page(1, "Edit", edit, no, error=True)
        other = page(2, "Edit", edit | {"new_string": "z"})
        (failed,) = state_of(refused, other).failed.values()
        assert (failed.call, failed.says) == ("Edit a.py", "the user refused: use b")
        assert state_of(refused, page(3, "Edit", edit)).failed == {}
        assert state_of(page(1, "Bash", {"command": "make"}, no, error=True)).ran == {}

    def test_several_refusals_of_the_like_are_one(self):
        no = "The user doesn't want to proceed with this tool use."
        pages = [page(n, "Edit", {"file_path": "a.py", "new_string": str(n)}, no, error=True) for n in (1, 2, 3)]
        assert [failed.page for failed in state_of(*pages).failed.values()] == [3]

    @pytest.mark.parametrize(
        "text",
        [
            "The user doesn't want to take this action right now. STOP.",
            "[Request interrupted by user for tool use]",
            "[no result]",
        ],
    )
    def test_a_call_that_was_not_made_is_no_failure(self, text):
        state = state_of(page(1, "Edit", {"file_path": "a.py", "new_string": "x"}, text, error=True))
        assert (state.failed, state.files) == ({}, {})

    def test_cline_says_it_in_other_words(self):
        no = "The user denied this operation and provided the following feedback:\n<feedback>\nnot that\n</feedback>"
        assert [f.says for f in state_of(page(1, "x", {"a": 1}, no)).failed.values()] == ["the user refused: not that"]


def test_the_telling_line_stands_without_its_frame():
    assert (
        telling("<tool_use_error>String to replace not found in file.</tool_use_error>")
        == "String to replace not found in file."
    )
    assert telling("one\n[The command completed with exit code 0.]") == "one"
    checked = (
        "a.py:3 - error: unknown name\n17 errors, 0 warnings\n" + "Saving the cache\n" * 20 + "Cache saved successfully"
    )
    assert telling(checked) == "Cache saved successfully"
    assert telling(checked, failed=True) == "17 errors, 0 warnings"
    assert telling("Exit code 1") == "Exit code 1"
    assert telling(" \n") == ""


class TestBounds:
    def test_of_each_kind_only_the_latest_are_held_and_keys_are_short(self):
        state = State()
        for n in range(MOST + 50):
            state.take(page(n, "Read", {"file_path": f"{n}.py"}))
            state.take(page(n, "Bash", {"command": f"make t{n}" + " x" * 5000}))
            state.take(page(n, "ask", {"q": f"{n}" + "y" * 5000}, "z" * 9999, error=True))
        assert len(state.files) == len(state.ran) == len(state.failed) == MOST
        assert f"{MOST + 49}.py" in state.files
        assert all(
            len(part) <= 300 for key in [*state.ran, *(k for key in state.failed for k in key)] for part in [key]
        )

    def test_a_copy_goes_on_alone(self):
        state = state_of(READ)
        other = state.copy()
        other.take(page(2, "Read", {"file_path": "b.py"}))
        assert (list(state.files), list(other.files)) == (["a.py"], ["a.py", "b.py"])

    def test_pages_without_calls_say_nothing(self):
        assert state_of(Page(1, (user("x"),), (1,)), Page(2, (assistant("y"),), (1,))) == State()

    @pytest.mark.parametrize(
        "unit",
        [
            "a",
            " ",
            "\n",
            "exit code ",
            "1 failed ",
            "error",
            "(",
            '{"',
            "\\",
            "'",
            '"',
            "a: ",
            ";",
            "cat ",
            "*** ",
            "A.",
            "1 ",
        ],
    )
    def test_huge_calls_and_results_take_no_longer_than_others(self, unit):
        text = (unit * 500_000)[:500_000]
        begun = time.process_time()
        for command in ("make", text):
            state_of(
                page(1, "Bash", {"command": command}, text), page(2, "Bash", {"command": command}, '{"output": ' + text)
            )
        state_of(
            page(3, "Write", {"path": "a", "content": text}),
            page(4, "x" * 500 + text, {"path": text}, text, error=True),
        )
        assert time.process_time() - begun < 1.5


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=5), max_size=3)


@given(
    st.sampled_from(["Bash", "Read", "Edit", "apply_patch", "shell", "str_replace_editor", "x"]),
    st.dictionaries(
        st.sampled_from(["command", "cmd", "path", "file_path", "files", "content", "patch", "offset"]),
        VALUES,
        max_size=4,
    )
    | st.text(),
    st.text() | st.sampled_from([text for text, _, _ in FAILING.values()] + list(PASSING.values())),
    st.booleans(),
)
def test_calls_of_any_shape_are_taken(name, given, text, error):
    state = state_of(READ, page(2, name, given, text, error=error))
    assert all(len(failed.says) <= 100 for failed in state.failed.values())
    assert len(telling(text)) <= 100
