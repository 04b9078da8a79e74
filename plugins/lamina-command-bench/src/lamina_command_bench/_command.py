"""``lamina bench recall``."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lamina_command_bench._data import memories, questions
from lamina_command_bench._recall import Measured, measure


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    what = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    recall = what.add_parser("recall", help="how well memories are found, and how fast")
    recall.add_argument(
        "--memories", type=Path, required=True, metavar="M.jsonl", help="one memory a line: id, text, …"
    )
    recall.add_argument("--queries", type=Path, required=True, metavar="Q.jsonl", help="one question a line: id, text, relevant, …")  # fmt: skip
    recall.add_argument("--config", dest="configs", action="append", type=Path, default=[], metavar="FILE", help="a configuration to measure; may be repeated (default: the one in use)")  # fmt: skip
    recall.add_argument("--out", type=Path, metavar="FILE", help="write what was found, one question a line; of the first configuration")  # fmt: skip
    recall.add_argument("--limit", type=_positive, default=20, metavar="N", help="memories that are asked for (default: 20)")  # fmt: skip
    recall.add_argument("--json", action="store_true", help="print the figures as JSON")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Measure each configuration, print the figures, write what was found."""
    told, asked = memories(arguments.memories), questions(arguments.queries)

    async def work() -> list[Measured]:
        done = []
        for path in arguments.configs or [arguments.config]:
            with tempfile.TemporaryDirectory(prefix="lamina-bench-") as home:
                name = str(path) if path else "in use"
                done.append(
                    await measure(
                        name, arguments.settings, path, arguments.profile, told, asked, arguments.limit, Path(home)
                    )
                )
        return done

    measured = asyncio.run(work())
    if arguments.out is not None:
        lines = [json.dumps({"id": id, "ranked": list(ids)}) + "\n" for id, ids in measured[0].ranked.items()]
        arguments.out.write_text("".join(lines), "utf-8")
    if arguments.json:
        sys.stdout.write(json.dumps({"memories": len(told), "configurations": [_object(m) for m in measured]}, indent=2) + "\n")  # fmt: skip
    else:
        _print(measured, len(told), len(asked))
    return 0


def _object(measured: Measured) -> dict[str, object]:
    return {
        "name": measured.name,
        **{f"recall@{depth}": value for depth, value in measured.recall.items()},
        "mrr": measured.mrr,
        "questions": measured.asked,
        "recall_ms": dict(measured.recall_ms),
        "remember_ms": measured.remember_ms,
    }


def _print(measured: Sequence[Measured], told: int, asked: int) -> None:
    depths = list(measured[0].recall)
    rows = [["configuration", *(f"recall@{d}" for d in depths), "mrr", "p50 ms", "p95 ms", "p99 ms", "remember ms"]]
    for m in measured:
        times = [f"{m.recall_ms[p]:.1f}" for p in ("p50", "p95", "p99")]
        rows.append([m.name, *(f"{m.recall[d]:.3f}" for d in depths), f"{m.mrr:.3f}", *times, f"{m.remember_ms:.2f}"])
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *figures in rows:
        cells = [figure.rjust(width) for figure, width in zip(figures, wide[1:], strict=True)]
        sys.stdout.write("  ".join([name.ljust(wide[0]), *cells]) + "\n")
    sys.stdout.write(f"{told:,} memories, {asked:,} questions, {measured[0].asked:,} of which say what is relevant\n")
