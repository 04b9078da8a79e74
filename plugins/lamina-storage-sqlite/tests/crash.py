"""Starts writers one after the other and kills each at a moment that a seed chooses.

Run as ``python crash.py PATH SEED KILLS``; prints every acknowledged commit as ``round commit size``. The writers
are forked from this process, which has no threads and has imported everything, so that each starts in milliseconds.
"""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

from lamina.protocols import Commit, Get
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, _lanes, open_sqlite

# Copy the log into the file every few commits, so that kills fall into that, too.
_lanes.CHECKPOINT_PAGES = 40


async def write(path, round_, seed, acknowledge):
    chance = random.Random(seed)
    async with open_sqlite(SqliteSettings(path=path), LoneHost(path.parent)) as storage:
        for n in range(10_000):
            # Single records take the short way, small batches the loop's thread, large ones the other thread.
            size = chance.choice((1, 1, 1, 7, 200))
            value = f"{round_} {n} ".encode() * chance.randrange(1, 300)
            puts = {f"{round_:03}/{n:05}/{i:03}": value for i in range(size)}
            if size > 1:
                (head,) = await storage.get(Get(keys=["head"]))
                puts["head"] = f"{round_} {n}".encode()
                await storage.commit(Commit(puts=puts, expect={"head": head and head.version}))
            else:
                await storage.commit(Commit(puts=puts, expect=dict.fromkeys(puts)))
            os.write(acknowledge, f"{round_} {n} {size}\n".encode())


def main():
    path, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(seed)
    for round_ in range(kills):
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read_end)
            asyncio.run(write(path, round_, f"{seed}/{round_}", write_end))
            os._exit(3)
        os.close(write_end)
        # Killed while it does what comes after so many acknowledgements; at 0 perhaps while it opens the file.
        wanted, got = chance.randrange(60), b""
        while got.count(b"\n") < wanted and (piece := os.read(read_end, 4096)):
            got += piece
        for _ in range(chance.randrange(20_000)):
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while piece := os.read(read_end, 4096):
            got += piece
        os.close(read_end)
        sys.stdout.write(got.decode())


main()
