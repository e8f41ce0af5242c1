"""IAM policy documents, and how AWS evaluates them.

Follows https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit deny anywhere wins;
within one account the identity's policies or the resource's policy must allow, narrowed by a permissions boundary and by session
policies; between accounts both must allow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from couch_explorers.local.engine.authorization.conditions import (
    ConditionContext,
    Values,
    condition_holds,
    matches_template,
    matches_wildcard,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PrincipalKind = Literal["Root", "User", "AssumedRole", "FederatedUser", "WebIdentity", "Service", "Anonymous"]


@dataclass(frozen=True)
class Principal:
    """The principal of a request.

    `arn` is a user's ARN, a session's `arn:aws:sts::…:assumed-role/…`, the account's root, a service's name such as
    `sns.amazonaws.com`, or an identity provider's ARN or domain. `issuer` is the role of a session, the user of a federated one.
    """

    kind: PrincipalKind
    account: str
    arn: str
    issuer: str = ""
    user_id: str = ""
    user_name: str = ""
    access_key_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()


class Grant(IntEnum):
    """How directly a resource's policy names a principal: its account, the role behind its session, or itself or everybody."""

    NONE = 0
    ACCOUNT = 1
    ROLE = 2
    DIRECT = 3


@dataclass(frozen=True)
class Statement:
    """One statement; `principals` is None where the policy is attached to an identity."""

    allows: bool
    actions: Values
    not_actions: Values
    resources: Values
    not_resources: Values
    principals: tuple[tuple[str, Values], ...] | None
    not_principals: tuple[tuple[str, Values], ...] | None
    conditions: tuple[tuple[str, str, Values], ...]
    variables: bool

    def covers(self, request: AccessRequest) -> bool:
        """Whether the statement applies to the request's action and resource, and its conditions hold."""
        action = request.action.lower()
        if self.actions:
            if not any(matches_wildcard(pattern, action) for pattern in self.actions):
                return False
        elif not self.not_actions or any(matches_wildcard(pattern, action) for pattern in self.not_actions):
            return False
        scope = request.context if self.variables else None
        if self.resources:
            if not _any_match(self.resources, request.resources, scope):
                return False
        elif self.not_resources and _any_match(self.not_resources, request.resources, scope):
            return False
        return all(
            condition_holds(operator, key, values, request.context, variables=self.variables)
            for operator, key, values in self.conditions
        )

    def grant_to(self, principal: Principal) -> Grant:
        """Return how the statement of a resource's policy names a principal."""
        if self.principals is not None:
            return max(
                (_grant(kind, value, principal) for kind, values in self.principals for value in values),
                default=Grant.NONE,
            )
        if self.not_principals is not None:
            named = any(_grant(kind, value, principal) for kind, values in self.not_principals for value in values)
            return Grant.NONE if named else Grant.DIRECT
        return Grant.NONE


def _any_match(patterns: Values, resources: Values, scope: ConditionContext | None) -> bool:
    return any(matches_template(pattern, resource, scope) for pattern in patterns for resource in resources)


def _grant(kind: str, value: str, principal: Principal) -> Grant:
    if value == "*" and kind in ("*", "AWS"):
        return Grant.DIRECT
    if kind in _OUTSIDERS or principal.kind in _OUTSIDERS.values():
        return Grant.DIRECT if _OUTSIDERS.get(kind) == principal.kind and value == principal.arn else Grant.NONE
    if kind != "AWS" or principal.kind == "Anonymous":
        return Grant.NONE
    if value in (principal.account, f"arn:aws:iam::{principal.account}:root"):
        return Grant.DIRECT if principal.kind == "Root" else Grant.ACCOUNT
    return Grant.DIRECT if value == principal.arn else Grant.ROLE if value == principal.issuer else Grant.NONE


# The principals without an account, by their key in a Principal element.
_OUTSIDERS: dict[str, PrincipalKind] = {"Service": "Service", "Federated": "WebIdentity"}


@dataclass(frozen=True)
class Policy:
    """The statements of one document."""

    statements: tuple[Statement, ...]

    def denies(self, request: AccessRequest, principal: Principal | None = None) -> bool:
        """Whether a statement denies the request; with a principal, as the policy of a resource."""
        return any(
            not statement.allows and (principal is None or statement.grant_to(principal)) and statement.covers(request)
            for statement in self.statements
        )

    def allows(self, request: AccessRequest) -> bool:
        """Whether a statement of an identity's policy allows the request."""
        return any(statement.allows and statement.covers(request) for statement in self.statements)

    def grant(self, request: AccessRequest, principal: Principal) -> Grant:
        """Return how directly the policy of a resource allows the principal the request."""
        grant = Grant.NONE
        for statement in self.statements:
            if statement.allows and statement.grant_to(principal) > grant and statement.covers(request):
                grant = statement.grant_to(principal)
        return grant


@dataclass(frozen=True)
class AccessRequest:
    """An action on a resource. `resources` are the ARNs of one resource, where AWS knows it by several."""

    action: str
    resources: Values
    context: ConditionContext = field(default_factory=ConditionContext)

    @property
    def resource(self) -> str:
        """The ARN that an error message names."""
        return self.resources[0]


@dataclass(frozen=True)
class PrincipalPolicies:
    """The policies of a principal. A boundary and session policies limit it, where there are any."""

    identity: Sequence[Policy] = ()
    boundary: Policy | None = None
    sessions: Sequence[Policy] = ()


@dataclass(frozen=True)
class Decision:
    """Whether a request is allowed; if not, `reason` is the end of AWS's error message."""

    allowed: bool
    reason: str = ""


ALLOWED = Decision(allowed=True)


def decide(
    request: AccessRequest,
    principal: Principal,
    policies: PrincipalPolicies,
    resource_policy: Policy | None,
    resource_account: str,
    *,
    resource_must_allow: bool = False,
) -> Decision:
    """Decide as AWS does.

    Args:
        request: Action, resource and condition keys.
        principal: The caller.
        policies: Those of the principal; none for root users, services and anonymous requests.
        resource_policy: The policy of the queue, topic, bucket, function, key or role.
        resource_account: The account that owns the resource; "" for the principal's own.
        resource_must_allow: Whether the resource's policy must allow it within its account too, as for roles and keys.

    """
    if denied_by := _explicit_deny(request, principal, policies, resource_policy):
        return Decision(allowed=False, reason=f"with an explicit deny in {denied_by}")
    grant = resource_policy.grant(request, principal) if resource_policy else Grant.NONE
    if principal.kind in ("Service", "Anonymous", "WebIdentity"):
        return ALLOWED if grant else _refused("resource-based policy", request)
    foreign = resource_account not in ("", principal.account)
    if (foreign or resource_must_allow) and not grant:
        identity = _identity_decision(request, principal, policies)
        return identity if not identity.allowed else _refused("resource-based policy", request)
    if not foreign and grant == Grant.DIRECT:
        return ALLOWED
    return _identity_decision(request, principal, policies, by_role=not foreign and grant == Grant.ROLE)


def _explicit_deny(
    request: AccessRequest, principal: Principal, policies: PrincipalPolicies, resource_policy: Policy | None
) -> str | None:
    """Return the kind of policy that denies the request, as AWS calls it."""
    if any(policy.denies(request) for policy in policies.identity):
        return "an identity-based policy"
    if policies.boundary and policies.boundary.denies(request):
        return "a permissions boundary"
    if any(policy.denies(request) for policy in policies.sessions):
        return "a session policy"
    if resource_policy and resource_policy.denies(request, principal):
        return "a resource-based policy"
    return None


def _identity_decision(
    request: AccessRequest, principal: Principal, policies: PrincipalPolicies, *, by_role: bool = False
) -> Decision:
    if principal.kind == "Root":
        return ALLOWED
    if not by_role and not any(policy.allows(request) for policy in policies.identity):
        return _refused("identity-based policy", request)
    if policies.boundary and not policies.boundary.allows(request):
        return _refused("permissions boundary", request)
    if policies.sessions and not any(policy.allows(request) for policy in policies.sessions):
        return _refused("session policy", request)
    return ALLOWED


def _refused(kind: str, request: AccessRequest) -> Decision:
    return Decision(allowed=False, reason=f"because no {kind} allows the {request.action} action")


def parse_policy(document: str | dict[str, Any]) -> Policy:
    """Parse a policy, given as JSON text or as the parsed object.

    Texts are cached, since a changed policy is another text. A text that is not JSON is a policy without statements.
    """
    return _parse_text(document) if isinstance(document, str) else _parse_document(document)


def is_policy_document(text: str) -> bool:
    """Whether a text is a JSON object with statements, which services require of a policy that is set."""
    try:
        document = json.loads(text)
    except ValueError:
        return False
    return isinstance(document, dict) and bool(document.get("Statement"))


@lru_cache(maxsize=2048)
def _parse_text(text: str) -> Policy:
    try:
        document = json.loads(text)
    except ValueError:
        return Policy(())
    return _parse_document(document) if isinstance(document, dict) else Policy(())


def _parse_document(document: dict[str, Any]) -> Policy:
    variables = document.get("Version") == "2012-10-17"
    statements = document.get("Statement") or []
    if isinstance(statements, dict):
        statements = [statements]
    return Policy(tuple(_parse_statement(statement, variables=variables) for statement in statements))


def _parse_statement(statement: dict[str, Any], *, variables: bool) -> Statement:
    return Statement(
        allows=statement.get("Effect") == "Allow",
        actions=tuple(action.lower() for action in _texts(statement.get("Action"))),
        not_actions=tuple(action.lower() for action in _texts(statement.get("NotAction"))),
        resources=_texts(statement.get("Resource")),
        not_resources=_texts(statement.get("NotResource")),
        principals=_parse_principals(statement.get("Principal")),
        not_principals=_parse_principals(statement.get("NotPrincipal")),
        conditions=tuple(
            (operator, key, _texts(values))
            for operator, keys in (statement.get("Condition") or {}).items()
            for key, values in keys.items()
        ),
        variables=variables,
    )


def _parse_principals(principals: str | dict[str, Any] | None) -> tuple[tuple[str, Values], ...] | None:
    if principals is None:
        return None
    if isinstance(principals, str):
        return ((principals if principals == "*" else "AWS", (principals,)),)
    return tuple((kind, _texts(values)) for kind, values in principals.items())


def _texts(values: object) -> Values:
    """Return one or several JSON values, as policies may have, as texts."""
    if values is None:
        return ()
    listed: Iterable[object] = values if isinstance(values, list | tuple) else (values,)
    return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in listed)
