"""The log lines that Lambda itself writes around those of a function, as text and as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True)
class Report:
    """What a REPORT line says of one invocation."""

    request_id: str
    duration_ms: float
    billed_ms: int
    memory_size_mb: int
    max_memory_mb: int
    init_ms: float | None = None
    # "error" or "timeout"; None for success.
    status: str | None = None
    error_type: str | None = None


def utc_time(unix_s: float) -> str:
    """ISO 8601 with milliseconds, as in Lambda's own lines."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class TextLog:
    """Lambda's lines in the text format."""

    def init_start(self, runtime: str, runtime_version_arn: str) -> list[str]:
        """Before the first start of the runtime."""
        return [f"INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {runtime_version_arn}\n"]

    def start(self, request_id: str, version: str) -> list[str]:
        """Before the function's own lines."""
        return [f"START RequestId: {request_id} Version: {version}\n"]

    def init_report(self, init_ms: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """After an init phase that failed."""
        line = f"INIT_REPORT Init Duration: {init_ms:.2f} ms\tPhase: {phase}\tStatus: {status}"
        return [line + (f"\tError Type: {error_type}" if error_type else "") + "\n"]

    def fault(self, sentence: str) -> list[str]:
        """Why the platform ended the invocation."""
        return [sentence + "\n"]

    def report(self, report: Report) -> list[str]:
        """After the function's own lines."""
        parts = [
            f"REPORT RequestId: {report.request_id}",
            f"Duration: {report.duration_ms:.2f} ms",
            f"Billed Duration: {report.billed_ms} ms",
            f"Memory Size: {report.memory_size_mb} MB",
            f"Max Memory Used: {report.max_memory_mb} MB",
        ]
        if report.init_ms is not None:
            parts.append(f"Init Duration: {report.init_ms:.2f} ms")
        if report.status == "timeout":
            parts.append("Status: timeout")
        elif report.error_type and report.error_type.startswith(("Runtime.", "Function.")):
            parts += [
                "Status: error",
                f"Error Type: {report.error_type}",
            ]  # an exception of the handler is not mentioned
        return [f"END RequestId: {report.request_id}\n", "\t".join(parts) + "\t\n"]


class JsonLog:
    """Lambda's events in the JSON format, from the system log level on."""

    def __init__(self, level: str) -> None:
        # Start, report and init events are of level INFO: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
        self._shown = level in {"DEBUG", "INFO"}

    def init_start(self, runtime: str, runtime_version_arn: str) -> list[str]:
        """Before the first start of the runtime."""
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            "runtimeVersion": runtime,
            "runtimeVersionArn": runtime_version_arn,
        }
        return self._event("platform.initStart", record)

    def start(self, request_id: str, version: str) -> list[str]:
        """Before the function's own lines."""
        return self._event("platform.start", {"requestId": request_id, "version": version})

    def init_report(self, init_ms: float, phase: str, status: str, error_type: str | None) -> list[str]:
        """After an init phase that failed."""
        record = {
            "initializationType": "on-demand",
            "phase": phase,
            "status": status,
            "metrics": {"durationMs": round(init_ms, 3)},
        }
        return self._event("platform.initReport", record | ({"errorType": error_type} if error_type else {}))

    def fault(self, sentence: str) -> list[str]:
        """Why the platform ended the invocation: plain text in this format, too."""
        return [sentence + "\n"]

    def report(self, report: Report) -> list[str]:
        """After the function's own lines."""
        metrics: dict[str, Any] = {
            "durationMs": round(report.duration_ms, 3),
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": report.memory_size_mb,
            "maxMemoryUsedMB": report.max_memory_mb,
        }
        if report.init_ms is not None:
            metrics["initDurationMs"] = round(report.init_ms, 3)
        record: dict[str, Any] = {
            "requestId": report.request_id,
            "metrics": metrics,
            "status": report.status or "success",
        }
        if report.error_type:
            record["errorType"] = report.error_type
        return self._event("platform.report", record)

    def _event(self, kind: str, record: dict[str, Any]) -> list[str]:
        if not self._shown:
            return []
        now = utc_time(datetime.now(UTC).timestamp())
        return [json.dumps({"time": now, "type": kind, "record": record}, separators=(",", ":")) + "\n"]
