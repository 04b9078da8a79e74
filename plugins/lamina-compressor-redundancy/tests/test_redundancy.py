import asyncio
import json
import re
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.model import user
from lamina.protocols import CompressRequest
from lamina.testing import LoneHost
from lamina.testing.pages import count_words, page, tool_page
from lamina_compressor_redundancy import RedundancySettings, open_redundancy
from lamina_compressor_redundancy._pieces import sources, split
from lamina_compressor_redundancy._references import Places, matches

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

FILE = [f"    value_{i} = compute({i * 7919 % 1000})" for i in range(80)]
LINES = st.lists(st.sampled_from(["alpha beta", "gamma", "", "δ epsilon", "}", "数据库", "x" * 300]), max_size=40)


def compress(pages, resident=(), **options):
    async def ask():
        async with open_redundancy(RedundancySettings(**options), LoneHost(Path())) as part:
            request = CompressRequest(pages=pages, resident=resident, targets=(100,), count=count_words)
            return list(await part.compress(request))

    return asyncio.run(ask())


def read(id, lines, first=1, path="/a.py"):
    text = "\n".join(f"{first + i:>6}→{line}" for i, line in enumerate(lines))
    return tool_page(id, ("Read", json.dumps({"file_path": path, "offset": first}), text))


@quick
@given(st.text(st.sampled_from([*'ab, .\n\r}"{', "。", "\u0301", "\u200d", "数"]), max_size=900))
def test_pieces_join_to_the_text(text):
    assert "".join(split(text)) == text


@quick
@given(LINES, LINES, LINES)
def test_every_match_is_exact_and_they_do_not_overlap(mine, other, third):
    [own] = sources(page(9, user("\n".join([*mine, *other, *mine]) + "\nend")), 1)
    places = Places()
    for id, lines in ((1, [*other, "new", *mine]), (2, third)):
        for source in sources(page(id, user("\n".join(lines) or "-")), 1):
            places.add(source)
    end = 0
    for match in matches(own, (places,), 20):
        assert match.start >= end
        end = match.end
        there = match.source.bare[match.at : match.at + match.end - match.start]
        assert own.bare[match.start : match.end] == there
        assert sum(map(len, own.pieces[match.start : match.end])) >= 20


@quick
@given(st.lists(st.lists(st.sampled_from(range(6)), min_size=1, max_size=3), min_size=1, max_size=7), st.booleans())
def test_no_reference_leads_to_a_page_that_may_go(contents, later):
    """Without ``later`` to resident and pinned pages only; with it never to a page that has an offer for that text."""
    blocks = ["\n".join(f"block {b} line {i}: {b * 37 + i}" for i in range(12)) for b in range(6)]
    made = [page(i, user("\n".join(blocks[b] for b in c))) for i, c in enumerate(contents, start=1)]
    made[0] = evolve(made[0], pinned=True)
    resident = [page(100, user(blocks[0])), page(101, user(blocks[1]))]
    offers = compress(made, resident, later=later)
    offered = {offer.page for offer in offers}
    stays = {1, 100, 101}
    for offer in offers:
        for text in offer.texts.values():
            for id in map(int, re.findall(r"(?:in|as|within) page (\d+)", text)):
                assert id in stays or (later and id > offer.page and id not in offered)


def test_a_copy_refers_to_the_page_that_stands():
    [offer] = compress([read(3, FILE)], [read(12, FILE)], superseded=False)
    assert offer.texts == {(1, 0): "[same as page 12; expand 3]"}
    assert offer.covers == 1
    assert not offer.lossless


def test_a_piece_of_a_larger_read_refers_to_it_whatever_the_line_numbers():
    [offer] = compress([read(3, FILE[20:50], first=7)], [read(12, FILE)])
    assert offer.texts == {(1, 0): "[stands within page 12; expand 3]"}


def test_an_earlier_version_shows_its_differences_only():
    newer = [*FILE[:40], "    changed = True", *FILE[41:]]
    offer, superseded = compress([read(3, FILE)], [read(12, newer)])
    assert offer.texts[1, 0].split("\n") == [
        "[… lines 1–40 as in page 12; expand 3 …]",
        f"    41→{FILE[40]}",
        "[… lines 42–80 as in page 12 …]",
    ]
    assert superseded.texts == {(1, 0): "[superseded: answered anew in page 12; expand 3]"}
    assert superseded.covers < offer.covers


def test_a_read_of_other_lines_supersedes_nothing():
    other = [f"    other_{i} = {i * i}" for i in range(80)]
    assert compress([read(3, FILE)], [read(12, other, first=50)]) == []
    assert compress([read(3, FILE)], [read(12, other, path="/b.py")]) == []
    assert compress([read(12, FILE)], [read(3, other)]) == []
    [offer] = compress([read(3, FILE[:50])], [read(12, other)])
    assert "superseded" in offer.texts[1, 0]


def test_one_long_line_is_compared_by_clauses():
    record = {f"field_{i}": f"value {i * 7919}" for i in range(60)}
    newer = {**record, "field_30": "changed"}
    [offer] = compress([tool_page(3, ("get", '{"id": 1}', json.dumps(record)))], [page(12, user(json.dumps(newer)))])
    text = offer.texts[1, 0]
    assert '"field_30": "value 237570"' in text
    assert text.count("as in page 12") == 2
    assert len(text) < 200


@pytest.mark.parametrize(
    "sentence",
    [
        "数据库连接失败，请检查端口。",
        "接続に失敗しました。",
        "Größe überschritten; bitte prüfen. ",
        "Соединение потеряно. ",
    ],
)
def test_every_script_is_compared(sentence):
    text = "".join(f"{i}{sentence}" for i in range(40))
    [offer] = compress([page(3, user(text))], [page(12, user("Anfang. " + text))])
    assert "page 12" in offer.texts[0, 0]
    assert len(offer.texts[0, 0]) < len(text) / 4


def test_without_a_page_that_stands_there_is_no_reference():
    assert compress([read(3, FILE), read(12, FILE)]) == []


def test_with_later_the_older_of_two_refers_to_the_newer():
    assert {o.page for o in compress([read(3, FILE), read(12, FILE)], later=True)} == {3}


def test_parallel_results_of_one_page_refer_to_the_first():
    text = "\n".join(FILE)
    [offer] = compress([tool_page(3, ("Read", '{"path": "a"}', text), ("Read", '{"path": "b"}', text))])
    assert offer.texts == {(2, 0): "[same as the text above; expand 3]"}


def test_short_repeats_stay():
    assert compress([page(3, user("ok\n" * 40))], [page(12, user("ok\n" * 39))], min_chars=200) == []


def test_time_grows_with_the_pages_not_with_their_pairs():
    """So many comparisons of lines at most; equal lines everywhere are the worst case."""
    compared = 0

    class Line(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other):
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    def counted(source):
        return evolve(source, bare=tuple(map(Line, source.bare)))

    [own] = sources(page(1, user("same line\n" * 2000 + "end")), 1)
    places = Places()
    for id in range(2, 20):
        places.add(counted(sources(page(id, user("same line\n" * 2 + f"{id}\n" * 100)), 1)[0]))
    assert matches(own, (places,), 160) == []
    assert compared < 50_000
