"""Finds the parts of a candidate's deployed system by their names, on AWS and on the local cloud alike."""

import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from couch_explorers.aws import PICTURE_BUCKET
from couch_explorers.aws.credentials import UNREADABLE


def look_up(client: Callable[[str], Any], candidate: str, endpoint: str | None) -> dict[str, Any]:
    """Ask AWS for everything that carries the candidate's names; `client` makes the client of a service.

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
        # The functions' own setting: what they are told is where they write.
        "bucket": environment.get("BUCKET_NAME") or outputs.get("BucketName", PICTURE_BUCKET),
        "prefix": candidate,
        "api_url": _through(endpoint, outputs.get("ApiUrl")),
        "queue_url": queue_url,
        "dead_letter_url": _queue_url(sqs, f"{stem}-jobs-dead-letter") if queue_url else None,
        "functions": functions,
        "alarms": tuple(sorted(alarm["AlarmName"] for alarm in _alarms(client("cloudwatch"), f"{stem}-"))),
        "topic_arn": _topic_arn(client("sns"), f"{stem}-alarms") if queue_url else None,
        "model_arns": arns,
    }


def describe_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """What CloudFormation says of a stack, None where it does not exist."""
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    except KeyError as error:
        # botocore reads any well-formed markup, a web page's too, and finds no such result in it.
        raise UNREADABLE(f"DescribeStacks was answered without {error}") from error
    return found


def _stack(cloudformation: Any, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Outputs and parameters of a stack, empty where it does not exist."""
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
    """The variables of the first deployed function; empty where none is deployed."""
    for name in functions.values():
        try:
            found: dict[str, str] = functions_client.get_function_configuration(FunctionName=name)["Environment"][
                "Variables"
            ]
        except (functions_client.exceptions.ResourceNotFoundException, KeyError):
            continue
        return found
    return {}


def _through(endpoint: str | None, api_url: str | None) -> str | None:
    """The API's address, reached through an endpoint where one is set.

    `https://<id>.execute-api.<region>.amazonaws.com/<stage>/<path>` becomes `<endpoint>/_aws/execute-api/<id>/<stage>/<path>`.
    """
    if endpoint is None or api_url is None:
        return api_url
    api_id, path = re.fullmatch(r"https?://([^./]+)\.execute-api\.[^/]+/(.*)", api_url).groups()  # type: ignore[union-attr]
    return f"{endpoint.rstrip('/')}/_aws/execute-api/{api_id}/{path}"
