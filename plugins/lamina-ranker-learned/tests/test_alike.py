from hypothesis import given
from hypothesis import strategies as st

from lamina_ranker_learned.recipe import alike, fold

WORDS = st.lists(st.sampled_from("a b c d e f g h i j".split()), max_size=30).map(" ".join)


def listing(n):
    return "\n".join(f"-rw-r--r-- 1 me me {17 * k} May {k % 30} file_{k}.py" for k in range(n))


def test_a_folder_listed_again_has_one_place():
    first, again = listing(40), listing(41)
    ranked = [("1", first), ("2", "something else was said"), ("3", again), ("4", first)]
    assert [(p.id, p.same) for p in fold(ranked, 10)] == [("1", ("3", "4")), ("2", ())]


def test_short_texts_that_differ_by_a_word_have_places_of_their_own():
    assert not alike("We chose port 8417 for the tracker.", "We chose port 9000 for the tracker.")


def test_what_comes_behind_the_last_place_joins_only_what_it_is_like():
    assert [(p.id, p.same) for p in fold([("1", "one"), ("2", "two"), ("3", "one")], 1)] == [("1", ("3",))]


@given(WORDS, WORDS)
def test_likeness_is_symmetric_and_holds_for_equal_texts(a, b):
    assert alike(a, b) == alike(b, a)
    assert alike(a, a)


@given(st.integers(61, 150), st.sets(st.integers(0, 149), max_size=40))
def test_long_texts_are_alike_as_their_triples_are(n, changed):
    """The quick refusals refuse nothing that the definition admits."""
    words = [f"w{k}" for k in range(n)]
    other = [f"x{k}" if k in changed else w for k, w in enumerate(words)]
    triples = [{tuple(t[k : k + 3]) for k in range(n - 2)} for t in (words, other)]
    share = len(triples[0] & triples[1]) / len(triples[0] | triples[1])
    assert alike(" ".join(words), " ".join(other)) == (share >= 0.7)


@given(st.lists(WORDS, max_size=12), st.integers(1, 12))
def test_each_answer_has_at_most_one_place_and_places_keep_their_order(texts, limit):
    places = fold([(str(n), text) for n, text in enumerate(texts)], limit)
    shown = [id for p in places for id in (p.id, *p.same)]
    assert len(shown) == len(set(shown))
    assert [int(p.id) for p in places] == sorted(int(p.id) for p in places)
    assert len(places) <= limit
    if limit >= len(texts):
        assert len(shown) == len(texts)
