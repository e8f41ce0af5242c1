"""LocalEmu's manager of one function version, with processes instead of containers."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections import Counter
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localemu.aws.api import CommonServiceException
from localemu.aws.api.lambda_ import InvocationType, ServiceException, TooManyRequestsException
from localemu.aws.connect import connect_to
from localemu.services.lambda_.invocation.lambda_models import InitializationType
from localemu.services.lambda_.invocation.lambda_models import InvocationResult as EngineResult
from localemu.services.lambda_.invocation.runtime_executor import RuntimeExecutor
from localemu.services.lambda_.invocation.version_manager import LambdaVersionManager

from couch_explorers.local.engine import settings
from couch_explorers.local.engine.authorization import assumable_by_service
from couch_explorers.local.engine.lambda_runtime import observers
from couch_explorers.local.engine.lambda_runtime.environment_pool import EnvironmentPool
from couch_explorers.local.engine.lambda_runtime.execution_environment import (
    ExecutionEnvironment,
    FunctionSettings,
    InvocationResult,
)
from couch_explorers.local.engine.lambda_runtime.log_delivery import LogDelivery
from couch_explorers.local.engine.lambda_runtime.observers import InvocationRecord, LogBatch, LogEvent, Outcome, Source
from couch_explorers.local.engine.lambda_runtime.runtime_api import Invocation
from couch_explorers.local.settings import HOST
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

logger = logging.getLogger(__name__)

NOT_ASSUMABLE = "The role defined for the function cannot be assumed by Lambda."
# Seconds; the longest that a service's session of a role lasts.
CREDENTIALS_S = 43_200
# Seconds after which the client that writes a role's logs takes new credentials.
LOG_CLIENT_S = 3000.0

# Set by whoever invokes on behalf of an event source mapping.
invocation_source: ContextVar[Source | None] = ContextVar("invocation_source", default=None)


class ProcessExecutor(RuntimeExecutor):  # type: ignore[misc]
    """LocalEmu's plug-in `process`: it prepares code; environments are `ProcessVersionManager`'s own."""

    @classmethod
    def prepare_version(cls, function_version: Any) -> None:
        """Unpack the function's archive and its layers."""
        for code in _archives(function_version):
            code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: Any) -> None:
        """Leave the unpacked code: LocalEmu deletes it with the code itself, and a running invocation may need it."""


def _archives(function_version: Any) -> list[Any]:
    config = function_version.config
    return [code for code in (config.code, *(layer.code for layer in config.layers)) if code]


class ProcessVersionManager(LambdaVersionManager):  # type: ignore[misc]
    """Invokes one version of a function in environments of its own, tells the observers and keeps its log."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.log_handler = _NoLogThread()
        self.assignment_service = self
        self._pool = EnvironmentPool(self._create)

    def invoke(self, *, invocation: Any) -> EngineResult:
        """Run one invocation. Raises TooManyRequestsException where the concurrency does not suffice."""
        if self.shutdown_event.is_set():
            raise ServiceException(f"The version {self.function_arn} is shutting down.")
        if reason := self._cannot_run():
            return self._refused(invocation, reason)
        if not assumable_by_service(self.function_version.config.role, "lambda"):
            # AWS notices when it next needs new credentials of the role; here it shows at once.
            raise CommonServiceException("AccessDeniedException", NOT_ASSUMABLE, 403)
        with _counted(self.function_version.id.unqualified_arn()) as concurrency:
            try:
                with (
                    self.counting_service.get_invocation_lease(
                        self.function, self.function_version, self.provisioned_state
                    ) as lease,
                    self._pool.environment(
                        provisioned=lease == InitializationType.provisioned_concurrency
                    ) as environment,
                    observers.running(self.function_version.id.unqualified_arn()),
                ):
                    result = environment.invoke(_invocation(invocation))
            except TooManyRequestsException as error:
                if self.function.reserved_concurrent_executions is None:
                    error.Reason = (
                        "ConcurrentInvocationLimitExceeded"  # the account's, where LocalEmu names the function's
                    )
                self._notify_throttled(invocation, concurrency)
                raise
        self._notify(invocation, result, concurrency)
        return EngineResult(
            request_id=invocation.request_id,
            payload=result.payload,
            is_error=result.failed,
            logs=result.log_tail,
            executed_version=self.function_version.id.qualifier,
        )

    def _cannot_run(self) -> str | None:
        """Why the version cannot run on this machine; AWS would run it."""
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

    # What LocalEmu asks of its assignment service.

    def stop_environments_for_version(self, version_manager_id: str) -> None:  # noqa: ARG002
        """End the version's environments, busy ones after their invocation, as AWS does on an update or deletion."""
        self._pool.stop()

    def scale_provisioned_concurrency(
        self,
        version_manager_id: str,  # noqa: ARG002
        function_version: Any,  # noqa: ARG002
        target_provisioned_environments: int,
    ) -> list[Future[None]]:
        """Hold so many environments ready."""
        future: Future[None] = Future()
        if self._pool.provision(target_provisioned_environments):
            future.set_result(None)
        else:
            future.set_exception(RuntimeError("the function's initialization failed"))
        return [future]

    # Parts.

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
            # A later layer's files lie over an earlier one's.
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
            batch = LogBatch(
                identifier.function_name, identifier.account, identifier.region, log_group, log_stream, config.role
            )
            log_delivery().add(batch, event)

        scratch = Home.current().path / "engine" / "lambda"
        return ExecutionEnvironment(function, settings.LAMBDA_PYTHON, scratch, self._credentials, deliver)

    def _credentials(self) -> Mapping[str, str]:
        """Those of the function's execution role."""
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

    def _notify(self, invocation: Any, result: InvocationResult, concurrency: int) -> None:
        report = result.report
        outcome: Outcome = "ok" if report.status is None else "timeout" if report.status == "timeout" else "error"
        observers.notify_invoked(
            self._record(
                invocation,
                concurrency,
                started_at=result.started_at,
                outcome=outcome,
                duration_ms=report.duration_ms,
                billed_ms=report.billed_ms,
                init_ms=report.init_ms,
                max_memory_mb=report.max_memory_mb,
                error_type=report.error_type,
            )
        )

    def _notify_throttled(self, invocation: Any, concurrency: int) -> None:
        observers.notify_invoked(self._record(invocation, concurrency, started_at=time.time(), outcome="throttle"))

    def _record(self, invocation: Any, concurrency: int, **fields: Any) -> InvocationRecord:
        identifier = self.function_version.id
        asynchronous: Source = "asynchronous" if invocation.invocation_type == InvocationType.Event else "invoke"
        _, _, qualifier = invocation.invoked_arn.partition(f":function:{identifier.function_name}")
        return InvocationRecord(
            function_name=identifier.function_name,
            function_arn=self.function_version.qualified_arn,
            version=identifier.qualifier,
            qualifier=qualifier.lstrip(":") or None,
            account=identifier.account,
            region=identifier.region,
            request_id=invocation.request_id,
            source=invocation_source.get() or asynchronous,
            memory_size_mb=self.function_version.config.memory_size,
            concurrency=concurrency,
            **fields,
        )


class _NoLogThread:
    """In place of LocalEmu's thread a version: all versions share one delivery."""

    def start_subscriber(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


_running: Counter[str] = Counter()
_running_lock = threading.Lock()


@contextmanager
def _counted(function_arn: str) -> Iterator[int]:
    """Count an invocation of a function while it lasts; gives how many run with it."""
    with _running_lock:
        _running[function_arn] += 1
        count = _running[function_arn]
    try:
        yield count
    finally:
        with _running_lock:
            _running[function_arn] -= 1


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
        trace_id=trace,
        client_context=_decoded(engine.client_context),
    )


def _decoded(client_context: str | None) -> str | None:
    """The JSON in a client context, on one line as a header demands; None where there is none."""
    if not client_context:
        return None
    try:
        return json.dumps(json.loads(base64.b64decode(client_context)))
    except ValueError:
        return None


def _endpoint() -> str:
    from localemu import config  # noqa: PLC0415 - read at import, which the server delays until its environment is set

    return f"{HOST}:{config.GATEWAY_LISTEN[0].port}"


_delivery_lock = threading.Lock()
_delivery: LogDelivery | None = None


def log_delivery() -> LogDelivery:
    """The one delivery of this process."""
    global _delivery  # noqa: PLW0603
    with _delivery_lock:
        if _delivery is None:
            _delivery = LogDelivery(_LogStore())
        return _delivery


class _LogStore:
    """Puts log events into CloudWatch Logs by the rights of the function's role, as Lambda does."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], tuple[float, Any]] = {}
        self._streams: set[tuple[str, str]] = set()

    def __call__(self, batch: LogBatch) -> None:
        logs = self._client(batch.role_arn, batch.region)
        where = {"logGroupName": batch.log_group, "logStreamName": batch.log_stream}
        events = [{"timestamp": event.timestamp_ms, "message": event.message} for event in batch.events]
        try:
            self._make_stream(logs, batch)
            logs.put_log_events(**where, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            self._streams.discard((batch.log_group, batch.log_stream))  # deleted meanwhile
            self._make_stream(logs, batch)
            logs.put_log_events(**where, logEvents=events)

    def _make_stream(self, logs: Any, batch: LogBatch) -> None:
        key = (batch.log_group, batch.log_stream)
        if key in self._streams:
            return
        try:
            logs.create_log_stream(logGroupName=batch.log_group, logStreamName=batch.log_stream)
        except logs.exceptions.ResourceAlreadyExistsException:
            pass
        except logs.exceptions.ResourceNotFoundException:
            logs.create_log_group(logGroupName=batch.log_group)
            logs.create_log_stream(logGroupName=batch.log_group, logStreamName=batch.log_stream)
        self._streams.add(key)

    def _client(self, role_arn: str, region: str) -> Any:
        made_at, client = self._clients.get((role_arn, region), (0.0, None))
        if client is None or time.monotonic() - made_at > LOG_CLIENT_S:
            client = connect_to.with_assumed_role(
                role_arn=role_arn, region_name=region, service_principal="lambda"
            ).logs
            self._clients[role_arn, region] = (time.monotonic(), client)
        return client
