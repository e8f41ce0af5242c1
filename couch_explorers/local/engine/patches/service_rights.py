"""What Lambda and CloudFormation check before they act for somebody.

LocalEmu makes an event source mapping for a role that may not read the queue, gives a function a role that Lambda may not assume,
and lets CloudFormation do as root what whoever calls it may not do.
"""

from __future__ import annotations

import contextvars
from functools import wraps
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.authorization import NOT_ASSUMABLE, assumable_by_service, role_allows

if TYPE_CHECKING:
    from collections.abc import Callable

SEAMS = {
    "localemu.services.lambda_.provider:LambdaProvider.check_service_resource_exists": "33d89ff494f8",
    "localemu.services.lambda_.provider:LambdaProvider.update_function_configuration": "b2699f6a16d8",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.can_assume_role": "4d7547bc98f2",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.create_stack": "07029cc49afb",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.update_stack": "59f580964547",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.delete_stack": "26e638d31ec5",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.execute_change_set": "7d2b259938db",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.create_change_set": "a54ec7fb592a",
    "localemu.services.cloudformation.engine.v2.change_set_model_executor:ChangeSetModelExecutor.create_resource_provider_payload": "ed5ea8bed76d",
    "localemu.services.cloudformation.resource_provider:convert_payload": "6de855abc845",
    "localemu.utils.threads:start_worker_thread": "2d92ea2c0ce5",
}

# What a mapping on a queue needs, in the order in which AWS misses it:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
QUEUE_RIGHTS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")

# The access key with which CloudFormation calls other services; "" where it is the account's root.
_acting_key: contextvars.ContextVar[str] = contextvars.ContextVar("acting_key", default="")
# The service role that a stack was last given: it is used until another is given.
_stack_roles: dict[tuple[str, str, str], str] = {}


def apply() -> None:
    """Check before LocalEmu does."""
    _check_functions()
    _act_as_the_caller()


def _check_functions() -> None:
    from localemu.services.lambda_.invocation.lambda_service import LambdaService  # noqa: PLC0415
    from localemu.services.lambda_.provider import LambdaProvider  # noqa: PLC0415

    check_source = LambdaProvider.check_service_resource_exists
    update = LambdaProvider.update_function_configuration

    @wraps(check_source)
    def checked(provider: Any, service: str, resource_arn: str, function_arn: str, function_role_arn: str) -> None:
        if service in ("sqs", "sqs-fifo"):
            _check_queue_rights(resource_arn, function_arn, function_role_arn)
        check_source(provider, service, resource_arn, function_arn, function_role_arn)

    @wraps(update)
    def updated(provider: Any, context: Any, request: Any) -> Any:
        role = request.get("Role", "")
        if role.startswith("arn:") and not assumable_by_service(role, "lambda"):
            raise _invalid_parameter(NOT_ASSUMABLE)
        return update(provider, context, request)

    LambdaProvider.check_service_resource_exists = checked
    LambdaProvider.update_function_configuration = updated
    LambdaService.can_assume_role = lambda _self, role_arn, _region: assumable_by_service(role_arn, "lambda")


def _check_queue_rights(queue_arn: str, function_arn: str, role_arn: str) -> None:
    for name in QUEUE_RIGHTS:
        if not role_allows(role_arn, f"sqs:{name}", queue_arn, {"lambda:SourceFunctionArn": function_arn}):
            raise _invalid_parameter(f"The provided execution role does not have permissions to call {name} on SQS")


def _invalid_parameter(message: str) -> Exception:
    from localemu.aws.api.lambda_ import InvalidParameterValueException  # noqa: PLC0415

    error: Exception = InvalidParameterValueException(message, Type="User")
    return error


def _act_as_the_caller() -> None:
    """CloudFormation acts with the rights of whoever calls it, or of the stack's service role.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
    """
    from localemu.services.cloudformation.engine.v2.change_set_model_executor import ChangeSetModelExecutor  # noqa: PLC0415
    from localemu.services.cloudformation.v2 import provider  # noqa: PLC0415

    for name in ("create_stack", "update_stack", "delete_stack", "execute_change_set", "create_change_set"):
        setattr(provider.CloudformationProviderV2, name, _acting(getattr(provider.CloudformationProviderV2, name)))
    start = provider.start_worker_thread
    payload = ChangeSetModelExecutor.create_resource_provider_payload

    @wraps(start)
    def started(method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        context = contextvars.copy_context()
        return start(lambda *given: context.run(method, *given), *arguments, **keywords)

    @wraps(payload)
    def with_credentials(*arguments: Any, **keywords: Any) -> Any:
        made = payload(*arguments, **keywords)
        if made and (key := _acting_key.get()):
            made["requestData"]["callerCredentials"]["accessKeyId"] = key
        return made

    provider.start_worker_thread = started
    ChangeSetModelExecutor.create_resource_provider_payload = with_credentials


def _acting(operation: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(operation)
    def as_caller(self: Any, context: Any, *arguments: Any, **parameters: Any) -> Any:
        token = _acting_key.set(_key_to_act_with(context))
        try:
            return operation(self, context, *arguments, **parameters)
        finally:
            _acting_key.reset(token)

    return as_caller


def _key_to_act_with(context: Any) -> str:
    request = context.service_request or {}
    stack = str(request.get("StackName") or "")
    name = stack.split(":stack/", 1)[-1].split("/", 1)[0]
    place = (context.account_id, context.region, name)
    if role := request.get("RoleARN"):
        _stack_roles[place] = role
    if role := _stack_roles.get(place):
        return _session_of(role)
    credentials = getattr(context, "caller", None)
    if credentials is None or credentials.principal.kind == "Root":
        return ""
    return str(credentials.principal.access_key_id)


def _session_of(role_arn: str) -> str:
    """The access key of a session of a stack's service role."""
    from botocore.exceptions import ClientError  # noqa: PLC0415
    from localemu.aws.api import CommonServiceException  # noqa: PLC0415
    from localemu.aws.connect import connect_to  # noqa: PLC0415

    sts = connect_to().sts.request_metadata(service_principal="cloudformation")
    try:
        credentials = sts.assume_role(RoleArn=role_arn, RoleSessionName="AWSCloudFormation")["Credentials"]
    except ClientError:
        raise CommonServiceException(
            "ValidationError", f"Role {role_arn} is invalid or cannot be assumed", sender_fault=True
        ) from None
    return str(credentials["AccessKeyId"])
