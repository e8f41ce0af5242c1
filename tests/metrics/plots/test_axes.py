from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import model
from couch_explorers.metrics.plots import annotations, axes
from tests.wording import numbers


def test_a_title_says_statistic_period_and_time_zone(frame_of, snapshot):
    facts = model.context_of(frame_of(timezone="UTC"))

    assert axes.statistic_label(facts, ("Maximum", 60)) == "Maximum of each minute, UTC"
    sentence = axes.statistic_label(facts, ("Percentiles", 3600), ("Maximum", 600), suffix=" (so far)")
    assert sentence == snapshot
    assert numbers(sentence) == ["10"]


def test_what_fits_stands_beside_the_title_and_what_does_not_stands_below(ax):
    axes.write_title(ax, "Backlog", "Maximum of each minute, UTC", 0)
    axes.write_title(ax, "Backlog", "a very long explanation " * 6, 0)

    beside, below = ax.texts
    assert beside.get_position()[0] > 0
    assert below.get_position()[0] == 0
    assert ax.get_title(loc="left") == "Backlog"


def test_what_no_line_holds_is_broken_into_several(ax):
    axes.write_title(ax, "Backlog", "a very long explanation " * 12, 0)

    assert "\n" in ax.texts[0].get_text()


HOUR_S = 3600


def facts_of(frame_of, **keywords):
    return model.context_of(frame_of(calm=False, **keywords))


def labels(found):
    return [tick.label for tick in found if tick.label]


def test_a_day_is_labelled_each_two_hours_with_the_date_under_the_first_and_at_midnight(frame_of):
    found = axes.ticks(facts_of(frame_of))

    assert labels(found)[:3] == ["10:00", "12:00", "14:00"]
    assert [(tick.label, tick.second_line) for tick in found if tick.second_line] == [
        ("10:00", "Tue 24 Nov"),
        ("00:00", "Wed 25 Nov"),
    ]


def test_a_narrow_day_has_fewer_ticks_and_keeps_its_midnight(frame_of):
    found = axes.ticks(facts_of(frame_of), width_pt=295)

    assert labels(found)[:3] == ["09:00", "12:00", "15:00"]
    assert ("00:00", "Wed 25 Nov") in [(tick.label, tick.second_line) for tick in found]


def test_the_first_date_is_left_out_where_it_would_run_into_the_next(frame_of):
    found = axes.ticks(facts_of(frame_of, end=datetime(2026, 11, 25, 21, 30, tzinfo=UTC)))

    assert [tick.second_line for tick in found if tick.second_line] == ["Wed 25 Nov"]


def test_a_day_on_which_the_clock_is_put_back_has_25_hours(frame_of):
    # Midnight to midnight in Oslo.
    facts = facts_of(frame_of, end=datetime(2026, 10, 25, 23, tzinfo=UTC), hours=25)

    places = {tick.label: tick.at_s / HOUR_S for tick in axes.ticks(facts)[:-1]}

    assert places["00:00"] == 0
    assert places["03:00"] == 4
    assert places["12:00"] == 13


def test_a_day_on_which_the_clock_is_put_forward_has_23_hours(frame_of):
    facts = facts_of(frame_of, end=datetime(2026, 3, 29, 22, tzinfo=UTC), hours=23)

    places = {tick.label: tick.at_s / HOUR_S for tick in axes.ticks(facts)[:-1]}

    assert places["04:00"] == 3
    assert "02:00" not in places


def test_an_hour_that_the_clock_repeats_is_labelled_once_where_two_labels_have_no_room(frame_of):
    facts = facts_of(frame_of, end=datetime(2026, 10, 25, 8, tzinfo=UTC))

    found = [tick for tick in axes.ticks(facts) if tick.label == "02:00"]

    assert [tick.second_line for tick in found] == ["CEST"]


def test_both_hours_are_labelled_with_their_zone_where_they_have_room(frame_of):
    facts = facts_of(frame_of, end=datetime(2026, 10, 25, 6, tzinfo=UTC), hours=10)

    found = [tick for tick in axes.ticks(facts) if tick.label == "02:00"]

    assert [tick.second_line for tick in found] == ["CEST", "CET"]


@pytest.mark.parametrize(
    ("end", "by"),
    [
        (datetime(2026, 10, 25, 8, tzinfo=UTC), timedelta(hours=-1)),
        (datetime(2026, 3, 29, 8, tzinfo=UTC), timedelta(hours=1)),
    ],
)
def test_a_change_of_the_clock_is_found_to_the_minute(frame_of, end, by):
    assert annotations.clock_changes(facts_of(frame_of, end=end)) == [(end.replace(hour=1), by)]


def test_an_ordinary_day_and_a_zone_without_summer_time_have_no_change(frame_of):
    assert annotations.clock_changes(facts_of(frame_of)) == []
    assert (
        annotations.clock_changes(facts_of(frame_of, end=datetime(2026, 10, 25, 8, tzinfo=UTC), timezone="UTC")) == []
    )


def test_a_week_is_labelled_by_its_days_between_the_midnights(frame_of):
    found = axes.ticks(facts_of(frame_of, hours=168, period_s=300))

    days = [tick for tick in found if not tick.mark]
    midnights = [tick for tick in found if tick.mark]
    assert [tick.label for tick in days[1:3]] == ["Thu 19 Nov", "Fri 20 Nov"]
    assert midnights[0].at_s < days[1].at_s < midnights[1].at_s
    assert len(midnights) == 7


def test_longer_windows_are_labelled_by_mondays_and_by_months(frame_of):
    weeks = axes.ticks(facts_of(frame_of, hours=24 * 60, period_s=3600))
    months = axes.ticks(facts_of(frame_of, hours=24 * 300, period_s=3600))

    assert labels(weeks)[:2] == ["28 Sep", "5 Oct"]
    assert labels(months)[:2] == ["Feb", "Mar"]
    assert months[0].second_line == "2026"


def test_ticks_stand_on_round_local_times_in_a_zone_of_odd_quarters(frame_of):
    found = axes.ticks(facts_of(frame_of, timezone="Asia/Kathmandu"))

    assert labels(found)[:2] == ["14:00", "16:00"]
    assert found[0].at_s == 15 * 60


@pytest.mark.parametrize("hours", [1 / 12, 0.5, 1, 3, 10, 36, 100, 150])
def test_no_window_has_too_many_labels(frame_of, hours):
    found = axes.ticks(facts_of(frame_of, hours=hours))

    assert 3 <= len(labels(found)) <= 13


def test_the_axis_ends_where_the_window_ends(frame_of, ax):
    axes.format_time_axis(ax, facts_of(frame_of))

    assert ax.get_xlim() == (0, 24 * HOUR_S)
