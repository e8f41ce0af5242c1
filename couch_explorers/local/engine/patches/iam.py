"""IAM: every API call needs a valid signature and the permissions of its caller.

This replaces LocalEmu's own check, which accepts any secret, knows neither the services' condition keys nor `iam:PassRole`, lets a
resource's policy override a permissions boundary, and allows everything that one of its services does for another principal. The
decision itself is in `engine.authorization`; here it is applied to requests.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from couch_explorers.local.bedrock.inference_profiles import PROFILES
from couch_explorers.local.engine.authorization import operations, principals, refusals, service_decision
from couch_explorers.local.engine.authorization.conditions import ConditionContext, ContextValue
from couch_explorers.local.engine.authorization.policies import AccessRequest, Principal, decide, parse_policy
from couch_explorers.local.engine.authorization.signatures import (
    ALGORITHM,
    STREAMING,
    UNSIGNED_PAYLOAD,
    ReceivedRequest,
    Signature,
    SignatureError,
    read_signature,
    verify,
)
from couch_explorers.local.engine.patches import service_error, when_gateway_is_created

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.local.engine.authorization.operations import Permission
    from couch_explorers.local.engine.authorization.principals import Credentials
    from couch_explorers.local.engine.authorization.refusals import Refusal

SEAMS = {
    "localemu.services.iam_enforcement.enforcer:IAMEnforcementHandler": "7c5fdd7c1bec",
    "localemu.aws.handlers.auth:TemporaryCredentialValidator": "8600852da49d",
    "localemu.aws.handlers.internal_requests:InternalRequestParamsEnricher": "c4b0d2efa167",
    "localemu.aws.protocol.parser:BaseRestRequestParser.create_input_stream": "b7f88819893a",
    "localemu.services.iam_enforcement.resource_tag_loader:load_resource_tags": "26960a338b4a",
}

# Calls that a service makes on behalf of another resource: the policy of the called resource decides, by the source's ARN.
_SERVICE_CALLS = {
    ("lambda", "Invoke"): "lambda:InvokeFunction",
    ("sqs", "SendMessage"): "sqs:SendMessage",
    ("sqs", "SendMessageBatch"): "sqs:SendMessage",
    ("sns", "Publish"): "SNS:Publish",
}
# The root user of an account can always repair a policy that locks everyone out.
_ROOT_ALWAYS = frozenset(
    {
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "s3:DeleteBucketPolicy",
        "sqs:GetQueueAttributes",
        "sqs:SetQueueAttributes",
    }
)
# The service that requests to a stage are signed for.
EXECUTE_API = "execute-api"
# Operations without signature: the role's trust policy alone decides.
_UNSIGNED = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})


def apply() -> None:
    """Put the two handlers into the gateway's chain."""
    when_gateway_is_created(_change_handlers)


def _change_handlers(gateway: Any) -> None:
    from localemu.aws import handlers
    from localemu.services.iam_enforcement.enforcer import iam_enforcement_handler

    chain = gateway.request_handlers
    chain.insert(chain.index(handlers.add_internal_request_params) + 1, remember_request)
    chain[chain.index(iam_enforcement_handler)] = check_permissions
    chain.remove(handlers.validate_temporary_credentials)


def remember_request(_chain: Any, context: Any, _response: Any) -> None:
    """Keep the request as signed, before LocalEmu decodes the body and moves a presigned URL's parameters into headers."""
    request = context.request
    authorization = request.headers.get("Authorization", "")
    query = request.query_string.decode("latin-1")
    context.received = None
    if context.is_internal_call or not (authorization or "Signature=" in query):
        return
    headers = [(str(name), str(value)) for name, value in request.headers.items()]
    received = ReceivedRequest(
        request.method, _raw_path(request), query, headers, bytes, is_s3=_is_for_s3(authorization, query)
    )
    if _needs_body(received, authorization):
        body = request.stream.read()
        request.stream = io.BytesIO(body)
        received = ReceivedRequest(received.method, received.path, query, headers, lambda: body, received.is_s3)
    context.received = received


def _raw_path(request: Any) -> str:
    from localemu.http.request import get_raw_path

    return str(get_raw_path(request))


def _is_for_s3(authorization: str, query: str) -> bool:
    if authorization.startswith(ALGORITHM):
        return "/s3/aws4_request" in authorization
    if authorization.startswith("AWS "):
        return True
    return "%2Fs3%2Faws4_request" in query or "/s3/aws4_request" in query or "AWSAccessKeyId=" in query


def _needs_body(received: ReceivedRequest, authorization: str) -> bool:
    """Whether the body is needed to check the signature; S3's are read only where their hash was signed, so that others are streamed."""
    key = authorization.partition("Credential=")[2].partition("/")[0]
    if principals.is_root_key(key):
        return False
    given = received.header("x-amz-content-sha256")
    if not received.is_s3:
        return not given
    return given != UNSIGNED_PAYLOAD and (not given.startswith(STREAMING) or "AWS4-HMAC" in given)


def check_permissions(_chain: Any, context: Any, _response: Any) -> None:
    """Refuse a call with an invalid signature or without permission, with the service's own error."""
    if not context.service or not context.operation:
        return
    service = context.service.service_name
    if context.is_internal_call:
        _check_internal(service, context)
        return
    try:
        credentials = authenticate(service, context)
    except RefusedError as refused:
        if context.operation.name in _UNSIGNED and service == "sts":
            return
        raise _exception(service, refused.refusal) from None
    context.caller = credentials
    check_call(service, context, credentials)


class RefusedError(Exception):
    """A request that is refused before its permissions are checked."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def authenticate(service: str, context: Any) -> Credentials:
    """Return the credentials of a request.

    Raises:
        RefusedError: The access key is unknown, its session has expired, or the signature is wrong.

    """
    received: ReceivedRequest | None = context.received
    signature: Signature | None = None
    try:
        signature = read_signature(received) if received else None
        if received is None or signature is None:
            return principals.Credentials(principals.anonymous(context.account_id))
        credentials = _known(service, signature)
        now = datetime.now(UTC)
        if credentials.token is not None and received.token != credentials.token:
            raise RefusedError(refusals.invalid_token(service))
        if credentials.expires is not None and credentials.expires < now:
            raise RefusedError(refusals.expired_token(service))
        verify(received, signature, credentials.secret, now)
    except SignatureError as error:
        raise RefusedError(refusals.bad_signature(service, signature, error)) from error
    return credentials


def authorize_stage_call(context: Any, api_policy: str) -> Credentials:
    """Return the credentials of a request to a method with the authorization type AWS_IAM, whose caller may make it.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples-for-api-execution.html

    Args:
        context: API Gateway's context of the request, once it is routed.
        api_policy: The API's resource policy as JSON; "" without one.

    Raises:
        RefusedError: The request is unsigned, its signature is invalid, or its caller lacks `execute-api:Invoke`.

    """
    service, request, body = EXECUTE_API, context.request, context.received_body
    headers = [(str(name), str(value)) for name, value in request.headers.items()]
    query = request.query_string.decode("latin-1")
    call = SimpleNamespace(
        account_id=context.account_id,
        region=context.region,
        request=request,
        received=ReceivedRequest(request.method, _raw_path(request), query, headers, lambda: body),
        service=SimpleNamespace(service_name=service),
        is_internal_call=False,
    )
    credentials = authenticate(service, call)
    principal = credentials.principal
    if principal.kind == "Anonymous":
        raise RefusedError(refusals.missing_token(service))
    place = f"{context.api_id}/{context.stage}/{request.method}{context.invocation_request['path']}"
    access_request = AccessRequest(
        "execute-api:Invoke",
        (f"arn:aws:execute-api:{context.region}:{context.account_id}:{place}",),
        condition_keys(call, credentials),
    )
    held = principals.policies_of(principal, credentials.session)
    policy = parse_policy(api_policy) if api_policy else None
    decision = decide(access_request, principal, held, policy, context.account_id)
    if not decision.allowed:
        raise RefusedError(refusals.access_denied(service, principal, access_request, decision))
    return credentials


def _known(service: str, signature: Signature) -> Credentials:
    credentials = principals.find_credentials(signature.access_key_id)
    if credentials is None:
        raise RefusedError(refusals.unknown_key(service, signature.access_key_id))
    return credentials


def check_call(service: str, context: Any, credentials: Credentials) -> None:
    """Raise the service's error for a call that its caller has no permission for."""
    principal = credentials.principal
    held = principals.policies_of(principal, credentials.session)
    keys = condition_keys(context, credentials)
    for permission in permissions_of(service, context, principal):
        resource = permission.resources[0]
        owner, policy = principals.owner_and_policy(resource, context.account_id, context.region)
        if permission.action.startswith("s3:") and service == "s3" and not owner and _names_a_bucket(context):
            continue  # a missing bucket is reported to everybody
        if principal.kind == "Root":
            if permission.action in _ROOT_ALWAYS and owner in ("", principal.account):
                continue
            if policy is None and owner in ("", principal.account):
                continue
        families = {"aws:ResourceTag/": _resource_tags(context, resource)}
        request = AccessRequest(
            permission.action, permission.resources, keys.derived(_of_resource(context, permission, owner), families)
        )
        must_allow = permission.action.startswith("kms:") and policy is not None
        decision = decide(request, principal, held, policy, owner, resource_must_allow=must_allow)
        if not decision.allowed:
            foreign = owner not in ("", principal.account)
            raise _exception(service, refusals.access_denied(service, principal, request, decision, foreign=foreign))


def _names_a_bucket(context: Any) -> bool:
    return context.operation.name != "CreateBucket" and bool(context.service_request.get("Bucket"))


def permissions_of(service: str, context: Any, principal: Principal) -> list[Permission]:
    """Return every permission that a call of a principal takes."""
    account = context.account_id

    def find_identity(kind: str, name: str) -> str:
        return principals.identity_arn(account, kind, name)

    def find_mapping_function(uuid: str) -> str:
        from localemu.services.lambda_.invocation.models import lambda_stores

        mapping = lambda_stores[account][context.region].event_source_mappings.get(uuid) or {}
        return str(mapping.get("FunctionArn", ""))

    call = operations.Call(
        service,
        context.operation.name,
        context.service_request or {},
        account,
        context.region,
        context.request.method,
        context.request.path,
        principal.arn,
        find_identity,
        find_mapping_function,
        PROFILES.models_behind,
        lambda kind, name: principals.boundary_arn(account, kind, name),
    )
    permissions = operations.required_permissions(call)
    if service == "s3" and principal.kind != "Root":
        permissions += _permission_to_learn_of_a_missing_key(context)
    return permissions


def _permission_to_learn_of_a_missing_key(context: Any) -> list[Permission]:
    """Return the permission to list the bucket, without which S3 does not say that a key is missing.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions".
    """
    if context.operation.name not in ("GetObject", "HeadObject"):
        return []
    from localemu.constants import AWS_REGION_US_EAST_1
    from localemu.services.s3.models import s3_stores

    name, key = context.service_request.get("Bucket"), context.service_request.get("Key")
    store = s3_stores[context.account_id][AWS_REGION_US_EAST_1]
    owner = store.global_bucket_map.get(name)
    bucket = s3_stores[owner][AWS_REGION_US_EAST_1].buckets.get(name) if owner else None
    if bucket is None or bucket.objects.get(key) is not None:
        return []
    return [operations.Permission("s3:ListBucket", (f"arn:aws:s3:::{name}",))]


def condition_keys(context: Any, credentials: Credentials) -> ConditionContext:
    """Return the global condition keys of a call, and S3's about its signature.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    principal, session = credentials.principal, credentials.session or {}
    now = datetime.now(UTC)
    keys: dict[str, ContextValue | Any] = {
        "aws:PrincipalArn": principal.issuer if principal.kind == "AssumedRole" else principal.arn,
        "aws:PrincipalAccount": principal.account,
        "aws:PrincipalType": {"Root": "Account"}.get(principal.kind, principal.kind),
        "aws:PrincipalIsAWSService": "false",
        "aws:userid": principal.user_id or None,
        "aws:username": principal.user_name or None,
        "aws:SourceIp": context.request.remote_addr or "127.0.0.1",
        "aws:UserAgent": context.request.headers.get("User-Agent", ""),
        "aws:Referer": context.request.headers.get("Referer"),
        "aws:CurrentTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:EpochTime": str(int(now.timestamp())),
        # The loopback address is as private as TLS.
        "aws:SecureTransport": "true",
        "s3:TlsVersion": "1.3",
        "aws:RequestedRegion": "us-east-1" if context.service.service_name == "iam" else context.region,
        "aws:ViaAWSService": "false",
        **{f"aws:PrincipalTag/{name}": value for name, value in principal.tags},
    }
    if context.is_internal_call and principal.kind == "User":
        # The only service that acts with a user's own credentials.
        service = "cloudformation.amazonaws.com"
        keys |= {
            "aws:ViaAWSService": "true",
            "aws:CalledVia": [service],
            "aws:CalledViaFirst": service,
            "aws:CalledViaLast": service,
        }
    if session.get("mfa_authenticated"):
        keys["aws:MultiFactorAuthPresent"] = "true"
    elif credentials.token is not None and principal.kind != "Root":
        keys["aws:MultiFactorAuthPresent"] = "false"
    if issued := session.get("issued_at"):
        keys["aws:TokenIssueTime"] = issued.strftime("%Y-%m-%dT%H:%M:%SZ")
    if source := session.get("source_identity"):
        keys["aws:SourceIdentity"] = source
    if context.service.service_name == "s3":
        keys |= _s3_keys(context, now)
    return ConditionContext(keys)


def _s3_keys(context: Any, now: datetime) -> dict[str, ContextValue]:
    received: ReceivedRequest | None = context.received
    signature = read_signature(received) if received else None
    if received is None or signature is None:
        return {}
    age_ms = (now - signature.timestamp).total_seconds() * 1000 if signature.timestamp else 0
    return {
        "s3:authType": "REST-QUERY-STRING" if signature.presigned else "REST-HEADER",
        "s3:signatureversion": "AWS4-HMAC-SHA256" if signature.version == 4 else "AWS",  # noqa: PLR2004 - its number
        "s3:signatureAge": str(int(age_ms)) if signature.presigned else None,
        "s3:x-amz-content-sha256": received.header("x-amz-content-sha256") or None,
    }


def _of_resource(context: Any, permission: Permission, owner: str) -> dict[str, ContextValue]:
    account = owner or operations.account_of(permission.resources[0]) or context.account_id
    keys: dict[str, ContextValue] = {"aws:ResourceAccount": account}
    if permission.action.startswith("s3:"):
        keys["s3:ResourceAccount"] = account
    return {**keys, **permission.keys}


def _resource_tags(context: Any, resource: str) -> Callable[[str], ContextValue]:
    def find(name: str) -> str | None:
        from localemu.services.iam_enforcement.resource_tag_loader import load_resource_tags

        tags = load_resource_tags(resource, context.account_id, context.region)
        return next((str(value) for key, value in tags.items() if key.lower() == name), None)

    return find


def _check_internal(service: str, context: Any) -> None:
    """Check a call of one of the engine's own services that it makes for another principal; its calls for itself are allowed.

    With a role's credentials it has the role's permissions. With a source's ARN, the policy of the called resource decides.
    """
    key = _access_key(context)
    if key and not principals.is_root_key(key):
        credentials = principals.find_credentials(key)
        if credentials is not None:
            context.caller = credentials
            check_call(service, context, credentials)
            return
    action = _SERVICE_CALLS.get((service, context.operation.name))
    params = context.internal_request_params
    name, source = params.get("service_principal"), params.get("source_arn") or ""
    if action is None or not name:
        return
    if source.startswith("arn:aws:sns:"):
        # A subscription sends to its dead-letter queue on behalf of its topic.
        source = ":".join(source.split(":")[:6])
    permission = permissions_of(service, context, principals.service_principal(name))[0]
    decision = service_decision(name, action, permission.resources[0], source, dict(permission.keys))
    if not decision.allowed:
        principal = principals.service_principal(name)
        request = AccessRequest(action, permission.resources)
        raise _exception(service, refusals.access_denied(service, principal, request, decision))


def _access_key(context: Any) -> str:
    authorization = context.request.headers.get("Authorization", "")
    if key := authorization.partition("Credential=")[2].partition("/")[0]:
        return str(key)
    return str(
        parse_qs(context.request.query_string.decode("latin-1")).get("X-Amz-Credential", [""])[0].partition("/")[0]
    )


def _exception(service: str, refusal: Refusal) -> Exception:
    from localemu.aws.api import s3 as s3_api

    shape = getattr(s3_api, refusal.code, None) if service == "s3" else None
    if shape is None or not refusal.details:
        return service_error(refusal.code, refusal.message, refusal.status)
    exception: Exception = shape(refusal.message)
    for name, value in refusal.details.items():
        setattr(exception, name, value)
    return exception
