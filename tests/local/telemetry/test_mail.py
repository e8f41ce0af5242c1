"""What a topic's e-mail subscribers get.

https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

import asyncio
import json
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from urllib.parse import urlencode

import pytest

from couch_explorers.local.settings import ACCOUNT_ID, REGION
from couch_explorers.local.telemetry import alarm_actions, mail

NINE_42 = datetime(2026, 11, 25, 9, 42, 1, 500_000, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "inbox"


@pytest.fixture
def sns(monkeypatch, folder):
    from ministack.core.responses import AccountRegionScopedDict, request_scope  # noqa: PLC0415 - only these tests need it
    from ministack.services import sns  # noqa: PLC0415 - likewise

    monkeypatch.setattr(sns, "_fanout", sns._fanout)
    monkeypatch.setattr(sns, "_topics", AccountRegionScopedDict())
    mail.mend(folder, clock=NINE_42.timestamp)
    with request_scope(ACCOUNT_ID, REGION):
        yield sns


@pytest.fixture
def call(sns):
    def called(action, **parameters):
        body = urlencode({"Action": action, **parameters}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        status, _, content = asyncio.run(sns.handle_request("POST", "/", headers, body, {}))
        assert status == 200, content

    return called


@pytest.fixture
def topic(call):
    """A topic with one subscriber; its ARN."""
    arn = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:alarms"
    call("CreateTopic", Name="alarms")
    call("Subscribe", TopicArn=arn, Protocol="email", Endpoint="standup@couch-explorers.example")
    return arn


@pytest.fixture
def caught(folder):
    """The e-mails in the folder, oldest first."""
    return lambda: [message_from_bytes(file.read_bytes(), policy=default) for file in sorted(folder.glob("*.eml"))]


def test_an_e_mail_ends_as_a_file_whose_name_sorts_by_time(call, topic, folder):
    for number in range(3):
        call("Publish", TopicArn=topic, Message=f"number {number}")

    assert [file.name for file in sorted(folder.iterdir())] == [
        f"20261125T094201.500000Z-00000{number}.eml" for number in range(3)
    ]


def test_an_e_mail_has_sender_receiver_subject_date_and_text(call, topic, caught):
    call("SetTopicAttributes", TopicArn=topic, AttributeName="DisplayName", AttributeValue="Couch Explorers 42")
    call("Publish", TopicArn=topic, Subject="Hello", Message="The first line\nthe second ø")

    (message,) = caught()
    assert message["From"] == "Couch Explorers 42 <no-reply@sns.amazonaws.com>"
    assert message["To"] == "standup@couch-explorers.example"
    assert message["Subject"] == "Hello"
    assert message["Date"].datetime == NINE_42.replace(microsecond=0)
    assert message.get_content().startswith("The first line\nthe second ø\n\n-- \nCaught by the local cloud")


def test_what_has_no_name_and_no_subject_gets_those_of_sns(call, topic, caught):
    call("Publish", TopicArn=topic, Message="text")

    (message,) = caught()
    assert message["From"] == "AWS Notifications <no-reply@sns.amazonaws.com>"
    assert message["Subject"] == "AWS Notification Message"


def test_people_get_the_text_that_is_meant_for_e_mail(call, topic, caught):
    texts = json.dumps({"default": "{}", "email": "for people"})

    call("Publish", TopicArn=topic, Message=texts, MessageStructure="json")

    assert caught()[0].get_content().startswith("for people\n")


def test_email_json_gets_the_notification_as_json(call, topic, caught):
    call("Subscribe", TopicArn=topic, Protocol="email-json", Endpoint="robot@couch-explorers.example")

    call("Publish", TopicArn=topic, Message="text", Subject="Hello")

    robots = next(message for message in caught() if message["To"].startswith("robot"))
    notification = json.loads(robots.get_content().split("\n\n-- \n")[0])
    assert (notification["Type"], notification["Subject"], notification["Message"]) == ("Notification", "Hello", "text")


def test_every_subscriber_gets_an_e_mail_and_nobody_else_does(call, topic, caught):
    call("Subscribe", TopicArn=topic, Protocol="email", Endpoint="second@couch-explorers.example")
    call("Subscribe", TopicArn=topic, Protocol="sms", Endpoint="+4712345678")

    call("Publish", TopicArn=topic, Message="text")

    assert [message["To"] for message in caught()] == [
        "standup@couch-explorers.example",
        "second@couch-explorers.example",
    ]


def test_a_filter_policy_keeps_out_what_it_does_not_match(call, topic, caught, sns):
    subscription = sns._topics[topic]["subscriptions"][0]
    subscription["attributes"]["FilterPolicy"] = json.dumps({"kind": ["alarm"]})

    call("Publish", TopicArn=topic, Message="text")

    assert caught() == []


def test_a_subject_of_two_lines_adds_no_header(call, topic, caught):
    call("Publish", TopicArn=topic, Subject="Hello\r\nBcc: everybody@example.com", Message="text")

    (message,) = caught()
    assert message["Subject"] == "Hello Bcc: everybody@example.com"
    assert message["Bcc"] is None


def test_an_e_mail_that_cannot_be_written_breaks_no_publishing(call, topic, folder, caplog):
    folder.write_text("a file stands where the folder should be", encoding="utf-8")

    call("Publish", TopicArn=topic, Message="text")

    assert "to standup@couch-explorers.example is lost" in caplog.text


def test_a_topic_that_does_not_exist_is_nobodys_mail(sns, caught):
    sns._fanout("arn:aws:sns:eu-west-1:000000000000:gone", "id", "text", "subject")

    assert caught() == []


def test_an_alarms_change_reaches_the_inbox_in_words_for_people(topic, caught, monkeypatch):
    from ministack.core.responses import AccountRegionScopedDict  # noqa: PLC0415 - see above
    from ministack.services import cloudwatch  # noqa: PLC0415 - see above

    monkeypatch.setattr(cloudwatch, "_alarm_history", AccountRegionScopedDict())
    alarm = {
        "AlarmName": "age",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT_ID}:alarm:age",
        "AlarmDescription": "A job has waited for too long",
        "AlarmActions": [topic],
        "AlarmConfigurationUpdatedTimestamp": NINE_42.timestamp(),
        "StateUpdatedTimestamp": NINE_42.timestamp(),
    }

    alarm_actions.dispatch(alarm, "OK", "ALARM", "Threshold Crossed: 640 is greater than 300.")

    (message,) = caught()
    assert message["Subject"] == 'ALARM: "age" in EU (Ireland)'
    assert "- Description:               A job has waited for too long\n" in message.get_content()
    assert "- State Change:              OK -> ALARM\n" in message.get_content()
