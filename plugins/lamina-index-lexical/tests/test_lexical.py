import asyncio
import sqlite3

import pytest

from lamina.errors import IntegrityError
from lamina.protocols import IndexUpdate, SearchRequest
from lamina.testing import LoneHost, documents_of
from lamina_index_lexical import LexicalSettings, open_lexical
from lamina_index_lexical._words import stem, words


def search(home, texts, query, **request):
    async def act():
        async with open_lexical(LexicalSettings(), LoneHost(home)) as index:
            await index.update(IndexUpdate(add=documents_of(texts)))
            return [hit.id for hit in await index.search(SearchRequest(query=query, **request))]

    return asyncio.run(act())


@pytest.mark.parametrize(
    "query", ["open_index_file", "openIndexFile", "index", "INDEX", "src/app/openIndexFile.py", "app", "files"]
)
def test_an_identifier_is_found_whole_and_by_its_parts(tmp_path, query):
    texts = {"camel": "see openIndexFile in src/app/openIndexFile.py", "other": "nothing of the kind"}
    assert search(tmp_path, texts, query) == ["camel"]


def test_an_exact_identifier_is_before_its_parts(tmp_path):
    texts = {"parts": "open the index; index of the file, open file", "whole": "call open_index_file here"}
    assert search(tmp_path, texts, "open_index_file")[0] == "whole"


@pytest.mark.parametrize(
    ("said", "asked"),
    [("painted", "paint"), ("running", "runs"), ("ponies", "pony"), ("dances", "dancing"), ("classes", "class")],
)
def test_plain_inflections_of_english_are_one_word(said, asked):
    assert stem(said) == stem(asked)


@pytest.mark.parametrize("word", ["bus", "this", "sing", "red", "12ing", "größes", "is"])
def test_what_is_no_inflection_stays(word):
    assert stem(word) == word


def test_every_word_is_one_token_of_the_tokenizer(tmp_path):
    found = words("a_b.c  Größe-naïve ＦＵＬＬ １２ 日本語 x\0y \ud800z कि 'q' \ue000")
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE t USING fts5(w, tokenize = 'ascii')")
    db.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, row)")
    db.execute("INSERT INTO t VALUES (?)", (" ".join(found),))
    assert {term for (term,) in db.execute("SELECT term FROM v")} == set(found)
    db.close()


def test_words_in_full_width_or_another_case_are_the_same():
    assert words("ＰＯＲＴ Straße") == words("port STRASSE")


def test_a_query_of_stop_words_alone_is_answered(tmp_path):
    assert search(tmp_path, {"a": "to be or not to be", "b": "port"}, "to be or not") == ["a"]


def test_a_single_character_of_a_script_without_spaces_is_found(tmp_path):
    assert search(tmp_path, {"a": "港口已经改了", "b": "别的事情"}, "港") == ["a"]


def test_rare_words_do_not_hide_the_rest_when_few_have_them(tmp_path, monkeypatch):
    monkeypatch.setattr("lamina_index_lexical._fts.POSTINGS", 3)
    texts = {f"{n:02}": "alpha beta" for n in range(20)} | {"rare": "gamma"}
    found = search(tmp_path, texts, "alpha beta gamma delta", limit=10)
    assert len(found) == 10
    assert found[0] == "rare"


def test_a_file_that_is_no_database_is_refused_with_its_path(tmp_path):
    (tmp_path / "lexical.db").write_bytes(b"not a database at all, " * 100)
    with pytest.raises(IntegrityError, match=r"lexical\.db"):
        search(tmp_path, {}, "a")


def test_a_file_of_a_newer_release_is_refused_and_left_alone(tmp_path):
    search(tmp_path, {"a": "port"}, "port")
    with sqlite3.connect(tmp_path / "lexical.db") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(IntegrityError, match="newer release"):
        search(tmp_path, {}, "port")


def test_an_index_that_was_filled_by_other_rules_starts_anew(tmp_path, monkeypatch):
    async def opened(act):
        async with open_lexical(LexicalSettings(), LoneHost(tmp_path)) as index:
            return await act(index)

    async def fill(index):
        await index.update(IndexUpdate(add=documents_of({"a": "port"})))
        return index.generation

    async def look(index):
        return index.generation, await index.search(SearchRequest(query="port"))

    before = asyncio.run(opened(fill))
    monkeypatch.setattr("lamina_index_lexical._words.VERSION", 99)
    generation, hits = asyncio.run(opened(look))
    assert generation != before
    assert hits == []


def test_a_failing_update_changes_nothing(tmp_path):
    async def act():
        async with open_lexical(LexicalSettings(), LoneHost(tmp_path)) as index:
            await index.update(IndexUpdate(add=documents_of({"a": "port"})))
            index._db.execute(
                f"CREATE TRIGGER full BEFORE INSERT ON {index._docs} WHEN new.words = 'boom' "
                "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
            )
            with pytest.raises(IntegrityError):
                await index.update(IndexUpdate(add=documents_of({"b": "server", "c": "boom"}), remove=frozenset({"a"})))
            return [[h.id for h in await index.search(SearchRequest(query=q))] for q in ("port", "server")]

    assert asyncio.run(act()) == [["a"], []]
