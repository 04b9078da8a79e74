"""``lamina replay`` with the installed parts, from files to figures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pytest

from lamina.errors import ConfigError, FormatError, LaminaError
from lamina_command_replay import _command

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "docs" / "examples" / "sample-session.jsonl"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """No configuration but what a test writes, and a home folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def replay(capsys):
    """Run the command; gives its exit code, and what it wrote to both streams."""

    def run(*arguments):
        parser = argparse.ArgumentParser()
        _command.configure(parser)
        code = _command.run(parser.parse_args([str(argument) for argument in arguments]))
        return code, *capsys.readouterr()

    return run


def chat(turns, *, system=True):
    """A conversation whose messages carry their index: ``mark_007_x``."""
    messages = [{"role": "system", "content": "Answer with marks."}] if system else []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"mark_{len(messages):03}_x " + "please go on with it " * 10})
        calls = [
            {"id": f"c{turn}{k}", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
            for k in range(2)
        ]
        messages.append({"role": "assistant", "content": f"mark_{len(messages):03}_x", "tool_calls": calls})
        for call in calls:
            found = f"mark_{len(messages):03}_x " + "something was found there " * 10
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": found})
        messages.append({"role": "assistant", "content": f"mark_{len(messages):03}_x is it, as mark_001_x said"})
    return messages


@pytest.fixture
def conversations(tmp_path):
    """A set of three sessions: ``a/long``, ``a/short``, ``b/headless`` (which the assistant begins)."""
    sets = {
        "a/long": chat(12),
        "a/short": chat(2),
        "b/headless": [{"role": "assistant", "content": "Hello."}, *chat(2, system=False)],
    }
    path = tmp_path / "sets.jsonl"
    path.write_text("".join(json.dumps({"id": name, "messages": said}) + "\n" for name, said in sets.items()))
    return path, sets


@pytest.fixture
def keep_last(tmp_path):
    path = tmp_path / "keep.toml"
    path.write_text('[window]\npager = "keep-last"\n')
    return path


def emitted(path):
    return {
        (line["transcript"], line["step"]): line["messages"] for line in map(json.loads, path.read_bytes().splitlines())
    }


def test_every_assistant_message_but_one_at_the_start_is_a_step(replay, conversations, tmp_path):
    path, sets = conversations
    code, _, _ = replay(path, "--budget", 900, "--emit", tmp_path / "out.jsonl")
    assert code == 0
    steps = {(name, i) for name, said in sets.items() for i, m in enumerate(said) if i and m["role"] == "assistant"}
    assert set(emitted(tmp_path / "out.jsonl")) == steps


def test_a_window_holds_the_past_and_nothing_else(replay, conversations, tmp_path):
    path, sets = conversations
    replay(path, "--budget", 900, "--emit", tmp_path / "out.jsonl")
    for (name, step), window in emitted(tmp_path / "out.jsonl").items():
        said = json.dumps(window)
        assert all(f"mark_{i:03}_x" not in said for i in range(step, len(sets[name])) if i != 1)
        assert sets[name][step - 1]["content"] in [message["content"] for message in window]


def test_nothing_is_over_broken_or_repaired(replay, conversations):
    _, out, _ = replay(conversations[0], SAMPLE, "--budget", 900, "--json")
    for one in json.loads(out)["configurations"][0]["sessions"]:
        assert (one["over"], one["broken"], one["repairs"]) == (0, 0, [])
        assert one["steps"] > 0


def test_the_sample_session_is_real_work_for_a_window(replay):
    _, out, _ = replay(SAMPLE, "--budget", 8000, "--json")
    figures = json.loads(out)["configurations"][0]
    assert figures["steps"] > 50
    assert figures["pressed"] > 0.8 * figures["steps"]
    assert figures["needed"] > 100
    assert 0.2 < figures["retention"] < 1
    assert figures["thin"] <= 0.01 * figures["pressed"]


def test_pieces_of_one_message_are_one_step_even_with_a_result_between(replay, tmp_path):
    lines = []

    def line(kind, content, **more):
        lines.append(
            {"type": kind, "sessionId": "s1", "uuid": f"u{len(lines)}", "message": {"content": content, **more}}
        )

    use = {"type": "tool_use", "name": "Read", "input": {"file_path": "a.py"}}
    line("user", "read both", role="user")
    line("assistant", [{**use, "id": "t1"}], id="m1", role="assistant")
    line("user", [{"type": "tool_result", "tool_use_id": "t1", "content": "one"}], role="user")
    line("assistant", [{**use, "id": "t2"}], id="m1", role="assistant")
    line("user", [{"type": "tool_result", "tool_use_id": "t2", "content": "two"}], role="user")
    line("assistant", [{"type": "text", "text": "done"}], id="m2", role="assistant")
    path = tmp_path / "pieces.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    replay(path, "--budget", 900, "--emit", tmp_path / "out.jsonl")
    windows = emitted(tmp_path / "out.jsonl")
    assert list(windows) == [("s1", 1), ("s1", 4)]
    assert [message["role"] for message in windows["s1", 4]] == ["user", "assistant", "tool", "tool"]


def test_configurations_are_compared_side_by_side(replay, conversations, keep_last, tmp_path):
    other = tmp_path / "compact.toml"
    other.write_text('[window]\npager = "compact"\n')
    arguments = (conversations[0], "--budget", 900, "--config", keep_last, "--config", other)
    code, out, err = replay(*arguments)
    assert code == 0
    for table in out.split("\n\n"):
        assert [line.split()[0] for line in table.splitlines()] == ["configuration", "keep", "compact"]
    assert err == ""
    figures = json.loads(replay(*arguments, "--json")[1])["configurations"]
    assert figures[0]["bill"] > figures[1]["bill"]
    assert figures[0]["steps"] == figures[1]["steps"]


def test_settings_of_the_command_line_lie_over_every_configuration(conversations, keep_last, capsys):
    parser = argparse.ArgumentParser()
    _command.configure(parser)
    arguments = [str(conversations[0]), "--budget", "900", "--json", "--config", str(keep_last)]
    set_here = {"window": {"pager": "compact"}, "log": {"storage": "main"}}
    bills = []
    for settings in (None, set_here):
        args = parser.parse_args(arguments)
        args.settings = settings
        _command.run(args)
        bills.append(json.loads(capsys.readouterr().out)["configurations"][0]["bill"])
    assert bills[0] > bills[1]
    assert not Path("home").exists() or not any(path.is_file() for path in Path("home").rglob("*"))


def test_replaying_twice_gives_the_same_figures(replay, conversations):
    def figures():
        one = json.loads(replay(conversations[0], "--budget", 900, "--json")[1])["configurations"][0]
        return {key: value for key, value in one.items() if key not in ("window_ms", "sessions")}

    assert figures() == figures()


def test_the_order_of_sessions_changes_nothing(replay, conversations, tmp_path):
    path, _ = conversations
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(line + "\n" for line in reversed(path.read_text().splitlines())))

    def by_session(file):
        one = json.loads(replay(file, "--budget", 900, "--json")[1])["configurations"][0]
        return {s["session"]: {k: v for k, v in s.items() if k not in ("window_ms", "source")} for s in one["sessions"]}

    assert by_session(path) == by_session(turned)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(["a/*"], ["a/long", "a/short"]), (["b/headless"], ["b/headless"]), (["*short", "b*"], ["a/short", "b/headless"])],
)
def test_sessions_are_chosen_by_id_or_pattern(replay, conversations, wanted, found):
    chosen = [argument for pattern in wanted for argument in ("--session", pattern)]
    _, out, _ = replay(conversations[0], "--budget", 900, "--json", *chosen)
    assert [one["session"] for one in json.loads(out)["configurations"][0]["sessions"]] == found


def test_a_session_that_is_not_there_is_wrong_use(replay, conversations):
    code, out, err = replay(conversations[0], "--budget", 900, "--session", "c/*")
    assert (code, out, err) == (2, "", "lamina: no session fits --session c/*\n")


def test_windows_of_two_configurations_cannot_be_emitted(replay, conversations, keep_last):
    code, _, err = replay(
        conversations[0], "--budget", 900, "--config", keep_last, "--config", keep_last, "--emit", "out.jsonl"
    )
    assert code == 2
    assert "--emit takes the windows of one configuration" in err
    assert not Path("out.jsonl").exists()


def test_what_must_stay_but_does_not_fit_is_named_and_leaves_no_file(replay, tmp_path):
    path = tmp_path / "huge.jsonl"
    said = [{"role": "system", "content": "rule " * 2000}, {"role": "user", "content": "go"}]
    path.write_text(json.dumps({"id": "huge", "messages": [*said, {"role": "assistant", "content": "ok"}]}) + "\n")
    with pytest.raises(LaminaError, match=r"session huge, message 2: budget of 900 tokens"):
        replay(path, "--budget", 900, "--emit", tmp_path / "out.jsonl")
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["huge.jsonl"]


def test_an_earlier_file_of_windows_is_replaced_whole(replay, conversations, tmp_path):
    out = tmp_path / "out.jsonl"
    out.write_text("of an earlier run\n")
    replay(conversations[0], "--budget", 900, "--emit", out)
    assert len(emitted(out)) == len(out.read_text().splitlines())


def test_nothing_stays_behind(replay, conversations, tmp_path):
    replay(conversations[0], "--budget", 900)
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert left == []


def test_files_without_a_step_fail(replay, tmp_path):
    path = tmp_path / "quiet.jsonl"
    path.write_text(json.dumps({"id": "quiet", "messages": [{"role": "user", "content": "anyone?"}]}) + "\n")
    with pytest.raises(LaminaError, match=r"quiet\.jsonl: no session has an assistant message"):
        replay(path, "--budget", 900)


def test_broken_input_is_named_with_its_line(replay, tmp_path):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"id": "a", "messages": [{"role": "user", "content": "x"}]}\n{"id": "b", "messages": [{]}\n')
    with pytest.raises(FormatError, match=r"broken\.jsonl:2"):
        replay(path, "--budget", 900)


def test_a_wrong_configuration_fails_before_anything_is_read(replay, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text('[window]\npager = "psychic"\nbudget = -1\n')
    with pytest.raises(ConfigError, match="psychic"):
        replay(tmp_path / "absent.jsonl", "--budget", 900, "--config", path)


def test_a_lone_surrogate_does_not_stop_the_replay(replay, tmp_path):
    path = tmp_path / "odd.jsonl"
    messages = [{"role": "user", "content": "half \ud83d"}, {"role": "assistant", "content": "ok"}]
    path.write_text(json.dumps({"id": "odd", "messages": messages}) + "\n")
    replay(path, "--budget", 900, "--emit", tmp_path / "out.jsonl")
    assert emitted(tmp_path / "out.jsonl")["odd", 1][0]["content"].startswith("half ")


def test_a_person_sees_progress_and_a_pipe_does_not(replay, conversations, monkeypatch):
    assert replay(conversations[0], "--budget", 900)[2] == ""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    fed = sum(map(len, conversations[1].values()))
    assert f"{fed}/{fed}" in replay(conversations[0], "--budget", 900)[2]


def test_the_command_is_offered():
    from lamina.plugins import discover

    (command,) = discover().commands["replay"]
    assert command.distribution == "lamina-command-replay"
