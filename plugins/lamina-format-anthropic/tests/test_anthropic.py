import base64
import json
import struct

import pytest

from lamina.errors import FormatError
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


def test_what_the_api_refuses_is_said_in_words():
    rendered = render(
        user("a"),
        Message("assistant", (Reasoning("hm"), Text(" \n"), Opaque("openai:file", {"type": "file"}))),
        user(""),
        Message("assistant", (Image("image/png", "aGk="), Text("b"))),
    )
    assert [[block["text"] for block in message["content"]] for message in rendered] == [
        ["a"],
        ["[file left out]"],
        ["[empty message]"],
        ["[image left out]", "b"],
    ]
    assert FMT.check(rendered) == []


def test_reasoning_is_left_out_where_the_api_would_refuse_it():
    thought, spoken = Reasoning("hm", "c2ln"), user("a")
    only = render(spoken, Message("assistant", (thought,)), user("b"))
    assert only == [{"role": "user", "content": [text("a"), text("b")]}]
    last = render(spoken, Message("assistant", (thought, Text("b"), thought)))
    assert [block["type"] for block in last[1]["content"]] == ["thinking", "text"]
    behind = render(spoken, assistant("Connection error."), Message("assistant", (thought, Text("b"))), user("c"))
    assert [block["type"] for block in behind[1]["content"]] == ["text", "text"]
    assert FMT.left_out([Message("assistant", (thought,))]) == ["left out: reasoning"]


def test_somebody_speaks_to_the_system_first():
    for messages in ([system("s")], [system("s"), assistant("b")], [assistant("b")]):
        rendered = render(*messages)
        assert FMT.check(rendered) == []
        assert text("[the conversation starts here]") in rendered[messages[0].role == "system"]["content"]


def test_the_last_text_of_the_assistant_does_not_end_in_white_space():
    assert render(user("a"), assistant("b \n"))[1]["content"] == [text("b")]
    assert render(user("a"), assistant("b \n"), user("c"))[1]["content"] == [text("b \n")]


def test_a_piece_of_a_conversation_begins_and_ends_as_it_does():
    spoken = [assistant("b \n")]
    assert FMT.render(RenderRequest(messages=spoken, piece=True)) == [{"role": "assistant", "content": [text("b \n")]}]


def test_what_is_exported_is_kept_and_not_sent():
    thought = Reasoning("hm", "c2ln")
    parts = [Message("user", (Image("image/tiff", "aGk="),)), Message("assistant", (Text("b"), thought))]
    exported = json.loads(FMT.export(ExportRequest(session="x", records=[(None, (p,)) for p in parts], own=False)))
    assert [block["type"] for m in exported["messages"] for block in m["content"]] == ["image", "text", "thinking"]


def test_errors_say_something_and_hold_texts_only():
    picture = Image("image/png", "aGk=")
    silent, shown = ToolResult("t1", "", True), ToolResult("t2", "seen", True, (picture,))
    calls = Message("assistant", (CALL, ToolCall("t2", "look", "{}")))
    messages = [user("a"), calls, Message("tool", (silent, shown)), assistant("b")]
    rendered = render(*messages)
    assert FMT.check(rendered) == []
    first, second = rendered[2]["content"]
    assert (first["content"], first["is_error"]) == ("[no output]", True)
    assert "is_error" not in second
    assert parse(*rendered) == messages


def test_arguments_that_are_no_object_are_wrapped_and_unwrapped():
    for given in ("[1]", '{"a": ', "NaN", '{"a": NaN}', '"x"'):
        call = ToolCall("t1", "look", given)
        rendered = render(user("a"), assistant("", call), tool_result("t1", "b"))
        assert rendered[1]["content"][0]["input"] == {"_raw": given}
        assert FMT.check(rendered) == []
        assert parse(*rendered)[1].calls == (call,)


def test_no_arguments_are_an_empty_object():
    rendered = render(user("a"), assistant("", ToolCall("t1", "look", "")), tool_result("t1", "b"))
    assert rendered[1]["content"][0]["input"] == {}


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


def test_long_names_and_ids_that_repeat_stay_apart():
    long = ["n" * 200, "n" * 199 + "m"]
    messages = [user("a")]
    for name in long:
        messages += [assistant("", ToolCall("t1", name, "{}")), tool_result("t1", "1")]
    rendered = render(*messages)
    assert FMT.check(rendered) == []
    calls = [block for message in rendered for block in message["content"] if block["type"] == "tool_use"]
    assert len({block["name"] for block in calls}) == len({block["id"] for block in calls}) == 2
    assert render(*messages) == rendered


DOCUMENT = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "port 8417"},
    "title": "T",
}
FOUND = {
    "type": "search_result",
    "source": "https://example.org/x",
    "title": "Keys",
    "content": [text("the key is GW-55102")],
    "citations": {"enabled": True},
}
NAMED = {"type": "tool_reference", "tool_name": "query_database"}


def test_blocks_are_carried_unchanged_wherever_they_stand():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    inner = [NAMED, text("a") | {"citations": [{"cited_text": "x"}]}, picture, DOCUMENT, FOUND, text("b")]
    conversation = [
        {"role": "user", "content": [DOCUMENT, FOUND, {"type": "from_the_future", "n": [1]}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "c2ln", "kept": 1},
            text("c") | {"citations": None},
            {"type": "tool_use", "id": "t1", "name": "look", "input": {}, "caller": {"type": "direct"}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": inner, "is_error": False, "more": {"n": 2}},
        ]},
    ]  # fmt: skip
    rendered = render(*parse(*conversation))
    del conversation[2]["content"][0]["is_error"]
    assert rendered == conversation
    assert FMT.left_out(parse(*conversation)) == []


def test_what_blocks_say_can_be_read():
    read = parse({"role": "user", "content": [DOCUMENT, FOUND]}, {"role": "assistant", "content": [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "ports"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [
            {"type": "web_search_result", "title": "On ports", "url": "https://example.org", "encrypted_content": "Rk9P"},
        ]},
    ]})  # fmt: skip
    assert [part.text for message in read for part in message.parts] == [
        "T\nport 8417",
        "Keys\nhttps://example.org/x\nthe key is GW-55102",
        "web_search\nports",
        "On ports\nhttps://example.org",
    ]


def test_documents_are_counted_by_their_text_or_pages():
    pdf = base64.b64encode(b"%PDF-1.4 " + b"<< /Type /Page >> << /Type /Pages >> " * 3).decode()
    sources = [
        ({"type": "text", "data": "x"}, 0),
        ({"type": "base64", "media_type": "application/pdf", "data": pdf}, 3),
        ({"type": "url", "url": "https://example.org/a.pdf"}, 1),
        ({"type": "content", "content": [text("x"), {"type": "image", "source": {}}]}, 1),
    ]
    (read,) = parse({"role": "user", "content": [{"type": "document", "source": source} for source, _ in sources]})
    assert [part.pages for part in read.parts] == [pages for _, pages in sources]


def test_tools_of_the_provider_and_their_results_are_one_message():
    search = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}
    paused = [
        {"role": "user", "content": [text("a")]},
        {"role": "assistant", "content": [text("I look."), search]},
        {"role": "assistant", "content": [found, text("Found.")]},
        {"role": "assistant", "content": [text("And more.")]},
    ]
    read = parse(*paused)
    assert [message.group for message in read] == [None, "s1", "s1", None]
    assert FMT.check(render(*read)) == []
    for alone in (read[1], read[2]):
        rendered = render(user("a"), alone, user("b"))
        assert FMT.check(rendered) == []
        assert len(rendered[1]["content"]) == 1
    assert FMT.left_out([read[2]]) == ["left out: web_search_tool_result without its call"]


def test_images_are_mended_where_that_is_sure_and_named_where_they_are_left_out():
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
    given = [
        Image("image/jpg", "aGk="),
        Image("Image/PNG; charset=utf-8", "aG\nk="),
        Image("application/octet-stream", png),
        Image("url", f"data:image/png;base64,{png}"),
        Image("image/tiff", "aGk="),
        Image("image/png", ""),
        Image("url", "http://example.org/a.png"),
    ]
    made = render(Message("user", tuple(given)))
    assert FMT.check(made) == []
    assert [b["source"]["media_type"] if b["type"] == "image" else b["text"] for b in made[0]["content"]] == [
        "image/jpeg",
        "image/png",
        "image/png",
        "image/png",
        "[image left out: image/tiff]",
        "[image left out: damaged]",
        "[image left out: http://example.org/a.png]",
    ]


def test_of_many_images_none_is_large_and_the_newest_stay():
    large = base64.b64encode(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 3000, 100)).decode()
    few = render(user("a"), *[Message("user", (Image("image/png", large),))] * 20)
    assert len([block for block in few[0]["content"] if block["type"] == "image"]) == 20
    many = render(user("a"), *[Message("user", (Image("image/png", large),))] * 21)
    assert [block["type"] for block in many[0]["content"]] == ["text"] * 22
    small = [Image("image/png", base64.b64encode(bytes([n])).decode()) for n in range(120)]
    most = render(Message("user", tuple(small)))
    assert [block["type"] for block in most[0]["content"]] == ["text"] * 20 + ["image"] * 100
    for rendered in (few, many, most):
        assert FMT.check(rendered) == []


def test_zeros_between_records_are_not_exported():
    whole = json.dumps({"role": "user", "content": "a"}).encode()
    read = list(FMT.parse(ParseRequest(data=whole + b"\n\0\0\n" + whole)))
    exported = FMT.export(ExportRequest(session="s", records=[(p.raw, p.messages) for p in read], own=True))
    assert parse(json.loads(exported)) == [user("a")] * 2


def test_the_stable_prefix_is_marked_and_the_callers_marks_are_dropped():
    marked = {"cache_control": {"type": "ephemeral"}}
    read = parse(
        {"role": "user", "content": [text("a") | marked, DOCUMENT | marked, FOUND | {"content": [text("x") | marked]}]},
        {"role": "assistant", "content": [text("b") | marked]},
    )
    # A program may add parts that no format has read.
    own = (Text("c", extra={"anthropic": marked}), Opaque("anthropic:document", DOCUMENT | marked))
    read[0] = Message("user", read[0].parts + own)
    messages = [system("s"), *read, user("recalled")]
    assert json.dumps(render(*messages)).count("cache_control") == 0
    for marks, places in ((0, []), (1, [(2, 0)]), (2, [(0, 0), (2, 0)])):
        form = AnthropicFormat(cache_marks=marks)
        rendered = form.render(RenderRequest(messages=messages, stable=3))
        found = [(i, k) for i, m in enumerate(rendered) for k, b in enumerate(m["content"]) if "cache_control" in b]
        assert found == places
        assert form.check(rendered) == []


def test_what_another_form_knows_is_told_and_carried_as_text_where_it_says_something():
    note = Opaque("gemini:note", {}, text="port 8417")
    parts = (Text("a", extra={"openai": {"annotations": []}}), note, Opaque("gemini:blob", {}))
    (rendered,) = render(Message("user", parts, extra={"openai": {"name": "bob"}}))
    assert [block["text"] for block in rendered["content"]] == ["a", "port 8417", "[blob left out]"]
    assert set(FMT.left_out([Message("user", parts, extra={"openai": {"name": "bob"}})])) == {
        "left out: annotations",
        "carried as text: note",
        "left out: blob",
        "left out: name",
    }


def test_results_without_calls_are_skipped_and_of_repeated_ones_the_last_is_kept():
    answer = {"type": "tool_result", "tool_use_id": "t1", "content": "1"}
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    data = [
        {"role": "user", "content": [answer, text("a")]},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [answer]},
        {"role": "user", "content": [answer | {"content": "2"}]},
    ]
    read = list(FMT.parse(ParseRequest(data=json.dumps(data).encode())))
    assert [parsed.skipped for parsed in read] == ["tool result without a call", None, None, None]
    assert [m.role for parsed in read for m in parsed.messages] == ["user", "assistant", "tool", "tool"]
    assert [m.results[0].call_id for parsed in read[2:] for m in parsed.messages] == ["t1", "t1"]


def test_calls_that_stand_twice_are_one():
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {}}
    beside = [{"id": i, "type": "function", "function": {"name": "look", "arguments": "{}"}} for i in ("t1", "t2")]
    read = parse(
        {"role": "assistant", "content": [call], "tool_calls": beside},
        {"role": "tool", "tool_call_id": "t2", "content": "x"},
    )
    assert [c.id for c in read[0].calls] == ["t1", "t2"]
    assert read[1] == tool_result("t2", "x")


def test_errors_name_the_message_of_a_line():
    with pytest.raises(FormatError, match=r"^a\.json:1: unknown role 'robot'; .* \(message 2 of the line\)$"):
        list(FMT.parse(ParseRequest(data=b'[{"role": "user", "content": "a"}, {"role": "robot"}]', source="a.json")))


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
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
    assert sniff({"role": "user", "content": [{"type": "input_text", "text": "a"}]}, said) == 0


def test_what_another_provider_signed_is_left_out():
    thought = Reasoning("hm", "gAAA", extra={"responses": {"id": "rs_1"}})
    messages = [user("a"), Message("assistant", (thought, Text("b")))]
    assert render(*messages)[1]["content"] == [text("b")]
    assert FMT.left_out(messages) == ["left out: reasoning"]
