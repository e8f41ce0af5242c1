from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import model, series
from tests.metrics.believable import NAMES

LINES = {line.key: line for line in series.build(NAMES, period_s=60, percentile_period_s=3600)}


def test_each_point_is_a_row_with_the_labels_of_its_series(frame_of):
    known = model.context_of(frame_of())

    frame = model.build_frame(
        [
            model.Points("now", LINES[series.AGE], [60.0, 120.0], [1, 2]),
            model.Points("before", LINES[series.API_COUNT], [0.5], [3]),
        ],
        known,
    )

    assert frame["value"].tolist() == [1.0, 2.0, 3.0]
    assert frame["window"].tolist() == ["now", "now", "before"]
    assert frame["unit"].tolist() == ["Seconds", "Seconds", "Count"]
    assert frame.index[-1].timestamp() == 0.5
    assert model.context_of(frame) is known


def test_no_points_make_an_empty_frame_with_the_same_columns(frame_of):
    frame = model.build_frame([], model.context_of(frame_of()))

    assert frame.empty
    assert tuple(frame.columns) == model.COLUMNS
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert model.points(frame, series.AGE).empty


def test_a_copy_of_a_frame_keeps_its_facts(frame_of):
    frame = frame_of()

    assert model.context_of(frame[frame["window"] == "now"].copy()) is model.context_of(frame)


AGE_NOW, AGE_BEFORE = ("now", *series.AGE), ("before", *series.AGE)


def test_the_rows_of_each_series_are_found_by_window_and_key(frame_of):
    frame = frame_of({series.AGE: [7, 8]}, before={series.AGE: [9]}, calm=False)

    assert frame["value"].iloc[model.rows_of(frame, AGE_NOW)].tolist() == [7, 8]
    assert frame["value"].iloc[model.rows_of(frame, AGE_BEFORE)].tolist() == [9]


def test_a_series_that_is_not_there_has_no_rows(frame_of):
    empty = frame_of(calm=False)

    assert len(model.rows_of(empty, AGE_NOW)) == 0
    assert model.points(empty, series.AGE).empty


def test_a_part_of_a_frame_has_rows_of_its_own(frame_of):
    frame = frame_of({series.AGE: [7, 8, 9]}, calm=False)
    assert len(model.rows_of(frame, AGE_NOW)) == 3

    rest = frame[frame["value"] > 7]

    assert rest["value"].iloc[model.rows_of(rest, AGE_NOW)].tolist() == [8, 9]


def test_memo_is_computed_once_and_again_for_other_rows_or_another_context(frame_of):
    frame, computed = frame_of({series.AGE: [7, 8]}, calm=False), []

    def count(given):
        computed.append(given)
        return len(computed)

    assert [frame.memo(count), frame.memo(count)] == [1, 1]
    assert frame[frame["value"] > 7].memo(count) == 2
    frame.context = replace(frame.context, target="aws")
    assert frame.memo(count) == 3


# Europe/Oslo puts the clock back at 03:00 summer time, which is 01:00 UTC.
CLOCK_CHANGE = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)


def test_a_time_of_the_last_day_needs_no_date(frame_of):
    facts = model.context_of(frame_of())

    assert facts.format_time(facts.window().start) == "09:00"


def test_a_time_of_a_longer_window_names_its_day(frame_of):
    start = datetime(2026, 11, 24, 6, 5, tzinfo=UTC)

    assert model.context_of(frame_of(hours=48)).format_time(start) == "Tue 07:05"
    assert model.context_of(frame_of(hours=240, period_s=300)).format_time(start) == "Tue 24 Nov 07:05"


def test_an_hour_that_the_clock_repeats_is_told_apart_by_its_zone(frame_of):
    facts = model.context_of(frame_of(end=datetime(2026, 10, 25, 8, tzinfo=UTC)))

    assert facts.format_time(CLOCK_CHANGE - timedelta(minutes=30)) == "02:30 CEST"
    assert facts.format_time(CLOCK_CHANGE + timedelta(minutes=30)) == "02:30 CET"
    assert facts.format_time(CLOCK_CHANGE + timedelta(minutes=90)) == "03:30"


def test_the_hour_that_is_jumped_over_in_spring_needs_no_zone(frame_of):
    facts = model.context_of(frame_of(end=datetime(2026, 3, 29, 8, tzinfo=UTC)))

    assert facts.format_time(datetime(2026, 3, 29, 0, 59, tzinfo=UTC)) == "01:59"
    assert facts.format_time(datetime(2026, 3, 29, 1, 0, tzinfo=UTC)) == "03:00"


def test_a_stretch_names_the_day_of_its_end_only_where_it_is_another(frame_of):
    facts = model.context_of(frame_of(hours=48))
    start = datetime(2026, 11, 24, 21, 0, tzinfo=UTC)

    assert facts.format_interval(start, start + timedelta(minutes=50)) == "Tue 22:00\u201322:50"
    assert facts.format_interval(start, start + timedelta(hours=3)) == "Tue 22:00\u2013Wed 01:00"


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
    assert model.context_of(frame_of(**keywords)).previous_name == name
