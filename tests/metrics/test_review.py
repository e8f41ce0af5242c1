import errno
import importlib
import json
import math
import os
import re
from datetime import timedelta
from io import StringIO

import pandas as pd
import pytest

from couch_explorers import checks
from couch_explorers.checks import Verdict
from couch_explorers.metrics import findings, model, series
from couch_explorers.metrics.model import SeriesState
from couch_explorers.metrics.review import CHECKS, ORDER, as_checks, review, save, show
from couch_explorers.reports.output_dir import OUT_VARIABLE
from tests.metrics.believable import END
from tests.metrics.rows import lately


def test_a_review_has_a_row_a_check_with_all_columns(frame_of):
    verdicts = review(frame_of())

    assert tuple(verdicts.columns) == findings.COLUMNS
    assert list(verdicts["check"]) == list(CHECKS)
    assert verdicts["reason"].str.len().min() > 0


def test_a_believable_day_is_healthy(frame_of):
    assert set(review(frame_of())["verdict"]) == {Verdict.OK}


def test_a_past_incident_warns_and_an_ok_row_asks_for_nothing(frame_of):
    verdicts = review(frame_of(incident=True)).set_index("check")

    assert Verdict.BAD not in set(verdicts["verdict"])
    assert verdicts.loc["oldest job waiting", "verdict"] == Verdict.WARN
    assert verdicts.loc["failed jobs", "verdict"] == Verdict.WARN
    assert set(verdicts[verdicts["verdict"] == Verdict.OK]["action"]) == {""}


def test_the_order_of_the_rows_is_by_topic_whatever_was_found(frame_of):
    assert list(review(frame_of())["check"]) == list(review(frame_of(incident=True))["check"])
    assert list(review(frame_of())["check"])[:4] == [
        "alarms", "late or missing pictures", "API late or missing", "oldest job waiting",
    ]  # fmt: skip


def test_a_service_that_nobody_used_is_ok_where_things_are_counted(frame_of):
    verdicts = review(frame_of(calm=False, logs=())).set_index("check")["verdict"]

    assert {check for check, verdict in verdicts.items() if verdict == Verdict.NO_DATA} == {
        "late or missing pictures", "API late or missing", "worker duration", "worker memory", "API latency", "API function duration", "API function memory",
    }  # fmt: skip
    assert set(verdicts) == {Verdict.OK, Verdict.NO_DATA}


@pytest.mark.parametrize("state", [SeriesState.DENIED, SeriesState.MISSING])
def test_a_review_of_nothing_judges_nothing_but_itself_and_says_why_in_each_row(frame_of, state):
    facts = frame_of().context
    frame = frame_of(
        calm=False, alarms=(), functions=(), logs=(), states={(window.name, line.key): state for window in facts.windows for line in facts.series}
    )  # fmt: skip

    verdicts = review(frame)
    judged = verdicts[verdicts["verdict"] != Verdict.NO_DATA].set_index("check")["verdict"].to_dict()

    # That there are no alarms was answered; that nothing else was fails a run in CI.
    no_alarms = {"alarms": Verdict.WARN} if state is SeriesState.DENIED else {}
    assert judged == no_alarms | {"data": Verdict.BAD}
    assert verdicts["reason"].str.startswith(("Denied: ", "Missing: ", "There is no alarm")).all()


def test_without_a_window_to_compare_with_nothing_is_compared(frame_of):
    verdicts = review(frame_of(compare=None))

    assert verdicts["before"].isna().all()
    assert set(verdicts["change"]) == {""}


def test_a_week_before_is_compared_with_when_asked(frame_of):
    verdicts = review(frame_of(compare="week")).set_index("check")

    assert not math.isnan(verdicts.loc["oldest job waiting", "before"])
    assert "the week before" in verdicts.loc["worker duration", "reason"]


def test_hours_of_one_point_each_are_judged_too(frame_of):
    verdicts = review(frame_of(hours=168, period_s=3600))

    assert Verdict.BAD not in set(verdicts["verdict"])


def test_a_frame_without_facts_is_refused_by_name():
    with pytest.raises(ValueError, match=r"metrics\.fetch"):
        review(pd.DataFrame())


def mixed(frame_of):
    changes = {series.AGE: lately(640), series.API_4XX: {0: 90}}
    return review(frame_of(changes, states={series.FAILED_JOBS: SeriesState.DENIED}))


def bundle_of(verdicts):
    return show(verdicts)._repr_mimebundle_()


def test_trouble_stands_first_and_each_verdict_keeps_the_order_of_its_checks(frame_of):
    verdicts = mixed(frame_of)
    found = [check.verdict for check in as_checks(verdicts)]

    assert found == sorted(found, key=ORDER.index)
    assert found[0] is Verdict.BAD
    oks = [check.name for check in as_checks(verdicts) if check.verdict is Verdict.OK]
    assert oks == list(verdicts[verdicts["verdict"] == Verdict.OK]["check"])


def test_a_check_says_its_reason_and_what_to_do(frame_of):
    (check,) = [each for each in as_checks(mixed(frame_of)) if each.name == "oldest job waiting"]

    assert check.detail.startswith("At most 640 s")
    assert check.detail.endswith("raise maximum_concurrency (8).")


def test_a_run_reads_the_verdicts_back_from_the_notebook(frame_of):
    verdicts = mixed(frame_of)
    notebook = {"cells": [{"outputs": [{"data": bundle_of(verdicts)}]}]}

    assert checks.found_in(notebook) == as_checks(verdicts)


def test_the_table_shows_value_line_change_reason_and_action(frame_of):
    html = bundle_of(mixed(frame_of))["text/html"]
    row = next(row for row in re.findall(r"<tr>.*?</tr>", html) if "oldest job waiting" in row)

    for text in ("640 s", "threshold 300 s", "\u00d721", "2.1 times the alarm&#x27;s 300 s", "\u2192", "BAD"):
        assert text in row


def test_a_line_of_nothing_is_not_shown(frame_of):
    html = bundle_of(review(frame_of()))["text/html"]

    assert "line 0" not in html


def test_a_command_is_set_as_code_and_nothing_else_of_a_text_is_markup(frame_of):
    verdicts = review(frame_of({series.DEAD_LETTERS_VISIBLE: lately(3)}))
    verdicts.loc[verdicts["check"] == "data", "reason"] = "<script>alert(1)</script>"

    html = bundle_of(verdicts)["text/html"]

    assert "<code>couch redrive --dry-run</code>" in html
    assert "<script>" not in html


def test_a_terminal_gets_a_line_a_check(frame_of):
    verdicts = mixed(frame_of)

    assert len(bundle_of(verdicts)["text/plain"].splitlines()) == len(verdicts)


def saved(frame, folder):
    return save(frame, review(frame), folder)


def test_every_point_is_in_the_csv_with_its_time_in_utc(frame_of, tmp_path):
    frame = frame_of()
    points, _ = saved(frame, tmp_path)

    read = pd.read_csv(points, parse_dates=["time"])

    assert points == tmp_path / "metric_review.csv"
    assert list(read.columns) == ["time", *model.LABEL_COLUMNS, "value", "synthetic"]
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


def test_a_full_disk_is_reported_in_place_of_the_files(frame_of, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("COUCH_OUT", str(tmp_path))
    monkeypatch.setattr(importlib.import_module("couch_explorers.metrics.review"), "write_whole", full)
    shown = saved(frame_of(), None)

    assert list(shown) == []
    html = shown._repr_mimebundle_()["text/html"]
    assert f"The files could not be written into {tmp_path}: No space left on device." in html
    with pytest.raises(OSError, match="No space left"):
        saved(frame_of(), tmp_path)
