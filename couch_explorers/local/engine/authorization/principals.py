"""Principals and their policies: who an access key belongs to, and what is attached to identities and to resources.

Everything is read from LocalEmu's own records of users, roles, sessions, queues, topics, buckets, functions and keys.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.authorization.operations import account_of
from couch_explorers.local.engine.authorization.policies import Policy, Principal, PrincipalPolicies, parse_policy

if TYPE_CHECKING:
    from datetime import datetime


# An access key of twelve digits belongs to the root user of that account, with any secret.
_ROOT_KEY = re.compile(r"\d{12}")
NOBODY = PrincipalPolicies()


@dataclass(frozen=True)
class Credentials:
    """A known access key. `secret` is None for a root user, whose secret is not checked; only sessions have `token` and `expires`."""

    principal: Principal
    secret: str | None = None
    token: str | None = None
    expires: datetime | None = None
    session: dict[str, Any] | None = None


def root_of(account: str) -> Principal:
    """Return the root user of an account."""
    return Principal("Root", account, f"arn:aws:iam::{account}:root", user_id=account)


def service_principal(name: str, account: str = "") -> Principal:
    """Return an AWS service by a name such as "sns" or "sns.amazonaws.com"; `account` is the one that it acts for."""
    full = name if "." in name else f"{name}.amazonaws.com"
    return Principal("Service", account, full)


def anonymous(account: str) -> Principal:
    """Return the principal of unsigned requests; `account` is the one whose resources are called."""
    return Principal("Anonymous", account, "*", user_id="anonymous")


def is_root_key(access_key_id: str) -> bool:
    """Whether an access key belongs to a root user."""
    return _ROOT_KEY.fullmatch(access_key_id) is not None


def account_of_key(access_key_id: str) -> str:
    """Return the account that is encoded in an access key."""
    from localemu.aws.accounts import get_account_id_from_access_key_id

    return str(get_account_id_from_access_key_id(access_key_id))


def find_credentials(access_key_id: str) -> Credentials | None:
    """Return the credentials of an access key; None for one that does not exist, was deleted or is inactive."""
    if is_root_key(access_key_id):
        return Credentials(root_of(access_key_id))
    account = account_of_key(access_key_id)
    return _user_credentials(access_key_id, account) or _session_credentials(access_key_id, account)


def _backend(account: str) -> Any:
    from moto.iam.models import iam_backends

    return iam_backends[account]["aws"]


def _user_credentials(access_key_id: str, account: str) -> Credentials | None:
    backend = _backend(account)
    key = backend.access_keys.get(access_key_id)
    if key is None or key.status != "Active" or key.user_name not in backend.users:
        return None
    user = backend.users[key.user_name]
    return Credentials(_user_principal(user, account, access_key_id), key.secret_access_key)


def _user_principal(user: Any, account: str, access_key_id: str) -> Principal:
    return Principal(
        "User",
        account,
        user.arn,
        user_id=user.id,
        user_name=user.name,
        access_key_id=access_key_id,
        tags=_tags(user.tags),
    )


def _session_credentials(access_key_id: str, account: str) -> Credentials | None:
    from localemu.services.sts.models import sts_store_lock, sts_stores

    with sts_store_lock:
        session: dict[str, Any] | None = sts_stores[account]["us-east-1"].sessions.get(access_key_id)
    if assumed := _assumed_role(access_key_id, account):
        role = _role_principal(assumed.role_arn, assumed.session_name, access_key_id, session)
        expires = (session or {}).get("expiration")
        return Credentials(role, assumed.secret_access_key, assumed.session_token, expires, session)
    if not session or "secret_access_key" not in session:
        return None
    principal = _own_session_principal(session, account, access_key_id)
    if principal is None:
        return None
    return Credentials(
        principal, session["secret_access_key"], session["session_token"], session["expiration"], session
    )


def _own_session_principal(session: dict[str, Any], account: str, access_key_id: str) -> Principal | None:
    """Return the principal of a session from GetSessionToken or GetFederationToken, which acts for the user that called it."""
    if session.get("session_kind") == "root":
        return root_of(account)
    user = _backend(account).users.get(session.get("base_username"))
    if user is None:
        return None
    if session.get("session_kind") != "federated":
        return _user_principal(user, account, access_key_id)
    name = session.get("federated_name", "")
    arn = f"arn:aws:sts::{account}:federated-user/{name}"
    tags = _tags(list((session.get("tags") or {}).values()))
    return Principal(
        "FederatedUser", account, arn, user.arn, f"{account}:{name}", access_key_id=access_key_id, tags=tags
    )


# An index of each account's sessions: (the list that it was made from, that list's length, access key → session).
_assumed_roles: dict[str, tuple[list[Any], int, dict[str, Any]]] = {}


def _assumed_role(access_key_id: str, account: str) -> Any:
    from moto.sts.models import sts_backends

    roles = sts_backends[account]["aws"].assumed_roles
    seen, length, index = _assumed_roles.get(account, ([], 0, {}))
    if seen is not roles or length != len(roles):
        index = {each.access_key_id: each for each in roles}
        _assumed_roles[account] = (roles, len(roles), index)
    return index.get(access_key_id)


def _role_principal(role_arn: str, session_name: str, access_key_id: str, session: dict[str, Any] | None) -> Principal:
    account, name = account_of(role_arn), role_arn.rpartition("/")[2]
    role = find_role(role_arn)
    tags = dict(_tags(role.tags)) if role else {}
    tags.update(_tags(list(((session or {}).get("tags") or {}).values())))
    return Principal(
        kind="AssumedRole",
        account=account,
        arn=f"arn:aws:sts::{account}:assumed-role/{name}/{session_name}",
        issuer=role_arn,
        user_id=f"{role.id if role else ''}:{session_name}",
        access_key_id=access_key_id,
        tags=tuple(tags.items()),
    )


def role_session(role_arn: str, session_name: str) -> Principal:
    """Return the principal of a service that acts with a role."""
    return _role_principal(role_arn, session_name, "", None)


def _tags(tags: Any) -> tuple[tuple[str, str], ...]:
    """Return tags as pairs; LocalEmu keeps a list of {Key, Value}, or those by their keys."""
    listed = tags.values() if isinstance(tags, dict) else tags or []
    return tuple((tag["Key"], tag.get("Value", "")) for tag in listed if isinstance(tag, dict) and "Key" in tag)


def policies_of(principal: Principal, session: dict[str, Any] | None = None) -> PrincipalPolicies:
    """Return the principal's identity policies, its permissions boundary, and the policies of its session."""
    if principal.kind not in ("User", "AssumedRole", "FederatedUser"):
        return NOBODY
    backend = _backend(principal.account)
    if principal.kind == "AssumedRole":
        holder = find_role(principal.issuer)
    else:
        arn = principal.arn if principal.kind == "User" else principal.issuer
        holder = backend.users.get(arn.rpartition("/")[2])
    if holder is None:
        return NOBODY
    identity = _attached(holder, backend)
    for name in getattr(holder, "group_list", []):
        if group := backend.groups.get(name):
            identity += _attached(group, backend)
    boundary = getattr(holder, "permissions_boundary_arn", None) or getattr(holder, "permissions_boundary", None)
    return PrincipalPolicies(
        identity=identity,
        # A boundary that no longer exists allows nothing.
        boundary=(_managed(backend, boundary) or Policy(())) if isinstance(boundary, str) and boundary else None,
        sessions=[parse_policy(document) for document in (session or {}).get("session_policies") or []],
    )


def _attached(holder: Any, backend: Any) -> list[Policy]:
    managed = (_managed(backend, arn) for arn in holder.managed_policies or {})
    return [parse_policy(document) for document in holder.policies.values()] + [policy for policy in managed if policy]


def _managed(backend: Any, arn: str) -> Policy | None:
    document = managed_document(backend.account_id, arn)
    return None if document is None else parse_policy(document)


def managed_document(account: str, arn: str) -> str | None:
    """Return the text of a managed policy's default version; None where there is no such policy."""
    policy = _backend(account).managed_policies.get(arn)
    if policy is None:
        return None
    return next((str(each.document) for each in policy.versions if each.version_id == policy.default_version_id), None)


def identity_arn(account: str, kind: str, name: str) -> str:
    """Return the ARN, with its path, of a role, user, group or instance profile; "" where there is none."""
    backend = _backend(account)
    holders = {
        "role": backend.roles,
        "user": backend.users,
        "group": backend.groups,
        "instance-profile": backend.instance_profiles,
    }[kind]
    return next((str(each.arn) for each in holders.values() if each.name == name), "")


def boundary_arn(account: str, kind: str, name: str) -> str:
    """Return the ARN of the permissions boundary of a role or user; "" where there is none."""
    backend = _backend(account)
    holders = {"role": backend.roles, "user": backend.users}.get(kind, {})
    holder = next((each for each in holders.values() if each.name == name), None)
    boundary = getattr(holder, "permissions_boundary_arn", None) or getattr(holder, "permissions_boundary", None)
    return boundary if isinstance(boundary, str) else ""


def open_id_provider(account: str, arn: str) -> Any:
    """Return LocalEmu's record of an identity provider; None where the account has none with that ARN."""
    return _backend(account).open_id_providers.get(arn)


# --- policies of resources --------------------------------------------------------------------------------------------


# The services whose resources have policies of their own.
SERVICES = frozenset({"sqs", "sns", "s3", "lambda", "kms"})


def owner_and_policy(arn: str, account: str, region: str) -> tuple[str, Policy | None]:
    """Return the account that owns a resource, and its policy: ("", None) where it does not exist or cannot have one.

    Args:
        arn: The resource; for S3, a bucket or an object.
        account: The caller's, for an ARN without an account.
        region: That of the call, for an ARN without a region.

    """
    service = arn.split(":", 3)[2] if arn.startswith("arn:") else ""
    if service not in SERVICES:
        return "", None
    owner = account_of(arn) or account
    parts = arn.split(":", 5)
    owner, text = _READERS[service](arn, owner, parts[3] or region)
    return owner, parse_policy(text) if text else None


def _queue_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.sqs.models import sqs_stores

    queue = sqs_stores[owner][region].queues.get(arn.rpartition(":")[2])
    return (owner, queue.attributes.get("Policy")) if queue else ("", None)


def _topic_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.sns.models import sns_stores

    topic = sns_stores[owner][region].topics.get(arn)
    return (owner, (topic.get("attributes") or {}).get("Policy")) if topic else ("", None)


def _bucket_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:  # noqa: ARG001 - buckets are in no region
    from localemu.constants import AWS_REGION_US_EAST_1
    from localemu.services.s3.models import s3_stores

    name = arn.split(":::", 1)[-1].split("/", 1)[0]
    bucket_owner = s3_stores[owner][AWS_REGION_US_EAST_1].global_bucket_map.get(name)
    if not bucket_owner:
        return "", None
    bucket = s3_stores[bucket_owner][AWS_REGION_US_EAST_1].buckets.get(name)
    return bucket_owner, getattr(bucket, "policy", None)


def _function_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.lambda_.invocation.models import lambda_stores

    name, _, qualifier = arn.split(":function:", 1)[-1].partition(":") if ":function:" in arn else ("", "", "")
    function = lambda_stores[owner][region].functions.get(name)
    if not function:
        return "", None
    held = function.permissions.get(qualifier or "$LATEST")
    return owner, json.dumps(dataclasses.asdict(held.policy)) if held else None


def _key_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.kms.models import kms_stores

    store = kms_stores[owner][region]
    name = arn.rpartition(":")[2]
    if name.startswith("alias/"):
        alias = store.aliases.get(name)
        key_id = alias.metadata["TargetKeyId"] if alias else ""
    else:
        key_id = name.removeprefix("key/")
    key = store.keys.get(key_id)
    return (owner, key.policy) if key else ("", None)


_READERS = {
    "sqs": _queue_policy,
    "sns": _topic_policy,
    "s3": _bucket_policy,
    "lambda": _function_policy,
    "kms": _key_policy,
}


def trust_policy(role_arn: str) -> Policy | None:
    """Return the trust policy of a role; None where there is no such role."""
    role = find_role(role_arn)
    if role is None:
        return None
    document = role.assume_role_policy_document
    return parse_policy(document)


def find_role(role_arn: str) -> Any:
    """Return LocalEmu's record of a role; None where there is none with that ARN."""
    from moto.iam.models import iam_backends

    account = account_of(role_arn)
    if not account.isdigit():
        return None
    return next((role for role in iam_backends[account]["aws"].roles.values() if role.arn == role_arn), None)
