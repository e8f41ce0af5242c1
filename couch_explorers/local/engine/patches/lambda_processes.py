"""Lambda functions run as processes: LocalEmu's own executor needs Docker.

LocalEmu's plug-in point `localemu.lambda.runtime_executor` prepares code only; how a version is invoked, logged and measured is its
`LambdaVersionManager`, of which the Lambda service makes one for every version.
"""

import logging
from pathlib import Path
from typing import Any

from couch_explorers.paths import Home

SEAMS = {
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.create_function_version": "da67e1d5c949",
    "localemu.services.lambda_.invocation.lambda_models:S3Code.get_unzipped_code_location": "97014298fe50",
    "localemu.services.lambda_.invocation.lambda_service:LambdaService.publish_version": "f7bf9cdc0af1",
    "localemu.services.lambda_.invocation.runtime_executor:get_runtime_executor": "69481e6133f1",
    "localemu.services.lambda_.invocation.version_manager:LambdaVersionManager": "166c312d003b",
}


# What LocalEmu's Lambda warns of and what is not so here: log formats are kept, and mappings on queues are our own.
UNTRUE_WARNINGS = (
    "Advanced Lambda Logging Configuration is currently mocked",
    "Updating Lambda Event Source Mapping is in experimental",
)


def apply() -> None:
    """Make `process` an executor, and its manager the manager of every version."""
    from localemu.services.lambda_.invocation import lambda_service, runtime_executor  # noqa: PLC0415
    from localemu.services.lambda_.invocation.lambda_models import S3Code  # noqa: PLC0415
    from localemu.services.lambda_.invocation.plugins import RuntimeExecutorPlugin  # noqa: PLC0415
    from plux import PluginFinder, PluginManager, PluginSpec  # noqa: PLC0415

    from couch_explorers.local.engine.lambda_runtime.version_manager import (  # noqa: PLC0415
        ProcessExecutor,
        ProcessVersionManager,
    )

    unpacked = Home.current().path / "engine" / "functions"

    def code_location(code: Any) -> Path:
        # With the rest of the local cloud, not in the machine's temporary folder: what is killed leaves nothing behind there.
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
        lambda record: not str(record.msg).startswith(UNTRUE_WARNINGS)
    )
    # This package is not installed where LocalEmu is, so its entry points do not name it.
    runtime_executor.EXECUTOR_PLUGIN_MANAGER = PluginManager(RuntimeExecutorPlugin.namespace, finder=Finder())
    lambda_service.LambdaVersionManager = ProcessVersionManager
