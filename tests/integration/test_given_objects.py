"""Programs give what the official clients return and take, as objects or dicts, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import json

import pytest

import lamina
from lamina.errors import FormatError, UnknownPluginError

OPENAI = [
    {"role": "user", "content": "which port does staging use?"},
    {
        "role": "assistant", "content": None, "refusal": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "8417"},
    {"role": "assistant", "content": "It is 8417."},
]  # fmt: skip
ANTHROPIC = [
    {"role": "user", "content": [{"type": "text", "text": "which port does staging use?"}]},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "look", "signature": "c2ln"},
            {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "8417"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "It is 8417."}]},
]
RESPONSES = [
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "which port does staging use?"}]},
    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "read", "arguments": '{"path": "a"}'},
    {"type": "function_call_output", "call_id": "call_1", "output": "8417"},
    {
        "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "It is 8417.", "annotations": []}],
    },
]  # fmt: skip
LANGCHAIN = [
    {"type": "human", "data": {"content": "which port does staging use?"}},
    {"type": "ai", "data": {"content": "", "tool_calls": [{"id": "call_1", "name": "read", "args": {"path": "a"}}]}},
    {"type": "tool", "data": {"content": "8417", "tool_call_id": "call_1"}},
    {"type": "ai", "data": {"content": "It is 8417."}},
]
GEMINI = [
    {"role": "user", "parts": [{"text": "which port does staging use?"}]},
    {"role": "model", "parts": [{"functionCall": {"name": "read", "args": {"path": "a"}}}]},
    {"role": "user", "parts": [{"functionResponse": {"name": "read", "response": {"output": "8417"}}}]},
    {"role": "model", "parts": [{"text": "It is 8417."}]},
]
FORMS = {"openai": OPENAI, "anthropic": ANTHROPIC, "responses": RESPONSES, "langchain": LANGCHAIN, "gemini": GEMINI}


def opened(tmp_path, name="openai"):
    return lamina.open(home=tmp_path, settings={"window": {"format": name}}, environ={})


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("name", FORMS)
def test_messages_of_any_form_are_taken_one_by_one_and_all_at_once(tmp_path, name, at_once):
    async def work():
        async with opened(tmp_path, name) as ctx:
            session = await ctx.session("s")
            if at_once:
                await session.add(*FORMS[name])
            else:
                for message in FORMS[name]:
                    await session.add(message)
            asked, called, said = session.pages
            assert (asked.role, asked.text) == ("user", "which port does staging use?")
            (call,) = called.messages[0].calls
            assert (call.name, json.loads(call.arguments)) == ("read", {"path": "a"})
            assert "8417" in called.messages[1].text
            assert said.text == "It is 8417."
            raw = [json.loads(line) for line in await session.raw(1, 3)]
            assert raw == FORMS[name]

    asyncio.run(work())


@pytest.mark.parametrize("name", ["anthropic", "responses", "langchain", "gemini"])
def test_what_no_other_format_reads_is_told_apart_whatever_the_sessions_own_is(tmp_path, name):
    async def work():
        async with opened(tmp_path) as ctx:
            session = await ctx.session("s")
            await session.add(*FORMS[name][1:2])
            (page,) = session.pages
            assert [call.name for call in page.messages[0].calls] == ["read"]

    asyncio.run(work())


def test_objects_of_a_client_are_taken_with_what_they_hold_and_no_more(tmp_path):
    from openai.types.chat import ChatCompletionMessage

    async def work():
        async with opened(tmp_path) as ctx:
            session = await ctx.session("s")
            await session.add(OPENAI[0])
            await session.add(ChatCompletionMessage.model_validate({**OPENAI[1], "reasoning_content": "let me look"}))
            await session.add(OPENAI[2])
            (raw,) = [json.loads(line) for line in await session.raw(2)][:1]
            assert raw == {**OPENAI[1], "reasoning_content": "let me look"}
            window = await session.window(2000)
            assert window.messages()[1]["tool_calls"][0]["id"] == "call_1"

    asyncio.run(work())


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "'None' (NoneType) is no message"),
        ("hello", "'hello' (str) is no message"),
        (7, "'7' (int) is no message"),
        ({"colour": "red"}, "a dict with 'colour' reads as no message of any installed format"),
        (
            {"role": "tool", "tool_call_id": "never", "content": "x"},
            "says nothing as openai: tool result without a call",
        ),
    ],
)
def test_nonsense_is_refused_in_one_line_and_nothing_is_logged(tmp_path, given, told):
    async def work():
        async with opened(tmp_path) as ctx:
            session = await ctx.session("s")
            with pytest.raises(FormatError) as error:
                await session.add(lamina.user("before"), given)
            assert told in str(error.value)
            assert "\n" not in str(error.value)
            assert len(session.pages) == 0

    asyncio.run(work())


def test_a_format_may_be_named(tmp_path):
    async def work():
        async with opened(tmp_path) as ctx:
            session = await ctx.session("s")
            await session.add({"role": "user", "content": "hello"}, format="anthropic")
            assert session.pages[0].text == "hello"
            with pytest.raises(UnknownPluginError, match="morse"):
                await session.add({"role": "user", "content": "hello"}, format="morse")

    asyncio.run(work())


def test_home_and_namespace_are_given_as_on_the_command_line(tmp_path):
    async def work():
        async with lamina.open(home=tmp_path / "there", namespace="ann", environ={}) as ctx:
            await ctx.remember("a needle")
        async with lamina.open(home=str(tmp_path / "there"), namespace="bob", environ={}) as ctx:
            assert await ctx.recall("needle") == []
        assert (tmp_path / "there" / "lamina.db").exists()

    asyncio.run(work())
    with lamina.open_sync(home=tmp_path / "there", namespace="ann", environ={}) as ctx:
        assert [hit.memory.text for hit in ctx.recall("needle")] == ["a needle"]
