from couch_explorers.local.cloudwatch.store import MetricId
from couch_explorers.local.synthetic_metrics import simulation
from couch_explorers.local.synthetic_metrics.simulation import InFlight, MetricSeries, SeriesRecorder
from couch_explorers.local.telemetry import sqs


def peaks(*invocations):
    series = MetricSeries("Count")
    in_flight = InFlight()
    for start_s, seconds in invocations:
        in_flight.add(start_s, seconds)
    in_flight.write(series)
    return series.maxima()


def test_the_same_value_in_the_same_minute_is_one_row_with_its_count():
    series = MetricSeries("Milliseconds")
    for time_s, value in ((120, 5), (179, 5), (130, 7), (60, 5)):
        series.add(time_s, value)

    assert series.rows() == [(60, 1, 5, 5, 5), (120, 2, 10, 5, 5), (120, 1, 7, 7, 7)]
    assert series.sums() == {60: 5, 120: 17}
    assert series.maxima() == {60: 5, 120: 7}


def test_a_metric_has_one_series_whatever_the_order_of_its_dimensions():
    recorder = SeriesRecorder()

    recorder.metric("Own", "Made", {"service": "worker", "model": "core"}).add(60, 1)
    recorder.metric("Own", "Made", {"model": "core", "service": "worker"}).add(60, 1)

    metric = MetricId("Own", "Made", (("model", "core"), ("service", "worker")))
    assert list(recorder.series()) == [(metric, "Count", [(60, 2, 2, 1, 1)])]


def test_the_peak_of_a_minute_is_the_most_that_ran_at_the_same_time():
    assert peaks((0, 10), (5, 10), (30, 5)) == {0: 2}


def test_what_ends_as_the_next_begins_never_ran_beside_it():
    assert peaks((0, 10), (10, 10)) == {0: 1}


def test_what_runs_through_a_minute_runs_in_it():
    assert peaks((50, 200), (55, 10)) == {0: 2, 60: 2, 120: 1, 180: 1, 240: 1}


def test_a_minute_in_which_nothing_ran_has_no_value():
    assert peaks((0, 10), (180, 10)) == {0: 1, 180: 1}


def test_nothing_has_no_peaks():
    assert peaks() == {}


def test_queues_follow_the_rules_of_the_measured_ones():
    assert simulation.AGE_ENDS_AT_RECEIVES == sqs.AGE_ENDS_AT_RECEIVES
    assert simulation.ACTIVE_S == sqs.ACTIVE_S
    assert simulation.EMPTY_RECEIVES_A_MINUTE == sqs.POLLERS * 60 // sqs.LONG_POLL_S
