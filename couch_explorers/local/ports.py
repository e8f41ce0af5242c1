"""The port of a local cloud: the one that it was deployed on, for its queues carry their address."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit

from couch_explorers.files import read_json
from couch_explorers.local.settings import DEFAULT_PORT, HOST
from couch_explorers.paths import Home

HIGHEST_PORT = 65535


class CloudError(Exception):
    """The local cloud is not in the state that was asked for; the message says what to do."""


def choose(home: Home, asked: int | None) -> int:
    """The port to start on: the asked one, else that of last time, else the default.

    "Last time" is what is deployed here, or the last start where nothing is. Raises CloudError for another one than what is deployed here was deployed on: queues, and the functions that were told of
    them, would still have the old address.
    """
    deployed = remembered(home)
    if asked is not None and deployed is not None and asked != deployed:
        raise CloudError(
            f"What is deployed here belongs to port {deployed}: queues carry it in their address. {to_move(asked)}"
        )
    return asked or of_last_time(home)


def to_move(port: int) -> str:
    """Say how a cloud gets another port."""
    return f"To begin anew on another: couch down --erase, then couch up --port {port}"


def of_last_time(home: Home) -> int:
    """The port that a start without a choice takes: of what is deployed, else of the last start, else the default."""
    choices = read_json(home.choices_file)
    chosen = choices.get("port") if isinstance(choices, dict) else None
    return remembered(home) or (chosen if type(chosen) is int and 0 < chosen <= HIGHEST_PORT else DEFAULT_PORT)


def remembered(home: Home) -> int | None:
    """The port of what is deployed here, None where nothing is."""
    deployment = read_json(home.deployment_file)
    if not isinstance(deployment, dict):
        return None
    workspace = deployment.get("workspace")
    endpoint = workspace.get("endpoint") if isinstance(workspace, dict) else None
    try:
        return urlsplit(endpoint).port if isinstance(endpoint, str) else None
    except ValueError:
        return None


def require_free(home: Home, port: int) -> None:
    """Raise CloudError, with the program that holds it and what to do, where a port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            taken = f"Port {port} is taken by {holder(port)}. Stop that program"
            if remembered(home) is not None:
                raise CloudError(f"{taken}: what is deployed here belongs to its port. {to_move(port + 1)}") from error
            raise CloudError(f"{taken}, or choose another port: couch up --port {port + 1}") from error


def holder(port: int) -> str:
    """Name the program that listens on a port, as far as this user may see it."""
    import psutil  # noqa: PLC0415

    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == "LISTEN" and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"
