import errno
import json
import os
from datetime import timedelta
from io import StringIO

import pandas as pd
import pytest

from couch_explorers.metrics import frames, saving, series
from couch_explorers.metrics.reviewing import review
from couch_explorers.metrics.saving import save
from couch_explorers.reports.beside import OUT_VARIABLE
from tests.metrics.believable import END


def saved(frame, folder):
    return save(frame, review(frame), folder)


def test_every_point_is_in_the_csv_with_its_time_in_utc(frame_of, tmp_path):
    frame = frame_of()
    points, _ = saved(frame, tmp_path)

    read = pd.read_csv(points, parse_dates=["time"])

    assert points == tmp_path / "metric_review.csv"
    assert list(read.columns) == ["time", *frames.LABELS, "value", "synthetic"]
    assert points.read_text().splitlines()[1].startswith("2026-11-24T08:00:00Z,now,queue,")
    assert read["value"].tolist() == frame["value"].tolist()
    assert read["metric"].tolist() == frame["metric"].tolist()
    assert (read["time"] == frame.index).all()


def test_synthetic_points_are_marked_each(frame_of, tmp_path):
    begin, end = END - timedelta(hours=3), END - timedelta(hours=2)
    points, verdicts = saved(frame_of(synthetic=[(begin, end)]), tmp_path)

    read = pd.read_csv(points, parse_dates=["time"])
    marked = read[read["synthetic"] == 1]["time"]

    assert (marked.min(), marked.max()) == (begin, end - timedelta(minutes=1))
    assert json.loads(verdicts.read_text())["synthetic"] is True
    assert json.loads(verdicts.read_text())["synthetic_stretches"] == [["2026-11-25T05:00:00Z", "2026-11-25T06:00:00Z"]]


def test_history_outside_the_window_does_not_make_it_synthetic(frame_of, tmp_path):
    old = [(END - timedelta(days=3), END - timedelta(days=2))]

    _, verdicts = saved(frame_of(synthetic=old), tmp_path)

    assert json.loads(verdicts.read_text())["synthetic"] is False


def test_the_json_holds_the_verdicts_and_what_they_rest_on(frame_of, tmp_path):
    _, path = saved(frame_of(incident=True), tmp_path)

    held = json.loads(path.read_text())
    rows = {row["check"]: row for row in held["verdicts"]}

    assert path == tmp_path / "metric_review_verdicts.json"
    assert rows["oldest job waiting"]["verdict"] == "WARN"
    assert rows["oldest job waiting"]["value"] == 2220
    assert rows["backlog"]["threshold"] is None
    assert held["windows"]["now"] == {"start": "2026-11-24T08:00:00Z", "end": "2026-11-25T08:00:00Z"}
    assert held["cost_usd"]["total"] == pytest.approx(81.58, abs=0.01)
    assert held["deploys"][0]["commit"] == "ab12cd3"
    assert held["states"][" ".join(series.AGE)] == "complete"
    assert {alarm["short_name"] for alarm in held["alarms"]} >= {"oldest-message-age"}


def test_no_number_of_the_json_is_nan(frame_of, tmp_path):
    _, path = saved(frame_of(calm=False), tmp_path)

    def refuse(constant):
        raise AssertionError(constant)

    json.loads(path.read_text(), parse_constant=refuse)


def test_a_label_with_a_comma_or_a_quote_stays_one_cell(frame_of, tmp_path):
    frame = frame_of({series.failed_jobs('a, "b"'): {0: 1}}, reasons=('a, "b"',))
    points, _ = saved(frame, tmp_path)

    assert 'FailedJobs a, "b"' in pd.read_csv(StringIO(points.read_text()))["metric"].tolist()


def test_files_go_beside_the_report_of_a_run(frame_of, tmp_path, monkeypatch):
    monkeypatch.setenv(OUT_VARIABLE, str(tmp_path / "reports"))

    assert {path.parent for path in saved(frame_of(), None)} == {tmp_path / "reports"}


def test_files_of_a_session_by_hand_go_to_the_local_home(frame_of, tmp_path, monkeypatch):
    monkeypatch.delenv(OUT_VARIABLE, raising=False)
    monkeypatch.setenv("COUCH_HOME", str(tmp_path))

    assert {path.parent for path in saved(frame_of(), None)} == {tmp_path / "metric_review"}


def test_a_notebook_shows_links_that_go_with_the_report_and_the_cost_of_asking(frame_of, tmp_path):
    bundle = saved(frame_of(target="aws"), tmp_path)._repr_mimebundle_()

    assert 'href="metric_review.csv"' in bundle["text/html"]
    assert "3 calls of GetMetricData for 93 metrics: $0.0009." in bundle["text/html"]
    assert str(tmp_path) in bundle["text/plain"]


def test_a_file_of_an_earlier_review_is_replaced_as_a_whole(frame_of, tmp_path):
    saved(frame_of(), tmp_path)
    points, _ = saved(frame_of(calm=False), tmp_path)

    assert points.read_text().count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metric_review.csv", "metric_review_verdicts.json"]


def test_a_full_disk_is_told_in_the_place_of_the_files(frame_of, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("COUCH_OUT", str(tmp_path))
    monkeypatch.setattr(saving, "write_whole", full)
    shown = saved(frame_of(), None)

    assert list(shown) == []
    html = shown._repr_mimebundle_()["text/html"]
    assert f"The files could not be written into {tmp_path}: No space left on device." in html
    with pytest.raises(OSError, match="No space left"):
        saved(frame_of(), tmp_path)
