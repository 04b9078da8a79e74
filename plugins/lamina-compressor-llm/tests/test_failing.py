import asyncio
import threading

import pytest

from lamina.testing.pages import count_words

from .conftest import Reply, a_page, ask, asked_once, nobody, opened, pages


class TestFailures:
    @pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
    def test_what_may_pass_is_tried_again_with_growing_random_waits(self, server, host, status):
        server.replies.extend([Reply(status), Reply(status)])
        waits = []
        assert len(asked_once(server, host, [a_page()], waits=waits, retries=2, backoff_s=2.0)) == 1
        assert len(server.asked) == 3
        first, second = waits
        assert 0 <= first <= 2
        assert 0 <= second <= 4
        again = []
        host.random.seed(0)
        server.replies.extend([Reply(status), Reply(status)])
        asked_once(server, host, [a_page()], waits=again, retries=2, backoff_s=2.0)
        assert again == waits
        assert host.logged == []

    @pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413, 422])
    def test_what_will_not_pass_is_not_tried_again(self, server, host, status):
        server.always = Reply(status, headers={"Location": f"{server.url}/v1/messages"})
        assert asked_once(server, host, [a_page(3)]) == []
        assert len(server.asked) == 1
        [event] = host.logged
        assert event["pages"] == [3]
        assert event["why"] == f"status {status} (some_error, some_code)"

    def test_it_gives_up_after_the_retries(self, server, host):
        server.always = Reply(500)
        assert asked_once(server, host, [a_page()], retries=3) == []
        assert len(server.asked) == 4
        [event] = host.logged
        assert event["why"] == "status 500 (some_error, some_code), 4 calls"

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ("7", 7),
            ("0.5", 0.5),
            ("Mon, 12 Jan 1970 13:46:50 GMT", 10),
            ("Mon, 12 Jan 1970 13:40:00 GMT", 0),
            ("-3", 0),
            ("soon", 0),
            ("nan", 0),
        ],
    )
    def test_retry_after_is_waited_for(self, server, host, header, expected):
        waits = []
        server.replies.append(Reply(429, headers={"Retry-After": header}))
        assert len(asked_once(server, host, [a_page()], waits=waits, backoff_s=0.25)) == 1
        assert expected <= waits[0] <= expected + 0.25

    def test_a_retry_after_beyond_patience_pauses_at_once(self, server, host, clock):
        server.replies.append(Reply(503, headers={"Retry-After": "120"}))

        async def go():
            async with opened(server, host) as part:
                assert await ask(part, pages(1)) == []
                clock.now_s += 119
                assert await ask(part, pages(1)) == []
                assert len(server.asked) == 1
                clock.now_s += 2
                assert len(await ask(part, pages(1))) == 1

        asyncio.run(go())
        assert [e["event"] for e in host.logged if e["log_level"] == "warning"] == ["asking pauses", "nothing offered"]

    def test_a_connection_that_breaks_in_the_middle_of_the_body_is_tried_again(self, server, host):
        server.replies.extend([Reply(drop=10), Reply(drop=0)])
        assert len(asked_once(server, host, [a_page()])) == 1
        assert len(server.asked) == 3
        server.always = Reply(drop=10)
        assert asked_once(server, host, [a_page()], retries=1) == []
        assert host.logged[0]["why"] == "the connection failed (ConnectionResetError), 2 calls"

    def test_nobody_listening_is_tried_again_and_costs_no_tokens(self, server, host):
        waits = []

        async def go():
            async with opened(
                server, host, waits, url=f"http://127.0.0.1:{nobody()}/v1", max_input_tokens=2500
            ) as part:
                assert await ask(part, [a_page()]) == []
                return part._endpoint.budget

        budget = asyncio.run(go())
        assert (budget.calls, budget.input_tokens) == (200 - 3, 2500)
        assert len(waits) == 2
        assert host.logged[0]["why"] == "the connection failed (ConnectionRefusedError), 3 calls"

    @pytest.mark.timeout(20)
    def test_an_endpoint_that_hangs_is_given_up_once(self, server, host):
        server.always = Reply(hang=True)
        assert asked_once(server, host, [a_page()], timeout_s=0.05) == []
        assert host.logged[0]["why"] == "no answer within 0.05 s"
        assert len(server.asked) <= 1

    @pytest.mark.timeout(20)
    def test_who_stops_waiting_leaves_nothing_behind(self, server, host):
        arrived = threading.Event()

        class Arrives:
            def wait(self, _):
                arrived.set()
                return server.over.wait(30)

        server.replies.append(Reply(wait=Arrives()))

        async def go():
            async with opened(server, host, timeout_s=600, breaker_failures=1) as part:
                asking = asyncio.create_task(ask(part, pages(1)))
                await asyncio.to_thread(arrived.wait)
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
                assert len(await ask(part, pages(1))) == 1

        asyncio.run(go())
        assert host.logged == []
        for thread in threading.enumerate():
            if thread.name == "lamina-http":
                thread.join()

    def test_an_error_in_an_answer_of_status_200_is_a_failure(self, server, host):
        server.always = Reply(body=b'{"error": {"code": "overloaded", "message": "x"}}')
        assert asked_once(server, host, [a_page()]) == []
        assert host.logged[0]["why"] == "answered with an error (overloaded)"


class TestPausing:
    def test_after_failures_in_a_row_asking_pauses_and_then_one_page_decides(self, server, host, clock):
        server.always = Reply(500)

        async def go():
            async with opened(server, host, retries=0, breaker_failures=3, breaker_s=60, concurrency=1) as part:
                assert await ask(part, pages(10)) == []
                assert len(server.asked) == 3
                clock.now_s += 59
                assert await ask(part, pages(10)) == []
                assert len(server.asked) == 3
                clock.now_s += 2
                assert await ask(part, pages(10)) == []
                assert len(server.asked) == 4
                server.always = Reply()
                clock.now_s += 61
                assert len(await ask(part, pages(10))) == 10

        asyncio.run(go())
        told = [event["event"] for event in host.logged if event["log_level"] == "warning"]
        assert told == ["asking pauses", "nothing offered", "asking pauses", "nothing offered"]

    def test_an_answer_in_between_starts_the_count_anew(self, server, host):
        for _ in range(4):
            server.replies.extend([Reply(500), Reply(text="garbage"), Reply()])
        offers = asked_once(server, host, pages(12), retries=0, breaker_failures=3, concurrency=1)
        assert [offer.page for offer in offers] == [3, 6, 9, 12]

    def test_pages_that_are_known_need_no_endpoint(self, server, host):
        async def go():
            async with opened(server, host, retries=0, breaker_failures=1, concurrency=1) as part:
                first = await ask(part, pages(2))
                server.always = Reply(500)
                assert await ask(part, pages(4)) == first

        asyncio.run(go())

    def test_a_clock_that_is_set_back_does_not_make_the_pause_longer(self, server, host, clock):
        server.replies.append(Reply(500))

        async def go():
            async with opened(server, host, retries=0, breaker_failures=1) as part:
                assert await ask(part, pages(1)) == []
                clock.now_s -= 10_000
                assert len(await ask(part, pages(1))) == 1

        asyncio.run(go())


class TestBudget:
    def test_calls_are_counted_retries_included(self, server, host):
        server.replies.append(Reply(500))
        assert len(asked_once(server, host, pages(6), max_calls=4, concurrency=1)) == 3
        assert len(server.asked) == 4
        told = [event["event"] for event in host.logged if event["log_level"] == "warning"]
        assert told == ["the budget is spent; no more is asked that does not fit the rest"]

    def test_answers_of_an_error_cost_a_call_and_no_tokens(self, server, host):
        server.always = Reply(500)

        async def go():
            async with opened(server, host, retries=4) as part:
                await ask(part, pages(1))
                return part._endpoint.budget

        left = asyncio.run(go())
        assert (left.calls, left.input_tokens, left.output_tokens) == (195, 500_000, 100_000)

    def test_tokens_are_charged_as_the_provider_reports_them(self, server, host):
        async def go(api, url):
            async with opened(server, host, api=api, url=url) as part:
                await ask(part, pages(3))
                return part._endpoint.budget

        for api, url in (("openai", f"{server.url}/v1"), ("anthropic", server.url)):
            left = asyncio.run(go(api, url))
            assert (left.calls, left.input_tokens, left.output_tokens) == (197, 500_000 - 3 * 311, 100_000 - 3 * 50)

    @pytest.mark.parametrize(
        "usage", [[], {"prompt_tokens": -5}, {"prompt_tokens": 10**30, "completion_tokens": 0}, {"prompt_tokens": True}]
    )
    def test_an_unbelievable_report_leaves_the_estimate(self, server, host, usage):
        server.always = Reply(usage=usage or [1])

        async def go():
            async with opened(server, host) as part:
                await ask(part, [a_page()])
                return part._endpoint.budget

        left = asyncio.run(go())
        sent = sum(count_words([m["content"] for m in server.asked[0]["messages"]]))
        assert left.input_tokens == 500_000 - sent - 20
        assert left.output_tokens == 100_000 - server.asked[0]["max_completion_tokens"]

    @pytest.mark.parametrize("bound", [{"max_input_tokens": 6000}, {"max_output_tokens": 3000}])
    def test_no_call_is_made_that_could_exceed_what_is_left(self, server, host, bound):
        server.always = Reply(usage=[1])
        assert 1 <= len(asked_once(server, host, pages(8), concurrency=3, **bound)) < 8
        sent = sum(sum(count_words([m["content"] for m in asked["messages"]])) + 20 for asked in server.asked)
        assert sent <= bound.get("max_input_tokens", sent)
        answered = sum(asked["max_completion_tokens"] for asked in server.asked)
        assert answered <= bound.get("max_output_tokens", answered)

    def test_a_budget_of_nothing_asks_nothing(self, server, host):
        for bound in ("max_calls", "max_input_tokens", "max_output_tokens"):
            assert asked_once(server, host, pages(1), **{bound: 0}) == []
        assert server.asked == []
