"""Whatever a recording holds, in whatever order, its windows are what providers take.

Histories are made of every kind of block and part that the providers' types know, damaged in the ways that recordings
are. Their windows are held against the format's own check and, where it is at hand, against rules that share no code
with it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import random
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import lamina
from lamina.errors import BudgetError

SHARED = Path(os.environ.get("LAMINA_SHARED", Path(__file__).parents[2].parent / "shared"))
RULES = SHARED / "bench" / "provider_rules.py"
CASES = int(os.environ.get("LAMINA_HISTORIES", "60"))
"""Histories of each form; the session ``histories`` of nox makes many more."""
PAGERS = ("coverage", "knapsack", "compact", "keep-last")
BUDGETS = (250, 700, 2500)
FORMS = ("anthropic", "openai", "responses", "gemini")
"""What the windows are written as."""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGMQUDCAIwbiOACaNAYBjjyKngAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQgPDwgL1R5cGUgL1BhZ2UgPj4="
TEXTS = ("", " ", "\n\n", "ok", "half \ud83d", "half \ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"), "done \n", "日本語 🏳️", "the port is 8417 in src/db.py", "words of a long text " * 40, "x" * 900)  # fmt: skip
IDS = ("toolu_1", "toolu_1", "call.2", "call:2", "c" * 60, "fc_7", "ünder", "")
NAMES = ("bash", "fs.read", "n" * 150, "", "mcp__a__b", "lesen ü")
ARGUMENTS = ("{}", "", '{"path": "src/db.py"}', '{"a": ', "[1]", "NaN", '{"a": NaN}', '"x"', "null", '{"deep": {"a": [1, {"b": null}]}}')  # fmt: skip
FOLLOWS = ("web_search", "web_fetch", "code_execution", "bash_code_execution", "text_editor_code_execution", "tool_search", "mcp")  # fmt: skip


def loaded(path):
    """The module of a file that no package holds."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ITEMS = loaded(Path(__file__).with_name("_items.py"))


class Maker:
    """Makes histories at random; the same seed makes the same one."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.open, self.calls = [], []

    def one(self, *options):
        return self.rng.choice(options)

    def some(self, make, most=4):
        return [make() for _ in range(self.rng.randint(0, most))]

    def maybe(self, share=0.3):
        return self.rng.random() < share

    def with_members(self, block):
        if self.maybe(0.15):
            block["cache_control"] = {"type": "ephemeral"}
        if self.maybe(0.15):
            block[self.one("citations", "caller", "later")] = self.one(
                None, [], {"type": "direct"}, 2**70, float("nan"), "said \ud83d"
            )
        return block

    # ------------------------------------------------------------------------- Anthropic's blocks

    def text(self):
        return self.with_members({"type": "text", "text": self.one(*TEXTS)})

    def image(self):
        source = self.one(
            {"type": "base64", "media_type": self.one("image/png", "image/jpg", "image/svg+xml", "IMAGE/PNG; x=1"), "data": self.one(PNG, "", "no base64", PNG + "\n")},
            {"type": "url", "url": self.one("https://example.org/a.png", "http://example.org/a.png", f"data:image/png;base64,{PNG}")},
            {"type": "file", "file_id": "file_1"},
        )  # fmt: skip
        return self.with_members({"type": "image", "source": source})

    def document(self):
        source = self.one(
            {"type": "text", "media_type": "text/plain", "data": self.one(*TEXTS)},
            {"type": "base64", "media_type": "application/pdf", "data": PDF},
            {"type": "url", "url": "https://example.org/a.pdf"},
            {"type": "content", "content": [{"type": "text", "text": "inner"}]},
        )
        return self.with_members({"type": "document", "source": source, "title": self.one("T", None)})

    def found(self):
        inner = [{"type": "text", "text": self.one("the key is GW-55102", "ok")}]
        return self.with_members(
            {"type": "search_result", "source": "https://example.org", "title": "K", "content": inner}
        )

    def reference(self):
        return {"type": "tool_reference", "tool_name": "query"}

    def inner(self):
        return self.one(self.text, self.image, self.document, self.found, self.reference)()

    def result(self, of=None):
        given = {"type": "tool_result", "tool_use_id": self.answered() if of is None else of}
        content = self.one("", " ", *TEXTS, None, self.some(self.inner))
        given |= {} if content is None else {"content": content}
        return self.with_members(given | ({"is_error": self.one(True, True, False)} if self.maybe() else {}))

    def answered(self):
        """The id of a call that is open, mostly; else of one that was answered, or of none."""
        if self.open and self.maybe(0.8):
            return self.open.pop(self.rng.randrange(len(self.open)))
        return self.one(*(self.calls or ["gone"]), "gone")

    def called(self):
        call = self.one(*IDS[:-1], f"toolu_{self.rng.randrange(99)}")
        self.open.append(call)
        self.calls.append(call)
        return call

    def call(self):
        made = {"type": "tool_use", "id": self.called(), "name": self.one(*NAMES)}
        return self.with_members(made | {"input": self.one({}, {"path": "src/db.py"}, "text", [1], None)})

    def thought(self):
        signed = {"signature": self.one("RXhhbXBsZQ==", "", None)} if self.maybe(0.9) else {}
        thinking = {"type": "thinking", "thinking": self.one(*TEXTS), **signed}
        return self.one(thinking, thinking, {"type": "redacted_thinking", "data": "UkVEQUNURUQ="})

    def served(self):
        """Calls that the provider runs, and results, each of which may be missing or stand elsewhere."""
        call = f"srvtoolu_{self.rng.randrange(4)}"
        tool = self.one(*FOLLOWS)
        asked = {"type": self.one("server_tool_use", "mcp_tool_use"), "id": call, "name": "web_search", "input": {"query": "q"}}  # fmt: skip
        answer = {"type": f"{tool}_tool_result", "tool_use_id": call, "content": self.one([], [{"type": "text", "text": "a"}])}  # fmt: skip
        return self.one([asked, answer], [asked, answer], [asked], [answer], [answer, asked])

    def blocks(self, role):
        """The blocks of a message, in any order."""
        if role == "user":
            kinds = (self.text, self.text, self.image, self.document, self.found, self.result, self.result)
            return [self.one(*kinds)() for _ in range(self.rng.randint(0, 4))]
        made = []
        for _ in range(self.rng.randint(0, 5)):
            kind = self.one("text", "text", "call", "call", "thought", "thought", "served", "upload")
            if kind == "served":
                made += self.served()
            elif kind == "upload":
                made.append(
                    self.one({"type": "container_upload", "file_id": "f"}, {"type": "compaction", "content": "c"})
                )
            else:
                made.append(getattr(self, kind)())
        return made

    def anthropic(self):
        made = []
        for _ in range(self.rng.randint(1, 10)):
            role = self.one("user", "assistant", "assistant" if self.open else "user", "user")
            made.append({"role": role, "content": self.one(*TEXTS) if self.maybe() else self.blocks(role)})
            if self.open and self.maybe(0.8):
                made.append({"role": "user", "content": [self.result(call) for call in self.shuffled()]})
        whole = {"messages": made}
        if self.maybe():
            whole["system"] = self.one("Be brief.", "", [self.text(), self.text()])
        return json.dumps(whole)

    def shuffled(self):
        calls, self.open = self.rng.sample(self.open, len(self.open)), []
        return calls

    # ------------------------------------------------------------------------- OpenAI's parts

    def picture(self):
        url = self.one("https://example.org/a.png", "http://example.org/a.png", f"data:image/jpg;base64,{PNG}", f"data:image/png;charset=utf-8;base64,{PNG}", "data:image/svg+xml;utf8,<svg/>", "file:///a.png", "data:image/png;base64,?")  # fmt: skip
        inner = {"url": url, **({"detail": "low"} if self.maybe() else {})}
        return {"type": "image_url", "image_url": self.one(inner, inner, url)}

    def part(self):
        return self.one(
            self.text, self.text, self.picture,
            lambda: {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
            lambda: {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}", "filename": "a.pdf"}},
            lambda: {"type": "file", "file": {"file_id": "f"}},
            lambda: {"type": "refusal", "refusal": self.one(*TEXTS)},
        )()  # fmt: skip

    def content(self):
        return self.one(None, *TEXTS, self.some(self.part))

    def function(self):
        call = {"id": self.called(), "type": "function", "function": {"name": self.one(*NAMES), "arguments": self.one(*ARGUMENTS, {"a": 1})}}  # fmt: skip
        if self.maybe(0.2):
            call["extra_content"] = {"google": {"thought_signature": "U0lH"}}
        return self.one(call, call, {"id": call["id"], "type": "custom", "custom": {"name": "patch", "input": self.one(*TEXTS)}})  # fmt: skip

    def chat(self):
        """A message of the chat form, and the results that follow it."""
        role = self.one("user", "user", "assistant", "assistant", "assistant", "system", "developer", "tool")
        if role == "tool":
            return [{"role": "tool", "tool_call_id": self.answered(), "content": self.content()}]
        message = {"role": role, "content": self.content()}
        if self.maybe(0.2):
            message["name"] = self.one("bob", "bob the builder", "b" * 80)
        if role != "assistant":
            return [message]
        if self.maybe():
            message["reasoning_content"] = self.one(*TEXTS)
        if self.maybe(0.2):
            message |= {"refusal": self.one(None, "I cannot"), "annotations": [], "audio": None}
        if self.maybe(0.5):
            message["tool_calls"] = self.some(self.function, 3)
        if self.maybe(0.15):  # another provider's blocks among them, and calls that stand twice
            message["content"] = [
                self.thought(),
                {"type": "tool_use", "id": self.called(), "name": "bash", "input": {}},
            ]
            message["tool_calls"] = [{"id": self.calls[-1], "type": "function", "function": {"name": "bash", "arguments": "{}"}}]  # fmt: skip
        answers = [{"role": "tool", "tool_call_id": call, "content": self.content()} for call in self.shuffled()] if self.maybe(0.8) else []  # fmt: skip
        return [message, *answers]

    def openai(self):
        made = [message for _ in range(self.rng.randint(1, 9)) for message in self.chat()]
        # So that it is read as what it is, whatever else is in it.
        return json.dumps([*made, {"role": "tool", "tool_call_id": "gone", "content": "lost"}])

    # ------------------------------------------------------------------------- Gemini's parts

    def of_gemini(self, held):
        """The part with what may stand beside it, its names as one of the two spells them."""
        if self.maybe(0.2):
            held["thoughtSignature"] = self.one("c2ln", "", "?", "c2ln\ud83d")
        if self.maybe(0.15):
            held[self.one("mediaResolution", "videoMetadata", "partMetadata", "later")] = self.one(
                None, {"level": "LOW"}, 5
            )
        if self.maybe(0.3):
            return {re.sub("([A-Z])", lambda m: "_" + m[1].lower(), key): value for key, value in held.items()}
        return held

    def said(self):
        return self.of_gemini({"text": self.one(*TEXTS), **self.one({}, {}, {"thought": True}, {"thought": False})})

    def blob(self):
        media = self.one(
            "image/png", "image/gif", "IMAGE/JPG", "audio/wav", "application/pdf", "text/plain", "video/mp4", ""
        )
        data = self.one(PNG, PNG, PDF, "", "?", PNG.replace("+", "-").replace("/", "_").rstrip("="))
        return self.one(
            {"inlineData": {"mimeType": media, "data": data}},
            {"inline_data": {"mime_type": media, "data": data, "display_name": self.one(None, "a")}},
            {"fileData": {"fileUri": self.one("https://example.org/a.png", "gs://b/a.pdf", ""), **self.one({}, {"mimeType": media})}},
        )  # fmt: skip

    def asked(self):
        call = {"name": self.one(*NAMES), **self.one({}, {"args": {}}, {"args": {"path": "src/db.py"}}, {"args": None})}
        if self.maybe(0.7):
            call["id"] = self.called()
        else:
            self.open.append(call["name"])
        return self.of_gemini({"functionCall": call})

    def responded(self, of=None):
        key = self.answered() if of is None else of
        response = self.one({"output": self.one(*TEXTS)}, {"error": "no"}, {"result": {"a": [1]}}, {"output": "x", "code": 1}, {}, {"output": float("nan")}, None)  # fmt: skip
        held = {"name": key, "response": response, **self.one({}, {"id": key}, {"id": key}, {"willContinue": True})}
        if self.maybe(0.2):
            held["parts"] = [
                self.one(self.blob(), {"inlineData": {"mimeType": "image/png", "data": PNG}}) for _ in range(2)
            ]
        return self.of_gemini({"functionResponse": held})

    def ran(self):
        code = {"executableCode": {"language": "PYTHON", "code": self.one(*TEXTS)}}
        gave = {"codeExecutionResult": {"outcome": "OUTCOME_OK", **self.one({}, {"output": self.one(*TEXTS)})}}
        return self.one(
            [code, gave], [code, gave], [gave], [code], [{"toolCall": {"toolType": "URL_CONTEXT", "id": "t"}}]
        )

    def content_of(self, role):
        if role == "user":
            kinds = (self.said, self.said, self.blob, self.responded, dict)
            return [self.one(*kinds)() for _ in range(self.rng.randint(0, 4))]
        made = []
        for _ in range(self.rng.randint(0, 5)):
            made += self.one(lambda: [self.said()], lambda: [self.asked()], lambda: [self.asked()], self.ran, lambda: [self.blob()])()  # fmt: skip
        return made

    def gemini(self):
        made = [{"role": "user", "parts": [{"text": "begin"}]}] if self.maybe(0.7) else []
        for _ in range(self.rng.randint(1, 10)):
            role = self.one("user", "model", "model" if self.open else "user", "user")
            made.append({"role": role, "parts": self.content_of(role)})
            if self.open and self.maybe(0.8):
                made.append({"role": self.one("user", "function"), "parts": [self.responded(call) for call in self.shuffled()]})  # fmt: skip
        whole = {self.one("contents", "history"): made}
        if self.maybe():
            whole["systemInstruction"] = self.one("Be brief.", "", {"parts": [self.said()]})
        return json.dumps(whole)

    # ------------------------------------------------------------------------- items, and lines of Claude Code

    def responses(self):
        return ITEMS.ItemMaker(self.rng).responses()

    def codex(self):
        return ITEMS.ItemMaker(self.rng).codex()

    def claude_code(self):
        lines, own = [], None
        for number, message in enumerate(json.loads(self.anthropic())["messages"]):
            parent = own if self.maybe(0.9) else self.one(*(line["uuid"] for line in lines), None)
            own = f"u{number}"
            group = self.one(f"m{number}", f"m{number - 1}", f"m{number - 2}")
            line = {"type": message["role"], "uuid": own, "parentUuid": parent, "sessionId": "s", "message": message | {"id": group}}  # fmt: skip
            if self.maybe(0.1):
                line |= self.one({"isMeta": True}, {"isApiErrorMessage": True}, {"isCompactSummary": True})
            if self.maybe(0.1):
                line |= {"type": "attachment", "attachment": {"type": "queued_command", "prompt": self.one(*TEXTS, self.some(self.text))}}  # fmt: skip
            lines += [line, line] if self.maybe(0.1) else [line]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return text + self.one("", "", '{"type": "assistant", "mess', "\0" * 40)


def items_checked(items):
    """The rules of the Responses API, and its official types."""
    return ITEMS.item_faults(items) + ITEMS.type_faults(items)


def rules():
    """The independent checks of each form that are at hand."""
    found = {"responses": items_checked, "gemini": loaded(Path(__file__).with_name("_gemini_rules.py")).gemini}
    if RULES.exists():
        shared = loaded(RULES)
        found |= {"anthropic": shared.anthropic, "openai": shared.openai}
    return found


async def faults_of(contexts, name, data, checks):
    """Every fault of every window of a history, each with where it was found."""
    found = []
    for pager, ctx in contexts.items():
        (done, *_) = await ctx.import_data(data, f"{name}.json", format=name.rpartition("/")[0], session=name)
        session = await ctx.session(done.session)
        for budget in BUDGETS if session.pages else ():
            try:
                window = await session.window(budget)
            except BudgetError:
                continue
            assert window.tokens <= budget
            for form in FORMS:
                messages = window.messages(form)
                json.dumps(messages, allow_nan=False, ensure_ascii=False).encode()
                broken = [*ctx.formats[form].check(messages), *(checks[form](messages) if form in checks else ())]
                found += [f"{pager} {budget} {form}: {fault}" for fault in broken]
                window.told(form).rows  # noqa: B018 - nothing of it may fail
    return found


@pytest.mark.timeout(0 if CASES > 1000 else 300)
@pytest.mark.parametrize("form", ["anthropic", "openai", "gemini", "claude-code", "responses", "codex"])
def test_every_window_of_every_history_is_what_providers_take(form):
    checks = rules()

    async def go():
        found = {}
        for first in range(0, CASES, 200):  # sessions are kept open: not too many at once
            async with AsyncExitStack() as stack:
                contexts = {}
                for pager in PAGERS:
                    window = {"pager": pager, "counter": "estimate", "recall_limit": 0}
                    chosen = {"log": {"storage": "memory"}, "memory": {"tiers": []}, "window": window}
                    contexts[pager] = await stack.enter_async_context(lamina.open(settings=chosen, environ={}))
                for seed in range(first, min(first + 200, CASES)):
                    data = getattr(Maker(seed), form.replace("-", "_"))().encode()
                    broken = await faults_of(contexts, f"{form}/{seed}", data, checks)
                    if broken:
                        found[seed] = broken
        return found

    found = asyncio.run(go())
    assert not found, "\n".join(f"{seed}: {faults[:3]}" for seed, faults in list(found.items())[:5])


@pytest.mark.skipif(
    not RULES.exists(), reason=f"{RULES} is not here: windows were held against the formats' own checks"
)
def test_the_independent_rules_were_at_hand():
    assert set(rules()) == {"anthropic", "openai", "responses", "gemini"}
