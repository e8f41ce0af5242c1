"""Saves what has changed every fraction of a second, and restores everything at the start."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from localemu.services.plugins import SERVICE_PLUGINS, Service

from couch_explorers.local.engine.state.journal import Journal, Key, StateError
from couch_explorers.local.engine.state.objects import BUCKET, CARRIED, Objects, import_earlier_objects
from couch_explorers.local.engine.state.queues import QUEUE, Queues, resume_moves
from couch_explorers.local.engine.state.stores import EVENTS, Logs, Stores
from couch_explorers.paths import Home

logger = logging.getLogger("couch.local")

# Seconds between two writes: a kill loses at most what came since the last one began.
INTERVAL_S = 0.2
# Seconds after the last call after which all stores are written once more, for what services do by themselves.
SETTLE_S = 3.0


# LocalEmu loads a service when it is called; these have URLs of their own, which it routes only once they are loaded.
_LISTENING = frozenset({"apigateway", "lambda", "s3"})

# What services resume after a restart: message move tasks, functions with their mappings, alarms.
_ACTIVE: Mapping[str, Callable[[Service], None]] = {
    "sqs": lambda service: resume_moves(service._provider._message_move_task_manager.submit),
    "lambda": lambda service: service.lifecycle_hook.on_after_state_load(),
    "cloudwatch": lambda service: service.lifecycle_hook.on_after_state_load(),
}


def engine_name() -> str:
    """Return name and version of what writes the records: the pickled ones hold objects of its classes."""
    return f"LocalEmu {version('localemu')} with moto {version('moto-ext')}"


class State:
    """The state of one local cloud: `restore` before requests are served, `start` when they are, `close` at the end.

    `patches.state` reports every change to `called`, `queues`, `objects` and `logs`.
    """

    def __init__(self, folder: Path, earlier: Path) -> None:
        """Set the folder, and that in which an earlier engine kept objects; nothing is read or written yet."""
        self.folder = folder
        self.earlier = earlier
        self.queues = Queues()
        self.objects = Objects(folder / "objects")
        self.logs = Logs()
        self.stores = Stores()
        # Why the latest changes could not be written; None once they are.
        self.problem: str | None = None
        self._journal: Journal | None = None
        self._restored: set[str] = set()
        self._unwritten: dict[Key, bytes | None] = {}
        self._unused: set[str] = set()
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_call = 0.0
        self._settled = True
        self._processor_s = 0.0
        self._longest_s = 0.0

    def called(self, service: str, operation: str, request: Any) -> None:
        """Note an AWS operation that was answered."""
        if service == "sqs":
            self.queues.called(operation)
        elif service == "s3":
            self.objects.called(operation, request or {})
        else:
            self.stores.called(service, operation)
            if service == "logs":
                self.logs.called(operation)
        self._last_call = time.monotonic()
        self._settled = False

    def restore(self) -> None:
        """Restore everything, before any service runs.

        Raises:
            StateError: The saved state cannot be read; it is left unchanged.

        """
        journal = Journal(self.folder, engine_name())
        try:
            self._restored = self._restore(journal)
        except StateError:
            journal.close()
            raise
        except Exception as error:
            journal.close()
            raise StateError(
                f"The saved state in {self.folder} cannot be restored ({type(error).__name__}: {error}). Move the folder away "
                "and deploy again: couch up"
            ) from error
        self._journal = journal

    def _restore(self, journal: Journal) -> set[str]:
        """Fill the engine's stores; return the services that have saved state."""
        services = self.stores.restore(journal)
        self.queues.restore(journal)
        self.objects.restore(journal)
        self.logs.restore(journal)
        if not journal.names(CARRIED):
            import_earlier_objects(self.earlier, self.objects)
            self._unwritten[Key(CARRIED, "")] = b""
        if journal.names(QUEUE):
            services.add("sqs")
        if journal.names(BUCKET):
            services.add("s3")
        for name in sorted(services & _LISTENING):
            SERVICE_PLUGINS.require(name)
        return services

    def start(self) -> None:
        """Let services resume their work, and write changes from now on. Requests must be served already."""
        # What the services resume calls other services.
        for name in self._restored & _ACTIVE.keys():
            _ACTIVE[name](SERVICE_PLUGINS.require(name))
        self._thread = threading.Thread(target=self._run, name="couch-state", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            settle = not self._settled and time.monotonic() - self._last_call > SETTLE_S
            self._settled |= settle
            try:
                self._write(everything=settle)
            except OSError as error:
                if self.problem is None:
                    logger.error("The state is not saved: %s. What is done now is kept in memory only.", error)  # noqa: TRY400
                self.problem = str(error)
            except Exception:
                logger.exception("The state was not saved this time")

    def save(self) -> None:
        """Write everything that has changed.

        Raises:
            OSError: The disk does not take it.

        """
        if self._journal is not None:
            self._write(everything=True)

    def _write(self, *, everything: bool) -> None:
        began_s = time.thread_time()
        try:
            self._write_changes(everything=everything)
        finally:
            # Under the interpreter's lock, no other thread ran for at most this long.
            took_s = time.thread_time() - began_s
            self._processor_s += took_s
            self._longest_s = max(self._longest_s, took_s)

    def _write_changes(self, *, everything: bool) -> None:
        with self._writing:
            journal = self._journal
            if journal is None:
                return
            self._unused |= self.objects.bodies.take_unused()
            self._unwritten |= self.queues.changes(journal.names(QUEUE))
            self._unwritten |= self.objects.changes()
            self._unwritten |= self.logs.changes(journal.names(EVENTS))
            self._unwritten |= self.stores.changes(everything=everything)
            if self._unwritten or self._unused:
                self.objects.bodies.sync()
                journal.write(self._unwritten)
                self._unwritten = {}
                self.objects.bodies.remove(self._unused)
                self._unused = set()
            if self.problem is not None:
                logger.warning("The state is saved again")
                self.problem = None

    def close(self) -> None:
        """Write the last changes and close the journal."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
        try:
            self.save()
        finally:
            with self._writing:
                if self._journal is not None:
                    self._journal.close()
                    self._journal = None
            logger.info(
                "The state is saved; that took %.2f s of processor time, %.3f s at most at once",
                self._processor_s,
                self._longest_s,
            )


@cache
def current() -> State:
    """Return the state of the local cloud that this process serves."""
    home = Home.current()
    return State(home.saved, home.earlier_objects)
