import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lamina.kit.identifiers import LONGEST, LONGEST_WORD, SHORTEST, identifiers, words

NASTY = st.text(st.sampled_from("aZ09_./:#@$-\\\"'{}[]() \n\tunßüйЖ好数カ글กé\u0301😀\u200d\ud800\x00²٣"), max_size=60)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("open /src/lamina/model.py now", {"src/lamina/model.py", "model.py"}),
        ("see main.py:120, then main.py.", {"main.py:120", "main.py"}),
        ("port 8765 and MAX_TOKENS, parseJson()", {"8765", "MAX_TOKENS", "parseJson"}),
        ("order #W1234567 for ana_li@example.com", {"W1234567", "ana_li@example.com", "ana_li", "example.com"}),
        ("at 2024-05-15T10:30:00 by gpt-4o", {"2024-05-15T10:30:00", "2024-05-15T10", "gpt-4o"}),
        ("https://example.com/a/b.html", {"https://example.com/a/b.html", "example.com/a/b.html", "b.html"}),
        ("std::vector2 ../up/one.c", {"std::vector2", "vector2", "up/one.c", "one.c"}),
        ('{"path":"a\\nfoo_bar","n":1250.75}', {"foo_bar", "1250.75"}),
    ],
)
def test_paths_names_and_numbers_are_identifiers(text, named):
    assert identifiers(text) == named


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plain words, and nothing else!",
        "well-known half-baked ideas",
        "x_1 a.b 12",
        "wait...what",
        "A/B 和/或 读/写操作",
    ],
)
def test_prose_and_short_runs_name_nothing(text):
    assert identifiers(text) == set()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("请打开src/main.py文件，端口是8765。", {"src/main.py", "main.py", "8765"}),
        (
            "看 config/数据库.yaml 和“报告.txt”；用户/管理员/访客都可以。",
            {"config/数据库.yaml", "数据库.yaml", "报告.txt"},
        ),
        ("ポート8765を使う。「設定.json」とparse_configを確認", {"8765", "設定.json", "parse_config"}),
        ("Die Datei Größen_Übersicht.csv, 12.03.2024, z.B. im Straßenverkehr", {"Größen_Übersicht.csv", "12.03.2024"}),
        ("Файл отчёт_май.txt и классПорта, заказ №45871 от Москва", {"отчёт_май.txt", "классПорта", "45871"}),
        ("main_app.py를 열고 8080번 포트", {"main_app.py", "8080"}),
    ],
)
def test_identifiers_are_found_in_every_script(text, named):
    assert identifiers(text) == named


@pytest.mark.parametrize("text", ["数据库/端口_8765.yaml", "Größe_1", "😀 emoji_name", 'quote " src/main.py'])
def test_escaped_json_names_what_the_text_itself_names(text):
    assert identifiers(json.dumps({"a": text})) >= identifiers(text)
    assert words(json.dumps([text])) == words(text)


@settings(max_examples=500, deadline=None)
@given(NASTY)
@example("/ก:00")
@example("/数/a_1")
@example("a/数-_Жü@0ก")
@example("\\u")
@example("\\ud83d")
@example("\\\\u00e9t_1")
def test_every_identifier_stands_in_the_text_and_names_itself(text):
    for name in identifiers(text):
        assert SHORTEST <= len(name) <= LONGEST
        assert name in identifiers(name)
        if "\\u" not in text:
            assert name in text


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aZ09_./:#@$-\\\"' \n\tu→—✓│🙂"), max_size=60))
def test_signs_that_are_no_letters_only_separate(text):
    """The quick pattern for ASCII takes such texts; a letter beyond ASCII, which names nothing, has the general one."""
    assert identifiers(text) == identifiers(text + "\nй")


@given(NASTY, NASTY)
def test_what_lines_name_their_text_names(first, second):
    """Text can be read line by line, as long as no JSON escape is cut."""
    assert identifiers(f"{first}\n{second}") == identifiers(first) | identifiers(second)
    assert words(f"{first}\n{second}") == words(first) + words(second)


@settings(max_examples=200, deadline=None)
@given(NASTY)
def test_words_are_folded_and_stable(text):
    found = words(text)
    assert all(0 < len(word) <= 3 * LONGEST_WORD for word in found)
    assert all(words(word) == [word] for word in found)
    assert all(not c.isspace() for word in found for c in word)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The TokenCounter's max_tokens", ["the", "tokencounter", "token", "counter", "s", "max", "tokens"]),
        ("STRASSE Straße", ["strasse", "strasse"]),
        ("数据库 中", ["数据", "据库", "中"]),
        ("ﾎﾟｰﾄ８７６５を", ["ポー", "ート", "8765", "を"]),
        ("Подключение к БД", ["подключение", "к", "бд"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("cafe\u0301 café", ["café", "café"]),
    ],
)
def test_words_compare_equal_in_every_script(text, found):
    assert words(text) == found


@pytest.mark.parametrize(
    "unit", ["a", "-", "a-", "a/", "#", "$a", "数", "数.", "/数", "\\", "\\u0041", "a:", "é", "éA", "a.好", "\u0301"]
)
@pytest.mark.parametrize("find", [identifiers, words])
def test_no_text_takes_more_than_linear_time(find, unit):
    """A quadratic search over a million characters would run into the time limit of the tests."""
    find(unit * (1_000_000 // len(unit)))
