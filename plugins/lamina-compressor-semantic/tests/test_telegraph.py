"""Telegram style never drops a negation, and drops nothing where the language has no list."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina_compressor_semantic._telegraph import language, telegram

quick = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))

NEGATIONS = {
    "en": ["not", "never", "no", "none", "nothing", "without", "neither", "nor", "don't", "isn’t", "cannot", "hardly"],
    "de": ["nicht", "nie", "kein", "keine", "nichts", "ohne", "weder", "noch", "niemals", "niemand", "kaum"],
    "ru": ["не", "ни", "нет", "без", "никогда", "нельзя", "ничего", "никто", "едва", "кроме"],
}
PLAIN = {
    "en": [
        "the",
        "a",
        "an",
        "very",
        "really",
        "server",
        "is",
        "good",
        "idea",
        "8765",
        "src/a.py",
        "few",
        "day",
        "and",
        "with",
    ],
    "de": [
        "der",
        "die",
        "das",
        "eine",
        "sehr",
        "wirklich",
        "Server",
        "ist",
        "gute",
        "Idee",
        "8765",
        "und",
        "mit",
        "ein",
    ],
    "ru": ["очень", "конечно", "ну", "вот", "сервер", "это", "был", "порт", "8765", "и", "как", "буквально"],
}
DROPPED = {
    "en": {"the", "a", "an", "very", "really"},
    "de": {"der", "die", "das", "eine", "ein", "sehr", "wirklich"},
    "ru": {"очень", "конечно", "ну", "вот", "буквально"},
}
ENDS = st.sampled_from(["", ",", ".", ":", "\n", ' "', "`", ")"])


def sentences(spoken):
    word = st.sampled_from(PLAIN[spoken] * 2 + NEGATIONS[spoken])
    word = st.one_of(word, word.map(str.capitalize), word.map(str.upper))
    return st.lists(st.tuples(word, ENDS | st.just("")), min_size=3, max_size=30).map(
        lambda pairs: " ".join(w + end for w, end in pairs)
    )


@pytest.mark.parametrize("spoken", ["en", "de", "ru"])
def test_negations_stay_and_what_they_negate(spoken):
    @quick
    @given(sentences(spoken))
    def check(text):
        before, after = text.split(), telegram(text, spoken).split()
        gone = 0
        bare = [re.sub(r"[^\w'’]", "", word).lower() for word in before]
        for at, word in enumerate(before):
            if at - gone < len(after) and word == after[at - gone]:
                continue
            # Where words repeat, the first of them may be the one that went; what went is the same.
            assert bare[at] in DROPPED[spoken], (text, after)
            assert at > 0
            assert bare[at - 1] not in NEGATIONS[spoken]
            gone += 1
        assert len(after) == len(before) - gone
        negations = [word for word in bare if word in NEGATIONS[spoken]]
        left = (re.sub(r"[^\w'’]", "", word).lower() for word in after)
        assert [word for word in left if word in NEGATIONS[spoken]] == negations

    check()


SAID = {
    "en": (
        "We decided that the server is not a very good place for the cache, and it was really slow with the old disk.",
        "We decided that server is not a very good place for cache, and it was slow with old disk.",
    ),
    "de": (
        "Wir haben die Datenbank verschoben, und das ist nicht die Lösung für den Fehler, den Eva sehr oft sieht.",
        "Wir haben Datenbank verschoben, und das ist nicht die Lösung für Fehler, den Eva oft sieht.",
    ),
    "ru": (
        "Мы решили, что это очень плохо, если порт ну конечно не очень важен и его уже меняли.",
        "Мы решили, что это плохо, если порт не очень важен и его уже меняли.",
    ),
}


@pytest.mark.parametrize("spoken", SAID)
def test_articles_and_fillers_go(spoken):
    text, wanted = SAID[spoken]
    assert language(text * 2) == spoken
    assert telegram(text, spoken) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "Option a is what we have for the plan and that was it, a few times a day with you.",
        'We have not read "the a very long text of the user" and this is quoted with it.',
        "Run cp -r a b and then cat the/path with that for the `a` option.",
    ],
)
def test_names_quotes_and_what_would_mean_something_else_stay(text):
    for kept in (" a is", "a few", "a day", '"the a very long text of the user"', "cp -r a b", "cat the/path"):
        assert (kept in text) == (kept in telegram(text, "en"))


@pytest.mark.parametrize(
    "text",
    [
        "Le serveur est en panne et il a dit que la base de données est perdue, on ne sait pas pour les autres.",
        "De server is niet goed en het was een heel slecht idee van ons om de database op die schijf te zetten.",
        "Ми вирішили, що це дуже погано, і порт не для нас, але ви про це не знали, коли його міняли.",
        "我们决定不要改端口，这个非常重要，数据库不在这里。",
        "サーバーはとても遅いので、ポートは変更しないことにしました。",
        "El servidor no es un lugar muy bueno para la cache y fue muy lento con el disco de la base.",
        "def the(a, an):\n    return a.the + an\n",
    ],
)
def test_other_languages_are_left_alone(text):
    assert language(text * 3) is None
