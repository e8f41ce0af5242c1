"""E-mail subscriptions wait for their owner, and SNS refuses what AWS refuses, in its words."""

import itertools
import json
import time
from contextlib import closing
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from couch_explorers.aws import alarms
from couch_explorers.local import mailbox
from couch_explorers.paths import Home

ADDRESS = "standup@couch-explorers.example"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def sns(engine_cloud):
    with closing(engine_cloud.client("sns")) as client:
        yield client


@pytest.fixture
def home(engine_cloud):
    home = Home(engine_cloud.home)
    mailbox.delete_mails(home)
    return home


@pytest.fixture
def topic(sns):
    arn = sns.create_topic(Name=f"topic-{next(NUMBERS)}")["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


def mails(home, number):
    """The inbox, once that many e-mails have come."""
    while len(found := mailbox.read_mails(home)) < number:
        time.sleep(0.01)
    return found


def test_email_subscription_is_pending_and_asks_by_mail(sns, topic, home):
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)

    (mail,) = mailbox.read_mails(home)
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    counts = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert answer["SubscriptionArn"] == "pending confirmation"
    assert listed["SubscriptionArn"] == "PendingConfirmation"
    assert (counts["SubscriptionsPending"], counts["SubscriptionsConfirmed"]) == ("1", "0")
    assert (mail.to, mail.subject) == (ADDRESS, "AWS Notification - Subscription Confirmation")
    assert topic in mail.body
    assert alarms.subscriptions(sns, topic).pending == (ADDRESS,)


def test_pending_subscription_gets_no_notification(sns, topic, home):
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)
    sns.publish(TopicArn=topic, Message="lost")
    mailbox.confirm(home, sns)
    sns.publish(TopicArn=topic, Subject="Standup", Message="kept")

    asked, notification = mails(home, 2)
    assert "subscribe" in asked.body
    assert (notification.to, notification.subject) == (ADDRESS, "Standup")
    assert notification.body.startswith("kept\n\n-- \nIf you wish to stop receiving notifications from this topic,")


def test_token_of_the_mail_confirms(sns, topic, home):
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS, ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]
    (wanted,) = mailbox.requested_confirmations(home)

    confirmed = sns.confirm_subscription(TopicArn=topic, Token=wanted.token)

    assert confirmed["SubscriptionArn"] == arn
    assert sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]["PendingConfirmation"] == "false"
    assert alarms.subscriptions(sns, topic).confirmed == (ADDRESS,)


def test_links_of_mails_work_without_credentials(sns, topic, home):
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)
    (mail,) = mailbox.read_mails(home)
    urlopen(next(line for line in mail.body.splitlines() if line.startswith("http"))).close()
    confirmed = alarms.subscriptions(sns, topic).confirmed
    sns.publish(TopicArn=topic, Message="once")
    *_, notification = mails(home, 2)
    urlopen(next(line for line in notification.body.splitlines() if line.startswith("http"))).close()

    assert confirmed == (ADDRESS,)
    assert alarms.subscriptions(sns, topic) == alarms.Subscriptions()


def test_link_with_a_made_up_token_confirms_nothing(engine_cloud, topic):
    link = f"{engine_cloud.endpoint}/?Action=ConfirmSubscription&TopicArn={topic}&Token={'65752d776573742d312f':0<64}"

    with pytest.raises(HTTPError) as refused:
        urlopen(link)

    with refused.value as answer:
        assert (answer.code, "Invalid parameter: Token" in answer.read().decode()) == (400, True)


def test_unsigned_call_may_do_nothing_else(engine_cloud, topic):
    with pytest.raises(HTTPError) as refused:
        urlopen(f"{engine_cloud.endpoint}/?Action=Publish&TopicArn={topic}&Message=spam")

    with refused.value as answer:
        assert answer.code == 403


def test_subscribing_again_sends_the_mail_again(sns, topic, home):
    for _ in range(2):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)

    assert len(mailbox.read_mails(home)) == 2
    assert [one.address for one in mailbox.confirm(home, sns)] == [ADDRESS]


def test_confirmation_of_a_topic_survives_a_cleared_inbox(sns, topic, home):
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)
    mailbox.delete_mails(home)

    assert mailbox.confirm_topic(home, sns, topic) == (ADDRESS,)
    assert mailbox.confirm_topic(home, sns, topic) == ()


def test_only_the_named_address_is_confirmed(sns, topic, home):
    for address in (ADDRESS, "second@couch-explorers.example"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)

    mailbox.confirm(home, sns, address="second@couch-explorers.example")

    assert alarms.subscriptions(sns, topic) == alarms.Subscriptions(
        confirmed=("second@couch-explorers.example",), pending=(ADDRESS,)
    )


def test_json_subscription_gets_the_envelope(sns, topic, home):
    sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint=ADDRESS)
    mailbox.confirm(home, sns)
    sns.publish(TopicArn=topic, Subject="Standup", Message="text")

    *_, notification = mails(home, 2)
    envelope = json.loads(notification.body)
    assert (envelope["Type"], envelope["Subject"], envelope["Message"]) == ("Notification", "Standup", "text")


MISSING = "arn:aws:sns:eu-west-1:000000000000:missing"

# Operation, parameters, code, message.
REFUSED = [
    ("publish", {"TopicArn": MISSING, "Message": "a"}, "NotFound", "Topic does not exist"),
    (
        "publish",
        {"TopicArn": "missing", "Message": "a"},
        "InvalidParameter",
        "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
    ),
    ("publish", {"TopicArn": "TOPIC", "Message": ""}, "InvalidParameter", "Invalid parameter: Empty message"),
    ("publish", {"TopicArn": "TOPIC", "Message": "a" * 262_145}, "InvalidParameter", "Invalid parameter: Message too long"),
    (
        "publish",
        {"TopicArn": "TOPIC", "Message": "{", "MessageStructure": "json"},
        "InvalidParameter",
        "Invalid parameter: Message Structure - JSON message body failed to parse",
    ),
    (
        "publish",
        {"TopicArn": "TOPIC", "Message": "{}", "MessageStructure": "json"},
        "InvalidParameter",
        "Invalid parameter: Message Structure - No default entry in JSON message body",
    ),
    (
        "publish",
        {"TopicArn": "TOPIC", "Message": "a", "MessageAttributes": {"x": {"DataType": "Integer", "StringValue": "1"}}},
        "ParameterValueInvalid",
        (
            "The message attribute 'x' has an invalid message attribute type, the set of supported type prefixes is "
            "Binary, Number, and String."
        ),
    ),
    ("subscribe", {"TopicArn": MISSING, "Protocol": "email", "Endpoint": ADDRESS}, "NotFound", "Topic does not exist"),
    (
        "subscribe",
        {"TopicArn": "TOPIC", "Protocol": "email", "Endpoint": "nobody"},
        "InvalidParameter",
        "Invalid parameter: Email address",
    ),
    (
        "subscribe",
        {"TopicArn": "TOPIC", "Protocol": "pigeon", "Endpoint": "roof"},
        "InvalidParameter",
        "Invalid parameter: Amazon SNS does not support this protocol string: pigeon",
    ),
    (
        "subscribe",
        {"TopicArn": "TOPIC", "Protocol": "sqs", "Endpoint": "http://127.0.0.1/000000000000/jobs"},
        "InvalidParameter",
        "Invalid parameter: SQS endpoint ARN",
    ),
    (
        "confirm_subscription",
        {"TopicArn": "TOPIC", "Token": "made-up"},
        "InvalidParameter",
        "Invalid parameter: Token",
    ),
    ("set_topic_attributes", {"TopicArn": "TOPIC", "AttributeName": "Colour", "AttributeValue": "red"}, "InvalidParameter",
     "Invalid parameter: AttributeName"),
    ("publish", {"TopicArn": "TOPIC", "Message": "a", "Subject": "two\nlines"}, "InvalidParameter", "Invalid parameter: Subject"),
    ("publish", {"TopicArn": "TOPIC", "Message": "a", "Subject": "a" * 101}, "InvalidParameter", "Invalid parameter: Subject"),
    (
        "publish",
        {"Message": "a"},
        "InvalidParameter",
        "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter",
    ),
    (
        "set_topic_attributes",
        {"TopicArn": "TOPIC", "AttributeName": "Policy", "AttributeValue": "{"},
        "InvalidParameter",
        "Invalid parameter: Policy Error: null",
    ),
    ("create_topic", {"Name": "no spaces"}, "InvalidParameter", "Invalid parameter: Topic Name"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "parameters", "code", "message"), REFUSED)
def test_invalid_request_is_refused_in_aws_words(sns, topic, operation, parameters, code, message):
    given = {key: topic if value == "TOPIC" else value for key, value in parameters.items()}

    with pytest.raises(ClientError) as refused:
        getattr(sns, operation)(**given)

    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, message)


def test_pending_subscription_cannot_be_ended(sns, topic):
    arn = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS, ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]

    with pytest.raises(ClientError, match="Cannot unsubscribe a subscription that is pending confirmation"):
        sns.unsubscribe(SubscriptionArn=arn)
