"""What came in goes out, in the forms of Gemini, LangChain and Pydantic AI: through the store, the window and back."""

from __future__ import annotations

import asyncio
import json

import pytest

import lamina

PICTURE = {"inlineData": {"mimeType": "image/png", "data": "aGk=", "displayName": "a"}}
GEMINI = [
    {"role": "user", "parts": [{"text": "weather in Oslo?"}, {**PICTURE, "mediaResolution": {"level": "LOW"}}]},
    {"role": "model", "parts": [
        {"text": "hm", "thought": True, "thoughtSignature": "dGg="},
        {"functionCall": {"id": "a", "name": "ns.look", "args": {"n": 1}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "b", "name": "look", "args": {}}},
    ]},
    {"role": "user", "parts": [
        {"functionResponse": {"id": "a", "name": "ns.look", "response": {"celsius": -3, "sky": "snow"}, "scheduling": "SILENT"}},
        {"functionResponse": {"id": "b", "name": "look", "response": {"result": "rain"}, "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}},
    ]},
    {"role": "model", "parts": [
        {"executableCode": {"language": "PYTHON", "code": "8417"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "8417"}},
        {"text": "It is 8417.", "thoughtSignature": "ZW5k"},
    ]},
    {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.pdf", "mimeType": "application/pdf"}}, {"text": "and this?"}]},
]  # fmt: skip


def dumped(kind, content, **data):
    members = {
        "ai": {"tool_calls": [], "invalid_tool_calls": [], "usage_metadata": None},
        "tool": {"artifact": None, "status": "success"},
    }
    held = {
        "content": content,
        "additional_kwargs": {},
        "response_metadata": {},
        "type": kind,
        "name": None,
        "id": None,
    }
    return {"type": kind, "data": {**held, **members.get(kind, {}), **data}}


CALL = {"name": "look", "args": {"n": 1}, "id": "c1", "type": "tool_call"}
LANGCHAIN = [
    dumped("system", "Be brief.", id="s"),
    dumped("human", [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}}], name="bob"),
    dumped("ai", [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, {"type": "text", "text": "I look."}, {"type": "tool_use", "id": "c1", "name": "look", "input": {"n": 1}}],
           tool_calls=[CALL], response_metadata={"model_provider": "anthropic"}, usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}, id="run-1"),
    dumped("tool", "sun", tool_call_id="c1", name="look", status="error"),
    dumped("ai", "", invalid_tool_calls=[{"name": "look", "args": '{"n": ', "id": "c2", "error": "no JSON", "type": "invalid_tool_call"}]),
    dumped("tool", "Give JSON.", tool_call_id="c2"),
    dumped("ai", "Sorry."),
]  # fmt: skip
T = "2026-11-01T00:00:00Z"
PYDANTIC_AI = [
    {"kind": "request", "instructions": "Answer.", "run_id": "r", "parts": [
        {"part_kind": "system-prompt", "content": "Be brief.", "timestamp": T},
        {"part_kind": "user-prompt", "content": ["see", {"kind": "binary", "data": "aGk=", "media_type": "image/png", "identifier": "i"}], "timestamp": T},
    ]},
    {"kind": "response", "model_name": "m", "usage": {"input_tokens": 1}, "timestamp": T, "parts": [
        {"part_kind": "thinking", "content": "hm", "signature": "c2ln", "provider_name": "openai", "id": "rs_1"},
        {"part_kind": "tool-call", "tool_name": "look", "args": '{"n": 1}', "tool_call_id": "c1"},
        {"part_kind": "tool-call", "tool_name": "look", "args": {"n": 2}, "tool_call_id": "c2"},
    ]},
    {"kind": "request", "instructions": "Answer.", "parts": [
        {"part_kind": "tool-return", "tool_name": "look", "content": {"celsius": -3}, "tool_call_id": "c1", "timestamp": T, "content_file_digests": []},
        {"part_kind": "tool-return", "tool_name": "look", "content": "no", "tool_call_id": "c2", "timestamp": T, "outcome": "retried"},
        {"part_kind": "tool-availability-delta", "tools_added": ["x"]},
    ]},
    {"kind": "response", "timestamp": T, "parts": [
        {"part_kind": "builtin-tool-call", "tool_name": "web_search", "args": {"q": "x"}, "tool_call_id": "b", "provider_name": "anthropic"},
        {"part_kind": "builtin-tool-return", "tool_name": "web_search", "content": ["8417"], "tool_call_id": "b", "provider_name": "anthropic"},
        {"part_kind": "text", "content": "It is 8417.", "citations": [{"x": 1}]},
    ]},
    {"kind": "request", "instructions": "Answer.", "parts": [{"part_kind": "user-prompt", "content": "more", "timestamp": T}]},
    {"kind": "request", "instructions": "Answer.", "parts": [{"part_kind": "user-prompt", "content": "please", "timestamp": T}]},
]  # fmt: skip


def with_context(tmp_path, work):
    async def go():
        async with lamina.open(settings={"home": str(tmp_path / "home")}, environ={}) as ctx:
            return await work(ctx)

    return asyncio.run(go())


@pytest.mark.parametrize(("form", "said"), [("gemini", GEMINI), ("langchain", LANGCHAIN), ("pydantic-ai", PYDANTIC_AI)])
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
    assert packed == said
    assert copied == said
    assert with_context(tmp_path, again) == said
    held = json.loads(exported)
    assert held.get("contents", held.get("messages")) == said


def test_what_parts_say_is_recalled(tmp_path):
    async def work(ctx):
        await ctx.import_data(json.dumps(GEMINI).encode(), "talk.json")
        return [{hit.page for hit in await ctx.recall(query)} for query in ("8417", "snow", "a.pdf")]

    assert [found >= page for found, page in zip(with_context(tmp_path, work), [{3}, {2}, {4}], strict=True)] == [
        True
    ] * 3
