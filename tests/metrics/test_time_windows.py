from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import time_windows
from couch_explorers.metrics.model import MetricsParameterError

NOW = datetime(2026, 11, 25, 8, 0, 27, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def plan(hours=24.0, *, now=NOW, timezone="Europe/Oslo", compare="before", series=40, percentiles=8, ended=timedelta()):
    start, end = time_windows.last_hours(hours, now - ended)
    return time_windows.plan(
        start, end, timezone=timezone, compare=compare, now=now, series=series, percentiles=percentiles
    )


def named(planned):
    return {window.name: window for window in planned.windows}


def test_a_day_is_compared_with_the_day_before_and_with_the_same_day_a_week_before():
    found = named(plan())

    assert list(found) == ["now", "before", "week"]
    assert found["now"].end == datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
    assert found["now"].start == found["before"].end == found["now"].end - DAY
    assert found["week"].end == found["now"].end - 7 * DAY
    assert {window.length for window in found.values()} == {DAY}


def test_a_few_hours_are_compared_with_the_same_hours_a_day_before():
    found = named(plan(hours=3))

    assert found["before"].end == found["now"].end - DAY
    assert found["before"].length == 3 * HOUR


def test_a_window_longer_than_a_day_is_compared_as_many_whole_days_back_as_cover_it():
    found = named(plan(hours=60))

    assert found["before"].end == found["now"].end - 3 * DAY


def test_a_week_is_compared_with_the_week_before_alone():
    planned = plan(hours=168, compare="week")

    assert [window.name for window in planned.windows] == ["now", "before"]
    assert planned.windows[1].end == planned.windows[0].end - 7 * DAY
    assert planned.compare == "before"


def test_nothing_is_compared_when_nobody_wants_it():
    planned = plan(compare="none")

    assert [window.name for window in planned.windows] == ["now"]
    assert planned.compare is None


@pytest.mark.parametrize(
    ("now", "hours_before"),
    [
        (datetime(2026, 3, 29, 7, 0, tzinfo=UTC), 23),  # 09:00 on the day that has 23 hours
        (datetime(2026, 10, 25, 8, 0, tzinfo=UTC), 25),  # 09:00 on the day that has 25
    ],
)
def test_over_a_clock_change_nine_in_the_morning_is_compared_with_nine_in_the_morning(now, hours_before):
    found = named(plan(now=now))

    assert found["now"].end - found["before"].end == hours_before * HOUR
    assert found["before"].length == found["now"].length == DAY


def test_a_clock_change_elsewhere_does_not_move_the_windows():
    found = named(plan(now=datetime(2026, 3, 29, 7, 0, tzinfo=UTC), timezone="Asia/Tokyo"))

    assert found["now"].end - found["before"].end == DAY


def test_a_wall_clocks_time_that_yesterday_did_not_have_still_gives_a_window():
    # 02:30 in Oslo, a day after the clock jumped from 02:00 to 03:00.
    found = named(plan(hours=1, now=datetime(2026, 3, 30, 0, 30, tzinfo=UTC)))

    assert found["before"].end == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_windows_begin_and_end_where_a_period_does():
    minutes, hours = plan(), plan(ended=100 * DAY)

    assert minutes.period_s == 60
    assert hours.period_s == 3600
    for planned in (minutes, hours):
        for window in planned.windows:
            assert window.start.timestamp() % planned.period_s == window.end.timestamp() % planned.period_s == 0


@pytest.mark.parametrize(("ended", "period_s"), [(0, 60), (6, 60), (8, 300), (50, 300), (60, 3600), (400, 3600)])
def test_the_period_is_the_finest_that_is_still_kept_for_the_oldest_window(ended, period_s):
    # The window a week before begins eight days earlier than the window's end.
    assert plan(ended=ended * DAY).period_s == period_s


def test_the_period_is_the_finest_with_which_a_window_fits_into_one_answer():
    # 1,440 minutes of 70 series are 100,800 points; each percentile takes 24 more.
    assert plan(series=70, percentiles=0).period_s == 60
    assert plan(series=70, percentiles=1).period_s == 300
    assert plan(series=69, percentiles=8).period_s == 60


def test_a_year_takes_several_pages_of_hours():
    planned = plan(hours=24 * 365, compare="none")

    assert planned.period_s == 3600


def test_percentiles_are_asked_for_in_periods_that_hold_enough_samples():
    assert plan(hours=5).percentile_period_s == 300
    assert plan(hours=6).percentile_period_s == 3600
    assert plan(hours=1, ended=100 * DAY).percentile_period_s == 3600


def test_a_window_to_compare_with_that_is_kept_no_more_is_left_out_with_a_note():
    planned = plan(hours=48, ended=450 * DAY, compare="week")

    assert [window.name for window in planned.windows] == ["now", "before"]
    assert planned.compare is None
    assert "The window 'week' is left out" in planned.notes[0]
    assert "455 days" in planned.notes[0]


def test_the_longest_window_that_is_kept_is_taken():
    assert plan(hours=455 * 24, compare="none").windows[0].length == 455 * DAY


@pytest.mark.parametrize("hours", [0, -1, float("nan"), float("inf"), True, "24"])
def test_a_window_of_no_length_is_refused(hours):
    with pytest.raises(MetricsParameterError, match=r"must be longer than zero hours.*A day is 24"):
        time_windows.last_hours(hours, NOW)


def test_more_hours_than_metrics_are_kept_are_refused():
    with pytest.raises(MetricsParameterError, match="455 days: ask for at most 10,920 hours, not 11,000"):
        time_windows.last_hours(11_000, NOW)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (NOW + HOUR, NOW + 2 * HOUR, "lies in the future: it is 2026-11-25 09:00 CET now"),
        (NOW - HOUR, NOW + HOUR, "ends in the future"),
        (NOW - HOUR, NOW - HOUR, "has no length"),
        (NOW - HOUR, NOW - 2 * HOUR, "ends before it begins"),
        (NOW - 500 * DAY, NOW - 490 * DAY, "begins longer ago than the 455 days"),
        (NOW - timedelta(seconds=20), NOW - timedelta(seconds=5), "shorter than the 60 s"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused_with_its_times(start, end, message):
    with pytest.raises(MetricsParameterError, match="The window from 202") as refusal:
        time_windows.plan(start, end, timezone="Europe/Oslo", compare="before", now=NOW, series=40)

    assert message in str(refusal.value)


def test_a_time_without_a_zone_is_one_of_the_readers_zone():
    start, end = datetime(2026, 11, 25, 7, 0), datetime(2026, 11, 25, 9, 0)  # noqa: DTZ001 - that is what is tested

    planned = time_windows.plan(start, end, timezone="Europe/Oslo", compare="none", now=NOW, series=40)

    assert planned.windows[0].end == datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Europe/Osol", "Europe/Oslo"),
        ("Oslo", "Europe/Oslo"),
        ("new york", "America/New_York"),
        ("nowhere at all", "Names look like Europe/Oslo"),
        ("", "Names look like Europe/Oslo"),
        ("../etc/passwd", "Names look like Europe/Oslo"),
        ("Europe", "Europe/Oslo"),
        (None, "Names look like Europe/Oslo"),
    ],
)
def test_a_time_zone_that_does_not_exist_is_refused_with_those_spelt_like_it(name, meant):
    with pytest.raises(MetricsParameterError, match="There is no time zone") as refusal:
        plan(timezone=name)

    assert meant in str(refusal.value)


def test_an_unknown_comparison_is_refused_with_the_known_ones():
    with pytest.raises(MetricsParameterError, match=r"'yesterday'.*Known: before, week, none"):
        plan(compare="yesterday")
