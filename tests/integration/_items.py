"""Random items of the Responses API, and its rules once more: they share no code with what is tested."""

from __future__ import annotations

import base64
import functools
import json
import re
from collections import Counter

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGMQUDCAIwbiOACaNAYBjjyKngAAAABJRU5ErkJggg=="
PDF = "data:application/pdf;base64,JVBERi0xLjQgPDwgL1R5cGUgL1BhZ2UgPj4="
TEXTS = (
    "",
    " ",
    "ok",
    "half \ud83d",
    "done \n",
    "日本語 🏳️",
    "the port is 8417 in src/db.py",
    "words of a long text " * 40,
    "x" * 900,
)
IDS = ("call_1", "call_1", "call.2", "c" * 80, "fc_7", "ünder")
NAMES = ("bash", "fs.read", "n" * 150, "", "mcp__a__b", "lesen ü")
ARGUMENTS = ("{}", "", '{"path": "src/db.py"}', '{"a": ', "[1]", "NaN", '{"a": NaN}', "null", '{"deep": {"a": [1]}}')
URLS = ("https://example.org/a.png", f"data:image/png;base64,{PNG}", f"data:image/jpg;base64,{PNG}", "data:image/svg+xml;utf8,<svg/>", "file:///a.png", "data:image/png;base64,?")  # fmt: skip


class ItemMaker:
    """Makes histories of items at random, damaged in the ways that recordings are."""

    def __init__(self, rng):
        self.rng = rng
        self.open = []
        """Calls without an answer: the type of the answer, the member that names the call, the call."""

    def one(self, *options):
        return self.rng.choice(options)

    def maybe(self, share=0.3):
        return self.rng.random() < share

    def dressed(self, item, prefix="", must=False):
        """The item with an id, fitting or not, and members of its own or of the future."""
        if must or (prefix and self.maybe(0.7)):
            other = self.one("call_1", "__fake_id__", "x" * 80, "a b")
            item["id"] = other if self.maybe(0.1) and not must else f"{prefix}_{self.rng.randrange(60)}"
        if self.maybe(0.3) and "status" not in item:
            item["status"] = self.one("completed", "in_progress", "incomplete")
        if self.maybe(0.1):
            item[self.one("later", "parsed_arguments", "provider_data")] = self.one(None, "commentary", 2**70)
        if self.maybe(0.1):
            item["phase"] = self.one(None, "commentary")
        return item

    # ------------------------------------------------------------------------- messages

    def part(self, role):
        if role == "assistant":
            text = {"type": "output_text", "text": self.one(*TEXTS), "annotations": []}
            return self.one(text, text, {"type": "refusal", "refusal": self.one(*TEXTS)})
        image = {"type": "input_image", "image_url": self.one(*URLS)} | self.one(
            {"detail": "low"}, {"detail": None}, {}
        )
        text = {"type": "input_text", "text": self.one(*TEXTS)}
        file = self.one(
            {"file_data": PDF, "filename": "a.pdf"}, {"file_id": "file_1"}, {"file_url": "https://e.org/a.pdf"}
        )
        return self.one(text, text, image, {"type": "input_file", **file})

    def message(self):
        role = self.one("user", "user", "assistant", "assistant", "system", "developer")
        content = self.one(*TEXTS, [self.part(role) for _ in range(self.rng.randint(0, 3))])
        made = {"role": role, "content": content}
        made |= {} if self.maybe(0.2) else {"type": "message"}
        return self.dressed(made, "msg") if role == "assistant" and "type" in made else made

    def thought(self):
        summary = [{"type": "summary_text", "text": self.one(*TEXTS)} for _ in range(self.rng.randint(0, 2))]
        made = {"type": "reasoning", "summary": summary}
        made |= self.one(
            {"encrypted_content": "gAAA"},
            {"encrypted_content": "gAAA"},
            {"encrypted_content": None, "content": None},
            {},
        )
        return self.dressed(made, "rs")

    # ------------------------------------------------------------------------- calls

    def call(self):
        call, prefix = self.one(*IDS, f"call_{self.rng.randrange(99)}"), "x"
        kind = self.one(
            "function_call", "function_call", "function_call", "custom_tool_call", "local_shell_call", "shell_call",
            "apply_patch_call", "computer_call", "tool_search_call", "mcp_approval_request",
        )  # fmt: skip
        made = {"type": kind, "call_id": call}
        key, output = "call_id", kind + "_output"
        if kind == "function_call":
            made |= {"name": self.one(*NAMES), "arguments": self.one(*ARGUMENTS, {"a": 1})}
            prefix = "fc"
        elif kind == "custom_tool_call":
            made |= {"name": self.one(*NAMES), "input": self.one(*TEXTS)}
            prefix = "ctc"
        elif kind == "local_shell_call":
            made |= {
                "id": f"lsh_{self.rng.randrange(60)}",
                "status": "completed",
                "action": {"type": "exec", "command": ["ls"], "env": {}},
            }
            key, prefix = self.one("id", "call_id"), ""
        elif kind == "shell_call":
            made |= {"action": self.one({"commands": ["ls"]}, {"commands": ["ls"], "timeout_ms": 5}, {})}
        elif kind == "apply_patch_call":
            made |= {
                "status": "completed",
                "operation": self.one(
                    {"type": "delete_file", "path": "a"}, {"type": "create_file", "path": "a", "diff": "+"}, None
                ),
            }
        elif kind == "computer_call":
            made |= {
                "id": f"cu_{self.rng.randrange(60)}",
                "status": "completed",
                "pending_safety_checks": [],
                "action": self.one({"type": "wait"}, {"type": "screenshot"}),
            }
            prefix = ""
        elif kind == "tool_search_call":
            made |= {"execution": "client", "arguments": {"query": "git"}}
            output = "tool_search_output"
        else:
            made = {
                "type": kind,
                "id": f"mcpr_{self.rng.randrange(60)}",
                "server_label": "s",
                "name": "delete",
                "arguments": "{}",
            }
            call, key, output, prefix = made["id"], "approval_request_id", "mcp_approval_response", ""
        self.open.append((output, key, call))
        return self.dressed(made, prefix)

    def output(self, of=None):
        kind, key, call = of or (
            self.open.pop(self.rng.randrange(len(self.open)))
            if self.open and self.maybe(0.9)
            else ("function_call_output", "call_id", "gone")
        )
        text = self.one(*TEXTS)
        made = {"type": kind, key: call}
        if kind == "shell_call_output":
            outcome = self.one({"type": "exit", "exit_code": 0}, {"type": "exit", "exit_code": 3}, {"type": "timeout"})
            made["output"] = [
                {"stdout": self.one(*TEXTS), "stderr": text, "outcome": outcome} for _ in range(self.rng.randint(0, 2))
            ]
        elif kind == "apply_patch_call_output":
            made |= {"status": self.one("completed", "failed"), "output": self.one(text, None)}
        elif kind == "computer_call_output":
            made["output"] = {"type": "computer_screenshot"} | self.one(
                {"image_url": self.one(*URLS)}, {"file_id": "f"}
            )
        elif kind == "tool_search_output":
            made["tools"] = []
        elif kind == "mcp_approval_response":
            made["approve"] = self.one(True, False)
        elif kind == "local_shell_call_output":
            made["output"] = text
        else:
            parts = [self.part("user") for _ in range(self.rng.randint(1, 3))]
            made["output"] = self.one(text, text, parts, {"content": text, "success": False})
        return made

    def outputs(self):
        waiting, self.open = self.rng.sample(self.open, len(self.open)), []
        return [self.output(of) for of in waiting]

    # ------------------------------------------------------------------------- the rest

    def served(self):
        made = self.one(
            ("ws", {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "q"}}),
            ("fs", {"type": "file_search_call", "status": "completed", "queries": ["q"], "results": None}),
            ("ci", {"type": "code_interpreter_call", "status": "completed", "code": "1", "container_id": "c", "outputs": None}),
            ("ig", {"type": "image_generation_call", "status": "completed", "result": PNG}),
            ("mcp", {"type": "mcp_call", "server_label": "s", "name": "n", "arguments": "{}", "output": "o", "approval_request_id": self.one(None, "mcpr_1", "mcpr_2")}),
            ("mcpl", {"type": "mcp_list_tools", "server_label": "s", "tools": []}),
            ("cmp", {"type": "compaction", "encrypted_content": "gAAA"}),
            ("msg", {"type": "item_reference"}),
            ("later", {"type": "later_call", "what": [1]}),
            ("prog", {"type": "program", "call_id": self.one("p1", "p2"), "code": "x", "fingerprint": "f"}),
            ("po", {"type": "program_output", "call_id": self.one("p1", "p2"), "result": "r", "status": "completed"}),
        )  # fmt: skip
        made[1]["id"] = f"{made[0]}_{self.rng.randrange(60)}"
        return made[1]

    def ours(self):
        return self.one({"type": "compaction_trigger"}, {"type": "configuration_update", "reasoning": {"effort": "low"}}, {"type": "additional_tools", "role": "developer", "tools": []})  # fmt: skip

    def items(self):
        made = []
        for _ in range(self.rng.randint(1, 14)):
            kind = self.one(
                *["message"] * 5,
                *["thought"] * 3,
                *["call"] * 4,
                "served",
                "output",
                "ours" if self.maybe(0.3) else "message",
            )
            made.append(getattr(self, kind)())
            if self.open and self.maybe(0.4):
                made += self.outputs()
        return made

    def responses(self):
        items = self.items()
        # So that it is read as what it is, whatever else is in it.
        items.append({"type": "function_call_output", "call_id": "gone", "output": "lost"})
        return json.dumps(self.one(items, {"id": "s", "instructions": self.one("Be brief.", None), "input": items}))

    def codex(self):
        lines = [{"timestamp": "2026-01-02T03:04:05Z", "type": "session_meta", "payload": {"id": "s"}}]
        for item in self.items():
            lines.append({"timestamp": "2026-01-02T03:04:06Z", "type": "response_item", "payload": item})
            if self.maybe(0.2):
                lines.append({"timestamp": "", "type": "event_msg", "payload": self.one(
                    {"type": "user_message", "message": self.one(*TEXTS)}, {"type": "thread_rolled_back", "num_turns": self.rng.randint(0, 3)},
                    {"type": "token_count", "info": None},
                )})  # fmt: skip
            if self.maybe(0.05):
                lines.append(
                    {"timestamp": "", "type": "compacted", "payload": {"message": "m", "replacement_history": [item]}}
                )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        return text + self.one("", "", '{"timestamp": "", "type": "respon', "\0" * 40)


# ----------------------------------------------------------------------------- the rules

_IDENT = re.compile(r"^[a-zA-Z0-9_-]+$")
_BEGIN = {"reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc", "web_search_call": "ws", "message": "msg", "function_call_output": "fc"}  # fmt: skip
_ANSWERS = {
    "function_call_output": ("function_call", "call_id"), "custom_tool_call_output": ("custom_tool_call", "call_id"),
    "shell_call_output": ("shell_call", "call_id"), "apply_patch_call_output": ("apply_patch_call", "call_id"),
    "computer_call_output": ("computer_call", "call_id"), "tool_search_output": ("tool_search_call", "call_id"),
    "mcp_approval_response": ("mcp_approval_request", "approval_request_id"),
}  # fmt: skip
_CALLS = {kind for kind, _ in _ANSWERS.values()} | {"local_shell_call"}
_ALLOWED = {"user": {"input_text", "input_image", "input_file"}, "system": {"input_text"}, "developer": {"input_text"}, "assistant": {"output_text", "refusal"}}  # fmt: skip


def item_faults(items):
    """What the API would answer with a 400."""
    if not items:
        return ["no items"]
    found = []
    text = json.dumps(items)
    if re.search(r"(?<!\\)(?:\\\\)*\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]", text):
        found.append("lone surrogate")
    ids = Counter(i["id"] for i in items if i.get("id") and i.get("type") != "local_shell_call_output")
    found += [f"Duplicate item found with id {one}" for one, n in ids.items() if n > 1]
    asked, answered = {}, Counter()
    for n, item in enumerate(items):
        p, kind = f"input[{n}]", item.get("type", "message")
        own = item.get("id")
        taken = (
            kind == "local_shell_call_output" or not own or (_IDENT.match(own) and own.startswith(_BEGIN.get(kind, "")))
        )
        if not taken or len(own or "") > 64:
            found.append(f"Invalid '{p}.id': {own!r}")
        if kind in _CALLS and not (kind == "tool_search_call" and not item.get("call_id")):
            call = item["id"] if kind == "mcp_approval_request" else item["call_id"]
            if not 1 <= len(call) <= 64:
                found.append(f"Invalid '{p}.call_id': {call!r}")
            if call in asked:
                found.append(f"{p}: call {call!r} twice")
            asked[call] = kind
        if kind in ("function_call", "custom_tool_call") and not (
            _IDENT.match(item["name"]) and len(item["name"]) <= 128
        ):
            found.append(f"Invalid '{p}.name'")
        if kind == "function_call":
            try:
                json.loads(item["arguments"], parse_constant=lambda c: 1 / 0)
            except (ValueError, ZeroDivisionError):
                found.append(f"{p}.arguments: no JSON")
        if kind in _ANSWERS or kind == "local_shell_call_output":
            of, key = _ANSWERS.get(kind, ("local_shell_call", "call_id" if "call_id" in item else "id"))
            if asked.get(item[key]) != of:
                found.append(f"{p}: No tool call found for {kind} {item[key]!r}")
            answered[item[key]] += 1
        if kind == "message":
            found += [f"{p}.content{why}" for why in _content(item["content"], _ALLOWED[item["role"]])]
        if kind in ("function_call_output", "custom_tool_call_output"):
            found += [f"{p}.output{why}" for why in _content(item["output"], _ALLOWED["user"], empty=True)]
        if kind == "reasoning":
            after = next(
                (i for i in items[n + 1 :] if i.get("type") != "reasoning"), {"type": "message", "role": "user"}
            )
            if after.get("type") in _ANSWERS or after.get("type") in ("configuration_update", "additional_tools", "compaction_trigger", "local_shell_call_output") or after.get("role", "assistant") != "assistant":  # fmt: skip
                found.append(f"Item '{own}' of type 'reasoning' was provided without its required following item.")
        if kind == "program_output" and not any(
            i.get("type") == "program" and i["call_id"] == item["call_id"] for i in items[:n]
        ):
            found.append(f"{p}: no program")
    found += [f"No tool output found for {asked[c]} {c}" for c in asked if not answered[c]]
    return found + [f"{n} outputs for {c}" for c, n in answered.items() if n > 1]


def _content(content, allowed, *, empty=False):
    if isinstance(content, str):
        return []
    if not content and not empty:
        return [": empty"]
    found = []
    for k, part in enumerate(content):
        if part["type"] not in allowed:
            found.append(f"[{k}]: Invalid value: {part['type']!r}")
        url = part.get("image_url")
        if part["type"] == "input_image" and url and not url.startswith(("http://", "https://")):
            match = re.fullmatch(r"data:image/(?:png|jpeg|gif|webp);base64,(.+)", url)
            try:
                good = match and base64.b64decode(match[1], validate=True)
            except ValueError:
                good = None
            found += [] if good else [f"[{k}].image_url: {url[:40]!r}"]
    return found


# ----------------------------------------------------------------------------- the official types

_WANTED = {
    "message": {"id": "msg_0", "status": "completed"}, "reasoning": {"id": "rs_0"}, "computer_call": {"status": "completed"},
    "web_search_call": {"id": "ws_0"}, "local_shell_call_output": {"id": "call_0"}, "local_shell_call": {"id": "lsh_0", "status": "completed"},
}  # fmt: skip
"""What the types require and the API does not: requests go out without ids all the time."""


@functools.cache
def _adapter():
    from openai.types.responses import ResponseInputItemParam  # takes a second
    from pydantic import TypeAdapter

    return TypeAdapter(ResponseInputItemParam)


def type_faults(items):
    """Where the items are not of the types of the package ``openai``; those of a later API are passed over."""
    found = []
    for n, item in enumerate(items):
        if item.get("type") == "later_call":
            continue
        wanted = {k: v for k, v in _WANTED.get(item.get("type", "message"), {}).items() if k not in item}
        listed = isinstance(item.get("content"), list) and item.get("role") != "assistant"
        whole = item
        if not listed and not isinstance(item.get("content"), str):
            whole = {**({"type": "message"} if "role" in item else {}), **wanted, **item}
        if listed:
            bare = [
                part | {"detail": "auto"} if part["type"] == "input_image" and "detail" not in part else part
                for part in item["content"]
            ]
            whole = item | {"content": bare}
        try:
            _adapter().validate_python(whole)
        except ValueError as error:
            found.append(
                f"input[{n}] is no {item.get('type')}: {error.errors()[0] if hasattr(error, 'errors') else error}"
            )
    return found
