import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model import Message, ToolCall, ToolResult, user
from lamina.protocols import ScoreRequest
from lamina.testing.pages import page, tool_page
from lamina_scorer_supersession import SupersessionSettings
from lamina_scorer_supersession._scorer import SupersessionScorer


def scores(*pages, log=(), **settings):
    scorer = SupersessionScorer(SupersessionSettings(**settings))
    request = ScoreRequest(pages=pages, newest=max(p.id for p in (*pages, *log)), log=log)
    return asyncio.run(scorer.score(request))


def use(id, name="Read", **arguments):
    return tool_page(id, (name, json.dumps(arguments), "what it gave"))


def test_a_call_that_is_made_again_is_worth_the_least_and_its_newest_page_everything():
    assert scores(*(use(n, path="/a.py") for n in (1, 2, 3)), repeated=0.1) == [0.1, 0.1, 1.0]


def test_arguments_are_equal_whatever_their_order_and_spacing():
    first = tool_page(1, ("Grep", '{"pattern": "x", "n": 1}', "a"))
    second = tool_page(2, ("Grep", '{"n":1,"pattern":"x"}', "b"))
    assert scores(first, second) == [0.1, 1.0]


def test_another_tool_or_other_arguments_replace_nothing():
    assert scores(use(1, "Grep", q="x y"), use(2, "Find", q="x y"), use(3, "Grep", q="y x")) == [1.0] * 3


def test_a_file_that_is_named_again_by_another_call_is_worth_less():
    pages = use(1, path="/src/main.py"), use(2, "Edit", path="/src/main.py", old="a", new="b"), use(3, path="/b.py")
    assert scores(*pages, touched=0.4) == [0.4, 1.0, 1.0]


@pytest.mark.parametrize(
    "path", ["notes.md", "./src/数据库.yaml", "src\\main.py", "/Größen Übersicht/май.txt", "https://example.com/a"]
)
def test_files_are_known_by_their_paths_in_every_script(path):
    again = path.replace("\\", "/").removeprefix("./")
    assert scores(use(1, file_path=path), use(2, "Write", file_path=again, content="x")) == [0.4, 1.0]


@pytest.mark.parametrize(
    "value", ["x", "3.14", "*.py", "see a.py and b.py", "a/b\nc/d", "x" * 400 + ".py", 7, None, ["v1.2"]]
)
def test_other_values_are_no_paths(value):
    assert scores(use(1, query=value), use(2, "Other", query=value)) == [1.0, 1.0]


def test_of_several_files_all_must_be_named_again():
    both = use(1, "Diff", a="/x.py", b="/y.py")
    assert scores(both, use(2, path="/x.py")) == [1.0, 1.0]
    assert scores(both, use(2, path="/x.py"), use(3, path="/y.py")) == [0.4, 1.0, 1.0]


@pytest.mark.parametrize("result", [ToolResult("c", "gone", error=True), ToolResult("c", "[no result]")])
def test_a_call_that_came_to_nothing_replaces_nothing(result):
    call = Message("assistant", (ToolCall("c", "Read", '{"path": "/a.py"}'),))
    assert scores(use(1, path="/a.py"), page(2, call, Message("tool", (result,)))) == [1.0, 1.0]


def test_a_page_is_worth_the_mean_of_its_calls():
    one, other = ("Read", '{"path": "/a.py"}', "x"), ("Read", '{"path": "/b.py"}', "y")
    assert scores(tool_page(1, one, other), tool_page(2, one), repeated=0.0) == [0.5, 1.0]
    assert scores(tool_page(1, one, one)) == [1.0]


def test_the_log_shows_replacements_that_are_no_candidates():
    old, new = use(1, path="/a.py"), use(2, path="/a.py")
    assert scores(old) == [1.0]
    assert scores(old, log=[old, new]) == [0.1]


def test_pages_without_calls_are_never_superseded():
    assert scores(page(1, user("/a.py")), page(2, user("/a.py")), use(3, path="/a.py")) == [1.0] * 3


@pytest.mark.parametrize("arguments", ["", "{", "[" * 100_000, '"text"', "NaN", '{"path": "\\ud800.py"}'])
def test_arguments_that_are_no_json_object_are_compared_as_they_are(arguments):
    pages = [tool_page(n, ("Run", arguments, "x")) for n in (1, 2)]
    assert scores(*pages) == [0.1, 1.0]


@given(st.lists(st.sampled_from(["/a.py", "/b.py", "/c.py"]), min_size=1, max_size=12))
def test_of_each_file_only_the_newest_page_is_worth_everything(paths):
    found = scores(*(use(n, path=path) for n, path in enumerate(paths, 1)))
    assert [s == 1.0 for s in found] == [path not in paths[n + 1 :] for n, path in enumerate(paths)]


@pytest.mark.parametrize("wrong", [{"repeated": -0.1}, {"touched": 1.1}, {"repeated": 0.5, "touched": 0.4}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        SupersessionSettings(**wrong)
