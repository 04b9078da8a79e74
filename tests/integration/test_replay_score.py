"""``lamina replay`` and the scorer that the goals are stated in give the same figures."""

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

import lamina
from lamina_command_replay import _command
from lamina_command_replay._figures import total
from lamina_command_replay._measures import Measure
from lamina_command_replay._texts import Texts

SHARED = Path(os.environ.get("LAMINA_SHARED") or Path(__file__).parents[3] / "shared")
SCORER = SHARED / "bench" / "replay_score.py"

pytestmark = pytest.mark.skipif(not SCORER.exists(), reason=f"no scorer at {SCORER}: set LAMINA_SHARED")

_PIECE = re.compile(r"\w{1,6}|\W")


class Pieces:
    """A tokenizer without a vocabulary: both sides count by it, so that the comparison needs no download."""

    def encode_ordinary(self, text):
        return _PIECE.findall(text)


def count(texts):
    return [len(_PIECE.findall(text)) for text in texts]


@pytest.fixture(scope="module")
def scorer():
    stand_in = types.ModuleType("tiktoken")
    stand_in.get_encoding = lambda name: Pieces()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tiktoken", stand_in)
        spec = importlib.util.spec_from_file_location("replay_score", SCORER)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def windows_of(policy, messages, budget):
    state = {}
    steps = [i for i, message in enumerate(messages) if message["role"] == "assistant" and i]
    return {i: policy(messages, i, budget, state) for i in steps}


def assert_agree(scorer, sessions, windows, budget):
    tally = scorer.Tally(budget)
    measures = []
    for sid, messages in sessions.items():
        tally.transcript(sid, messages, windows[sid].__getitem__)
        measure = Measure(sid, messages, budget, Texts(count))
        for index, window in windows[sid].items():
            measure.step(index, window)
        measures.append(measure.figures)
    ours = total(measures)
    named = {"shown": "ctx", "needed": "need", "trivial_atoms": "trivial"}
    names = [
        "steps",
        "pressed",
        "over",
        "broken",
        "thin",
        "needed",
        "kept",
        "shown",
        "far",
        "far_lost",
        "trivial_atoms",
    ]
    theirs = {name: getattr(tally, named.get(name, name)) for name in names}
    assert {name: ours.counts()[name] for name in names} == theirs
    assert ours.bill == pytest.approx(tally.cost / max(tally.full, 1e-9))
    fields = tally.row("x").split()
    for name, label in [("retention",) * 2, ("context",) * 2, ("macro",) * 2, ("far_faults", "fault_far")]:
        assert f"{ours.rates()[name]:.4f}" == fields[fields.index(label) + 1]
    assert f"{ours.trivial:.3f}" == fields[fields.index("trivial") + 1]
    return ours


@pytest.fixture(scope="module")
def recordings(scorer):
    if not (SHARED / "data").exists():
        pytest.skip(f"no recordings at {SHARED / 'data'}: set LAMINA_SHARED")
    sessions = scorer.load(SHARED / "data")
    claude = [sid for sid in sessions if sid.startswith("claude/")][:6]
    tau = [sid for sid in sessions if sid.startswith("tau/")][:12]
    return {sid: sessions[sid] for sid in [*claude, *tau]}


@pytest.mark.parametrize("policy", ["keep_last", "mask", "compact_half"])
@pytest.mark.parametrize("budget", [1500, 4000])
def test_both_agree_on_recorded_sessions(scorer, recordings, policy, budget):
    windows = {sid: windows_of(getattr(scorer, policy), messages, budget) for sid, messages in recordings.items()}
    ours = assert_agree(scorer, recordings, windows, budget)
    assert ours.pressed
    assert ours.needed > ours.kept > 0


def test_both_agree_on_windows_of_excerpts(scorer, recordings):
    """Every third line of what is older, as one message before the newest page: quotations, shreds and mixtures."""

    def excerpts(messages, i, budget, state):
        first = i - 1
        while first and messages[first]["role"] == "tool":
            first -= 1
        lines = [line for m in messages[:first] for line in scorer.said(m).split("\n")]
        kept = [line for k, line in enumerate(lines) if (k // 5) % 3 == 0]
        return [{"role": "user", "content": "[1-9]\n" + "\n".join(kept)[-budget * 3 :]}, *messages[first:i]]

    windows = {sid: windows_of(excerpts, messages, 4000) for sid, messages in recordings.items()}
    ours = assert_agree(scorer, recordings, windows, 4000)
    assert 0 < ours.thin < ours.pressed


@pytest.mark.parametrize("pager", ["keep-last", "compact"])
def test_what_the_command_says_is_what_the_scorer_says_of_its_windows(
    scorer, recordings, pager, tmp_path, monkeypatch, capsys
):
    """From the file of recordings to the figures, windows by the kernel, tokens by its counter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAMINA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LAMINA_WINDOW__PAGER", pager)
    some = dict(list(recordings.items())[:2] + list(recordings.items())[-3:])
    Path("in.jsonl").write_text("".join(json.dumps({"id": k, "messages": m}) + "\n" for k, m in some.items()))
    parser = argparse.ArgumentParser()
    _command.configure(parser)
    _command.run(parser.parse_args(["in.jsonl", "--budget", "2500", "--emit", "out.jsonl", "--json"]))
    ours = json.loads(capsys.readouterr().out)["configurations"][0]
    emitted = [json.loads(line) for line in Path("out.jsonl").read_bytes().splitlines()]
    windows = {(line["transcript"], line["step"]): line["messages"] for line in emitted}
    in_memory = {"log": {"storage": "memory"}, "memory": {"tiers": []}}
    with lamina.open_sync(settings=in_memory) as context:
        counting = types.SimpleNamespace(encode_ordinary=lambda text: range(context.count([text])[0]))
        monkeypatch.setattr(scorer, "ENC", counting)
        scorer.ntok.cache_clear()
        tally = scorer.Tally(2500)
        for sid, messages in some.items():
            tally.transcript(sid, messages, lambda i, sid=sid: windows[sid, i])
    scorer.ntok.cache_clear()
    theirs = {"retention": tally.kept / tally.need, "context": tally.ctx / tally.need, "bill": tally.cost / tally.full}
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-6)
    assert ours["far_faults"] == pytest.approx(tally.far_lost / tally.far, abs=1e-6)
    names = ["steps", "pressed", "over", "broken", "thin"]
    assert {name: ours[name] for name in names} == {name: getattr(tally, name) for name in names}
    assert (tally.over, tally.broken, ours["repairs"]) == (0, 0, [])


text = st.lists(
    st.sampled_from(
        [
            "port_8417",
            "src/parcel.py",
            "äport_8417",
            "a.b.c-d",
            "plain",
            "\n",
            " ",
            "\\n",
            '\\"quoted_1\\"',
            "x" * 210 + "_1",
            "some words that fill a line of the log, and number 12345",
        ]
    ),
    max_size=12,
).map(" ".join)


@st.composite
def conversations(draw):
    messages = [{"role": "system", "content": draw(text)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 8))):
        messages.append({"role": "user", "content": draw(text)})
        ids = [f"call_{turn % 3}_{k}" for k in range(draw(st.integers(0, 2)))]
        calls = [
            {"id": sid, "type": "function", "function": {"name": "read", "arguments": draw(arguments)}} for sid in ids
        ]
        messages.append({"role": "assistant", "content": draw(text), **({"tool_calls": calls} if calls else {})})
        messages += [{"role": "tool", "tool_call_id": sid, "content": draw(text)} for sid in ids]
    messages.append({"role": "assistant", "content": draw(text)})
    return messages


arguments = st.one_of(text, st.builds(lambda a, b: json.dumps({"path": a, "lines": [b, 1, None]}), text, text))


@given(st.data(), st.integers(10, 300))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_agree_on_any_conversation(scorer, data, budget):
    messages = data.draw(conversations())
    keep = data.draw(st.lists(st.booleans(), min_size=len(messages), max_size=len(messages)))

    def some(messages, i, budget, state):
        return [dict(m, content=m["content"][-80:]) if k % 3 else m for k, m in enumerate(messages[:i]) if keep[k]]

    assert_agree(scorer, {"s": messages}, {"s": windows_of(some, messages, budget)}, budget)
