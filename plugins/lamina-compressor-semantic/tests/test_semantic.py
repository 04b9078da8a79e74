"""What is offered: units as they stand, in order, the most telling ones, within the target."""

import asyncio
import json
import re
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.kit.identifiers import identifiers
from lamina.model import Message, Reasoning, Text, ToolCall, assistant, system, tool_result, user
from lamina.protocols import CompressRequest
from lamina.testing.pages import count_words, message_tokens, page, shorten, tool_page
from lamina_compressor_semantic import SemanticSettings
from lamina_compressor_semantic._compressor import SemanticCompressor

quick = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
MARK = re.compile(r"(?:^|\s)…(?: \d+ lines)?(?=\s|$)")
HEAD = re.compile(r"^\[(?:telegraphic )?excerpts of page 7; expand 7\]\n")

UNITS = st.sampled_from(
    [
        "We decided to keep port 8765 because the proxy needs it.",
        "Thanks, that sounds great!",
        "Did you find the file src/db/session.py:120?",
        "Yes, it was written on 2024-05-14 by Noor Haddad.",
        "ERROR worker-3 took 4211 ms on orders_eu",
        "INFO worker-1 took 12 ms",
        "ValueError: no such table: invoices_2023",
        "    return value * 3 + 1",
        "数据库连接失败，请检查端口 8765。",
        "我们决定改用 src/配置.toml。",
        "エラー：ファイル data/顧客.csv が見つかりません。",
        "Решили не менять порт 5432 до 3 мая.",
        "Der Fehler liegt in Zeile 88, nicht in der Datenbank.",
        '{"id": "gift_card_8887175", "amount": 35}',
        "e\u0301a\u0308 👍🏽 " * 5,
        "x" * 400,
    ]
)
SEPARATORS = st.sampled_from([" ", "\n", "\n\n", "\r\n", "\n  "])
TEXTS = st.lists(st.tuples(UNITS, SEPARATORS), min_size=1, max_size=50).map(
    lambda pairs: "".join(a + b for a, b in pairs)
)


def offers(*given_, targets=(100,), resident=(), **chosen):
    request = CompressRequest(pages=given_, resident=resident, targets=targets, count=count_words, session="s")
    return asyncio.run(SemanticCompressor(SemanticSettings(**chosen)).compress(request))


def size(made, offer):
    return sum(message_tokens(message) for message in shorten(made, offer.texts))


def offered(text, share=0.4, resident=(), **chosen):
    """The offer for a text as page 7, at a share of its tokens."""
    made = tool_page(7, ("Bash", '{"command": "make check"}', text))
    [offer] = offers(made, targets=[int(made.tokens * share)], resident=resident, **chosen)
    return offer.texts[1, 0]


def fragments(shown):
    body = HEAD.sub("", shown)
    assert body != shown
    return [piece for piece in (piece.strip() for piece in MARK.split(body)) if piece]


@quick
@given(text=TEXTS, share=st.floats(0.02, 0.98))
def test_what_stands_is_the_originals_text_in_its_order(text, share):
    made = tool_page(7, ("Bash", "{}", text))
    for offer in offers(made, targets=[int(made.tokens * share)]):
        shown = offer.texts[1, 0]
        if " left out; expand 7]" in shown:
            continue
        at = 0
        for piece in fragments(shown):
            at = text.find(piece, at)
            assert at >= 0, piece
            # Nothing begins or ends inside a word, a number or a path.
            assert at == 0 or text[at - 1].isspace() or text[at - 1] in "。，、；："
            at += len(piece)
        assert identifiers("\n".join(fragments(shown))) <= identifiers(text)


@quick
@given(text=TEXTS, more=TEXTS, targets=st.lists(st.integers(1, 900), min_size=1, max_size=4), telegraphic=st.booleans())
def test_an_offer_keeps_its_target_or_is_as_small_as_can_be(text, more, targets, telegraphic):
    made = tool_page(7, ("Bash", "{}", text), ("Bash", "{}", more), text="Let me see.")
    [*least] = [size(made, offer) for offer in offers(made, targets=[1], telegraphic=telegraphic)]
    found = offers(made, targets=targets, telegraphic=telegraphic)
    assert len(found) <= len(set(targets))
    assert found == offers(made, targets=targets, telegraphic=telegraphic)
    sizes = [size(made, offer) for offer in found]
    assert sizes == sorted(sizes, reverse=True)
    for offer in found:
        assert not offer.lossless
        assert 0 <= offer.covers <= 1
        assert size(made, offer) < made.tokens
    for target in targets:
        if least and target < made.tokens:
            assert min(sizes) <= max(target, *least)


@quick
@given(text=TEXTS)
def test_larger_offers_cover_more(text):
    made = page(7, user(text))
    found = offers(made, targets=[made.tokens * k // 10 for k in range(1, 10)])
    covers = [offer.covers for offer in found]
    assert all(less <= more + 0.1 for more, less in pairwise(covers))


@quick
@given(text=TEXTS)
def test_every_gap_of_whole_lines_says_how_many(text):
    made = tool_page(7, ("Bash", "{}", text))
    for offer in offers(made, targets=[made.tokens // 2]):
        if "left out; expand" in offer.texts[1, 0]:
            continue
        body = HEAD.sub("", offer.texts[1, 0])
        said = sum(int(n) for n in re.findall(r"(?m)^… (\d+) lines$", body))
        lines = [line for line in body.split("\n") if line.strip() and not re.fullmatch(r"… \d+ lines", line.strip())]
        # A mark by itself stands for one line, or for the rest of one that is shown in part.
        assert len(lines) + said >= sum(bool(line.strip()) for line in text.split("\n")) - 1
        assert said < len(text.split("\n"))


FILLER = "".join(f"INFO step {i} of the build went well, nothing to see here\n" for i in range(60))


def test_error_lines_stand_whatever_the_target():
    text = FILLER + "Traceback (most recent call last):\n  File a.py\nKeyError: 'invoice_id'\n" + FILLER
    made = tool_page(7, ("Bash", "{}", text))
    [offer] = offers(made, targets=[1])
    assert "KeyError: 'invoice_id'" in offer.texts[1, 0]
    assert size(made, offer) < 60


def test_many_errors_are_shown_by_kind_the_first_and_the_last():
    kinds = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    text = "".join(
        f"{FILLER}ERROR {kind} failed after {n} ms\nERROR {kind} failed after {n + 1} ms\n"
        for n, kind in enumerate(kinds)
    )
    made = tool_page(7, ("Bash", "{}", text))
    [offer] = offers(made, targets=[1])
    assert [kind for kind in kinds if f"ERROR {kind} " in offer.texts[1, 0]] == [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "eta",
        "theta",
    ]
    assert offer.texts[1, 0].count("ERROR alpha") == 1
    [offer] = offers(made, targets=[1], key_lines=0)
    assert "ERROR" not in offer.texts[1, 0]


@pytest.mark.parametrize(
    "line",
    [
        "E       AssertionError: 3 != 4",
        "error[E0382]: use of moved value",
        "main.c:3:1: error: expected ;",
        "fatal: no repo",
        "java.lang.NullPointerException: x",
        "npm ERR! code 1",
        "FAILED tests/test_a.py",
        "Exit code 2",
        "Ошибка: нет файла",
        "Fehler: Datei fehlt",
        "错误：找不到文件",
        "エラー：失敗しました",
    ],
)
def test_what_an_error_line_is(line):
    assert line in offered(FILLER + line + "\n" + FILLER, share=0.02)


@pytest.mark.parametrize(
    "line", ["except ValueError:", "class ParseError(Exception):", "no errors, no failures", "exit code 0"]
)
def test_what_only_speaks_of_errors_is_none(line):
    made = tool_page(7, ("Bash", "{}", FILLER + line + "\n" + FILLER))
    [offer] = offers(made, targets=[1])
    assert line not in offer.texts[1, 0]


ROWS = [f"- {name} is kept in vault_{i} of house {i}, where one finds it by its label" for i, name in enumerate(
    "amber basalt copper dolomite emerald flint garnet halite indigo jasper kyanite lapis mica nickel onyx".split()
)]  # fmt: skip


def test_lines_of_identifiers_that_newer_pages_cite_stay():
    text = "\n".join(ROWS)
    for cited in (2, 9, 14):
        newer = page(9, user(f"What about vault_{cited} then?"))
        assert ROWS[cited] in offered(text, 0.35, resident=[newer])
    assert sum(ROWS[k] not in offered(text, 0.35) for k in (2, 9, 14)) > 0


def test_what_stays_in_the_window_anyway_goes_first():
    text = "\n".join(ROWS)
    shown = offered(text, 0.5, resident=[tool_page(3, ("Read", "{}", "\n".join(ROWS[:8])))])
    kept = [row in shown for row in ROWS]
    assert sum(kept[8:]) > sum(kept[:8])


def test_what_the_page_shows_already_goes_first():
    text = "\n".join(ROWS[:5] * 6 + ROWS[5:])
    shown = offered(text, 0.6)
    assert all(shown.count(row) >= 1 for row in ROWS)


def test_calls_reasoning_and_short_texts_stay():
    long = "\n".join(ROWS)
    call = ToolCall("c", "Write", json.dumps({"content": long * 3}))
    made = page(7, Message("assistant", (Reasoning(long, "signed"), Text("Writing."), call)), tool_result("c", long))
    for offer in offers(made, targets=[1, made.tokens // 2, made.tokens - 5]):
        assert set(offer.texts) == {(1, 0)}
    [offer] = offers(page(7, user(long)), targets=[60], min_tokens=10)
    assert set(offer.texts) == {(0, 0)}
    assert offers(page(7, user(long)), targets=[60], min_tokens=1000) == []
    assert offers(page(7, user("\ud800" + long)), targets=[60]) == []


def test_many_texts_share_the_target_by_what_they_say():
    made = tool_page(7, ("Bash", "{}", FILLER), ("Bash", "{}", "\n".join(ROWS)), ("Bash", "{}", "ok"))
    [offer] = offers(made, targets=[made.tokens // 3])
    assert set(offer.texts) == {(1, 0)}
    assert offer.texts[1, 0].count("INFO") < 12
    [offer] = offers(made, targets=[made.tokens // 5])
    assert set(offer.texts) == {(1, 0), (2, 0)}
    assert sum(row in offer.texts[2, 0] for row in ROWS) > len(ROWS) // 2


def test_a_text_of_which_nothing_is_kept_says_so():
    made = tool_page(7, ("Bash", "{}", "x" * 4000))
    [offer] = offers(made, targets=[50])
    assert offer.texts == {(1, 0): "[1,000 tokens of page 7 left out; expand 7]"}
    assert offer.covers < 0.1


def test_field_names_of_json_are_worth_nothing():
    rows = [
        {"reservation_identifier": f"HAT{i:03}", "departure_airport_code": "DEN", "is_refundable": False}
        for i in range(60)
    ]
    shown = offered(json.dumps(rows), 0.5)
    assert len(set(re.findall(r"HAT\d+", shown))) > 25


def test_telegraphic_says_so_and_saves_room():
    text = " ".join(
        f"We found that the {row[2 : row.index(' is')]} was in the old vault and it is not the one of the list."
        for row in ROWS
    )
    plain, short = offered(text, 0.5), offered(text, 0.5, telegraphic=True)
    assert plain.startswith("[excerpts of page 7; expand 7]\n")
    assert short.startswith("[telegraphic excerpts of page 7; expand 7]\n")
    assert " the " not in re.sub(r"not the", "", short)
    assert short.count("not the one") == short.count("it is not")
    assert short.count("not the one") > plain.count("not the one")
    french = (
        text.replace("the", "le").replace("and", "et").replace("was", "fut").replace("that", "que").replace("is", "est")
    )
    assert offered(french, 0.5) == offered(french, 0.5, telegraphic=True)


def test_pinned_words_of_a_system_page_may_be_shortened_too():
    made = page(7, system("\n".join(ROWS)))
    [offer] = offers(made, targets=[made.tokens // 2])
    assert size(made, offer) <= made.tokens // 2
    assert offers(page(8, assistant("")), targets=[1]) == []
