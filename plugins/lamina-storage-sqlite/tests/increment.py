"""Adds to a number many times, as one of several processes: ``python increment.py PATH TIMES``.

Says that it is ready and waits for a line, so that all begin together.
"""

import asyncio
import sys
from pathlib import Path

from lamina.errors import ConflictError
from lamina.protocols import Commit, Get
from lamina.testing import LoneHost
from lamina_storage_sqlite import SqliteSettings, open_sqlite


async def main():
    path, times = Path(sys.argv[1]), int(sys.argv[2])
    async with open_sqlite(SqliteSettings(path=path, busy_timeout_s=60), LoneHost(path.parent)) as storage:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        done = lost = 0
        while done < times:
            (old,) = await storage.get(Get(keys=["n"]))
            value = str(int(old.value) + 1 if old else 1).encode()
            try:
                await storage.commit(Commit(puts={"n": value}, expect={"n": old and old.version}))
            except ConflictError:
                lost += 1
            else:
                done += 1
    sys.stdout.write(f"{done} {lost}\n")


asyncio.run(main())
