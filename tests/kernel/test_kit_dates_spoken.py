import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.kit.dates import days_of

NOW = datetime.datetime(2023, 7, 12, 15, tzinfo=datetime.UTC).timestamp()  # a Wednesday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("on 7 July, 2023", "2023-07-07", "2023-07-07"),
        ("the 3rd of May 2021", "2021-05-03", "2021-05-03"),
        ("March 5th", "2023-03-05", "2023-03-05"),
        ("December 24", "2022-12-24", "2022-12-24"),
        ("2022-05-03", "2022-05-03", "2022-05-03"),
        ("2022/05", "2022-05-01", "2022-05-31"),
        ("in June 2023", "2023-06-01", "2023-06-30"),
        ("in 2010", "2010-01-01", "2010-12-31"),
        ("I left yesterday", "2023-07-11", "2023-07-11"),
        ("last Friday", "2023-07-07", "2023-07-07"),
        ("last Wednesday", "2023-07-05", "2023-07-05"),
        ("next Wednesday", "2023-07-19", "2023-07-19"),
        ("next month", "2023-08-01", "2023-08-31"),
        ("last weekend", "2023-07-08", "2023-07-09"),
        ("last week", "2023-07-03", "2023-07-09"),
        ("last year", "2022-01-01", "2022-12-31"),
        ("two weeks ago", "2023-06-25", "2023-07-01"),
        ("3 days ago", "2023-07-09", "2023-07-09"),
        ("am 12. Mai 2020", "2020-05-12", "2020-05-12"),
        ("vor zwei Wochen", "2023-06-25", "2023-07-01"),
        ("letzten Monat", "2023-06-01", "2023-06-30"),
        ("le mois dernier", "2023-06-01", "2023-06-30"),
        ("hier soir", "2023-07-11", "2023-07-11"),
        ("il y a 3 jours", "2023-07-09", "2023-07-09"),
        ("la semana pasada", "2023-07-03", "2023-07-09"),
        ("el 5 de mayo de 2020", "2020-05-05", "2020-05-05"),
        ("на прошлой неделе", "2023-07-03", "2023-07-09"),
        ("вчера", "2023-07-11", "2023-07-11"),
        ("две недели назад", "2023-06-25", "2023-07-01"),
        ("去年", "2022-01-01", "2022-12-31"),
        ("3天前", "2023-07-09", "2023-07-09"),
        ("2023年5月8日", "2023-05-08", "2023-05-08"),
        ("先週", "2023-07-03", "2023-07-09"),
    ],
)
def test_a_time_is_resolved_against_the_clock(text, first, last):
    (found, *_) = days_of(text, NOW)
    assert (found.first, found.last) == tuple(datetime.date.fromisoformat(d).toordinal() for d in (first, last))


def test_last_may_is_the_one_before_now():
    may = (datetime.date(2023, 5, 1).toordinal(), datetime.date(2023, 5, 31).toordinal())
    assert {(d.first, d.last) for d in days_of("last May", NOW)} == {may}


@pytest.mark.parametrize("text", ["I may go", "port 8417", "31 February 2020", "version 3.11", ""])
def test_what_is_no_time_is_none(text):
    assert days_of(text, NOW) == []


def test_without_a_clock_only_full_dates_are_found():
    assert days_of("yesterday, last week, March 5", 0.0) == []
    assert len(days_of("on 5 March 2020, yesterday", 0.0)) == 1


@given(st.text(), st.floats(0, 4e9))
def test_any_text_gives_ranges_in_order(text, now):
    assert all(days.first <= days.last for days in days_of(text, now))


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)))
def test_every_iso_date_is_found(date):
    (found,) = days_of(f"it was {date.isoformat()}, I think", NOW)
    assert found.first == found.last == date.toordinal()


@given(st.sampled_from("1a年月日/.- ago last next week Mai may de hier 3天前".split(" ")), st.integers(1, 3000))
def test_no_text_takes_long(piece, n):
    days_of((piece + " ") * n, NOW)  # the suite's time limit is the judge of what never ends
