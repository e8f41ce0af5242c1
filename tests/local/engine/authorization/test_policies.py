"""AWS's evaluation logic, as the user guide's flow chart draws it."""

import json
from typing import Any

import pytest

from couch_explorers.local.engine.authorization.conditions import ConditionContext
from couch_explorers.local.engine.authorization.policies import (
    AccessRequest,
    Decision,
    Policy,
    Principal,
    PrincipalPolicies,
    decide,
    parse_policy,
)

ACCOUNT, OTHER = "111111111111", "222222222222"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:jobs"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/ada"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/run"
USER = Principal("User", ACCOUNT, USER_ARN)
SESSION = Principal("AssumedRole", ACCOUNT, SESSION_ARN, ROLE_ARN)
ROOT = Principal("Root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root")
FOREIGN_USER = Principal("User", OTHER, f"arn:aws:iam::{OTHER}:user/eve")
FOREIGN_ROOT = Principal("Root", OTHER, f"arn:aws:iam::{OTHER}:root")
ANYBODY = Principal("Anonymous", ACCOUNT, "*")
SNS = Principal("Service", ACCOUNT, "sns.amazonaws.com")
NO_IDENTITY = "because no identity-based policy allows the sqs:SendMessage action"
NO_RESOURCE = "because no resource-based policy allows the sqs:SendMessage action"


def policy(effect: str = "Allow", action: Any = "sqs:SendMessage", resource: Any = "*", **more: Any) -> Policy:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def for_principal(principal: Any, effect: str = "Allow", **more: Any) -> Policy:
    return policy(effect, Principal=principal, **more)


ALLOW, DENY = policy(), policy("Deny")
NOTHING = policy(action="s3:GetObject")


def ask(
    principal: Principal,
    resource_policy: Policy | None = None,
    *,
    owner: str = ACCOUNT,
    must_allow: bool = False,
    **held: Any,
) -> Decision:
    request = AccessRequest("sqs:SendMessage", (QUEUE,), ConditionContext({"aws:SecureTransport": "true"}))
    return decide(request, principal, PrincipalPolicies(**held), resource_policy, owner, resource_must_allow=must_allow)


WITHIN_ONE_ACCOUNT = [
    # who, the queue's policy, what the principal holds, the reason for a refusal
    (USER, None, {}, NO_IDENTITY),
    (USER, None, {"identity": [ALLOW]}, ""),
    (USER, None, {"identity": [NOTHING, ALLOW]}, ""),
    (USER, None, {"identity": [ALLOW, DENY]}, "with an explicit deny in an identity-based policy"),
    (
        USER,
        None,
        {"identity": [ALLOW], "boundary": NOTHING},
        "because no permissions boundary allows the sqs:SendMessage action",
    ),
    (USER, None, {"identity": [ALLOW], "boundary": ALLOW}, ""),
    (USER, None, {"identity": [ALLOW], "boundary": DENY}, "with an explicit deny in a permissions boundary"),
    (USER, None, {"boundary": ALLOW}, NO_IDENTITY),
    (
        SESSION,
        None,
        {"identity": [ALLOW], "sessions": [NOTHING]},
        "because no session policy allows the sqs:SendMessage action",
    ),
    (SESSION, None, {"identity": [ALLOW], "sessions": [NOTHING, ALLOW]}, ""),
    (SESSION, None, {"identity": [ALLOW], "sessions": [ALLOW, DENY]}, "with an explicit deny in a session policy"),
    # The resource's policy.
    (USER, for_principal({"AWS": USER_ARN}), {}, ""),
    (USER, for_principal("*"), {}, ""),
    (USER, for_principal({"AWS": "*"}), {}, ""),
    (USER, for_principal({"AWS": ACCOUNT}), {}, NO_IDENTITY),
    (USER, for_principal({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), {"identity": [ALLOW]}, ""),
    (USER, for_principal("*", "Deny"), {"identity": [ALLOW]}, "with an explicit deny in a resource-based policy"),
    (USER, for_principal({"AWS": FOREIGN_USER.arn}, "Deny"), {"identity": [ALLOW]}, ""),
    (USER, for_principal({"Service": "sns.amazonaws.com"}), {}, NO_IDENTITY),
    (USER, for_principal({"AWS": USER_ARN}), {"boundary": NOTHING}, ""),
    (SESSION, for_principal({"AWS": SESSION_ARN}), {"boundary": NOTHING, "sessions": [NOTHING]}, ""),
    (SESSION, for_principal({"AWS": ROLE_ARN}), {}, ""),
    (
        SESSION,
        for_principal({"AWS": ROLE_ARN}),
        {"boundary": NOTHING},
        "because no permissions boundary allows the sqs:SendMessage action",
    ),
    (
        SESSION,
        for_principal({"AWS": ROLE_ARN}),
        {"sessions": [NOTHING]},
        "because no session policy allows the sqs:SendMessage action",
    ),
    # The root, services, nobody.
    (ROOT, None, {}, ""),
    (ROOT, for_principal("*", "Deny"), {}, "with an explicit deny in a resource-based policy"),
    (SNS, None, {}, NO_RESOURCE),
    (SNS, for_principal({"Service": "sns.amazonaws.com"}), {}, ""),
    (SNS, for_principal({"Service": "s3.amazonaws.com"}), {}, NO_RESOURCE),
    (SNS, for_principal({"AWS": ACCOUNT}), {}, NO_RESOURCE),
    (SNS, for_principal({"AWS": "*"}), {}, ""),
    (ANYBODY, None, {}, NO_RESOURCE),
    (ANYBODY, for_principal("*"), {}, ""),
    (ANYBODY, for_principal({"AWS": ACCOUNT}), {}, NO_RESOURCE),
]


@pytest.mark.parametrize(("principal", "resource_policy", "held", "reason"), WITHIN_ONE_ACCOUNT)
def test_decision_within_one_account(
    principal: Principal, resource_policy: Policy | None, held: dict[str, Any], reason: str
):
    assert ask(principal, resource_policy, **held) == Decision(allowed=not reason, reason=reason)


BETWEEN_ACCOUNTS = [
    (FOREIGN_USER, None, {}, NO_IDENTITY),
    (FOREIGN_USER, None, {"identity": [ALLOW]}, NO_RESOURCE),
    (FOREIGN_USER, for_principal({"AWS": FOREIGN_USER.arn}), {}, NO_IDENTITY),
    (FOREIGN_USER, for_principal({"AWS": FOREIGN_USER.arn}), {"identity": [ALLOW]}, ""),
    (FOREIGN_USER, for_principal({"AWS": OTHER}), {"identity": [ALLOW]}, ""),
    (FOREIGN_USER, for_principal({"AWS": ACCOUNT}), {"identity": [ALLOW]}, NO_RESOURCE),
    (FOREIGN_ROOT, None, {}, NO_RESOURCE),
    (FOREIGN_ROOT, for_principal({"AWS": OTHER}), {}, ""),
]


@pytest.mark.parametrize(("principal", "resource_policy", "held", "reason"), BETWEEN_ACCOUNTS)
def test_decision_between_accounts(
    principal: Principal, resource_policy: Policy | None, held: dict[str, Any], reason: str
):
    assert ask(principal, resource_policy, **held) == Decision(allowed=not reason, reason=reason)


ROLES_AND_KEYS = [
    (USER, for_principal({"AWS": OTHER}), {"identity": [ALLOW]}, NO_RESOURCE),
    (USER, for_principal({"AWS": ACCOUNT}), {"identity": [ALLOW]}, ""),
    (USER, for_principal({"AWS": ACCOUNT}), {}, NO_IDENTITY),
    (USER, for_principal({"AWS": USER_ARN}), {}, ""),
    (ROOT, for_principal({"AWS": USER_ARN}), {}, NO_RESOURCE),
    (ROOT, for_principal({"AWS": ACCOUNT}), {}, ""),
]


@pytest.mark.parametrize(("principal", "resource_policy", "held", "reason"), ROLES_AND_KEYS)
def test_policies_of_roles_and_keys_must_allow(
    principal: Principal, resource_policy: Policy, held: dict[str, Any], reason: str
):
    assert ask(principal, resource_policy, must_allow=True, **held) == Decision(allowed=not reason, reason=reason)


STATEMENTS = [
    ({"Action": "SQS:sendmessage", "Resource": "*"}, True),
    ({"Action": "sqs:Send*", "Resource": QUEUE}, True),
    ({"Action": ["s3:*", "sqs:*"], "Resource": ["arn:aws:s3:::b", f"arn:aws:sqs:*:{ACCOUNT}:j?bs"]}, True),
    ({"Action": "*", "Resource": QUEUE.upper()}, False),
    ({"NotAction": "sqs:DeleteQueue", "Resource": "*"}, True),
    ({"NotAction": "sqs:*", "Resource": "*"}, False),
    ({"Action": "sqs:*", "NotResource": QUEUE}, False),
    ({"Action": "sqs:*", "NotResource": "arn:aws:sqs:*:*:others"}, True),
    ({"Resource": "*"}, False),
    ({"Action": "sqs:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": True}}}, True),
    ({"Action": "sqs:*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
    (
        {
            "Action": "sqs:*",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}, "StringEquals": {"aws:username": "ada"}},
        },
        False,
    ),
]


@pytest.mark.parametrize(("statement", "allows"), STATEMENTS)
def test_statement_covers(statement: dict[str, Any], *, allows: bool):
    held = parse_policy({"Version": "2012-10-17", "Statement": {"Effect": "Allow", **statement}})

    assert ask(USER, identity=[held]).allowed is allows


def test_everybody_but_one_is_denied_by_not_principal():
    locked = policy("Deny", NotPrincipal={"AWS": [USER_ARN]})

    assert ask(USER, locked, identity=[ALLOW]).allowed
    assert not ask(SESSION, locked, identity=[ALLOW]).allowed


def test_invalid_policy_allows_nothing():
    assert parse_policy("not json").statements == ()
    assert not ask(USER, identity=[parse_policy("[]")]).allowed


def test_a_resource_may_have_several_names():
    held = policy(action="logs:CreateLogGroup", resource="arn:aws:logs:*:*:log-group:/aws/lambda/f")
    request = AccessRequest(
        "logs:CreateLogGroup",
        (
            f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/f:log-stream:",
            f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/f",
        ),
    )

    assert decide(request, USER, PrincipalPolicies([held]), None, "").allowed
