"""Patches for LocalEmu where it differs from AWS: one module for each service, and two for all requests.

A module of patches has `apply()`, which changes LocalEmu before its services load, and `SEAMS`: every private piece of LocalEmu that
it replaces or relies on, as "module:qualified.name", with a digest of the piece's source in the pinned release. After an upgrade,
`tests/local/engine/test_patches.py` names the pieces that have changed. Each patch says which behaviour of LocalEmu it changes and
which AWS documentation it follows; it is no longer needed once LocalEmu behaves so by itself.
"""

from __future__ import annotations

import hashlib
import inspect
from functools import reduce, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# In the order in which they are applied; `state` last, since it watches methods that others replace.
MODULES: tuple[str, ...] = (
    "api_gateway",
    "cloudformation",
    "requests",
    "iam",
    "lambda_",
    "s3",
    "sns",
    "sqs",
    "sts",
    "state",
)

# Other modules with `SEAMS`.
ATTACHED: tuple[str, ...] = (__name__, "couch_explorers.local.engine.telemetry")

SEAMS = {
    "localemu.aws.app:LocalemuAwsGateway.__init__": "5f74a78d1e56",
    "localemu.services.plugins:ServicePluginManager._load_service_plugin": "caa4ac768111",
}

# What is to change once a service is loaded, or when it is about to be, by LocalEmu's name of the service.
_when_loaded: dict[str, list[Callable[[], None]]] = {}
_before_loading: dict[str, list[Callable[[], None]]] = {}
# What is to change in a new gateway.
_gateway_changes: list[Callable[[Any], None]] = []


def when_loaded(service: str, change: Callable[[], None]) -> None:
    """Call `change` when LocalEmu has loaded a service, before its first request.

    For patches whose own imports would load the service, which takes seconds that the start of the local cloud does not have. The
    provider's operations are bound by then, so change what they call, or LocalEmu's `skeleton.dispatch_table`.
    """
    _when_loaded.setdefault(service, []).append(change)


def before_loading(service: str, change: Callable[[], None]) -> None:
    """Call `change` when LocalEmu is about to load a service: its modules may be imported and their classes replaced then."""
    _before_loading.setdefault(service, []).append(change)


def when_gateway_is_created(change: Callable[[Any], None]) -> None:
    """Call `change` with LocalEmu's gateway when it is created, to add handlers to its chains or to remove some."""
    _gateway_changes.append(change)


def _watch_loading() -> None:
    from localemu.services.plugins import ServicePluginManager

    def load_service_plugin(load: Callable[..., Any], manager: Any, name: str) -> Any:
        for change in _before_loading.pop(name, ()):
            change()
        plugin = load(manager, name)
        for change in _when_loaded.pop(name, ()):
            change()
        return plugin

    # Called once for each service, under its lock.
    wrap(ServicePluginManager, "_load_service_plugin", load_service_plugin)


def _watch_gateways() -> None:
    from localemu.aws.app import LocalemuAwsGateway

    def initialize(original: Callable[..., None], gateway: Any, *arguments: Any, **options: Any) -> None:
        original(gateway, *arguments, **options)
        for change in _gateway_changes:
            change(gateway)

    wrap(LocalemuAwsGateway, "__init__", initialize)


def apply_all() -> None:
    """Apply every patch to the LocalEmu of this process, before its services load."""
    _watch_loading()
    _watch_gateways()
    for name in MODULES:
        import_module(f"{__name__}.{name}").apply()


def wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace a method, or a function of a module, by a wrapper that gets the original as its first argument.

    Args:
        owner: The class or the module.
        name: The name of the method or function. The replacement has its signature, and what LocalEmu's decorators set on it.
        wrapper: Called with the original function and the call's arguments, `self` included.

    """
    original = getattr(owner, name)

    @wraps(original)
    def replacement(*arguments: Any, **keywords: Any) -> Any:
        return wrapper(original, *arguments, **keywords)

    is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    setattr(owner, name, staticmethod(replacement) if is_static else replacement)


def service_error(code: str, message: str, status: int = 400) -> Exception:
    """Return an error that LocalEmu answers a request with, in the protocol of the request's service."""
    from localemu.aws.api import CommonServiceException

    error: Exception = CommonServiceException(code, message, status, sender_fault=True)
    return error


def digest(seam: str) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of a seam's source.

    Args:
        seam: Such as `localemu.services.sqs.provider:SqsProvider`.

    Raises:
        AttributeError: LocalEmu's module no longer has it.
        ModuleNotFoundError: LocalEmu no longer has the module.

    """
    module, _, name = seam.partition(":")
    piece: Any = reduce(getattr, name.split("."), import_module(module))
    return hashlib.sha256(inspect.getsource(inspect.unwrap(piece)).encode()).hexdigest()[:12]


def changed_seams() -> Mapping[str, str]:
    """Return every seam whose digest is not the one that its patch was written for, with the new digest or why it is gone."""
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
