import pytest


@pytest.fixture
def bucket(engine_cloud):
    s3 = engine_cloud.client("s3")
    s3.create_bucket(Bucket="listing", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key in ("42/b.png", "42/a.png", "42/a/c.png", "43/a.png", "42 å+/x"):
        s3.put_object(Bucket="listing", Key=key, Body=b"x")
    yield s3
    for each in s3.list_objects_v2(Bucket="listing")["Contents"]:
        s3.delete_object(Bucket="listing", Key=each["Key"])
    s3.delete_bucket(Bucket="listing")


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_listing_returns_objects_below_its_prefix(bucket, operation):
    def keys(**parameters):
        answer = getattr(bucket, operation)(Bucket="listing", **parameters)
        return [each["Key"] for each in answer.get("Contents", ())], [
            each["Prefix"] for each in answer.get("CommonPrefixes", ())
        ]

    assert keys() == (["42 å+/x", "42/a.png", "42/a/c.png", "42/b.png", "43/a.png"], [])
    assert keys(Prefix="42/") == (["42/a.png", "42/a/c.png", "42/b.png"], [])
    assert keys(Prefix="42/", Delimiter="/") == (["42/a.png", "42/b.png"], ["42/a/"])
    assert keys(Prefix="42 å+") == (["42 å+/x"], [])
    assert keys(Prefix="42/a.png", MaxKeys=1) == (["42/a.png"], [])
    assert keys(Prefix="44/") == ([], [])
