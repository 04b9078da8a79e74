import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lamina.model import ToolCall
from lamina.protocols import CompressRequest
from lamina.testing import LoneHost
from lamina.testing.pages import count_words, pages, tool_page
from lamina_compressor_structural import StructuralSettings, canonical, open_structural, restore
from lamina_compressor_structural._forms import forms
from lamina_compressor_structural._text import clean, fold, number_each, number_once, unfold
from lamina_compressor_structural._values import Number, parse

SHARED = Path(os.environ.get("LAMINA_SHARED") or Path(__file__).resolve().parents[4] / "shared")
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

NASTY = st.text(
    st.sampled_from([*'ab 1|()[]{}:=$",\\*\n\r\t.-', "ü", "好", "\u0301", "\u200d", "é", "\ud800", "→"]),
    max_size=8,
)
WORDS = st.sampled_from(
    ["id", "name", "true", "null", "1.50", "-0", "0x1", "a|b", "", " a", "item 1", "12", "1e5", "x (y)"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), NASTY, WORDS
)
KEYS = st.one_of(WORDS, NASTY)


@st.composite
def tables(draw, values):
    """Objects of one shape, with some keys missing."""
    keys = draw(st.lists(KEYS, min_size=1, max_size=5, unique=True))
    cells = {key: st.just(draw(values)) if draw(st.booleans()) else values for key in keys}
    kept = st.lists(st.booleans(), min_size=len(keys), max_size=len(keys))
    rows = draw(st.lists(kept, min_size=1, max_size=5))
    return [{k: draw(cells[k]) for k, keep in zip(keys, row, strict=True) if keep} for row in rows]


@st.composite
def keyed(draw, values):
    """An object of objects, sometimes keyed by what a column says too."""
    rows = draw(tables(values))
    named = draw(st.lists(KEYS, min_size=len(rows), max_size=len(rows), unique=True))
    by = draw(st.booleans())
    return {name: {**row, "id": name} if by else row for name, row in zip(named, rows, strict=True)}


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4), tables(inner), keyed(inner)
    ),
    max_leaves=25,
)
LINES = st.lists(
    st.one_of(
        NASTY,
        st.sampled_from(
            [
                "same line",
                "",
                "a [×3]",
                "[lines 1–2]",
                "\\[lines 1–3]",
                "     1→a",
                "     2→",
                "     3→b",
                "9: x",
                "10: y",
                "11: z",
                "7",
                "--",
            ]
        ),
    ),
    max_size=14,
).map("\n".join)


def compress(*given, tmp_path=Path(), **settings):
    async def ask():
        async with open_structural(StructuralSettings(**settings), LoneHost(tmp_path)) as part:
            request = CompressRequest(pages=given, resident=(), targets=(100,), count=count_words)
            return list(await part.compress(request))

    return asyncio.run(ask())


def only(page, key=(1, 0), **settings):
    return [o.texts[key] for o in compress(page, **settings) if key in o.texts]


@quick
@given(VALUES)
@example([{"a": "1"}, {"a": "2", "b": 1}, {"b": 2}])
@example({"a": {"x": {"i": 1, "j": 2}}, "b": {"x": {"i": 1, "j": 3}}, "c": {"x": {"i": 1, "j": 3}}})
@example([{"a b": {"c": ")"}}, {"a b": {"c": ")"}}, {"a b": {"c": ")"}}])
def test_each_lossless_form_of_json_inverts(value):
    for text in (json.dumps(value, indent=3), json.dumps(value)):
        for form in forms(text, 12, lossless=True):
            assert canonical(restore(form.text)) == canonical(text)
            assert "\n" in form.text or form.text == canonical(text)
    if isinstance(value, dict | list):
        assert parse(canonical(json.dumps(value))) == parse(json.dumps(value))


@quick
@given(VALUES)
def test_lines_invert_whatever_their_size(value):
    from lamina_compressor_structural._lines import from_lines, to_lines

    parsed = parse(json.dumps(value))
    lines = to_lines(parsed)
    assert lines is None or from_lines(lines) == parsed


@quick
@given(st.lists(st.dictionaries(KEYS, SCALARS, max_size=4), min_size=2, max_size=6))
def test_json_lines_invert(records):
    text = "\n".join(map(json.dumps, records))
    for form in forms(text, 1, lossless=True):
        assert canonical(restore(form.text)) == canonical(text)


@quick
@given(LINES)
@example("     1→a\n     2→b\n     3→[lines 1–2]\n[lines 1–2]")
@example("98: a\n99: b\n100: c\nend")
def test_both_layers_of_text_invert(text):
    assert number_each(number_once(text)) == text
    assert unfold(fold(text)) == text
    assert number_each(unfold(fold(number_once(text)))) == text


@quick
@given(LINES)
def test_cleaning_never_fails_and_settles(text):
    assert clean(clean(text)).count("\n") <= clean(text).count("\n")
    assert len(clean(text)) <= len(text) + 30 * text.count("\n")


def test_what_is_offered_as_lossless_inverts_on_pages_of_every_kind():
    seen = set()
    for page in pages():
        for offer in compress(page):
            for (m, p), text in offer.texts.items():
                part = page.messages[m].parts[p]
                original = part.arguments if isinstance(part, ToolCall) else part.text
                if offer.lossless:
                    assert canonical(restore(text)) == canonical(original)
                    seen.add(text.split("\n")[0])
    assert {"::", "{}", ".."} <= seen


def test_numbers_keep_their_digits_and_keys_their_order():
    text = json.dumps({"z": 1, "a": 0}).replace("1", "1.50").replace("0}", "1e400}")
    assert canonical(text) == '{"z":1.50,"a":1e400}'
    assert parse(text)["z"] == Number("1.50")


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "[" * 5000, "[" * 100 + "]" * 100, '{"a": ', "{}x"])
def test_what_json_cannot_keep_is_left_alone(text):
    assert canonical(text) == text
    assert forms(text + " " * 80, 1, arguments=True) == []


def test_objects_of_one_shape_are_a_table():
    rows = [{"flight": f"HAT{i:03}", "from": "ORD", "price": {"economy": i, "business": 2 * i}} for i in range(10, 14)]
    [text] = only(tool_page(7, ("search", "{}", json.dumps({"flights": rows, "total": "4"}))))
    assert text.split("\n")[:3] == [
        "::",
        "flights[4] flight|from=ORD|price(economy|business)",
        "HAT010|10|20",
    ]
    assert text.endswith('\ntotal: "4"')


def test_objects_keyed_by_their_id_name_it_once():
    items = {str(n): {"item_id": str(n), "color": "red", "price": n / 100} for n in range(91240, 91245)}
    [text] = only(tool_page(7, ("get", "{}", json.dumps({"variants": items}))))
    assert text.split("\n")[1:3] == ["variants{5 by item_id} item_id$|color=red|price", "91240|912.4"]


def test_arguments_stay_json():
    arguments = json.dumps({"path": "a.py", "edits": [{"old": "x" * 50, "new": "y"}] * 3}, indent=4)
    [text] = only(tool_page(3, ("Edit", arguments, "ok")), key=(0, 0))
    assert text == json.dumps(json.loads(arguments), separators=(",", ":"))


@pytest.mark.parametrize(
    ("numbers", "start"),
    [("each", "..\n9→    value_9 = 9\n10→    value_10"), ("once", "--\n[lines 9–39]\n    value_9 = 9\n")],
)
def test_line_numbers_lose_their_padding_or_stand_once(numbers, start):
    body = "".join(f"{i:>6}→    value_{i} = {i}\n" for i in range(9, 40))
    page = tool_page(3, ("Read", '{"file_path": "a.py"}', body + "\n<note>\n"))
    [text] = only(page, lossless=True, numbers=numbers)
    assert text.startswith(start)
    assert restore(text) == body + "\n<note>\n"


def test_repeated_lines_stand_once():
    [text] = only(tool_page(3, ("Run", "{}", "start\n" + "retrying the connection\n" * 50 + "done")), lossless=True)
    assert text == "..\nstart\nretrying the connection [×50]\ndone"


def test_lines_that_differ_in_time_only_stand_once_with_the_last_time():
    log = (
        "\n".join(f"2025-01-07 12:00:{i:02} INFO heartbeat ok" for i in range(40)) + "\n2025-01-07 12:01:00 ERROR lost"
    )
    [text] = only(tool_page(3, ("Run", "{}", log)))
    assert text.split("\n") == [
        "2025-01-07 12:00:00 INFO heartbeat ok [×40 until 2025-01-07 12:00:39]",
        "2025-01-07 12:01:00 ERROR lost",
        "[cleaned; exact text: expand 3]",
    ]


def test_colours_and_overwritten_states_go():
    bar = "\r".join(f"downloading {i}% [{'#' * (i // 10):<10}]" for i in range(0, 101, 5))
    text = f"\x1b[32mPASS\x1b[0m one\n{bar}\n\x1b]0;title\x07done {'x' * 40}"
    assert only(tool_page(3, ("Run", "{}", text))) == [
        f"PASS one\ndownloading 100% [##########]\ndone {'x' * 40}\n[cleaned; exact text: expand 3]"
    ]


def test_a_progress_bar_on_many_lines_is_its_last_state():
    bars = "\n".join(f" {i * 10}%|{'█' * i:<10}| {i}/10 [00:0{i % 10}<00:01]" for i in range(1, 11))
    assert clean(bars).split("\n") == [bars.split("\n")[-1]]


def test_a_table_of_percentages_keeps_its_lines():
    cover = "\n".join(f"src/module.py   {i}   {i}%" for i in range(40))
    assert clean(cover) == cover


def test_an_html_document_reads_as_text_unless_it_is_a_source_file():
    html = (
        "<!DOCTYPE html><html><head><title>Ports</title><style>p{}</style></head><body><h2>The  port</h2>"
        "<script>let a = '<p>';</script><p>is <b>8765</b>, see <a href='https://a.b/c'>here</a>.</p>"
        "<ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr></table><pre>x\n  y</pre></body></html>"
    )
    [text] = only(tool_page(3, ("Fetch", '{"url": "https://a.b/index.html"}', html)))
    assert text.split("\n") == [
        "Ports", "## The port", "is 8765, see here (https://a.b/c).", "- one", "- two", "a | b", "x", "  y",
        "[cleaned; exact text: expand 3]",
    ]  # fmt: skip
    assert not only(tool_page(3, ("Read", '{"file_path": "/src/index.html"}', html)))


def test_with_the_switch_only_lossless_forms_are_offered():
    given = pages()
    assert all(offer.lossless for offer in compress(*given, lossless=True))
    assert not all(
        offer.lossless for offer in compress(*given, tool_page(99, ("Run", "{}", "\x1b[1mbold\x1b[0m " * 40)))
    )


@pytest.mark.parametrize(
    "sentence", ["数据库连接失败", "接続に失敗しました", "Verbindung verloren: Größe", "соединение потеряно"]
)
def test_every_script_passes_through(sentence):
    text = json.dumps([{"id": i, "message": f"{sentence} {i}"} for i in range(6)])
    [made] = only(tool_page(5, ("Run", "{}", text)))
    assert f"\n3|{sentence} 3\n" in made
    assert canonical(restore(made)) == canonical(text)


def test_a_page_is_read_once():
    calls = []

    def count(texts):
        calls.append(len(texts))
        return count_words(texts)

    async def go():
        async with open_structural(StructuralSettings(), LoneHost(Path())) as part:
            given = pages()
            request = CompressRequest(pages=given, resident=(), targets=(), count=count)
            first = list(await part.compress(request))
            assert list(await part.compress(request)) == first

    asyncio.run(go())
    assert len(calls) == 2
    assert calls[1] == 0


def test_recorded_results_become_smaller_and_come_back():
    path = SHARED / "data" / "tau_bench" / "conversations.jsonl"
    if not path.is_file():
        pytest.skip("no recordings: set LAMINA_SHARED")
    before = after = 0
    for line in path.read_text(encoding="utf-8").splitlines()[:30]:
        for message in json.loads(line)["messages"]:
            text = message["content"] or ""
            if message["role"] != "tool" or len(text) < 60:
                continue
            made = [form.text for form in forms(text, 8, lossless=True)]
            assert all(canonical(restore(form)) == canonical(text) for form in made)
            before += len(text)
            after += min(map(len, [text, *made]))
    assert after < 0.75 * before
