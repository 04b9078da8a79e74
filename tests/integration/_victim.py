"""A process that imports and packs until it is killed; says on standard output what is durable."""

import asyncio
import sys

import lamina


async def main(home, *files):
    async with lamina.open(settings={"home": home}) as ctx:
        print("open", flush=True)
        for number in range(1_000_000):
            for file in files:
                with open(file, "rb") as handle:  # noqa: PTH123, ASYNC230 - one read in a test process
                    data = handle.read()
                name = f"{number}-{file.rsplit('/', 1)[-1]}"
                (done,) = await ctx.import_data(data, file, session=name)
                print(f"imported {done.session}", flush=True)
                session = await ctx.session(name)
                for budget in (6000, 3000):
                    await session.window(budget)
                await session.add(lamina.user(f"after {number}"))
                print(f"packed {done.session}", flush=True)


asyncio.run(main(*sys.argv[1:]))
