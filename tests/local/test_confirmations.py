from email.message import EmailMessage
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from couch_explorers.local import confirmations, mailbox
from couch_explorers.paths import Home

TOPIC = "arn:aws:sns:eu-west-1:000000000000:alarms"
ADDRESS = "standup@couch-explorers.example"


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def ask(home):
    box = mailbox.Mailbox(home.inbox)

    def asked(address=ADDRESS, topic=TOPIC, token="abc"):
        link = f"http://127.0.0.1:4566/?Action=ConfirmSubscription&TopicArn={topic.replace(':', '%3A')}&Token={token}"
        box.deliver(address, mailbox.CONFIRMATION_SUBJECT, mailbox.confirmation(topic, link))

    return asked


class Sns:
    """Topics whose subscriptions are pending until their token comes."""

    def __init__(self, **pending):
        self.pending = dict(pending)
        self.confirmed = []

    def get_paginator(self, _name):
        listed = [{"Endpoint": address, "SubscriptionArn": "PendingConfirmation"} for address in self.pending.values()]
        return SimpleNamespace(paginate=lambda TopicArn: [{"Subscriptions": listed}])  # noqa: N803

    def confirm_subscription(self, TopicArn, Token):  # noqa: N803
        if Token not in self.pending:
            raise ClientError({"Error": {"Code": "InvalidParameter"}}, "ConfirmSubscription")
        self.confirmed.append((TopicArn, self.pending.pop(Token)))


def test_mail_that_asks_names_address_topic_and_token(home, ask):
    ask(token="0f")

    assert list(confirmations.requested(home)) == [confirmations.Confirmation(ADDRESS, TOPIC, "0f")]


def test_other_mails_ask_for_nothing(home):
    mailbox.Mailbox(home.inbox).deliver(ADDRESS, "ALARM", "Action=ConfirmSubscription is a word here")
    message = EmailMessage()
    (home.inbox / "0.eml").write_bytes(message.as_bytes())

    assert list(confirmations.requested(home)) == []


def test_pending_subscription_is_confirmed_by_its_token(home, ask):
    ask(token="old")
    ask(token="new")
    sns = Sns(new=ADDRESS)

    confirmed = confirmations.confirm(home, sns)

    assert [one.token for one in confirmed] == ["new"]
    assert sns.confirmed == [(TOPIC, ADDRESS)]


def test_other_addresses_and_topics_are_left_alone(home, ask):
    ask(token="a")
    sns = Sns(a=ADDRESS)

    assert confirmations.confirm(home, sns, address="somebody@else.example") == ()
    assert confirmations.confirm(home, sns, topic_arn=TOPIC + "-other") == ()
    assert sns.confirmed == []


def test_refusal_for_missing_rights_is_not_hidden(home, ask):
    ask()
    sns = Sns(abc=ADDRESS)

    def refuse(**_):
        raise ClientError({"Error": {"Code": "AuthorizationError"}}, "ConfirmSubscription")

    sns.confirm_subscription = refuse

    with pytest.raises(ClientError):
        confirmations.confirm(home, sns)
