"""The process behind `couch up`: LocalEmu with the image models, the patches and `/_couch/…` in front of it.

Started as `python -m couch_explorers.local.engine.server PORT` with the environment of `settings.server_environment`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from couch_explorers.local.administration import PREFIX, Administration
from couch_explorers.local.request_log import logged
from couch_explorers.local.settings import HOST
from couch_explorers.local.stand_in import ImageModelStandIn

if TYPE_CHECKING:
    from couch_explorers.local.asgi import Application, Message, Receive, Send

logger = logging.getLogger("couch.local")

# Seconds that requests in flight get when the server stops.
GRACE_S = 1.5
# Seconds after which a stop that hangs is cut off; `couch down` waits longer than this.
STOP_DEADLINE_S = 4.5


class LocalCloud:
    """The ASGI application: answers `/_couch/…` itself and hands everything else to LocalEmu's gateway."""

    def __init__(self, gateway: Application, administration: Administration) -> None:
        self.gateway = gateway
        self.administration = administration

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] != "http":
            await self.gateway(scope, receive, send)
            return
        path = unquote(scope["raw_path"].decode("latin-1")) if scope.get("raw_path") else scope["path"]
        if path.startswith(PREFIX):
            await self.administration.answer(scope["method"], path, receive, send)
            return
        # A laptop's loopback is as private as TLS, so policies that demand TLS are kept as on AWS and met here.
        scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        await self.gateway(scope, receive, send)


class Server:
    """LocalEmu's runtime, served by hypercorn on the loopback address until SIGTERM or SIGINT."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.models = ImageModelStandIn()

    def run(self) -> None:
        """Start everything, serve, and end the process within the deadline of a stop, whatever hangs."""
        asyncio.run(self._serve())
        sys.stdout.flush()
        # LocalEmu leaves threads behind that would keep the interpreter from ending.
        os._exit(0)

    async def _serve(self) -> None:
        from hypercorn.asyncio import serve as hypercorn_serve  # noqa: PLC0415 - LocalEmu reads its settings on import
        from hypercorn.config import Config  # noqa: PLC0415
        from rolo.gateway.asgi import AsgiGateway  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_stop, stop)
        runtime = await asyncio.to_thread(self._start_engine)
        administration = Administration(self.models, self._save_state, None)
        cloud: Application = LocalCloud(AsgiGateway(runtime.components.gateway, event_loop=loop), administration)
        if file := os.environ.get("COUCH_REQUEST_LOG"):
            cloud = logged(cloud, Path(file))
        config = Config()
        config.bind = [f"{HOST}:{self.port}"]
        config.h11_pass_raw_headers = True
        config.keep_alive_timeout = 75
        config.graceful_timeout = GRACE_S
        config.accesslog = None
        ready = threading.Timer(0.1, self._ready, [runtime])
        ready.start()
        try:
            await hypercorn_serve(cloud, config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
        finally:
            await asyncio.to_thread(self._stop_engine, runtime)

    def _start_engine(self) -> Any:
        """Create LocalEmu's runtime, patched, and run its start hooks."""
        import typing_extensions  # noqa: PLC0415

        if not hasattr(warnings, "deprecated"):
            # LocalEmu imports it from `warnings`, where Python has it since 3.13.
            warnings.deprecated = typing_extensions.deprecated  # type: ignore[attr-defined]

        from localemu import constants  # noqa: PLC0415
        from localemu.aws.components import AwsComponents  # noqa: PLC0415
        from localemu.runtime import current, hooks  # noqa: PLC0415
        from localemu.runtime.runtime import LocalemuRuntime  # noqa: PLC0415

        from couch_explorers.local.engine import patches  # noqa: PLC0415

        os.environ[constants.LOCALEMU_INFRA_PROCESS] = "1"
        hooks.on_runtime_create.run()
        runtime = LocalemuRuntime(AwsComponents())
        current.set_current_runtime(runtime)
        patches.apply_all()
        runtime._init_filesystem()  # noqa: SLF001 - what LocalemuRuntime.run does, without its server and its certificate
        runtime._on_starting()  # noqa: SLF001
        _ = runtime.components.gateway
        return runtime

    def _ready(self, runtime: Any) -> None:
        """Tell LocalEmu that it is reachable: its mappings and alarms begin to work."""
        runtime._on_ready()  # noqa: SLF001

    def _stop_engine(self, runtime: Any) -> None:
        """Let the services end what they do, and save the state."""
        self._save_state()
        runtime.stopping.set()

    def _save_state(self) -> None:
        """Write what has changed since the last time."""

    def _begin_stop(self, stop: asyncio.Event) -> None:
        """Stop in order; a thread cuts it off when that takes too long."""
        watchdog = threading.Timer(STOP_DEADLINE_S, os._exit, [1])
        watchdog.daemon = True
        watchdog.start()
        stop.set()


def main() -> None:
    """Run the server on the port given as the only argument."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    _raise_file_limit()
    Server(int(sys.argv[1])).run()


def _raise_file_limit() -> None:
    """Let a burst of connections not run into the soft limit of open files (256 on macOS)."""
    import resource  # noqa: PLC0415

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 10_240), hard), hard))


if __name__ == "__main__":
    main()
