"""The measures, on conversations small enough to check by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lamina_command_replay._figures import Figures, total
from lamina_command_replay._measures import Measure, is_broken
from lamina_command_replay._texts import Texts, argument_values, atoms, last_word, same_words, surroundings
from lamina_command_replay._verbatim import Originals


def words(texts):
    return [len(text.split()) for text in texts]


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


def call(id, text="", **arguments):
    function = {"name": "run", "arguments": json.dumps(arguments)}
    return {"role": "assistant", "content": text, "tool_calls": [{"id": id, "type": "function", "function": function}]}


def result(id, text):
    return {"role": "tool", "tool_call_id": id, "content": text}


def filler(n):
    return " ".join(f"padding{'x' * (k % 7)}" for k in range(n))


def measured(messages, windows, budget=40):
    measure = Measure("s", messages, budget, Texts(words))
    for index, window in windows.items():
        measure.step(index, window)
    return measure.figures


def past(*, page="and now the error?"):
    """A pressed session whose last message uses ``port_8417``, said at its start."""
    return [
        user("we chose port_8417 for the parcel service"),
        says(filler(60)),
        user(page),
        says("It still listens on port_8417."),
    ]


def test_a_needed_atom_that_stands_in_the_window_is_kept():
    messages = past()
    figures = measured(messages, {3: [messages[0], messages[2]]})
    assert (figures.needed, figures.kept, figures.shown) == (1, 1, 1)


def test_who_watches_is_told_what_each_window_came_to():
    messages = [*past(), user("and port_8417 with host_2?"), says("host_2, port_8417, tracker.py")]
    windows = {1: messages[:1], 3: [messages[2]], 5: [messages[0], messages[2]]}
    told = []
    measure = Measure("s", messages, 40, Texts(words), told.append)
    for index, window in windows.items():
        measure.step(index, window)
    assert [one.index for one in told] == [1, 3, 5]
    assert [one.lost for one in told] == [(), (("port_8417", 0),), ()]
    assert [one.counts.get("pressed", 0) for one in told] == [0, 1, 1]
    assert [one.cached for one in told] == [0, 0, 0]
    for name, count in measure.figures.counts().items():
        assert sum(one.counts.get(name, 0) for one in told) == count
    assert measure.figures == measured(messages, windows)


def test_a_needed_atom_that_does_not_stand_in_the_window_is_lost():
    messages = past()
    figures = measured(messages, {3: [messages[2]]})
    assert (figures.needed, figures.kept, figures.shown) == (1, 0, 0)


def test_an_atom_without_its_surroundings_is_kept_but_not_shown():
    messages = past()
    figures = measured(messages, {3: [user("[1: port_8417]"), messages[2]]})
    assert (figures.kept, figures.shown) == (1, 0)


def test_an_atom_in_a_longer_word_is_not_kept():
    messages = past()
    figures = measured(messages, {3: [user("port_84170 import_8417"), messages[2]]})
    assert figures.kept == 0


def test_an_atom_of_the_newest_page_is_trivial():
    messages = past(page="is port_8417 open?")
    figures = measured(messages, {3: [messages[2]]})
    assert (figures.needed, figures.trivial_atoms, figures.trivial) == (0, 1, 1.0)


def test_an_atom_of_the_system_message_is_trivial():
    messages = [{"role": "system", "content": "the port is port_8417"}, *past()]
    figures = measured(messages, {4: [messages[0], messages[3]]})
    assert (figures.needed, figures.trivial_atoms) == (0, 1)


@pytest.mark.parametrize(("between", "far"), [(8, 0), (9, 1)])
def test_an_atom_ten_messages_back_is_far(between, far):
    steps = [says(f"{filler(20)} step {k}") for k in range(between)]
    messages = [user("we chose port_8417"), *steps, says("port_8417")]
    figures = measured(messages, {between + 1: [messages[-2]]})
    assert (figures.needed, figures.far, figures.far_lost) == (1, far, far)
    assert figures.far_faults == far


def test_a_session_below_the_budget_is_not_pressed():
    messages = past()
    figures = measured(messages, {3: messages[:3]}, budget=1000)
    assert (figures.steps, figures.pressed, figures.needed, figures.history_fresh) == (1, 0, 0, 0)


def test_windows_over_the_budget_are_counted_whether_pressed_or_not():
    messages = past()
    assert measured(messages, {1: [user(filler(60))], 3: [user(filler(60))]}).over == 2


def test_the_bill_takes_a_tenth_for_the_prefix_of_the_window_before():
    messages = [user(filler(60)), says("one"), user("two"), says("three")]
    first, second = [messages[0]], messages[:3]
    figures = measured(messages, {1: first, 3: second})
    assert (figures.window_cached, figures.window_fresh) == (64, 64 + 5 + 5)
    assert figures.bill == pytest.approx(1.0)


def test_a_changed_first_message_makes_the_whole_window_fresh():
    messages = [user(filler(60)), says("one"), user("two"), says("three")]
    figures = measured(messages, {1: [messages[0]], 3: [user("[digest]"), *messages[1:3]]})
    assert figures.window_cached == 0
    assert figures.history_cached == 64


def test_a_window_without_the_newest_page_is_thin():
    messages = past()
    assert measured(messages, {3: [messages[0]]}).thin == 1
    assert measured(messages, {3: [messages[0], messages[2]]}).thin == 0


def test_a_window_of_shreds_is_thin():
    messages = past()
    shreds = user(" … ".join(f"shred_{k} of something" for k in range(30)))
    assert measured(messages, {3: [shreds, messages[2]]}).thin == 1


def test_a_page_larger_than_a_quarter_of_the_room_may_be_shortened():
    lines = "\n".join(f"{k} {filler(5)} line_{k}" for k in range(40))
    messages = [user("read it"), call("c1", path="a"), result("c1", lines), says("read")]
    half = "\n".join(lines.split("\n")[:12]) + "\n[… expand 2]"
    assert measured(messages, {3: [messages[0], messages[1], result("c1", half)]}, budget=100).thin == 0
    assert measured(messages, {3: [messages[0], messages[1], result("c1", "[cleared]")]}, budget=100).thin == 1


def test_a_result_encoded_anew_counts_as_whole_and_gives_context():
    rows = [{"parcel": f"PB-{k}", "status": "in_transit", "weight_g": 100 + k} for k in range(30)]
    table = "parcel status weight_g\n" + "\n".join(f"PB-{k} in_transit {100 + k}" for k in range(30))
    messages = [
        user("list"),
        call("c1", path="/api"),
        result("c1", json.dumps(rows)),
        user("which weighs 117?"),
        says("PB-17"),
        user("so?"),
        says("I deliver PB-17"),
    ]
    window = [messages[0], messages[1], result("c1", table), messages[5]]
    figures = measured(messages, {6: window})
    assert (figures.kept, figures.shown, figures.thin) == (1, 1, 0)


@pytest.mark.parametrize(
    ("window", "broken"),
    [
        ([user("a"), says("b")], False),
        ([call("c1"), result("c1", "x")], False),
        ([call("c1")], True),
        ([result("c1", "x")], True),
        ([call("c1"), user("b"), result("c1", "x")], True),
        ([call("c1"), result("c1", "x"), result("c1", "x")], True),
        ([], False),
    ],
)
def test_a_pair_that_is_split_breaks_a_window(window, broken):
    assert is_broken(window) is broken


def test_an_image_costs_what_it_is_said_to_cost():
    message = {
        "role": "user",
        "content": [{"type": "text", "text": "see this"}, {"type": "image_url", "image_url": {"url": "data:"}}],
    }
    assert Texts(words, image_tokens=100).facts(message).tokens == 4 + 2 + 100


def test_images_are_counted_by_the_counter_where_it_can():
    message = {
        "role": "user",
        "content": [{"type": "image_url", "image_url": {"url": u}} for u in ("short", "a longer")],
    }
    texts = Texts(words, count_images=lambda images: [len(image.data) for image in images])
    assert texts.facts(message).tokens == 4 + len("short") + len("a longer")
    assert texts.facts({**message, "content": message["content"][:1]}).tokens == 4 + len("short")


def test_each_text_is_counted_once():
    counted = []

    def count(texts):
        counted.extend(texts)
        return words(texts)

    texts = Texts(count)
    messages = past()
    for _ in range(3):
        measure = Measure("s", messages, 40, texts)
        measure.step(1, messages[:1])
        measure.step(3, messages[:3])
    assert sorted(counted) == sorted(set(counted))


def test_argument_values_leave_out_keys_and_decode_strings():
    assert (
        argument_values('{"file_path": "a.py", "edits": [{"n": 1, "text": "x\\ny"}], "all": true}')
        == "a.py\n1\nx\ny\ntrue"
    )
    assert argument_values("{not json") == "{not json"


def test_atoms_are_telling_words():
    text = "the tracker.py at /srv/app uses portNumber and MAX_AGE, not tracker or a1 (v1.2.3)"
    assert atoms(text) == {"tracker.py", "srv/app", "portNumber", "MAX_AGE", "v1.2.3"}


@given(st.text("ab_é1 .", max_size=40), st.text("ab_1", min_size=1, max_size=4))
@example("ab ab", "ab")
@example("aaab", "aa")
def test_the_last_word_is_the_last_standing_that_is_not_glued(text, word):
    def glued(at):
        before, after = text[:at][-1:], text[at + len(word) :][:1]
        return any(c.isalnum() or c == "_" for c in (before, after) if c)

    standing = [at for at in range(len(text)) if text.startswith(word, at) and not glued(at)]
    assert last_word(text, word) == (standing[-1] if standing else -1)


@given(st.text("ab\n", max_size=30), st.text("xy\n", max_size=30), st.integers(0, 10))
def test_surroundings_stay_within_the_line_and_the_reach(before, after, reach):
    found = surroundings(f"{before} W0RD {after}", "W0RD", reach)
    assert "\n" not in found
    assert "W0RD" in found
    assert len(found) <= 4 + 2 * reach
    assert found in f"{before} W0RD {after}"


def test_the_same_words_in_another_order_are_the_same():
    assert same_words("a b c d", "d c b a")
    assert not same_words("a b c d", "a b c")
    assert not same_words("a b", "")


def test_runs_of_complete_lines_are_solid_and_shorter_ones_are_not():
    lines = [f"line {k} " + "y" * 40 for k in range(10)]
    originals = Originals(lambda text: len(text.split("\n")))
    originals.add("\n".join(lines))
    originals.add("\n".join(reversed(lines)))
    assert originals.solid("\n".join(["[1]", *lines[2:7], "[…]", lines[9]])) == 5
    assert originals.solid("\n".join(lines[2:5])) == 0
    assert originals.solid("\n".join(reversed(lines))) == 10


def test_a_run_does_not_cross_from_one_message_to_the_next():
    originals = Originals(lambda text: len(text))
    originals.add("a" * 150)
    originals.add("b" * 150)
    assert originals.solid("a" * 150 + "\n" + "b" * 150) == 0


counts = st.integers(0, 1000)
some_figures = st.builds(
    Figures,
    steps=counts,
    kept=counts,
    needed=counts,
    window_fresh=counts,
    history_fresh=counts,
    sessions=st.dictionaries(st.sampled_from("abc"), st.tuples(counts, counts)),
)


@given(st.lists(some_figures, max_size=4), st.randoms())
def test_figures_add_up_in_any_order(figures, random):
    shuffled = random.sample(figures, len(figures))
    assert total(shuffled) == total(figures)
    assert total([total(figures[:2]), total(figures[2:])]) == total(figures)


def test_figures_of_nothing_are_zero():
    assert set(total([]).rates().values()) == {0.0}
