"""Rules follow AlarmRule in https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html"""

import pytest

from couch_explorers.local.cloudwatch.composite_rule import RuleError, parse

ARN = "arn:aws:cloudwatch:eu-west-1:000000000000:alarm:age"
STATES = {"rings": "ALARM", "quiet": "OK", "unknown": "INSUFFICIENT_DATA", ARN: "ALARM", "with space": "OK"}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("ALARM(rings)", True),
        ('ALARM("rings")', True),
        (f"ALARM({ARN})", True),
        ('OK("with space")', True),
        ("OK(rings)", False),
        ("INSUFFICIENT_DATA(unknown)", True),
        ("NOT ALARM(rings)", False),
        ("ALARM(rings) AND ALARM(quiet)", False),
        ("ALARM(rings) OR ALARM(quiet)", True),
        ("ALARM(rings) OR ALARM(quiet) AND ALARM(quiet)", True),  # AND binds tighter
        ("(ALARM(rings) OR ALARM(quiet)) AND ALARM(quiet)", False),
        ("NOT (ALARM(quiet) OR OK(rings))", True),
        ("TRUE AND NOT FALSE", True),
    ],
)
def test_rule_holds_by_the_states_of_its_alarms(expression, holds):
    assert parse(expression).holds(STATES) is holds


def test_rule_names_each_alarm_once():
    assert parse("ALARM(a) OR OK(b) AND NOT ALARM(a)").alarms == ("a", "b")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "'the end' is not expected there"),
        ("ALARM(a) OR", "'the end' is not expected"),
        ("ALARM a", "'\\(' is expected, not 'a'"),
        ("ALARM(a", "'\\)' is expected, not 'the end'"),
        ("RINGS(a)", "'RINGS' is not expected there"),
        ("ALARM(a) ALARM(b)", "'ALARM' is not expected there"),
        ("ALARM()", "takes the name or ARN"),
        ("TRUE" + " OR TRUE" * 2000, "at most 10240"),
        (" OR ".join(f"ALARM(a{number})" for number in range(101)), "names 101 alarms"),
    ],
)
def test_rule_that_is_not_understood_is_refused(expression, words):
    with pytest.raises(RuleError, match=words):
        parse(expression)
