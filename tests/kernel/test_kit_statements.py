"""What a person's words are about: constraints, corrections, and what stands of long texts."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lamina.kit.statements import HEAD, constraints, corrects, gist, sentences, shortened

WORD = re.compile(r"\w{1,8}|[^\w ]")


def words(texts):
    """Tokens, more or less: pieces of words, signs, line feeds."""
    return [len(WORD.findall(text)) for text in texts]


def quarters(texts):
    return [-(-len(text.encode()) // 4) for text in texts]


COUNTERS = [words, quarters]


@pytest.mark.parametrize(
    "text",
    """Always run the tests first.
    Never push to main.
    Use tabs, not spaces.
    use httpx rather than requests
    No new dependencies.
    without asking me first
    Leave the migrations alone.
    You can't change the schema.
    At most three files.
    no more than 100 lines
    Please don't touch the API.
    dont commit
    It has to be fast.
    I'd rather keep it small.
    Stop adding comments.
    from now on, in English
    Ohne neue Abhängigkeiten.
    Bitte keine Emojis.
    Nur die Tests ändern.
    Verwende Tabs statt Leerzeichen.
    Lass die Tests in Ruhe.
    Du sollst nicht pushen.
    sans toucher aux tests
    Ne pousse pas.
    N'ajoute rien.
    Pas de nouvelles dépendances.
    Utilise des tabulations au lieu d'espaces.
    Il faut garder l'API.
    Sin dependencias nuevas.
    No toques la base de datos.
    Usa tabulaciones en lugar de espacios.
    Nunca hagas push.
    Без новых зависимостей.
    Не трогай тесты.
    Используй табы, а не пробелы.
    Никогда не пушь.
    不要提交。
    别动测试
    用制表符而不是空格
    必须兼容旧版本
    コミットしないでください。
    テストを変えずに直して
    スペースではなくタブを使って
    必ずテストを実行して""".splitlines(),
)
def test_what_must_or_must_not_be_is_a_constraint(text):
    text = text.strip()
    assert constraints(f"hello there\n{text}\nthanks a lot") == [text]


def test_capitals_make_no_difference():
    for text in ("NEVER PUSH", "НИКОГДА НЕ ПУШЬ", "OHNE NEUE ABHÄNGIGKEITEN", "İ never push"):
        assert constraints(text) == [text]


@pytest.mark.parametrize(
    "text",
    [
        "Run the tests.", "The build is green.", "My order number is W123.", "What time is it?", "Das ist gut.", "C'est bon.",
        "Está bien.", "Это хорошо.", "你好", "こんにちは", "Here is the log.", "note that", "The notary donated a mustang.", "",
    ],
)  # fmt: skip
def test_other_statements_are_none(text):
    assert constraints(text) == []


def test_of_a_line_only_the_sentence_that_constrains_is_taken():
    assert constraints("I like it. Never push! Thanks.\n好的。不要提交！谢谢") == ["Never push!", "不要提交！"]


@pytest.mark.parametrize(
    "text",
    [
        "No, use b.py.", "no use b.py", "No.", "Stop!", "Wait, b.py", "actually b.py", "not that, the other file", "I meant b.py",
        "That's wrong.", "use b.py, not a.py", "use b instead", "Nein, nimm b.py.", "Ich meinte b.py.", "nicht das, das andere",
        "Non, utilise b.py.", "en fait b.py", "No, usa b.py.", "en realidad b.py", "Нет, используй b.py.", "вместо этого b.py",
        "不对，用 b.py", "改用 b.py", "違います、b.pyを使って", "いいえ、b.py", "revert it",
    ],
)  # fmt: skip
def test_what_takes_back_is_a_correction(text):
    assert corrects(text)


@pytest.mark.parametrize(
    "text",
    [
        "no problem, go on", "No, that's all for now.", "No, thanks.", "No new dependencies please.", "non-blocking please",
        "No tests are failing, nice.", "Now do b.py.", "Notiere das.", "Gut, weiter.", "D'accord.", "Хорошо.", "好的", "はい", "",
    ],
)  # fmt: skip
def test_what_goes_on_is_none(text):
    assert not corrects(text)


TEXT = st.lists(
    st.sampled_from(
        [
            "word ", "because ", "never ", ". ", "! ", "? ", "。", "！", "\n", "\r\n", "\n\n", "    x = 1", "def f(a):", "Ω",
            "不要提交", "とても長い文章です", "Please do not touch it.", "x" * 90, "y " * 60, "foo(", ")", "> ", "…", "\u2028",
        ]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@given(TEXT | st.text())
@example("本当！？はい。「いいえ。」です")
def test_sentences_are_pieces_in_order(text):
    at = 0
    for sentence in sentences(text):
        assert sentence == sentence.strip() != ""
        at = text.index(sentence, at) + len(sentence)


@given(TEXT | st.text())
def test_constraints_are_sentences(text):
    said = iter(sentences(text))
    assert all(constraint in said for constraint in constraints(text))


def test_signs_at_a_sentence_end_stay_together():
    assert sentences("本当！？はい。「いいえ。」です") == ["本当！？", "はい。", "「いいえ。」です"]


class TestGist:
    def test_what_decides_stands_and_what_does_not_is_left_out(self):
        answer = (
            "I read it all. We chose SQLite because it needs no server. It is fast. The cause was a stale lock file."
        )
        assert (
            gist(answer, 50, words) == "We chose SQLite because it needs no server. … The cause was a stale lock file."
        )

    @pytest.mark.parametrize(
        "text",
        [
            "Wir nehmen SQLite, weil es reicht.",
            "因为不需要服务器所以选择了它。",
            "サーバーが不要なので選んだ。",
            "Потому что он быстрее.",
        ],
    )
    def test_in_other_languages_too(self, text):
        assert gist(text, 50, words) == text

    def test_without_reasons_there_is_none(self):
        assert gist("Done. All tests pass now.", 50, words) == ""

    @given(TEXT | st.text(), st.integers(0, 60), st.sampled_from(COUNTERS))
    def test_it_fits_and_holds_sentences_only(self, text, most, count):
        made = gist(text, most, count)
        assert count([made])[0] <= most
        said = sentences(text)
        assert all(piece in " ".join(said) for piece in made.split(" … "))


LOG = "\n".join(f"2025-01-01 10:00:{n % 60:02} INFO request {n} took {n * 3} ms" for n in range(400))


class TestShortened:
    def test_beginning_own_sentences_and_end_stand(self):
        text = f"Look at this log.\n{LOG}\nNever change the retry logic.\n{LOG}\nfrom now on use one pool.\n{LOG}\nWhat is wrong?"
        made = shortened(text, 500, words)
        assert made.startswith("Look at this log.\n2025-01-01")
        assert made.endswith("What is wrong?")
        assert "\nNever change the retry logic.\n" in made
        assert "\nfrom now on use one pool.\n" in made

    def test_constraints_stand_before_newer_sentences(self):
        talk = "\n".join(f"and then I saw number {n} go by" for n in range(100))
        made = shortened(f"{LOG}\nNever change the retry logic.\n{LOG}\n{talk}\n{LOG}", 460, words)
        assert "Never change the retry logic." in made

    def test_sentences_without_spaces_count_as_well(self):
        made = shortened(f"{LOG}\n重试逻辑不要改动\n{LOG}\nこの関数は直さないでください\n{LOG}", 460, words)
        assert "重试逻辑不要改动" in made
        assert "この関数は直さないでください" in made

    def test_lines_that_are_cited_stand(self):
        made = shortened(f"{LOG}\nfoo.bar=1\n{LOG}", 460, words, cited=["foo.bar"])
        assert "\nfoo.bar=1\n" in made

    def test_a_long_line_loses_its_middle_only(self):
        made = shortened("begin " + "word " * 5000 + "end", 100, words)
        assert made.startswith("begin word")
        assert made.endswith("word end")
        assert 80 <= words([made])[0] <= 105

    def test_words_behind_a_long_line_stand(self):
        made = shortened("Fix this:\n" + "{'a': 1}, " * 4000 + "\nUse tabs in all files.", 400, words)
        assert made.startswith("Fix this:\n{'a': 1}")
        assert made.endswith(" …\nUse tabs in all files.")

    def test_the_first_tokens_of_a_request_always_stand(self):
        text = "\n".join(f"word{n} and more of it" for n in range(1000))
        assert shortened(text, 2 * HEAD, words).startswith(text[:1200])

    @given(TEXT | st.text(), st.integers(1, 120), st.sampled_from(COUNTERS))
    @example("x" * 2000, 9, quarters)
    def test_it_never_takes_much_more_than_it_may_and_leaves_lines_as_they_are(self, text, most, count):
        made = shortened(text, most, count)
        assert count([made])[0] <= most + 8
        lines = {line.removesuffix("\r") for line in text.split("\n")} | {"…", ""}
        changed = [line for line in made.split("\n") if line not in lines]
        assert len(changed) <= 1
        for line in changed:
            begun, _, ended = line.rpartition("…")
            assert begun.rstrip() in text
            assert ended.strip() in text

    @pytest.mark.parametrize(
        "unit", ["a(", "x ", "\n", "a\n", "{", "word word word word\n", "<", "(>  ", "\u3042", "no ", "n'", "use "]
    )
    def test_hostile_texts_take_no_longer_than_others(self, unit):
        text = (unit * 200_000)[:200_000]
        begun = time.process_time()
        shortened(text, 400, quarters, cited=["name"])
        constraints(text)
        corrects(text)
        gist(text + "because", 40, quarters)
        assert time.process_time() - begun < 2
