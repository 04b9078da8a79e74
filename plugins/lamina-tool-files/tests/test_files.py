"""What the tools do to files, and that nothing leads out of the folder."""

import asyncio
import contextlib
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lamina
from lamina import Call
from lamina.errors import CallFailedError
from lamina.protocols import RunRequest
from lamina.testing import LoneHost
from lamina_tool_files import FilesSettings, open_files
from lamina_tool_files._confined import Confined


@pytest.fixture
def root(tmp_path):
    """A shared folder, and beside it what is not."""
    folder = tmp_path / "shared"
    (folder / "src").mkdir(parents=True)
    (tmp_path / "secret").write_text("hunter2")
    (folder / "src" / "a.py").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    (folder / "out").symlink_to(tmp_path)
    (folder / "src" / "leak").symlink_to(tmp_path / "secret")
    (folder / "src" / "same").symlink_to("a.py")
    (folder / "binary").write_bytes(b"a\0b")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def run(root):
    """Runs a tool; gives its text, or its failure's."""

    def call(tool, **arguments):
        async def go():
            chosen = {
                key: arguments.pop(key) for key in ("max_bytes", "max_found", "write", "prefix") if key in arguments
            }
            async with open_files(FilesSettings(root=root, **chosen), LoneHost(root)) as source:
                found = {made.spec.name: made for made in await source.tools()}
                try:
                    return (await found[tool].run(RunRequest(Call(tool, arguments)))).text
                except CallFailedError as error:
                    return f"{error.type}: {error.message}"

        return asyncio.run(go())

    return call


def test_a_file_is_read_whole_or_by_lines(run):
    assert run("read_file", path="src/a.py").splitlines() == [f"line {n}" for n in range(1, 11)]
    assert run("read_file", path="src/same", start=9) == "line 9\nline 10\n"
    shown = run("read_file", path="src/a.py", start=2, lines=2)
    assert shown == "[lines 2 to 3 of 10; go on with start 4]\nline 2\nline 3\n"
    assert run("read_file", path="src/a.py", start=11) == "NoSuchLine: src/a.py has 10 lines"


def test_writing_is_whole_keeps_the_mode_and_makes_folders(run, root):
    assert run("write_file", path="new/deep/b.txt", text="héllo") == "made new/deep/b.txt, 6 bytes"
    assert (root / "new/deep/b.txt").read_text() == "héllo"
    (root / "src/a.py").chmod(0o755)
    assert run("write_file", path="src/a.py", text="x").startswith("wrote src/a.py")
    assert (root / "src/a.py").stat().st_mode & 0o777 == 0o755
    assert sorted(p.name for p in (root / "src").iterdir()) == ["a.py", "leak", "same"]
    assert run("write_file", path="src/same", text="through") == "wrote src/same, 7 bytes"
    assert (root / "src/a.py").read_text() == "through"


def test_a_write_that_fails_leaves_what_was_there(root, monkeypatch):
    def full(*given, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        Confined(root).write("src/a.py", b"x")
    assert (root / "src/a.py").read_text().startswith("line 1\n")
    assert sorted(p.name for p in (root / "src").iterdir()) == ["a.py", "leak", "same"]


def test_an_edit_is_exact(run, root):
    assert run("edit_file", path="src/a.py", old="line 2\n", new="second\n") == "replaced it in src/a.py"
    assert (root / "src/a.py").read_text().splitlines()[1] == "second"
    assert run("edit_file", path="src/a.py", old="line", new="x") == "NoMatch: src/a.py holds it 9 times, not 1"
    assert run("edit_file", path="src/a.py", old="line", new="x", times=9) == "replaced it 9 times in src/a.py"
    assert run("edit_file", path="src/a.py", old="nowhere", new="x").startswith("NoMatch: src/a.py holds it 0 times")
    (root / "latin").write_bytes(b"caf\xe9 au lait")
    run("edit_file", path="latin", old="lait", new="sucre")
    assert (root / "latin").read_bytes() == b"caf\xe9 au sucre"


def test_files_and_lines_are_found(run, root):
    (root / "src/b.txt").write_text("line 3 again\n")
    assert run("find_files", pattern="*.py") == "src/a.py"
    assert run("find_files").splitlines() == ["binary", "src/a.py", "src/b.txt"]
    assert run("search_files", text="line 3") == "src/a.py:3: line 3\nsrc/b.txt:1: line 3 again"
    assert run("search_files", text="^line (1|2)$", regex=True) == "src/a.py:1: line 1\nsrc/a.py:2: line 2"
    assert run("search_files", text="line", pattern="*.py", max_found=2).endswith("[more than 2; ask more precisely]")
    assert run("search_files", text="hunter2") == "no line holds 'hunter2'"
    assert run("search_files", text="(a", regex=True).startswith("NoPattern: '(a' a ( without its )")
    (root / "evil").write_text("a" * 5000 + "b\n")
    assert run("search_files", text="^(a+)+$", regex=True) == "no line holds '^(a+)+$'"


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("../secret", "Outside"), ("out/secret", "Outside"), ("src/leak", "Outside"), ("/etc/passwd", "Outside"),
        ("src/../../secret", "Outside"), ("a\0b", "NoSuchPath"), ("src", "NoFile"), (".", "IsAFolder"), ("pipe", "NoFile"),
        ("binary", "Binary"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(run, path, type):
    assert run("read_file", path=path).startswith(f"{type}: ")


def test_large_files_are_not_read_or_written(run, root):
    (root / "large").write_text("x" * 2000)
    assert run("read_file", path="large", max_bytes=1000) == "TooLarge: large has 2000 bytes; at most 1000 are read"
    assert run("write_file", path="large", text="y" * 2000, max_bytes=1000).startswith("TooLarge")


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "src", "out", "leak", "same", "secret", "new", "", "shared"]), max_size=6
    ),
    write=st.booleans(),
)
def test_no_path_reaches_what_is_outside(run, root, parts, write):
    path = "/".join(parts) or "."
    if write:
        with contextlib.suppress(OSError):
            run("write_file", path=path, text="changed")
    else:
        with contextlib.suppress(OSError):
            assert "hunter2" not in run("read_file", path=path)
    assert (root.parent / "secret").read_text() == "hunter2"
    assert {p.name for p in root.parent.iterdir()} == {"shared", "secret"}


def test_a_link_that_is_put_in_place_meanwhile_is_not_followed(root):
    files = Confined(root)
    parts = files.parts("src/a.py")
    (root / "src").rename(root / "moved")
    (root / "src").symlink_to(root.parent)
    with pytest.raises(OSError, match="Not a directory|Too many levels"), files.folder(parts[:-1]):
        pass


def test_tools_that_change_files_may_be_left_out_and_all_have_the_prefix(root):
    async def names(**chosen):
        async with open_files(FilesSettings(root=root, **chosen), LoneHost(root)) as source:
            return {tool.spec.name for tool in await source.tools()}

    assert asyncio.run(names(write=False, prefix="my_")) == {"my_read_file", "my_find_files", "my_search_files"}


def test_in_a_context_writing_needs_a_rule(root, tmp_path):
    async def go():
        rules = [{"decision": "allow", "call": "write_file(src/**)"}]
        settings = {
            "home": str(tmp_path / "home"),
            "tools": {"files": {"root": str(root)}},
            "grants": {"rules": {"rules": rules, "root": str(root)}},
        }
        async with lamina.open(settings=settings, environ={}) as ctx:
            calls = [Call("write_file", {"path": p, "text": "x"}) for p in ("src/b", "b", "src/leak", "src/../b")]
            results = await ctx.tools.gather(
                [
                    *calls,
                    Call("read_file", {"path": "src/b"}),
                    Call("edit_file", {"path": "src/b", "old": "x", "new": "y"}),
                ]
            )
            return [result.state for result in results]

    assert asyncio.run(go())[:4] == ["done", "refused", "refused", "refused"]
