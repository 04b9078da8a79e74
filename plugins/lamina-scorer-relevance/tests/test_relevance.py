import asyncio
import gc
import subprocess
import sys

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import ConfigError
from lamina.kit.vectors import packed
from lamina.model import assistant, system, user
from lamina.protocols import ScoreRequest
from lamina.testing import LoneHost
from lamina.testing.pages import page, tool_page
from lamina_scorer_relevance import RelevanceSettings, open_relevance
from lamina_scorer_relevance._postings import MOST_TERMS, Postings
from lamina_scorer_relevance._scorer import RelevanceScorer


def scores(pages, query=None, log=(), session="s", scorer=None, **chosen):
    scorer = scorer or RelevanceScorer(RelevanceSettings(**chosen))
    newest = max(p.id for p in (*pages, *log))
    request = ScoreRequest(pages=pages, newest=newest, query=query, log=log, session=session)
    return asyncio.run(scorer.score(request))


def said(*texts):
    return [page(n, assistant(text)) for n, text in enumerate(texts, 1)]


NOISE = ["the weather was fine and the day was long", "a cat sat on the mat", "nothing to see in the log", "ok then"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The database connection uses port 8765.", "which ports do database connections use?"),
        ("数据库连接失败，请检查端口。", "哪个端口连接数据库？"),
        ("データベースの接続にはポート８７６５を使います。", "データベースのポートは8765？"),
        ("Подключение к базе данных использует порт 8765.", "какой порт у подключения к базе данных?"),
        ("Die Datenbankverbindung benutzt den Anschluß 8765.", "Anschluss der Datenbankverbindungen?"),
        ("def open_connection(portNumber): ...", "where is the port number of the connection set?"),
    ],
)
def test_the_page_that_speaks_of_the_query_is_worth_the_most(text, query):
    found = scores(said(*NOISE[:2], text, *NOISE[2:]), query)
    assert found[2] == 1
    assert max(found[:2] + found[3:]) < 0.7


def test_rare_words_say_more_than_common_ones():
    pages = said("common rare", *["common word"] * 3, *["other text"] * 4)
    found = scores([*pages, page(9, assistant("common common common"))], "common rare")
    assert found[0] == 1
    assert 0 < found[8] < 1
    assert found[4:8] == [0] * 4


def test_a_query_that_no_page_speaks_of_makes_all_worthless():
    assert scores(said(*NOISE), "zygote") == [0] * 4


def test_without_a_query_the_newest_user_messages_are_the_goal():
    pages = [
        page(1, system("You fix ports and invoices.")),
        page(2, assistant("The invoice total is wrong.")),
        page(3, assistant("The port is taken.")),
        page(4, user("Please fix the invoice.")),
        page(5, user("No, first find a free port!")),
        page(6, assistant("Looking at trees.")),
    ]
    found = scores(pages)
    assert found[3:5] == [0.5, 1.0]
    assert found[2] > found[1] > found[5] == 0
    assert scores(pages, goal_messages=0) == [0] * 6


def test_a_query_comes_before_the_goal_and_a_blank_one_is_none():
    pages = [page(1, assistant("invoice")), page(2, assistant("tree")), page(3, user("about the invoice"))]
    assert scores(pages, "tree")[:2] == [0, 1]
    assert scores(pages, " \n") == scores(pages)


def test_the_log_gives_the_goal_that_is_no_candidate():
    log = [page(1, assistant("invoice")), page(2, assistant("tree")), page(3, user("find the invoice"))]
    assert scores(log[:2], log=log) == [1, 0]


def test_calls_and_results_are_read_too():
    pages = [tool_page(1, ("Read", '{"path": "src/billing.py"}', "x")), tool_page(2, ("Run", "{}", "invoice 77"))]
    assert scores([*pages, *said(*NOISE)[2:]], "billing") == [1, 0, 0, 0]
    assert scores([*pages, *said(*NOISE)[2:]], "invoice 77") == [0, 1, 0, 0]


def test_endings_do_not_matter_unless_whole_words_are_asked_for():
    pages = said("configurations", *NOISE)
    assert scores(pages, "configured")[0] == 1
    assert scores(pages, "configured", stem_letters=0)[0] == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("red green blue port cat".split()), max_size=5), min_size=1, max_size=12),
    st.data(),
)
def test_scores_do_not_hang_on_what_was_read_before(texts, data):
    pages = said(*(" ".join(t) for t in texts))
    some = data.draw(st.lists(st.sampled_from(pages), unique_by=id, min_size=1))
    used = RelevanceScorer(RelevanceSettings())
    scores(pages, "red cat", scorer=used)
    grown = [evolve(p) for p in pages[::2]]
    scores(grown, "blue", scorer=used)
    assert scores(some, "red port", scorer=used) == scores(some, "red port")


def test_only_the_rarest_words_of_a_long_query_are_looked_up_whatever_was_read_before():
    pages = said(*(" ".join(f"w{i}x" for i in range(n + 1)) for n in range(3 * MOST_TERMS)))
    query = " ".join(f"w{i}x" for i in range(3 * MOST_TERMS))
    fresh, used = Postings(0), Postings(0)
    terms = dict.fromkeys(query.split(), 1.0)
    used.search(said(*[query] * 50), terms)
    assert used.search(pages, terms) == fresh.search(pages, terms)
    found = fresh.search(pages, terms)
    assert set(found) == set(range(2 * MOST_TERMS + 1, 3 * MOST_TERMS + 1))


def test_sessions_do_not_colour_each_other():
    scorer = RelevanceScorer(RelevanceSettings())
    first, second = said("port", *NOISE), said("port", "port", "port cat", "cat")
    alone = scores(first, "port cat", session="a", scorer=scorer)
    scores(second, "port cat", session="b", scorer=scorer)
    assert scores(first, "port cat", session="a", scorer=scorer) == alone == scores(first, "port cat")


def test_postings_of_pages_that_are_gone_are_let_go():
    postings = Postings(0)
    for _ in range(40):
        postings.search(said(*[f"word {n}" for n in range(100)]), {"word": 1.0})
        gc.collect()
    assert len(postings._lengths) < 1500


class Synonyms:
    """Knows two ideas."""

    dimensions = 2
    batch = 2
    fingerprint = "synonyms"

    def __init__(self):
        self.asked = []

    async def embed(self, request):
        self.asked += request.texts
        return packed([[float("car" in t or "auto" in t), float("bread" in t)] for t in request.texts], 2)


def test_vectors_find_what_words_do_not(tmp_path):
    embedder = Synonyms()

    async def ask():
        host = LoneHost(tmp_path, parts={("embedder", "syn"): embedder})
        async with open_relevance(RelevanceSettings(embedder="syn", vector_share=0.5), host) as scorer:
            pages = said("the automobile", "the loaf of bread", "else")
            found = [await scorer.score(ScoreRequest(pages=pages, newest=3, query="car")) for _ in range(2)]
            found.append(await scorer.score(ScoreRequest(pages=pages, newest=3)))
            return found

    first, second, without = asyncio.run(ask())
    assert first == second == [0.5, 0, 0]
    assert without == [0, 0, 0]
    assert sorted(embedder.asked) == sorted(["the automobile", "the loaf of bread", "else", "car", "car"])


def test_an_embedder_that_is_not_configured_is_an_error(tmp_path):
    async def ask():
        async with open_relevance(RelevanceSettings(embedder="gone"), LoneHost(tmp_path)):
            pass

    with pytest.raises(ConfigError, match="embedders.gone"):
        asyncio.run(ask())


def test_numpy_is_not_imported_without_an_embedder():
    code = "import lamina_scorer_relevance._scorer, sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "wrong", [{"goal_messages": -1}, {"stem_letters": -1}, {"vector_share": 1.5}, {"embed_characters": 0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        RelevanceSettings(**wrong)
