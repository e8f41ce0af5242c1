"""STS: trust policies with all their conditions, web identities, and sessions whose credentials work.

LocalEmu supports two conditions of trust policies (external ID, MFA), lets anybody assume a role that does not exist, accepts any web
identity token, passes the session policies of one role on to the next, and answers GetSessionToken with AWS's example key.
https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.authorization import principals
from couch_explorers.local.engine.authorization.conditions import ConditionContext, ContextValue
from couch_explorers.local.engine.authorization.operations import account_of
from couch_explorers.local.engine.authorization.policies import (
    AccessRequest,
    Policy,
    Principal,
    PrincipalPolicies,
    decide,
)
from couch_explorers.local.engine.patches import service_error, wrap
from couch_explorers.local.engine.patches.iam import condition_keys

if TYPE_CHECKING:
    from collections.abc import Callable

SEAMS = {
    "localemu.services.sts.provider:StsProvider": "439c6fb9a93a",
    "localemu.services.sts.provider:_evaluate_trust_policy": "7a1c025b9fea",
    "localemu.services.sts.provider:_trust_policy_allows_web_identity": "e51338a52814",
    "localemu.services.sts.models:SessionConfig": "0c11c9e55c53",
    "moto.sts.models:AssumedRole": "34cceb24be9f",
    "moto.sts.responses:TokenResponse.get_session_token": "413ecbda65d8",
    "moto.sts.responses:TokenResponse.get_federation_token": "c74b5b5dfafd",
}

_SESSION_NAME = re.compile(r"[\w+=,.@-]*")
# Seconds; the longest session by role chaining: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html
CHAINED_SESSION_S = 3600
_KEY_LETTERS = string.ascii_letters + string.digits + "+/"


def apply() -> None:
    """Wrap the operations of LocalEmu's STS."""
    from localemu.services.sts import provider
    from moto.sts.responses import TokenResponse

    # The wrappers below decide before the originals are called.
    provider._evaluate_trust_policy = lambda *_, **__: True
    provider._trust_policy_allows_web_identity = lambda *_, **__: True
    for name, operation in (
        ("assume_role", assume_role),
        ("assume_role_with_web_identity", assume_role_with_web_identity),
        ("get_session_token", get_session_token),
        ("get_federation_token", get_federation_token),
        ("get_caller_identity", get_caller_identity),
    ):
        wrap(provider.StsProvider, name, operation)
    for name in ("get_session_token", "get_federation_token"):
        wrap(TokenResponse, name, _with_own_credentials)


def assume_role(original: Callable[..., Any], self: Any, context: Any, **parameters: Any) -> Any:
    """AssumeRole, if the role's trust policy allows it and, where that names only the account, the caller's own policies."""
    from localemu.services.sts.provider import ROLE_ARN_REGEX

    role_arn, name = parameters["role_arn"], parameters["role_session_name"]
    if not _SESSION_NAME.fullmatch(name):
        raise service_error(
            "ValidationError",
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must satisfy "
            r"regular expression pattern: [\w+=,.@-]*",
        )
    if ROLE_ARN_REGEX.match(role_arn):
        _authorize(context, parameters)
    response = original(self, context, **parameters)
    session = _session(account_of(role_arn), response)
    session["session_policies"] = _session_policies(account_of(role_arn), parameters)
    return response


def _authorize(context: Any, parameters: dict[str, Any]) -> None:
    role_arn = parameters["role_arn"]
    principal, keys, held = _caller(context)
    if principal is None:
        return  # the engine itself
    tags = {tag["Key"]: tag.get("Value", "") for tag in parameters.get("tags") or []}
    more: dict[str, ContextValue] = {
        "sts:ExternalId": parameters.get("external_id"),
        "sts:RoleSessionName": parameters["role_session_name"],
        "sts:SourceIdentity": parameters.get("source_identity"),
        "sts:TransitiveTagKeys": parameters.get("transitive_tag_keys"),
        "aws:TagKeys": list(tags) or None,
        **{f"aws:RequestTag/{name}": value for name, value in tags.items()},
    }
    if parameters.get("serial_number"):
        more["aws:MultiFactorAuthPresent"] = "true"
    actions = (
        ["sts:AssumeRole"]
        + ["sts:TagSession"] * bool(tags)
        + ["sts:SetSourceIdentity"] * bool(parameters.get("source_identity"))
    )
    trust = principals.trust_policy(role_arn)
    for action in actions:
        request = AccessRequest(action, (role_arn,), keys.derived(more))
        decision = decide(request, principal, held, trust or Policy(()), account_of(role_arn), resource_must_allow=True)
        if not decision.allowed:
            why = f" {decision.reason}" if decision.reason.startswith("with") else ""
            raise service_error(
                "AccessDenied",
                f"User: {principal.arn} is not authorized to perform: {action} on resource: {role_arn}{why}",
                403,
            )
    _check_duration(principal, role_arn, parameters.get("duration_seconds"))


def _caller(context: Any) -> tuple[Principal | None, ConditionContext, PrincipalPolicies]:
    """Return the caller with its condition keys and policies; None for the engine itself."""
    params = context.internal_request_params or {}
    if name := params.get("service_principal"):
        source = params.get("source_arn")
        keys: dict[str, ContextValue] = {
            "aws:SourceArn": source,
            "aws:SourceAccount": account_of(source or "") or context.account_id,
            "aws:SecureTransport": "true",
            "aws:PrincipalIsAWSService": "true",
        }
        return principals.service_principal(name, context.account_id), ConditionContext(keys), principals.NOBODY
    credentials = getattr(context, "caller", None)
    if credentials is None:
        return None, ConditionContext(), principals.NOBODY
    held = principals.policies_of(credentials.principal, credentials.session)
    return credentials.principal, condition_keys(context, credentials), held


def _check_duration(principal: Principal, role_arn: str, duration_s: int | None) -> None:
    role = principals.find_role(role_arn)
    if duration_s is None or role is None or principal.kind == "Service":
        return
    if principal.kind == "AssumedRole" and duration_s > CHAINED_SESSION_S:
        raise service_error(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
        )
    if duration_s > int(role.max_session_duration or CHAINED_SESSION_S):
        raise service_error(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )


def _session_policies(account: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    documents = [parameters["policy"]] if parameters.get("policy") else []
    for each in parameters.get("policy_arns") or []:
        document = principals.managed_document(account, each["arn"])
        if document is None:
            raise service_error(
                "InvalidParameterValue", f"Session policy {each['arn']} does not exist or is not attachable."
            )
        documents.append(document)
    return [json.loads(document) for document in documents]


def assume_role_with_web_identity(original: Callable[..., Any], self: Any, context: Any, **parameters: Any) -> Any:
    """AssumeRoleWithWebIdentity, with a token of a provider that the account has and the role's trust policy names.

    The token's signature is not checked: that would take the provider's keys from the internet.
    """
    from localemu.services.sts.provider import ROLE_ARN_REGEX

    role_arn = parameters["role_arn"]
    if ROLE_ARN_REGEX.match(role_arn):
        _authorize_web_identity(role_arn, parameters)
    response = original(self, context, **parameters)
    account, claims = account_of(role_arn), _claims(parameters["web_identity_token"])
    session = _session(account, response)
    session["session_policies"] = _session_policies(account, parameters)
    role = principals.find_role(role_arn)
    response["AssumedRoleUser"]["AssumedRoleId"] = f"{role.id}:{parameters['role_session_name']}"
    audience = claims.get("aud")
    response["SubjectFromWebIdentityToken"] = claims.get("sub")
    response["Audience"] = audience[0] if isinstance(audience, list) else audience
    issuer = str(claims.get("iss", ""))
    arn = _provider_arn(account, issuer)
    response["Provider"] = arn if principals.open_id_provider(account, arn) else _host(issuer)
    return response


# Issuers of JSON Web Tokens that trust policies name by their host, without an identity provider in the account.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html
_BUILT_IN_PROVIDERS = {"accounts.google.com", "cognito-identity.amazonaws.com"}
_NOT_AUTHORIZED = "Not authorized to perform sts:AssumeRoleWithWebIdentity"


def _authorize_web_identity(role_arn: str, parameters: dict[str, Any]) -> None:
    trust = principals.trust_policy(role_arn)
    if trust is None or not any(
        statement.allows and any(kind == "Federated" for kind, _ in statement.principals or ())
        for statement in trust.statements
    ):
        raise service_error("AccessDenied", _NOT_AUTHORIZED, 403)
    claims = _claims(parameters["web_identity_token"])
    if not claims:
        raise service_error(
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
        )
    issuer, account = str(claims.get("iss", "")), account_of(role_arn)
    provider = principals.open_id_provider(account, _provider_arn(account, issuer))
    if provider is None and _host(issuer) not in _BUILT_IN_PROVIDERS:
        raise service_error("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
    url, arn = (provider.url, provider.arn) if provider else (_host(issuer), _host(issuer))
    audience = claims.get("aud")
    audiences = [str(each) for each in (audience if isinstance(audience, list) else [audience])]
    # A built-in provider has no list of audiences: the trust policy's condition names them.
    if provider and not set(audiences) & set(provider.client_id_list):
        raise service_error("InvalidIdentityToken", "Incorrect token audience")
    expiry = datetime.fromtimestamp(float(claims.get("exp", 0)), UTC)
    if expiry < datetime.now(UTC):
        raise service_error(
            "ExpiredTokenException", f"Token expired: the token's end, {expiry:%Y-%m-%dT%H:%M:%SZ}, is in the past"
        )
    keys: dict[str, ContextValue] = {
        f"{url}:{name}": [str(each) for each in claim] if isinstance(claim, list) else str(claim)
        for name, claim in claims.items()
    }
    keys |= {
        "aws:SecureTransport": "true",
        "sts:RoleSessionName": parameters["role_session_name"],
        "aws:FederatedProvider": arn,
    }
    principal = Principal("WebIdentity", account, arn)
    request = AccessRequest("sts:AssumeRoleWithWebIdentity", (role_arn,), ConditionContext(keys))
    if not decide(request, principal, principals.NOBODY, trust, "").allowed:
        raise service_error("AccessDenied", _NOT_AUTHORIZED, 403)


def _provider_arn(account: str, issuer: str) -> str:
    return f"arn:aws:iam::{account}:oidc-provider/{_host(issuer)}"


def _host(issuer: str) -> str:
    return issuer.removeprefix("https://")


def _claims(token: str) -> dict[str, Any]:
    """Return the claims of a JSON Web Token; none where it is not one."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


def get_session_token(original: Callable[..., Any], self: Any, context: Any, **parameters: Any) -> Any:
    """GetSessionToken: credentials that act as the caller until they expire."""
    credentials = getattr(context, "caller", None)
    if credentials and credentials.token is not None:
        raise service_error("AccessDenied", "Cannot call GetSessionToken with session credentials", 403)
    response = original(self, context, **parameters)
    session = _own_session(context, response)
    session["session_policies"] = []
    session["session_kind"] = "session-token"
    _remember_base(session, credentials)
    return response


def get_federation_token(original: Callable[..., Any], self: Any, context: Any, **parameters: Any) -> Any:
    """GetFederationToken: credentials of a federated user, limited by the given policies."""
    credentials = getattr(context, "caller", None)
    if credentials and credentials.token is not None:
        raise service_error("AccessDenied", "Cannot call GetFederationToken with session credentials", 403)
    response = original(self, context, **parameters)
    session = _own_session(context, response)
    policies = _session_policies(context.account_id, parameters)
    # Without any policy, a federated user has only the permissions that a resource's policy gives.
    session["session_policies"] = policies or [{"Version": "2012-10-17", "Statement": []}]
    session["session_kind"], session["federated_name"] = "federated", parameters["name"]
    _remember_base(session, credentials)
    return response


def _remember_base(session: dict[str, Any], credentials: principals.Credentials | None) -> None:
    if credentials is None or credentials.principal.kind == "Root":
        session["session_kind"] = "root"
    else:
        session["base_username"] = credentials.principal.user_name


def _own_session(context: Any, response: Any) -> dict[str, Any]:
    session = _session(context.account_id, response)
    session["secret_access_key"] = response["Credentials"]["SecretAccessKey"]
    session["session_token"] = response["Credentials"]["SessionToken"]
    return session


def _session(account: str, response: Any) -> dict[str, Any]:
    """Return LocalEmu's record of the session whose credentials a response holds."""
    from localemu.services.sts.models import sts_stores

    session: dict[str, Any] = sts_stores[account]["us-east-1"].sessions[response["Credentials"]["AccessKeyId"]]
    return session


def _with_own_credentials(original: Callable[..., Any], self: Any) -> Any:
    from moto.iam.utils import generate_access_key_id_from_account_id
    from moto.sts.utils import random_session_token

    result = original(self)
    result.result["Credentials"] |= {
        "AccessKeyId": generate_access_key_id_from_account_id(self.current_account, "ASIA"),
        "SecretAccessKey": "".join(secrets.choice(_KEY_LETTERS) for _ in range(40)),
        "SessionToken": random_session_token(),
    }
    return result


def get_caller_identity(original: Callable[..., Any], self: Any, context: Any, **parameters: Any) -> Any:
    """GetCallerIdentity, for the principal that signed the request."""
    response = original(self, context, **parameters)
    credentials = getattr(context, "caller", None)
    if credentials is not None and credentials.principal.kind != "Anonymous":
        principal = credentials.principal
        response |= {"Account": principal.account, "Arn": principal.arn, "UserId": principal.user_id}
    return response
