"""The file, the counter that reads it, recordings, and the command."""

import argparse
import asyncio
import contextlib
import io
import json
import os
from pathlib import Path

import pytest
from attrs import evolve

from lamina.errors import ConfigError, IntegrityError, LaminaError
from lamina.model import Image, Message, Reasoning, Text, ToolCall, ToolResult
from lamina.plugins import discover
from lamina.protocols import CounterInfo, CountRequest, ImagesRequest, Parsed, RequestCounter, ToolSpec, ToolsRequest
from lamina.testing import LoneHost
from lamina_counter_calibrated import CalibratedSettings, _command, open_calibrated
from lamina_counter_calibrated._counter import calibrated
from lamina_counter_calibrated._file import MOST_PAIRS, Store, learn, read, select, write
from lamina_counter_calibrated._usage import pairs_of

PROSE, JSON = "words and more words", '{"a": [1], "b": {"c": null}}'


def count(counter, *texts):
    return counter.count(CountRequest(texts=texts))


class Letters:
    """Two characters are a token."""

    info = CounterInfo(exact=True, bound=1.0, fingerprint="bytes 1")

    def count(self, request):
        return [(len(text) + 1) // 2 for text in request.texts]


class Requests(Letters):
    """Knows images and tools."""

    def images(self, request):
        return [77 for _ in request.images]

    def tools(self, request):
        return 100 * len(request.tools)


class TestTheCounter:
    def opened(self, home, inner=None, **settings):
        async def go():
            host = LoneHost(home, parts={("counter", "bytes"): inner or Letters()})
            async with open_calibrated(CalibratedSettings("bytes", "m", **settings), host) as counter:
                return counter

        return asyncio.run(go())

    def test_each_class_has_its_factor(self, known):
        counter = calibrated(Letters(), known, 0.5)
        assert count(counter, PROSE, JSON, "") == [11, 19, 0]  # 10 x 1.1, 14 x 1.3
        assert (counter.info.message_tokens, counter.info.call_tokens) == (6, 30)

    def test_no_text_counts_more_than_its_bytes(self, known):
        tripled = evolve(known, factors=dict.fromkeys(known.factors, 3.0))
        assert count(calibrated(Letters(), tripled, 0.5), PROSE, "好好好好") == [20, 6]

    def test_it_is_inexact_and_says_by_how_much(self, known):
        info = calibrated(Letters(), known, 0.95).info
        assert not info.exact
        assert info.bound == pytest.approx(1.1)
        assert "10 requests of 2 sessions of m" in info.origin

    def test_more_cover_counts_more(self, known):
        counts = [count(calibrated(Letters(), known, cover), PROSE * 10)[0] for cover in (0.5, 0.9, 0.95, 0.99)]
        assert counts == [110, 116, 121, 132]

    def test_another_calibration_is_another_fingerprint(self, known):
        made = [
            calibrated(Letters(), known, 0.95),
            calibrated(Letters(), evolve(known, pairs=11), 0.95),
            calibrated(Letters(), evolve(known, factors={**known.factors, "cjk": 1.0}), 0.95),
            calibrated(Letters(), known, 0.99),
        ]
        first, same, *others = (counter.info.fingerprint for counter in made)
        assert first == same
        assert len({first, *others}) == 3
        assert first.endswith("; bytes 1")

    def test_what_is_learned_while_it_is_open_changes_nothing(self, known, tmp_path):
        file = tmp_path / "calibration.json"
        write(file, Store(calibrations=(known,)))
        counter = self.opened(tmp_path)
        before = count(counter, PROSE), counter.info
        write(file, Store(calibrations=(evolve(known, factors=dict.fromkeys(known.factors, 3.0)),)))
        assert (count(counter, PROSE), counter.info) == before
        assert self.opened(tmp_path).info.fingerprint != counter.info.fingerprint

    def test_images_and_tools_are_those_of_the_other_counter(self, known):
        counter = calibrated(Requests(), known, 0.5)
        assert isinstance(counter, RequestCounter)
        assert counter.images(ImagesRequest(images=[Image("url", "x")])) == [77]
        assert counter.tools(ToolsRequest(tools=[ToolSpec("t", "", {})])) == 130
        assert not isinstance(calibrated(Letters(), known, 0.5), RequestCounter)

    def test_a_file_that_is_not_there_is_said_with_the_remedy(self, tmp_path):
        with pytest.raises(ConfigError, match=r"absent\.json holds no calibration of 'm'.*run lamina calibrate"):
            self.opened(tmp_path, file=Path("absent.json"))

    def test_a_calibration_of_another_model_or_counter_is_not_used(self, known, tmp_path):
        store = Store(calibrations=(known,))
        with pytest.raises(ConfigError, match="it calibrates: m"):
            select(store, "other", "bytes 1", tmp_path)
        with pytest.raises(ConfigError, match="for the counters 'bytes 1', not for 'bytes 2'"):
            select(store, "m", "bytes 2", tmp_path)


class TestTheFile:
    def test_what_is_written_is_read(self, pairs, tmp_path):
        store, added = learn(Store(), pairs(30))
        write(tmp_path / "new" / "c.json", store)
        assert read(tmp_path / "new" / "c.json") == store
        assert added == 30
        assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "c.json"]

    def test_the_same_pairs_again_add_nothing(self, pairs):
        store, _ = learn(Store(), pairs(30))
        assert learn(store, pairs(30)) == (store, 0)

    def test_what_comes_later_is_added(self, pairs):
        store, _ = learn(Store(), pairs(30))
        grown, added = learn(store, pairs(40))
        assert added == 10
        assert grown == learn(Store(), pairs(40))[0]

    def test_the_newest_pairs_are_kept(self, pairs):
        store, _ = learn(Store(), pairs(MOST_PAIRS + 20))
        assert [p.request for p in store.pairs] == [f"r{i}" for i in range(20, MOST_PAIRS + 20)]

    def test_each_model_has_its_own_calibration(self, pairs):
        store, _ = learn(Store(), [*pairs(20), *pairs(20, model="n")])
        assert [c.model for c in store.calibrations] == ["m", "n"]

    @pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema": 1, "pairs": [{}]}', b"\xff", b'{"schema": "x"}'])
    def test_a_damaged_file_is_named(self, data, tmp_path):
        (tmp_path / "c.json").write_bytes(data)
        with pytest.raises(IntegrityError, match=r"c\.json is damaged"):
            read(tmp_path / "c.json")

    def test_a_file_of_a_newer_release_is_refused(self, tmp_path):
        (tmp_path / "c.json").write_text('{"schema": 2, "calibrations": {}}')
        with pytest.raises(IntegrityError, match="newer release"):
            read(tmp_path / "c.json")

    def test_a_folder_cannot_be_read(self, tmp_path):
        with pytest.raises(IntegrityError, match="cannot be read"):
            read(tmp_path)


def answer(id, usage, text="ok", model="m", *, parts=(), wrapped=True):
    said = {"id": id, "model": model, "usage": usage}
    raw = json.dumps({"message": said} if wrapped else said).encode()
    return Parsed(session="s", raw=raw, messages=(Message("assistant", (Text(text), *parts), group=id),), skipped=None)


def said(*parts, role="user"):
    return Parsed(session="s", raw=b"{}", messages=(Message(role, parts),), skipped=None)


def learned(*records):
    return list(pairs_of(records, lambda texts: [len(t) for t in texts], "c", "file"))


class TestUsage:
    def test_what_lies_between_two_requests_is_measured(self):
        (pair,) = learned(
            said(Text("the first question")),
            answer(
                "a", {"input_tokens": 10, "cache_read_input_tokens": 500}, "an answer", parts=[ToolCall("c", "f", "{}")]
            ),
            said(ToolResult("c", JSON), role="tool"),
            answer("b", {"input_tokens": 70, "cache_creation_input_tokens": 90, "cache_read_input_tokens": 400}),
        )
        assert (pair.reported, pair.messages, pair.calls) == (50, 2, 1)
        assert pair.counted == len("an answer" + "f" + "{}" + JSON)
        assert (pair.model, pair.session, pair.request) == ("m", "s", "b")

    def test_openais_names_are_known(self):
        (pair,) = learned(
            answer("a", {"prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 64}}, wrapped=False),
            said(Text(PROSE)),
            answer("b", {"prompt_tokens": 130}, wrapped=False),
        )
        assert pair.reported == 30

    def test_pieces_of_one_answer_are_one_request_and_one_message(self):
        usage = {"input_tokens": 100}
        (pair,) = learned(
            answer("a", usage), answer("a", usage, "more"), said(Text(PROSE)), answer("b", {"input_tokens": 140})
        )
        assert (pair.reported, pair.messages) == (40, 2)

    def test_a_request_with_an_image_is_left_out(self):
        records = [
            answer("a", {"input_tokens": 100}),
            said(Text(PROSE), Image("url", "x")),
            answer("b", {"input_tokens": 1700}),
            said(Text(PROSE)),
            answer("c", {"input_tokens": 1730}),
        ]
        assert [pair.request for pair in learned(*records)] == ["c"]

    def test_reasoning_is_not_counted(self):
        (pair,) = learned(
            answer("a", {"input_tokens": 100}, PROSE, parts=[Reasoning("x" * 1000)]), answer("b", {"input_tokens": 130})
        )
        assert pair.counted == len(PROSE)

    def test_a_context_that_was_cut_gives_no_pair(self):
        assert (
            learned(answer("a", {"input_tokens": 90_000}), said(Text(PROSE)), answer("b", {"input_tokens": 2000})) == []
        )

    @pytest.mark.parametrize(
        "usage", [{}, {"input_tokens": None}, {"input_tokens": "7"}, {"input_tokens": -1}, {"x": 1}]
    )
    def test_a_report_that_says_nothing_is_passed_over(self, usage):
        (pair,) = learned(
            answer("a", {"input_tokens": 100}),
            answer("b", usage),
            said(Text(PROSE)),
            answer("c", {"input_tokens": 140}),
        )
        assert pair.request == "c"

    def test_a_user_cannot_report_usage(self):
        raw = json.dumps({"usage": {"input_tokens": 5}}).encode()
        record = Parsed(session="s", raw=raw, messages=(Message("user", (Text("x"),)),), skipped=None)
        assert learned(answer("a", {"input_tokens": 100}), record) == []


def lines(n):
    """A session of Claude Code in which everything costs 1.5 times its bytes, and 20,000 tokens stand before it."""
    total, out = 20_000, []
    for i in range(n):
        question, reply = f"{i} " + PROSE * (i + 1), f"{i} " + PROSE * 3
        total += round(1.5 * len(question)) + 10
        common = {"sessionId": "demo", "isSidechain": False, "timestamp": "2025-01-01T00:00:00Z"}
        message = {"id": f"m{i}", "model": "model-x", "role": "assistant", "content": [{"type": "text", "text": reply}]}
        message["usage"] = {"input_tokens": 4, "cache_read_input_tokens": total - 4, "output_tokens": 9}
        out.append({"type": "user", "uuid": f"u{i}", "message": {"role": "user", "content": question}, **common})
        out.append({"type": "assistant", "uuid": f"a{i}", "message": message, **common})
        total += round(1.5 * len(reply)) + 10
    return "".join(json.dumps(line) + "\n" for line in out)


class TestTheCommand:
    @pytest.fixture(autouse=True)
    def installed(self):
        found = discover()
        for kind, name in (("format", "claude-code"), ("counter", "estimate")):
            if name not in found.names(kind):
                pytest.skip(f"the {kind} {name} is not installed")

    def run(self, home, *arguments, **window):
        parser = argparse.ArgumentParser()
        _command.configure(parser)
        args = parser.parse_args([str(a) for a in arguments])
        args.config, args.profile = None, None
        args.settings = {"home": str(home), **window}
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            assert _command.run(args) == 0
        return shown.getvalue()

    def test_it_learns_and_shows_the_lines_that_use_it(self, tmp_path):
        (tmp_path / "demo.jsonl").write_text(lines(12))
        shown = self.run(tmp_path, tmp_path / "demo.jsonl", "--counter", "estimate")
        assert "11 new requests of 11 read" in shown
        assert "model-x: 11 requests of 1 sessions" in shown
        assert 'counter = "estimate"' in shown
        (found,) = read(tmp_path / "calibration.json").calibrations
        assert found.after.mean < 0.5 * found.before.mean

    def test_a_grown_recording_adds_what_is_new(self, tmp_path):
        file = tmp_path / "demo.jsonl"
        for n, new in ((6, 5), (10, 4), (10, 0)):
            file.write_text(lines(n))
            shown = self.run(tmp_path, file, "--counter", "estimate", "--file", tmp_path / "c.json")
            assert f"{new} new requests of {n - 1} read" in shown

    def test_the_windows_calibrated_counter_is_the_default(self, tmp_path):
        (tmp_path / "demo.jsonl").write_text(lines(6))
        table = {"use": "calibrated", "counter": "estimate", "model": "model-x", "file": "mine.json"}
        self.run(tmp_path, tmp_path / "demo.jsonl", window={"counter": "best"}, counters={"best": table})
        assert read(tmp_path / "mine.json").calibrations[0].model == "model-x"

    def test_recordings_without_usage_are_said_so(self, tmp_path):
        (tmp_path / "demo.jsonl").write_text(lines(6).replace("usage", "other"))
        with pytest.raises(LaminaError, match="no usage that can be compared is reported in"):
            self.run(tmp_path, tmp_path / "demo.jsonl", "--counter", "estimate")

    def test_an_unknown_format_is_said_so(self, tmp_path):
        (tmp_path / "demo.txt").write_text("hello")
        with pytest.raises(LaminaError, match="no installed format fits"):
            self.run(tmp_path, tmp_path / "demo.txt", "--counter", "estimate")
        with pytest.raises(LaminaError, match="nosuch"):
            self.run(tmp_path, tmp_path / "demo.txt", "--counter", "estimate", "--format", "nosuch")

    def test_on_real_sessions_the_error_falls_to_less_than_half(self, tmp_path):
        shared = Path(os.environ.get("LAMINA_SHARED", Path(__file__).resolve().parents[3].parent / "shared"))
        files = sorted(
            (shared / "data" / "claude_code" / "-Users-dain-workspace-claude-code-log-sample").glob("[0-9a-f]*-*.jsonl")
        )
        if not files:
            pytest.skip("the shared recordings are not there")
        self.run(tmp_path, *(f for f in files if 2000 < f.stat().st_size < 500_000), "--counter", "tiktoken")
        for found in read(tmp_path / "calibration.json").calibrations:
            assert found.after.mean < 0.5 * found.before.mean
