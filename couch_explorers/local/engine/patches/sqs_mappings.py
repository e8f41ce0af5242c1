"""Event source mappings on queues poll as Lambda's do.

LocalEmu polls each queue with one thread that pauses a second, ignores MaximumConcurrency, and takes a visibility below the function's
time-out. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
"""

from __future__ import annotations

from functools import wraps
from typing import Any

SEAMS = {
    "localemu.services.lambda_.event_source_mapping.esm_worker:EsmWorker": "faab3a538a8d",
    "localemu.services.lambda_.event_source_mapping.esm_worker_factory:EsmWorkerFactory": "c0859f17a9aa",
    "localemu.services.lambda_.event_source_mapping.pipe_utils:get_internal_client": "740d6e7c1f6d",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.invoke": "c42daa256d2b",
    "localemu.services.lambda_.provider:LambdaProvider.validate_event_source_mapping": "424c06b09501",
    "localemu.services.lambda_.provider:LambdaProvider.update_function_configuration": "b2699f6a16d8",
    "localemu.services.sqs.models:StandardQueue.receive": "99e0321c768a",
    "localemu.services.sqs.models:FifoQueue.receive": "777b7d277fb3",
}

# https://docs.aws.amazon.com/lambda/latest/api/API_ScalingConfig.html
CONCURRENCY = range(2, 1001)


def apply() -> None:
    """Put our worker in the place of LocalEmu's for queues, and check what AWS checks of a queue."""
    from localemu.services.lambda_ import provider as lambda_provider  # noqa: PLC0415
    from localemu.services.lambda_.event_source_mapping.esm_worker_factory import EsmWorkerFactory  # noqa: PLC0415
    from localemu.services.lambda_.provider import LambdaProvider  # noqa: PLC0415

    from couch_explorers.local.engine.lambda_runtime.mapping_worker import SqsMappingWorker  # noqa: PLC0415

    get_esm_worker = EsmWorkerFactory.get_esm_worker
    validate = LambdaProvider.validate_event_source_mapping
    update_configuration = LambdaProvider.update_function_configuration
    load_service = lambda_provider.load_service

    @wraps(load_service)
    def model(service: str, *arguments: Any, **keywords: Any) -> Any:
        # LocalEmu names a FIFO queue's service so, of which there is no model: without this no mapping on one can be made.
        return load_service("sqs" if service == "sqs-fifo" else service, *arguments, **keywords)

    @wraps(get_esm_worker)
    def worker(factory: Any) -> Any:
        if ":sqs:" in factory.esm_config.get("EventSourceArn", ""):
            return SqsMappingWorker(factory.esm_config, factory.function_role_arn, enabled=factory.enabled)
        return get_esm_worker(factory)

    @wraps(validate)
    def validated(provider: Any, context: Any, request: Any) -> Any:
        _check_scaling(request)
        validation = validate(provider, context, request)
        function_version = validation[3]
        _check_visibility(request.get("EventSourceArn", ""), function_version.config.timeout)
        return validation

    @wraps(update_configuration)
    def updated(provider: Any, context: Any, request: Any) -> Any:
        if timeout := request.get("Timeout"):
            for arn in _mapped_queues(provider, context, request["FunctionName"]):
                _check_visibility(arn, timeout)
        return update_configuration(provider, context, request)

    lambda_provider.load_service = model
    EsmWorkerFactory.get_esm_worker = worker
    LambdaProvider.validate_event_source_mapping = validated
    LambdaProvider.update_function_configuration = updated


def _check_scaling(request: Any) -> None:
    from localemu.services.lambda_.invocation.lambda_models import ValidationException  # noqa: PLC0415

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
    """Refuse a queue whose messages would come back while the function still works on them."""
    from localemu.aws.api.lambda_ import InvalidParameterValueException  # noqa: PLC0415
    from localemu.services.sqs.models import sqs_stores  # noqa: PLC0415
    from localemu.utils.aws.arns import parse_arn  # noqa: PLC0415

    if ":sqs:" not in queue_arn:
        return
    arn = parse_arn(queue_arn)
    queue = sqs_stores[arn["account"]][arn["region"]].queues.get(arn["resource"])
    if queue and queue.visibility_timeout < timeout_s:
        raise InvalidParameterValueException(
            f"Queue visibility timeout: {queue.visibility_timeout} seconds is less than Function timeout: {timeout_s} seconds",
            Type="User",
        )


def _mapped_queues(provider: Any, context: Any, function_name: str) -> list[str]:
    from localemu.services.lambda_.api_utils import function_locators_from_arn  # noqa: PLC0415

    name, _, _, _ = function_locators_from_arn(function_name)
    workers = tuple(provider.esm_workers.values())
    functions = ((function_locators_from_arn(worker.esm_config["FunctionArn"]), worker) for worker in workers)
    here = (context.account_id, context.region)
    return [
        worker.esm_config.get("EventSourceArn", "")
        for (mapped, _, account, region), worker in functions
        if mapped == name and (account, region) == here
    ]
