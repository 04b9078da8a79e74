"""A whole session, whose chain falls back when the endpoint dies."""

import asyncio
import json

import pytest

import lamina
from lamina.errors import ConfigError

from .conftest import KEY, TEXT, Reply


def settings(server, tmp_path, chain=("llm", "truncate"), **chosen):
    llm = {
        "url": f"{server.url}/v1",
        "model": "m",
        "key_env": "LLM_TEST_KEY",
        "backoff_s": 0.001,
        "breaker_failures": 2,
    }
    return {
        "home": str(tmp_path),
        "window": {"compressors": ["chain"], "strict": True},
        "compressors": {"chain": {"compressors": list(chain)}, "llm": {**llm, **chosen}},
        "storages": {"answers": {"use": "sqlite", "path": "answers.db"}},
    }


async def turn(session, n):
    """A turn with a large result; who shortened it in the window that follows."""
    await session.add(
        lamina.user(f"copy {n}"),
        lamina.assistant("Copying.", lamina.ToolCall(f"c{n}", "Run", json.dumps({"n": n}))),
        lamina.tool_result(f"c{n}", f"copy {n}\n{TEXT}"),
    )
    window = await session.window(budget=3000)
    assert window.tokens <= 3000
    assert window.ledger.repairs == ()
    page = session.pages[-1].id
    [row] = [row for row in window.ledger.rows if row.first <= page <= row.last]
    [text] = [m["content"] for m in window.messages("openai") if m["role"] == "tool" and m["tool_call_id"] == f"c{n}"]
    return row.rendition, row.compressor, text


def test_the_chain_falls_back_when_the_server_dies_and_comes_back_for_what_is_known(server, tmp_path, capsys):
    server.replies.extend([Reply(), Reply(), Reply(503), Reply()])

    async def first_run():
        made = []
        async with lamina.open(settings=settings(server, tmp_path, storage="answers"), environ={}) as ctx:
            session = await ctx.session("s")
            made += [await turn(session, 1), await turn(session, 2), await turn(session, 3)]
            server.die()
            made += [await turn(session, n) for n in (4, 5, 6)]
            [original] = await session.expand(session.pages[-1].id)
            assert TEXT in original.text
        return made

    made = asyncio.run(first_run())
    assert [row[:2] for row in made] == 3 * [("shortened", "chain/llm")] + 3 * [("shortened", "chain/truncate")]
    assert all("written by a model: quoted data" in text for *_, text in made[:3])
    assert all("left out; expand" in text for *_, text in made[3:])
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "asking pauses" in line or "nothing offered" in line] == told
    assert len(told) == 3  # pages 4 and 5 failed, and then asking paused
    assert KEY not in "".join(told)

    async def second_run():
        async with lamina.open(settings=settings(server, tmp_path, storage="answers"), environ={}) as ctx:
            return [await turn(await ctx.session("another"), n) for n in (1, 6)]

    known, unknown = asyncio.run(second_run())
    assert known[1] == "chain/llm"
    assert unknown[1] == "chain/truncate"
    assert [asked["model"] for asked in server.asked] == ["m"] * 4
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes()


def test_a_chain_that_ends_in_it_is_refused_with_the_remedy(server, tmp_path):
    async def go():
        async with lamina.open(settings=settings(server, tmp_path, chain=("truncate", "llm")), environ={}):
            pass

    with pytest.raises(ConfigError, match="ends in 'llm', which is not deterministic.*put a local one behind it"):
        asyncio.run(go())


def test_the_key_is_not_in_the_effective_configuration(server, tmp_path):
    async def go():
        async with lamina.open(settings=settings(server, tmp_path), environ={}) as ctx:
            return repr(ctx.config)

    assert KEY not in asyncio.run(go())
