"""The key is in the headers of calls and nowhere else."""

import asyncio
import json

import pytest

from lamina.errors import ConfigError

from .conftest import KEY, Reply, a_page, ask, asked_once, nobody, opened, pages


class TestKey:
    def test_no_failure_tells_it(self, server, host):
        echo = json.dumps({"error": {"type": KEY, "code": KEY[:20], "message": KEY}}).encode()
        server.replies.extend(
            [Reply(401), Reply(401, body=echo), Reply(text=KEY), Reply(body=KEY.encode()), Reply(drop=1)]
        )
        asked_once(server, host, pages(6), retries=0, breaker_failures=1000)
        asked_once(server, host, pages(1), url=f"http://127.0.0.1:{nobody()}/v1")
        assert len(host.logged) == 2
        assert KEY not in repr(host.logged)

    def test_nothing_shows_it(self, server, host):
        async def go():
            async with opened(server, host) as part:
                await ask(part, pages(1))
                return [repr(part), repr(part._endpoint), repr(part._settings), str(vars(part))]

        assert KEY not in str(asyncio.run(go()))

    @pytest.mark.parametrize(
        ("chosen", "environ", "match"),
        [
            ({"key_env": "NO_SUCH_KEY"}, {}, "NO_SUCH_KEY is not set in the environment; export it"),
            ({"key_env": "EMPTY"}, {"EMPTY": "  "}, "EMPTY is not set"),
            ({"key_env": "SPLIT"}, {"SPLIT": f"{KEY}\r\nX-Evil: 1"}, "what SPLIT holds is no key"),
            ({"key_env": "UMLAUT"}, {"UMLAUT": f"{KEY}ü"}, "what UMLAUT holds is no key"),
            ({"key_env": KEY}, {}, "names no environment variable that is set"),
            ({"url": f"https://me:{KEY}@host/v1"}, {}, "holds a user or password"),
            ({"url": "ftp://host/v1"}, {}, "is no http or https address"),
            ({"url": "api.openai.com/v1"}, {}, "is no http or https address"),
            ({"url": "http://host:port/v1"}, {}, "is no address"),
            ({"url": "http://host/v1\r\nX-Evil: 1"}, {}, "address"),
        ],
    )
    def test_wrong_settings_are_refused_at_opening_without_it(self, server, host, monkeypatch, chosen, environ, match):
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigError, match=match) as refused:
            asked_once(server, host, [], **chosen)
        assert str(refused.value).startswith("configuration: compressors.llm.")
        assert KEY not in str(refused.value)

    def test_one_that_travels_in_the_open_is_warned_of(self, server, host):
        asked_once(server, host, [], url="http://api.example.com/v1")
        assert [event["event"] for event in host.logged] == ["the key is sent unencrypted; use https"]
        for url in ("https://api.example.com/v1", "http://localhost:1/v1", "http://[::1]:1/v1"):
            asked_once(server, host, [], url=url)
        assert len(host.logged) == 1

    def test_spaces_around_it_do_not_count(self, server, host, monkeypatch):
        monkeypatch.setenv("LLM_TEST_KEY", f" {KEY}\n")
        asked_once(server, host, [a_page()])
        assert server.headers[0]["authorization"] == f"Bearer {KEY}"
