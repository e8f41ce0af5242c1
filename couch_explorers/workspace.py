"""The workspace of notebooks and commands, on the local cloud or AWS, found by one call."""

import os
from collections.abc import Callable
from typing import Any

import boto3

from couch_explorers import loopback
from couch_explorers.aws import REGION, credentials
from couch_explorers.aws.discovery import (
    CLIENT_CONFIG,
    HOW_TO_DEPLOY,
    EndpointSession,
    Workspace,
    WorkspaceError,
    check_candidate,
    check_region,
    discover,
    not_deployed,
)
from couch_explorers.files import read_json
from couch_explorers.local import process, users
from couch_explorers.local.settings import ROOT_CREDENTIALS
from couch_explorers.paths import Home

__all__ = [
    "CLIENT_CONFIG", "HOW_TO_DEPLOY", "TARGETS", "EndpointSession", "Workspace", "WorkspaceError", "check_candidate", "check_region",
    "connect", "discover", "local_session", "not_deployed",
]  # fmt: skip


TARGETS = ("local", "aws")


def connect(target: str = "local", candidate: str | int | None = None, region: str | None = None) -> Workspace:
    """Connect to a target: "local", what `couch up` deployed; "aws", what carries the candidate number's names.

    On AWS the ordinary credential chain is used and the candidate number is required (argument or COUCH_CANDIDATE):
    a wrong one would write under somebody else's prefix. Both stacks are looked for in one region: the argument, else
    COUCH_REGION, else the course's eu-west-1; not AWS_REGION, which people set for other work. From here on this process asks
    the loopback address without the proxies that its environment names.

    On the local cloud the account's root user is used, or the user that COUCH_LOCAL_USER names: `operator`, who may do what the
    people on call may do on AWS, or `deploy`.

    Raises:
        WorkspaceError: there is nothing to connect to; its one sentence says what to do.

    """
    loopback.bypass_proxies()
    if target == "local":
        return _connect_local(candidate, region)
    if target == "aws":
        return _connect_aws(candidate, region)
    raise WorkspaceError(f"Unknown target {target!r}. Known: {', '.join(TARGETS)}")


def local_session(endpoint: str) -> EndpointSession:
    """A session as the local cloud's root, untouched by the user's own AWS settings."""
    return EndpointSession(endpoint, **ROOT_CREDENTIALS)


def _chosen_session(home: Home, endpoint: str) -> EndpointSession:
    """A session as the user that COUCH_LOCAL_USER names, without it as the root."""
    return EndpointSession(endpoint, **users.chosen(home).arguments, region_name=REGION)


def _connect_local(candidate: str | int | None, region: str | None) -> Workspace:
    home = Home.current()
    health = process.health(home)
    if (here := health.cloud) is None:
        raise WorkspaceError(health.problem)
    deployment = read_json(home.deployment_file)
    names = deployment.get("workspace") if isinstance(deployment, dict) else None
    if not isinstance(names, dict):
        raise WorkspaceError("Nothing is deployed on the local cloud yet. Deploy: couch up")
    if candidate not in (None, "") and check_candidate(str(candidate)) != names["candidate"]:
        raise WorkspaceError(
            f"The local cloud holds candidate {names['candidate']}, not {candidate}. Deploy it: couch up --candidate {candidate}"
        )
    if region and check_region(region) != names["region"]:
        raise WorkspaceError(f"The local cloud stands in {names['region']}, not in {region}: leave the region out.")
    listed = {name: tuple(names[name]) for name in ("alarms", "model_arns")}
    return Workspace(session=_chosen_session(home, here.endpoint), **(names | listed))


def _connect_aws(candidate: str | int | None, region: str | None) -> Workspace:
    where = _aws_region(region)
    number, session = _aws_session(candidate, where)
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or None
    return discover(session, number, target="aws", endpoint=endpoint, region=where)


def _aws_region(region: str | None) -> str:
    """The AWS region of both stacks: the given one, else COUCH_REGION, else the course's region."""
    if region:
        return check_region(region)
    named = os.environ.get("COUCH_REGION")
    try:
        return check_region(named) if named else REGION
    except WorkspaceError as error:
        raise WorkspaceError(f"COUCH_REGION is set wrongly. {error}") from error


def _aws_session(candidate: str | int | None, region: str) -> tuple[str, Any]:
    """The candidate number and a session by the ordinary credential chain."""
    candidate = candidate or os.environ.get("COUCH_CANDIDATE")
    if not candidate:
        raise WorkspaceError(
            "AWS needs your candidate number, so that nothing is written under somebody else's prefix: "
            "-p candidate 42, or export COUCH_CANDIDATE=42"
        )
    number = check_candidate(candidate)
    with credentials.explained(WorkspaceError):
        session = boto3.Session(botocore_session=credentials.session(isolated=False), region_name=region)
        found = session.get_credentials()
    if found is None:
        raise WorkspaceError(credentials.NO_CREDENTIALS)
    return number, session


def account_clients(
    target: str, candidate: str | int | None, region: str | None = None
) -> tuple[str, str, Callable[[str], Any]]:
    """The candidate number, the region, and what makes clients for a target on which nothing need be deployed yet.

    Raises WorkspaceError as `connect` does.
    """
    loopback.bypass_proxies()
    where = _aws_region(region) if target == "aws" else REGION
    if target == "aws":
        number, session = _aws_session(candidate, where)
    else:
        home = Home.current()
        health = process.health(home)
        if health.cloud is None:
            raise WorkspaceError(health.problem)
        number, session = check_candidate(candidate or "42"), _chosen_session(home, health.cloud.endpoint)

    def client(service: str) -> Any:
        with credentials.explained(WorkspaceError):
            return session.client(service, region_name=where, config=CLIENT_CONFIG)

    return number, where, client
