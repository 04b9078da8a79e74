"""What came in goes out: through the store, the window and back, in the form that it came in."""

from __future__ import annotations

import asyncio
import json

import pytest

import lamina

REPORT = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It listens on 8417."}, "title": "Report"}  # fmt: skip
FOUND = {"type": "search_result", "source": "https://example.org/x", "title": "Keys", "content": [{"type": "text", "text": "The key is GW-55102."}], "citations": {"enabled": True}}  # fmt: skip
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "ports"}}
SEARCHED = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result", "url": "https://example.org", "title": "Walrus ports", "encrypted_content": "Rk9P"}]}  # fmt: skip


def text(said, **more):
    return {"type": "text", "text": said, **more}


ANTHROPIC = [
    {"role": "user", "content": [text("read the report"), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "let me", "signature": "c2ln"},
        text("I look.", citations=[{"type": "char_location", "cited_text": "x"}]),
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"n": 1}, "caller": {"type": "direct"}},
    ]},
    {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [REPORT, text("and"), FOUND, {"type": "tool_reference", "tool_name": "query_walrus"}]},
    ]},
    {"role": "assistant", "content": [SEARCH, SEARCHED, text("It is 8417.")]},
    {"role": "user", "content": [REPORT, text("which port?")]},
]  # fmt: skip
OPENAI = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "name": "bob", "content": [text("weather in Oslo?"), text("and here")]},
    {"role": "assistant", "content": None, "reasoning_content": "I should call.", "refusal": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "w", "arguments": "{}"}, "extra_content": {"google": {"thought_signature": "U0lH"}}},
    ]},
    {"role": "tool", "tool_call_id": "call_1", "content": [text("-3"), text("snow")]},
    {"role": "user", "content": [text("see"), {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}}]},
]  # fmt: skip


def with_context(tmp_path, work):
    async def go():
        async with lamina.open(settings={"home": str(tmp_path / "home")}, environ={}) as ctx:
            return await work(ctx)

    return asyncio.run(go())


def unmarked(value):
    if isinstance(value, dict):
        return {key: unmarked(item) for key, item in value.items() if key != "cache_control"}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("form", "said"), [("anthropic", ANTHROPIC), ("openai", OPENAI)])
def test_a_window_that_holds_everything_is_what_came_in(tmp_path, form, said):
    """Also once the session is opened again, and from what is exported; detected by content, and added by a program."""

    async def first(ctx):
        (done,) = await ctx.import_data(json.dumps(said).encode(), "talk.json")
        assert done.format == form
        session = await ctx.session("talk")
        window = await session.window(20_000)
        assert [row.notes for row in window.ledger.rows if row.notes] == []
        copy = await ctx.session("copy")
        await copy.add(*(message for page in session.pages for message in page.messages))
        copied = (await copy.window(20_000)).messages(form)
        return window.messages(), copied, await session.export()

    async def again(ctx):
        return (await (await ctx.session("talk")).window(20_000)).messages()

    packed, copied, exported = with_context(tmp_path, first)
    assert unmarked(packed) == unmarked(copied) == said
    assert with_context(tmp_path, again) == packed
    assert json.loads(exported)["messages"] == said


def test_what_blocks_say_is_recalled(tmp_path):
    async def work(ctx):
        await ctx.import_data(json.dumps(ANTHROPIC).encode(), "talk.json")
        asked = {"GW-55102": 2, "8417": 2, "query_walrus": 2, "Walrus ports": 3}
        return [{hit.page for hit in await ctx.recall(query)} >= {page} for query, page in asked.items()]

    assert all(with_context(tmp_path, work))


def test_in_another_form_what_is_missing_is_told_page_by_page(tmp_path):
    async def work(ctx):
        await ctx.import_data(json.dumps(ANTHROPIC).encode(), "talk.json")
        window = await (await ctx.session("talk")).window(20_000)
        assert (await ctx.format("openai")).check(window.messages("openai")) == []
        return {row.first: row.notes for row in window.told("openai").rows}

    assert with_context(tmp_path, work) == {
        1: (),
        2: (
            "left out: reasoning",
            "left out: citations",
            "left out: caller",
            "carried as text: document",
            "carried as text: search_result",
            "carried as text: tool_reference",
        ),
        3: ("carried as text: server_tool_use", "carried as text: web_search_tool_result"),
        4: ("carried as text: document",),
    }


def test_a_tool_of_the_provider_stays_with_its_result_at_any_budget(tmp_path):
    said = [{"role": "user", "content": "research ports"}]
    for n in range(30):
        search = SEARCH | {"id": f"srvtoolu_{n}"}
        said += [
            {"role": "assistant", "content": [text(f"Looking {n}."), search]},
            {"role": "assistant", "content": [SEARCHED | {"tool_use_id": search["id"]}, text(f"Found {n}. " * 40)]},
            {"role": "user", "content": f"go on {n}"},
        ]

    async def work(ctx):
        await ctx.import_data(json.dumps(said).encode(), "talk.json")
        session, form = await ctx.session("talk"), await ctx.format("anthropic")
        assert len(session.pages) == 61
        for budget in (500, 1000, 2000, 4000):
            window = await session.window(budget)
            assert form.check(window.messages()) == []
            standing = json.dumps(window.messages())
            assert standing.count('"server_tool_use"') == standing.count('"web_search_tool_result"')

    with_context(tmp_path, work)


def test_a_pdf_costs_its_pages_and_not_its_base64(tmp_path):
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ" + "A" * 400_001}
    said = [{"role": "user", "content": [{"type": "document", "source": pdf}]}]

    async def work(ctx):
        (done,) = await ctx.import_data(json.dumps(said).encode(), "talk.json")
        return done.tokens

    assert 3_000 < with_context(tmp_path, work) < 30_000


def test_marks_stand_where_the_prefix_of_the_next_window_ends_too(tmp_path):
    async def work(ctx):
        session = await ctx.session("talk")
        await session.add(lamina.system("Be brief."))
        found = []
        for n in range(6):
            await session.add(lamina.user(f"question {n}"))
            found.append((await session.window(8_000)).messages("anthropic"))
            await session.add(lamina.assistant(f"answer {n}"))
        return found

    for before, after in zip(found := with_context(tmp_path, work), found[1:], strict=False):
        marked = [k for k, message in enumerate(before) if "cache_control" in json.dumps(message)]
        assert marked == [0, len(before) - 1]
        assert unmarked(after)[: len(before)] == unmarked(before)
