"""What a request for the scores of 10,000 pages costs each scorer: the first one, and once pages are read.

Run: ``python tests/performance/bench_scorers.py``. CPU milliseconds, and the memory that a scorer keeps.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
import time
import tracemalloc
from contextlib import AsyncExitStack
from pathlib import Path

from lamina.model import assistant, user
from lamina.protocols import ScoreRequest
from lamina.testing import LoneHost
from lamina.testing.pages import page, tool_page
from lamina_scorer_faults import FaultsSettings, open_faults
from lamina_scorer_liveness import LivenessSettings, open_liveness
from lamina_scorer_recency import RecencySettings, open_recency
from lamina_scorer_relevance import RelevanceSettings, open_relevance
from lamina_scorer_role import RoleSettings, open_role
from lamina_scorer_supersession import SupersessionSettings, open_supersession
from lamina_scorer_weighted import WeightedSettings, open_weighted

PAGES, REPEATS = 10_000, 7
OPENERS = {
    "recency": (open_recency, RecencySettings()),
    "role": (open_role, RoleSettings()),
    "liveness": (open_liveness, LivenessSettings()),
    "supersession": (open_supersession, SupersessionSettings()),
    "faults": (open_faults, FaultsSettings()),
    "relevance": (open_relevance, RelevanceSettings()),
}
WORDS = (
    "the port server reads configuration from disk before opening a connection and retries twice if the lookup "
    "fails because the user asked for an invoice of last month with all its lines and taxes in one table"
).split()


def session(rng):
    """Three of four pages of prose and calls alike, about 300 characters each, with many identifiers."""

    def name():
        form = rng.choice(("src/m%d/mod_%d.py", "W%d%d", "item_%d_%d", "2024-05-%d-%d"))
        return form % (rng.randint(10, 40), rng.randint(100, 400))

    def text(words, names):
        return " ".join([*rng.choices(WORDS, k=words), *(name() for _ in range(names))])

    made = []
    for n in range(1, PAGES + 1):
        match n % 4:
            case 0:
                made.append(page(n, user(text(30, 2))))
            case 1:
                made.append(page(n, assistant(text(40, 3))))
            case _:
                made.append(tool_page(n, ("Read", json.dumps({"path": name(), "n": n % 5}), text(30, 12))))
    return made


async def measure(name, scorer, pages, rng):
    """Print one line."""
    faults = {rng.randint(1, PAGES): rng.randint(1, 3) for _ in range(200)}

    async def once(turn):
        # A new fault at every request, so that the weighted scorer learns at every one.
        facts = {"faults": {**faults, turn + 5: 9 + turn}, "now_s": float(turn), "session": "s", "log": pages}
        start = time.process_time()
        await scorer.score(ScoreRequest(pages=pages, newest=PAGES, **facts))
        return 1e3 * (time.process_time() - start)

    first = await once(0)
    later = statistics.median([await once(turn) for turn in range(1, REPEATS)])
    print(f"{name:24} first {first:8.1f} ms   later {later:6.1f} ms")


async def main():
    """Measure every scorer, then all together, then what they keep."""
    rng = random.Random(1)
    pages = session(rng)
    print(f"{PAGES:,} pages, {sum(len(p.text) for p in pages):,} characters")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        async with AsyncExitStack() as stack:
            parts = {}
            for name, (opener, chosen) in OPENERS.items():
                parts["scorer", name] = await stack.enter_async_context(opener(chosen, LoneHost(home)))
                await measure(name, parts["scorer", name], pages, rng)
            weights = WeightedSettings(weights=dict.fromkeys(OPENERS, 1.0))
            together = await stack.enter_async_context(open_weighted(weights, LoneHost(home, parts=parts)))
            await measure("weighted over all", together, pages, rng)
        del parts, together
        for name, (opener, chosen) in OPENERS.items():
            async with opener(chosen, LoneHost(home)) as scorer:
                tracemalloc.start()
                await scorer.score(ScoreRequest(pages=pages, newest=PAGES, session="s"))
                print(f"{name:24} keeps {tracemalloc.get_traced_memory()[0] / 1e6:.1f} MB")
                tracemalloc.stop()


if __name__ == "__main__":
    asyncio.run(main())
