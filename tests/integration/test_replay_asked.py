"""``lamina replay`` and the scorer that the goals are stated in agree on what stands of what was asked for."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import sys
import types
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina_command_replay import _command
from lamina_command_replay._figures import total
from lamina_command_replay._measures import Measure
from lamina_command_replay._texts import Texts
from lamina_counter_tiktoken import TiktokenSettings
from lamina_counter_tiktoken._counter import build
from lamina_counter_tiktoken._vocabulary import VOCABULARIES, locate

SHARED = Path(os.environ.get("LAMINA_SHARED") or Path(__file__).parents[3] / "shared")
SCORER = SHARED / "bench" / "asked_score.py"

pytestmark = pytest.mark.skipif(not SCORER.exists(), reason=f"no scorer at {SCORER}: set LAMINA_SHARED")

_PIECE = re.compile(r"\w{1,6}|\W")


class Pieces:
    """A tokenizer without a vocabulary: both sides count by it, so that the comparison needs no download."""

    def encode_ordinary(self, text):
        return _PIECE.findall(text)

    def decode(self, tokens):
        return "".join(tokens)


def count(texts):
    return [len(_PIECE.findall(text)) for text in texts]


def load(encoding):
    """The scorer, counting by this encoding."""
    stand_in = types.ModuleType("tiktoken")
    stand_in.get_encoding = lambda name: encoding
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tiktoken", stand_in)
        patch.setattr(sys, "path", list(sys.path))
        spec = importlib.util.spec_from_file_location("asked_score", SCORER)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules.pop("replay_score")
    return module


@pytest.fixture(scope="module")
def scorer():
    return load(Pieces())


@pytest.fixture(scope="module")
def recordings(scorer):
    if not (SHARED / "data").exists():
        pytest.skip(f"no recordings at {SHARED / 'data'}: set LAMINA_SHARED")
    sessions = scorer.load(SHARED / "data")
    claude = [sid for sid in sessions if sid.startswith("claude/")][:8]
    tau = [sid for sid in sessions if sid.startswith("tau/")][:12]
    return {sid: sessions[sid] for sid in [*claude, *tau]}


def steps_of(messages):
    return [i for i, message in enumerate(messages) if message["role"] == "assistant" and i]


def windows_of(policy, messages, budget):
    state = {}
    return {i: policy(messages, i, budget, state) for i in steps_of(messages)}


def assert_same(ours, tally):
    """Figures and a tally, to a billionth."""
    steps = max(tally.steps, 1)
    theirs = {
        "asked": tally.asked / steps,
        "said": tally.said / steps,
        "first": tally.first / steps,
        "todo": tally.todo / max(tally.n_todo, 1),
        "recent": tally.recent / max(tally.n_recent, 1),
    }
    assert {name: ours.rates()[name] for name in theirs} == pytest.approx(theirs, abs=1e-9, rel=0)
    assert (ours.requested, ours.planned, ours.outside) == (tally.steps, tally.n_todo, tally.n_recent)


def assert_agree(scorer, sessions, windows, budget):
    tally = scorer.Tally(budget)
    measures = []
    for sid, messages in sessions.items():
        tally.transcript(messages, windows[sid].__getitem__)
        measure = Measure(sid, messages, budget, Texts(count))
        for index, window in windows[sid].items():
            measure.step(index, window)
        measures.append(measure.figures)
    ours = total(measures)
    assert_same(ours, tally)
    return ours


@pytest.mark.parametrize("policy", ["keep-last (trim_messages)", "mask old tool results", "compact to half"])
@pytest.mark.parametrize("budget", [1500, 8000])
def test_both_agree_on_recorded_sessions(scorer, recordings, policy, budget):
    windows = {sid: windows_of(scorer.BASELINES[policy], messages, budget) for sid, messages in recordings.items()}
    ours = assert_agree(scorer, recordings, windows, budget)
    assert ours.requested > ours.planned > 0
    assert 0 < ours.asked_whole < ours.requested


def test_both_agree_on_windows_of_excerpts(scorer, recordings):
    """Of what is older two lines in three, as one message before the newest page: requests and plans in part."""

    def excerpts(messages, i, budget, state):
        first = i - 1
        while first and messages[first]["role"] == "tool":
            first -= 1
        lines = [line for m in messages[:first] for line in (m.get("content") or "").split("\n")]
        calls = [c["function"]["arguments"] for m in messages[:first] for c in m.get("tool_calls") or ()]
        kept = [line for k, line in enumerate([*calls, *lines]) if k % 3]
        return [{"role": "user", "content": "[1-9]\n" + "\n".join(kept)[-budget * 12 :]}, *messages[first:i]]

    windows = {sid: windows_of(excerpts, messages, 4000) for sid, messages in recordings.items()}
    ours = assert_agree(scorer, recordings, windows, 4000)
    assert 0 < ours.todo < 1
    assert 0 < ours.said < 1


@pytest.mark.parametrize("pager", ["keep-last", "coverage"])
def test_what_the_command_says_is_what_the_scorer_says_of_its_windows(recordings, pager, tmp_path, monkeypatch, capsys):
    """From the file of recordings to the figures, windows by the kernel, tokens by its counter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAMINA_WINDOW__PAGER", pager)
    some = dict(list(recordings.items())[:4] + list(recordings.items())[-3:])
    Path("in.jsonl").write_text("".join(json.dumps({"id": k, "messages": m}) + "\n" for k, m in some.items()))
    parser = argparse.ArgumentParser()
    _command.configure(parser)
    _command.run(parser.parse_args(["in.jsonl", "--budget", "2500", "--emit", "out.jsonl", "--json"]))
    ours = json.loads(capsys.readouterr().out)["configurations"][0]
    emitted = [json.loads(line) for line in Path("out.jsonl").read_bytes().splitlines()]
    windows = {(line["transcript"], line["step"]): line["messages"] for line in emitted}
    scorer = load(build(VOCABULARIES["cl100k_base"], locate(TiktokenSettings(), None)[0]))
    tally = scorer.Tally(2500)
    for sid, messages in some.items():
        tally.transcript(messages, lambda i, sid=sid: windows[sid, i])
    counts = [ours[name] for name in ("requested", "asked_whole", "planned", "outside")]
    assert counts == [tally.steps, tally.asked, tally.n_todo, tally.n_recent]
    theirs = [getattr(tally, name) / tally.steps for name in ("asked", "said", "first")]
    # Rates are written with six places.
    assert [ours[name] for name in ("asked", "said", "first")] == pytest.approx(theirs, abs=1e-6)
    assert ours["todo"] == pytest.approx(tally.todo / max(tally.n_todo, 1), abs=1e-6)


text = st.lists(
    st.sampled_from(
        [
            "Never push to main.",
            "Use tabs!",
            "请先修复登录页面的错误，然后再运行测试。",
            "Bitte zuerst die Tests ausführen? Danach aufräumen.",
            "\n",
            "- [ ] ",
            "<reminder>do this at once</reminder>",
            "<a b='c'>",
            "</a>",
            "<x-y>",
            "</x-y>",
            "[Request interrupted by user]",
            "\nCaveat: what follows is no request",
            "pasted " * 60,
            "\\n",
            '"quoted words here"',
        ]
    ),
    max_size=10,
).map(" ".join)
plan = st.lists(
    st.fixed_dictionaries(
        {"content": text.filter(str.strip), "status": st.sampled_from(["pending", "in_progress", "completed"])}
    ),
    max_size=4,
)


@st.composite
def conversations(draw):
    messages = [{"role": "system", "content": draw(text)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 8))):
        if draw(st.booleans()):
            messages.append({"role": "user", "content": draw(text)})
        calls = []
        for k in range(draw(st.integers(0, 1))):
            name, given = draw(st.sampled_from([("TodoWrite", {"todos": draw(plan)}), ("Read", {"path": draw(text)})]))
            function = {"name": name, "arguments": json.dumps(given)}
            calls.append({"id": f"call_{turn}_{k}", "type": "function", "function": function})
        messages.append({"role": "assistant", "content": draw(text), **({"tool_calls": calls} if calls else {})})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": draw(text)} for call in calls]
    return [*messages, {"role": "assistant", "content": draw(text)}]


@given(st.data(), st.integers(10, 300))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_agree_on_any_conversation(scorer, data, budget):
    messages = data.draw(conversations())
    keep = data.draw(st.lists(st.booleans(), min_size=len(messages), max_size=len(messages)))

    def some(messages, i, budget, state):
        return [dict(m, content=m["content"][-80:]) if k % 3 else m for k, m in enumerate(messages[:i]) if keep[k]]

    assert_agree(scorer, {"s": messages}, {"s": windows_of(some, messages, budget)}, budget)
