import asyncio

import pytest

import lamina
from lamina.model import Memory
from lamina.testing import ConsolidatorSuite, LoneHost
from lamina_consolidator_slots import SlotsSettings, open_slots
from lamina_storage_memory import MemorySettings, open_memory


class TestSlots(ConsolidatorSuite):
    strategy = "slots"
    superfluous = (
        Memory("m1", "lives in Berlin", slot="user.city", created_s=1.0),
        Memory("m2", "lives in Hamburg", slot="user.city", created_s=2.0),
    )

    @pytest.fixture
    def open_consolidator(self, tmp_path):
        from contextlib import asynccontextmanager

        @asynccontextmanager
        async def opened():
            async with open_memory(MemorySettings(), LoneHost(tmp_path)) as storage:
                host = LoneHost(tmp_path, parts={("storage", "main"): storage})
                async with open_slots(SlotsSettings(), host) as part:
                    yield part

        return opened


def test_a_slot_holds_what_was_said_last_whatever_came_last(tmp_path):
    async def work():
        settings = {"home": str(tmp_path), "memory": {"consolidators": ["slots"]}}
        async with lamina.open(settings=settings, environ={}) as ctx:
            await ctx.remember("Ann lives in Hamburg", slot="ann.city", created_s=200.0)
            await ctx.consolidate()
            await ctx.remember("Ann lives in Berlin", slot="ann.city", created_s=100.0)
            await ctx.remember("Bob lives in Rome", slot="bob.city", created_s=50.0)
            await ctx.consolidate()
            found = {hit.memory.text for hit in await ctx.recall("who lives where?", use=False)}
            assert found == {"Ann lives in Hamburg", "Bob lives in Rome"}
            await ctx.undo()
            assert len(await ctx.recall("who lives where?", use=False)) == 3

    asyncio.run(work())
