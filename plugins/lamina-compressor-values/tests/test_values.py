import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.protocols import CompressRequest, Shortened
from lamina.testing import LoneHost
from lamina.testing.pages import count_words, tool_page
from lamina_compressor_values import ValuesSettings, open_values
from lamina_compressor_values._pick import GONE, citable, cut, everything, minified, parse, prune
from lamina_compressor_values._render import Renderer

SHARED = Path(os.environ.get("LAMINA_SHARED") or Path(__file__).resolve().parents[4] / "shared")
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.one_of(
    st.text(st.sampled_from([*"ab1 |/,:_-\n", "ü", "好", "\u0301", "\ud800"]), max_size=12),
    st.sampled_from(["HAT176", "sofia_li_9219", "2024-05-20", "Wall Clock", "a@b.de"]),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS)
ROWS = st.lists(st.dictionaries(st.sampled_from(["id", "name", "price", "", "b c"]), SCALARS, max_size=4), max_size=4)
VALUES = st.recursive(
    st.one_of(SCALARS, ROWS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=20,
)

ORDER = {
    "order_id": "#W2273457",
    "address": {"address1": "637 Pine Lane", "city": "Jacksonville", "zip": "32190", "floor": 3},
    "items": [
        {"name": "Kettle", "item_id": "7602931732", "price": 153.25, "options": {"color": "black", "size": "1L"}},
        {"name": "Clock", "item_id": "1859994221", "price": 182.85, "options": {"color": "red"}, "gift": True},
    ],
    "seats": {"a1": {"row": 1, "free": True}, "b2": {"row": 2, "free": True}, "c3": {"row": 3, "free": True}},
    "refund": None,
    "notes": [],
    "express": False,
    "status": "cancelled",
}


def compress(*given, part_settings=ValuesSettings(), parts=None):  # noqa: B008
    async def ask():
        async with open_values(part_settings, LoneHost(Path(), parts=parts)) as part:
            request = CompressRequest(pages=given, resident=(), targets=(100,), count=count_words)
            return list(await part.compress(request))

    return asyncio.run(ask())


def leaves(value):
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str):
        yield " ".join(value.split())
    elif value is not None and not isinstance(value, bool):
        yield json.dumps(value)


@quick
@given(VALUES)
def test_every_short_value_but_false_and_null_stands_in_the_values(value):
    value = {"result": value}
    left = prune(parse(json.dumps(value)), everything)
    said = "\n".join(Renderer(1000).lines(left)) if left is not GONE else ""
    said.encode()
    for leaf in leaves(value):
        assert leaf in said or json.dumps(leaf)[1:-1] in said


@quick
@given(VALUES)
def test_the_ids_are_among_the_values(value):
    value = parse(json.dumps([value, 1]))
    ids, all_of_it = prune(value, citable), prune(value, everything)
    assert ids is GONE or len(repr(ids)) <= len(repr(all_of_it))


@quick
@given(st.text(max_size=300), st.integers(20, 90))
def test_a_cut_text_is_one_line_and_not_much_longer_than_the_limit(text, limit):
    made = cut(text, limit)
    assert "\n" not in made
    assert len(made) <= 2 * limit + 1


def test_an_order_reads_as_its_values():
    values, ids = compress(tool_page(12, ("get_order", "{}", json.dumps(ORDER))))
    assert values.texts[1, 0].split("\n") == [
        "[values of page 12; all of it: expand 12]",
        "order_id: #W2273457",
        "address: 637 Pine Lane|Jacksonville|32190|floor=3",
        "items[2] name|item_id|price|options|gift",
        "Kettle|7602931732|153.25|black/1L|",
        "Clock|1859994221|182.85|red|true",
        "seats[3] row|free=true",
        "a1: 1",
        "b2: 2",
        "c3: 3",
        "status: cancelled",
    ]
    assert "7602931732|153.25" in ids.texts[1, 0]
    assert "black" not in ids.texts[1, 0]
    assert values.covers > ids.covers
    assert not values.lossless


def test_identifiers_of_a_long_text_stay():
    text = "The migration went through without a problem on all hosts " * 3 + "see PR #4711 and /srv/app/main.py."
    assert cut(text, 60) == "The migration went through without a problem on all hosts… #4711 /srv/app/main.py"


def test_a_lossless_form_is_taken_where_it_is_nearly_as_small():
    text = json.dumps({"path": "/srv/app/main.py", "line": 12, "text": "import os"}, indent=8) + " " * 80
    [offer] = compress(tool_page(12, ("find", "{}", text)))
    assert offer.lossless
    assert offer.covers == 1
    assert json.loads(offer.texts[1, 0]) == json.loads(text)


def test_the_lossless_form_is_that_of_the_named_compressor():
    class Exact:
        async def compress(self, request):
            return [Shortened(page=p.id, texts={(1, 0): f"[page {p.id}] all"}, lossless=True) for p in request.pages]

    page = tool_page(12, ("get_order", "{}", json.dumps(ORDER)))
    named = ValuesSettings(lossless="exact")
    [offer] = compress(page, part_settings=named, parts={("compressor", "exact"): Exact()})
    assert offer.texts == {(1, 0): "[page 12] all"}
    assert offer.lossless


def test_texts_that_are_no_json_and_arguments_stay():
    page = tool_page(3, ("Write", json.dumps(ORDER), "written: {" + "x" * 300))
    assert compress(page) == []


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": 1.10}', '{"a": NaN}', '{"a": "\\ud800"}'])
def test_what_would_be_written_in_another_way_is_not_called_lossless(text):
    assert minified(text) is None


def test_one_form_only_where_ids_are_off():
    page = tool_page(12, ("get_order", "{}", json.dumps(ORDER)))
    assert len(compress(page)) == 2
    assert len(compress(page, part_settings=ValuesSettings(ids=False))) == 1


@pytest.mark.parametrize("name", ["数据库连接", "東京タワー", "Größe", "Книга"])
def test_names_of_every_script_stay(name):
    rows = [{"title": f"{name} {i}", "text": name, "kind": "plain", "seen": False} for i in range(8)]
    for offer in compress(tool_page(5, ("list", "{}", json.dumps(rows)))):
        assert f"{name} 7" in offer.texts[1, 0]


def test_what_is_cited_later_in_recorded_conversations_survives():
    """Identifiers that a later call names and that came from a JSON result: all values keep all of them."""
    path = SHARED / "data" / "tau_bench" / "conversations.jsonl"
    if not path.is_file():
        pytest.skip("no recordings: set LAMINA_SHARED")
    kept = {"values": 0, "ids": 0}
    cited = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        messages = json.loads(line)["messages"]
        for at, message in enumerate(messages):
            value = parse(message["content"] or "") if message["role"] == "tool" else GONE
            if value is GONE:
                continue
            stand = set(leaves(json.loads(message["content"])))
            later = [c["function"]["arguments"] for m in messages[at:] for c in m.get("tool_calls") or ()]
            wanted = {leaf for arguments in later for leaf in leaves(json.loads(arguments)) if leaf in stand and leaf}
            cited += len(wanted)
            for name, keep in (("values", everything), ("ids", citable)):
                left = prune(value, keep)
                said = "\n".join(Renderer(80).lines(left)) if left is not GONE else ""
                kept[name] += sum(token in said for token in wanted)
    assert cited > 500
    assert kept["values"] == cited
    assert kept["ids"] >= 0.93 * cited
