"""What a turn costs: ``append + window``, against trimming the whole history anew at every turn.

Run by ``nox -s bench``. Prints ratios within one run beside absolute figures; each is the least of some runs, because
what else a machine does only ever adds. The durable log (SQLite) is included; the mean runs over whole cycles with at
least three compactions.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lamina

BUDGET = 8000
RUNS = 6
WORDS = "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so said what up its about into than them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years where much your way down should because long each just state those people too mr how little good world make very year still see own work men day get here old between both life being under three never know same last another while us might great go come since against right came take used himself few house use during without again place american around however home small found mrs part school thought went say general once upon every war don does got united left number course until always away something fact water though less public put think almost hand enough took far head yet government system better set told nothing night end why called didn eyes find going look asked later knew point next program city business group give toward young let room days president side social present given several order national possible rather second face per among form often important things looked early white case john large big need four within felt along children saw best church ever least power development light thing seemed family interest want members mind country area others done turned although open god service certain kind problem began different door thus help sense means whole matter".split()


def texts(n: int, seed: int = 0) -> list[str]:
    """``n`` messages of about 60 tokens."""
    rng = random.Random(seed)
    return [f"{i} " + " ".join(rng.choices(WORDS, k=56)) for i in range(n)]


async def turns(n: int, home: str) -> dict[str, float]:
    """Mean seconds per turn at ``n`` messages, with and without a compaction; the last turns are timed."""
    settings = {"home": home, "window": {"recall_limit": 0}}
    async with lamina.open(settings=settings) as ctx:
        session = await ctx.session(f"bench-{n}")
        said = texts(n)
        timed = min(n, 600)
        # What came before the timed turns is logged in large batches: it must be there, not be measured.
        for start in range(0, n - timed, 1000):
            await session.add(*map(lamina.user, said[start : min(start + 1000, n - timed)]))
        first_s = time.perf_counter()
        await session.window(BUDGET)
        first = time.perf_counter() - first_s
        each: dict[bool, list[float]] = {True: [], False: []}
        for text in said[n - timed :]:
            start_s = time.perf_counter()
            await session.add(lamina.user(text))
            window = await session.window(BUDGET)
            each[window.compacted].append(time.perf_counter() - start_s)
        assert window.tokens <= BUDGET
        return {
            "mean": statistics.fmean([*each[True], *each[False]]),
            "between": statistics.fmean(each[False]),
            "compaction": statistics.fmean(each[True]),
            "worst": max(each[True]),
            "compactions": len(each[True]),
            "first": first,
        }


def work(n: int, seed: int = 0) -> list[lamina.Message]:
    """``n`` messages of a session with tools, about 60 tokens each: calls, results that name files and lines, replies."""
    rng = random.Random(seed)
    out: list[lamina.Message] = []
    while len(out) < n:
        k = len(out)
        path = f"src/{rng.choice(WORDS)}/{rng.choice(WORDS)}_{rng.randrange(400)}.py"
        call = lamina.ToolCall(f"c{k}", "grep", json.dumps({"pattern": f"{rng.choice(WORDS)}_{rng.randrange(99)}"}))
        lines = [f"{path}:{rng.randrange(900)}: {' '.join(rng.choices(WORDS, k=8))}" for _ in range(4)]
        out += [
            lamina.Message("assistant", (lamina.Text(" ".join(rng.choices(WORDS, k=40))), call)),
            lamina.Message("tool", (lamina.ToolResult(f"c{k}", "\n".join(lines)),)),
            lamina.user(f"Look at {path} again, " + " ".join(rng.choices(WORDS, k=48))),
        ]
    return out[:n]


async def compaction(n: int, home: str) -> dict[str, float]:
    """Seconds of compactions of a session with tools: of the first window of what came all at once, and of later ones.

    The later ones are the mean over all that 600 more messages take, each with the turn in which it came.
    """
    async with lamina.open(settings={"home": home, "window": {"recall_limit": 0}}) as ctx:
        session = await ctx.session(f"work-{n}")
        messages = work(n + 600)
        for start in range(0, n, 1000):
            await session.add(*messages[start : min(start + 1000, n)])
        start_s = time.perf_counter()
        window = await session.window(BUDGET)
        first = time.perf_counter() - start_s
        assert window.compacted
        assert window.tokens <= BUDGET
        later: list[float] = []
        for message in messages[n:]:
            start_s = time.perf_counter()
            await session.add(message)
            window = await session.window(BUDGET)
            if window.compacted:
                later.append(time.perf_counter() - start_s)
        tokens = sum(page.tokens for page in session.pages)
        return {"first": first, "later": statistics.fmean(later), "worst": max(later), "tokens": tokens}


WIDE = 100_000
"""Tokens of a budget that people really have."""


async def wide(n: int, home: str) -> dict[str, float]:
    """Seconds of the compactions of a session with tools that grows turn by turn under a budget of ``WIDE`` tokens."""
    async with lamina.open(settings={"home": home, "window": {"recall_limit": 0}}) as ctx:
        session = await ctx.session(f"wide-{n}")
        took: list[float] = []
        for message in work(n, seed=1):
            await session.add(message)
            start_s = time.perf_counter()
            window = await session.window(WIDE)
            if window.compacted:
                took.append(time.perf_counter() - start_s)
        assert window.tokens <= WIDE
        tokens = sum(page.tokens for page in session.pages)
        return {"mean": statistics.fmean(took), "worst": max(took), "tokens": tokens, "compactions": len(took)}


async def trim(messages: Sequence[lamina.Message]) -> float:
    """Seconds of one ``trim_messages`` over a session with a tiktoken list counter; arguments of calls are counted too."""
    from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage, trim_messages

    from lamina.protocols import CountRequest
    from lamina.testing import LoneHost
    from lamina_counter_tiktoken import TiktokenSettings, open_tiktoken

    def told(message: lamina.Message) -> BaseMessage:
        if message.role == "tool":
            return ToolMessage(message.text, tool_call_id=message.results[0].call_id)
        if message.role == "assistant":
            calls = [{"id": c.id, "name": c.name, "args": json.loads(c.arguments)} for c in message.calls]
            return AIMessage(message.text, tool_calls=calls)
        return HumanMessage(message.text)

    async with open_tiktoken(TiktokenSettings(), LoneHost(Path())) as counter:

        def count(history: list) -> int:
            texts = [m.content for m in history]
            texts += [json.dumps(c["args"]) for m in history if m.type == "ai" for c in m.tool_calls]
            return 4 * len(texts) + sum(counter.count(CountRequest(texts=texts)))

        history = [told(message) for message in messages]
        start_s = time.perf_counter()
        kept = trim_messages(history, strategy="last", max_tokens=BUDGET, token_counter=count)
        took = time.perf_counter() - start_s
        assert 0 < count(kept) <= BUDGET
        return took


def process_s(*arguments: str, runs: int = 15) -> float:
    """Least seconds of a whole Python process."""
    best = float("inf")
    for _ in range(runs):
        start_s = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start_s)
    return best


def rss_mb(code: str) -> float:
    """Greatest resident set of a process that runs the code, in MB.

    Read from ``/proc``, because ``getrusage`` also counts what the parent held when it forked.
    """
    ending = "\nprint(next(x for x in open('/proc/self/status') if x.startswith('VmHWM')).split()[1])"
    out = subprocess.run([sys.executable, "-c", code + ending], check=True, capture_output=True, text=True)
    return float(out.stdout.split()[-1]) * 1024 / 1e6


MEMORY = """
import asyncio, lamina, sys, tempfile
sys.path.insert(0, {here!r})
from bench_turns import turns
with tempfile.TemporaryDirectory() as home:
    asyncio.run(turns(10_000, home))
"""


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--large", type=int, default=100_000)
    asked = parser.parse_args()
    figures: dict[str, object] = {}

    def say(name: str, value: object) -> None:
        figures[name] = value
        if not asked.json:
            print(f"{name:90} {value if isinstance(value, str) else f'{value:,.2f}'}", flush=True)

    say("machine", f"{platform.machine()}, Python {platform.python_version()}")
    trims: dict[str, list[float]] = {"talk": [], "work": []}
    sessions = {"talk": [lamina.user(text) for text in texts(10_000)], "work": work(10_000)}
    measures: list[tuple[Callable[[str], Coroutine[Any, Any, dict[str, float]]], str]] = [
        (partial(turns, 10_000), "talk"),
        (partial(compaction, 10_000), "work"),
        (partial(turns, 1_000), "talk"),
        (partial(turns, asked.large), "talk"),
        (partial(wide, 7_600), "work"),
    ]
    runs: list[list[dict[str, float]]] = [[] for _ in measures]
    for _ in range(RUNS):  # one after the other, so that each meets the machine in all its moods
        for taken, (measure, kind) in zip(runs, measures, strict=True):
            trims[kind].append(asyncio.run(trim(sessions[kind])))
            # Else each full collection would go through langchain's modules too, whatever is measured then.
            gc.collect()
            gc.freeze()
            with tempfile.TemporaryDirectory() as home:
                taken.append(asyncio.run(measure(home)))
    middle, tools, small, large, broad = (
        {name: min(run[name] for run in taken) for name in taken[0]} for taken in runs
    )
    for kind, took in trims.items():
        say(f"trim_messages over 10,000 messages of {kind}, ms", min(took) * 1e3)
        say(f"trim_messages over 10,000 messages of {kind}, slowest of all runs, ms", max(took) * 1e3)

    def compare(name: str, seconds: float, wanted: str, kind: str = "talk") -> None:
        say(f"{name}, ms", seconds * 1e3)
        say(f"{name}: times faster than trim_messages (wanted: {wanted})", min(trims[kind]) / seconds)

    compare("turn at 10,000 messages", middle["mean"], "1,000")
    compare("turn without a compaction", middle["between"], "1,000")
    compare("compaction of talk", middle["compaction"], "6")
    compare("slowest compaction of talk", middle["worst"], "6")
    compare(f"compaction with tools ({tools['tokens']:,} tokens)", tools["later"], "6", "work")
    compare("slowest compaction with tools", tools["worst"], "6", "work")
    compare("first window of talk at once", middle["first"], "6")
    compare("first window with tools at once", tools["first"], "6", "work")
    say(f"compaction at a budget of {WIDE:,} ({broad['tokens']:,} tokens, turn by turn), ms", broad["mean"] * 1e3)
    say(f"slowest compaction at a budget of {WIDE:,}, ms (under 100)", broad["worst"] * 1e3)
    say("turn at 1,000 messages, µs", small["mean"] * 1e6)
    say(f"turn at {asked.large:,} messages, µs", large["mean"] * 1e6)
    say(f"{asked.large:,} against 1,000 messages (at most 1.5)", large["mean"] / small["mean"])
    say("compactions in each", min(x["compactions"] for x in (small, middle, large)))
    base, imported = process_s("-c", "import attrs, pluggy"), process_s("-c", "import lamina")
    say("import lamina against import attrs, pluggy (at most 1.3)", imported / base)
    version = process_s("-m", "lamina_cli", "--version")
    say("lamina --version against import attrs, pluggy (at most 1.5)", version / base)
    say("process with 10,000 messages, MB (under 100)", rss_mb(MEMORY.format(here=str(Path(__file__).parent))))
    if asked.json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
