import json

from lamina.model import (
    Image,
    Message,
    Opaque,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
    assistant,
    system,
    tool_result,
    user,
)
from lamina.protocols import ExportRequest, ParseRequest, RenderRequest
from lamina_format_anthropic._format import AnthropicFormat

FMT = AnthropicFormat()
CALL = ToolCall("t1", "look", "{}")


def text(said):
    return {"type": "text", "text": said}


def parse(*values):
    data = b"\n".join(json.dumps(value).encode() for value in values)
    return [message for parsed in FMT.parse(ParseRequest(data=data)) for message in parsed.messages]


def render(*messages):
    return FMT.render(RenderRequest(messages=messages))


def sniff(*values):
    return FMT.sniff(ParseRequest(data=b"\n".join(json.dumps(value).encode() for value in values)))


def test_the_system_comes_first_wherever_it_stands_in_the_source():
    read = parse({"messages": [{"role": "user", "content": "a"}], "system": [text("s"), text("t")]})
    assert read == [Message("system", (Text("s"), Text("t"))), user("a")]


def test_system_messages_lead_once_and_are_said_by_the_user_later():
    rendered = render(system("s"), system("t"), user("a"), assistant("b"), system("now brief"))
    assert rendered == [
        {"role": "system", "content": [text("s"), text("t")]},
        {"role": "user", "content": [text("a")]},
        {"role": "assistant", "content": [text("b")]},
        {"role": "user", "content": [text("now brief")]},
    ]
    assert FMT.check(rendered) == []


def test_messages_of_one_side_become_one_with_results_first():
    rendered = render(user("a"), user("b"), assistant("c"), assistant("", CALL), user("d"), tool_result("t1", "e"))
    assert [(m["role"], [b["type"] for b in m["content"]]) for m in rendered] == [
        ("user", ["text", "text"]),
        ("assistant", ["text", "tool_use"]),
        ("user", ["tool_result", "text"]),
    ]
    assert FMT.check(rendered) == []


def test_what_the_api_refuses_is_left_out():
    rendered = render(
        user("a"),
        Message("assistant", (Reasoning("hm"), Text(" \n"), Opaque("openai:file", {"type": "file"}))),
        user(""),
        Message("assistant", (Image("image/png", "aGk="), Text("b"))),
    )
    assert rendered == [{"role": "user", "content": [text("a")]}, {"role": "assistant", "content": [text("b")]}]


def test_arguments_that_are_no_object_are_wrapped_and_unwrapped():
    for given in ("", "[1]", '{"a": ', "NaN", '{"a": NaN}', '"x"'):
        call = ToolCall("t1", "look", given)
        rendered = render(user("a"), assistant("", call), tool_result("t1", "b"))
        assert rendered[1]["content"][0]["input"] == {"_raw": given}
        assert FMT.check(rendered) == []
        assert parse(*rendered)[1].calls == (call,)


def test_names_and_ids_become_what_the_api_takes_and_stay_apart():
    calls = [ToolCall("a.b", "fs.read", "{}"), ToolCall("a:b", "", "{}")]
    rendered = render(user("a"), assistant("", *calls), tool_result("a.b", "1"), tool_result("a:b", "2"))
    assert FMT.check(rendered) == []
    made = rendered[1]["content"]
    assert [block["name"] for block in made] == ["fs_read", "_"]
    assert [b["id"] for b in made] == [b["tool_use_id"] for b in rendered[2]["content"]]
    assert made[0]["id"] != made[1]["id"]


def test_results_keep_images_and_errors():
    result = ToolResult("t1", "seen", True, (Image("image/png", "aGk="), Image("url", "https://example.org/a.png")))
    messages = [user("a"), assistant("", CALL), Message("tool", (result,)), assistant("b")]
    assert parse(*render(*messages)) == messages


def test_unknown_blocks_are_carried_unchanged():
    document = {"type": "document", "source": {"type": "text", "data": "x"}, "title": "t"}
    read = parse({"role": "user", "content": [document]})
    assert read == [Message("user", (Opaque("anthropic:document", document),))]
    assert render(*read)[0]["content"] == [document]


def test_the_system_is_exported_beside_the_messages():
    records = [(None, (system("s"),)), (None, (user("a"),))]
    exported = json.loads(FMT.export(ExportRequest(session="x", records=records, own=False)))
    assert exported["system"] == [text("s")]
    assert [m["role"] for m in exported["messages"]] == ["user"]
    assert exported["id"] == "x"


def test_it_knows_its_own_form_from_openais():
    plain = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    assert sniff(*plain) == 0.4
    assert sniff({"system": "s", "messages": plain}) == 0.95
    assert sniff(*plain, {"role": "assistant", "content": [{"type": "tool_use"}]}) == 0.95
    assert sniff(*plain, {"role": "tool", "content": "a", "tool_call_id": "x"}) == 0.1
    assert sniff({"role": "user", "content": "a" * 100_000}) == 0.4
    assert sniff({"path": "x", "bytes": 5}) == 0
