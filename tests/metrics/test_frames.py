from couch_explorers.metrics import facts, frames, series
from tests.metrics.believable import NAMES

LINES = {line.key: line for line in series.build(NAMES, period_s=60, percentile_period_s=3600)}


def test_each_point_is_a_row_with_the_labels_of_its_series(frame_of):
    known = facts.of(frame_of())

    frame = frames.build(
        [
            frames.Points("now", LINES[series.AGE], [60.0, 120.0], [1, 2]),
            frames.Points("before", LINES[series.API_COUNT], [0.5], [3]),
        ],
        known,
    )

    assert frame["value"].tolist() == [1.0, 2.0, 3.0]
    assert frame["window"].tolist() == ["now", "now", "before"]
    assert frame["unit"].tolist() == ["Seconds", "Seconds", "Count"]
    assert frame.index[-1].timestamp() == 0.5
    assert facts.of(frame) is known


def test_no_points_make_an_empty_frame_with_the_same_columns(frame_of):
    frame = frames.build([], facts.of(frame_of()))

    assert frame.empty
    assert tuple(frame.columns) == facts.COLUMNS
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert facts.points(frame, series.AGE).empty


def test_a_copy_of_a_frame_keeps_its_facts(frame_of):
    frame = frame_of()

    assert facts.of(frame[frame["window"] == "now"].copy()) is facts.of(frame)
