"""The policies of queues, topics, buckets, functions, keys and roles, read where LocalEmu keeps them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from couch_explorers.local.engine.authorization.operations import account_of
from couch_explorers.local.engine.authorization.policies import Policy, parse_policy

# The services whose resources have policies of their own that AWS heeds.
SERVICES = frozenset({"sqs", "sns", "s3", "lambda", "kms"})


def owner_and_policy(arn: str, account: str, region: str) -> tuple[str, Policy | None]:
    """Whose a resource is and its policy: ("", None) where there is no such resource or it can have none.

    Args:
        arn: the resource; a bucket's or an object's for S3.
        account: of the caller, where an ARN names none.
        region: of the call, where an ARN names none.

    """
    service = arn.split(":", 3)[2] if arn.startswith("arn:") else ""
    if service not in SERVICES:
        return "", None
    owner = account_of(arn) or account
    parts = arn.split(":", 5)
    owner, text = _READERS[service](arn, owner, parts[3] or region)
    return owner, parse_policy(text) if text else None


def _queue_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.sqs.models import sqs_stores  # noqa: PLC0415

    queue = sqs_stores[owner][region].queues.get(arn.rpartition(":")[2])
    return (owner, queue.attributes.get("Policy")) if queue else ("", None)


def _topic_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.sns.models import sns_stores  # noqa: PLC0415

    topic = sns_stores[owner][region].topics.get(arn)
    return (owner, (topic.get("attributes") or {}).get("Policy")) if topic else ("", None)


def _bucket_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:  # noqa: ARG001 - buckets are in no region
    from localemu.constants import AWS_REGION_US_EAST_1  # noqa: PLC0415
    from localemu.services.s3.models import s3_stores  # noqa: PLC0415

    name = arn.split(":::", 1)[-1].split("/", 1)[0]
    bucket_owner = s3_stores[owner][AWS_REGION_US_EAST_1].global_bucket_map.get(name)
    if not bucket_owner:
        return "", None
    bucket = s3_stores[bucket_owner][AWS_REGION_US_EAST_1].buckets.get(name)
    return bucket_owner, getattr(bucket, "policy", None)


def _function_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.lambda_.invocation.models import lambda_stores  # noqa: PLC0415

    name, _, qualifier = arn.split(":function:", 1)[-1].partition(":") if ":function:" in arn else ("", "", "")
    function = lambda_stores[owner][region].functions.get(name)
    if not function:
        return "", None
    held = function.permissions.get(qualifier or "$LATEST")
    return owner, json.dumps(dataclasses.asdict(held.policy)) if held else None


def _key_policy(arn: str, owner: str, region: str) -> tuple[str, str | None]:
    from localemu.services.kms.models import kms_stores  # noqa: PLC0415

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
    """Who may assume a role; None where there is no such role."""
    role = find_role(role_arn)
    if role is None:
        return None
    document = role.assume_role_policy_document
    return parse_policy(document)


def find_role(role_arn: str) -> Any:
    """LocalEmu's record of a role by its ARN; None where there is none."""
    from moto.iam.models import iam_backends  # noqa: PLC0415

    account = account_of(role_arn)
    if not account.isdigit():
        return None
    return next((role for role in iam_backends[account]["aws"].roles.values() if role.arn == role_arn), None)
