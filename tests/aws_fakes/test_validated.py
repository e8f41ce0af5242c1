"""The fakes are held to botocore's models: a slip in a call, an answer or an error is found."""

import pytest
from botocore.exceptions import ClientError, ParamValidationError

from tests.aws_fakes.services import Bucket, ImageModels, Queues
from tests.aws_fakes.validated import ModelMismatchError, RefusalError, client


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
