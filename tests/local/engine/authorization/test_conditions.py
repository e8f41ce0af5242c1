"""Condition operators as AWS's user guide describes them."""

from datetime import UTC, datetime

import pytest

from couch_explorers.local.engine.authorization.conditions import (
    ConditionContext,
    condition_holds,
    matches_arn,
    matches_template,
)

CONTEXT = ConditionContext(
    {
        "aws:username": "ada",
        "s3:prefix": "42/cats",
        "s3:max-keys": "10",
        "aws:SecureTransport": "true",
        "aws:SourceIp": "192.168.7.9",
        "aws:CurrentTime": "2026-11-26T12:00:00Z",
        "aws:EpochTime": "1795694400",
        "aws:SourceArn": "arn:aws:sns:eu-west-1:111111111111:alarms",
        "aws:TagKeys": ["team", "cost"],
        "aws:empty": [],
        "key:bytes": "aGVsbG8=",
    }
)

OPERATORS = [
    # operator, key, expected, holds
    ("StringEquals", "s3:prefix", ["42/cats"], True),
    ("StringEquals", "S3:PREFIX", ["42/cats"], True),
    ("StringEquals", "s3:prefix", ["42/*"], False),
    ("StringEquals", "s3:prefix", ["41/", "42/cats"], True),
    ("stringequals", "s3:prefix", ["42/cats"], True),
    ("StringNotEquals", "s3:prefix", ["42/cats", "43/"], False),
    ("StringNotEquals", "s3:prefix", ["43/"], True),
    ("StringEqualsIgnoreCase", "s3:prefix", ["42/CATS"], True),
    ("StringNotEqualsIgnoreCase", "s3:prefix", ["42/CATS"], False),
    ("StringLike", "s3:prefix", ["42/*"], True),
    ("StringLike", "s3:prefix", ["42/c?ts"], True),
    ("StringLike", "s3:prefix", ["42/[c]*"], False),
    ("StringLike", "s3:prefix", ["42/C*"], False),
    ("StringNotLike", "s3:prefix", ["43/*"], True),
    ("StringNotLike", "s3:prefix", ["42/*"], False),
    ("NumericEquals", "s3:max-keys", ["10"], True),
    ("NumericNotEquals", "s3:max-keys", ["10"], False),
    ("NumericLessThan", "s3:max-keys", ["10"], False),
    ("NumericLessThanEquals", "s3:max-keys", ["10"], True),
    ("NumericGreaterThan", "s3:max-keys", ["9.5"], True),
    ("NumericGreaterThanEquals", "s3:max-keys", ["11"], False),
    ("NumericEquals", "s3:prefix", ["10"], False),
    ("DateGreaterThan", "aws:CurrentTime", ["2026-01-01T00:00:00Z"], True),
    ("DateLessThan", "aws:CurrentTime", ["2026-01-01T00:00:00Z"], False),
    ("DateLessThanEquals", "aws:CurrentTime", ["2026-11-26T13:00:00+01:00"], True),
    ("DateEquals", "aws:EpochTime", ["2026-11-26T12:00:00Z"], True),
    ("DateGreaterThan", "aws:CurrentTime", ["1795694399"], True),
    ("Bool", "aws:SecureTransport", ["true"], True),
    ("Bool", "aws:SecureTransport", ["false"], False),
    ("Bool", "aws:MultiFactorAuthPresent", ["false"], False),
    ("BoolIfExists", "aws:MultiFactorAuthPresent", ["true"], True),
    ("BinaryEquals", "key:bytes", ["aGVsbG8="], True),
    ("BinaryEquals", "key:bytes", ["aGVsbG8h"], False),
    ("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "192.168.0.0/16"], True),
    ("IpAddress", "aws:SourceIp", ["192.168.7.9"], True),
    ("NotIpAddress", "aws:SourceIp", ["192.168.0.0/16"], False),
    ("ArnLike", "aws:SourceArn", ["arn:aws:sns:*:111111111111:al*"], True),
    ("ArnEquals", "aws:SourceArn", ["arn:aws:sns:*:*:*"], True),
    ("ArnLike", "aws:SourceArn", ["arn:aws:sns:*"], False),
    ("ArnNotLike", "aws:SourceArn", ["arn:aws:sqs:*:*:*"], True),
    ("ArnNotEquals", "aws:SourceArn", ["arn:aws:sns:eu-west-1:111111111111:alarms"], False),
    ("Null", "aws:MultiFactorAuthPresent", ["true"], True),
    ("Null", "aws:username", ["true"], False),
    ("Null", "aws:username", ["false"], True),
    # A key that is absent: what must match fails, what must not match holds, IfExists holds.
    ("StringEquals", "aws:absent", ["x"], False),
    ("StringLike", "aws:absent", ["*"], False),
    ("StringNotEquals", "aws:absent", ["x"], True),
    ("ArnNotLike", "aws:absent", ["*"], True),
    ("NotIpAddress", "aws:absent", ["0.0.0.0/0"], True),
    ("StringEqualsIfExists", "aws:absent", ["x"], True),
    ("StringEqualsIfExists", "aws:username", ["eve"], False),
    ("NumericLessThanIfExists", "aws:absent", ["1"], True),
    # Several values.
    ("ForAllValues:StringEquals", "aws:TagKeys", ["team", "cost", "stage"], True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["team"], False),
    ("ForAllValues:StringEquals", "aws:absent", ["team"], True),
    ("ForAllValues:StringEquals", "aws:empty", ["team"], True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["cost"], True),
    ("ForAnyValue:StringLike", "aws:TagKeys", ["st*"], False),
    ("ForAnyValue:StringEquals", "aws:absent", ["cost"], False),
    ("ForAnyValue:StringEqualsIfExists", "aws:absent", ["cost"], True),
    ("ForAllValues:StringNotEquals", "aws:TagKeys", ["stage"], True),
    ("ForAllValues:StringNotEquals", "aws:TagKeys", ["team"], False),
    ("ForAnyValue:StringNotEquals", "aws:TagKeys", ["team"], True),
    # Variables.
    ("StringEquals", "aws:username", ["${aws:username}"], True),
    ("StringLike", "s3:prefix", ["${aws:absent, '42'}/*"], True),
    ("StringLike", "s3:prefix", ["${aws:absent}/*"], False),
    ("StringEquals", "s3:prefix", ["42/cats${$}"], False),
    # Not an operator.
    ("StringResembles", "aws:username", ["ada"], False),
]


@pytest.mark.parametrize(("operator", "key", "expected", "holds"), OPERATORS)
def test_operator(operator: str, key: str, expected: list[str], *, holds: bool):
    assert condition_holds(operator, key, tuple(expected), CONTEXT) is holds


def test_old_policies_have_no_variables():
    assert not condition_holds("StringEquals", "aws:username", ("${aws:username}",), CONTEXT, variables=False)


@pytest.mark.parametrize(
    ("template", "value", "fits"),
    [
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/ada/x/y", True),
        ("arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/eve/x", False),
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${?}b", "a?b", True),
    ],
)
def test_variables_in_patterns_are_literal(template: str, value: str, *, fits: bool):
    assert matches_template(template, value, CONTEXT) is fits


def test_a_variable_that_holds_a_star_is_no_pattern():
    context = ConditionContext({"aws:username": "*"})

    assert not matches_template("home/${aws:username}", "home/ada", context)


def test_keys_of_a_family_are_looked_up_when_asked_for():
    asked: list[str] = []

    def find(name: str) -> str | None:
        asked.append(name)
        return {"team": "couch"}.get(name)

    context = ConditionContext(families={"aws:ResourceTag/": find})

    assert context.get("aws:RESOURCETAG/Team") == ("couch",)
    assert context.get("aws:ResourceTag/stage") is None
    assert asked == ["team", "stage"]


def test_arns_match_part_by_part():
    assert matches_arn("arn:aws:lambda:*:*:function:f", "arn:aws:lambda:eu-west-1:1:function:f")
    assert not matches_arn("arn:aws:lambda:*:function:f", "arn:aws:lambda:eu-west-1:1:function:f")


def test_dates_without_a_zone_are_utc():
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)

    assert condition_holds("DateEquals", "aws:CurrentTime", (now.replace(tzinfo=None).isoformat(),), CONTEXT)
