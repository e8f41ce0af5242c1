"""The process behind `couch up`: LocalEmu with the image models, the patches and `/_couch/…` in front of it.

Started as `python -m couch_explorers.local.engine.server PORT` with the environment of `settings.server_environment`.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import psutil

from couch_explorers.local.admin_api import PREFIX, AdminApi
from couch_explorers.local.asgi import reply, with_request_log
from couch_explorers.local.bedrock.emulator import CallLog, ImageModelEmulator
from couch_explorers.local.engine import service_faults
from couch_explorers.local.engine.bedrock import Bedrock
from couch_explorers.local.engine.state.journal import StateError
from couch_explorers.local.engine.telemetry import LocalEmu, messages_of
from couch_explorers.local.settings import HOST
from couch_explorers.local.telemetry import service
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from couch_explorers.local.asgi import Application, Message, Receive, Send
    from couch_explorers.local.engine.runtime import EngineRuntime
    from couch_explorers.local.engine.state.saver import State

logger = logging.getLogger("couch.local")

# API Gateway treats several slashes before a stage's name as one.
REPEATED_SLASHES = re.compile(rb"^(/_aws/execute-api/[^/]+)/{2,}")
MODEL_CALL = re.compile(r"^/model/.+/(invoke|converse)$")
# LocalEmu's own administration, which can stop the process and change its settings; it is not used here.
ENGINE_ADMINISTRATION = "/_localemu"

# Seconds for requests in flight when the server stops.
GRACE_S = 1.5
# Seconds after which a stop that hangs is aborted; `couch down` waits longer than this.
STOP_DEADLINE_S = 4.0
# Connections that may wait to be accepted while the server starts.
BACKLOG = 1024


class LocalCloud:
    """The ASGI application: answers `/_couch/…` itself, and passes everything else to LocalEmu's gateway."""

    def __init__(self, engine: Application, bedrock: Bedrock, administration: AdminApi) -> None:
        self.engine = engine
        self.bedrock = bedrock
        self.administration = administration

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Route one connection."""
        if scope["type"] != "http":
            await self.engine(scope, receive, send)
            return
        path = unquote(scope["raw_path"].decode("latin-1")) if scope.get("raw_path") else scope["path"]
        if path.startswith(PREFIX):
            await self.administration.answer(scope["method"], path, receive, send)
            return
        if path.startswith(ENGINE_ADMINISTRATION):
            sentence = f"{path} is not known. The local cloud's own addresses begin with {PREFIX}."
            await reply(send, 404, {"content-type": "application/json"}, json.dumps({"error": sentence}).encode())
            return
        if b"//" in (scope.get("raw_path") or b""):
            scope["raw_path"] = REPEATED_SLASHES.sub(rb"\1/", scope["raw_path"])
            scope["path"] = unquote(scope["raw_path"].decode("latin-1"))
        # The loopback address is as private as TLS, so requests satisfy policies that require TLS on AWS.
        scope["headers"] = [*scope["headers"], (b"x-forwarded-proto", b"https")]
        if scope["method"] == "POST" and MODEL_CALL.match(path):
            await self.bedrock.serve(self.engine, scope, receive, send)
        else:
            await self.engine(scope, receive, send)


class Server:
    """LocalEmu's runtime, served by hypercorn on the loopback address until SIGTERM or SIGINT."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.began = time.monotonic()
        self.models = ImageModelEmulator(log=CallLog.from_environment(os.environ))
        self.runtime: EngineRuntime
        self.telemetry: service.Telemetry
        self.state: State

    def run(self) -> None:
        """Start everything, serve, and end the process within the deadline of a stop, even if something hangs."""
        try:
            asyncio.run(self._serve())
        except StateError as error:
            # `couch up` shows the last line.
            print(error, flush=True)  # noqa: T201
        except BaseException:
            logger.exception("The server ends by an error")
        end_process(1)

    async def _serve(self) -> None:
        # From here on, a client that connects too early waits instead of being refused.
        listener = socket.create_server((HOST, self.port), backlog=BACKLOG)
        from hypercorn.asyncio import serve as hypercorn_serve  # heavy, like LocalEmu
        from hypercorn.config import Config

        from couch_explorers.local.engine.runtime import AsgiGateway, EngineRuntime

        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._begin_stop, stop, signal.Signals(number).name)
        self.runtime = EngineRuntime()
        gateway = await asyncio.to_thread(self.runtime.start)
        bedrock = Bedrock(self.models)
        bedrock.register()
        faulty = service_faults.current()
        faulty.faults = lambda: self.models.faults
        # The services of the saved state are measured once they are loaded; alarms are evaluated once they are restored.
        self.telemetry = service.Telemetry(Home.current(), LocalEmu())
        await asyncio.to_thread(self.telemetry.attach)
        self.state = await asyncio.to_thread(self._restore_state)
        self.telemetry.start()
        administration = AdminApi(self.models, self._save_state, self.telemetry, messages_of)
        cloud: Application = LocalCloud(AsgiGateway(gateway, event_loop=loop), bedrock, administration)
        if file := os.environ.get("COUCH_REQUEST_LOG"):
            cloud = with_request_log(cloud, Path(file))
        # Around the log, which so holds what the services have done, whatever their clients have heard of it.
        cloud = faulty(cloud)
        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.backlog = BACKLOG
        config.h11_pass_raw_headers = True
        config.keep_alive_timeout = 75
        config.graceful_timeout = GRACE_S
        config.accesslog = None
        config.include_server_header = False
        config.errorlog = logging.getLogger("hypercorn")
        self.runtime.begin()
        threading.Thread(target=self.state.start, name="state-start", daemon=True).start()
        logger.info("Serving on http://%s:%d, %.1f s after the start", HOST, self.port, time.monotonic() - self.began)
        try:
            await hypercorn_serve(cloud, config, shutdown_trigger=stop.wait)
        finally:
            await asyncio.to_thread(self._stop_engine)
        # LocalEmu leaves threads that would keep the interpreter from exiting.
        end_process(0)

    def _restore_state(self) -> State:
        """Restore the saved state, before requests are served."""
        from couch_explorers.local.engine.state import saver  # heavy, like LocalEmu

        state = saver.current()
        state.restore()
        return state

    def _stop_engine(self) -> None:
        """Stop the services, and save the state."""
        self.models.close()
        self.runtime.stop()
        self.state.close()
        self.telemetry.stop()
        logger.info("Stopped")

    def _save_state(self) -> None:
        """Write what has changed since the last save."""
        self.state.save()

    def _begin_stop(self, stop: asyncio.Event, word: str) -> None:
        """Stop in order; a timer aborts that when it takes too long."""
        if stop.is_set():
            return
        logger.info("Stopping (%s)", word)
        # Works even where no Python thread can run: it prints the stack of every thread, and ends the process.
        faulthandler.dump_traceback_later(STOP_DEADLINE_S + 0.5, exit=True)
        watchdog = threading.Timer(STOP_DEADLINE_S, self._cut_off)
        watchdog.daemon = True
        watchdog.start()
        stop.set()

    def _cut_off(self) -> None:
        logger.error("The stop took longer than %.0f s and is cut off here:", STOP_DEADLINE_S)
        with suppress(Exception):
            # An open connection may keep the server from ending; what was acknowledged is saved all the same.
            self.state.save()
        faulthandler.dump_traceback(all_threads=True)
        end_process(1)


def end_process(code: int) -> None:
    """End this process at once, with every process that it has started."""
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Run the server on the port given as the only argument."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # A line for each request and each loaded service would bury the important ones.
    for name in ("localemu", "hypercorn", "botocore", "werkzeug", "rolo"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # Their warnings are about LocalEmu's own answers and SAM's own metrics.
    for name in ("localemu.aws.protocol.serializer", "samtranslator"):
        logging.getLogger(name).setLevel(logging.ERROR)
    _raise_file_limit()
    Server(int(sys.argv[1])).run()


def _raise_file_limit() -> None:
    """Raise the soft limit of open files (256 on macOS), which a burst of connections would reach."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 10_240), hard), hard))


if __name__ == "__main__":
    main()
