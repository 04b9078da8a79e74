"""What programs add: taken where it can be, refused with one line that names the field where it cannot."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import lamina
from lamina import Image, Message, Opaque, Reasoning, Text, ToolCall, ToolResult
from lamina._checking import checked
from lamina.errors import FormatError
from lamina.verbatim import whole

LONE = "bad \ud83d"


def in_session(kernel, work):
    async def go():
        async with kernel(storage=kernel.DictStorage()) as ctx:
            return await work(ctx, await ctx.session("s"))

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (None, "is no message"),
        (lamina.user(None), r"parts\[0\]\.text: must be text, not None"),
        (lamina.user(b"a"), r"parts\[0\]\.text: must be text, not b'a'"),
        (lamina.tool_result("c", None), r"parts\[0\]\.text: must be text, not None"),
        (lamina.tool_result(None, "a"), r"parts\[0\]\.call_id: must be text, not None"),
        (
            lamina.assistant("a", ToolCall("c", "f", None)),
            r"parts\[1\]\.arguments: must be JSON text or an object, not None",
        ),
        (lamina.assistant("", ToolCall(7, "f", "{}")), r"parts\[0\]\.id: must be text, not 7"),
        (Message("user", [Text("a")]), "parts: must be a tuple of parts, not "),
        (Message("user", ("a",)), r"parts\[0\]: must be a part such as Text, ToolCall or ToolResult, not 'a'"),
        (Message("user", (Image("image/png", None),)), r"parts\[0\]\.data: must be text, not None"),
        (Message("user", (Opaque("x:y", None),)), r"parts\[0\]\.data: must be an object, not None"),
        (
            Message("user", (Opaque("x:y", {"a": [{1}]}),)),
            r"parts\[0\]\.data\.a\[0\]: must be what JSON can hold, not {1}",
        ),
        (Message("user", (Opaque("x:y", {1: 2}),)), r"parts\[0\]\.data: must have texts as keys, not 1"),
        (Message("assistant", (Reasoning("a", 5),)), r"parts\[0\]\.signature: must be text or None, not 5"),
        (
            Message("tool", (ToolResult("c", "a", blocks=(ToolCall("c", "f", "{}"),)),)),
            r"parts\[0\]\.blocks\[0\]: does not belong there",
        ),
        (Message("user", (Text("a", extra=5),)), r"parts\[0\]\.extra: must hold an object for each family"),
        (Message("user", (), extra={"openai": 5}), "extra: must hold an object for each family of formats"),
        (lamina.user("x" * 10_000), None),
    ],
)
def test_what_is_no_message_is_refused_by_its_field(kernel, message, why):
    async def work(ctx, session):
        if why is None:
            return await session.add(message)
        with pytest.raises(FormatError, match=why) as caught:
            await session.add(lamina.user("good"), message)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200
        return await session.add(lamina.user("after"))

    assert in_session(kernel, work) == [1]


def test_arguments_of_which_no_json_can_be_made_are_refused_at_once():
    with pytest.raises(FormatError, match="arguments: no JSON object can be made of them"):
        ToolCall("c", "f", {"a": {1, 2}})


def test_lone_surrogates_are_taken_as_in_files_and_the_original_is_kept(kernel):
    calls = [ToolCall("c", "f", {"a": LONE})]

    async def work(ctx, session):
        await session.add(lamina.user(LONE), lamina.assistant("ok", *calls), lamina.tool_result("c", "fine"))
        return [page.text for page in session.pages], await session.window(500, query=LONE)

    texts, window = in_session(kernel, work)
    assert texts == ["bad \ufffd", 'ok\nf {"a": "bad \ufffd"}\nfine']
    assert window.prefix[0].text == "bad \ufffd"


def test_raw_has_the_original_and_the_export_what_is_stored(kernel):
    """Also in another process, and beside what needed no mending."""
    storage = kernel.DictStorage()

    async def go():
        async with kernel(storage=storage) as ctx:
            session = await ctx.session("s")
            ctx.formats["plain"] = Plain()
            session.book.fold.format = "plain"
            await session.add(lamina.user("before"), lamina.user(LONE), lamina.user("after"))
            first = [await session.raw(page) for page in (1, 2, 3)], await session.export()
        async with kernel(storage=storage) as ctx:
            ctx.formats["plain"] = Plain()
            session = await ctx.session("s")
            assert ([await session.raw(page) for page in (1, 2, 3)], await session.export()) == first
            return first

    raw, export = asyncio.run(go())
    assert [len(pieces) for pieces in raw] == [1, 1, 1]
    assert json.loads(raw[1][0])["parts"][0]["text"] == LONE
    assert export == b"None before\nNone bad \xef\xbf\xbd\nNone after"


class Plain:
    """Gives texts; of an export, whether it was given source records."""

    sends = "plain"

    def render(self, request):
        return [message.text for message in request.messages]

    def export(self, request):
        return "\n".join(f"{raw} {messages[0].text}" for raw, messages in request.records).encode()


def test_what_is_remembered_and_asked_for_may_have_them_too(kernel):
    async def work(ctx, session):
        memory = await ctx.remember(f"walrus {LONE}", tags=[LONE])
        hits = await ctx.recall(f"walrus {LONE}")
        for name, given_ in (("text", {"text": None}), ("tags\\[0\\]", {"text": "a", "tags": [5]})):
            with pytest.raises(FormatError, match=f"{name}: must be text"):
                await ctx.remember(**given_)
        return memory, hits

    memory, hits = in_session(kernel, work)
    assert (memory.text, memory.tags) == ("walrus bad \ufffd", ("bad \ufffd",))
    assert [hit.memory.text for hit in hits] == ["walrus bad \ufffd"]


@given(text=st.text(st.characters()))
@example(text="a\ud83d\ude00")
@example(text="\ude00\ud83d")
def test_every_text_is_taken_in_every_place_and_can_be_stored(text):
    parts = (
        Text(text, extra={"x": {text: [text]}}),
        Reasoning(text, text),
        Image(text, text),
        Opaque("x:y", {text: text}, text=text),
    )
    result = ToolResult.of(text, [Text(text), Opaque("x:y", {"a": (text,)})])
    for message in (
        Message("assistant", (*parts, ToolCall(text, text, text)), text, extra={"x": {"n": text}}),
        Message("tool", (result, ToolResult(text, text, images=(Image("image/png", text),)))),
    ):
        made = checked(message)
        repr(made).encode()
        json.dumps([getattr(part, "extra", {}) for part in made.parts], ensure_ascii=False).encode()
        assert (made is message) == (whole(text) == text)
        assert checked(made) is made
