"""The fakes are held to botocore's models: a slip in a call, an answer or an error is found."""

import ast
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.aws_fakes.models import ImageModels, ModelCatalogue
from tests.aws_fakes.queues import Queues
from tests.aws_fakes.services import Bucket, Functions, Iam, Logs, Topics
from tests.aws_fakes.validated import COMMON_ERRORS, ModelMismatchError, RefusalError, checked, client, operations

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent


class Wrong(Bucket):
    """Answers and errors that S3 does not have."""

    def list_objects_v2(self, **_):
        return {"Content": [{"Key": 7}]}

    def head_object(self, **_):
        raise RefusalError("Missing", 404)

    def put_object(self, **_):
        raise RefusalError("SlowDown", 429)


def test_objects_are_listed_by_prefix_and_written_once():
    s3 = client("s3", Bucket())
    s3.put_object(Bucket="pictures", Key="42/b.png", Body=b"one", ContentType="image/png", IfNoneMatch="*")

    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket="pictures", Key="42/b.png", Body=b"two", ContentType="image/png", IfNoneMatch="*")

    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="pictures", Prefix="42/b")["Contents"]] == ["42/b.png"]
    assert "Contents" not in s3.list_objects_v2(Bucket="pictures", Prefix="42/c")
    assert s3.head_object(Bucket="pictures", Key="42/b.png")["ContentLength"] == 3


@pytest.mark.parametrize("field", ["Ky", "Key"])
def test_parameters_that_the_model_lacks_never_reach_the_fake(field):
    fake = Bucket()

    with pytest.raises(ParamValidationError):
        client("s3", fake).put_object(**{"Bucket": "pictures", field: 7, "Body": b"", "ContentType": "image/png"})

    assert fake.writes == []


@pytest.mark.parametrize(
    "call",
    [
        lambda s3: s3.list_objects_v2(Bucket="pictures"),
        lambda s3: s3.head_object(Bucket="pictures", Key="a"),
        lambda s3: s3.put_object(Bucket="pictures", Key="a", Body=b""),
    ],
    ids=["answer", "unknown error", "error with another status"],
)
def test_an_answer_that_the_model_lacks_is_refused(call):
    with pytest.raises(ModelMismatchError):
        call(client("s3", Wrong()))


def test_an_operation_that_the_fake_lacks_is_named():
    with pytest.raises(AttributeError, match="delete_queue"):
        client("sqs", Queues()).delete_queue(QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/jobs")


def test_each_call_to_a_model_is_noted():
    models = ImageModels()
    bedrock = client("bedrock-runtime", models)

    bedrock.invoke_model(modelId="m", body="{}", contentType="application/json", accept="application/json")

    assert models.requests == [{"modelId": "m"}]


class Listed:
    """A bucket whose listing takes three pages, by tokens or as the pages themselves."""

    def list_objects_v2(self, *, Bucket, ContinuationToken="1"):  # noqa: N803 - S3's names
        page = int(ContinuationToken)
        return {"Contents": [{"Key": str(page)}], "IsTruncated": page < 3, "NextContinuationToken": str(page + 1)}

    def list_buckets(self):
        for name in "abc":
            yield {"Buckets": [{"Name": name}]}


def test_a_paginator_follows_the_tokens_of_a_fake_or_takes_its_pages():
    s3 = checked("s3", Listed())

    found = [page["Contents"][0]["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket="pictures")]
    names = [page["Buckets"][0]["Name"] for page in s3.get_paginator("list_buckets").paginate()]

    assert (found, names) == (["1", "2", "3"], ["a", "b", "c"])
    assert s3.list_buckets() == {"Buckets": [{"Name": "a"}]}


# A planted slip a service: its fake, a call with a parameter of a wrong name or type, and an answer that it does not give.
SLIPS = {
    "bedrock": (ModelCatalogue(), {"modelId": "m"}, "get_foundation_model", {"modelDetails": {"modelId": "m"}}),
    "bedrock-runtime": (ImageModels(), {"model": "m"}, "invoke_model", {"body": b"{}"}),
    "iam": (Iam(), {"Actions": []}, "simulate_principal_policy", {"Results": []}),
    "lambda": (Functions(), {"Name": "worker"}, "get_function_configuration", {"Timeout": "60"}),
    "logs": (Logs(), {"logGroup": "/aws/lambda/worker"}, "filter_log_events", {"events": [{"message": 7}]}),
    "s3": (Bucket(), {"Bucket": "pictures", "MaxKeys": "10"}, "list_objects_v2", {"Contents": {"Key": "a"}}),
    "sns": (Topics(), {"Topic": "alarms"}, "list_subscriptions_by_topic", {"Subscriptions": ["a@example.com"]}),
    "sqs": (Queues(), {"QueueUrl": "jobs", "Body": "A fjord"}, "send_message", {"MessageID": "1"}),
}


# What each operation of SLIPS takes.
VALID = {
    "bedrock": {"modelIdentifier": "m"},
    "bedrock-runtime": {"modelId": "m"},
    "iam": {"PolicySourceArn": "arn:aws:iam::1:role/worker", "ActionNames": ["s3:GetObject"]},
    "lambda": {"FunctionName": "worker"},
    "logs": {"logGroupName": "/aws/lambda/worker"},
    "s3": {"Bucket": "pictures"},
    "sns": {"TopicArn": "arn:aws:sns:eu-west-1:1:alarms"},
    "sqs": {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/1/jobs", "MessageBody": "A fjord"},
}


@pytest.mark.parametrize("service", SLIPS)
def test_a_wrong_parameter_and_a_wrong_answer_are_found_for_each_service(service):
    fake, parameters, operation, answer = SLIPS[service]

    with pytest.raises(ModelMismatchError, match="does not take"):
        getattr(checked(service, fake), operation)(**parameters)

    answering = SimpleNamespace(**{operation: lambda **_: answer})
    with pytest.raises(ModelMismatchError, match="does not answer"):
        getattr(checked(service, answering), operation)(**VALID[service])


def test_fakes_of_aws_operations_are_checked():
    """A test's own fake of an operation stands in a module that puts the checks around it, or its caller does."""
    names = {name: model for service in COMMON_ERRORS for name, model in operations(service).items()}
    unchecked = []
    for path in sorted(TESTS.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "tests.aws_fakes" in text or path.parent == HERE:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name in names and names[node.name].input_shape:
                takes = {argument.arg for argument in node.args.args + node.args.kwonlyargs}
                if takes & set(names[node.name].input_shape.members):
                    unchecked.append(f"{path.relative_to(TESTS)}:{node.lineno} {node.name}")

    assert unchecked == []
