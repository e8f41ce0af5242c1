"""Metrics and alarms of a running engine: every protocol answers from the store, and what happens in the services is measured."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from couch_explorers.aws import REGION
from couch_explorers.local.settings import ACCOUNT_ID
from tests.local.engine.conftest import serve
from tests.waiting import wait_until

# Period of an alarm that is judged every ten seconds, and how long its change may take on a busy machine.
SHORT_S, PATIENCE_S = 10, 120


@pytest.fixture(scope="module")
def cloudwatch(engine_cloud):
    return engine_cloud.client("cloudwatch")


@pytest.fixture(scope="module")
def sqs(engine_cloud):
    return engine_cloud.client("sqs")


def values(cloudwatch, namespace, metric, dimensions, stat="Sum"):
    """The values of the last hour by the minute, oldest first."""
    now = datetime.now(UTC)
    named = {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": named, "Period": 60, "Stat": stat}}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
        ScanBy="TimestampAscending",
    )
    return answer["MetricDataResults"][0]["Values"]


def total(*arguments):
    return sum(values(*arguments))


def alarm_on(name, metric, **changes):
    return {
        "AlarmName": name,
        "Namespace": "Test/Alarms",
        "MetricName": metric,
        "Statistic": "Maximum",
        "Period": SHORT_S,
        "EvaluationPeriods": 1,
        "Threshold": 10.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
    } | changes


def state(cloudwatch, name):
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return alarm["StateValue"]


def test_metrics_come_back_page_by_page_and_each_statistic_by_its_rule(cloudwatch):
    values = [{"MetricName": "Made", "Values": [1.0, 2.0, 3.0, 4.0], "Counts": [1, 1, 1, 1], "Unit": "Count"}]
    cloudwatch.put_metric_data(Namespace="Test/Statistics", MetricData=values)
    now = datetime.now(UTC)
    metric = {"Namespace": "Test/Statistics", "MetricName": "Made"}
    stats = {"sum": "Sum", "half": "p50", "cut": "TM(25%:75%)", "below": "PR(:3)"}
    queries = [
        {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}} for name, stat in stats.items()
    ]

    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[*queries, {"Id": "twice", "Expression": "sum * 2"}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        MaxDatapoints=2,
    )

    found = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            found.setdefault(result["Id"], []).extend(result["Values"])
    assert found == {"sum": [10.0], "half": [2.5], "cut": [2.5], "below": [75.0], "twice": [20.0]}


def test_long_page_holds_whole_numbers_and_times(cloudwatch):
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    data = [
        {"MetricName": "Long", "Value": float(minute), "Timestamp": now - timedelta(minutes=minute)}
        for minute in range(40)
    ]
    cloudwatch.put_metric_data(Namespace="Test/Long", MetricData=data)
    stat = {"Metric": {"Namespace": "Test/Long", "MetricName": "Long"}, "Period": 60, "Stat": "Sum"}

    (result,) = cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=1),
    )["MetricDataResults"]

    assert result["Values"] == [float(minute) for minute in range(40)]
    assert result["Timestamps"] == [now - timedelta(minutes=minute) for minute in range(40)]


def test_refused_sample_has_awss_error(cloudwatch):
    with pytest.raises(ClientError, match="mutually exclusive and you have specified both") as refused:
        cloudwatch.put_metric_data(
            Namespace="Test/Refused", MetricData=[{"MetricName": "Made", "Value": 1.0, "Values": [1.0]}]
        )

    assert refused.value.response["Error"]["Code"] == "InvalidParameterCombination"


def test_queue_counts_sends_receives_deletions_and_empty_receives(cloudwatch, sqs):
    url = sqs.create_queue(QueueName="counted")["QueueUrl"]
    sqs.receive_message(QueueUrl=url)
    attributes = {"reason": {"DataType": "String", "StringValue": "Throttled"}}
    sqs.send_message(QueueUrl=url, MessageBody="A jeep", MessageAttributes=attributes)
    entries = [{"Id": str(number), "MessageBody": "é"} for number in range(2)]
    sqs.send_message_batch(QueueUrl=url, Entries=entries)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])

    def counted():
        names = ("NumberOfMessagesSent", "NumberOfMessagesReceived", "NumberOfMessagesDeleted", "NumberOfEmptyReceives")
        return [total(cloudwatch, "AWS/SQS", name, {"QueueName": "counted"}) for name in names]

    wait_until(lambda: counted() == [3, 3, 1, 1], what="the queue's counts")
    size = len("A jeep") + len("reason") + len("String") + len("Throttled")
    assert max(values(cloudwatch, "AWS/SQS", "SentMessageSize", {"QueueName": "counted"}, "Maximum")) == size


def test_function_counts_invocations_by_name_and_resource(cloudwatch, functions):
    code = "def handler(event, context):\n    if event.get('fails'):\n        raise ValueError('no')\n    return 1\n"
    name = functions.create(code)
    version = functions.client.publish_version(FunctionName=name)["Version"]
    functions.invoke(name)
    functions.invoke(name, {"fails": True})
    functions.invoke(name, Qualifier=version)

    def counted(metric, **more):
        return total(cloudwatch, "AWS/Lambda", metric, {"FunctionName": name, **more})

    wait_until(lambda: counted("Invocations") == 3, what="three invocations")
    assert counted("Errors") == 1
    assert counted("Throttles") == 0
    assert counted("Invocations", Resource=f"{name}:{version}") == 1
    assert counted("Invocations", Resource=name) == 2
    assert 0 < counted("Duration") < 60_000


def test_throttled_invocation_is_a_throttle_and_no_invocation(cloudwatch, functions):
    name = functions.create("def handler(event, context):\n    return 1\n")
    functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="Rate Exceeded"):
        functions.invoke(name)

    throttles = ("AWS/Lambda", "Throttles", {"FunctionName": name})
    # The client tries again by itself.
    wait_until(lambda: total(cloudwatch, *throttles) >= 1, what="the throttle")
    assert values(cloudwatch, "AWS/Lambda", "Invocations", {"FunctionName": name}) == []


def test_log_event_becomes_embedded_metrics_and_those_of_its_groups_filters(engine_cloud, cloudwatch):
    logs = engine_cloud.client("logs")
    for group in ("/test/filtered", "/test/other"):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="stream")
    logs.put_metric_filter(
        logGroupName="/test/filtered",
        filterName="pictures",
        filterPattern="",
        metricTransformations=[
            {"metricNamespace": "Test/Filters", "metricName": "Pictures", "metricValue": "$.made", "unit": "Count"}
        ],
    )
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    directive = {"Namespace": "Test/Embedded", "Dimensions": [["service"]], "Metrics": [{"Name": "made"}]}
    document = {"_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]}, "service": "worker", "made": 4}
    for group in ("/test/filtered", "/test/other"):
        events = [{"timestamp": now_ms, "message": json.dumps(document)}]
        logs.put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)

    embedded = ("Test/Embedded", "made", {"service": "worker"})
    wait_until(lambda: total(cloudwatch, *embedded) == 8, what="the embedded metrics")
    assert values(cloudwatch, "Test/Filters", "Pictures", {}) == [4.0]


def test_rest_api_counts_its_requests_by_stage(engine_cloud, cloudwatch):
    gateway = engine_cloud.client("apigateway")
    api = gateway.create_rest_api(name="measured")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    at = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**at, authorizationType="NONE")
    gateway.put_integration(**at, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    gateway.put_method_response(**at, statusCode="200")
    templates = {"application/json": '{"ok": true}'}
    gateway.put_integration_response(**at, statusCode="200", responseTemplates=templates)
    gateway.create_deployment(restApiId=api, stageName="prod")
    assert engine_cloud.ask("GET", f"/_aws/execute-api/{api}/prod/")[0] == 200
    assert engine_cloud.ask("GET", f"/_aws/execute-api/{api}/prod/nowhere")[0] == 403

    stage = {"ApiName": "measured", "Stage": "prod"}
    wait_until(lambda: total(cloudwatch, "AWS/ApiGateway", "Count", stage) == 2, what="two requests")
    assert total(cloudwatch, "AWS/ApiGateway", "4XXError", {"ApiName": "measured"}) == 1
    assert total(cloudwatch, "AWS/ApiGateway", "5XXError", stage) == 0


def test_alarm_publishes_when_its_threshold_is_crossed(engine_cloud, cloudwatch, sqs):
    sns = engine_cloud.client("sns")
    topic = sns.create_topic(Name="rings")["TopicArn"]
    url = sqs.create_queue(QueueName="notified")["QueueUrl"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:notified"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    cloudwatch.put_metric_alarm(**alarm_on("notifies-topic", "Notified", AlarmActions=[topic], OKActions=[topic]))

    cloudwatch.put_metric_data(Namespace="Test/Alarms", MetricData=[{"MetricName": "Notified", "Value": 11.0}])

    wait_until(lambda: state(cloudwatch, "notifies-topic") == "ALARM", within_s=PATIENCE_S, what="the alarm")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    notification = json.loads(message["Body"])
    assert (notification["AlarmName"], notification["OldStateValue"], notification["NewStateValue"]) == (
        "notifies-topic",
        "INSUFFICIENT_DATA",
        "ALARM",
    )
    assert notification["NewStateReason"].startswith("Threshold Crossed: 1 datapoint [11.0 (")
    assert notification["Trigger"]["Statistic"] == "MAXIMUM"
    items = cloudwatch.describe_alarm_history(AlarmName="notifies-topic", ScanBy="TimestampAscending")[
        "AlarmHistoryItems"
    ]
    assert [item["HistorySummary"] for item in items] == [
        'Alarm "notifies-topic" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        f"Successfully executed action {topic}",
    ]


def test_topic_that_denies_cloudwatch_gets_nothing_and_history_has_the_error(engine_cloud, cloudwatch):
    sns = engine_cloud.client("sns")
    topic = sns.create_topic(Name="closed")["TopicArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    cloudwatch.put_metric_alarm(**alarm_on("unheard", "Unheard", AlarmActions=[topic]))

    cloudwatch.set_alarm_state(AlarmName="unheard", StateValue="ALARM", StateReason="tried out")

    (item,) = cloudwatch.describe_alarm_history(AlarmName="unheard", HistoryItemType="Action")["AlarmHistoryItems"]
    assert item["HistorySummary"].startswith(f"Failed to execute action {topic}. Received error:")
    assert json.loads(item["HistoryData"])["actionState"] == "Failed"


def test_anomaly_detector_is_kept_until_it_is_deleted(cloudwatch):
    metric = {"Namespace": "Test/Detectors", "MetricName": "Made", "Stat": "Sum"}
    cloudwatch.put_anomaly_detector(SingleMetricAnomalyDetector=metric)

    (detector,) = cloudwatch.describe_anomaly_detectors(Namespace="Test/Detectors")["AnomalyDetectors"]
    cloudwatch.delete_anomaly_detector(SingleMetricAnomalyDetector=metric)

    assert detector["StateValue"] == "PENDING_TRAINING"
    assert cloudwatch.describe_anomaly_detectors(Namespace="Test/Detectors")["AnomalyDetectors"] == []


def test_alarm_on_metric_math_and_the_composite_alarm_above_it(cloudwatch):
    stat = {"Period": SHORT_S, "Stat": "Sum"}
    metrics = [
        {
            "Id": name,
            "MetricStat": stat | {"Metric": {"Namespace": "Test/Alarms", "MetricName": name}},
            "ReturnData": False,
        }
        for name in ("failed", "all")
    ]
    cloudwatch.put_metric_alarm(
        AlarmName="failure-rate",
        Metrics=[*metrics, {"Id": "rate", "Expression": "100 * failed / all", "Label": "rate"}],
        EvaluationPeriods=1,
        Threshold=25.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    cloudwatch.put_composite_alarm(AlarmName="service", AlarmRule='ALARM("failure-rate") AND NOT FALSE')

    def composite():
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=["service"], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        return alarm

    assert composite()["StateValue"] == "OK"
    data = [{"MetricName": "failed", "Value": 3.0}, {"MetricName": "all", "Value": 10.0}]
    cloudwatch.put_metric_data(Namespace="Test/Alarms", MetricData=data)
    wait_until(lambda: composite()["StateValue"] == "ALARM", within_s=PATIENCE_S, what="the composite alarm")
    assert "failure-rate transitioned to ALARM at" in composite()["StateReason"]


def test_changed_settings_keep_the_state_and_a_set_state_acts_once(cloudwatch):
    cloudwatch.put_metric_alarm(**alarm_on("kept", "Kept"))
    cloudwatch.set_alarm_state(AlarmName="kept", StateValue="ALARM", StateReason="tried out")

    cloudwatch.put_metric_alarm(**alarm_on("kept", "Kept", Threshold=20.0))

    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["kept"])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"], alarm["Threshold"]) == ("ALARM", "tried out", 20.0)
    cloudwatch.delete_alarms(AlarmNames=["kept"])
    assert cloudwatch.describe_alarms(AlarmNames=["kept"])["MetricAlarms"] == []


def test_alarms_are_described_in_pages_and_by_filters(cloudwatch):
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        cloudwatch.put_metric_alarm(**alarm_on(name, "Paged", AlarmActions=[f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:t"]))

    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix="page-", PaginationConfig={"PageSize": 2}
    )

    assert [[alarm["AlarmName"] for alarm in page["MetricAlarms"]] for page in pages] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    assert len(cloudwatch.describe_alarms(ActionPrefix=f"arn:aws:sns:{REGION}")["MetricAlarms"]) >= 5
    found = cloudwatch.describe_alarms_for_metric(Namespace="Test/Alarms", MetricName="Paged")["MetricAlarms"]
    assert {alarm["AlarmName"] for alarm in found} == set(names)
    cloudwatch.delete_alarms(AlarmNames=names)


def test_alarm_that_the_clock_changed_and_its_metric_survive_a_killed_server(tmp_path):
    with serve(tmp_path) as cloud:
        client = cloud.client("cloudwatch")
        client.put_metric_alarm(**alarm_on("survivor", "Survives"))
        client.put_metric_data(Namespace="Test/Alarms", MetricData=[{"MetricName": "Survives", "Value": 11.0}])
        wait_until(lambda: state(client, "survivor") == "ALARM", within_s=PATIENCE_S, what="the alarm")
        assert cloud.ask("POST", "/_couch/save")[0] == 200

    with serve(tmp_path) as cloud:
        client = cloud.client("cloudwatch")

        assert state(client, "survivor") == "ALARM"
        assert values(client, "Test/Alarms", "Survives", {}) == [11.0]
        assert len(client.describe_alarm_history(AlarmName="survivor")["AlarmHistoryItems"]) == 2


# Statistics that need every value: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
@pytest.mark.parametrize(
    ("statistic", "value"),
    [("PR(:60000)", 60.0), ("p95", 95_050.0), ("TM(10%:90%)", 50_500.0), ("WM(10%:90%)", 50_500.0), ("TC(:60000)", 60.0), ("TS(:2000)", 3000.0)],
)  # fmt: skip
def test_percentile_ranks_and_trimmed_statistics_are_answered(cloudwatch, statistic, value):
    name = f"TimeToPicture {statistic}"
    cloudwatch.put_metric_data(
        Namespace="Test/Objective",
        MetricData=[
            {"MetricName": name, "Unit": "Milliseconds", "Values": [1000.0 * second for second in range(1, 101)]}
        ],
    )

    assert values(cloudwatch, "Test/Objective", name, {}, statistic) == [pytest.approx(value)]


def test_a_dashboard_is_kept_changed_listed_and_deleted(cloudwatch):
    for title in ("first", "second"):
        body = {
            "widgets": [{"type": "text", "x": 0, "y": 0, "width": 6, "height": 2, "properties": {"markdown": title}}]
        }
        cloudwatch.put_dashboard(DashboardName="test-objective", DashboardBody=json.dumps(body))

        kept = cloudwatch.get_dashboard(DashboardName="test-objective")
        assert json.loads(kept["DashboardBody"]) == body
    listed = cloudwatch.list_dashboards(DashboardNamePrefix="test-objective")["DashboardEntries"]
    assert [entry["DashboardName"] for entry in listed] == ["test-objective"]

    cloudwatch.delete_dashboards(DashboardNames=["test-objective"])

    for refused in (
        lambda: cloudwatch.get_dashboard(DashboardName="test-objective"),
        lambda: cloudwatch.delete_dashboards(DashboardNames=["test-objective"]),
    ):
        with pytest.raises(ClientError) as error:
            refused()
        answer = error.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ResourceNotFound", 404)
