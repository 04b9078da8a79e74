import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina_ranker_learned.recipe import Corpus, Entry, counts, name_words, parse

STORED_AND_ASKED = [
    ("She went hiking in the mountains with her children.", "Where did the kids go for a hike?"),
    ("Wir haben die Häuser am See verkauft und ein Boot gekauft.", "Haus verkaufen"),
    ("Nous avons acheté deux chevaux noirs à la ferme.", "acheter cheval noir"),
    ("Compramos las casas viejas cerca de la playa.", "comprar casa vieja"),
    ("Мы купили новые книги в магазине.", "новая книга"),
    ("我们昨天在北京买了一台新电脑。", "什么时候买了电脑？"),
    ("昨日、新しい自転車を買いました。", "自転車はいつ買いましたか"),
]
OTHERS = [
    "The weather was grey all day.",
    "Das Wetter war den ganzen Tag grau.",
    "Il faisait gris toute la journée.",
    "El cielo estaba gris todo el día.",
    "Весь день шел дождь.",
    "今天天气不好。",
    "天気が悪いです。",
]


@pytest.mark.parametrize(("stored", "asked"), STORED_AND_ASKED)
def test_inflected_forms_are_found_in_each_language(stored, asked):
    corpus = Corpus()
    corpus.add(Entry(f"other-{n}", text) for n, text in enumerate(OTHERS))
    corpus.add(Entry(f"s{n}", text) for n, (text, _) in enumerate(STORED_AND_ASKED))
    wanted = f"s{[text for text, _ in STORED_AND_ASKED].index(stored)}"
    assert corpus.rank(asked, 0.0, 1)[0].id == wanted


def test_a_whole_identifier_is_a_term_and_so_are_its_parts():
    found = counts("see src/lamina/Window_Plan.py:12")
    assert {"src/lamina/window_plan.py", "window_plan.py", "lamina", "window", "plan"} <= set(found)


def test_an_identifier_in_a_query_is_sought_whole_first():
    query = parse("why does src/lamina/window.py fail?", {})
    assert [t.spellings for t in query.terms if t.whole] == [("src/lamina/window.py",), ("window.py",)]


def test_names_of_authors_and_words_that_ask_are_no_terms():
    query = parse("When did Caroline go to the LGBTQ support group?", {"caroline": "Caroline"})
    assert query.named == {"Caroline"}
    assert query.when
    assert query.question
    assert {"caroline", "when", "did"}.isdisjoint(s for t in query.terms for s in t.spellings)
    assert {"lgbtq", "support", "group"} <= {t.spellings[0] for t in query.terms}


def test_a_query_without_content_looks_for_what_it_says():
    assert [t.spellings[0] for t in parse("to be or not to be", {}).terms] == ["to", "be", "or", "not"]


@pytest.mark.parametrize("role", ["user", "assistant", "Tool"])
def test_a_role_is_no_name(role):
    assert not name_words(role)


def test_irregular_forms_are_one_term():
    assert counts("went bought mothers") == counts("go buy moms")


@given(st.text())
def test_any_text_has_terms_and_is_a_query(text):
    assert all(n > 0 for n in counts(text).values())
    for term in parse(text, {}).terms:
        assert term.spellings
        assert all(0 < weight <= 1 for weight in term.related.values())
