"""What every request passes: LocalEmu's chain of handlers without those that answer nobody here.

Its own metrics of coverage, the validation of its own addresses (which are closed), simulated throttling, and two lines of log a
request are taken out; what fails by the engine's fault is logged as a warning.
"""

from __future__ import annotations

import logging
from typing import Any

SEAMS = {
    "localemu.aws.app:LocalemuAwsGateway.__init__": "5f74a78d1e56",
    "localemu.aws.handlers.logging:ResponseLogger._log": "71ad0e4cd772",
    "localemu.aws.protocol.serializer:ResponseSerializer._get_mime_type": "7cc52e546495",
}

logger = logging.getLogger("couch.local")


def apply() -> None:
    """Leave out what no request needs."""
    _shorten_handler_chain()
    _remember_mime_types()


def _shorten_handler_chain() -> None:
    """Take the handlers out of every gateway that do nothing with the settings of this system."""
    from localemu.aws import handlers  # noqa: PLC0415
    from localemu.aws.app import LocalemuAwsGateway  # noqa: PLC0415
    from localemu.aws.handlers.metric_handler import MetricHandler  # noqa: PLC0415
    from localemu.aws.handlers.throttling import ThrottlingHandler  # noqa: PLC0415
    from localemu.aws.handlers.validation import OpenAPIValidator  # noqa: PLC0415

    original = LocalemuAwsGateway.__init__
    unused = (MetricHandler, OpenAPIValidator, ThrottlingHandler)
    left_out = (handlers.log_response, handlers.serve_localemu_resources)

    def is_used(handler: Any) -> bool:
        owner = getattr(handler, "__self__", handler)
        return not isinstance(owner, unused) and handler not in left_out

    def initialize(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        self.request_handlers[:] = filter(is_used, self.request_handlers)
        self.response_handlers[:] = filter(is_used, self.response_handlers)
        self.response_handlers.append(log_failure)

    LocalemuAwsGateway.__init__ = initialize


def log_failure(_: Any, context: Any, response: Any) -> None:
    """Log a request that the engine itself could not answer; what a caller did wrong is told to the caller."""
    if response.status_code < 500:  # noqa: PLR2004
        return
    error = context.service_exception
    what = f"{context.service.service_name}.{context.operation.name}" if context.operation else context.request.path
    logger.warning("%s failed with %s: %s", what, response.status_code, error)


def _remember_mime_types() -> None:
    """Parse each Accept header once: the answer depends on nothing else."""
    from localemu.aws.protocol.serializer import ResponseSerializer  # noqa: PLC0415

    original = ResponseSerializer._get_mime_type  # noqa: SLF001
    known: dict[tuple[type, str | None, str | None], str] = {}

    def mime_type(self: Any, headers: Any) -> str:
        key = (type(self), *((headers.get("Accept"), headers.get("Content-Type")) if headers else (None, None)))
        if key not in known:
            if len(known) > 1000:  # noqa: PLR2004 - callers may send what they like
                known.clear()
            known[key] = original(self, headers)
        return known[key]

    ResponseSerializer._get_mime_type = mime_type  # noqa: SLF001
