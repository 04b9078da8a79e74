import asyncio

import pytest

import lamina

TALK = (
    ("user", "we chose port 8417 for staging"),
    ("assistant", "noted, and the late result was marmalade"),
    ("user", "what shall we eat today, and who will come along to the market?"),
    ("assistant", "nobody knows that yet"),
)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("marmalade", 1),
        ("late result", 1),
        ("port staging", 0),
        ("8417", 0),
        ("which port did we choose for staging?", 0),
    ],
)
def test_what_holds_the_words_that_are_looked_up_is_before_what_stands_beside_it(tmp_path, query, first):
    async def work():
        async with lamina.open(settings={"home": str(tmp_path)}, environ={}) as ctx:
            session = await ctx.session("s")
            for role, text in TALK:
                await session.add(lamina.user(text) if role == "user" else lamina.assistant(text))
            return [hit.memory.text for hit in await ctx.recall(query, use=False)]

    assert asyncio.run(work())[0] == TALK[first][1]


def test_to_be_new_alone_is_no_answer(tmp_path):
    async def work():
        async with lamina.open(settings={"home": str(tmp_path)}, environ={}) as ctx:
            session = await ctx.session("s")
            for n in range(30):
                said = " ".join(f"word{n}x{k}" for k in range(200))
                await session.add(lamina.assistant(f"{said} and so we chose port {8400 + n} for service{n}"))
            await session.add(lamina.user("Perfect, thank you. That will do for today."))
            return [hit.memory.text for hit in await ctx.recall("which port did we choose for service7?", use=False)]

    found = asyncio.run(work())
    assert found[0].endswith("port 8407 for service7")
    assert "Perfect" not in "".join(found[:9])
