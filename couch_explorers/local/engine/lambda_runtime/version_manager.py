"""Attaches execution environments to LocalEmu: its manager of one function version, with processes instead of containers."""

from __future__ import annotations

import base64
import json
import logging
import time
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localemu.aws.api import CommonServiceException
from localemu.aws.api.lambda_ import ServiceException, TooManyRequestsException
from localemu.aws.connect import connect_to
from localemu.services.lambda_.invocation.lambda_models import InitializationType
from localemu.services.lambda_.invocation.lambda_models import InvocationResult as EngineResult
from localemu.services.lambda_.invocation.runtime_executor import RuntimeExecutor
from localemu.services.lambda_.invocation.version_manager import LambdaVersionManager

from couch_explorers.local.engine import observers, settings
from couch_explorers.local.engine.authorization import NOT_ASSUMABLE, assumable_by_service
from couch_explorers.local.engine.lambda_runtime.execution_environment import (
    EnvironmentPool,
    ExecutionEnvironment,
    FunctionSettings,
)
from couch_explorers.local.engine.lambda_runtime.function_logs import LogBatch, LogDelivery, LogEvent, LogStore
from couch_explorers.local.engine.lambda_runtime.runtime_process import Invocation
from couch_explorers.local.engine.observers import InvocationRecord, Outcome
from couch_explorers.local.settings import HOST
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger(__name__)

# Seconds; the longest duration of a service's session of a role.
CREDENTIALS_S = 43_200

# Delivers the logs of all functions.
_log_delivery = LogDelivery(LogStore())


class ProcessExecutor(RuntimeExecutor):  # type: ignore[misc]
    """LocalEmu's runtime executor `process`. It only prepares code: `ProcessVersionManager` has environments of its own."""

    @classmethod
    def prepare_version(cls, function_version: Any) -> None:
        """Unpack the function's archive and its layers."""
        for code in _archives(function_version):
            code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: Any) -> None:
        """Keep the unpacked code: LocalEmu deletes it with the code itself, and a running invocation may need it."""


def _archives(function_version: Any) -> list[Any]:
    config = function_version.config
    return [code for code in (config.code, *(layer.code for layer in config.layers)) if code]


class ProcessVersionManager(LambdaVersionManager):  # type: ignore[misc]
    """Invokes one version of a function in environments of its own, reports it to the observers and delivers its log."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.log_handler = _NoLogThread()
        self.assignment_service = self
        self._pool = EnvironmentPool(self._create)

    def invoke(self, *, invocation: Any) -> EngineResult:
        """Run one invocation.

        Raises:
            TooManyRequestsException: The function's or the account's concurrency is used up.

        """
        if self.shutdown_event.is_set():
            raise ServiceException(f"The version {self.function_arn} is shutting down.")
        if reason := self._cannot_run():
            return self._refused(invocation, reason)
        if not assumable_by_service(self.function_version.config.role, "lambda"):
            # AWS notices when it next needs new credentials of the role; here it is checked each time.
            raise CommonServiceException("AccessDeniedException", NOT_ASSUMABLE, 403)
        try:
            with (
                self.counting_service.get_invocation_lease(
                    self.function, self.function_version, self.provisioned_state
                ) as lease,
                self._pool.environment(provisioned=lease == InitializationType.provisioned_concurrency) as environment,
                observers.running(self.function_version.id.unqualified_arn()),
            ):
                result = environment.invoke(_invocation(invocation))
        except TooManyRequestsException as error:
            if self.function.reserved_concurrent_executions is None:
                # The account's limit, where LocalEmu names the function's.
                error.Reason = "ConcurrentInvocationLimitExceeded"
            self._notify(invocation, "throttle", time.time())
            raise
        outcomes: dict[str | None, Outcome] = {None: "ok", "timeout": "timeout"}
        outcome = outcomes.get(result.report.status, "error")
        self._notify(invocation, outcome, result.started_at, result.report.duration_ms)
        return EngineResult(
            request_id=invocation.request_id,
            payload=result.payload,
            is_error=result.failed,
            logs=result.log_tail,
            executed_version=self.function_version.id.qualifier,
        )

    def _cannot_run(self) -> str | None:
        """Return why the version cannot run on this machine though AWS would run it; None where it can."""
        runtime = self.function_version.config.runtime
        if runtime and runtime.startswith("python"):
            return None
        what = f"its runtime is {runtime}" if runtime else "it is a container image"
        return f"The local cloud runs Python functions from zip archives. {self.function_version.id.function_name} cannot run: {what}."

    def _refused(self, invocation: Any, reason: str) -> EngineResult:
        payload = json.dumps({"errorType": "Runtime.NotSupportedLocally", "errorMessage": reason}).encode()
        logger.warning(reason)
        return EngineResult(
            invocation.request_id, payload, is_error=True, logs="", executed_version=self.function_version.id.qualifier
        )

    # The interface of LocalEmu's assignment service.

    def stop_environments_for_version(self, version_manager_id: str) -> None:  # noqa: ARG002
        """End the version's environments, busy ones after their invocation, as AWS does on an update or deletion."""
        self._pool.stop()

    def scale_provisioned_concurrency(
        self,
        version_manager_id: str,  # noqa: ARG002
        function_version: Any,  # noqa: ARG002
        target_provisioned_environments: int,
    ) -> list[Future[None]]:
        """Keep so many environments started."""
        future: Future[None] = Future()
        if self._pool.provision(target_provisioned_environments):
            future.set_result(None)
        else:
            future.set_exception(RuntimeError("the function's initialization failed"))
        return [future]

    def _create(self, initialization_type: str) -> ExecutionEnvironment:
        identifier, config = self.function_version.id, self.function_version.config
        logging_config = config.logging_config or {}
        log_group = logging_config.get("LogGroup") or f"/aws/lambda/{identifier.function_name}"
        json_format = logging_config.get("LogFormat") == "JSON"
        endpoint = {"AWS_ENDPOINT_URL": f"http://{_endpoint()}"}
        function = FunctionSettings(
            name=identifier.function_name,
            version=identifier.qualifier,
            handler=config.handler or "",
            runtime=config.runtime or "",
            region=identifier.region,
            timeout_s=config.timeout,
            memory_mb=config.memory_size,
            code=Path(config.code.get_unzipped_code_location()),
            # A later layer's files take precedence over an earlier one's.
            layers=tuple(Path(layer.code.get_unzipped_code_location()) for layer in reversed(config.layers)),
            environment={**endpoint, **(config.environment or {})},
            log_group=log_group,
            log_format=logging_config.get("LogFormat") or "Text",
            application_log_level=logging_config.get("ApplicationLogLevel") if json_format else None,
            system_log_level=logging_config.get("SystemLogLevel") or "INFO",
            initialization_type=initialization_type,
            runtime_version_arn=(config.runtime_version_config or {}).get("RuntimeVersionArn", ""),
        )

        def deliver(log_stream: str, event: LogEvent) -> None:
            stream = LogBatch(identifier.function_name, identifier.region, log_group, log_stream, config.role)
            _log_delivery.add(stream, event)

        scratch = Home.current().path / "engine" / "lambda"
        return ExecutionEnvironment(function, settings.LAMBDA_PYTHON, scratch, self._credentials, deliver)

    def _credentials(self) -> Mapping[str, str]:
        """Return credentials of the function's execution role, as environment variables."""
        identifier = self.function_version.id
        sts = connect_to(region_name=identifier.region).sts.request_metadata(service_principal="lambda")
        credentials = sts.assume_role(
            RoleArn=self.function_version.config.role,
            # A session's name has at least two characters.
            RoleSessionName=identifier.function_name
            if len(identifier.function_name) > 1
            else f"{identifier.function_name}@lambda_function",
            DurationSeconds=CREDENTIALS_S,
        )["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
        }

    def _notify(self, invocation: Any, outcome: Outcome, started_at: float, duration_ms: float = 0.0) -> None:
        identifier = self.function_version.id
        _, _, qualifier = invocation.invoked_arn.partition(f":function:{identifier.function_name}")
        record = InvocationRecord(
            function_name=identifier.function_name,
            qualifier=qualifier.lstrip(":") or None,
            account=identifier.account,
            region=identifier.region,
            request_id=invocation.request_id,
            started_at=started_at,
            outcome=outcome,
            duration_ms=duration_ms,
        )
        observers.notify_invoked(record)


class _NoLogThread:
    """Takes the place of LocalEmu's log thread of a version: all versions share one delivery."""

    def start_subscriber(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


def _invocation(engine: Any) -> Invocation:
    trace = (engine.trace_context or {}).get("aws_trace_header")
    if trace is not None and not isinstance(trace, str):
        trace.ensure_root_exists()
        trace.ensure_parent_exists()
        trace.ensure_sampled_exists()
        trace = trace.to_header_str()
    return Invocation(
        request_id=engine.request_id,
        payload=engine.payload,
        function_arn=engine.invoked_arn,
        deadline_ms=0,
        trace_id=trace or _new_trace(engine.request_id),
        client_context=_decoded(engine.client_context),
    )


def _new_trace(request_id: str) -> str:
    """Return the header of a trace that begins here; its number is taken from the request's, so that logs lead from one to the other.

    Lambda gives one to every invocation, no matter who made it:
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-next,
    https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
    """
    digits = request_id.replace("-", "")
    return f"Root=1-{int(time.time()):08x}-{digits[:24]};Parent={digits[-16:]};Sampled=0"


def _decoded(client_context: str | None) -> str | None:
    """Return the JSON of a client context on one line, as a header requires; None where there is none."""
    if not client_context:
        return None
    try:
        return json.dumps(json.loads(base64.b64decode(client_context)))
    except ValueError:
        return None


def _endpoint() -> str:
    from localemu import config  # read at import, which the server delays until its environment is set

    return f"{HOST}:{config.GATEWAY_LISTEN[0].port}"
