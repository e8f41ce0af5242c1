"""What a service holds besides messages, objects and log events: each of its stores as one record."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from localemu.services.stores import AccountRegionBundle
from localemu.state.registry import NATIVE_STORES
from moto.backends import get_backend
from moto.core.base_backend import BackendDict

from couch_explorers.local.engine.state import pickling
from couch_explorers.local.engine.state.journal import Changes, Journal, Key

logger = logging.getLogger("couch.local")

STORE, BACKEND = "store", "backend"

# `queues` and `objects` keep these by their parts.
_ELSEWHERE = frozenset({"s3", "sqs"})

# Services whose calls change the stores of others, too.
_ALSO = {"sts": ("iam",), "cloudformation": ("logs",)}

# What changes nothing and comes often.
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
# A store's attributes that its bundle gives it.
_OF_BUNDLE = ("_global", "_universal", "_service_name", "_account_id", "_region_name")


class Stores:
    """Which services' stores have changed since they were last written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: set[str] = set()

    def called(self, service: str, operation: str) -> None:
        """Take note of an operation. Reads count, too: what a service does by itself is seen by asking it."""
        if service not in _ELSEWHERE and not service.startswith("bedrock") and (service, operation) not in _READS:
            with self._lock:
                self._services.update((service, *_ALSO.get(service, ())))

    def changes(self, *, everything: bool = False) -> Changes:
        """The values of the records that may not be up to date."""
        with self._lock:
            services, self._services = self._services, set()
        found: dict[Key, bytes | None] = {}
        if not services and not everything:
            return found
        for key, service, content in [*_bundles(), *_backends()]:
            if everything or service in services:
                try:
                    found[key] = pickling.dumps(content())
                except Exception:
                    # One service must not keep the others from being written; it is tried again.
                    logger.exception("The state of %s was not saved this time", service)
                    with self._lock:
                        self._services.add(service)
        return found

    @staticmethod
    def restore(journal: Journal) -> set[str]:
        """Put every store back; returns the services that have one."""
        services = set()
        for name, content in journal.records(BACKEND).items():
            backends = get_backend(name)
            for account, region, backend in pickling.loads(content):
                dict.__setitem__(backends[account], region, backend)
            services.add(name)
        for name, content in journal.records(STORE).items():
            module, attribute = NATIVE_STORES[name]
            bundle = getattr(import_module(module), attribute)
            _load_bundle(bundle, content)
            services.add(bundle.service_name)
        return services


def _bundles() -> Iterator[tuple[Key, str, Callable[[], Any]]]:
    """LocalEmu's own stores, of the services that are loaded: key, service, and what gives the content."""
    for name, (module, attribute) in NATIVE_STORES.items():
        bundle = None if name in _ELSEWHERE else getattr(sys.modules.get(module), attribute, None)
        if bundle:
            yield Key(STORE, name), bundle.service_name, partial(_bundle_content, bundle)


def _backends() -> Iterator[tuple[Key, str, Callable[[], Any]]]:
    """The backends of moto, where LocalEmu uses them."""
    _prepare()
    # One stands in the list for each of its accounts.
    for name, backends in {backends.service_name: backends for backends in list(BackendDict._instances)}.items():  # noqa: SLF001
        if name not in _ELSEWHERE:
            yield Key(BACKEND, name), name, partial(_backend_content, backends)


def _backend_content(backends: BackendDict) -> list[tuple[str, str, Any]]:
    return list(backends.iter_backends())


def _bundle_content(bundle: AccountRegionBundle) -> tuple[Any, Any]:
    accounts = {
        account: (
            regions._global,  # noqa: SLF001
            {
                region: {name: value for name, value in list(store.__dict__.items()) if name not in _OF_BUNDLE}
                for region, store in list(regions.items())
            },
        )
        for account, regions in list(bundle.items())
    }
    return bundle._universal, accounts  # noqa: SLF001


def _load_bundle(bundle: AccountRegionBundle, content: bytes) -> None:
    universal, accounts = pickling.loads(content)
    # Stores hold these dictionaries, so they are filled and not replaced.
    bundle._universal.update(universal)  # noqa: SLF001
    for account, (of_account, regions) in accounts.items():
        bundle[account]._global.update(of_account)  # noqa: SLF001
        for region, values in regions.items():
            bundle[account][region].__dict__.update(values)


def _prepare() -> None:
    """Name the reducers of what only a loaded service has."""
    for module, name, reducer in (
        ("moto.ssm.models", "ParameterDict", _reduce_parameters),
        ("moto.iam.models", "IAMBackend", _reduce_iam),
        ("moto.iam.models", "AWSManagedPolicy", _reduce_aws_policy),
    ):
        # Another thread may be loading the module at this moment; then there is nothing of it to be written.
        if (kind := getattr(sys.modules.get(module), name, None)) is not None:
            pickling.REDUCERS.setdefault(kind, reducer)


def _reduce_parameters(parameters: Any) -> tuple[Any, ...]:
    """A dictionary whose constructor takes arguments."""
    return type(parameters), (parameters.account_id, parameters.region_name), None, None, iter(parameters.items())


# AWS's own policies are four megabytes for each account. They come with moto, so only which of them are attached is kept.
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
