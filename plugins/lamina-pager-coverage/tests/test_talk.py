"""What the coverage pager reads in talk, and how it chooses among sentences."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina_pager_coverage._cover import COMMON, WORDS, Cover, candidates, choose
from lamina_pager_coverage._talk import INSIDE, MESSAGE, Index, needed, rarity, telling
from lamina_pager_coverage._words import asides, names, sentences, words


def count(texts):
    return [max(1, len(text.split())) for text in texts]


def index_of(*said: str) -> Index:
    index = Index()
    index.extend([(at, "user", text, len(text.split())) for at, text in enumerate(said, 1)], count)
    return index


# ------------------------------------------------------------------------------------------------- words

pieces = st.sampled_from(
    [
        *(
            "Ann's",
            "dog",
            "it’s",
            "''",
            "3.5",
            "Dr.",
            "e.g.",
            "Σοφός",
            "ΟΔΟΣ",
            "İzmir",
            "日本語",
            "です。",
            "[a",
            "photo]",
        ),
        *(
            ". ",
            "! ",
            "? ",
            "… ",
            "\n",
            " ",
            ", ",
            "; ",
            ": ",
            " - ",
            "_",
            "(",
            ") ",
            '" ',
            "？",
            "naïve",
            "กิ",
            "ß",
            "«oui»",
        ),
    ]
)
texts = st.lists(pieces, max_size=60).map("".join) | st.text(max_size=80)


@given(texts)
def test_the_words_of_a_text_are_those_of_its_sentences(text):
    assert words(text) == [word for start, end in sentences(text) for word in words(text[start:end])]


@given(texts)
def test_sentences_are_disjoint_in_order_and_hold_all_that_is_not_blank(text):
    spans = sentences(text)
    assert all(a < b for a, b in spans)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())


@given(texts)
def test_an_apostrophe_makes_no_other_words_in_ascii_than_elsewhere(text):
    plain = text.encode("ascii", "ignore").decode()
    assert words(plain) == words(plain + " é")[:-1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Yesterday I met Anna and O'Brien in Oslo. They laughed.", {"anna", "obrien", "oslo"}),
        ("I think I'm late, and I'll run.", set()),
        ("Gestern war Jörg mit Änne am Bahnhof.", {"jörg", "änne", "bahnhof"}),
        ("Вчера мы были в Москве. Потом уехали.", {"москве"}),
        ("Χθες πήγα στην Αθήνα.", {"αθήνα"}),
        ("all small", set()),
        ('She said: "Come." Then we left. Well', set()),
    ],
)
def test_names_are_written_with_a_capital_inside_a_sentence(text, found):
    assert set(names(text)) == found


@pytest.mark.parametrize(
    ("text", "asked", "remarks", "asks"),
    [
        ("I was there. Were you? I was.", ["were you"], [], False),
        ("I was there. Were you?", ["were you"], [], True),
        ('He asked "were you there?"', ["he asked were you there"], [], True),
        ("What a sky? [photo of the sky]", ["what a sky"], ["photo of the sky"], True),
        ("[10:15] I left.", [], ["10 15"], False),
        ("你去过吗？我去过。", ["你去 去过 过吗"], [], False),
        ("Nothing to see.", [], [], False),
    ],
)
def test_questions_and_bracketed_remarks_tell_nothing(text, asked, remarks, asks):
    found = asides(text)
    assert [" ".join(ws) for ws, asks_ in found if asks_] == asked
    assert [" ".join(ws) for ws, asks_ in found if ws and not asks_] == remarks
    assert index_of(text).pages[0].asks is asks


@given(texts)
def test_questions_and_remarks_hold_no_words_that_the_text_does_not_hold(text):
    assert Counter(word for found, _ in asides(text) for word in found) <= Counter(words(text))


def test_only_the_first_person_outside_questions_counts_as_told():
    told, asked = index_of("I was in Oslo."), index_of("Was I in Oslo?")
    assert told.pages[0].odds - asked.pages[0].odds == pytest.approx(MESSAGE["first person"] * math.log1p(1))


# ----------------------------------------------------------------------------------------------- the choice

sayings = st.lists(
    st.lists(
        st.lists(st.sampled_from("a b kite lamp stone river".split()), min_size=1, max_size=7), min_size=1, max_size=4
    ),
    min_size=2,
    max_size=6,
).map(lambda said: [" ".join(" ".join(s).capitalize() + "." for s in message) for message in said])


def by_definition(index, chances, near, rare, share, covered):
    """Every unit's weight, counted one by one: by word and by trigram."""
    weight = defaultdict(float)
    common = max(2.0, COMMON * len(index.pages))
    for at, chance in chances.items():
        content = {w for w in index.pages[at].distinct - index.stops if index.spread[w] <= common}
        for w in content:
            weight[w] += WORDS * math.sqrt(share) * chance / max(1, len(content))
    for at in near:
        page = index.pages[at]
        for e in page.elements:
            each = chances[at] / max(1, len(page.grams)) * telling(e, set(page.words[e.low : e.high]), rare)
            for gram in page.grams[e.low : e.high]:
                weight[gram] += each
    weight.update(dict.fromkeys(covered, 0.0))
    return weight


@given(sayings, st.data())
def test_the_gain_of_an_excerpt_is_the_weight_of_all_that_nothing_taken_covers(said, data):
    index = index_of(*said)
    index.detail(index.pages, count)
    rare = rarity(index)
    chances = dict(enumerate(needed(index.pages, rare)))
    near = range(len(index.pages))
    shown = data.draw(st.sets(st.sampled_from([gram for page in index.pages for gram in page.grams] or [-1])))
    expected = by_definition(index, chances, near, rare, 0.5, shown)
    weight = {w: expected[w] for w in range(len(index.ids))}
    found = candidates(index, chances, near, rare, shown, weight)
    cover = Cover(index, found, weight, 1e9)

    def units(k, taken):
        """All that it covers, with the trigrams across its borders to what is taken."""
        page, e = index.pages[k >> INSIDE], index.element(k)
        until = page.grams[e.low : max(e.low, e.high - 2)]
        before = page.grams[max(0, e.low - 2) : e.low] if k - 1 in taken else []
        after = page.grams[max(0, e.high - 2) : e.high] if k + 1 in taken else []
        return {*page.words[e.low : e.high], *until, *before, *after}

    for k in data.draw(st.lists(st.sampled_from(sorted(found)), unique=True, max_size=6)):
        covered = {u for other in cover.taken for u in units(other, cover.taken)}
        for other in found.keys() - cover.taken.keys():
            gained = sum(expected[u] for u in units(other, cover.taken) - covered)
            tokens = cover.cost(other) if found[other].page in cover.begun else found[other].size
            assert cover.gain(other) * tokens == pytest.approx(gained)
        cover.take(k)
    for k in list(cover.taken):
        cover.drop(k)
    assert cover.open == cover.weight


@given(sayings, st.integers(1, 40))
def test_what_is_chosen_fits_the_room(said, room):
    index = index_of(*said)
    chosen = choose(index, room, 0, len(index.pages), count)
    assert len(set(chosen)) == len(chosen)
    assert sum(index.element(k).cost for k in chosen) <= room


@given(sayings, st.integers(1, 4))
def test_a_talk_that_forgot_its_beginning_knows_what_one_without_it_knows(said, n):
    index, other = index_of(*said), Index()
    index.detail(index.pages, count)
    index.forget(min(n, len(said) - 1))
    other.extend([(p.id, "user", p.text, p.cost) for p in index.pages], count)
    other.detail(other.pages, count)
    spelled, others = list(index.ids), list(other.ids)
    assert spelled == others
    assert index.spread == other.spread
    assert index.cost == other.cost
    for a, b in zip(index.pages, other.pages, strict=True):
        assert (a.words, a.distinct, a.taken_up, a.grams) == (
            b.words,
            b.distinct,
            b.taken_up,
            b.grams,
        )
        assert a.elements == b.elements


def test_trigrams_that_repeat_are_one_unit_and_others_none():
    index = index_of("The old kite flew over rivers.", "An old kite flew home.")
    index.detail(index.pages, count)
    found = candidates(index, {0: 0.5, 1: 0.5}, [0, 1], rarity(index), set(), dict.fromkeys(range(len(index.ids)), 1.0))
    grams = Counter(u for c in found.values() for u in c.units if u >= len(index.ids) or u < 0)
    assert list(grams.values()) == [2]  # "old kite flew"
