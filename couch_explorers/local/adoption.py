"""Handing back to Terraform what an apply that was killed had made and not yet written into its state."""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from couch_explorers.local.stacks import function_exists

if TYPE_CHECKING:
    from collections.abc import Callable

# The resources of `infra/` whose creation fails when they are there already. The others are made again without harm: the
# same queue, topic or alarm by the same name is the same queue, topic or alarm.
ROLE = "aws_iam_role.worker"
LOG_GROUP = "aws_cloudwatch_log_group.worker"
FUNCTION = "aws_lambda_function.worker"
MAPPING = "aws_lambda_event_source_mapping.jobs"


def imports(session: Any, stem: str, state_bucket: str, state_key: str) -> list[dict[str, str]]:
    """Terraform `import` blocks, `{"to", "id"}`, for what the cloud has and the state does not; empty when all is well."""
    known = _addresses(session.client("s3"), state_bucket, state_key)
    there: dict[str, Callable[[], str | None]] = {
        ROLE: lambda: _role(session.client("iam"), f"{stem}-worker"),
        LOG_GROUP: lambda: _log_group(session.client("logs"), f"/aws/lambda/{stem}-worker"),
        FUNCTION: lambda: f"{stem}-worker" if function_exists(session, f"{stem}-worker") else None,
        MAPPING: lambda: _mapping(session, f"{stem}-worker"),
    }
    found = {address: look() for address, look in there.items() if address not in known}
    return [{"to": address, "id": name} for address, name in found.items() if name is not None]


def _addresses(s3: Any, bucket: str, key: str) -> set[str]:
    """What the state holds, as `type.name`; nothing where there is no state yet."""
    try:
        state = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return set()
        raise
    return {f"{resource['type']}.{resource['name']}" for resource in state["resources"]}


def _role(iam: Any, name: str) -> str | None:
    try:
        iam.get_role(RoleName=name)
    except iam.exceptions.NoSuchEntityException:
        return None
    return name


def _log_group(logs: Any, name: str) -> str | None:
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return name if any(group["logGroupName"] == name for group in groups) else None


def _mapping(session: Any, function: str) -> str | None:
    if not function_exists(session, function):
        return None
    mappings = session.client("lambda").list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    return str(mappings[0]["UUID"]) if mappings else None
