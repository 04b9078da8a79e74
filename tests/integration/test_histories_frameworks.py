"""Histories as frameworks and harnesses keep them, whatever they hold, have windows that every format takes.

As in ``test_histories``: every kind of part, in every order, damaged in the ways that recordings are; and histories of every
form, held in every other form against its own check and, where there is one, against rules that share no code with it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import lamina
from lamina.errors import BudgetError

SPEC = importlib.util.spec_from_file_location("histories", Path(__file__).with_name("test_histories.py"))
HISTORIES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(HISTORIES)
CASES = int(os.environ.get("LAMINA_HISTORIES", "40"))
"""Histories of each form; the session ``histories`` of nox makes many more."""
BUDGETS = (250, 900, 4000)
ODD = (None, 5, "", {"a": [1]}, "said \ud83d")
PNG, PDF, TEXTS, NAMES, ARGUMENTS = (getattr(HISTORIES, n) for n in ("PNG", "PDF", "TEXTS", "NAMES", "ARGUMENTS"))
FORMS = {"langchain": "langchain", "pydantic_ai": "pydantic-ai", "opencode": "opencode", "gemini_cli": "gemini"}
"""Makers of histories, and the formats that they are of."""


class Maker(HISTORIES.Maker):
    """Makes histories of frameworks and harnesses at random; the same seed makes the same one."""

    def with_odd(self, held, *names):
        if names and self.maybe(0.15):
            held[self.one(*names)] = self.one(*ODD)
        return held

    def turns(self, user, model, answer):
        """A conversation, in which results mostly follow their calls."""
        made = []
        for _ in range(self.rng.randint(1, 8)):
            made += self.one(user, model, model)()
            if self.open and self.maybe(0.8):
                made += answer(self.shuffled())
        return made

    # ------------------------------------------------------------------------------------- LangChain

    def block(self):
        """A standard block, or one of a provider."""
        return self.one(
            self.text, self.text, self.image, self.document, self.picture, self.thought, lambda: self.one(*TEXTS),
            lambda: {"type": "image", "base64": self.one(PNG, "", "?"), "mime_type": self.one("image/png", "image/gif")},
            lambda: {"type": "image", "source_type": "base64", "data": PNG, "mime_type": "image/png"},
            lambda: {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
            lambda: {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": self.one(*TEXTS)}]},
            lambda: {"type": "reasoning", "reasoning": self.one(*TEXTS), "extras": {"signature": "c2ln"}},
            lambda: {"type": "non_standard", "value": {"a": 1}},
            lambda: {"type": "text-plain", "text": self.one(*TEXTS), "mime_type": "text/plain"},
            lambda: {"cachePoint": {"type": "default"}},
        )()  # fmt: skip

    def held(self):
        return self.one(*TEXTS, None, self.some(self.block))

    def dumped(self, kind, data):
        data = self.with_odd(data, "response_metadata", "additional_kwargs", "name", "id", "later")
        name = {"human": "HumanMessage", "ai": "AIMessage", "tool": "ToolMessage", "system": "SystemMessage"}.get(kind)
        envelope = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": data}
        return self.one({"type": kind, "data": data}, {"type": kind, **data}, envelope if name else {"type": kind, "data": data})  # fmt: skip

    def said_by_a_chain(self):
        kind = self.one("human", "human", "human", "system", "chat", "remove")
        return [self.dumped(kind, {"content": self.held(), **({"role": "critic"} if kind == "chat" else {})})]

    def called_by_a_chain(self):
        calls = [{"name": self.one(*NAMES), "args": self.one({}, {"a": 1}), "id": self.called()} for _ in range(self.rng.randint(0, 3))]  # fmt: skip
        bad = [{"name": self.one("x", None), "args": self.one(*ARGUMENTS, None), "id": self.called(), "error": "e"} for _ in range(self.maybe(0.2))]  # fmt: skip
        content = self.held()
        if isinstance(content, list) and self.maybe(0.5):
            content += [{"type": "tool_use", "id": c["id"], "name": c["name"], "input": c["args"]} for c in calls]
        data = {"content": content, "tool_calls": calls, "invalid_tool_calls": bad}
        if self.maybe(0.2):
            beside = {"id": self.called(), "type": "function", "function": {"name": "old", "arguments": self.one(*ARGUMENTS)}}  # fmt: skip
            data = {"content": self.one(*TEXTS), "additional_kwargs": {"tool_calls": [beside]}}
        return [self.dumped("ai", data)]

    def answered_to_a_chain(self, calls):
        more = {"status": self.one("success", "error"), "artifact": self.one(None, {"a": 1})}
        return [self.dumped("tool", {"content": self.held(), "tool_call_id": call, **more}) for call in calls]

    def langchain(self):
        return json.dumps([{"type": "human", "data": {"content": "begin"}}, *self.turns(self.said_by_a_chain, self.called_by_a_chain, self.answered_to_a_chain)])  # fmt: skip

    # ----------------------------------------------------------------------------------- Pydantic AI

    def item(self):
        return self.one(
            lambda: self.one(*TEXTS), lambda: self.one(*TEXTS),
            lambda: {"kind": "image-url", "url": self.one("https://example.org/a.png", f"data:image/png;base64,{PNG}")},
            lambda: {"kind": "binary", "data": self.one(PNG, "", "?"), "media_type": self.one("image/png", "image/gif", "application/pdf")},
            lambda: {"kind": "document-url", "url": "https://example.org/a.pdf"},
            lambda: {"kind": "text-content", "content": self.one(*TEXTS)},
            lambda: {"kind": "uploaded-file", "file_id": "f", "provider_name": "openai"},
            lambda: {"kind": "cache-point"},
        )()  # fmt: skip

    def asked_by_an_agent(self):
        parts = []
        for _ in range(self.rng.randint(0, 3)):
            parts.append(self.with_odd(self.one(
                lambda: {"part_kind": "user-prompt", "content": self.one(*TEXTS, self.some(self.item))},
                lambda: {"part_kind": "user-prompt", "content": self.one(*TEXTS, self.some(self.item))},
                lambda: {"part_kind": "system-prompt", "content": self.one(*TEXTS)},
                lambda: {"part_kind": "retry-prompt", "content": self.one("no", [{"type": "missing", "loc": [], "msg": "m"}])},
                lambda: {"part_kind": "tool-availability-delta", "tools_added": ["x"]},
                lambda: {"part_kind": "from-the-future", "content": "f"},
            )(), "timestamp", "metadata", "later"))  # fmt: skip
        return [self.with_odd({"kind": "request", "parts": parts, "instructions": self.one(None, None, "Answer.", "Answer well.")}, "run_id", "timestamp")]  # fmt: skip

    def said_by_an_agent(self):
        parts = []
        for _ in range(self.rng.randint(0, 4)):
            parts.append(self.with_odd(self.one(
                lambda: {"part_kind": "text", "content": self.one(*TEXTS)},
                lambda: {"part_kind": "thinking", "content": self.one(*TEXTS), "signature": self.one(None, "c2ln"), "provider_name": self.one(None, "anthropic", "openai")},
                lambda: {"part_kind": "tool-call", "tool_name": self.one(*NAMES), "args": self.one(*ARGUMENTS, {}, {"a": 1}, None), "tool_call_id": self.called()},
                lambda: {"part_kind": "tool-call", "tool_name": self.one(*NAMES), "args": {}, "tool_call_id": self.called()},
                lambda: {"part_kind": "builtin-tool-call", "tool_name": "web_search", "args": {"q": "x"}, "tool_call_id": "b"},
                lambda: {"part_kind": "builtin-tool-return", "tool_name": "web_search", "content": [1], "tool_call_id": "b"},
                lambda: {"part_kind": "file", "content": {"kind": "binary", "data": PNG, "media_type": self.one("image/png", "audio/wav")}},
            )(), "id", "provider_details", "later"))  # fmt: skip
        return [self.with_odd({"kind": "response", "parts": parts}, "usage", "timestamp", "model_name")]

    def answered_to_an_agent(self, calls):
        files = ["seen", {"kind": "binary", "data": self.one(PNG, "?"), "media_type": "image/png"}]
        content = self.one(*TEXTS, {"a": 1}, [1], None, files, files[1])
        parts = [{"part_kind": "tool-return", "tool_name": "t", "content": content, "tool_call_id": call, "outcome": self.one("success", "failed", "retried")} for call in calls]  # fmt: skip
        return [{"kind": "request", "parts": parts}]

    def pydantic_ai(self):
        begun = {"kind": "request", "parts": [{"part_kind": "user-prompt", "content": "begin"}]}
        return json.dumps([begun, *self.turns(self.asked_by_an_agent, self.said_by_an_agent, self.answered_to_an_agent)])  # fmt: skip

    # -------------------------------------------------------------------------------------- opencode

    def attached(self):
        mime = self.one("image/png", "image/gif", "application/pdf", "text/plain", "audio/wav")
        return {"type": "file", "mime": mime, "url": self.one(f"data:{mime};base64,{PNG}", "file:///a", "https://example.org/a.png", "data:,x")}  # fmt: skip

    def of_opencode(self, role, parts, number):
        info = {"id": f"msg_{number}", "sessionID": "ses_1", "role": role, "time": {"created": number}}
        if role == "user" and self.maybe(0.3):
            info["system"] = self.one("Be brief.", "")
        elif self.maybe(0.15):
            info["error"] = {"name": self.one("APIError", "MessageAbortedError"), "data": {}}
        ids = {"sessionID": "ses_1", "messageID": info["id"]}
        return {"info": info, "parts": [{"id": f"prt_{number}_{k}", **ids, **part} for k, part in enumerate(parts)]}

    def tool(self):
        state = self.one(
            {"status": "completed", "output": self.one(*TEXTS), "attachments": self.some(self.attached, 2)},
            {"status": "completed", "output": self.one(*TEXTS)},
            {"status": "error", "error": self.one(*TEXTS)},
            {"status": "error", "error": "e", "metadata": {"interrupted": True, "output": self.one(*TEXTS)}},
            {"status": self.one("pending", "running")},
        )
        given = {
            "input": self.one({}, {"a": 1}, "text", None),
            "title": "",
            "metadata": {},
            "time": {"start": 1, "end": 2},
        }
        return {"type": "tool", "callID": self.called(), "tool": self.one(*NAMES), "state": {**given, **state}}

    def opencode(self):
        made = [self.of_opencode("user", [{"type": "text", "text": "begin"}], 0)]
        for number in range(1, self.rng.randint(2, 9)):
            role = self.one("user", "assistant", "assistant")
            parts = []
            for _ in range(self.rng.randint(0, 5)):
                text = {"type": "text", "text": self.one(*TEXTS), **self.one({}, {}, {"synthetic": True}, {"ignored": True})}  # fmt: skip
                thought = {"type": "reasoning", "text": self.one(*TEXTS), "metadata": self.one(None, {"anthropic": {"signature": "c2ln"}}, {"anthropic": {"redactedData": "UkVE"}})}  # fmt: skip
                note = self.one({"type": "step-start"}, {"type": "step-finish"}, {"type": "patch"}, {"type": "later"})
                if role == "user":
                    parts.append(self.one(text, text, self.attached(), {"type": "compaction"}, {"type": "agent"}, {"type": "subtask", "prompt": "p"}))  # fmt: skip
                else:
                    parts.append(self.one(lambda t=text: t, self.tool, self.tool, lambda t=thought: t, lambda n=note: n, self.attached)())  # fmt: skip
            made.append(self.of_opencode(role, parts, number))
        whole = "".join(json.dumps(m) + "\n" for m in made)
        apart = "".join(json.dumps(one) + "\n" for m in made for one in [m["info"], *m["parts"]])
        cut = self.one("", "", '{"info": {"id": "msg_9", ')
        return self.one(json.dumps({"info": {"id": "ses_1"}, "messages": made}), whole + cut, apart + cut)

    # ------------------------------------------------------------------------------------ Gemini CLI

    def gemini_cli(self):
        lines = [{"sessionId": "s", "projectHash": "h", "kind": "main"}]
        for number in range(self.rng.randint(1, 8)):
            kind = self.one("user", "gemini", "gemini", "info")
            line = {"id": f"m{number}", "type": kind, "timestamp": self.one("2026-11-01T10:00:00Z", ""), "content": self.one(*TEXTS, [self.said(), self.blob()])}  # fmt: skip
            lines.append(line)
            if kind == "gemini":
                line["thoughts"] = self.one(None, [{"subject": "s", "description": "d"}])
                calls = [{"id": self.called(), "name": self.one(*NAMES), "args": {}, "status": "success"} for _ in range(self.rng.randint(0, 3))]  # fmt: skip
                lines += [{**line, "toolCalls": calls}] if calls else []
                done = [{**c, "status": self.one("success", "error"), "result": self.one(None, "x", [self.responded(c["id"]), self.blob()])} for c in calls]  # fmt: skip
                lines += [{**line, "toolCalls": done}] if self.maybe(0.8) else []
            if self.maybe(0.1):
                lines.append(self.one({"$rewindTo": f"m{self.rng.randrange(number + 1)}"}, {"$set": {"messages": []}}))
        return "".join(json.dumps(line) + "\n" for line in lines) + self.one("", "", '{"id": "m9", "ty')


async def faults_of(ctx, session, form, checks, name):
    """Every fault of the windows of a history in every form, each with where it was found."""
    found = []
    for budget in BUDGETS:
        try:
            window = await session.window(budget)
        except BudgetError:
            continue
        assert window.tokens <= budget
        for target, other in ctx.formats.items():
            messages = window.messages(target)
            json.dumps(messages, allow_nan=False, ensure_ascii=False).encode()
            broken = [*other.check(messages), *(checks[target](messages) if target in checks else ())]
            found += [f"{form} {name} {budget} {target}: {fault}" for fault in broken]
            window.told(target).rows  # noqa: B018 - nothing of it may fail
    return found


def opened(pager):
    window = {"pager": pager, "counter": "estimate", "recall_limit": 0}
    return lamina.open(settings={"log": {"storage": "memory"}, "memory": {"tiers": []}, "window": window}, environ={})


@pytest.mark.timeout(0 if CASES > 1000 else 300)
@pytest.mark.parametrize("made", [*FORMS, "anthropic", "openai", "gemini", "claude_code", "responses", "codex"])
def test_every_history_has_windows_that_every_format_takes(made):
    checks, form = HISTORIES.rules(), FORMS.get(made, made.replace("_", "-"))

    async def go():
        found, read = [], 0
        for first in range(0, CASES, 200):  # sessions are kept open: not too many at once
            async with AsyncExitStack() as stack:
                contexts = [await stack.enter_async_context(opened(pager)) for pager in ("coverage", "keep-last")]
                for seed in range(first, min(first + 200, CASES)):
                    data = getattr(Maker(seed), made)().encode()
                    ctx = contexts[seed % 2]
                    if made in FORMS:
                        assert ctx.detect(data) == form
                    (done, *_) = await ctx.import_data(data, f"{seed}.json", format=form, session=str(seed)) or [None]
                    if done is not None and (session := await ctx.session(done.session)).pages:
                        read += 1
                        found += await faults_of(ctx, session, form, checks, seed)
        return found, read

    found, read = asyncio.run(go())
    assert not found, "\n".join(found[:5])
    assert read > CASES / 2
