"""Which repository on GitHub this is a copy of: told, set by a workflow, or read from git."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from couch_explorers import git
from couch_explorers.deliverables.facts import Missing, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9._-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
# What git takes without a scheme: git@github.com:owner/name.git
SCP_FORM = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:@]+):(?P<path>[^/].*)")


def find(given: str | None, environment: Mapping[str, str], folder: Path) -> str | Missing:
    """OWNER/NAME: what was given, else GITHUB_REPOSITORY, else the origin of the folder's git repository."""
    return given or environment.get("GITHUB_REPOSITORY") or of_remote(origin(folder), environment)


def origin(folder: Path) -> str:
    """The address of git's remote `origin`; empty where there is none, or no git."""
    return git.ask(folder, "remote", "get-url", "origin")


def of_remote(address: str, environment: Mapping[str, str]) -> str | Missing:
    """OWNER/NAME of a remote's address at GitHub, or at the server that GITHUB_SERVER_URL names.

    Of the address only the host is ever told: some people keep a password in it.
    """
    host, path = _parts(address)
    name = path.strip("/").removesuffix(".git")
    if not host or not NAME.fullmatch(name):
        return Missing(Reason.NO_REPOSITORY)
    if host not in ("github.com", "ssh.github.com", urlsplit(environment.get("GITHUB_SERVER_URL", "")).hostname):
        return Missing(Reason.NOT_ON_GITHUB, {"host": host})
    return name


def _parts(address: str) -> tuple[str, str]:
    """Host and path of an address; empty where it has none, as a folder on this machine."""
    if "://" in address:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.path
    match = SCP_FORM.fullmatch(address)
    return (match["host"].lower(), match["path"]) if match else ("", "")
