"""What LocalEmu answers otherwise than AWS, one module a concern.

A module of patches has `apply()`, which changes LocalEmu before its services load, and `SEAMS`: every private piece of LocalEmu
that it replaces or relies on, as "module:qualified.name" → digest of its source in the pinned release. A test compares them, so
that an upgrade of the engine says which patches to look at. Each patch names the upstream behaviour that it changes and the
AWS documentation that it follows.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import reduce, wraps
from importlib import import_module
from typing import Any

# In the order in which they are applied; `state` last, since it watches what others may replace.
MODULES: tuple[str, ...] = (
    "api_gateway",
    "api_integrations",
    "cloudformation",
    "function_urls",
    "http_server",
    "invoke_requests",
    "lambda_processes",
    "metric_points",
    "not_offered",
    "request_checks",
    "request_path",
    "rights",
    "s3_listing",
    "service_rights",
    "sns",
    "sqs",
    "sqs_mappings",
    "state",
    "trust",
)

# Modules with `SEAMS` that are not applied here.
ATTACHED: tuple[str, ...] = ("couch_explorers.local.engine.telemetry",)


# What is to change in a service's modules once they are loaded, by LocalEmu's name of the service.
_waiting: dict[str, list[Callable[[], None]]] = {}
_before: dict[str, list[Callable[[], None]]] = {}


def when_loaded(service: str, change: Callable[[], None]) -> None:
    """Call `change` when LocalEmu loads a service, before its first request.

    For patches whose own imports would load the service: that takes seconds, which the start of the local cloud does not have.
    The provider's operations are bound by then, so change what they call, or LocalEmu's `skeleton.dispatch_table`.
    """
    _waiting.setdefault(service, []).append(change)


def before_loading(service: str, change: Callable[[], None]) -> None:
    """Call `change` when LocalEmu is about to load a service: its modules may be imported and their classes replaced then."""
    _before.setdefault(service, []).append(change)


def _watch_loading() -> None:
    from localemu.services.plugins import ServicePluginManager  # noqa: PLC0415 - LocalEmu reads its settings on import

    load = ServicePluginManager._load_service_plugin  # noqa: SLF001 - called once a service, under its lock

    @wraps(load)
    def load_service_plugin(manager: Any, name: str) -> Any:
        for change in _before.pop(name, ()):
            change()
        plugin = load(manager, name)
        for change in _waiting.pop(name, ()):
            change()
        return plugin

    ServicePluginManager._load_service_plugin = load_service_plugin  # noqa: SLF001


def apply_all() -> None:
    """Apply every patch to the LocalEmu of this process, before its services load."""
    _watch_loading()
    for name in MODULES:
        import_module(f"{__name__}.{name}").apply()


def digest(seam: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a seam's source, such as `localemu.services.sqs.provider:SqsProvider`.

    Raises AttributeError or ModuleNotFoundError where LocalEmu no longer has it.
    """
    module, _, name = seam.partition(":")
    piece: Any = reduce(getattr, name.split("."), import_module(module))
    return hashlib.sha256(inspect.getsource(inspect.unwrap(piece)).encode()).hexdigest()[:12]


def changed_seams() -> Mapping[str, str]:
    """Every seam whose source is not the one that its patch was written against, with what it is now or why it is gone."""
    changed = {}
    for name in (*(f"{__name__}.{each}" for each in MODULES), *ATTACHED):
        for seam, expected in import_module(name).SEAMS.items():
            try:
                found = digest(seam)
            except (AttributeError, ModuleNotFoundError, OSError, TypeError) as error:
                found = str(error)
            if found != expected:
                changed[f"{name.rpartition('.')[2]}: {seam}"] = found
    return changed
