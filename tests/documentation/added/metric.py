"""What CONTRIBUTING.md adds as a metric: CloudWatch is asked for it, it is in the frame, and the review has a row of it."""

from datetime import UTC, datetime, timedelta

from couch_explorers.metrics import cloudwatch, model, review, series
from tests.metrics.rows import lately, row_of

NOW = datetime(2026, 11, 25, 8, 0, 27, tzinfo=UTC)


def test_the_metric_is_fetched_into_the_frame(aws, workspace):
    aws.put(series.RECEIVED, {NOW.replace(second=0) - timedelta(minutes=1): 5})

    frame = cloudwatch.fetch_hours(workspace, 24, now=NOW)

    assert model.points(frame, series.RECEIVED).tolist() == [5]


def test_the_review_tells_it(frame_of):
    frame = frame_of({series.RECEIVED: lately(2, 3), series.SENT: lately(2, 2)})

    row = row_of(frame, "receives")

    assert (row.verdict, row.value, row.reason) == ("OK", 5, "5 receives of 4 jobs.")
    assert "receives" in set(review(frame)["check"])
