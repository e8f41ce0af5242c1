"""Finds the deployed system as a Workspace, by a candidate's names, on AWS and on the local cloud."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from couch_explorers.aws import PICTURE_BUCKET, REGION, credentials
from couch_explorers.core.aws_errors import describe

CANDIDATE_PATTERN = re.compile(r"[0-9]{1,10}")
# As `infra/variables.tf` takes it.
REGION_PATTERN = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")

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
    """No workspace was found; the message says what to do."""


class EndpointSession(boto3.Session):  # type: ignore[misc] # boto3 has no types
    """A session whose clients all use one endpoint, without a proxy, regardless of the user's environment and files."""

    def __init__(self, endpoint: str, **arguments: Any) -> None:
        super().__init__(botocore_session=credentials.session(isolated=True), **arguments)
        self.endpoint = endpoint

    def client(self, service_name: str, *args: Any, config: Config | None = None, **arguments: Any) -> Any:
        """Return a client of the service at this session's endpoint."""
        if not arguments.get("endpoint_url"):
            arguments["endpoint_url"] = self.endpoint
        # Said here, Bedrock's signature wins over a bearer token of the environment.
        signature = {"signature_version": "v4"} if service_name.startswith("bedrock") else {}
        direct = Config(proxies={}, **signature)
        return super().client(service_name, *args, config=config.merge(direct) if config else direct, **arguments)


@dataclass(frozen=True)
class Workspace:
    """A deployed system, with its session and names.

    What is not deployed is None: `api_url` without the SAM stack, `queue_url` and `dead_letter_url` without Terraform's.
    `api_key_id` is set where the API requires a key, `api_is_signed` where it requires signed requests.
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
    api_key_id: str | None = None
    api_is_signed: bool = False

    def client(self, service: str, region: str | None = None, config: Config | None = None) -> Any:
        """Return a boto3 client of the service in the workspace's region, or in another one."""
        return self.session.client(service, region_name=region or self.region, config=config or CLIENT_CONFIG)

    def to_json(self) -> dict[str, Any]:
        """Return everything except the session as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in vars(self).items() if name != "session"}  # fmt: skip


def not_deployed(part: Literal["API", "queue"], target: str) -> str:
    """Return that a part is missing and how to deploy it on a target: a sentence without a full stop."""
    return f"The {part} is not deployed: {HOW_TO_DEPLOY[part, target]}"


def check_candidate(candidate: str | int) -> str:
    """Return the candidate number as text; raises WorkspaceError if it is invalid."""
    text = str(candidate).strip()
    if not CANDIDATE_PATTERN.fullmatch(text):
        raise WorkspaceError(f"The candidate number must be 1 to 10 digits, not {text!r}.")
    return text


def check_region(region: str) -> str:
    """Return the region as text; raises WorkspaceError if it is invalid."""
    text = region.strip()
    if not REGION_PATTERN.fullmatch(text):
        raise WorkspaceError(f"A region looks like {REGION}, not {text!r}.")
    return text


def discover(session: Any, candidate: str, *, target: str, endpoint: str | None, region: str = REGION) -> Workspace:
    """Find a candidate's deployed system by its names; missing parts are None.

    Args:
        session: what makes the clients.
        candidate: the number in all names.
        target: "local" or "aws".
        endpoint: with one, the API too is reached through it.
        region: where both stacks are deployed.

    Raises:
        WorkspaceError: AWS refuses to answer or cannot be reached.

    """

    def client(service: str) -> Any:
        with credentials.explained(WorkspaceError):
            return session.client(service, region_name=region, config=CLIENT_CONFIG)

    try:
        found = look_up(client, candidate, endpoint)
    except (BotoCoreError, ClientError, credentials.UNREADABLE) as error:
        if problem := credentials.explain(error):
            raise WorkspaceError(problem) from error
        if isinstance(error, BotoCoreError):
            raise WorkspaceError(f"AWS could not be reached: {error}") from error
        refusal = f"AWS refused {error.operation_name}: {(describe(error)[2] or str(error)).rstrip('.')}."
        raise WorkspaceError(f"{refusal} Check the credentials and their rights.") from error
    return Workspace(target=target, session=session, candidate=candidate, region=region, endpoint=endpoint, **found)


def look_up(client: Callable[[str], Any], candidate: str, endpoint: str | None) -> dict[str, Any]:
    """Look up everything with the candidate's names; `client` creates the client of a service.

    Gives the parts of a Workspace by its fields' names; what is not deployed is None. With an endpoint, the API too is
    reached through it. Raises what botocore raises when AWS refuses or cannot be reached.
    """
    stem = f"couch-explorers-{candidate}"
    outputs, parameters = _stack(client("cloudformation"), f"{stem}-api")
    sqs = client("sqs")
    queue_url = _queue_url(sqs, f"{stem}-jobs")
    functions = {}
    if "FunctionName" in outputs:
        functions["api"] = outputs["FunctionName"]
    if queue_url is not None:
        functions["worker"] = f"{stem}-worker"
    environment = _environment(client("lambda"), functions)
    arns = tuple(filter(None, (environment.get("MODEL_ARNS") or parameters.get("ModelArns", "")).split(",")))
    return {
        # The functions' own setting, because they write there.
        "bucket": environment.get("BUCKET_NAME") or outputs.get("BucketName", PICTURE_BUCKET),
        "prefix": candidate,
        "api_url": through_endpoint(endpoint, outputs.get("ApiUrl")),
        "api_key_id": outputs.get("ApiKeyId"),
        "api_is_signed": parameters.get("ApiAuthorizer") == "AWS_IAM",
        "queue_url": queue_url,
        "dead_letter_url": _queue_url(sqs, f"{stem}-jobs-dead-letter") if queue_url else None,
        "functions": functions,
        "alarms": tuple(sorted(alarm["AlarmName"] for alarm in _alarms(client("cloudwatch"), f"{stem}-"))),
        "topic_arn": _topic_arn(client("sns"), f"{stem}-alarms") if queue_url else None,
        "model_arns": arns,
    }


def describe_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Describe a CloudFormation stack; None if it does not exist."""
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    except KeyError as error:
        # botocore reads any well-formed markup, a web page's too, and finds no such result in it.
        raise credentials.UNREADABLE(f"DescribeStacks was answered without {error}") from error
    return found


def _stack(cloudformation: Any, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return outputs and parameters of a stack; empty if it does not exist."""
    stack = describe_stack(cloudformation, name) or {}
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return outputs, {item["ParameterKey"]: item.get("ParameterValue", "") for item in stack.get("Parameters", [])}


def _queue_url(sqs: Any, name: str) -> str | None:
    try:
        return str(sqs.get_queue_url(QueueName=name)["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return None


def _alarms(cloudwatch: Any, prefix: str) -> list[dict[str, Any]]:
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def _topic_arn(sns: Any, name: str) -> str | None:
    for page in sns.get_paginator("list_topics").paginate():
        for topic in page["Topics"]:
            if topic["TopicArn"].rsplit(":", 1)[-1] == name:
                return str(topic["TopicArn"])
    return None


def _environment(functions_client: Any, functions: dict[str, str]) -> dict[str, str]:
    """Return the environment of the first deployed function; empty if none is deployed."""
    for name in functions.values():
        try:
            found: dict[str, str] = functions_client.get_function_configuration(FunctionName=name)["Environment"][
                "Variables"
            ]
        except (functions_client.exceptions.ResourceNotFoundException, KeyError):
            continue
        return found
    return {}


def through_endpoint(endpoint: str | None, api_url: str | None) -> str | None:
    """Return the API's URL, through an endpoint if one is set.

    `https://<id>.execute-api.<region>.amazonaws.com/<stage>/<path>` becomes `<endpoint>/_aws/execute-api/<id>/<stage>/<path>`.
    """
    if endpoint is None or api_url is None:
        return api_url
    api_id, path = re.fullmatch(r"https?://([^./]+)\.execute-api\.[^/]+/(.*)", api_url).groups()  # type: ignore[union-attr]
    return f"{endpoint.rstrip('/')}/_aws/execute-api/{api_id}/{path}"
