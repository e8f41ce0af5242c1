import contextvars
import threading

import botocore.session
import pytest

from couch_explorers.local import mends
from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import wire_protocol


def test_the_query_protocols_parameters_become_the_json_input():
    params = {
        "AlarmNames.member.1": ["first"],
        "AlarmNames.member.2": ["second"],
        "MaxRecords": ["10"],
        "Action": ["DescribeAlarms"],
    }

    assert mends._from_query(params) == {"AlarmNames": ["first", "second"], "MaxRecords": "10"}


def test_an_alarm_is_written_with_every_field_of_the_services_model():
    shape = (
        botocore.session.get_session().get_service_model("cloudwatch").operation_model("DescribeAlarms").output_shape
    )
    alarm = {
        "AlarmName": "age & depth",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:one", "arn:two"],
        "Period": 60,
        "Statistic": "Maximum",
        "Dimensions": [{"Name": "QueueName", "Value": "jobs"}],
        "StateUpdatedTimestamp": 0,
        "_internal": "not AWS's",
    }

    xml = wire_protocol.as_xml({"MetricAlarms": [alarm]}, shape)

    assert "<AlarmName>age &amp; depth</AlarmName>" in xml
    assert "<ActionsEnabled>true</ActionsEnabled>" in xml
    assert "<AlarmActions><member>arn:one</member><member>arn:two</member></AlarmActions>" in xml
    assert "<Dimensions><member><Name>QueueName</Name><Value>jobs</Value></member></Dimensions>" in xml
    assert "<Period>60</Period>" in xml
    assert "<StateUpdatedTimestamp>1970-01-01T00:00:00+00:00</StateUpdatedTimestamp>" in xml
    assert "_internal" not in xml


@pytest.fixture
def guarded_queues(monkeypatch):
    """MiniStack's queues with the mend, and as they were afterwards."""
    from ministack.core.responses import request_scope  # noqa: PLC0415 - MiniStack reads its settings on import
    from ministack.services import sqs  # noqa: PLC0415

    for name in (*mends.QUEUE_CHANGES, "_queues_lock"):
        monkeypatch.setattr(sqs, name, getattr(sqs, name))
    for action, handler in list(sqs._HANDLERS.items()):
        monkeypatch.setitem(sqs._HANDLERS, action, handler)
    mends.guard_queues()
    with request_scope(ACCOUNT_ID, REGION):
        yield sqs
        sqs.reset()


def test_a_message_that_is_sent_while_a_mapping_deletes_another_is_not_lost(guarded_queues):
    sqs = guarded_queues
    url = sqs._act_create_queue({"QueueName": "jobs"}, "")["QueueUrl"]
    sqs._act_send_message({"QueueUrl": url, "MessageBody": "first"}, url)
    [received] = sqs._receive_messages_for_esm(url, 1)
    context = contextvars.copy_context()
    sender = threading.Thread(
        target=context.run, args=(sqs._act_send_message, {"QueueUrl": url, "MessageBody": "second"}, url)
    )

    class Watched(list):
        """At the end of the deleter's look through the messages, before it writes the list anew, another one is sent."""

        def __iter__(self):
            yield from list.__iter__(self)
            sender.start()
            sender.join(timeout=0.2)

    queue = sqs._get_q(url)
    queue["messages"] = Watched(queue["messages"])
    sqs._delete_messages_for_esm(url, {received["receipt_handle"]})
    sender.join()

    assert [message["body"] for message in queue["messages"]] == ["second"]
