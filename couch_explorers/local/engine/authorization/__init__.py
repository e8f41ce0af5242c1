"""Authorization as AWS decides it: policies, condition keys, signatures, and the principals behind access keys.

The functions here are for code that acts for a service: an event source mapping, a gateway, an alarm, a function's log. API
calls from outside are checked by `patches.iam`.
"""

from __future__ import annotations

from collections.abc import Mapping

from couch_explorers.local.engine.authorization.conditions import ConditionContext, ContextValue
from couch_explorers.local.engine.authorization.policies import (
    AccessRequest,
    Decision,
    Principal,
    decide,
)

Keys = Mapping[str, ContextValue]

# What Lambda answers where a role's trust policy does not let it assume the role.
NOT_ASSUMABLE = "The role defined for the function cannot be assumed by Lambda."


def role_allows(role_arn: str, action: str, resource: str, context: Keys | None = None) -> bool:
    """Whether a role may do something to a resource, whoever assumed it.

    Counts the role's own policies, its permissions boundary and the resource's policy.

    Args:
        role_arn: such as a function's execution role. A role that is gone may do nothing.
        action: such as "sqs:ReceiveMessage".
        resource: the ARN.
        context: more condition keys, such as {"lambda:SourceFunctionArn": arn}.

    """
    return role_decision(role_arn, action, resource, context).allowed


def role_decision(role_arn: str, action: str, resource: str, context: Keys | None = None) -> Decision:
    """As `role_allows`, with AWS's reason where it does not."""
    from couch_explorers.local.engine.authorization import principals  # noqa: PLC0415

    principal = principals.role_session(role_arn, "couch")
    return _decide(principal, action, resource, context)


def service_allows(
    service: str, action: str, resource: str, source_arn: str, context: Keys | None = None, source_account: str = ""
) -> bool:
    """Whether a resource's policy lets a service do something to it on behalf of another resource.

    Args:
        service: "sns", "apigateway", "cloudwatch", "s3" and so on, with or without ".amazonaws.com".
        action: such as "lambda:InvokeFunction", "sqs:SendMessage" or "sns:Publish".
        resource: the ARN of the function, queue or topic.
        source_arn: the topic, API method, alarm or bucket in whose name the service acts.
        context: more condition keys.
        source_account: the account of a source whose ARN names none, such as a bucket.

    """
    return service_decision(service, action, resource, source_arn, context, source_account).allowed


def service_decision(
    service: str, action: str, resource: str, source_arn: str, context: Keys | None = None, source_account: str = ""
) -> Decision:
    """As `service_allows`, with AWS's reason where it does not."""
    from couch_explorers.local.engine.authorization import principals  # noqa: PLC0415
    from couch_explorers.local.engine.authorization.operations import account_of  # noqa: PLC0415

    account = source_account or account_of(source_arn) or account_of(resource)
    principal = principals.service_principal(service, account)
    keys: dict[str, ContextValue] = {
        "aws:SourceArn": source_arn or None,
        "aws:SourceAccount": account or None,
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": principal.arn,
    }
    # The default policy of a topic lets the owner's alarms in by this old key, which no other service here sends.
    if principal.arn == "cloudwatch.amazonaws.com":
        keys["aws:SourceOwner"] = account
    return _decide(principal, action, resource, {**keys, **(context or {})})


def assumable_by_service(role_arn: str, service: str, context: Keys | None = None) -> bool:
    """Whether a role's trust policy lets a service, such as "lambda", assume it; a role that is gone lets nobody."""
    from couch_explorers.local.engine.authorization import principals, resource_policies  # noqa: PLC0415

    policy = resource_policies.trust_policy(role_arn)
    if policy is None:
        return False
    principal = principals.service_principal(service)
    request = AccessRequest(
        "sts:AssumeRole", (role_arn,), ConditionContext({"aws:SecureTransport": "true", **(context or {})})
    )
    return decide(request, principal, principals.NOBODY, policy, "").allowed


def explain(principal_arn: str, action: str, resource: str, decision: Decision) -> str:
    """AWS's sentence about a denied request."""
    on = "" if resource == "*" else f" on resource: {resource}"
    return f"User: {principal_arn} is not authorized to perform: {action}{on} {decision.reason}".rstrip()


def _decide(principal: Principal, action: str, resource: str, context: Keys | None) -> Decision:
    from couch_explorers.local.engine.authorization import principals, resource_policies  # noqa: PLC0415

    parts = resource.split(":")
    region = parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - where an ARN has its region
    owner, policy = resource_policies.owner_and_policy(resource, principal.account, region)
    keys: dict[str, ContextValue] = {
        "aws:SecureTransport": "true",
        "aws:PrincipalArn": principal.issuer or principal.arn,
        "aws:PrincipalAccount": principal.account or None,
        "aws:RequestedRegion": region or None,
    }
    request = AccessRequest(action, (resource,), ConditionContext({**keys, **(context or {})}))
    return decide(request, principal, principals.policies_of(principal), policy, owner)
