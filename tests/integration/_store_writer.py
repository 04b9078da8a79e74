"""Starts writers one after the other and kills each at a moment that a seed chooses.

Run as ``python _store_writer.py STORE HOME SEED ROUNDS``; prints every acknowledged commit as ``round task number size``.
Writers are forked from this process, which has no threads and has imported everything, so that each starts in
milliseconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from _stores import STORES, Store

from lamina.protocols import Commit, Storage

TASKS = 4
"""So many commit at once, so that kills fall into transactions that several share."""


async def write(store: Store, home: Path, round_: int, seed: str, acknowledge: int) -> None:
    """Commit until killed, and tell each commit once it has returned."""
    chance = random.Random(seed)
    async with store.open(home) as storage:
        await asyncio.gather(
            *(_task(storage, round_, task, random.Random(chance.random()), acknowledge) for task in range(TASKS))
        )


async def _task(storage: Storage, round_: int, task: int, chance: random.Random, acknowledge: int) -> None:
    for n in range(10_000):
        size = chance.choice((1, 1, 1, 6, 60))
        value = f"{round_} {task} {n} {size} ".encode() * chance.randrange(1, 200)
        puts = {f"{round_:04}/{task}/{n:05}/{i:03}": value for i in range(size)}
        # What the task wrote before is replaced and deleted by turns, so that pages are freed and used again.
        puts[f"head/{task}"] = f"{round_} {n}".encode()
        await storage.commit(Commit(puts=puts, deletes=frozenset({f"gone/{task}/{n - 1}"})))
        os.write(acknowledge, f"{round_} {task} {n} {size}\n".encode())
        await asyncio.sleep(0)


def main() -> None:
    """Fork, read, kill."""
    store, home, seed, rounds = STORES[sys.argv[1]], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    chance = random.Random(seed)
    for round_ in range(rounds):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            asyncio.run(write(store, home, round_, f"{seed}/{round_}", write_end))
            os._exit(3)
        os.close(write_end)
        # Killed while it does what comes after so many acknowledgements; at 0 perhaps while it opens the file.
        wanted, got = chance.randrange(25), b""
        while got.count(b"\n") < wanted and (piece := os.read(read_end, 4096)):
            got += piece
        for _ in range(chance.randrange(20_000)):
            pass
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"round {round_}: the writer ended by itself with status {status}")
        while piece := os.read(read_end, 4096):
            got += piece
        os.close(read_end)
        sys.stdout.write(got.decode())


if __name__ == "__main__":
    main()
