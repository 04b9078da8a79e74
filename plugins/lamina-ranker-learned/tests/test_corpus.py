import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.identifiers import words
from lamina_ranker_learned._table import PAGE, TURN, table, weights
from lamina_ranker_learned.recipe import Corpus, Entry

DAY = 86_400.0
MAY = 1_683_500_000.0  # 7 May 2023

TALK = [
    ("Ann", "Hey Ben! How have you been?"),
    ("Ben", "Busy. I went to a pottery class yesterday."),
    ("Ann", "Nice. How long have you been doing it?"),
    ("Ben", "Since 2016."),
    ("Ann", "I should paint again, I miss it."),
    ("Ben", "We could drive to the coast on Saturday."),
]


def talk(thread="t", start=MAY):
    return [Entry(f"{thread}{n}", text, who, start + n, thread, n) for n, (who, text) in enumerate(TALK)]


def ids(corpus, query, limit=3, now=MAY + DAY):
    return [hit.id for hit in corpus.rank(query, now, limit)]


def filled():
    corpus = Corpus()
    corpus.add(talk())
    corpus.add(
        Entry(f"x{n}", f"We talked about topic{n} and then about nothing much.", "Ann", MAY - n * DAY, "x", n)
        for n in range(40)
    )
    return corpus


def test_the_turn_of_the_one_who_is_named_comes_first():
    assert ids(filled(), "Which class did Ben go to?")[0] == "t1"


def test_an_answer_is_found_by_the_words_of_what_it_answers():
    assert "t3" in ids(filled(), "How long has Ben been doing pottery?")


def test_a_wider_word_finds_what_it_names():
    assert "t4" in ids(filled(), "What hobby does Ann have?", 5)


def test_a_day_that_is_asked_for_brings_in_what_was_said_then():
    assert "x3" in ids(filled(), "What did Ann say on 4 May 2023?", 5)


def test_nothing_known_gives_the_newest_of_the_one_who_is_named():
    assert {"t1", "t3", "t5"} == set(ids(filled(), "Ben xyzzy?"))


def test_an_empty_corpus_and_an_empty_query_give_nothing_wrong():
    assert Corpus().rank("what?", 0.0, 5) == []
    assert len(filled().rank("", 0.0, 5)) == 5


def test_parts_sum_to_the_score():
    for hit in filled().rank("Which class did Ben go to on Saturday?", MAY, 10):
        assert math.isclose(sum(hit.parts.values()), hit.score, abs_tol=1e-3)


def test_features_are_finite_and_one_for_each_candidate():
    corpus = filled()
    found, values = corpus.featurise("When did Ben last paint?", MAY, {"t1": 0.5})
    assert {"meaning", "passage"} <= set(values)
    for name, column in values.items():
        assert column.shape == (len(found),), name
        assert np.isfinite(column).all(), name


def test_every_weight_is_of_a_feature():
    _, values = filled().featurise("When did Ben last paint?", MAY, {})
    assert {name for of in table().values() for name in of} <= set(values)


def test_weights_change_step_by_step_from_turns_to_pages():
    for name, of in table().items():
        if name != "turns_by_meaning":
            assert {k: v for k, v in weights(TURN if name == "turns" else PAGE).items() if v} == dict(of)
    lengths = np.linspace(TURN, PAGE, 50)
    shares = [weights(float(x))["passage"] for x in lengths]
    assert max(abs(a - b) for a, b in pairwise(shares)) < 0.1 * abs(shares[0])


def test_a_models_cosine_counts_where_it_is_given():
    corpus = filled()
    hits = corpus.rank("Where shall we travel together?", MAY, 50, {"t5": 0.9})
    assert hits[0].id == "t5"


TEXT = st.text(alphabet=st.sampled_from("abcdefgh äé 数据库 xyz.?"), min_size=1, max_size=40).filter(words)


@given(st.lists(TEXT, min_size=1, max_size=12, unique_by=lambda t: " ".join(words(t))), st.data())
def test_what_is_added_is_found_by_its_own_text_and_what_is_removed_is_not(texts, data):
    corpus = Corpus()
    corpus.add(Entry(str(n), text) for n, text in enumerate(texts))
    n = data.draw(st.integers(0, len(texts) - 1))
    assert str(n) in ids(corpus, texts[n], len(texts))
    corpus.remove([str(n), "absent"])
    assert len(corpus) == len(texts) - 1
    assert str(n) not in ids(corpus, texts[n], len(texts))


@given(st.lists(st.integers(0, 5), max_size=20))
def test_what_was_removed_leaves_no_trace(removed):
    """A corpus from which documents were taken ranks as one that never had them, but for its counting of ages."""
    corpus, fresh = Corpus(), Corpus()
    corpus.add(talk())
    corpus.remove(f"t{n}" for n in removed)
    fresh.add(entry for entry in talk() if int(entry.id[1:]) not in removed)
    a, b = (
        corpus.featurise("How long has Ben been doing pottery?", MAY),
        fresh.featurise("How long has Ben been doing pottery?", MAY),
    )
    assert a[0] == b[0]
    for name in set(a[1]) - {"recent", "newest"}:
        assert np.allclose(a[1][name], b[1][name]), name
    assert (corpus.names(), corpus.statistics().average) == (fresh.names(), fresh.statistics().average)


def test_a_document_of_the_same_id_takes_its_place():
    corpus = filled()
    corpus.add([Entry("t1", "I bought a drum.", "Ben", MAY, "t", 1)])
    assert ids(corpus, "drum")[0] == "t1"
    assert ids(corpus, "pottery on the coast", 1) == ["t5"]


@pytest.mark.parametrize("length", [0.0, TURN, 100.0, PAGE, 10_000.0])
def test_weights_are_finite_at_every_length(length):
    for meaning in (False, True):
        assert all(math.isfinite(w) for w in weights(length, meaning=meaning).values())
