import pytest

from couch_explorers.checks import Verdict
from couch_explorers.smoke import alarms


@pytest.fixture
def ask(workspace, clients):
    return lambda: alarms.check(workspace, clients).checks


def test_alarms_that_are_wired_to_a_confirmed_subscription_pass(ask):
    assert [check.verdict for check in ask()] == [Verdict.OK, Verdict.OK]


def test_a_missing_alarm_is_bad_by_name_even_if_the_deploy_does_not_list_it(ask, system, workspace):
    system.missing_alarms = ("couch-explorers-42-dead-letters",)
    workspace.alarms = ()

    exist, _reach = ask()

    assert exist.verdict is Verdict.BAD
    assert "couch-explorers-42-dead-letters" in exist.detail


def test_alarms_without_the_topic_are_bad(ask, system):
    system.alarm_actions = []

    exist, _reach = ask()

    assert exist.verdict is Verdict.BAD
    assert "Wired to no topic" in exist.detail


def test_an_alarm_that_rings_is_warned_about_with_its_reason(ask, system):
    system.alarm_state = "ALARM"

    exist, _reach = ask()

    assert exist.verdict is Verdict.WARN
    assert "Threshold crossed" in exist.detail


def test_an_unconfirmed_subscription_warns_without_showing_the_whole_address(ask, system):
    system.subscriptions = [{"Endpoint": "operations@example.com", "SubscriptionArn": "PendingConfirmation"}]

    _exist, reach = ask()

    assert reach.verdict is Verdict.WARN
    assert "op…@example.com" in reach.detail
    assert "operations" not in reach.detail


def test_pending_subscription_beside_a_confirmed_one_warns(ask, system):
    system.subscriptions.append({"Endpoint": "second@example.com", "SubscriptionArn": "PendingConfirmation"})

    _exist, reach = ask()

    assert reach.verdict is Verdict.WARN
    assert "se…@example.com" in reach.detail


def test_a_topic_without_subscribers_is_bad(ask, system):
    system.subscriptions = []

    _exist, reach = ask()

    assert reach.verdict is Verdict.BAD


def test_a_deploy_without_a_topic_is_bad(ask, workspace):
    workspace.topic_arn = None

    assert [check.verdict for check in ask()] == [Verdict.BAD, Verdict.BAD]


def test_without_a_queue_the_alarms_are_skipped_by_name(ask, workspace):
    workspace.queue_url = None

    (check,) = ask()

    assert (check.name, check.verdict) == ("alarms", Verdict.SKIPPED)
    assert "Terraform" in check.detail
