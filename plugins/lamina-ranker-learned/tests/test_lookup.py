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
