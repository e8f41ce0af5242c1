"""Alarms that ring by the clock, and what DescribeAlarms and DescribeAlarmHistory then say.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from botocore import parsers, serialize

from couch_explorers.local.cloudwatch.metric import Sample
from couch_explorers.local.cloudwatch.store import MetricStore
from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import alarms, wire_protocol

PATCHED = ("_evaluate_alarm", "_evaluate_all_alarms", "_record_history", "_dispatch_alarm_actions")
KEPT = ("_alarms", "_composite_alarms", "_composite_triggers", "_alarm_history", "_resource_tags")
NINE_41 = datetime(2026, 11, 25, 9, 41, tzinfo=UTC)
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:couch-explorers-42-alarms"
AGE = "couch-explorers-42-oldest-message-age"


@pytest.fixture
def store():
    store = MetricStore(None)
    yield store
    store.close()


@pytest.fixture
def cloudwatch(monkeypatch):
    from ministack.core.responses import AccountRegionScopedDict, request_scope  # noqa: PLC0415 - only these tests need it
    from ministack.services import cloudwatch  # noqa: PLC0415 - likewise

    for name in PATCHED:
        monkeypatch.setattr(cloudwatch, name, getattr(cloudwatch, name))
    for name in KEPT:
        monkeypatch.setattr(cloudwatch, name, AccountRegionScopedDict())
    alarms.mend(clock=NINE_41.timestamp)
    with request_scope(ACCOUNT_ID, REGION):
        yield cloudwatch


@pytest.fixture
def topic(monkeypatch):
    """A topic that takes what CloudWatch publishes; what it was told, as (subject, message) each."""
    from ministack.services import sns  # noqa: PLC0415 - only these tests need it

    told = []
    monkeypatch.setattr(sns, "_topic_by_arn_any_scope", lambda arn: {"arn": arn} if arn == TOPIC else None)
    monkeypatch.setattr(sns, "topic_policy_allows", lambda *_: True)
    monkeypatch.setattr(sns, "_fanout", lambda _arn, _id, message, subject, _structure: told.append((subject, message)))
    return told


@pytest.fixture
def call(cloudwatch):
    """Call an operation as botocore would: serialised and parsed by its own code."""

    def called(name, protocol="smithy-rpc-v2-cbor", **parameters):
        operation = wire_protocol.operation(name)
        sent = serialize.create_serializer(protocol).serialize_to_request(parameters, operation)
        body = urlencode(sent["body"]).encode() if isinstance(sent["body"], dict) else sent["body"]
        headers = {key.lower(): value for key, value in sent["headers"].items()}
        status, answered, content = asyncio.run(cloudwatch.handle_request("POST", sent["url_path"], headers, body, {}))
        answer = {"status_code": status, "headers": answered, "body": content}
        return parsers.create_parser(protocol).parse(answer, operation.output_shape)

    return called


@pytest.fixture
def put(call):
    """Put the alarm on a queue's age, with changes."""

    def put_alarm(**changes):
        alarm = {
            "AlarmName": AGE,
            "AlarmDescription": "A job has waited for more than 300 s",
            "Namespace": "AWS/SQS",
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{"Name": "QueueName", "Value": "couch-explorers-42"}],
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "Threshold": 300.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [TOPIC],
            "OKActions": [TOPIC],
        } | changes
        return call("PutMetricAlarm", **{name: value for name, value in alarm.items() if value is not None})

    return put_alarm


@pytest.fixture
def described(call):
    """The only alarm that is there."""
    return lambda: call("DescribeAlarms", AlarmTypes=["MetricAlarm"])["MetricAlarms"][0]


@pytest.fixture
def history(call):
    """The summaries of an alarm's history, oldest first."""

    def summaries(**asked):
        items = call("DescribeAlarmHistory", AlarmName=AGE, ScanBy="TimestampAscending", **asked)["AlarmHistoryItems"]
        return [item["HistorySummary"] for item in items]

    return summaries


def age(seconds, *, minute, queue="couch-explorers-42"):
    """The age of a queue's oldest message in one minute, counted from 09:41."""
    return Sample.of(
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        seconds,
        time_s=(NINE_41 + timedelta(minutes=minute)).timestamp(),
        unit="Seconds",
        dimensions={"QueueName": queue},
    )


def at(minute, second=1):
    return (NINE_41 + timedelta(minutes=minute, seconds=second)).timestamp()


def test_a_new_alarm_knows_nothing_yet_whatever_the_store_holds(store, put, described):
    store.add(age(640.0, minute=-1))

    put()

    assert described()["StateValue"] == "INSUFFICIENT_DATA"


def test_a_metric_that_is_put_rings_no_alarm_before_the_minute_is_over(store, put, described, cloudwatch):
    put()
    store.add(age(640.0, minute=0))

    cloudwatch._evaluate_all_alarms()

    assert alarms.evaluate(store, at(0, second=59)) == [AGE]
    assert described()["StateValue"] == "OK"


def test_an_age_beyond_the_threshold_rings_with_the_minute(store, put, described):
    put()
    store.add(age(640.0, minute=0))

    assert alarms.evaluate(store, at(1)) == [AGE]

    alarm = described()
    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateReason"] == (
        "Threshold Crossed: 1 out of the last 1 datapoints [640.0 (25/11/26 09:41:00)] was greater than the threshold "
        "(300.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert alarm["StateUpdatedTimestamp"] == datetime(2026, 11, 25, 9, 42, 1, tzinfo=UTC)
    assert alarm["StateTransitionedTimestamp"] == alarm["StateUpdatedTimestamp"]
    assert json.loads(alarm["StateReasonData"])["evaluatedDatapoints"] == [
        {"timestamp": "2026-11-25T09:41:00.000+0000", "sampleCount": 1.0, "value": 640.0}
    ]


def test_an_alarm_that_rings_already_does_not_ring_again(store, put, topic):
    put()
    store.add(age(640.0, minute=0), age(700.0, minute=1))

    assert [alarms.evaluate(store, at(minute)) for minute in (1, 2)] == [[AGE], []]
    assert len(topic) == 1


def test_the_alarm_is_over_with_the_first_minute_that_is_well(store, put, described):
    put()
    store.add(age(640.0, minute=0), age(3.0, minute=1))

    alarms.evaluate(store, at(1))
    alarms.evaluate(store, at(2))

    assert described()["StateValue"] == "OK"
    assert "was not greater than the threshold (300.0)" in described()["StateReason"]


def test_a_metric_that_stops_keeps_ringing_until_its_last_point_has_left_the_range(store, put, described):
    put()
    store.add(age(640.0, minute=0))

    changed = [alarms.evaluate(store, at(minute)) for minute in (1, 2, 3, 4)]

    assert changed == [[AGE], [], [], [AGE]]
    assert described()["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching]."
    )


@pytest.mark.parametrize("queue", ["couch-explorers-42-dlq", "couch-explorers-4"])
def test_another_queues_age_rings_nothing(store, put, described, queue):
    put()
    store.add(age(640.0, minute=0, queue=queue))

    alarms.evaluate(store, at(1))

    assert described()["StateValue"] == "OK"


def test_an_alarm_without_dimensions_watches_the_metric_without_dimensions(store, put, described):
    put(Dimensions=None)
    store.add(age(640.0, minute=0))

    alarms.evaluate(store, at(1))

    assert described()["StateValue"] == "OK"


def test_a_longer_period_is_counted_back_from_the_last_minute(store, put, described):
    put(Period=300, Statistic="Sum", Threshold=5.0)
    store.add(*(age(2.0, minute=minute) for minute in range(3)))

    alarms.evaluate(store, at(3))

    assert described()["StateValue"] == "ALARM"
    assert "[6.0 (25/11/26 09:39:00)]" in described()["StateReason"]


def test_a_percentile_is_judged_like_any_statistic(store, put, described):
    put(Statistic=None, ExtendedStatistic="p50", Threshold=10.0)
    store.add(*(age(seconds, minute=0) for seconds in (1.0, 20.0, 900.0)))

    alarms.evaluate(store, at(1))

    assert "[20.0 (25/11/26 09:41:00)]" in described()["StateReason"]


def test_a_unit_that_nobody_publishes_is_missing_data(store, put, described):
    put(Unit="Milliseconds", TreatMissingData="missing")
    store.add(age(640.0, minute=0))

    alarms.evaluate(store, at(1))

    assert described()["StateValue"] == "INSUFFICIENT_DATA"


def test_silence_makes_an_alarm_that_counts_on_data_uncertain(store, put, described):
    put(TreatMissingData="missing")
    store.add(age(3.0, minute=0))

    alarms.evaluate(store, at(1))
    assert described()["StateValue"] == "OK"
    alarms.evaluate(store, at(5))

    assert described()["StateReason"] == "Insufficient Data: 1 datapoint was unknown."


def test_an_alarm_that_ignores_silence_stays_as_it_was(store, put, described):
    put(TreatMissingData="ignore")
    store.add(age(640.0, minute=0))

    alarms.evaluate(store, at(1))
    alarms.evaluate(store, at(30))

    assert described()["StateValue"] == "ALARM"


def test_alarm_without_a_metric_stays_uncertain_and_says_why(store, put, described):
    put(MetricName=None, Namespace=None, Statistic=None, Dimensions=None)

    assert alarms.evaluate(store, at(1)) == []
    assert described()["StateValue"] == "INSUFFICIENT_DATA"
    assert "neither a metric nor Metrics" in described()["StateReason"]


def test_each_region_has_its_own_metrics_and_alarms(store, put, cloudwatch):
    from ministack.core.responses import request_scope  # noqa: PLC0415 - see above

    put()
    with request_scope(ACCOUNT_ID, "us-east-1"):
        put()
    store.add(age(640.0, minute=0), region="us-east-1")

    alarms.evaluate(store, at(1))

    states = {region: alarm["StateValue"] for (_, region, _), alarm in cloudwatch._alarms.all_items()}
    assert states == {REGION: "OK", "us-east-1": "ALARM"}


def test_one_alarm_that_cannot_be_judged_does_not_silence_the_others(store, put, cloudwatch, caplog):
    put(AlarmName="a-broken-one")
    cloudwatch._alarms["a-broken-one"]["ExtendedStatistic"] = "p101"
    put()
    store.add(age(640.0, minute=0))

    assert alarms.evaluate(store, at(1)) == [AGE]
    assert "The alarm a-broken-one could not be evaluated" in caplog.text


def test_an_alarm_that_was_put_anew_meanwhile_is_left_to_the_next_minute(put, cloudwatch):
    put()
    judged = cloudwatch._alarms[AGE]
    put(Threshold=1000.0)

    assert not alarms._change(judged, "ALARM", "640 is greater than 300", {}, at(1))
    assert cloudwatch._alarms[AGE]["StateValue"] == "INSUFFICIENT_DATA"


def test_a_state_that_was_set_by_hand_lasts_until_the_next_minute(store, put, call, described):
    put()
    call("SetAlarmState", AlarmName=AGE, StateValue="ALARM", StateReason="testing")
    assert described()["StateValue"] == "ALARM"

    alarms.evaluate(store, at(1))

    assert described()["StateValue"] == "OK"


def test_a_composite_alarm_follows_its_child(store, put, call):
    put()
    alarms.evaluate(store, at(0))
    call("PutCompositeAlarm", AlarmName="anything", AlarmRule=f'ALARM("{AGE}")')
    store.add(age(640.0, minute=0))

    alarms.evaluate(store, at(1))

    (composite,) = call("DescribeAlarms", AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert composite["StateValue"] == "ALARM"


def test_terraform_reads_the_judged_alarm_over_the_query_protocol(store, put, call, monkeypatch, cloudwatch):
    from couch_explorers.local import mends  # noqa: PLC0415 - the mend under test belongs to it

    monkeypatch.setattr(cloudwatch, "_describe_alarms", cloudwatch._describe_alarms)
    mends.describe_alarms_in_full()
    put()
    store.add(age(640.0, minute=0))
    alarms.evaluate(store, at(1, second=1.5))

    (alarm,) = call("DescribeAlarms", protocol="query", AlarmNames=[AGE])["MetricAlarms"]

    assert alarm["StateValue"] == "ALARM"
    assert alarm["StateUpdatedTimestamp"] == datetime(2026, 11, 25, 9, 42, 1, 500_000, tzinfo=UTC)


def test_topics_are_told_of_both_changes(store, put, topic):
    put()
    store.add(age(640.0, minute=0), age(3.0, minute=1))

    alarms.evaluate(store, at(1))
    alarms.evaluate(store, at(2))

    assert [subject for subject, _ in topic] == [f'ALARM: "{AGE}" in EU (Ireland)', f'OK: "{AGE}" in EU (Ireland)']
    document = json.loads(json.loads(topic[0][1])["default"])
    assert document["OldStateValue"] == "INSUFFICIENT_DATA"
    assert document["StateChangeTime"] == "2026-11-25T09:42:01.000+0000"


def test_actions_that_are_switched_off_tell_nobody(store, put, topic, described):
    put(ActionsEnabled=False)
    store.add(age(640.0, minute=0))

    alarms.evaluate(store, at(1))

    assert described()["StateValue"] == "ALARM"
    assert topic == []


def test_the_history_tells_creation_changes_and_actions(store, put, history, topic):
    put()
    store.add(age(640.0, minute=0))

    alarms.evaluate(store, at(1))

    assert history() == [
        f'Alarm "{AGE}" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        f"Successfully executed action {TOPIC}",
    ]


def test_a_topic_whose_policy_keeps_cloudwatch_out_is_not_told_and_the_history_says_so(
    store, put, history, topic, monkeypatch
):
    from ministack.services import sns  # noqa: PLC0415 - see above

    monkeypatch.setattr(sns, "topic_policy_allows", lambda *_: False)
    put()

    alarms.evaluate(store, at(1))

    assert topic == []
    (failed,) = history(HistoryItemType="Action")
    assert failed.startswith(f"Failed to execute action {TOPIC}. The policy of {TOPIC} does not let")


def test_a_topic_that_is_gone_stops_no_other(store, put, history, topic):
    gone = TOPIC + "-gone"
    put(OKActions=[gone, TOPIC])

    alarms.evaluate(store, at(1))

    assert len(topic) == 1
    assert history(HistoryItemType="Action") == [
        f"Failed to execute action {gone}. The topic does not exist.",
        f"Successfully executed action {TOPIC}",
    ]


def test_the_policy_of_our_own_topic_lets_our_alarms_in_and_nobody_elses(monkeypatch):
    from ministack import app  # noqa: PLC0415 - see above
    from ministack.core.responses import request_scope  # noqa: PLC0415 - see above
    from ministack.services import sns  # noqa: PLC0415 - see above

    # As infra/alarms.tf writes it.
    alarm_arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": TOPIC,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
            "ArnLike": {"aws:SourceArn": f"{alarm_arn}couch-explorers-42-*"},
        },
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    monkeypatch.setattr(app, "AUTH", True)
    monkeypatch.setattr(sns, "_topic_by_arn_any_scope", lambda arn: {"arn": arn, "attributes": {"Policy": policy}})

    def lets_in(arn):
        return sns.topic_policy_allows(TOPIC, "cloudwatch.amazonaws.com", arn, ACCOUNT_ID)

    with request_scope(ACCOUNT_ID, REGION):
        assert lets_in(alarm_arn + AGE)
        assert not lets_in(alarm_arn + "somebody-elses")


def test_state_updates_carry_old_and_new_state_with_reasons(store, put, call):
    put()
    store.add(age(3.0, minute=0), age(640.0, minute=1))
    alarms.evaluate(store, at(1))
    alarms.evaluate(store, at(2))

    (item,) = call(
        "DescribeAlarmHistory",
        AlarmName=AGE,
        HistoryItemType="StateUpdate",
        StartDate=NINE_41 + timedelta(minutes=2),
        EndDate=NINE_41 + timedelta(minutes=3),
    )["AlarmHistoryItems"]

    data = json.loads(item["HistoryData"])
    assert item["Timestamp"] == datetime(2026, 11, 25, 9, 43, 1, tzinfo=UTC)
    assert (data["oldState"]["stateValue"], data["newState"]["stateValue"]) == ("OK", "ALARM")
    assert "was not greater" in data["oldState"]["stateReason"]
    assert "[640.0 (25/11/26 09:42:00)] was greater" in data["newState"]["stateReason"]
    assert data["newState"]["stateReasonData"]["recentDatapoints"] == [640.0]


def test_the_history_comes_in_pages(store, put, call):
    put()
    for minute in range(10):
        store.add(age(640.0 if minute % 2 else 3.0, minute=minute))
        alarms.evaluate(store, at(minute + 1))

    found, token = [], {}
    while True:
        page = call("DescribeAlarmHistory", AlarmName=AGE, HistoryItemType="StateUpdate", MaxRecords=4, **token)
        found += [item["Timestamp"] for item in page["AlarmHistoryItems"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert len(found) == 10
    assert found == sorted(found, reverse=True)


def test_history_of_more_than_thirty_days_goes(store, put, history):
    put()
    alarms.evaluate(store, at(1))
    store.add(age(640.0, minute=31 * 24 * 60))

    alarms.evaluate(store, at(31 * 24 * 60 + 1))

    assert history(HistoryItemType="StateUpdate") == ["Alarm updated from OK to ALARM"]


PAST = [
    (at(-600), "OK", "ALARM", "Threshold Crossed: the models were throttled"),
    (at(-550), "ALARM", "OK", "Threshold Crossed: it is over"),
]


def test_an_invented_past_stands_in_order_before_what_happened_and_is_marked(store, put, call, history, described):
    put()
    alarms.evaluate(store, at(1))

    alarms.record_past(AGE, PAST)

    assert history(HistoryItemType="StateUpdate") == [
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    items = call("DescribeAlarmHistory", AlarmName=AGE, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert [json.loads(item["HistoryData"]).get("synthetic", False) for item in items] == [False, True, True]
    assert described()["StateValue"] == "OK"


def test_an_invented_past_takes_the_place_of_the_former_and_tells_nobody(put, history, topic):
    put()

    alarms.record_past(AGE, PAST)
    alarms.record_past(AGE, PAST[:1])

    assert history(HistoryItemType="StateUpdate") == ["Alarm updated from OK to ALARM"]
    assert topic == []


def test_an_invented_past_is_taken_away_without_what_happened(store, put, history):
    put()
    alarms.evaluate(store, at(1))
    alarms.record_past(AGE, PAST)

    alarms.record_past(AGE, [])

    assert history(HistoryItemType="StateUpdate") == ["Alarm updated from INSUFFICIENT_DATA to OK"]
