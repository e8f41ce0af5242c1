"""Where the notebooks and commands work: the local cloud, or AWS, found by one call."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers import loopback
from couch_explorers.aws import REGION, credentials, discovery
from couch_explorers.files import read_json
from couch_explorers.local import process
from couch_explorers.local.settings import ACCOUNT_ID, ROOT_SECRET
from couch_explorers.paths import Home

TARGETS = ("local", "aws")
CANDIDATE_PATTERN = re.compile(r"[0-9]{1,10}")

# Two time-outs and AWS's own retry advice; long calls (image models) bring a configuration of their own.
CLIENT_CONFIG = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=30)


# What deploys a part of the system, by target.
HOW_TO_DEPLOY = {
    ("API", "local"): "run `couch up`",
    ("API", "aws"): "run `sam deploy` in sam_lambda/",
    ("queue", "local"): "run `couch up` (it needs Terraform 1.10 or newer: `couch doctor`)",
    ("queue", "aws"): "run `terraform apply` in infra/, or the workflow terraform_deploy",
}


class WorkspaceError(Exception):
    """There is no workspace to connect to; the message says what to do."""


class EndpointSession(boto3.Session):  # type: ignore[misc] # boto3 has no types
    """A session whose every client speaks to one endpoint, without a proxy, whatever the user's environment and files say."""

    def __init__(self, endpoint: str, **arguments: Any) -> None:
        super().__init__(botocore_session=credentials.session(isolated=True), **arguments)
        self.endpoint = endpoint

    def client(self, service_name: str, *args: Any, config: Config | None = None, **arguments: Any) -> Any:
        """A client of the service at this session's endpoint."""
        if not arguments.get("endpoint_url"):
            arguments["endpoint_url"] = self.endpoint
        # Said here, Bedrock's signature wins over a bearer token of the environment.
        signature = {"signature_version": "v4"} if service_name.startswith("bedrock") else {}
        direct = Config(proxies={}, **signature)
        return super().client(service_name, *args, config=config.merge(direct) if config else direct, **arguments)


@dataclass(frozen=True)
class Workspace:
    """A deployed system and the means to talk to it.

    What is not deployed is None: `api_url` without the SAM stack, `queue_url` and `dead_letter_url` without Terraform's.
    """

    target: str
    session: Any
    candidate: str
    region: str
    bucket: str
    prefix: str
    api_url: str | None = None
    queue_url: str | None = None
    dead_letter_url: str | None = None
    functions: dict[str, str] = field(default_factory=dict)
    alarms: tuple[str, ...] = ()
    topic_arn: str | None = None
    model_arns: tuple[str, ...] = ()
    endpoint: str | None = None

    def client(self, service: str, region: str | None = None, config: Config | None = None) -> Any:
        """A boto3 client of the service in the workspace's region, or in another one."""
        return self.session.client(service, region_name=region or self.region, config=config or CLIENT_CONFIG)

    def to_json(self) -> dict[str, Any]:
        """Everything but the session, as plain values."""
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in vars(self).items() if name != "session"}  # fmt: skip


def not_deployed(part: Literal["API", "queue"], target: str) -> str:
    """Say that a part is missing and what deploys it on a target: a sentence without its full stop."""
    return f"The {part} is not deployed: {HOW_TO_DEPLOY[part, target]}"


def connect(target: str = "local", candidate: str | int | None = None) -> Workspace:
    """Connect to a target: "local", what `couch up` deployed; "aws", what carries the candidate number's names.

    On AWS the ordinary credential chain is used and the candidate number is demanded (argument or COUCH_CANDIDATE):
    a wrong one would write under somebody else's prefix. From here on this process asks the loopback address without the
    proxies that its environment names. Raises WorkspaceError with one sentence that says what to do.
    """
    loopback.bypass_proxies()
    if target == "local":
        return _connect_local(candidate)
    if target == "aws":
        return _connect_aws(candidate)
    raise WorkspaceError(f"Unknown target {target!r}. Known: {', '.join(TARGETS)}")


def check_candidate(candidate: str | int) -> str:
    """The candidate number as text; raises WorkspaceError when it is none."""
    text = str(candidate).strip()
    if not CANDIDATE_PATTERN.fullmatch(text):
        raise WorkspaceError(f"The candidate number must be 1 to 10 digits, not {text!r}.")
    return text


def local_session(endpoint: str) -> EndpointSession:
    """A session as the local cloud's root, untouched by the user's own AWS settings."""
    return EndpointSession(
        endpoint, aws_access_key_id=ACCOUNT_ID, aws_secret_access_key=ROOT_SECRET, region_name=REGION
    )


def _connect_local(candidate: str | int | None) -> Workspace:
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
    listed = {name: tuple(names[name]) for name in ("alarms", "model_arns")}
    return Workspace(session=local_session(here.endpoint), **(names | listed))


def _connect_aws(candidate: str | int | None) -> Workspace:
    number, session = _aws_session(candidate)
    return discover(session, number, target="aws", endpoint=os.environ.get("AWS_ENDPOINT_URL") or None)


def _aws_session(candidate: str | int | None) -> tuple[str, Any]:
    """The candidate number and a session by the ordinary credential chain."""
    candidate = candidate or os.environ.get("COUCH_CANDIDATE")
    if not candidate:
        raise WorkspaceError(
            "AWS needs your candidate number, so that nothing is written under somebody else's prefix: "
            "-p candidate 42, or export COUCH_CANDIDATE=42"
        )
    number = check_candidate(candidate)
    with credentials.explained(WorkspaceError):
        session = boto3.Session(botocore_session=credentials.session(isolated=False), region_name=REGION)
        found = session.get_credentials()
    if found is None:
        raise WorkspaceError(credentials.NO_CREDENTIALS)
    return number, session


def account_clients(target: str, candidate: str | int | None) -> tuple[str, Callable[[str], Any]]:
    """The candidate number and what makes clients for a target on which nothing need be deployed yet.

    Raises WorkspaceError as `connect` does.
    """
    loopback.bypass_proxies()
    if target == "aws":
        number, session = _aws_session(candidate)
    else:
        health = process.health(Home.current())
        if health.cloud is None:
            raise WorkspaceError(health.problem)
        number, session = check_candidate(candidate or "42"), local_session(health.cloud.endpoint)

    def client(service: str) -> Any:
        with credentials.explained(WorkspaceError):
            return session.client(service, region_name=REGION, config=CLIENT_CONFIG)

    return number, client


def discover(session: Any, candidate: str, *, target: str, endpoint: str | None) -> Workspace:
    """Find a candidate's deployed system by its names; what is not there is None.

    With an endpoint, the API too is reached through it. Raises WorkspaceError when AWS refuses to answer.
    """

    def client(service: str) -> Any:
        with credentials.explained(WorkspaceError):
            return session.client(service, region_name=REGION, config=CLIENT_CONFIG)

    try:
        found = discovery.look_up(client, candidate, endpoint)
    except (BotoCoreError, ClientError, credentials.UNREADABLE) as error:
        if problem := credentials.explain(error):
            raise WorkspaceError(problem) from error
        if isinstance(error, BotoCoreError):
            raise WorkspaceError(f"AWS could not be reached: {error}") from error
        refusal = f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', error)}"
        raise WorkspaceError(f"{refusal} Check the credentials and their rights.") from error
    return Workspace(target=target, session=session, candidate=candidate, region=REGION, endpoint=endpoint, **found)
