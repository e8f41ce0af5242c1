"""Requests to the loopback address bypass proxies: with urllib, botocore, and in child processes."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

# For every implementation of NO_PROXY: urllib and botocore compare names, curl and Go also addresses.
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
# curl and Python read the lower-case spelling first, Go the upper-case one: both must say the same.
NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
EVERYTHING = "*"

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def is_loopback(url: str) -> bool:
    """Check whether a URL's host is the loopback address, by name or by number."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
        if host == "localhost" or host.endswith(".localhost"):
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def open_url(request: urllib.request.Request | str, *, timeout_s: float) -> Any:
    """Open a URL like `urllib.request.urlopen`, but the loopback address without any proxy.

    Raises what `urlopen` raises.
    """
    url = request if isinstance(request, str) else request.full_url
    if is_loopback(url):
        return _direct.open(request, timeout=timeout_s)
    # Not `urlopen`, which keeps the proxies of the environment at its first call.
    return urllib.request.build_opener().open(request, timeout=timeout_s)


def no_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """NO_PROXY in both spellings, with the loopback address and all that an environment excepts already."""
    listed = [
        entry.strip() for name in NO_PROXY_VARIABLES for entry in environment.get(name, "").split(",") if entry.strip()
    ]
    # An asterisk counts only when it stands alone (urllib), and then it excepts the loopback address too.
    value = EVERYTHING if EVERYTHING in listed else ",".join(dict.fromkeys([*listed, *LOOPBACK_NAMES]))
    return dict.fromkeys(NO_PROXY_VARIABLES, value)


def bypass_proxies(environment: MutableMapping[str, str] = os.environ) -> None:
    """Except the loopback address from the proxies that an environment names; without any, leave it as it is.

    Python on macOS takes the system's proxies only where the environment says nothing of proxies at all.
    """
    if any(_names_a_proxy(name) and value for name, value in environment.items()):
        environment.update(no_proxy(environment))


def without_proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a program that asks nothing but the loopback address: no proxy, not even the system's."""
    kept = {name: value for name, value in environment.items() if not name.lower().endswith("_proxy")}
    return kept | no_proxy({})


def _names_a_proxy(variable: str) -> bool:
    return variable.lower().endswith("_proxy") and variable not in NO_PROXY_VARIABLES
