import asyncio
import json
import math
import random
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from lamina.errors import ConfigError, EmbeddingError, StorageError
from lamina.kit.http import place_of
from lamina.protocols import Capability, EmbedRequest, Record
from lamina.testing import LoneHost
from lamina_embedder_http import HttpSettings, open_http
from lamina_embedder_http._cache import Cache
from lamina_embedder_http._embedder import HttpEmbedder
from lamina_embedder_http._service import Service

from .conftest import KEY, SIZE, Reply, shaped, vector


def settings_of(server, **chosen):
    return HttpSettings(**{"url": server.url, "model": "m", "dimensions": SIZE, **chosen})


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now_s, self.slept = 1_000_000.0, []

    def __call__(self):
        return self.now_s

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds


def embedder(server, clock=None, storage=None, host=None, key="", **chosen):
    clock = clock or Clock()
    settings = settings_of(server, **chosen)
    place = place_of(settings.url, "/embeddings", "url")
    service = Service(settings, place, key, clock=clock, random=random.Random(0), sleep=clock.sleep)
    return HttpEmbedder(settings, service, Cache(settings.cache, storage, host.logger if host else None))


def rows(part, *texts, query=False):
    return np.asarray(asyncio.run(part.embed(EmbedRequest(texts=texts, query=query))))


def test_vectors_come_in_the_order_of_the_texts_with_length_1(server):
    texts = ["one", "two", "three", "two"]
    expected = np.array([vector(text) for text in texts])
    assert np.allclose(rows(embedder(server), *texts), expected / np.linalg.norm(expected, axis=1, keepdims=True))
    [asked] = server.asked
    assert asked == {"model": "m", "input": ["one", "two", "three"], "encoding_format": "float"}
    assert server.paths == ["/v1/embeddings"]


@examples(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from([f"text {n}" for n in range(30)]), max_size=40), st.integers(1, 7))
def test_each_text_is_asked_for_once_in_batches_of_at_most_so_many(server, texts, batch):
    server.asked.clear()
    part = embedder(server, batch=batch)
    rows(part, *texts)
    rows(part, *texts)
    sizes = [len(asked["input"]) for asked in server.asked]
    assert all(size <= batch for size in sizes)
    assert len(sizes) == math.ceil(len(set(texts)) / batch)
    assert sorted(text for asked in server.asked for text in asked["input"]) == sorted(set(texts))


def test_no_more_calls_run_at_once_than_allowed(server):
    rows(embedder(server, batch=1, concurrency=3), *(f"text {n}" for n in range(20)))
    assert len(server.asked) == 20
    assert server.most_at_once <= 3


def test_what_is_forgotten_is_asked_for_again(server):
    part = embedder(server, cache=1)
    for text in ("a", "b", "a"):
        rows(part, text)
    assert [asked["input"] for asked in server.asked] == [["a"], ["b"], ["a"]]


def test_prefixes_tell_queries_from_texts(server):
    part = embedder(server, query_prefix="query: ", text_prefix="passage: ")
    rows(part, "a")
    rows(part, "a", query=True)
    assert [asked["input"] for asked in server.asked] == [["passage: a"], ["query: a"]]


def test_a_blank_text_has_zeros_and_is_not_sent(server):
    assert not rows(embedder(server), "", " \n").any()
    assert server.asked == []


def test_only_the_beginning_of_a_long_text_is_sent(server):
    rows(embedder(server, characters=10), "a" * 50)
    assert server.asked[0]["input"] == ["a" * 10]


def test_shorter_vectors_are_asked_for_where_the_model_can(server):
    assert rows(embedder(server, dimensions=16, shorten=True), "a").shape == (1, 16)
    assert server.asked[0]["dimensions"] == 16


@pytest.mark.parametrize("reply", [Reply(status=429), Reply(status=500), Reply(status=408), Reply(drop=True)])
def test_what_may_pass_is_tried_again_after_a_wait_that_may_grow(server, reply):
    clock = Clock()
    server.replies += [reply] * 3
    expected = rows(embedder(server), "b")
    server.replies += [reply] * 3
    assert np.array_equal(rows(embedder(server, clock), "b"), expected)
    assert len(clock.slept) == 3
    assert all(wait <= 0.5 * 2**n for n, wait in enumerate(clock.slept))


def test_retry_after_is_heeded_by_all_calls(server):
    clock = Clock()
    server.replies.append(Reply(status=429, headers={"Retry-After": "7"}))
    part = embedder(server, clock, batch=1, concurrency=1)
    rows(part, "a")
    assert sum(clock.slept) >= 7
    server.replies.append(Reply(status=429, headers={"Retry-After": "7"}))
    before = clock.now_s
    rows(part, "b", "c", "d")
    assert clock.now_s - before >= 7


def test_a_service_that_wants_to_be_left_alone_for_too_long_is_not_waited_for(server):
    clock = Clock()
    server.always = Reply(status=429, headers={"Retry-After": "3600"})
    with pytest.raises(EmbeddingError, match=r"127\.0\.0\.1: status 429 .*asked again in 3600 s"):
        rows(embedder(server, clock), "a")
    assert clock.slept == []
    assert len(server.asked) == 1


def test_after_the_last_try_it_says_why(server):
    server.always = Reply(status=503)
    with pytest.raises(EmbeddingError, match=r"status 503 \(some_error, some_code\), 3 calls"):
        rows(embedder(server, retries=2), "a")
    assert len(server.asked) == 3


@pytest.mark.parametrize(("status", "remedy"), [(401, "key_env"), (404, "url and model"), (400, "characters")])
def test_what_is_refused_for_good_is_not_tried_again_and_the_remedy_is_named(server, status, remedy):
    server.always = Reply(status=status)
    with pytest.raises(EmbeddingError, match=rf"status {status} .*{remedy}") as raised:
        rows(embedder(server), "a")
    assert len(server.asked) == 1
    assert "quoted-content" not in str(raised.value)


def test_a_service_that_does_not_answer_is_given_up_in_time(server):
    server.always = Reply(hang=True)
    before = time.monotonic()
    with pytest.raises(EmbeddingError, match=r"no answer within 0\.2 s"):
        rows(embedder(server, timeout_s=0.2, retries=1), "a")
    assert time.monotonic() - before < 20


def test_a_service_that_is_not_there_is_named(server):
    with pytest.raises(EmbeddingError, match=r"127\.0\.0\.1: the connection failed"):
        rows(embedder(server, url="http://127.0.0.1:1/v1", retries=1), "a")


@pytest.mark.parametrize(
    "wrong",
    [
        b"", b"no json", b"[]", b"{}", b'{"data": []}', b'{"data": [{"index": 5, "embedding": []}]}',
        json.dumps({"data": [{"index": 0, "embedding": [1.0]}]}).encode(),
        json.dumps({"data": [{"index": 0, "embedding": ["x"] * SIZE}]}).encode(),
        json.dumps({"data": [{"index": 0, "embedding": [math.nan] * SIZE}]}).encode(),
        json.dumps({"data": [{"index": 0, "embedding": None}]}).encode(),
        json.dumps({"data": [None]}).encode(),
        json.dumps(shaped(["a", "b"])).encode(),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_refused(server, wrong):
    server.always = Reply(body=wrong)
    with pytest.raises(EmbeddingError, match=r"127\.0\.0\.1: "):
        rows(embedder(server), "a")


def test_what_succeeded_beside_a_failure_is_kept(server):
    part = embedder(server, batch=1, concurrency=1, retries=0)
    server.replies += [Reply(), Reply(status=500), Reply()]
    with pytest.raises(EmbeddingError):
        rows(part, "a", "b", "c")
    server.asked.clear()
    rows(part, "a", "b", "c")
    assert [asked["input"] for asked in server.asked] == [["b"]]


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


class Fails(Kept):
    async def commit(self, request):
        raise StorageError("full")

    async def get(self, request):
        raise StorageError("away")


def test_a_later_run_reads_the_vectors_from_the_storage(server):
    kept = Kept()
    first = rows(embedder(server, storage=kept), "secret text", "b")
    assert np.array_equal(rows(embedder(server, storage=kept), "secret text", "b"), first)
    assert len(server.asked) == 1
    assert all(b"secret" not in value and "secret" not in key for key, value in kept.records.items())
    rows(embedder(server, storage=kept, model="other"), "b")
    assert len(server.asked) == 2


def test_what_the_storage_holds_of_another_kind_is_asked_for_again(server):
    kept = Kept()
    first = rows(embedder(server, storage=kept), "a")
    kept.records = {key: b"\x63" + value[1:] for key, value in kept.records.items()}
    assert np.array_equal(rows(embedder(server, storage=kept), "a"), first)
    assert len(server.asked) == 2


def test_a_storage_that_fails_is_named_once_and_done_without(server, tmp_path):
    host = LoneHost(tmp_path)
    part = embedder(server, storage=Fails(), host=host)
    rows(part, "a")
    rows(part, "b")
    assert [entry["event"] for entry in host.logged] == ["the storage of vectors fails"]


@asynccontextmanager
async def opened(server, host, **chosen):
    async with open_http(settings_of(server, **chosen), host) as part:
        yield part


def test_the_key_comes_from_the_environment_and_stands_in_no_message(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    server.always = Reply(
        status=401, body=json.dumps({"error": {"type": KEY, "code": "bad_key", "message": KEY}}).encode()
    )

    async def ask():
        async with opened(server, LoneHost(tmp_path), key_env="SOME_KEY") as part:
            with pytest.raises(EmbeddingError, match="bad_key") as raised:
                await part.embed(EmbedRequest(texts=["a"]))
            return str(raised.value), part.fingerprint

    assert all(KEY not in said for said in asyncio.run(ask()))
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"key_env": "NOT_SET"}, r"embedders\.lone\.key_env: NOT_SET is not set"),
        ({"key_env": KEY}, r"embedders\.lone\.key_env: names no environment variable"),
        ({"url": "no address"}, r"embedders\.lone\.url: is no http or https address"),
        ({"url": "https://user:pw@host/v1"}, r"embedders\.lone\.url: holds a user or password"),
        ({"storage": "gone"}, r"storages\.gone"),
    ],
)
def test_wrong_settings_are_refused_when_it_is_opened(server, tmp_path, wrong, said):
    async def ask():
        async with opened(server, LoneHost(tmp_path), **wrong):
            pass

    with pytest.raises(ConfigError, match=said) as raised:
        asyncio.run(ask())
    assert KEY not in str(raised.value)


def test_a_key_that_can_be_read_on_the_way_is_warned_of(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_KEY", KEY)
    host = LoneHost(tmp_path)

    async def ask():
        async with opened(server, host, key_env="SOME_KEY", url="http://lamina.test/v1"):
            pass

    asyncio.run(ask())
    assert [entry["event"] for entry in host.logged] == ["the key is sent unencrypted; use https"]
