"""Commits batches until it is killed, and says each: ``python write.py FOLDER ROUND``."""

import asyncio
import sys
from pathlib import Path

from lamina.protocols import Commit
from lamina.testing import LoneHost
from lamina_storage_diskcache import DiskcacheSettings, open_diskcache


async def main():
    folder, round_ = Path(sys.argv[1]), sys.argv[2]
    async with open_diskcache(DiskcacheSettings(path=folder), LoneHost(folder.parent)) as storage:
        for n in range(10_000):
            # The same keys again and again: a batch half written would leave two values.
            puts = {f"{i:03}": f"{round_} {n}".encode() * 20_000 for i in range(5)}
            await storage.commit(Commit(puts=puts))
            sys.stdout.write(f"{round_} {n}\n")
            sys.stdout.flush()


asyncio.run(main())
