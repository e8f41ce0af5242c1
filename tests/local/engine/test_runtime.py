"""LocalEmu's gateway behind ASGI: request and response bodies, small and large, whole and in parts."""

import hashlib
from contextlib import closing

import pytest

# More than `LARGEST_BUFFERED_BODY`, so that it is streamed in and out.
UPLOAD = 9 * 1024 * 1024


@pytest.fixture(scope="module")
def s3(engine_cloud):
    with closing(engine_cloud.client("s3")) as client:
        client.create_bucket(Bucket="bodies", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield client


@pytest.mark.parametrize("size", [0, 1, 70_000, UPLOAD])
def test_body_comes_back_as_it_was_sent(s3, size):
    body = hashlib.shake_128(str(size).encode()).digest(size)
    s3.put_object(Bucket="bodies", Key=str(size), Body=body)

    with closing(s3.get_object(Bucket="bodies", Key=str(size))["Body"]) as stream:
        assert stream.read() == body


def test_head_response_has_the_length_and_no_body(s3):
    s3.put_object(Bucket="bodies", Key="head", Body=b"12345")

    assert s3.head_object(Bucket="bodies", Key="head")["ContentLength"] == 5


def test_answer_without_a_body_ends(s3):
    s3.put_object(Bucket="bodies", Key="gone", Body=b"1")

    assert s3.delete_object(Bucket="bodies", Key="gone")["ResponseMetadata"]["HTTPStatusCode"] == 204
