"""What the model has no word for is kept, counted, logged and given back."""

from __future__ import annotations

import asyncio
import base64
import json
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lamina
from lamina._pages import joined
from lamina._records import Said, decode, encode
from lamina.kit.documents import pages
from lamina.kit.images import mended, readable
from lamina.kit.sources import Source
from lamina.model import Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult
from lamina.protocols import ParseRequest, Shortened, TellingFormat
from lamina.rendering import shorten
from lamina.testing.pages import page
from lamina.verbatim import Ids, LeftOut, extra, foreign, members, named, unmarked

VALUES = st.recursive(st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(), lambda v: st.lists(v, max_size=2) | st.dictionaries(st.text(), v, max_size=2), max_leaves=5)  # fmt: skip
EXTRA = st.dictionaries(st.sampled_from(["openai", "anthropic"]), st.dictionaries(st.text(min_size=1), VALUES, max_size=2), max_size=2)  # fmt: skip
TEXTS = st.builds(Text, st.text(), extra=EXTRA)
IMAGES = st.builds(Image, st.just("image/png"), st.just("aGk="), extra=EXTRA)
BLOCKS = st.builds(Opaque, st.just("anthropic:document"), st.dictionaries(st.text(), VALUES, max_size=2), text=st.text(), pages=st.none() | st.integers(0, 9))  # fmt: skip
RESULTS = st.builds(ToolResult, st.text(), st.text(), st.booleans(), st.lists(IMAGES, max_size=2).map(tuple), extra=EXTRA)  # fmt: skip
MIXED = st.builds(ToolResult.of, st.text(), st.lists(TEXTS | IMAGES | BLOCKS, max_size=4), st.booleans(), EXTRA)
PARTS = TEXTS | IMAGES | BLOCKS | RESULTS | MIXED | st.builds(ToolCall, st.text(), st.text(), st.text(), extra=EXTRA) | st.builds(Reasoning, st.text(), st.none() | st.text(), extra=EXTRA, hidden_tokens=st.integers(0, 9))  # fmt: skip
MESSAGES = st.builds(Message, st.just("user"), st.lists(PARTS, max_size=4).map(tuple), extra=EXTRA)
DOCUMENT = Opaque("anthropic:document", {"type": "document"}, text="port 8417", pages=2)


class TestTheLog:
    @given(message=MESSAGES)
    def test_a_record_holds_every_member_and_block(self, message):
        said = Said(message, (1,), tuple(range(len(message.parts))), "c")
        again = decode("k", encode(said))
        assert again == said
        assert again.message.parts == message.parts
        for name in ("pages", "hidden_tokens"):
            assert [getattr(p, name, None) for p in again.message.parts] == [getattr(p, name, None) for p in message.parts]  # fmt: skip

    def test_records_of_before_open_and_what_has_nothing_new_reads_as_before(self):
        parts = [["t", "a"], ["c", "i", "n", "{}"], ["r", "i", "x", False, [["image/png", "aGk="]]], ["i", "url", "u"], ["h", "t", "s", False], ["o", "k", {"a": 1}]]  # fmt: skip
        old = msgspec.msgpack.encode([1, "said", ["user", parts, None, None], [1], [1] * 6, "c", None, b""])
        said = decode("k", old)
        assert said.message.parts == (
            Text("a"), ToolCall("i", "n", "{}"), ToolResult("i", "x", False, (Image("image/png", "aGk="),)),
            Image("url", "u"), Reasoning("t", "s"), Opaque("k", {"a": 1}),
        )  # fmt: skip
        assert msgspec.msgpack.decode(encode(said, 5.0)) == [2, "said", 5.0, *msgspec.msgpack.decode(old)[2:]]
        assert decode("k", encode(said)) == said


class TestCounting:
    def tokens(self, kernel, *messages):
        async def go():
            async with kernel(storage=kernel.DictStorage()) as ctx:
                session = await ctx.session("s")
                await session.add(*messages)
                return [(p.tokens, p.text) for p in session.pages]

        return asyncio.run(go())

    def test_members_and_blocks_are_counted_and_what_they_say_is_read(self, kernel):
        counted = {"anthropic": {"citations": ["one two"]}}
        plain = self.tokens(kernel, lamina.user("a"))[0][0]
        assert self.tokens(kernel, Message("user", (Text("a", extra=counted),)))[0][0] == plain + 3
        assert self.tokens(kernel, Message("user", (Text("a"),), extra=counted))[0][0] == plain + 3
        assert self.tokens(kernel, Message("user", (Text("a", extra={"openai": {}}),)))[0][0] == plain
        shown = self.tokens(kernel, Message("user", (Text("a"), DOCUMENT)))[0]
        assert shown == (plain + 2 + 2 * 3200, "a\nport 8417")

    def test_reasoning_that_is_not_shown_is_counted(self, kernel):
        shown, hidden = (Message("assistant", (Reasoning("hm", "sig", hidden_tokens=n),)) for n in (0, 250))
        assert self.tokens(kernel, hidden)[0][0] == self.tokens(kernel, shown)[0][0] + 250

    def test_blocks_of_results_are_counted_by_text_and_pages(self, kernel):
        call = lamina.assistant("", ToolCall("c", "read", "{}"))
        result = ToolResult.of("c", [DOCUMENT, Text("done"), Image("image/png", "aGk=")])
        (bare, _), (full, text) = (
            self.tokens(kernel, lamina.user("x"), call, Message("tool", (r,)))[1] for r in (ToolResult("c", ""), result)
        )
        assert full == bare + len("port 8417 done".split()) + 2 * 3200 + 1600
        assert text == "read {}\ndone\nport 8417"

    def test_members_of_the_pieces_of_a_message_are_joined_and_counted(self, kernel):
        one = Message("assistant", (Text("a"),), "m", extra={"openai": {"n": "one"}})
        two = Message("assistant", (Text("b"),), "m", extra={"openai": {"k": "two"}, "x": {"y": 1}})
        assert joined(one, two).extra == {"openai": {"n": "one", "k": "two"}, "x": {"y": 1}}
        whole = self.tokens(kernel, lamina.user("x"), one, two)
        bare = self.tokens(kernel, lamina.user("x"), Message("assistant", (Text("a"), Text("b")), "m"))
        assert whole[1][0] == bare[1][0] + 2 + 2 + 2

    def test_a_reopened_session_has_the_same_members_and_tokens(self, kernel):
        storage = kernel.DictStorage()
        said = Message("user", (Text("a", extra={"openai": {"k": 1}}), DOCUMENT), extra={"openai": {"name": "bob"}})

        async def go():
            async with kernel(storage=storage) as ctx:
                session = await ctx.session("s")
                await session.add(said, lamina.assistant("b"))
                first = [(p.tokens, p.messages) for p in session.pages]
            async with kernel(storage=storage) as ctx:
                again = await ctx.session("s")
                assert [(p.tokens, p.messages) for p in again.pages] == first

        asyncio.run(go())


class TestShortening:
    def test_members_and_what_is_no_text_stay(self):
        kept = {"anthropic": {"citations": [1]}}
        result = ToolResult.of("c", [Text("long"), DOCUMENT, Text("text")], extra=kept)
        said = page(
            1,
            Message("assistant", (Text("long", extra=kept), ToolCall("c", "f", "{}", extra=kept)), extra=kept),
            Message("tool", (result,)),
        )
        texts = {(0, 0): "short", (0, 1): '{"a": 1}', (1, 0): "brief"}
        first, second = shorten(said, texts)
        assert first == Message("assistant", (Text("short", extra=kept), ToolCall("c", "f", '{"a": 1}', extra=kept)), extra=kept)  # fmt: skip
        assert second.parts == (ToolResult.of("c", [Text("brief"), DOCUMENT], extra=kept),)

    def test_a_window_counts_what_stays(self, kernel):
        """The head compressor shortens the newest page; its members and documents cost what they did."""
        members_ = {"openai": {"note": "one two three four"}}
        document = Opaque("anthropic:document", {}, text="port 8417", pages=0)
        said = Message("user", (Text("word " * 200), document), extra=members_)

        async def go():
            async with kernel({"window": {"strict": True}}, storage=kernel.DictStorage(), compressor=TextHead()) as ctx:
                session = await ctx.session("s")
                await session.add(lamina.user("before " * 30), said)
                window = await session.window(80)
                assert window.ledger.rows[-1].rendition == "shortened"
                (last,) = window.slots[-1].messages
                assert (last.extra, last.parts[1]) == (members_, document)
                await session.add(*window.slots[-1].messages)
                assert session.pages[-1].tokens == window.slots[-1].tokens

        asyncio.run(go())


class TextHead:
    """Offers the first words of the first text."""

    async def compress(self, request):
        return [Shortened(p.id, {(0, 0): "a few words"}) for p in request.pages]


class TestTheLedger:
    def test_it_says_what_the_format_of_the_window_cannot_carry(self, kernel):
        async def go():
            async with kernel(storage=kernel.DictStorage()) as ctx:
                ctx.formats.update(plain=Telling(), mute=object())
                session = await ctx.session("s")
                session.book.fold.format = "plain"
                await session.add(lamina.user("a"), Message("user", (Text("b"),), extra={"x": {"name": 1}}), lamina.user("c"))  # fmt: skip
                return await session.window(500)

        window = asyncio.run(go())
        assert [(row.first, row.last, row.notes) for row in window.ledger.rows] == [
            (1, 1, ()),
            (2, 2, ("left out: name",)),
            (3, 3, ()),
        ]
        assert window.told("plain") is window.told() is window.ledger
        assert [row.notes for row in window.told("mute").rows] == [()]


class Telling:
    """A format of which nothing is used but what it tells."""

    sends = "plain"

    def sniff(self, request): ...
    def parse(self, request): ...
    def render(self, request): ...
    def check(self, messages): ...
    def passages(self, message): ...
    def export(self, request): ...

    def left_out(self, messages):
        told = LeftOut()
        told(*(name for message in messages for name in foreign(message.extra, "plain")))
        return told.notes()


def test_a_format_that_tells_is_known_by_it():
    assert isinstance(Telling(), TellingFormat)
    assert not isinstance(object(), TellingFormat)


class TestMembers:
    def test_marks_of_a_cached_prefix_are_dropped_at_any_depth(self):
        value = {"a": [{"cache_control": 1, "b": 2}], "cache_control": {}}
        assert unmarked(value) == {"a": [{"b": 2}]}
        whole = {"a": [{"b": 2}]}
        assert unmarked(whole) is whole

    def test_numbers_that_json_has_not_are_none(self):
        (value,) = Source(ParseRequest(data=b'{"a": [NaN, 1.5], "b": -Infinity}')).records()
        assert extra("x", value.value, ()) == {"x": {"a": [None, 1.5], "b": None}}

    def test_a_family_has_its_own_members(self):
        found = extra("openai", {"role": "user", "name": "bob", "cache_control": {}}, {"role"})
        assert found == {"openai": {"name": "bob"}}
        assert members(found, "openai") == {"name": "bob"}
        assert members(found, "anthropic") == {}
        assert foreign(found, "anthropic") == ["name"]
        assert extra("openai", {"role": "user"}, {"role"}) == {}


class TestIds:
    @given(ids=st.lists(st.text(max_size=60), max_size=8), limit=st.sampled_from([None, 12, 40]), plain=st.booleans())
    def test_they_fit_are_unique_and_results_find_their_call(self, ids, limit, plain):
        made = Ids(limit, plain=plain)
        calls = [made.call(id) for id in ids]
        assert len(set(calls)) == len(calls)
        for id, fit in zip(ids, calls, strict=True):
            assert fit
            assert limit is None or len(fit) <= limit
            assert not plain or all(c.isascii() and (c.isalnum() or c in "_-") for c in fit)
            assert made.result(id) in calls
        again = Ids(limit, plain=plain)
        assert [again.call(id) for id in ids] == calls

    def test_results_answer_the_oldest_call_of_their_id(self):
        made = Ids()
        calls = [made.call("a"), made.call("a"), made.call("b")]
        assert [made.result("a"), made.result("b"), made.result("a"), made.result("a")] == [calls[0], calls[2], calls[1], calls[1]]  # fmt: skip

    @given(names=st.lists(st.text(min_size=1, max_size=90), min_size=2, max_size=2, unique=True))
    def test_names_fit_and_long_ones_stay_apart(self, names):
        fits = [named(name, 64) for name in names]
        assert all(1 <= len(fit) <= 64 and fit.isascii() for fit in fits)
        if all(len(name) > 64 for name in names):
            assert fits[0] != fits[1]


class TestDocuments:
    @pytest.mark.parametrize(
        ("raw", "count"),
        [
            (b"<< /Type /Page >> << /Type/Pages >> << /Type /Page/Parent 1 0 R >>", 2),
            (b"<< /Type /ObjStm /N 2 >>\nstream\n" + zlib.compress(b"<< /Type /Page >> " * 7) + b"\nendstream", 7),
            (b"<< /Type /ObjStm /N 2 >>\nstream\nnot packed\nendstream", 1),
            (b"x" * 250_000, 5),
            (b"", 1),
        ],
    )
    def test_pages_are_counted(self, raw, count):
        assert pages(base64.b64encode(raw).decode()) == count

    def test_of_what_is_no_base64_the_size_tells(self):
        assert pages("é" * 200_000) == 3


class TestImages:
    def test_what_is_sure_is_mended(self):
        png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
        for given_, media, data in (
            (Image("image/JPG", "aGk="), "image/jpeg", "aGk="),
            (Image("image/webp;q=1", "aG\r\nk="), "image/webp", "aGk="),
            (Image("image/gif", png), "image/png", png),
            (Image("url", f"data:image/gif;base64,{png}"), "image/png", png),
            (Image("url", "https://example.org/a.png"), "url", "https://example.org/a.png"),
            (Image("image/tiff", "é"), "image/tiff", "é"),
        ):
            assert mended(given_) == Image(media, data)
        kept = Image("image/png", png, extra={"openai": {"detail": "low"}})
        assert mended(kept) is kept

    def test_what_is_no_base64_is_not_readable(self):
        assert [readable(data) for data in ("aGk=", "", "a", "é", "aGk=\n")] == [True, False, False, False, False]


class TestDamage:
    def read(self, data, **how):
        return [(r.value, r.damaged, r.torn) for r in Source(ParseRequest(data=data), **how).records()]

    def test_half_written_ends_and_zero_bytes_are_given_as_such_where_that_is_wanted(self):
        whole = b'{"a": "\xc3\xa4"}\n'
        for end, torn in ((b'{"a": "\xc3', True), (b'{"a', True), (b"\0\0\0", True), (b"\0\0\n" + whole, False)):
            found = self.read(whole + end, tolerant=True)
            assert found[1] == (None, True, torn)
            assert len(found) == 2 + (not torn)
            with pytest.raises(lamina.LaminaError):
                self.read(whole + end)

    def test_what_is_damaged_elsewhere_is_an_error(self):
        for data in (b'{"a": 1}\n{"a": x}\n{"a": 1}', b'[{"a": 1}, {"a"', b'{"a": ', b'{"a": 1}\n[1, '):
            with pytest.raises(lamina.LaminaError, match="not valid JSON"):
                self.read(data, tolerant=True)

    def test_errors_in_a_line_of_several_records_say_which(self):
        one = list(Source(ParseRequest(data=b'{"messages": [1, 2]}')).records())
        assert [r.place for r in one] == [" (message 1 of the line)", " (message 2 of the line)"]
        several = list(Source(ParseRequest(data=b'[\n1,\n2]\n{"a": 1}')).records())
        assert [r.place for r in several] == ["", "", ""]


def test_results_are_blocks_only_where_they_are_more_than_a_text_and_images():
    picture = Image("image/png", "aGk=")
    assert ToolResult.of("c", [Text("a"), picture]) == ToolResult("c", "a", False, (picture,))
    assert ToolResult.of("c", [picture, picture]).blocks == ()
    for blocks in ([Text("a")], [picture, Text("a")], [Text("a"), Text("b")], [DOCUMENT], []):
        made = ToolResult.of("c", blocks)
        assert made.blocks == tuple(blocks)
        assert made.text == "\n".join(b.text for b in blocks if isinstance(b, Text))


def test_arguments_may_be_an_object():
    assert ToolCall("c", "f", {"a": "ä"}).arguments == '{"a": "ä"}'
    assert json.loads(ToolCall("c", "f", {}).arguments) == {}
