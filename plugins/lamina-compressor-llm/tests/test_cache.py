import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from lamina.errors import StorageError
from lamina.protocols import Capability, CompressRequest, Record
from lamina.testing import LoneHost
from lamina.testing.pages import count_words
from lamina_compressor_llm import LlmSettings, open_llm

from .conftest import TEXT, Reply, a_page, ask, asked_once, pages


class Kept:
    """A storage in a dict."""

    capabilities = frozenset[Capability]()

    def __init__(self):
        self.records = {}

    async def commit(self, request):
        self.records |= request.puts
        return dict.fromkeys(request.puts, 1)

    async def get(self, request):
        return [Record(key, self.records[key], 1) if key in self.records else None for key in request.keys]

    async def scan(self, request):
        raise NotImplementedError


class Fails(Kept):
    async def commit(self, request):
        raise StorageError("full")

    async def get(self, request):
        raise StorageError("away")


@asynccontextmanager
async def opened(server, host, **chosen):
    async with open_llm(LlmSettings(**{"url": f"{server.url}/v1", "model": "m", **chosen}), host) as part:
        yield part


@pytest.fixture
def host(tmp_path):
    return LoneHost(tmp_path, parts={("storage", "kept"): Kept(), ("storage", "fails"): Fails()})


def test_no_page_is_paid_for_twice_whatever_its_id_and_the_targets(server, host):
    async def go():
        async with opened(server, host) as part:
            first = await ask(part, [a_page(1), a_page(2)])
            again = await ask(part, [a_page(1)], targets=[300, 100])
            return first, again

    (one, two), (large, small) = asyncio.run(go())
    assert len(server.asked) == 1
    assert one.texts[1, 0].replace("page 1", "page 2").replace("expand 1", "expand 2") == two.texts[1, 0]
    assert large.texts[1, 0].startswith(one.texts[1, 0])
    assert one.texts[1, 0].startswith(small.texts[1, 0])


def test_requests_at_the_same_time_share_an_answer(server, host):
    async def go():
        async with opened(server, host) as part:
            return await asyncio.gather(*(ask(part, [a_page(n)]) for n in range(1, 9)))

    assert all(asyncio.run(go()))
    assert len(server.asked) == 1


def test_an_answer_of_no_use_is_not_paid_for_twice_either(server, host):
    server.always = Reply(text="garbage")

    async def go():
        async with opened(server, host, storage="kept") as part:
            for _ in range(3):
                assert await ask(part, [a_page()]) == []

    asyncio.run(go())
    assert len(server.asked) == 1
    assert host._parts["storage", "kept"].records == {}


def test_a_failure_is_not_remembered(server, host):
    server.replies.append(Reply(500))

    async def go():
        async with opened(server, host, retries=0) as part:
            assert await ask(part, [a_page()]) == []
            assert len(await ask(part, [a_page()])) == 1

    asyncio.run(go())


def test_other_instructions_and_other_models_are_other_answers(server, host):
    for chosen in (
        {},
        {"model": "other"},
        {"instructions": "Keep the hosts."},
        {"share": 0.1},
        {"extra": {"temperature": 0}},
    ):
        asked_once(server, host, [a_page()], key_env=None, storage="kept", **chosen)
    assert len(server.asked) == 5


def test_memory_is_bounded(server, host):
    async def go():
        async with opened(server, host, cache_pages=2) as part:
            for page in pages(3):
                await ask(part, [page])
            await ask(part, pages(3)[1:])
            assert len(server.asked) == 3
            await ask(part, pages(1))
            assert len(server.asked) == 4
            assert len(part._cache._known) == 2

    asyncio.run(go())


def test_a_storage_keeps_answers_for_later_runs(server, host):
    first, later = (asked_once(server, host, [a_page()], key_env=None, storage="kept") for _ in range(2))
    assert first == later
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        b'{"schema": 2, "texts": ["newer"]}',
        b'{"schema": 1, "texts": [1]}',
        b'{"schema": 1, "texts": ["a", "b"]}',
        b'{"schema": 1, "texts": [" "]}',
        json.dumps({"schema": 1, "texts": [TEXT * 2]}).encode(),
    ],
    ids=lambda value: value[:30],
)
def test_what_is_damaged_in_the_storage_is_asked_for_again(server, host, value):
    asked_once(server, host, [a_page()], key_env=None, storage="kept")
    kept = host._parts["storage", "kept"].records
    [key] = kept
    assert key.startswith("compressor-llm/")
    sound, kept[key] = kept[key], value
    assert len(asked_once(server, host, [a_page()], key_env=None, storage="kept")) == 1
    assert len(server.asked) == 2
    assert kept[key] == sound


def test_a_storage_that_fails_is_named_once_and_done_without(server, host):
    async def go():
        async with opened(server, host, storage="fails") as part:
            return await ask(part, pages(3))

    assert len(asyncio.run(go())) == 3
    [event] = host.logged
    assert event["error"] == "StorageError: away"


def test_the_counter_does_not_change_what_is_asked_twice(server, host):
    def dear(texts):
        return [len(text.encode()) for text in texts]

    async def go():
        async with opened(server, host) as part:
            for count in (count_words, dear):
                request = CompressRequest(pages=[a_page()], resident=[], targets=[100], count=count, session="s")
                assert len(await part.compress(request)) == 1

    asyncio.run(go())
    assert len(server.asked) == 1
