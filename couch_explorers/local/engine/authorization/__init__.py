"""Authorization as AWS decides it: policies, condition keys, signatures, and the principals behind access keys.

The functions here are for code that acts for a service: an event source mapping, a gateway, an alarm, a function's log. API calls from
outside are checked by `patches.iam`.
"""

from __future__ import annotations

from collections.abc import Mapping

from couch_explorers.local.engine.authorization import principals
from couch_explorers.local.engine.authorization.conditions import ConditionContext, ContextValue
from couch_explorers.local.engine.authorization.operations import account_of
from couch_explorers.local.engine.authorization.policies import AccessRequest, Decision, Principal, decide

Keys = Mapping[str, ContextValue]

# What Lambda answers where a role's trust policy does not let it assume the role.
NOT_ASSUMABLE = "The role defined for the function cannot be assumed by Lambda."


def role_allows(role_arn: str, action: str, resource: str, context: Keys | None = None) -> bool:
    """Whether a role may perform an action on a resource, by its policies, its permissions boundary and the resource's policy.

    Args:
        role_arn: Such as a function's execution role. A role that no longer exists may do nothing.
        action: Such as "sqs:ReceiveMessage".
        resource: The resource's ARN.
        context: More condition keys, such as {"lambda:SourceFunctionArn": arn}.

    """
    return _decide(principals.role_session(role_arn, "couch"), action, resource, context).allowed


def service_decision(
    service: str, action: str, resource: str, source_arn: str, context: Keys | None = None
) -> Decision:
    """Decide by a resource's policy whether a service may perform an action on it on behalf of another resource.

    Args:
        service: "sns", "apigateway", "cloudwatch", "s3" and so on, with or without ".amazonaws.com".
        action: Such as "lambda:InvokeFunction", "sqs:SendMessage" or "sns:Publish".
        resource: The ARN of the function, queue or topic.
        source_arn: The topic, API method, alarm or bucket on whose behalf the service acts.
        context: More condition keys.

    """
    account = account_of(source_arn) or account_of(resource)
    principal = principals.service_principal(service, account)
    keys: dict[str, ContextValue] = {
        "aws:SourceArn": source_arn or None,
        "aws:SourceAccount": account or None,
        "aws:PrincipalIsAWSService": "true",
        "aws:PrincipalServiceName": principal.arn,
    }
    # A topic's default policy allows the owner's alarms by this old key, which no other service here sends.
    if principal.arn == "cloudwatch.amazonaws.com":
        keys["aws:SourceOwner"] = account
    return _decide(principal, action, resource, {**keys, **(context or {})})


def assumable_by_service(role_arn: str, service: str) -> bool:
    """Whether a role's trust policy lets a service, such as "lambda", assume it; False for a role that does not exist."""
    policy = principals.trust_policy(role_arn)
    if policy is None:
        return False
    request = AccessRequest("sts:AssumeRole", (role_arn,), ConditionContext({"aws:SecureTransport": "true"}))
    return decide(request, principals.service_principal(service), principals.NOBODY, policy, "").allowed


def _decide(principal: Principal, action: str, resource: str, context: Keys | None) -> Decision:
    parts = resource.split(":")
    region = parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 - where an ARN has its region
    owner, policy = principals.owner_and_policy(resource, principal.account, region)
    keys: dict[str, ContextValue] = {
        "aws:SecureTransport": "true",
        "aws:PrincipalArn": principal.issuer or principal.arn,
        "aws:PrincipalAccount": principal.account or None,
        "aws:RequestedRegion": region or None,
    }
    request = AccessRequest(action, (resource,), ConditionContext({**keys, **(context or {})}))
    return decide(request, principal, principals.policies_of(principal), policy, owner)
