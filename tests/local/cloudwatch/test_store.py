"""The store keeps what CloudWatch keeps, as long as it does: "Metrics", "Dimensions", "Resolution", "Statistics" and "Metrics retention" in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html; what is listed follows
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
"""

import math
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from couch_explorers.local.cloudwatch.store import DAY_S, Database, MetricId, MetricStore, Sample

# Wednesday, 25 November 2026, 12:00 UTC
NOON = 1_795_608_000
QUEUE = {"QueueName": "jobs"}


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    store = MetricStore(tmp_path / "metrics.sqlite" if request.param == "file" else None)
    yield store
    store.close()


def age(value, time_s, dimensions=QUEUE, **changes):
    return Sample.of("AWS/SQS", "Age", value, time_s=time_s, unit="Seconds", dimensions=dimensions, **changes)


def points(store, statistic="Maximum", *, start_s=NOON - 3600, end_s=NOON + 3600, period_s=60, now_s=NOON, **changes):
    dimensions = changes.pop("dimensions", QUEUE)
    return store.points(
        "AWS/SQS", "Age", dimensions, start_s=start_s, end_s=end_s, period_s=period_s, statistic=statistic, now_s=now_s, **changes
    )  # fmt: skip


def test_a_point_stands_at_the_start_of_its_period(store):
    store.add(age(3, NOON + 59.9), age(5, NOON + 60))

    assert points(store) == [(NOON, 3.0), (NOON + 60, 5.0)]


def test_a_period_without_samples_has_no_point(store):
    store.add(age(0, NOON), age(0, NOON + 300))

    assert points(store) == [(NOON, 0.0), (NOON + 300, 0.0)]


def test_the_start_is_included_and_the_end_is_not(store):
    store.add(age(1, NOON), age(2, NOON + 60), age(3, NOON + 120))

    assert points(store, start_s=NOON, end_s=NOON + 120) == [(NOON, 1.0), (NOON + 60, 2.0)]


@pytest.mark.parametrize(
    ("statistic", "value"), [("Average", 4.0), ("Sum", 16.0), ("Minimum", 1.0), ("Maximum", 7.0), ("SampleCount", 4.0)]
)
def test_each_statistic_is_taken_over_the_period(store, statistic, value):
    store.add(age(1, NOON), age(7, NOON + 61), age(4, NOON + 120), age(4, NOON + 120))

    assert points(store, statistic, period_s=300) == [(NOON, value)]


def test_the_same_value_twice_in_a_minute_counts_twice(store):
    store.add(age(2, NOON))
    store.add(age(2, NOON + 5))

    assert points(store, "SampleCount") == [(NOON, 2.0)]
    assert points(store, "Sum") == [(NOON, 4.0)]


def test_percentiles_are_taken_over_the_values_of_the_period(store):
    store.add(*(age(value, NOON + value) for value in range(101)))

    assert points(store, "p95", period_s=300) == [(NOON, 95.0)]
    assert points(store, "p99.5", period_s=300) == [(NOON, 99.5)]


def test_a_statistic_set_has_no_percentile_but_every_other_statistic(store):
    store.add(Sample("AWS/SQS", "Age", NOON, "Seconds", count=4, total=10, lowest=1, highest=4, dimensions=QUEUE))

    assert points(store, "p50") == []
    assert points(store, "Average") == [(NOON, 2.5)]


def test_periods_count_from_the_start_that_is_asked_for(store):
    # As in the example of GetMetricStatistics, whose hourly data points stand at 18 minutes past.
    store.add(age(1, NOON), age(9, NOON + 300))

    assert points(store, "Sum", start_s=NOON - 120, period_s=300) == [(NOON - 120, 1.0), (NOON + 180, 9.0)]


def test_dimensions_are_matched_exactly(store):
    store.add(age(1, NOON, {}), age(2, NOON), age(3, NOON, {"QueueName": "jobs", "Region": "all"}))

    assert points(store, dimensions={}) == [(NOON, 1.0)]
    assert points(store) == [(NOON, 2.0)]
    assert points(store, dimensions={"Region": "all", "QueueName": "jobs"}) == [(NOON, 3.0)]


def test_regions_do_not_see_each_others_metrics(store):
    store.add(age(1, NOON))
    store.add(age(2, NOON), region="us-east-1")

    assert points(store) == [(NOON, 1.0)]
    assert points(store, region="us-east-1") == [(NOON, 2.0)]


def test_a_unit_can_be_asked_for(store):
    store.add(age(2, NOON), Sample.of("AWS/SQS", "Age", 2000, time_s=NOON, unit="Milliseconds", dimensions=QUEUE))

    assert points(store, unit="Seconds") == [(NOON, 2.0)]
    assert points(store, unit="Count") == []
    assert store.units("AWS/SQS", "Age", QUEUE) == ("Milliseconds", "Seconds")


@pytest.mark.parametrize(("period_s", "days"), [(60, 15), (300, 63), (900, 63), (3600, 455), (86_400, 455)])
def test_a_period_sees_only_what_its_retention_keeps(store, period_s, days):
    oldest = (NOON - days * DAY_S) // 86_400 * 86_400 + 86_400
    store.add(age(1, oldest - 2 * DAY_S), age(2, oldest))

    assert points(store, start_s=oldest - 3 * DAY_S, period_s=period_s) == [(oldest, 2.0)]


def test_expiry_joins_what_is_old_without_changing_what_can_still_be_asked_for(store):
    old = NOON - 20 * DAY_S
    store.add(*(age(float(second), old + second) for second in range(600)), age(1, NOON))
    before = {
        statistic: points(store, statistic, start_s=old, period_s=300) for statistic in ("Sum", "p95", "SampleCount")
    }

    store.expire(NOON)

    after = {statistic: points(store, statistic, start_s=old, period_s=300) for statistic in before}
    assert after == before
    # In time the five-minute points are joined too.
    store.expire(NOON + 60 * DAY_S)
    assert points(store, "Sum", start_s=old, period_s=3600, now_s=NOON + 60 * DAY_S)[0] == (old, sum(range(600)))


def test_expiry_deletes_what_no_period_sees(store):
    store.add(age(1, NOON - 456 * DAY_S))

    store.expire(NOON)

    assert store.series() == []


def test_expiry_twice_changes_nothing_more(store):
    store.add(*(age(1, NOON - 16 * DAY_S + second) for second in range(0, 3600, 7)))
    store.expire(NOON)
    once = points(store, "Sum", start_s=NOON - 17 * DAY_S, period_s=300)

    store.expire(NOON)

    assert points(store, "Sum", start_s=NOON - 17 * DAY_S, period_s=300) == once


def test_series_are_listed_by_namespace_metric_and_dimensions(store):
    store.add(age(1, NOON), age(1, NOON, {"QueueName": "other"}), Sample.of("Own", "Made", 1, time_s=NOON))

    assert store.series("AWS/SQS", "Age", [("QueueName", "jobs")]) == [
        MetricId("AWS/SQS", "Age", (("QueueName", "jobs"),))
    ]
    assert len(store.series(dimensions=[("QueueName", None)])) == 2
    assert store.series("Own") == [MetricId("Own", "Made")]
    assert store.series("AWS/Lambda") == []


def test_only_the_last_two_weeks_are_listed_and_on_demand_only_three_hours(store):
    store.add(
        age(1, NOON - 15 * DAY_S, {"QueueName": "gone"}), age(1, NOON - 4 * 3600, {"QueueName": "still"}), age(1, NOON)
    )

    listed = [dict(metric.dimensions)["QueueName"] for metric in store.series(now_s=NOON)]
    active = [dict(metric.dimensions)["QueueName"] for metric in store.series(now_s=NOON, recently_active=True)]

    assert listed == ["jobs", "still"]
    assert active == ["jobs"]


def test_recent_needs_a_now(store):
    with pytest.raises(ValueError, match="now_s"):
        store.series(recently_active=True)


def test_what_was_written_by_hand_is_forgotten_and_what_was_measured_stays(store):
    store.add(age(9, NOON - 120), origin="history:42")
    store.add(age(1, NOON))
    assert points(store) == [(NOON - 120, 9.0), (NOON, 1.0)]

    assert store.forget("history:42") == 1

    assert points(store) == [(NOON, 1.0)]
    assert store.first_s("AWS/SQS", "Age", QUEUE) == NOON


def test_the_first_minute_is_found_by_origin(store):
    store.add(age(9, NOON - 120), origin="history:42")
    store.add(age(1, NOON + 61), age(1, NOON + 600))

    assert store.first_s("AWS/SQS", dimensions=QUEUE) == NOON + 60
    assert store.first_s("AWS/SQS", dimensions=QUEUE, since_s=NOON + 120) == NOON + 600
    assert store.first_s("AWS/SQS", dimensions=QUEUE, origin="history:42") == NOON - 120
    assert store.first_s("AWS/SQS", dimensions={"QueueName": "other"}) is None


def test_many_rows_are_written_at_once_or_not_at_all(store):
    metric = MetricId("AWS/SQS", "Age", (("QueueName", "jobs"),))

    assert store.add_rows([(metric, "Seconds", [(NOON, 2, 6, 3, 3), (NOON + 60, 1, 4, 4, 4)])]) == 2
    with pytest.raises(TypeError):
        store.add_rows([(metric, "Seconds", [(NOON + 120, 1, 5, 5, 5)]), (metric, "Seconds", [(None, 1, 1, 1, 1)])])

    assert points(store, "Sum") == [(NOON, 6.0), (NOON + 60, 4.0)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_with_all_that_came_with_it(store, value):
    with pytest.raises(ValueError, match="AWS/SQS Age: not all figures are finite"):
        store.add(age(1, NOON), age(value, NOON))

    assert store.series() == []


def test_a_sample_that_counts_nothing_says_nothing(store):
    store.add(Sample("AWS/SQS", "Age", NOON, "Seconds", count=0, total=0, lowest=0, highest=0))

    assert store.series() == []


@pytest.mark.parametrize("statistic", ["average", "tm101", "p101"])
def test_an_unknown_statistic_is_named_with_those_that_are_known(store, statistic):
    with pytest.raises(ValueError, match=f"'{statistic}' is not known. Known: Average, .* p0 to p100"):
        points(store, statistic)


def test_high_resolution_metric_is_kept_by_the_second_for_three_hours(store):
    fine = {"count": 1, "total": 1, "lowest": 1, "highest": 1, "dimensions": QUEUE, "resolution_s": 1}
    store.add(
        Sample("AWS/SQS", "Age", NOON + 7, "Seconds", **fine), Sample("AWS/SQS", "Age", NOON + 38, "Seconds", **fine)
    )

    assert points(store, "Sum", start_s=NOON + 3, period_s=10, now_s=NOON + 60) == [(NOON, 1.0), (NOON + 30, 1.0)]

    store.expire(NOON + 3 * 3600 + 60)

    assert points(store, "Sum", start_s=NOON, period_s=60) == [(NOON, 2.0)]
    assert points(store, "Sum", start_s=NOON, period_s=10, now_s=NOON + 3 * 3600 + 60) == []


def test_units_are_those_of_the_stretch(store):
    store.add(age(1, NOON), Sample.of("AWS/SQS", "Age", 1, time_s=NOON + 60, unit="Count", dimensions=QUEUE))

    assert store.units("AWS/SQS", "Age", QUEUE) == ("Count", "Seconds")
    assert store.units("AWS/SQS", "Age", QUEUE, start_s=NOON, end_s=NOON + 60) == ("Seconds",)


@pytest.mark.parametrize("period_s", [0, -60, 15, 90])
def test_period_is_a_short_one_or_whole_minutes(store, period_s):
    with pytest.raises(ValueError, match=f"The period {period_s} s is not known"):
        points(store, period_s=period_s)


def test_threads_write_and_read_at_the_same_time(store):
    failures = []

    def work(number):
        try:
            for step in range(50):
                store.add(age(number, NOON + 60 * step))
                points(store, "Sum")
        except Exception as error:  # noqa: BLE001 - any is a failure of the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    assert points(store, "SampleCount")[0] == (NOON, 4.0)
    assert len(points(store)) == 50


def test_everything_can_be_cleared(store):
    store.add(age(1, NOON))
    store.clear()
    store.add(age(2, NOON))

    assert points(store) == [(NOON, 2.0)]


def values(store):
    asked = {"start_s": NOON, "end_s": NOON + 3600, "period_s": 60, "statistic": "Sum", "now_s": NOON}
    return store.points("Own", "Made", {}, **asked)


def test_a_file_keeps_its_metrics_for_the_next_process(tmp_path):
    first = MetricStore(tmp_path / "metrics.sqlite")
    first.add(Sample.of("Own", "Made", 3, time_s=NOON))
    first.close()

    second = MetricStore(tmp_path / "metrics.sqlite")

    assert values(second) == [(NOON, 3.0)]
    second.close()


def test_a_killed_process_loses_nothing(tmp_path):
    file = tmp_path / "metrics.sqlite"
    program = (
        "import os, pathlib, sys\n"
        "from couch_explorers.local.cloudwatch.store import Sample\n"
        "from couch_explorers.local.cloudwatch.store import MetricStore\n"
        "store = MetricStore(pathlib.Path(sys.argv[1]))\n"
        f"store.add(Sample.of('Own', 'Made', 3, time_s={NOON}))\n"
        "os.kill(os.getpid(), 9)\n"
    )

    killed = subprocess.run([sys.executable, "-c", program, str(file)], check=False, env={**os.environ})

    assert killed.returncode == -9
    store = MetricStore(file)
    assert values(store) == [(NOON, 3.0)]
    store.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, but it is long enough to look at" * 40, b"SQLite format 3\0broken"]
)
def test_a_file_that_cannot_be_read_is_kept_beside_a_new_one(tmp_path, caplog, content):
    file = tmp_path / "metrics.sqlite"
    file.write_bytes(content)

    store = MetricStore(file)
    store.add(Sample.of("Own", "Made", 3, time_s=NOON))

    assert values(store) == [(NOON, 3.0)]
    assert (tmp_path / "metrics.sqlite.unreadable").read_bytes() == content
    assert "metrics.sqlite.unreadable" in caplog.text
    store.close()


def test_a_file_of_another_release_is_kept_beside_a_new_one(tmp_path, caplog):
    file = tmp_path / "metrics.sqlite"
    other = sqlite3.connect(file)
    other.execute("PRAGMA user_version = 99")
    other.close()

    MetricStore(file).close()

    assert "it has the schema 99, and this release reads 1" in caplog.text


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(sqlite3.OperationalError):
        MetricStore(tmp_path / "missing" / "metrics.sqlite")


def test_a_closed_file_is_not_opened_again(tmp_path):
    database = Database(tmp_path / "metrics.sqlite")
    database.close()

    with pytest.raises(sqlite3.ProgrammingError, match="closed"), database.reading():
        pass


def test_a_failed_transaction_leaves_nothing_behind(tmp_path):
    database = Database(tmp_path / "metrics.sqlite")
    insert = "INSERT INTO series (region, namespace, metric, dimensions, unit, origin) VALUES ('', '', '', '', '', '')"

    with pytest.raises(sqlite3.IntegrityError), database.writing() as connection:
        connection.executemany(insert, [(), ()])

    with database.reading() as connection:
        assert connection.execute("SELECT COUNT(*) FROM series").fetchone() == (0,)
    database.close()
