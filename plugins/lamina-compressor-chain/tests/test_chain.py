import asyncio
from types import SimpleNamespace

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import lamina
from lamina.errors import ConfigError
from lamina.model import user
from lamina.protocols import CompressRequest, Shortened, is_deterministic
from lamina.testing import LoneHost
from lamina.testing.pages import count_words, page
from lamina_compressor_chain import ChainSettings, open_chain
from lamina_compressor_chain._chain import Chain

HEAD = 4  # tokens of a message's frame


def a_page(id, tokens):
    made = page(id, user("abc " * (tokens - HEAD)))
    assert made.tokens == tokens
    return made


PAGES = {1: a_page(1, 1000), 2: a_page(2, 400)}


def offer(page, tokens, **facts):
    return Shortened(page=page, texts={(0, 0): "abc " * (tokens - HEAD)}, **facts)


class Member:
    """Has these offers, and remembers what it was asked."""

    def __init__(self, *offers, deterministic=True):
        self.offers, self.deterministic, self.requests = offers, deterministic, []

    async def compress(self, request):
        self.requests.append(request)
        asked = {page.id for page in request.pages}
        return [made for made in self.offers if made.page in asked]


class Broken:
    async def compress(self, request):
        raise RuntimeError("out of order")


def request(targets, pages=PAGES):
    return CompressRequest(pages=list(pages.values()), resident=[], targets=targets, count=count_words, session="s")


def ask(members, targets, near=0.1, pages=PAGES, host=None):
    logger = host.logger if host else SimpleNamespace(warning=None)
    made = asyncio.run(Chain(members, near, logger).compress(request(targets, pages)))
    return [(o.compressor, o.page, o.tokens) for o in made]


class TestTheRule:
    def test_the_first_member_near_the_target_wins_though_a_later_one_fills_it_better(self):
        first, last = Member(offer(1, 100)), Member(offer(1, 300), offer(2, 290))
        assert ask({"first": first, "last": last}, [300]) == [("first", 1, 100), ("last", 2, 290)]

    def test_later_members_are_asked_only_for_what_is_still_open(self):
        first, last = Member(offer(1, 500), offer(1, 100)), Member(offer(2, 90))
        ask({"first": first, "last": last}, [500, 100])
        [again] = last.requests
        assert [page.id for page in again.pages] == [2]
        assert again.targets == [500, 100]
        assert again.session == "s"
        closed = Member()
        ask({"first": Member(offer(1, 90), offer(2, 90)), "closed": closed}, [100])
        assert closed.requests == []

    def test_targets_that_one_member_came_near_are_not_asked_of_the_next(self):
        first, last = Member(offer(1, 450), offer(2, 300)), Member(offer(1, 80), offer(2, 70))
        made = ask({"first": first, "last": last}, [500, 100], near=0.5)
        assert last.requests[0].targets == [100]
        assert made == [("first", 1, 450), ("last", 1, 80), ("first", 2, 300), ("last", 2, 70)]

    def test_a_husk_is_not_near_but_stands_where_nobody_has_better(self):
        assert ask({"husk": Member(offer(1, 29))}, [300], pages={1: PAGES[1]}) == [("husk", 1, 29)]
        husk, better = Member(offer(1, 29)), Member(offer(1, 200))
        assert ask({"husk": husk, "better": better}, [300], pages={1: PAGES[1]}) == [("better", 1, 200)]

    def test_what_loses_nothing_is_near_however_small(self):
        first, last = Member(offer(1, 20, lossless=True)), Member(offer(1, 300))
        assert ask({"first": first, "last": last}, [300], pages={1: PAGES[1]}) == [("first", 1, 20)]

    def test_where_none_fits_the_smallest_of_all_stands(self):
        first, last = Member(offer(1, 700)), Member(offer(1, 600), offer(1, 650))
        assert ask({"first": first, "last": last}, [300], pages={1: PAGES[1]}) == [("last", 1, 600)]

    def test_of_equals_the_earlier_members_stands(self):
        assert ask({"a": Member(offer(1, 600)), "b": Member(offer(1, 600))}, [300]) == [("a", 1, 600)]

    @pytest.mark.parametrize("targets", [[], [5000], [1000]])
    def test_a_target_above_the_page_takes_whatever_is_smaller_than_the_page(self, targets):
        first = Member(offer(1, 900))
        assert ask({"first": first, "last": Member(offer(1, 500))}, targets, pages={1: PAGES[1]}) == [("first", 1, 900)]
        assert first.requests[0].targets == targets

    def test_offers_as_large_as_the_page_do_not_count(self):
        assert ask({"none": Member(offer(1, 1000)), "last": Member(offer(1, 250))}, [300], pages={1: PAGES[1]}) == [
            ("last", 1, 250)
        ]

    @settings(max_examples=30, deadline=None)
    @given(
        st.lists(
            st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(5, 1100)), max_size=4), min_size=1, max_size=4
        ),
        st.lists(st.integers(1, 1200), max_size=4),
        st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    )
    def test_every_target_that_some_member_comes_near_is_won_by_the_first_that_does(self, given_offers, targets, near):
        members = {str(n): Member(*(offer(p, size) for p, size in offers)) for n, offers in enumerate(given_offers)}
        made = ask(members, targets, near=near)
        assert len(made) == len({m[1:] for m in made})
        for at in PAGES.values():
            for target in targets:
                most = min(target, at.tokens - 1)
                near_of = {
                    name: sorted(o for p, o in given_offers[int(name)] if p == at.id and near * most <= o <= most)
                    for name in members
                }
                winner = next((name for name in members if near_of[name]), None)
                if winner is not None:
                    assert {(winner, at.id, size) for size in near_of[winner]} <= set(made)
                elif any(p == at.id and size < at.tokens for offers in given_offers for p, size in offers):
                    assert any(m[1] == at.id for m in made)


class TestFailingMembers:
    def test_one_that_raises_is_named_in_the_log_and_passed_over(self, tmp_path):
        host = LoneHost(tmp_path)
        made = ask({"broken": Broken(), "last": Member(offer(1, 200))}, [300], pages={1: PAGES[1]}, host=host)
        assert made == [("last", 1, 200)]
        [event] = host.logged
        assert (event["log_level"], event["member"], event["error"]) == (
            "warning",
            "broken",
            "RuntimeError: out of order",
        )

    @pytest.mark.parametrize(
        "wrong",
        [
            None,
            offer(77, 100),
            Shortened(page=1, texts={(3, 0): "x"}),
            Shortened(page=1, texts={(0, 0): None}),
            Shortened(page=1, texts={(0, 0): "half \ud83d"}),
        ],
        ids=["nothing", "another page", "no such part", "no text", "half a character"],
    )
    def test_an_unsound_offer_is_named_in_the_log_and_passed_over(self, tmp_path, wrong):
        class Wrong:
            async def compress(self, request):
                return [wrong]

        host = LoneHost(tmp_path)
        made = ask({"wrong": Wrong(), "last": Member(offer(1, 200))}, [300], pages={1: PAGES[1]}, host=host)
        assert made == [("last", 1, 200)]
        assert [event["member"] for event in host.logged] == ["wrong"]

    def test_being_given_up_is_no_failure(self, tmp_path):
        class Waits:
            async def compress(self, request):
                await asyncio.Event().wait()

        async def given_up():
            chain = Chain({"waits": Waits(), "last": Member(offer(1, 200))}, 0.1, LoneHost(tmp_path).logger)
            async with asyncio.timeout(0.01):
                await chain.compress(request([300]))

        with pytest.raises(TimeoutError):
            asyncio.run(given_up())


class TestOpening:
    def opened(self, tmp_path, members):
        async def go():
            host = LoneHost(tmp_path, name="mine", parts={("compressor", n): m for n, m in members.items()})
            async with open_chain(ChainSettings(tuple(members)), host) as chain:
                return chain

        return asyncio.run(go())

    def test_a_chain_must_end_in_a_deterministic_one(self, tmp_path):
        asks = Member(deterministic=False)
        with pytest.raises(
            ConfigError, match=r"^configuration: compressors\.mine\.compressors: ends in 'asks'.*truncate"
        ):
            self.opened(tmp_path, {"cut": Member(), "asks": asks})
        assert not is_deterministic(self.opened(tmp_path, {"asks": asks, "cut": Member()}))
        assert is_deterministic(self.opened(tmp_path, {"one": Member(), "cut": Broken()}))

    @pytest.mark.parametrize("names", [(), ("a", "b", "a")])
    def test_no_member_and_one_twice_are_refused(self, names):
        with pytest.raises(ValueError, match="no compressor|a twice"):
            ChainSettings(names)

    def test_an_offer_says_which_member_made_it_through_chains_of_chains(self, tmp_path):
        inner = Chain({"cut": Member(offer(1, 200))}, 0.1, None)
        assert ask({"inner": inner}, [300], pages={1: PAGES[1]}) == [("inner/cut", 1, 200)]


class TestInAContext:
    """Opened by the kernel, from a configuration."""

    async def opened(self, tmp_path, compressors, window=("outer",)):
        settings = {"home": str(tmp_path), "window": {"compressors": list(window)}, "compressors": compressors}
        async with lamina.open(settings=settings, environ={}) as ctx:
            session = await ctx.session("s")
            await session.add(user("first"), user("a line of words\n" * 4000), user("last"))
            window = await session.window(budget=1500)
            assert window.ledger.repairs == ()
            return {row.compressor for row in window.ledger.rows if row.rendition == "shortened"}

    def test_a_chain_may_hold_chains_and_the_ledger_says_who_it_was(self, tmp_path):
        compressors = {
            "outer": {"use": "chain", "compressors": ["inner", "truncate"]},
            "inner": {"use": "chain", "compressors": ["values", "mine"]},
            "mine": {"use": "truncate", "head_share": 0.5},
        }
        assert asyncio.run(self.opened(tmp_path, compressors)) == {"outer/inner/mine"}

    def test_a_circle_is_spelt_out(self, tmp_path):
        compressors = {
            "outer": {"use": "chain", "compressors": ["inner", "truncate"]},
            "inner": {"use": "chain", "compressors": ["outer", "truncate"]},
        }
        with pytest.raises(ConfigError, match="compressor outer → compressor inner → compressor outer"):
            asyncio.run(self.opened(tmp_path, compressors))

    def test_a_member_that_is_not_there_is_named(self, tmp_path):
        compressors = {"outer": {"use": "chain", "compressors": ["gone", "truncate"]}}
        with pytest.raises(LookupError, match="gone"):
            asyncio.run(self.opened(tmp_path, compressors))


def test_the_request_reaches_members_as_it_was_but_for_pages_and_targets():
    member = Member()
    asked = evolve(request([300]), resident=[PAGES[2]])
    asyncio.run(Chain({"one": member}, 0.1, None).compress(asked))
    assert member.requests == [asked]
