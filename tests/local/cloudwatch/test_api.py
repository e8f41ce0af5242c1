"""What is taken, refused and answered follows PutMetricData, MetricDatum, GetMetricData, GetMetricStatistics and ListMetrics in
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/
"""

import math

import pytest

from couch_explorers.local.cloudwatch import api
from couch_explorers.local.cloudwatch.api import RefusedError
from couch_explorers.local.cloudwatch.store import MetricId, MetricStore, Sample

NOW = 1_795_608_000.0


def put(*data, namespace="Own"):
    return api.parse_put_metric_data({"Namespace": namespace, "MetricData": list(data)}, NOW)


def datum(**fields):
    return {"MetricName": "Made", **fields}


def test_a_value_without_a_time_is_of_now():
    assert put(datum(Value=3.0)) == [Sample.of("Own", "Made", 3.0, time_s=NOW, unit="None")]


def test_a_value_keeps_its_time_unit_and_dimensions():
    dimensions = [{"Name": "service", "Value": "worker"}, {"Name": "model", "Value": "core"}]

    (sample,) = put(datum(Value=3.0, Timestamp=NOW - 60, Unit="Seconds", Dimensions=dimensions))

    assert (sample.time_s, sample.unit) == (NOW - 60, "Seconds")
    assert sample.dimensions == {"service": "worker", "model": "core"}


def test_values_count_as_often_as_their_counts_say():
    samples = put(datum(Values=[1.0, 2.0], Counts=[3.0, 1.0]))

    assert [(sample.count, sample.total, sample.highest) for sample in samples] == [(3.0, 3.0, 1.0), (1.0, 2.0, 2.0)]


def test_values_without_counts_count_once():
    assert [sample.count for sample in put(datum(Values=[1.0, 2.0]))] == [1.0, 1.0]


def test_a_statistic_set_is_taken_as_it_is():
    (sample,) = put(datum(StatisticValues={"SampleCount": 4.0, "Sum": 10.0, "Minimum": 1.0, "Maximum": 4.0}))

    assert (sample.count, sample.total, sample.lowest, sample.highest) == (4.0, 10.0, 1.0, 4.0)


def test_metrics_of_entities_are_metrics():
    request = {"Namespace": "Own", "EntityMetricData": [{"MetricData": [datum(Value=1.0)]}]}

    assert [sample.metric for sample in api.parse_put_metric_data(request, NOW)] == ["Made"]


def test_anybody_may_publish_in_a_namespace_of_aws_here():
    # AWS keeps AWS/ for itself; here it is how an alarm is tried out.
    assert put(datum(Value=640.0), namespace="AWS/SQS")[0].namespace == "AWS/SQS"


@pytest.mark.parametrize("ago_s", [14 * 86_400, -2 * 3600])
def test_a_time_at_either_limit_is_taken(ago_s):
    assert put(datum(Value=1.0, Timestamp=NOW - ago_s))


STATISTIC_SET = {"SampleCount": 2.0, "Sum": 3.0, "Minimum": 1.0, "Maximum": 2.0}


def test_values_and_a_statistic_set_are_both_kept():
    assert [sample.count for sample in put(datum(Values=[1.0], StatisticValues=STATISTIC_SET))] == [1.0, 2.0]


def test_high_resolution_is_kept():
    assert put(datum(Value=1.0, StorageResolution=1))[0].resolution_s == 1


# Fields of a datum, and what AWS says of them.
BAD_DATA = [
    *[({"Value": value}, r"for parameter MetricData\.member\.1\.Value is invalid") for value in (math.nan, math.inf, 2.0**361, -(2.0**361))],
    *[({"Value": 1.0, "Timestamp": NOW - ago_s}, r"member\.1\.Timestamp must specify a time within the past two weeks") for ago_s in (14 * 86_400 + 1, -2 * 3600 - 1)],
    ({"Value": 0.0, "Values": [1.0]}, "are mutually exclusive and you have specified both"),
    ({"Value": 0.0, "StatisticValues": STATISTIC_SET}, "are mutually exclusive and you have specified both"),
    ({"Value": 1.0, "StorageResolution": 5}, "StorageResolution must be 1 or 60, not 5"),
    ({"Values": []}, "At least one of"),
    ({"Values": [1.0] * 151}, "size greater than 150"),
    ({"Values": [1.0], "Counts": [1.0, 2.0]}, "Counts must be of the same size"),
    ({"Values": [1.0], "Counts": [0.0]}, "it must be more than 0"),
    ({"Values": [1.0], "Counts": [-1.0]}, "it must be more than 0"),
    ({"StatisticValues": STATISTIC_SET | {"Minimum": 2.0, "Maximum": 1.0}}, "Minimum must not be greater"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "words"), BAD_DATA)
def test_datum_that_breaks_a_rule_is_refused(fields, words):
    with pytest.raises(RefusedError, match=words) as refused:
        put(datum(**fields))

    assert (refused.value.code == "InvalidParameterCombination") == ("mutually exclusive" in words)


def test_a_request_has_1_to_1000_metrics():
    with pytest.raises(RefusedError, match="MetricData is required"):
        put()
    with pytest.raises(RefusedError, match="size greater than 1000"):
        put(*[datum(Value=1.0)] * 1001)


def test_one_bad_datum_refuses_the_whole_request():
    with pytest.raises(RefusedError, match=r"MetricData\.member\.2"):
        put(datum(Value=1.0), datum(Value=math.nan))


NOON = 1_795_608_000
DAY_S = 86_400


@pytest.fixture
def store():
    store = MetricStore(None)
    yield store
    store.close()


def made(value, time_s, metric="Made", **dimensions):
    return Sample.of("Own", metric, value, time_s=time_s, dimensions=dimensions)


def query(name="made", metric="Made", stat="Sum", period=60, dimensions=(), **more):
    named = [{"Name": key, "Value": value} for key, value in dimensions]
    metric_stat = {
        "Metric": {"Namespace": "Own", "MetricName": metric, "Dimensions": named},
        "Period": period,
        "Stat": stat,
    }
    return {"Id": name, "MetricStat": metric_stat | more}


def get(store, *queries, start_s=NOON, end_s=NOON + 3600, now_s=NOON + 3600, **more):
    request = {"MetricDataQueries": list(queries), "StartTime": start_s, "EndTime": end_s, **more}
    return api.get_metric_data(store, request, now_s=now_s, region="eu-west-1")


def pages(store, *queries, **more):
    page = get(store, *queries, **more)
    yield page
    while token := page.get("NextToken"):
        page = get(store, *queries, **more, NextToken=token)
        yield page


def test_the_newest_point_comes_first_unless_asked_otherwise(store):
    store.add(made(1, NOON), made(2, NOON + 60))

    assert get(store, query())["MetricDataResults"][0]["Values"] == [2.0, 1.0]
    ascending = get(store, query(), ScanBy="TimestampAscending")["MetricDataResults"][0]
    assert (ascending["Timestamps"], ascending["Values"]) == ([NOON, NOON + 60], [1.0, 2.0])


def test_a_metric_nobody_knows_is_complete_and_empty(store):
    assert get(store, query()) == {
        "MetricDataResults": [
            {"Id": "made", "Label": "Made", "Timestamps": [], "Values": [], "StatusCode": "Complete"}
        ],
        "Messages": [],
    }


def test_a_query_without_dimensions_sees_only_the_metric_without_any(store):
    store.add(made(1, NOON, service="worker"))

    assert get(store, query())["MetricDataResults"][0]["Values"] == []
    assert get(store, query(dimensions=[("service", "worker")]))["MetricDataResults"][0]["Values"] == [1.0]


def test_the_wrong_unit_has_no_points(store):
    store.add(made(1, NOON))

    assert get(store, query(Unit="Seconds"))["MetricDataResults"][0]["Values"] == []


def test_a_label_that_was_given_is_kept(store):
    assert get(store, query() | {"Label": "Pictures"})["MetricDataResults"][0]["Label"] == "Pictures"


def test_what_is_not_to_be_returned_is_not(store):
    assert get(store, query() | {"ReturnData": False})["MetricDataResults"] == []


def test_expression_is_computed_beside_the_metrics(store):
    store.add(made(1, NOON), made(3, NOON + 60))

    twice, plain = get(store, {"Id": "twice", "Expression": "made * 2"}, query())["MetricDataResults"]

    assert (twice["Label"], twice["Values"], twice["StatusCode"]) == ("twice", [6.0, 2.0], "Complete")
    assert plain["Values"] == [3.0, 1.0]


def test_expression_of_an_array_answers_with_each_series(store):
    store.add(made(1, NOON), made(5, NOON, "Lost"))
    queries = [query() | {"ReturnData": False}, query("lost", "Lost") | {"ReturnData": False}]

    results = get(store, *queries, {"Id": "all", "Expression": "METRICS() * 10"})["MetricDataResults"]

    assert [(result["Id"], result["Label"], result["Values"]) for result in results] == [
        ("all", "all Made", [10.0]),
        ("all", "all Lost", [50.0]),
    ]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("other + 1", "other is the Id of no query"),
        ("e1 + 1", "e1 refers to itself"),
        ("SUM(made)", "gives a number, and a time series is needed"),
    ],
)
def test_expression_that_cannot_be_computed_is_refused(store, expression, words):
    with pytest.raises(RefusedError, match=words):
        get(store, query(), {"Id": "e1", "Expression": expression})


def test_metric_of_several_units_answers_with_the_first_and_says_so(store):
    store.add(made(7, NOON), Sample.of("Own", "Made", 5, time_s=NOON, unit="Seconds"))

    (result,) = get(store, query())["MetricDataResults"]

    assert result["Values"] == [7.0]
    assert result["Messages"] == [{"Code": "MultipleUnits", "Value": "Multiple units returned: '[Count, Seconds]'"}]


@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        ({}, {}, ["Made", "Made"]),
        ({"stat": "Minimum"}, {}, ["Made Minimum", "Made Sum"]),
        ({"period": 300}, {}, ["Made 300", "Made 60"]),
        ({"stat": "p90", "period": 300}, {}, ["Made p90 300", "Made Sum 60"]),
    ],
)
def test_label_says_in_what_queries_differ(store, one, other, labels):
    results = get(store, query(**one), query("other", **other))["MetricDataResults"]

    assert [result["Label"] for result in results] == labels


def test_short_period_begins_at_its_own_multiples(store):
    fine = Sample("Own", "Made", NOON + 27, "Count", 1, 1, 1, 1, resolution_s=1)
    store.add(fine)

    (result,) = get(store, query(period=10), start_s=NOON + 23, now_s=NOON + 60)["MetricDataResults"]

    assert result["Timestamps"] == [NOON + 20]


@pytest.mark.parametrize("scan_by", ["TimestampDescending", "TimestampAscending"])
@pytest.mark.parametrize("most", [1, 7, 60, 100, 119, 120, 121])
def test_pages_together_give_every_point_once_and_in_order(store, scan_by, most):
    store.add(*(made(minute, NOON + 60 * minute, metric) for minute in range(60) for metric in ("Made", "Lost")))
    queries = [query(), query("none", "Nothing"), query("lost", "Lost")]
    found = {"made": [], "none": [], "lost": []}
    last_status = {}

    for page in pages(store, *queries, ScanBy=scan_by, MaxDatapoints=most):
        assert sum(len(result["Values"]) for result in page["MetricDataResults"]) <= most
        for result in page["MetricDataResults"]:
            found[result["Id"]] += zip(result["Timestamps"], result["Values"], strict=True)
            last_status[result["Id"]] = result["StatusCode"]

    every = [(NOON + 60 * minute, float(minute)) for minute in range(60)]
    if scan_by == "TimestampDescending":
        every.reverse()
    assert found == {"made": every, "none": [], "lost": every}
    assert set(last_status.values()) == {"Complete"}


def test_a_series_that_was_cut_is_partial(store):
    store.add(made(1, NOON), made(2, NOON + 60))

    page = get(store, query(), query("later", "Made"), MaxDatapoints=1)

    assert [result["StatusCode"] for result in page["MetricDataResults"]] == ["PartialData", "PartialData"]
    assert page["NextToken"]


def test_a_point_that_arrives_between_pages_shifts_nothing(store):
    store.add(made(1, NOON), made(2, NOON + 60), made(3, NOON + 120))
    first = get(store, query(), MaxDatapoints=2)
    store.add(made(9, NOON + 180))

    second = get(store, query(), MaxDatapoints=2, NextToken=first["NextToken"])

    assert first["MetricDataResults"][0]["Values"] + second["MetricDataResults"][0]["Values"] == [3.0, 2.0, 1.0]


def test_a_call_gives_at_most_100800_points(store):
    minutes = 100_800 // 5
    rows = [(NOON + 60 * minute, 1, 1, 1, 1) for minute in range(minutes + 1)]
    for number in range(5):
        store.add_rows([(MetricId("Own", f"Made{number}"), "Count", rows)])
    queries = [query(f"q{number}", f"Made{number}") for number in range(5)]

    sizes = [
        sum(len(result["Values"]) for result in page["MetricDataResults"])
        for page in pages(store, *queries, end_s=NOON + 60 * minutes + 60, MaxDatapoints=500_000)
    ]

    assert sizes == [100_800, 5]


@pytest.mark.parametrize("token", ["nonsense", "e30=", "bnVsbA=="])
def test_a_token_nobody_gave_is_refused(store, token):
    with pytest.raises(RefusedError, match="Invalid NextToken") as refused:
        get(store, query(), NextToken=token)

    assert refused.value.code == "InvalidNextToken"


def test_a_token_of_another_request_is_refused(store):
    store.add(made(1, NOON), made(2, NOON + 60))
    token = get(store, query(), MaxDatapoints=1)["NextToken"]

    with pytest.raises(RefusedError, match="Invalid NextToken"):
        get(store, query(period=300), NextToken=token)


def test_500_queries_are_answered(store):
    assert len(get(store, *(query(f"q{number}") for number in range(500)))["MetricDataResults"]) == 500


# Queries, the parameters beside them, and what AWS says.
BAD_QUERIES = [
    *[
        ([query()], {"end_s": end_s}, "StartTime must be less than the parameter EndTime")
        for end_s in (NOON, NOON - 60)
    ],
    *[([query(f"q{number}") for number in range(count)], {}, f"between 1 and 500, not {count}") for count in (0, 501)],
    ([query(period=90)], {}, "Period must be 1, 5, 10, 20, 30, or a multiple of 60"),
    ([{"Id": "sum", "Expression": "1 +"}], {}, "Error in expression 'sum' .The expression ends"),
    ([query(stat="average")], {}, "The statistic 'average' is not known.*The query 'made'"),
    ([query(stat="p101")], {}, "The statistic 'p101'"),
    ([query("Made")], {}, "The value for Id 'Made' must begin with a lower-case letter"),
    ([{"Id": "empty"}], {}, "needs either MetricStat or Expression"),
    ([query() | {"Expression": "1"}], {}, "needs either MetricStat or Expression"),
    ([query(), query()], {}, "more than one query"),
]


@pytest.mark.parametrize(("queries", "parameters", "words"), BAD_QUERIES)
def test_query_that_breaks_a_rule_is_refused(store, queries, parameters, words):
    with pytest.raises(RefusedError, match=words) as refused:
        get(store, *queries, **parameters)

    assert refused.value.code == "ValidationError"


@pytest.mark.parametrize(("days", "step_s"), [(1, 60), (20, 300), (70, 3600)])
def test_a_start_is_rounded_down_as_its_age_says(store, days, step_s):
    start = NOON - days * DAY_S
    store.add(made(1, start))

    result = get(store, query(period=3600), start_s=start + step_s - 1, end_s=NOON, now_s=NOON)["MetricDataResults"][0]

    assert result["Timestamps"] == [start]


def statistics(store, **changes):
    request = {
        "Namespace": "Own", "MetricName": "Made", "StartTime": NOON, "EndTime": NOON + 3600, "Period": 300,
        "Statistics": ["Sum", "Maximum"],
    }  # fmt: skip
    return api.get_metric_statistics(store, request | changes, now_s=NOON + 3600, region="eu-west-1")


def test_statistics_of_a_period_stand_together(store):
    store.add(made(1, NOON), made(3, NOON + 60))

    assert statistics(store, ExtendedStatistics=["p50"]) == {
        "Label": "Made",
        "Datapoints": [
            {"Timestamp": NOON, "Unit": "Count", "Sum": 4.0, "Maximum": 3.0, "ExtendedStatistics": {"p50": 2.0}}
        ],
    }


def test_each_unit_has_data_points_of_its_own(store):
    store.add(made(1, NOON), Sample.of("Own", "Made", 5, time_s=NOON, unit="Seconds"))

    assert [point["Unit"] for point in statistics(store)["Datapoints"]] == ["Count", "Seconds"]
    assert [point["Sum"] for point in statistics(store, Unit="Seconds")["Datapoints"]] == [5.0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Statistics": []}, "At least one of the parameters"),
        ({"ExtendedStatistics": ["Sum"]}, "The value Sum for parameter ExtendedStatistics"),
    ],
)
def test_statistics_that_are_none_are_refused(store, changes, words):
    with pytest.raises(RefusedError, match=words):
        statistics(store, **changes)


def test_at_most_1440_data_points_are_given(store):
    assert statistics(store, Period=60, EndTime=NOON + 1440 * 60)["Datapoints"] == []
    with pytest.raises(RefusedError, match=r"up to 1441 datapoints, which exceeds the limit of 1440") as refused:
        statistics(store, Period=60, EndTime=NOON + 1441 * 60)

    assert refused.value.code == "InvalidParameterCombination"


def listed(store, **request):
    return api.list_metrics(store, request, now_s=NOON, region="eu-west-1")


def test_metrics_are_listed_with_their_dimensions(store):
    store.add(made(1, NOON, service="worker", reason="Throttled"), made(1, NOON, "Lost"))

    found = listed(store, MetricName="Made", Dimensions=[{"Name": "service", "Value": "worker"}, {"Name": "reason"}])

    dimensions = [{"Name": "reason", "Value": "Throttled"}, {"Name": "service", "Value": "worker"}]
    assert found == {"Metrics": [{"Namespace": "Own", "MetricName": "Made", "Dimensions": dimensions}]}


def test_500_metrics_are_listed_a_page(store):
    store.add(*(made(1, NOON, f"Made{number:04}") for number in range(1001)))
    found = []
    sizes = []
    page = {"NextToken": None}
    while "NextToken" in page:
        page = listed(store, Namespace="Own", **({"NextToken": page["NextToken"]} if page["NextToken"] else {}))
        sizes.append(len(page["Metrics"]))
        found += [metric["MetricName"] for metric in page["Metrics"]]

    assert sizes == [500, 500, 1]
    assert found == [f"Made{number:04}" for number in range(1001)]


def test_only_what_is_recently_active_is_listed_on_demand(store):
    store.add(made(1, NOON - 4 * 3600, "Old"), made(1, NOON, "New"))

    assert [metric["MetricName"] for metric in listed(store, RecentlyActive="PT3H")["Metrics"]] == ["New"]
