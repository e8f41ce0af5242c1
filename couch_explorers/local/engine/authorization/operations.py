"""The permissions that an operation needs: its IAM actions, their resources, and the service's own condition keys.

Follows the Service Authorization Reference, https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from urllib.parse import unquote

from couch_explorers.local.engine.authorization.conditions import ContextValue, Values

Parameters = Mapping[str, Any]
ConditionKeys = dict[str, ContextValue]

ANY_RESOURCE: Values = ("*",)


@dataclass(frozen=True)
class Permission:
    """One permission that a call needs. `account` owns the resource, "" for the caller's own; `keys` apply to this permission only."""

    action: str
    resources: Values = ANY_RESOURCE
    account: str = ""
    keys: ConditionKeys = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """An API call; `method` and `path` matter to API Gateway only."""

    service: str
    operation: str
    parameters: Parameters
    account: str
    region: str
    method: str = ""
    path: str = ""
    # The caller: IAM's calls without a user name are about it.
    caller_arn: str = ""
    # Finds the ARN of a role, user, group or policy, whose path the call does not name: (kind, name) → ARN, or "" where there is none.
    find_identity: Callable[[str, str], str] = lambda kind, name: ""  # noqa: ARG005
    # The function behind an event source mapping's UUID.
    find_mapping_function: Callable[[str], str] = lambda uuid: ""  # noqa: ARG005
    # The models behind an inference profile's ARN.
    find_models_behind: Callable[[str], tuple[str, ...]] = lambda arn: ()  # noqa: ARG005
    # The permissions boundary of a role or user: (kind, name) → ARN, or "" where it has none.
    find_boundary: Callable[[str, str], str] = lambda kind, name: ""  # noqa: ARG005

    def get(self, name: str) -> str:
        """Return a parameter as text, "" where the call does not have it."""
        value = self.parameters.get(name)
        return "" if value is None else str(value)

    def arn(self, service: str, resource: str, *, region: str | None = None) -> str:
        """Return the ARN of one of the caller's own resources."""
        return f"arn:aws:{service}:{self.region if region is None else region}:{self.account}:{resource}"


def required_permissions(call: Call) -> list[Permission]:
    """Return every permission that a call needs; all of them must be allowed. Some calls need none."""
    if f"{call.service}:{call.operation}" in _WITHOUT_PERMISSION:
        return []
    describe = _SERVICES.get(call.service)
    permissions = list(describe(call)) if describe else [Permission(f"{call.service}:{call.operation}")]
    permissions += _passed_roles(call)
    tags = _tag_keys(call.parameters)
    for permission in permissions:
        permission.keys.update(tags)
    return permissions


# Calls without a permission of the caller's: https://docs.aws.amazon.com/STS/latest/APIReference/. The role's trust policy decides, or
# nothing does.
_WITHOUT_PERMISSION = frozenset(
    {
        "sts:GetCallerIdentity",
        "sts:GetSessionToken",
        "sts:AssumeRole",
        "sts:AssumeRoleWithWebIdentity",
        "sts:AssumeRoleWithSAML",
    }
)


def account_of(arn: str) -> str:
    """Return the account in an ARN; "" where it has none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""  # noqa: PLR2004 - the parts of an ARN


def _tag_keys(parameters: Parameters) -> ConditionKeys:
    """Return `aws:RequestTag/…` and `aws:TagKeys` of calls that tag."""
    tags = parameters.get("Tags") or parameters.get("tags") or {}
    if isinstance(tags, list):
        tags = {
            tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", ""))
            for tag in tags
            if isinstance(tag, dict)
        }
    if not isinstance(tags, dict):
        return {}
    keys: ConditionKeys = {f"aws:RequestTag/{name}": str(value) for name, value in tags.items()}
    names = list(tags) or parameters.get("TagKeys") or parameters.get("tagKeys") or []
    if names:
        keys["aws:TagKeys"] = [str(name) for name in names]
    return keys


# Operations that pass a role to a service: (parameter, service principal).
_PASSED_ROLES: dict[tuple[str, str], tuple[str, str]] = {
    ("lambda", "CreateFunction"): ("Role", "lambda.amazonaws.com"),
    ("lambda", "UpdateFunctionConfiguration"): ("Role", "lambda.amazonaws.com"),
    ("cloudformation", "CreateStack"): ("RoleARN", "cloudformation.amazonaws.com"),
    ("cloudformation", "UpdateStack"): ("RoleARN", "cloudformation.amazonaws.com"),
    ("cloudformation", "DeleteStack"): ("RoleARN", "cloudformation.amazonaws.com"),
    ("cloudformation", "CreateChangeSet"): ("RoleARN", "cloudformation.amazonaws.com"),
    ("apigateway", "PutIntegration"): ("credentials", "apigateway.amazonaws.com"),
    ("logs", "PutSubscriptionFilter"): ("roleArn", "logs.amazonaws.com"),
    ("logs", "PutDestination"): ("roleArn", "logs.amazonaws.com"),
}


def _passed_roles(call: Call) -> list[Permission]:
    parameter, service = _PASSED_ROLES.get((call.service, call.operation), ("", ""))
    role = call.get(parameter)
    if not role.startswith("arn:"):
        return []
    return [Permission("iam:PassRole", (role,), keys={"iam:PassedToService": service})]


# --- SQS and SNS ---

_SQS_ACTIONS = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}


def _sqs(call: Call) -> Iterator[Permission]:
    action = f"sqs:{_SQS_ACTIONS.get(call.operation, call.operation)}"
    arn = call.get("SourceArn")
    if call.operation == "CancelMessageMoveTask":
        yield Permission(action)
    elif arn:
        yield Permission(action, (arn,), account_of(arn))
    elif url := call.get("QueueUrl"):
        *_, owner, name = ("", call.account, *url.rstrip("/").split("/"))
        owner = owner if owner.isdigit() else call.account
        yield Permission(action, (f"arn:aws:sqs:{call.region}:{owner}:{name}",), owner)
    elif name := call.get("QueueName"):
        owner = call.get("QueueOwnerAWSAccountId") or call.account
        yield Permission(action, (f"arn:aws:sqs:{call.region}:{owner}:{name}",), owner)
    else:
        yield Permission(action, (call.arn("sqs", ""),))


_SNS_ACTIONS = {"PublishBatch": "Publish"}


def _sns(call: Call) -> Iterator[Permission]:
    action = f"SNS:{_SNS_ACTIONS.get(call.operation, call.operation)}"
    keys: ConditionKeys = {"sns:Endpoint": call.get("Endpoint") or None, "sns:Protocol": call.get("Protocol") or None}
    if call.get("PhoneNumber"):
        yield Permission(action, keys=keys)
        return
    arn = call.get("TopicArn") or call.get("TargetArn") or call.get("SubscriptionArn") or call.get("ResourceArn")
    if call.get("SubscriptionArn"):
        arn = arn.rpartition(":")[0] if arn.count(":") > 5 else arn  # noqa: PLR2004 - a subscription's ARN is its topic's and a UUID
    if not arn:
        arn = call.arn("sns", call.get("Name")) if call.get("Name") else "*"
    yield Permission(action, (arn,), account_of(arn), keys)


# --- S3 ---

_S3_ACTIONS: dict[str, tuple[str, ...]] = {
    "ListBuckets": ("ListAllMyBuckets",),
    "ListObjects": ("ListBucket",),
    "ListObjectsV2": ("ListBucket",),
    "ListObjectVersions": ("ListBucketVersions",),
    "HeadBucket": ("ListBucket",),
    "HeadObject": ("GetObject",),
    "GetObjectAttributes": ("GetObject", "GetObjectAttributes"),
    "CreateMultipartUpload": ("PutObject",),
    "UploadPart": ("PutObject",),
    "CompleteMultipartUpload": ("PutObject",),
    "PostObject": ("PutObject",),
    "ListMultipartUploads": ("ListBucketMultipartUploads",),
    "ListParts": ("ListMultipartUploadParts",),
    "SelectObjectContent": ("GetObject",),
    "GetBucketEncryption": ("GetEncryptionConfiguration",),
    "PutBucketEncryption": ("PutEncryptionConfiguration",),
    "DeleteBucketEncryption": ("PutEncryptionConfiguration",),
    "GetBucketCors": ("GetBucketCORS",),
    "PutBucketCors": ("PutBucketCORS",),
    "DeleteBucketCors": ("PutBucketCORS",),
    "DeleteBucketTagging": ("PutBucketTagging",),
    "DeleteBucketReplication": ("PutReplicationConfiguration",),
    "GetBucketReplication": ("GetReplicationConfiguration",),
    "PutBucketReplication": ("PutReplicationConfiguration",),
    "GetBucketLifecycle": ("GetLifecycleConfiguration",),
    "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
    "PutBucketLifecycle": ("PutLifecycleConfiguration",),
    "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
    "DeleteBucketLifecycle": ("PutLifecycleConfiguration",),
    "GetBucketNotificationConfiguration": ("GetBucketNotification",),
    "PutBucketNotificationConfiguration": ("PutBucketNotification",),
    "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
    "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
    "DeletePublicAccessBlock": ("PutBucketPublicAccessBlock",),
    "GetBucketAccelerateConfiguration": ("GetAccelerateConfiguration",),
    "PutBucketAccelerateConfiguration": ("PutAccelerateConfiguration",),
    "GetObjectLockConfiguration": ("GetBucketObjectLockConfiguration",),
    "PutObjectLockConfiguration": ("PutBucketObjectLockConfiguration",),
    "DeleteBucketOwnershipControls": ("PutBucketOwnershipControls",),
}
# With a version named, these are other actions.
_S3_VERSION_ACTIONS = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectAcl": "GetObjectVersionAcl",
    "PutObjectAcl": "PutObjectVersionAcl",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
    "DeleteObjectTagging": "DeleteObjectVersionTagging",
    "GetObjectAttributes": "GetObjectVersionAttributes",
}
# Condition key → parameter.
_S3_KEYS = {
    "s3:prefix": "Prefix",
    "s3:delimiter": "Delimiter",
    "s3:max-keys": "MaxKeys",
    "s3:VersionId": "VersionId",
    "s3:x-amz-acl": "ACL",
    "s3:x-amz-grant-read": "GrantRead",
    "s3:x-amz-grant-write": "GrantWrite",
    "s3:x-amz-grant-read-acp": "GrantReadACP",
    "s3:x-amz-grant-write-acp": "GrantWriteACP",
    "s3:x-amz-grant-full-control": "GrantFullControl",
    "s3:x-amz-server-side-encryption": "ServerSideEncryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    "s3:x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm",
    "s3:x-amz-storage-class": "StorageClass",
    "s3:x-amz-metadata-directive": "MetadataDirective",
    "s3:x-amz-copy-source": "CopySource",
    "s3:x-amz-website-redirect-location": "WebsiteRedirectLocation",
    "s3:x-amz-object-ownership": "ObjectOwnership",
    "s3:object-lock-mode": "ObjectLockMode",
    "s3:object-lock-legal-hold": "ObjectLockLegalHoldStatus",
    "s3:if-none-match": "IfNoneMatch",
    "s3:if-match": "IfMatch",
}


def _s3(call: Call) -> Iterator[Permission]:
    bucket, key = call.get("Bucket"), call.get("Key")
    keys: ConditionKeys = {
        name: call.get(parameter) for name, parameter in _S3_KEYS.items() if call.parameters.get(parameter) is not None
    }
    constraint = (call.parameters.get("CreateBucketConfiguration") or {}).get("LocationConstraint")
    if constraint:
        keys["s3:LocationConstraint"] = str(constraint)
    if tagging := call.get("Tagging"):
        for pair in tagging.split("&"):
            name, _, value = pair.partition("=")
            keys[f"s3:RequestObjectTag/{name}"] = value
    if call.operation in ("CopyObject", "UploadPartCopy"):
        yield from _s3_copy(call, keys)
    elif call.operation == "DeleteObjects":
        for each in (call.parameters.get("Delete") or {}).get("Objects") or []:
            action = "s3:DeleteObjectVersion" if each.get("VersionId") else "s3:DeleteObject"
            yield Permission(action, (f"arn:aws:s3:::{bucket}/{each.get('Key')}",), keys=dict(keys))
    else:
        resources = (
            (f"arn:aws:s3:::{bucket}/{key}",) if key else (f"arn:aws:s3:::{bucket}",) if bucket else ANY_RESOURCE
        )
        for action in _s3_actions(call):
            yield Permission(f"s3:{action}", resources, keys=dict(keys))


def _s3_actions(call: Call) -> list[str]:
    actions = list(_S3_ACTIONS.get(call.operation, (call.operation,)))
    if call.get("VersionId"):
        actions = [_S3_VERSION_ACTIONS.get(action, action) for action in actions]
    if call.operation == "PutObject":
        actions += ["PutObjectAcl"] if call.get("ACL") else []
        actions += ["PutObjectTagging"] if call.get("Tagging") else []
    return actions


def _s3_copy(call: Call, keys: ConditionKeys) -> Iterator[Permission]:
    source, version = _copy_source(call)
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    yield Permission(action, (f"arn:aws:s3:::{source}",), keys=dict(keys))
    yield Permission("s3:PutObject", (f"arn:aws:s3:::{call.get('Bucket')}/{call.get('Key')}",), keys=dict(keys))


def _copy_source(call: Call) -> tuple[str, str]:
    """Return BUCKET/KEY and version of the source of a copy."""
    source = call.parameters.get("CopySource")
    if isinstance(source, dict):
        return f"{source.get('Bucket')}/{source.get('Key')}", source.get("VersionId") or ""
    path, _, version = str(source).partition("?versionId=")
    return unquote(path).lstrip("/"), version


# --- Lambda ---

_LAMBDA_ACTIONS = {
    "Invoke": ("InvokeFunction",),
    "InvokeAsync": ("InvokeFunction",),
    "InvokeWithResponseStream": ("InvokeFunction",),
    "GetLayerVersionByArn": ("GetLayerVersion",),
    "ListVersionsByFunction": ("ListVersionsByFunction",),
}
_FUNCTION_ARN = re.compile(r"arn:aws[\w-]*:lambda:[\w-]+:\d{12}:function:.+")
_PARTIAL_FUNCTION = re.compile(r"(\d{12}):function:(.+)")


def _lambda(call: Call) -> Iterator[Permission]:
    keys: ConditionKeys = {}
    if call.operation in ("CreateEventSourceMapping", "UpdateEventSourceMapping") and call.get("FunctionName"):
        keys["lambda:FunctionArn"] = _function_arn(call)
    elif uuid := call.get("UUID"):
        keys["lambda:FunctionArn"] = call.find_mapping_function(uuid) or None
    if call.operation == "AddPermission":
        keys["lambda:Principal"] = call.get("Principal") or None
        keys["lambda:FunctionUrlAuthType"] = call.get("FunctionUrlAuthType") or None
    if call.parameters.get("Layers"):
        keys["lambda:Layer"] = [str(layer) for layer in call.parameters["Layers"]]
    for name in _LAMBDA_ACTIONS.get(call.operation, (call.operation,)):
        action = f"lambda:{name}"
        if "EventSourceMapping" in call.operation:
            resource = call.arn("lambda", f"event-source-mapping:{call.get('UUID') or '*'}")
            yield Permission(action, (resource,) if call.get("UUID") else ANY_RESOURCE, keys=keys)
        elif call.get("FunctionName"):
            arn = _function_arn(call)
            yield Permission(action, (arn,), account_of(arn), keys)
        elif layer := call.get("LayerName"):
            arn = layer if layer.startswith("arn:") else call.arn("lambda", f"layer:{layer}")
            version = call.get("VersionNumber")
            yield Permission(action, (f"{arn}:{version}" if version else arn,), keys=keys)
        elif arn := call.get("Resource") or call.get("Arn"):
            yield Permission(action, (arn,), account_of(arn), keys)
        else:
            yield Permission(action, keys=keys)


def _code_object(call: Call) -> Iterator[Permission]:
    """Yield the permission to fetch the code, which Lambda does with the caller's permissions."""
    code = call.parameters.get("Code") or call.parameters.get("Content") or call.parameters
    if code.get("S3Bucket") and code.get("S3Key"):
        yield Permission("s3:GetObject", (f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}",))


def _function_arn(call: Call) -> str:
    """Return a function's ARN from its name, partial or full ARN; with the qualifier where the call has one."""
    name, qualifier = call.get("FunctionName"), call.get("Qualifier")
    if _FUNCTION_ARN.fullmatch(name):
        arn = name
    elif partial := _PARTIAL_FUNCTION.fullmatch(name):
        arn = f"arn:aws:lambda:{call.region}:{partial[1]}:function:{partial[2]}"
    else:
        arn = call.arn("lambda", f"function:{name}")
    has_qualifier = arn.count(":") > 6  # noqa: PLR2004 - the colons of an unqualified function's ARN
    return arn if has_qualifier or not qualifier or qualifier == "$LATEST" else f"{arn}:{qualifier}"


# --- Logs and CloudWatch ---


def _logs(call: Call) -> Iterator[Permission]:
    group = call.get("logGroupName") or call.get("logGroupIdentifier")
    if group.startswith("arn:"):
        group = group.split(":log-group:", 1)[-1].removesuffix(":*")
    action = f"logs:{call.operation}"
    if call.operation in ("TagResource", "UntagResource", "ListTagsForResource") and call.get("resourceArn"):
        arn = call.get("resourceArn").removesuffix(":*")
        yield Permission(action, (arn, f"{arn}:*"))
    elif group:
        # AWS's ARN of a group includes its streams. Policies name it with ":*" and, for actions on the group alone, without.
        arn = call.arn("logs", f"log-group:{group}")
        stream = call.get("logStreamName")
        yield Permission(action, (f"{arn}:log-stream:{stream}",) if stream else (f"{arn}:log-stream:", arn))
    elif call.operation == "DescribeLogGroups":
        yield Permission(action, (call.arn("logs", f"log-group:{call.get('logGroupNamePrefix')}:log-stream:"),))
    elif groups := call.parameters.get("logGroupNames") or call.parameters.get("logGroupIdentifiers"):
        for name in groups:
            arn = name if name.startswith("arn:") else call.arn("logs", f"log-group:{name}")
            yield Permission(action, (f"{arn}:log-stream:", arn))
    else:
        yield Permission(action)


def _cloudwatch(call: Call) -> Iterator[Permission]:
    action, keys = f"cloudwatch:{call.operation}", ConditionKeys()
    if call.operation == "PutMetricData":
        keys["cloudwatch:namespace"] = call.get("Namespace")
    if actions := call.parameters.get("AlarmActions"):
        keys["cloudwatch:AlarmActions"] = list(actions)
    for resource in _cloudwatch_resources(call) or ["*"]:
        yield Permission(action, (resource,), keys=dict(keys))


def _cloudwatch_resources(call: Call) -> list[str]:
    if arn := call.get("ResourceARN"):
        return [arn]
    if call.operation in _ALARM_OPERATIONS:
        names = [call.get("AlarmName")] if call.get("AlarmName") else call.parameters.get("AlarmNames") or []
        every = ["*"] if call.operation.startswith("Describe") else []
        return [call.arn("cloudwatch", f"alarm:{name}") for name in names or every]
    dashboards = (
        [call.get("DashboardName")] if call.get("DashboardName") else call.parameters.get("DashboardNames") or []
    )
    return [call.arn("cloudwatch", f"dashboard/{name}", region="") for name in dashboards]


_ALARM_OPERATIONS = frozenset(
    {
        "PutMetricAlarm",
        "PutCompositeAlarm",
        "DeleteAlarms",
        "SetAlarmState",
        "EnableAlarmActions",
        "DisableAlarmActions",
        "DescribeAlarms",
        "DescribeAlarmHistory",
    }
)


# --- IAM and STS ---


def _iam(call: Call) -> Iterator[Permission]:
    action = f"iam:{call.operation}"
    keys: ConditionKeys = {"iam:PermissionsBoundary": call.get("PermissionsBoundary") or None}
    if call.operation.startswith(("Attach", "Detach")):
        keys["iam:PolicyARN"] = call.get("PolicyArn") or None
    keys["iam:AWSServiceName"] = call.get("AWSServiceName") or None
    for kind, parameter in (
        ("role", "RoleName"),
        ("user", "UserName"),
        ("group", "GroupName"),
        ("instance-profile", "InstanceProfileName"),
    ):
        if name := call.get(parameter):
            path = call.get("Path") or "/"
            arn = call.find_identity(kind, name) or call.arn("iam", f"{kind}{path}{name}", region="")
            # Calls that change what a bounded role or user may do are judged by the boundary that it has:
            # https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
            if call.operation in _UNDER_THE_BOUNDARY:
                keys["iam:PermissionsBoundary"] = call.find_boundary(kind, name) or None
            yield Permission(action, (arn,), keys=keys)
            return
    # The last one is that of SimulatePrincipalPolicy and GetContextKeysForPrincipalPolicy: the role or user whose policies are read.
    names = ("PolicyArn", "OpenIDConnectProviderArn", "SAMLProviderArn", "PolicySourceArn")
    if arn := next(filter(None, map(call.get, names)), ""):
        yield Permission(action, (arn,), keys=keys)
    elif name := call.get("PolicyName"):
        yield Permission(action, (call.arn("iam", f"policy{call.get('Path') or '/'}{name}", region=""),), keys=keys)
    elif call.operation == "CreateOpenIDConnectProvider":
        url = call.get("Url").removeprefix("https://")
        yield Permission(action, (call.arn("iam", f"oidc-provider/{url}", region=""),), keys=keys)
    elif call.operation in _OWN_USER_OPERATIONS:
        yield Permission(action, (call.caller_arn,), keys=keys)
    else:
        kind = call.operation.removeprefix("List").lower()
        prefix = {"roles": "role/", "users": "user/", "groups": "group/", "policies": "policy/"}.get(kind, "")
        yield Permission(action, (call.arn("iam", prefix, region=""),) if prefix else ANY_RESOURCE, keys=keys)


_UNDER_THE_BOUNDARY = frozenset(
    f"{verb}{kind}{what}"
    for kind in ("Role", "User")
    for verb, what in (
        ("Attach", "Policy"),
        ("Detach", "Policy"),
        ("Put", "Policy"),
        ("Delete", "Policy"),
        ("Delete", "PermissionsBoundary"),
    )
)

# Without a user name these are about the caller.
_OWN_USER_OPERATIONS = frozenset(
    {"GetUser", "ListAccessKeys", "CreateAccessKey", "DeleteAccessKey", "UpdateAccessKey", "ChangePassword"}
)


def _sts(call: Call) -> Iterator[Permission]:
    resource = (
        call.arn("sts", f"federated-user/{call.get('Name')}", region="")
        if call.operation == "GetFederationToken"
        else "*"
    )
    yield Permission(f"sts:{call.operation}", (resource,))


# --- Bedrock ---

_MODEL_ACTIONS = {
    "InvokeModel": "InvokeModel",
    "Converse": "InvokeModel",
    "InvokeModelWithResponseStream": "InvokeModelWithResponseStream",
    "ConverseStream": "InvokeModelWithResponseStream",
    "InvokeModelWithBidirectionalStream": "InvokeModelWithBidirectionalStream",
    "CountTokens": "CountTokens",
    "GetFoundationModel": "GetFoundationModel",
}


# Bedrock subscribes and unsubscribes with its caller's permissions:
# https://docs.aws.amazon.com/bedrock/latest/userguide/model-access.html
_MARKETPLACE_ACTIONS = {
    "CreateFoundationModelAgreement": "aws-marketplace:Subscribe",
    "DeleteFoundationModelAgreement": "aws-marketplace:Unsubscribe",
}


def _bedrock(call: Call) -> Iterator[Permission]:
    action = f"bedrock:{_MODEL_ACTIONS.get(call.operation, call.operation)}"
    if call.operation == "CreateInferenceProfile":
        # On the profile to be created, and on the model that it is created from.
        source = (call.parameters.get("modelSource") or {}).get("copyFrom")
        yield Permission(action, (call.arn("bedrock", "application-inference-profile/*"),))
        yield Permission(action, (source or "*",))
        return
    if profile := call.get("inferenceProfileIdentifier"):
        arn = profile if profile.startswith("arn:") else call.arn("bedrock", f"application-inference-profile/{profile}")
        yield Permission(action, (arn,))
        return
    model = call.get("modelId") or call.get("modelIdentifier")
    if not model:
        yield Permission(action)
        return
    arn = model if model.startswith("arn:") else f"arn:aws:bedrock:{call.region}::foundation-model/{model}"
    # An id may also be that of one of AWS's own inference profiles.
    own = call.arn("bedrock", f"inference-profile/{model}")
    if not model.startswith("arn:") and call.find_models_behind(own):
        arn = own
    yield Permission(action, (arn,))
    if call.operation in _MARKETPLACE_ACTIONS:
        yield Permission(_MARKETPLACE_ACTIONS[call.operation])
    # Not the profile alone: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
    for behind in call.find_models_behind(arn):
        yield Permission(action, (behind,), keys={"bedrock:InferenceProfileArn": arn})


# --- API Gateway: its actions are HTTP methods on paths ---


def _apigateway(call: Call) -> Iterator[Permission]:
    yield Permission(f"apigateway:{call.method}", (f"arn:aws:apigateway:{call.region}::{call.path}",))


# --- CloudFormation ---


def _cloudformation(call: Call) -> Iterator[Permission]:
    action = f"cloudformation:{call.operation}"
    stack, change_set = call.get("StackName"), call.get("ChangeSetName")
    keys: ConditionKeys = {
        "cloudformation:RoleArn": call.get("RoleARN") or None,
        "cloudformation:TemplateUrl": call.get("TemplateURL") or None,
        "cloudformation:ChangeSetName": change_set or None,
        "cloudformation:StackPolicyUrl": call.get("StackPolicyURL") or None,
    }
    if types := call.parameters.get("ResourceTypes"):
        keys["cloudformation:ResourceTypes"] = list(types)
    if stack:
        arn = stack if stack.startswith("arn:") else call.arn("cloudformation", f"stack/{stack}/*")
        yield Permission(action, (arn,), keys=keys)
    elif change_set.startswith("arn:"):
        yield Permission(action, (change_set,), keys=keys)
    else:
        yield Permission(action, keys=keys)


# --- KMS, Secrets Manager, SSM, tags ---


def _kms(call: Call) -> Iterator[Permission]:
    action = f"kms:{call.operation}"
    key = call.get("KeyId") or call.get("DestinationKeyId")
    if not key:
        yield Permission(action)
        return
    arn = key if key.startswith("arn:") else call.arn("kms", key if key.startswith("alias/") else f"key/{key}")
    yield Permission(action, (arn,), account_of(arn))


def _secretsmanager(call: Call) -> Iterator[Permission]:
    secret = call.get("SecretId") or call.get("Name")
    arn = secret if secret.startswith("arn:") else call.arn("secretsmanager", f"secret:{secret}") if secret else "*"
    yield Permission(f"secretsmanager:{call.operation}", (arn,), keys={"secretsmanager:Name": call.get("Name") or None})


def _ssm(call: Call) -> Iterator[Permission]:
    action = f"ssm:{call.operation}"
    names = call.parameters.get("Names") or [name for name in (call.get("Name") or call.get("Path"),) if name]
    for name in names:
        yield Permission(
            action, (name if name.startswith("arn:") else call.arn("ssm", f"parameter/{name.lstrip('/')}"),)
        )
    if not names:
        yield Permission(action)


def _tagging(call: Call) -> Iterator[Permission]:
    yield Permission(f"tag:{call.operation}")


_SERVICES: dict[str, Callable[[Call], Iterator[Permission]]] = {
    "sqs": _sqs,
    "sns": _sns,
    "s3": _s3,
    "lambda": lambda call: chain(_lambda(call), _code_object(call)),
    "logs": _logs,
    "cloudwatch": _cloudwatch,
    "iam": _iam,
    "sts": _sts,
    "bedrock": _bedrock,
    "bedrock-runtime": _bedrock,
    "apigateway": _apigateway,
    "cloudformation": _cloudformation,
    "kms": _kms,
    "secretsmanager": _secretsmanager,
    "ssm": _ssm,
    "resourcegroupstaggingapi": _tagging,
}
