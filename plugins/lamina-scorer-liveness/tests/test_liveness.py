import asyncio
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model import assistant, user
from lamina.protocols import ScoreRequest
from lamina.testing.pages import page, tool_page
from lamina_scorer_liveness import LivenessSettings
from lamina_scorer_liveness._scorer import LivenessScorer


def scores(pages, newest=None, log=(), scorer=None, **settings):
    scorer = scorer or LivenessScorer(LivenessSettings(**settings))
    newest = newest or max(p.id for p in (*pages, *log))
    return asyncio.run(scorer.score(ScoreRequest(pages=pages, newest=newest, log=log)))


def said(*texts):
    return [page(n, user(text)) for n, text in enumerate(texts, 1)]


FILLER = ["and so on"] * 30


def test_a_page_whose_identifiers_are_cited_again_outlives_one_whose_are_not():
    cited, forgotten, *_ = scores(said("see src/main.py", "see src/other.py", *FILLER, "edit src/main.py"))
    assert cited == pytest.approx(1)
    assert forgotten < 0.2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("文件config/数据库.yaml定义端口8765。", "请检查config/数据库.yaml"),
        ("設定.json でポート8765を使う", "もう一度「設定.json」を見て、8765か確認"),
        ("Die Datei Größen_Übersicht.csv hat Fehler", "Öffne Größen_Übersicht.csv erneut"),
        ("В файле отчёт_май.txt ошибка", "Открой отчёт_май.txt ещё раз"),
    ],
)
def test_identifiers_keep_pages_alive_in_every_script(old, new):
    cited, forgotten, *_ = scores(said(old, "see other_file.txt", *FILLER, new))
    assert cited > 2 * forgotten


def test_a_mention_counts_half_after_a_half_life():
    for half_life in (2.0, 7.0):
        [first, *_] = scores(said("main_1.py", *FILLER), half_life_pages=half_life)
        assert first == pytest.approx(0.5 ** (30 / half_life), abs=1e-3)


def test_a_page_is_alive_by_the_share_of_its_identifiers():
    pages = said("alpha_1 beta_2 gamma_3 delta_4", *FILLER, *FILLER, "alpha_1", "beta_2 alpha_1 x")
    assert scores(pages, half_life_pages=1)[0] == pytest.approx(0.5)


def test_enough_live_identifiers_make_a_large_page_fully_alive():
    many = " ".join(f"name_{i}" for i in range(1000))
    pages = said(many, *FILLER, "name_1 name_2 name_3 name_4")
    assert scores(pages, enough=4)[0] == pytest.approx(1)
    assert scores(pages, enough=8)[0] == pytest.approx(0.5)


def test_the_log_gives_mentions_that_candidates_do_not():
    log = said("see src/main.py", "see src/other.py", *FILLER, "edit src/main.py")
    cited, forgotten = scores(log[:2], log=log)
    assert [cited, forgotten] == scores(log)[:2]
    assert cited > forgotten


def test_calls_and_results_mention_too():
    pages = [*said("src/main.py", "src/other.py", *FILLER), tool_page(99, ("Read", '{"path": "/src/main.py"}', "x"))]
    cited, forgotten, *_ = scores(pages)
    assert cited > forgotten


def test_a_new_page_is_alive_and_a_page_that_names_nothing_fades():
    found = scores([*said("start", "then"), *(page(n, assistant("yes")) for n in range(3, 60))])
    assert found == sorted(found)
    assert found[-1] == 1


@given(st.lists(st.lists(st.sampled_from(["a_1_x", "b_2_x", "c_3_x", "word"]), max_size=4), min_size=2, max_size=20))
def test_a_further_mention_never_makes_a_page_less_alive(texts):
    pages = said(*(" ".join(t) for t in texts))
    more = [*pages[:-1], page(len(pages), user(" ".join([*texts[-1], *texts[0]])))]
    assert scores(more)[0] >= scores(pages)[0] - 1e-12


def test_what_was_read_goes_with_the_page():
    scorer = LivenessScorer(LivenessSettings())
    pages = said("src/main.py", "x")
    scores(pages, scorer=scorer)
    assert len(scorer._known) == 2
    del pages
    gc.collect()
    assert len(scorer._known) == 0


@pytest.mark.parametrize("wrong", [{"half_life_pages": 0}, {"enough": 0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        LivenessSettings(**wrong)
