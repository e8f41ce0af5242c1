"""LocalEmu inside this process: its start without what the local cloud has no use for, its services, its end.

LocalEmu's own start would also mount a dashboard and an export of all resources, run scripts found on the machine, look for
containers, and fetch a certificate. None of that happens here, because only the start hooks named below are run.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

logger = logging.getLogger("couch.local")

# The start hooks that services rely on: patches of botocore, moto and the thread pools.
START_HOOKS = (
    "_patch_botocore_endpoint_in_memory",
    "apply_runtime_patches",
    "apply_aws_runtime_patches",
    "_patch_botocore_json_parser",
)
# Loaded in the background after the start, in the order in which `couch up` asks for them. Together they take some seconds, and
# each would otherwise be waited for by the first request that needs it.
PRELOADED = (
    "sts", "s3", "sqs", "iam", "cloudformation", "lambda", "logs", "sns", "cloudwatch", "apigateway", "ssm",
    "resourcegroupstaggingapi",
)  # fmt: skip
# Seconds that mappings and functions get to end what they do; then the process ends without them.
SERVICES_STOP_S = 1.5


class EngineRuntime:
    """LocalEmu's runtime: its gateway, its services, and their life."""

    def __init__(self) -> None:
        self._runtime: Any = None

    def start(self) -> Any:
        """Create and patch the runtime, and return its gateway."""
        import typing_extensions  # noqa: PLC0415

        if not hasattr(warnings, "deprecated"):
            # LocalEmu imports it from `warnings`, where Python has it since 3.13.
            warnings.deprecated = typing_extensions.deprecated  # type: ignore[attr-defined]

        from localemu import config, constants  # noqa: PLC0415 - LocalEmu reads its settings on import
        from localemu.aws.components import AwsComponents  # noqa: PLC0415
        from localemu.runtime import current, hooks  # noqa: PLC0415
        from localemu.runtime.runtime import LocalemuRuntime  # noqa: PLC0415

        from couch_explorers.local.engine import patches  # noqa: PLC0415

        os.environ[constants.LOCALEMU_INFRA_PROCESS] = "1"
        # The index of all service models takes seconds to build and is the same for every cloud of this environment.
        config.dirs.cache = str(Path(sys.prefix) / "cache")
        config.dirs.mkdirs()
        self._runtime = LocalemuRuntime(AwsComponents())
        current.set_current_runtime(self._runtime)
        patches.apply_all()
        self._runtime.starting.set()
        for name in START_HOOKS:
            hooks.on_runtime_start.manager.load(name)()
        return self._runtime.components.gateway

    def begin(self) -> None:
        """Say that requests are served from now on, and load the services that a deploy needs."""
        self._runtime.ready.set()
        threading.Thread(target=self._preload, name="preload", daemon=True).start()

    def _preload(self) -> None:
        from localemu.aws.spec import get_service_catalog  # noqa: PLC0415
        from localemu.services.plugins import SERVICE_PLUGINS  # noqa: PLC0415

        began = time.monotonic()
        get_service_catalog()
        for name in PRELOADED:
            if self._runtime.stopping.is_set():
                return
            try:
                SERVICE_PLUGINS.require(name)
            except Exception:
                # The first request to the service meets the same error, and its caller is told.
                logger.exception("The service %s could not be loaded", name)
        logger.info("All services are loaded, %.1f s after the start", time.monotonic() - began)

    def stop(self) -> None:
        """End mappings and functions, within `SERVICES_STOP_S`; nothing is polled or invoked afterwards, unless it hangs."""
        from localemu.services.plugins import SERVICE_PLUGINS  # noqa: PLC0415

        self._runtime.stopping.set()
        stopping = threading.Thread(target=SERVICE_PLUGINS.stop_services, args=[["lambda"]], daemon=True)
        stopping.start()
        stopping.join(SERVICES_STOP_S)
        if stopping.is_alive():
            logger.warning("Functions are still running after %.1f s and are ended", SERVICES_STOP_S)
