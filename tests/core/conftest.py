"""What several tests of the core need: a small real picture, a job, and an S3 that keeps objects in memory."""

from __future__ import annotations

import io

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from couch_explorers.core import image_models, jobs


def refusal(code: str, status: int, message: str = "", operation: str = "Operation") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation
    )


class MemoryS3:
    """An S3 client over a dictionary, with conditional writes; `failures` are raised first, one a call."""

    def __init__(self) -> None:
        self.objects: dict[str, dict] = {}
        self.failures: dict[str, list[Exception]] = {}
        self.calls: list[str] = []

    def list_objects_v2(self, *, Bucket, Prefix, MaxKeys=1000):  # noqa: N803 - S3's names
        self._called("list_objects_v2", Bucket)
        keys = sorted(key for key in self.objects if key.startswith(Prefix))[:MaxKeys]
        return {"Contents": [{"Key": key} for key in keys]} if keys else {"KeyCount": 0}

    def put_object(self, *, Bucket, Key, Body, ContentType, Metadata, IfNoneMatch):  # noqa: N803 - S3's names
        self._called("put_object", Bucket)
        assert IfNoneMatch == "*"
        if Key in self.objects:
            raise refusal("PreconditionFailed", 412)
        self.objects[Key] = {"Body": Body, "ContentType": ContentType, "Metadata": Metadata}

    def head_object(self, *, Bucket, Key):  # noqa: N803 - S3's names
        self._called("head_object", Bucket)
        if Key not in self.objects:
            raise refusal("404", 404, "Not Found")
        return {"Metadata": self.objects[Key]["Metadata"]}

    def _called(self, name, bucket):
        assert bucket == "pictures"
        self.calls.append(name)
        if self.failures.get(name):
            raise self.failures[name].pop(0)


@pytest.fixture
def s3():
    return MemoryS3()


@pytest.fixture
def client_error():
    return refusal


@pytest.fixture(scope="session")
def picture() -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def make_job():
    def make(model_id=image_models.DEFAULT_MODEL_ID, **fields) -> jobs.Job:
        model = image_models.get(model_id)
        return jobs.parse(
            jobs.message_body(fields.pop("prompt", "A fjord at dusk"), **fields),
            fallback_id="fallback-1",
            model_arns=[model.arn],
        )

    return make
