"""Lambda: functions as processes, their URLs, invocations and event source mappings, where LocalEmu differs from AWS.

- Functions run as processes: LocalEmu's own executor needs Docker. Its plug-in point `localemu.lambda.runtime_executor` only prepares
  code; how a version is invoked, logged and measured is up to the `LambdaVersionManager` that the service creates for it.
- A function's URL has a host name: LocalEmu puts the server's own host behind the function's ID, and `ID.lambda-url.REGION.127.0.0.1` is
  no host, whereas names below `localhost` resolve to this machine (RFC 6761). And it is open to nobody until the function's policy
  says so, even where it requires no signature: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
- Invoke takes JSON within the size limit of the invocation type, where LocalEmu passes any bytes to the function:
  https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
- A function cannot get a role that Lambda may not assume, nor a mapping a queue that its role may not read.
- Event source mappings on queues poll as Lambda does. LocalEmu polls each queue with one thread that pauses a second, ignores
  MaximumConcurrency, and accepts a visibility time-out below the function's time-out:
  https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.authorization import NOT_ASSUMABLE, assumable_by_service, role_allows
from couch_explorers.local.engine.patches import wrap
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEAMS = {
    "localemu.services.lambda_.event_source_mapping.esm_worker:EsmWorker": "faab3a538a8d",
    "localemu.services.lambda_.event_source_mapping.esm_worker_factory:EsmWorkerFactory": "c0859f17a9aa",
    "localemu.services.lambda_.event_source_mapping.pipe_utils:get_internal_client": "740d6e7c1f6d",
    "localemu.services.lambda_.invocation.lambda_models:S3Code.get_unzipped_code_location": "97014298fe50",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.can_assume_role": "4d7547bc98f2",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.create_function_version": "da67e1d5c949",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.invoke": "c42daa256d2b",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.publish_version": "f7bf9cdc0af1",
    "localemu.services.lambda_.invocation.runtime_executor:get_runtime_executor": "69481e6133f1",
    "localemu.services.lambda_.invocation.version_manager:LambdaVersionManager": "166c312d003b",
    "localemu.services.lambda_.provider:LambdaProvider.check_service_resource_exists": "33d89ff494f8",
    "localemu.services.lambda_.provider:LambdaProvider.create_function_url_config": "0d93bcbc3ce7",
    "localemu.services.lambda_.provider:LambdaProvider.update_function_configuration": "b2699f6a16d8",
    "localemu.services.lambda_.provider:LambdaProvider.validate_event_source_mapping": "424c06b09501",
    "localemu.services.lambda_.urlrouter:FunctionUrlRouter.handle_lambda_url_invocation": "0d57e12dc2e7",
    "localemu.services.sqs.models:FifoQueue.receive": "777b7d277fb3",
    "localemu.services.sqs.models:StandardQueue.receive": "99e0321c768a",
    "localemu.utils.urls:localemu_host": "ec2e8697afcf",
}

# LocalEmu's warnings that do not apply here: log formats are supported, and mappings on queues are our own.
MISLEADING_WARNINGS = (
    "Advanced Lambda Logging Configuration is currently mocked",
    "Updating Lambda Event Source Mapping is in experimental",
)

URL_ACTION = "lambda:InvokeFunctionUrl"
URL_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
# Bytes by invocation type. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB synchronously, and 1 MB
# asynchronously since October 2025.
LARGEST_PAYLOADS = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024}
# https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html
CONCURRENCY = range(2, 1001)
# The actions that a mapping on a queue needs permission for, in the order in which AWS checks them:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
QUEUE_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def apply() -> None:
    """Run functions as processes, and check what Lambda checks."""
    _run_functions_as_processes()
    _protect_function_urls()
    _check_payloads()
    _poll_queues()
    _check_mappings_and_functions()


# --- processes --------------------------------------------------------------------------------------------------------


def _run_functions_as_processes() -> None:
    from localemu.services.lambda_.invocation import lambda_service, runtime_executor
    from localemu.services.lambda_.invocation.lambda_models import S3Code
    from localemu.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
    from plux import PluginFinder, PluginManager, PluginSpec

    from couch_explorers.local.engine.lambda_runtime.version_manager import ProcessExecutor, ProcessVersionManager

    unpacked = Home.current().path / "engine" / "functions"

    def code_location(code: Any) -> Path:
        # In the local cloud's own folder: in the machine's temporary folder, a killed process would leave it behind.
        return unpacked / str(code.s3_bucket) / str(code.id) / "code"

    S3Code.get_unzipped_code_location = code_location

    class ProcessPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]
        name = "process"

        def load(self, *_: object, **__: object) -> type[ProcessExecutor]:
            return ProcessExecutor

    class Finder(PluginFinder):  # type: ignore[misc]
        def find_plugins(self) -> list[PluginSpec]:
            return [PluginSpec(RuntimeExecutorPlugin.namespace, "process", ProcessPlugin)]

    logging.getLogger("localemu.services.lambda_.provider").addFilter(
        lambda record: not str(record.msg).startswith(MISLEADING_WARNINGS)
    )
    # This package is not installed in LocalEmu's environment, so no entry point names the plug-in.
    runtime_executor.EXECUTOR_PLUGIN_MANAGER = PluginManager(RuntimeExecutorPlugin.namespace, finder=Finder())
    lambda_service.LambdaVersionManager = ProcessVersionManager


# --- function URLs ----------------------------------------------------------------------------------------------------


def _protect_function_urls() -> None:
    """Name this machine `localhost` in URLs, and check the function's policy before it is invoked by one."""
    from localemu.services.lambda_ import provider
    from localemu.services.lambda_.urlrouter import FunctionUrlRouter

    wrap(provider, "localemu_host", _named_host)
    wrap(FunctionUrlRouter, "handle_lambda_url_invocation", _invoke_by_url)


def _named_host(localemu_host: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    from localemu.config import HostAndPort

    return HostAndPort(host="localhost", port=localemu_host(*arguments, **keywords).port)


def _invoke_by_url(
    invoke: Callable[..., Any], router: Any, request: Any, api_id: str, region: str, **parameters: Any
) -> Any:
    from localemu.http import Response

    found = _find_url(api_id, region)
    if found and not _is_open_to_all(*found):
        return Response(json.dumps({"Message": URL_FORBIDDEN}), status=403, mimetype="application/json")
    return invoke(router, request, api_id, region, **parameters)


def _find_url(api_id: str, region: str) -> tuple[Any, str, Any] | None:
    """Return the function, the qualifier and the settings of a URL; None where there is no such URL."""
    from localemu.services.lambda_.invocation.models import lambda_stores

    for account in list(lambda_stores):
        for function in list(lambda_stores[account][region].functions.values()):
            for qualifier, url in function.function_url_configs.items():
                if url.url_id.lower() == api_id.lower():
                    return function, qualifier, url
    return None


def _is_open_to_all(function: Any, qualifier: str, url: Any) -> bool:
    """Check whether the function's policy makes the URL public; one with `AWS_IAM` authorization is not."""
    policy = function.permissions.get(qualifier)
    statements = policy.policy.Statement if policy else []
    return url.auth_type == "NONE" and any(_allows_all(statement) for statement in statements)


def _allows_all(statement: Any) -> bool:
    principal = statement.get("Principal")
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Action") in {URL_ACTION, "lambda:*", "*"}
        and principal in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    )


# --- Invoke -----------------------------------------------------------------------------------------------------------


def _check_payloads() -> None:
    from localemu.services.lambda_.invocation.lambda_service import LambdaService

    wrap(LambdaService, "invoke", _invoke)


def _invoke(
    invoke: Callable[..., Any],
    service: Any,
    *arguments: Any,
    payload: bytes | None,
    invocation_type: str | None,
    **keywords: Any,
) -> Any:
    check_payload(payload or None, invocation_type or "RequestResponse")
    return invoke(service, *arguments, payload=payload or None, invocation_type=invocation_type, **keywords)


def check_payload(payload: bytes | None, invocation_type: str) -> None:
    """Raise AWS's error for a payload that is too large or not JSON."""
    from localemu.aws.api.lambda_ import InvalidRequestContentException
    from localemu.services.lambda_.invocation.lambda_models import RequestEntityTooLargeException

    limit = LARGEST_PAYLOADS.get(invocation_type)
    if payload is None or limit is None:
        return
    if len(payload) > limit:
        raise RequestEntityTooLargeException(
            f"{len(payload)} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)"
        )
    try:
        json.loads(payload)
    except ValueError as error:
        raise InvalidRequestContentException(
            f"Could not parse request body into json: Could not parse payload into json: {_parser_message(payload, error)}",
            Type="User",
        ) from error


def _parser_message(payload: bytes, error: ValueError) -> str:
    """Word a syntax error as the parser that AWS uses does."""
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    where = f'\n at [Source: (byte[])"{payload[:500].decode(errors="replace")}"; line: {error.lineno}, column: {error.colno + 1}]'
    if error.pos >= len(error.doc):
        return f"Unexpected end-of-input{where}"
    character = error.doc[error.pos]
    expected = "a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
    return f"Unexpected character ('{character}' (code {ord(character)})): expected {expected}{where}"


# --- event source mappings, and the roles of functions ----------------------------------------------------------------


def _poll_queues() -> None:
    from localemu.services.lambda_ import provider
    from localemu.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory

    wrap(provider, "load_service", _load_model)
    wrap(EsmWorkerFactory, "get_esm_worker", _get_esm_worker)


def _load_model(load_service: Callable[..., Any], service: str, *arguments: Any, **keywords: Any) -> Any:
    # LocalEmu asks for the model of "sqs-fifo", which does not exist, so that no mapping on a FIFO queue could be created.
    return load_service("sqs" if service == "sqs-fifo" else service, *arguments, **keywords)


def _get_esm_worker(get_esm_worker: Callable[..., Any], factory: Any) -> Any:
    from couch_explorers.local.engine.lambda_runtime.mapping_worker import SqsMappingWorker

    if ":sqs:" in factory.esm_config.get("EventSourceArn", ""):
        return SqsMappingWorker(factory.esm_config, factory.function_role_arn, enabled=factory.enabled)
    return get_esm_worker(factory)


def _check_mappings_and_functions() -> None:
    from localemu.services.lambda_.invocation.lambda_service import LambdaService
    from localemu.services.lambda_.provider import LambdaProvider

    wrap(LambdaProvider, "validate_event_source_mapping", _validate_event_source_mapping)
    wrap(LambdaProvider, "check_service_resource_exists", _check_service_resource_exists)
    wrap(LambdaProvider, "update_function_configuration", _update_function_configuration)
    LambdaService.can_assume_role = lambda _self, role_arn, _region: assumable_by_service(role_arn, "lambda")


def _validate_event_source_mapping(validate: Callable[..., Any], provider: Any, context: Any, request: Any) -> Any:
    _check_scaling(request)
    validation = validate(provider, context, request)
    function_version = validation[3]
    _check_visibility(request.get("EventSourceArn", ""), function_version.config.timeout)
    return validation


def _check_service_resource_exists(
    check: Callable[..., None],
    provider: Any,
    service: str,
    resource_arn: str,
    function_arn: str,
    function_role_arn: str,
) -> None:
    if service in ("sqs", "sqs-fifo"):
        _check_queue_permissions(resource_arn, function_arn, function_role_arn)
    check(provider, service, resource_arn, function_arn, function_role_arn)


def _update_function_configuration(update: Callable[..., Any], provider: Any, context: Any, request: Any) -> Any:
    if timeout := request.get("Timeout"):
        for arn in _mapped_queues(provider, context, request["FunctionName"]):
            _check_visibility(arn, timeout)
    role = request.get("Role", "")
    if role.startswith("arn:") and not assumable_by_service(role, "lambda"):
        raise _invalid_parameter(NOT_ASSUMABLE)
    return update(provider, context, request)


def _check_queue_permissions(queue_arn: str, function_arn: str, role_arn: str) -> None:
    for name in QUEUE_ACTIONS:
        if not role_allows(role_arn, f"sqs:{name}", queue_arn, {"lambda:SourceFunctionArn": function_arn}):
            raise _invalid_parameter(f"The provided execution role does not have permissions to call {name} on SQS")


def _invalid_parameter(message: str) -> Exception:
    from localemu.aws.api.lambda_ import InvalidParameterValueException

    error: Exception = InvalidParameterValueException(message, Type="User")
    return error


def _check_scaling(request: Any) -> None:
    from localemu.services.lambda_.invocation.lambda_models import ValidationException

    concurrency = (request.get("ScalingConfig") or {}).get("MaximumConcurrency")
    if concurrency is not None and concurrency not in CONCURRENCY:
        bound = (
            f"less than or equal to {CONCURRENCY[-1]}"
            if concurrency > CONCURRENCY[-1]
            else f"greater than or equal to {CONCURRENCY[0]}"
        )
        raise ValidationException(
            f"1 validation error detected: Value '{concurrency}' at 'scalingConfig.maximumConcurrency' "
            f"failed to satisfy constraint: Member must have value {bound}"
        )


def _check_visibility(queue_arn: str, timeout_s: int) -> None:
    """Refuse a queue whose messages would become visible again while the function still works on them."""
    from localemu.services.sqs.models import sqs_stores
    from localemu.utils.aws.arns import parse_arn

    if ":sqs:" not in queue_arn:
        return
    arn = parse_arn(queue_arn)
    queue = sqs_stores[arn["account"]][arn["region"]].queues.get(arn["resource"])
    if queue and queue.visibility_timeout < timeout_s:
        raise _invalid_parameter(
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than Function timeout: {timeout_s} seconds"
        )


def _mapped_queues(provider: Any, context: Any, function_name: str) -> list[str]:
    from localemu.services.lambda_.api_utils import function_locators_from_arn

    name, _, _, _ = function_locators_from_arn(function_name)
    workers = tuple(provider.esm_workers.values())
    functions = ((function_locators_from_arn(worker.esm_config["FunctionArn"]), worker) for worker in workers)
    here = (context.account_id, context.region)
    return [
        worker.esm_config.get("EventSourceArn", "")
        for (mapped, _, account, region), worker in functions
        if mapped == name and (account, region) == here
    ]
