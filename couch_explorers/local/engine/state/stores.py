"""The state of every other service: each of its stores as one pickled record, and the events of log streams as plain JSON.

A store holds objects of LocalEmu's and moto's own classes. What exists only while a process runs, such as locks and threads, is
created again when a store is read. Log events are many and never change, so they are kept apart from the store of CloudWatch Logs,
a few hundred in each record.
"""

import io
import json
import logging
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from types import FunctionType, LambdaType
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import dill
from localemu.services.stores import AccountRegionBundle
from localemu.state.registry import NATIVE_STORES
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.logs.models import LogEvent, LogStream, logs_backends

from couch_explorers.local.engine.state.journal import Changes, Journal, Key

logger = logging.getLogger("couch.local")

STORE, BACKEND = "store", "backend"

# Saved by `queues` and `objects`.
_ELSEWHERE = frozenset({"s3", "sqs"})

# Services whose calls change other services' stores, too.
_ALSO = {"sts": ("iam",), "cloudformation": ("logs",)}

# Frequent operations that change no store.
_READS = frozenset(
    {
        ("cloudwatch", "GetMetricData"),
        ("cloudwatch", "GetMetricStatistics"),
        ("cloudwatch", "ListMetrics"),
        ("cloudwatch", "PutMetricData"),
        ("lambda", "Invoke"),
        ("logs", "FilterLogEvents"),
        ("logs", "GetLogEvents"),
        ("sts", "GetCallerIdentity"),
    }
)
# The attributes of a store that its bundle sets.
_OF_BUNDLE = ("_global", "_universal", "_service_name", "_account_id", "_region_name")


class Stores:
    """The services whose stores may have changed since they were last written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: set[str] = set()

    def called(self, service: str, operation: str) -> None:
        """Note an operation. Most reads count, too: they show what a service has changed by itself."""
        if service not in _ELSEWHERE and not service.startswith("bedrock") and (service, operation) not in _READS:
            with self._lock:
                self._services.update((service, *_ALSO.get(service, ())))

    def changes(self, *, everything: bool = False) -> Changes:
        """Return the new values of the records that may be out of date."""
        with self._lock:
            services, self._services = self._services, set()
        found: dict[Key, bytes | None] = {}
        if not services and not everything:
            return found
        for key, service, content in [*_bundles(), *_backends()]:
            if everything or service in services:
                try:
                    found[key] = dumps(content())
                except Exception:
                    # One service must not keep the others from being written; it is tried again.
                    logger.exception("The state of %s was not saved this time", service)
                    with self._lock:
                        self._services.add(service)
        return found

    @staticmethod
    def restore(journal: Journal) -> set[str]:
        """Restore every store; return the services that have one."""
        services = set()
        for name, content in journal.records(BACKEND).items():
            backends = get_backend(name)
            for account, region, backend in loads(content):
                dict.__setitem__(backends[account], region, backend)
            services.add(name)
        for name, content in journal.records(STORE).items():
            module, attribute = NATIVE_STORES[name]
            bundle = getattr(import_module(module), attribute)
            _load_bundle(bundle, content)
            services.add(bundle.service_name)
        return services


def _bundles() -> Iterator[tuple[Key, str, Callable[[], Any]]]:
    """Yield key, service and a function that returns the content, for each LocalEmu store of a loaded service."""
    for name, (module, attribute) in NATIVE_STORES.items():
        bundle = None if name in _ELSEWHERE else getattr(sys.modules.get(module), attribute, None)
        if bundle:
            yield Key(STORE, name), bundle.service_name, partial(_bundle_content, bundle)


def _backends() -> Iterator[tuple[Key, str, Callable[[], Any]]]:
    """Yield key, service and a function that returns the content, for each moto backend in use."""
    _register_reducers()
    # The list has one entry for each account of a service.
    for name, backends in {backends.service_name: backends for backends in list(BackendDict._instances)}.items():
        if name not in _ELSEWHERE:
            yield Key(BACKEND, name), name, partial(_backend_content, backends)


def _backend_content(backends: BackendDict) -> list[tuple[str, str, Any]]:
    return list(backends.iter_backends())


def _bundle_content(bundle: AccountRegionBundle) -> tuple[Any, Any]:
    accounts = {
        account: (
            regions._global,
            {
                region: {name: value for name, value in list(store.__dict__.items()) if name not in _OF_BUNDLE}
                for region, store in list(regions.items())
            },
        )
        for account, regions in list(bundle.items())
    }
    return bundle._universal, accounts


def _load_bundle(bundle: AccountRegionBundle, content: bytes) -> None:
    universal, accounts = loads(content)
    # Stores hold references to these dictionaries, so they are updated in place.
    bundle._universal.update(universal)
    for account, (of_account, regions) in accounts.items():
        bundle[account]._global.update(of_account)
        for region, values in regions.items():
            bundle[account][region].__dict__.update(values)


def _register_reducers() -> None:
    """Register the reducers of types that exist only once their service is loaded."""
    for module, name, reducer in (
        ("moto.ssm.models", "ParameterDict", _reduce_parameters),
        ("moto.iam.models", "IAMBackend", _reduce_iam),
        ("moto.iam.models", "AWSManagedPolicy", _reduce_aws_policy),
    ):
        # While another thread is still loading the module, there is nothing of that service to write.
        if (kind := getattr(sys.modules.get(module), name, None)) is not None:
            REDUCERS.setdefault(kind, reducer)


def _reduce_parameters(parameters: Any) -> tuple[Any, ...]:
    """A dictionary whose constructor takes arguments."""
    return type(parameters), (parameters.account_id, parameters.region_name), None, None, iter(parameters.items())


# AWS's managed policies are 4 MB for each account and come with moto, so only their attachment counts are saved.
_restored_iam: dict[str, Any] = {}


def _reduce_iam(backend: Any) -> tuple[Any, ...]:
    own = {arn: policy for arn, policy in backend.managed_policies.items() if policy.account_id in arn}
    state = backend.__dict__ | {"managed_policies": own}
    del state["aws_managed_policies"]
    return _new_iam, (type(backend), backend.region_name, backend.account_id), state, None, None, _fill_iam


def _new_iam(kind: Any, region: str, account: str) -> Any:
    _restored_iam[account] = kind(region, account)
    return _restored_iam[account]


def _fill_iam(backend: Any, state: dict[str, Any]) -> None:
    own = state.pop("managed_policies")
    backend.__dict__.update(state)
    backend.managed_policies.update(own)


def _reduce_aws_policy(policy: Any) -> tuple[Any, ...]:
    return _aws_policy, (policy.account_id, policy.arn, policy.attachment_count)


def _aws_policy(account: str, arn: str, attachment_count: int) -> Any:
    policy = _restored_iam[account].managed_policies[arn]
    policy.attachment_count = attachment_count
    return policy


# --- pickling ---------------------------------------------------------------------------------------------------------


# What `reducer_override` returns for an object of a type.
Reducer = Callable[[Any], tuple[Any, ...]]


def _nothing() -> None:
    """Take the place of an object that does not outlive its process."""


# Reducers by exact type.
REDUCERS: dict[type, Reducer] = {
    type(threading.RLock()): lambda _: (threading.RLock, ()),
    type(threading.Lock()): lambda _: (threading.Lock, ()),
    threading.Thread: lambda _: (_nothing, ()),
    # Its entries are in other containers too, which restore them on demand.
    WeakValueDictionary: lambda _: (WeakValueDictionary, ()),
}


class _Pickler(pickle.Pickler):
    """The C pickler with `REDUCERS`. Only lambdas and local functions are left to dill, which is many times slower."""

    def reducer_override(self, value: Any) -> Any:
        """Reduce the types in `REDUCERS`, lambdas and local functions."""
        kind = type(value)
        if (reducer := REDUCERS.get(kind)) is not None:
            return reducer(value)
        if kind in (FunctionType, LambdaType) and "<" in value.__qualname__:
            return dill.loads, (dill.dumps(value),)
        return NotImplemented


def dumps(value: Any) -> bytes:
    """Pickle an object graph; where it changes meanwhile, begin again."""
    while True:
        file = io.BytesIO()
        try:
            _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(value)
        except RuntimeError as error:
            if "changed size during iteration" not in str(error):
                raise
            continue
        return file.getvalue()


def loads(content: bytes) -> Any:
    """Return the object graph that `dumps` pickled."""
    return pickle.loads(content)  # noqa: S301 - only from the journal, which is the user's own file


# --- log events -------------------------------------------------------------------------------------------------------


EVENTS = "log-events"

# Events in a record: small enough that a busy stream rewrites little, large enough that there are few records.
_CHUNK = 200


def _without_events(stream: LogStream) -> tuple[Any, ...]:
    return object.__new__, (LogStream,), stream.__dict__ | {"events": []}


# A stream is pickled without its events.
REDUCERS[LogStream] = _without_events


class Logs:
    """The log events that have come since they were last written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: set[LogStream] = set()
        self._removed = False
        # How many events of a stream are written.
        self._written: WeakKeyDictionary[LogStream, int] = WeakKeyDictionary()

    def put(self, stream: LogStream) -> None:
        """Note that a stream has new events."""
        with self._lock:
            self._streams.add(stream)

    def called(self, operation: str) -> None:
        """Note an operation that may have deleted a stream."""
        self._removed |= operation in {"DeleteLogGroup", "DeleteLogStream"}

    def changes(self, known: set[str]) -> Changes:
        """Return the new values of the records that are out of date, given the names of the existing records."""
        with self._lock:
            streams, self._streams = self._streams, set()
        found: dict[Key, bytes | None] = {}
        if self._removed:
            self._removed = False
            there = {
                _stream_name(stream)
                for _, _, backend in list(logs_backends.iter_backends())
                for group in list(backend.groups.values())
                for stream in list(group.streams.values())
            }
            found.update({Key(EVENTS, name): None for name in known if _parse(name)[0] not in there})
        for stream in streams:
            if stream.log_group.streams.get(stream.log_stream_name) is not stream:
                continue
            events = list(stream.events)
            written = self._written.get(stream, 0)
            if written > len(events):
                written = 0
            for chunk in range(written // _CHUNK, -(-len(events) // _CHUNK)):
                part = events[chunk * _CHUNK : (chunk + 1) * _CHUNK]
                found[Key(EVENTS, _record_name(stream, chunk))] = json.dumps(
                    [[event.event_id, event.timestamp, event.ingestion_time, event.message] for event in part],
                    separators=(",", ":"),
                ).encode()
            self._written[stream] = len(events)
        return found

    def restore(self, journal: Journal) -> None:
        """Restore the events to their streams, which are in the store of CloudWatch Logs and restored before."""
        chunks: dict[tuple[str, ...], dict[int, bytes]] = {}
        for name, content in journal.records(EVENTS).items():
            stream, chunk = _parse(name)
            chunks.setdefault(stream, {})[chunk] = content
        highest = -1
        for (account, region, group_name, stream_name), contents in chunks.items():
            group = logs_backends[account][region].groups.get(group_name)
            if group is None or (stream := group.streams.get(stream_name)) is None:
                continue
            for _, content in sorted(contents.items()):
                for identifier, timestamp, ingestion_time, message in json.loads(content):
                    event = LogEvent(ingestion_time, {"timestamp": timestamp, "message": message})
                    event.event_id = identifier
                    stream.events.append(event)
                    highest = max(highest, identifier)
            self._written[stream] = len(stream.events)
        LogEvent._event_id = max(LogEvent._event_id, highest + 1)


def _stream_name(stream: LogStream) -> tuple[str, ...]:
    return stream.account_id, stream.region, stream.log_group.name, stream.log_stream_name


def _record_name(stream: LogStream, chunk: int) -> str:
    return json.dumps([*_stream_name(stream), chunk])


def _parse(name: str) -> tuple[tuple[str, ...], int]:
    *stream, chunk = json.loads(name)
    return tuple(stream), chunk
