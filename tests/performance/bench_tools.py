"""What a call costs beside its tool, as ratios in one process.

``python tests/performance/bench_tools.py`` prints a table: the same calls by ``asyncio.TaskGroup`` with
``asyncio.timeout`` around each, and by ``ctx.tools.gather``, which checks arguments, decides, and logs decisions.
CPU time of this process, the least of several rounds in turn, so that a busy machine counts for little.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tempfile
import time

import lamina
from lamina import Call
from lamina.outputs import text_output
from lamina.protocols import Effects, RunRequest, ToolSpec

SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 0}, "text": {"type": "string"}},
    "required": ["n"],
    "additionalProperties": False,
}


class Made:
    """A tool that sleeps, or does nothing."""

    def __init__(self, name: str, sleep_s: float | None, effects: Effects) -> None:
        self.spec = ToolSpec(name, "made", SCHEMA, effects=effects)
        self._sleep_s = sleep_s

    async def run(self, request):
        if self._sleep_s is not None:
            await asyncio.sleep(self._sleep_s)
        return text_output(str(request.call.arguments["n"]))


async def plain(tool, requests):
    """The same by asyncio alone."""

    async def one(request):
        async with asyncio.timeout(60):
            return await tool.run(request)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(request)) for request in requests]
    return [task.result() for task in tasks]


async def measured(ctx, tool, count, rounds):
    """Least CPU seconds of (asyncio, lamina) for so many calls."""
    calls = [Call(tool.spec.name, {"n": n, "text": "x"}, id=f"c{n}") for n in range(count)]
    requests = [RunRequest(call) for call in calls]
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for which, run in enumerate((lambda: plain(tool, requests), lambda: ctx.tools.gather(calls))):
            gc.collect()
            began = time.process_time()
            results = await run()
            best[which] = min(best[which], time.process_time() - began)
            assert [r.text for r in results] == [str(n) for n in range(count)]
    return best


async def main(rounds: int) -> list[dict[str, object]]:
    """All rows."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        async with lamina.open(settings={"home": home}, environ={}) as ctx:
            for name, sleep_s, effects in (
                ("nothing", None, Effects()),
                ("sleeps", 0.01, Effects()),
                ("reads", 0.01, Effects(read_only=True)),
            ):
                tool = Made(name, sleep_s, effects)
                ctx.tools.register(tool)
                for count in (1_000, 10_000):
                    by_asyncio, by_lamina = await measured(ctx, tool, count, rounds)
                    rows.append(
                        {
                            "tool": name,
                            "calls": count,
                            "asyncio_us": round(by_asyncio / count * 1e6, 1),
                            "lamina_us": round(by_lamina / count * 1e6, 1),
                            "ratio": round(by_lamina / by_asyncio, 2),
                        }
                    )
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    table = asyncio.run(main(given.rounds))
    if given.json:
        print(json.dumps(table))
    else:
        for row in table:
            print(
                "{tool:8} {calls:>6}  asyncio {asyncio_us:6.1f} us  lamina {lamina_us:6.1f} us  ratio {ratio:.2f}".format(
                    **row
                )
            )
