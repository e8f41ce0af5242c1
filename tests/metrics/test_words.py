from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import model, words

# Europe/Oslo puts the clock back at 03:00 summer time, which is 01:00 UTC.
CLOCK_CHANGE = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (7, "7"), (0.42, "0.42"), (0.5, "0.5"), (0.001, "0.001"), (9.996, "10"), (21.34, "21.3"), (912.4, "912"), (1204, "1,204")],
)  # fmt: skip
def test_a_number_has_as_many_digits_as_a_reader_needs(value, written):
    assert words.number(value) == written


def test_nothing_one_and_many_are_counted_differently():
    assert [words.count(number, "job") for number in (0, 1, 2)] == ["no job", "1 job", "2 jobs"]


def test_a_share_has_no_digit_behind_the_point_unless_it_is_small():
    assert [words.percent(share) for share in (0.344, 1.0, 0.004)] == ["34 %", "100 %", "0.4 %"]


def test_parts_are_joined_as_in_a_sentence():
    assert words.join(["a", "", "b", "c"]) == "a, b and c"
    assert words.join(["a"]) == "a"
    assert words.join([]) == ""


def test_a_sentence_is_made_of_the_clauses_that_say_something():
    assert words.sentence("one thing", "", "another") == "One thing; another."
    assert words.sentence("", "") == ""


def test_a_time_of_the_last_day_needs_no_date(frame_of):
    facts = model.context_of(frame_of())

    assert words.when(facts.window().start, facts) == "09:00"


def test_a_time_of_a_longer_window_names_its_day(frame_of):
    start = datetime(2026, 11, 24, 6, 5, tzinfo=UTC)

    assert words.when(start, model.context_of(frame_of(hours=48))) == "Tue 07:05"
    assert words.when(start, model.context_of(frame_of(hours=240, period_s=300))) == "Tue 24 Nov 07:05"


def test_an_hour_that_the_clock_repeats_is_told_apart_by_its_zone(frame_of):
    facts = model.context_of(frame_of(end=datetime(2026, 10, 25, 8, tzinfo=UTC)))

    assert words.when(CLOCK_CHANGE - timedelta(minutes=30), facts) == "02:30 CEST"
    assert words.when(CLOCK_CHANGE + timedelta(minutes=30), facts) == "02:30 CET"
    assert words.when(CLOCK_CHANGE + timedelta(minutes=90), facts) == "03:30"


def test_the_hour_that_is_jumped_over_in_spring_needs_no_zone(frame_of):
    facts = model.context_of(frame_of(end=datetime(2026, 3, 29, 8, tzinfo=UTC)))

    assert words.when(datetime(2026, 3, 29, 0, 59, tzinfo=UTC), facts) == "01:59"
    assert words.when(datetime(2026, 3, 29, 1, 0, tzinfo=UTC), facts) == "03:00"


def test_a_stretch_names_the_day_of_its_end_only_where_it_is_another(frame_of):
    facts = model.context_of(frame_of(hours=48))
    start = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)

    assert words.span(start, start + timedelta(minutes=50), facts) == "Tue 22:00\u201322:50"
    assert words.span(start, start + timedelta(hours=3), facts) == "Tue 22:00\u2013Wed 01:00"


@pytest.mark.parametrize(
    ("keywords", "name"),
    [
        ({}, "the day before"),
        ({"compare": "week"}, "the week before"),
        ({"hours": 72, "period_s": 300}, "3 days before"),
        ({"compare": None}, ""),
    ],
)
def test_the_window_compared_with_is_named_by_its_distance(frame_of, keywords, name):
    assert words.before_name(model.context_of(frame_of(**keywords))) == name


def test_a_period_is_named_in_the_largest_unit_that_fits():
    assert [words.period(seconds) for seconds in (60, 600, 3600, 10800, 86400, 90)] == [
        "each minute", "each 10 minutes", "each hour", "each 3 hours", "each day", "each 90 seconds",
    ]  # fmt: skip
    assert [words.rate(seconds) for seconds in (60, 600, 3600)] == ["a minute", "in 10 minutes", "an hour"]
