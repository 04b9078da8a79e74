import datetime
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.dates import Days, days_of

NOW = datetime.datetime(2023, 5, 25, 13, 0, tzinfo=datetime.UTC)
"""A Thursday."""


def spoken(text, now=NOW):
    found = days_of(text, now.timestamp() if now else 0)
    return [tuple(datetime.date.fromordinal(day).isoformat() for day in (days.first, days.last)) for days in found]


def day(text):
    return [(text, text)]


MAY_22 = [("2022-05-01", "2022-05-31")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 2023-03-14", day("2023-03-14")),
        ("2023/3/14, at noon", day("2023-03-14")),
        ("am 14.3.2023", day("2023-03-14")),
        ("since 2023-03", [("2023-03-01", "2023-03-31")]),
        ("7 May 2023", day("2023-05-07")),
        ("May 7th, 2023", day("2023-05-07")),
        ("the 7th of May", day("2023-05-07")),
        ("in June", [("2022-06-01", "2022-06-30")]),
        ("in 2021", [("2021-01-01", "2021-12-31")]),
        ("last May", MAY_22),
        ("letzten Mai", MAY_22),
        ("yesterday", day("2023-05-24")),
        ("today and tomorrow", day("2023-05-25") + day("2023-05-26")),
        ("two weeks ago", [("2023-05-08", "2023-05-14")]),
        ("3 days ago", day("2023-05-22")),
        ("last week", [("2023-05-15", "2023-05-21")]),
        ("last Friday", day("2023-05-19")),
        ("last month", [("2023-04-01", "2023-04-30")]),
        ("this year", [("2023-01-01", "2023-12-31")]),
        ("next weekend", [("2023-06-03", "2023-06-04")]),
        ("gestern", day("2023-05-24")),
        ("vorgestern", day("2023-05-23")),
        ("vor zwei Wochen", [("2023-05-08", "2023-05-14")]),
        ("letzte Woche", [("2023-05-15", "2023-05-21")]),
        ("am 3. März 2022", day("2022-03-03")),
        ("je l'ai vu hier", day("2023-05-24")),
        ("il y a trois jours", day("2023-05-22")),
        ("la semaine dernière", [("2023-05-15", "2023-05-21")]),
        ("le 3 mars 2022", day("2022-03-03")),
        ("ayer", day("2023-05-24")),
        ("hace dos semanas", [("2023-05-08", "2023-05-14")]),
        ("la semana pasada", [("2023-05-15", "2023-05-21")]),
        ("3 de marzo de 2022", day("2022-03-03")),
        ("вчера", day("2023-05-24")),
        ("昨天", day("2023-05-24")),
        ("2022年3月3日", day("2022-03-03")),
    ],
)
def test_times_are_found_by_the_clock_of_who_speaks(text, expected):
    assert spoken(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "you may go", "this may help", "was gibt es hier", "por la mañana", "version 3.14.159", "port 8417",
        "2023-13-45", "2023-02-30", "1999 files", "a couple of things", "in a second",
    ],
)  # fmt: skip
def test_what_is_no_time_is_none(text):
    assert spoken(text) == []


def test_where_nobody_knows_when_it_was_said_only_full_dates_count():
    assert spoken("yesterday, last May, in June, on 2023-03-14", now=None) == day("2023-03-14")


@given(st.text(max_size=200), st.floats(0, 4e9))
def test_any_text_gives_ranges_whose_ends_are_in_order(text, now_s):
    assert all(0 < days.first <= days.last for days in days_of(text, now_s))


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)))
def test_an_iso_date_is_that_day_at_whatever_time(date):
    assert (
        days_of(f"on {date.isoformat()}.", 0.0)
        == days_of(f"on {date.isoformat()}.", 1e9)
        == [Days(date.toordinal(), date.toordinal())]
    )


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100))
def test_the_distance_is_0_inside_and_grows_by_days_outside(first, more, beyond):
    days = Days(first, first + more)
    assert days.distance(first) == days.distance(first + more) == 0
    assert days.distance(first + more + beyond) == days.distance(first - beyond) == beyond


def test_a_long_text_costs_no_more_than_its_beginning():
    def cost(text):
        before = time.process_time()
        for _ in range(20):
            days_of(text, NOW.timestamp())
        return time.process_time() - before

    once = "the last of the two weeks in 2023 was yesterday's 3 may 12 " * 40
    cost(once)
    assert cost(once * 100) < 20 * cost(once) + 0.05
