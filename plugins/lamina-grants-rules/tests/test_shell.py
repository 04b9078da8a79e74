"""No command line gets a command past the rules: checked against what a real shell runs."""

import os
import shutil
import stat
import subprocess
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina_grants_rules._shell import parsed

GIT = [("allow", "shell(git *)")]

ALLOWED = [
    "git status",
    "git",
    "git log -n 3 --format='%h; rm -rf /'",
    'git commit -m "a && b | c > d"',
    "git status && git diff",
    "git log | git shortlog",
    "git status 2>&1",
    "git fetch >/dev/null 2>&1 &",
    "(git status; git diff)",
    "if git diff --quiet; then git status; fi",
    "for f in a b; do git add $f; done",
    "git add $FILES *.py ~/x",
    "g''it status",
    "git commit -m 'it'\\''s'",
    "git log \\\n --oneline",
    "! git diff",
    "{ git status; }",
    "git log ${BRANCH:-main}",
]
REFUSED = [
    "",
    " ",
    "rm -rf /",
    "git status; rm -rf /",
    "git status && rm -rf /",
    "git status || rm -rf /",
    "git status | rm",
    "git status & rm -rf /",
    "git status\nrm -rf /",
    "git status $(rm -rf /)",
    'git status "$(rm -rf /)"',
    "git status `rm -rf /`",
    'git status "`rm -rf /`"',
    "git status ${x:-$(rm)}",
    "git status $((a[$(rm)]))",
    "git status $[a[$(rm)]]",
    "git status <(rm)",
    "git status >(rm)",
    "git log > ~/.bashrc",
    "git log >> x",
    "git log >| x",
    "git log &> x",
    "git log >& x",
    "git apply < /etc/passwd",
    "GIT_SSH_COMMAND=rm git fetch",
    "PATH=/tmp/evil; git status",
    "PATH+=x git status",
    "a[1]=2 git status",
    "sudo git status",
    "/tmp/git status",
    "./git status",
    "$GIT status",
    "${GIT} status",
    "g?t status",
    "{git,rm} status",
    "git() { rm -rf /; }; git",
    "function git { rm; }; git",
    "alias git=rm; git x",
    "eval git status",
    "git status <<EOF\n$(rm)\nEOF",
    "git status $'\\n' rm",
    "git status \x00 rm",
    "git status \r\n rm",
    "git status # comment",
    "git status 'unfinished",
    'git status "unfinished',
    "git status $(unfinished",
    "git status `unfinished",
    "git status \\",
    "git status)",
    "(git status",
    "case x in x) rm;; esac",
    "while rm; do git status; done",
    "until git status; do rm; done",
    "[[ -f x ]] && git status",
    "((x=1)); git status",
    "coproc rm; git status",
    "git status;;rm",
    "time -p rm",
    "! rm",
    "GIT status",
    "git\u00a0status",
    "cd /tmp && git status",
    "git status " * 5000,
]


@pytest.mark.parametrize("line", ALLOWED)
def test_what_runs_nothing_but_git_is_allowed(decided, line):
    assert decided(GIT, ("shell", {"command": line}))[0].answer == "allow"


@pytest.mark.parametrize("line", REFUSED)
def test_what_may_run_anything_else_is_not(decided, line):
    assert decided(GIT, ("shell", {"command": line}))[0].answer == "deny"


@pytest.mark.parametrize(
    "line",
    [
        "rm x", "/bin/rm x", "\\rm x", "'rm' x", "r''m x", "sudo rm x", "env A=1 rm x", "xargs rm", "find . -exec rm {} +",
        "bash -c 'git log; rm x'", "sh -c \"rm x\"", "eval 'rm x'", "nohup nice rm x", "$X y", "git log | xargs -0 rm x",
        "bash -c \"$X\"", "timeout 5 rm x", "busybox rm x", "git log $(rm x)", "sh -c 'sh -c \"rm x\"'", "git $(", "{rm,x} y",
    ],
)  # fmt: skip
def test_what_may_run_what_is_denied_is_denied_also_where_all_else_is_allowed(decided, line):
    rules = [("deny", "shell(rm *)"), ("allow", "shell")]
    assert decided(rules, ("shell", {"command": line}))[0].answer == "deny"


@pytest.mark.parametrize("line", ["git rm x", "git log", "echo rm", "ls -l rm", "cargo rm x"])
def test_what_does_not_run_what_is_denied_is_not(decided, line):
    rules = [("deny", "shell(rm *)"), ("allow", "shell")]
    assert decided(rules, ("shell", {"command": line}))[0].answer == "allow"


def test_each_command_is_decided_by_itself_and_the_strictest_counts(decided):
    rules = [("ask", "shell(git push *)"), ("allow", "shell(git *)"), ("allow", "shell(ls)"), ("deny", "shell(rm *)")]
    lines = ["git log; ls", "ls; git push; git log", "git push; rm x", "git push $X", "git $X", "ls -l"]
    answers = [d.answer for d in decided(rules, *[("shell", {"command": line}) for line in lines])]
    assert answers == ["allow", "ask", "deny", "ask", "ask", "deny"]


def test_a_pattern_is_of_words(decided):
    rules = [("allow", "shell(npm run test*)"), ("allow", "shell(make -j? all)")]
    lines = [
        "npm run test",
        "npm run test:unit",
        "npm run test x",
        "npm run",
        "make -j4 all",
        "make -j44 all",
        "make -j4 all x",
    ]
    answers = [d.answer for d in decided(rules, *[("shell", {"command": line}) for line in lines])]
    assert answers == ["allow", "allow", "deny", "deny", "allow", "deny", "deny"]


# ------------------------------------------------------------- against a shell

PIECES = [
    "git", "git status", "rm", "rm x", "ls", " ", " ", ";", "&&", "||", "|", "&", "\n", "$(", ")", "`", "'", '"', "\\", "$",
    "{", "}", "(", "$x", "${x}", "${x:-", "#", ">", ">>", "<", "2>&1", ">/dev/null", "<(", "x=1", "x=rm", "$'", "if ",
    "then ", "fi", "for i in ", "do ", "done", "while ", "!", "*", "?", "[", "]", "~", ",", "..", "eval ", "exec ", "EOF",
    "<<EOF", "<<<", "-c ", "a", "=", "\t", "function ", "case ", "in ", "esac", ";;", "((", "))", "time ", "&>", "git\\\n",
    "g", "it", "alias ", "coproc ", "[[", "]]", "%", ":", "\\\n", "\r", "command ", "$((", "${x//", "@", "^",
]  # fmt: skip


@pytest.fixture(scope="module")
def shells(tmp_path_factory):
    """Runs a line in each shell that there is; gives what programs ran, by name, and what files came to be."""
    base = tmp_path_factory.mktemp("shell")
    programs, log = base / "bin", base / "log"
    programs.mkdir()
    for name in ("git", "rm", "ls", "a", "g", "it", "x"):
        file = programs / name
        file.write_text(f'#!/bin/sh\necho "{name}" >> {log}\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    found = [shutil.which(name) for name in ("bash", "dash", "sh")]
    assert any(found)

    def run(line):
        ran, files = set(), set()
        for shell in filter(None, dict.fromkeys(map(os.path.realpath, filter(None, found)))):
            folder = base / "work"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            log.write_text("")
            subprocess.run(
                [shell, "-c", line], cwd=folder, env={"PATH": str(programs), "HOME": str(folder)}, timeout=10, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            ran |= set(log.read_text().split())
            files |= {path.name for path in folder.iterdir()}
        return ran, files

    return run


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.sampled_from(["", "git ", "git status ", "git '", 'git "']),
    pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=9),
)
@example(start="git ", pieces=["${x:-", "`", "rm", "`", "}"])
@example(start="git", pieces=["\\\n", " ", "&", "&", "rm"])
@example(start="for i in ", pieces=["git", "\n", "do ", "rm", "\n", "done"])
def test_no_line_that_is_allowed_runs_anything_but_git_in_a_real_shell(decided, shells, start, pieces):
    line = start + "".join(pieces)
    if "\0" in line or decided(GIT, ("shell", {"command": line}))[0].answer != "allow":
        return
    ran, files = shells(line)
    assert ran <= {"git"}, line
    assert not files, line


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet=st.sampled_from("git rm;&|()<>{}$`'\"\\\n#=*?[]~!ax"), max_size=30))
def test_reading_any_text_ends_and_what_is_understood_has_words(text):
    line = parsed(text)
    assert all(command.words or not command.plain for command in line.commands)


def test_deeply_nested_lines_end():
    for text in ("$(" * 3000, "(" * 3000, "`" * 3001, "${x:-" * 3000, "git '" * 3000):
        assert not parsed(text).understood or "'" in text


def test_a_command_that_runs_itself_ever_deeper_is_decided_in_time(decided):
    rules = [("deny", f"shell(cmd{n} *)") for n in range(300)] + [("allow", "shell")]
    lines = ["sudo " * 3900, "sudo x " * 30, "bash -c '" + "sudo " * 3000 + "'", "xargs 'a b' " * 1500]
    began = time.process_time()
    assert [d.answer for d in decided(rules, *[("shell", {"command": line}) for line in lines])] == [
        "deny",
        "allow",
        "deny",
        "deny",
    ]
    assert time.process_time() - began < 2
