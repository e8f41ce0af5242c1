"""The image models on LocalEmu: ids, regions, rights, faults, and many calls at once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from couch_explorers.aws.vision_models import DEFAULT_VISION_MODEL_ID, STAND_IN_HEADER, VISION_MODELS
from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS, get
from couch_explorers.workspace import EndpointSession

PROMPT = json.dumps({"prompt": "A castle above the fjord"})
NO_RETRY = Config(retries={"max_attempts": 0}, max_pool_connections=80, read_timeout=120)


@pytest.fixture
def runtime(engine_cloud):
    engine_cloud.ask("PUT", "/_couch/faults", {"latency": 0.0})
    yield engine_cloud.client("bedrock-runtime", region_name="us-west-2", config=NO_RETRY)
    engine_cloud.ask("PUT", "/_couch/faults", {})


@pytest.fixture
def user(engine_cloud):
    """Give a new user a policy; returns the session of that user."""
    iam = engine_cloud.client("iam")
    iam.create_user(UserName="painter")
    key = iam.create_access_key(UserName="painter")["AccessKey"]

    def allowed(*statements):
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
        iam.put_user_policy(UserName="painter", PolicyName="models", PolicyDocument=json.dumps(document))
        return EndpointSession(
            engine_cloud.endpoint,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            region_name="us-west-2",
        )

    yield allowed
    iam.delete_access_key(UserName="painter", AccessKeyId=key["AccessKeyId"])
    if iam.list_user_policies(UserName="painter")["PolicyNames"]:
        iam.delete_user_policy(UserName="painter", PolicyName="models")
    iam.delete_user(UserName="painter")


def images(cloud):
    return cloud.ask("GET", "/_couch/stats")[1]["images"]


def painted(client, model_id):
    """The model's answer to the prompt, read to its end: what is not read leaves a connection open."""
    return json.loads(client.invoke_model(modelId=model_id, body=PROMPT)["body"].read())


def refusal(call):
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("model_id", [DEFAULT_MODEL_ID, get(DEFAULT_MODEL_ID).arn])
def test_model_is_named_by_id_or_arn(engine_cloud, runtime, model_id):
    before = images(engine_cloud)

    answer = runtime.invoke_model(modelId=model_id, body=PROMPT)

    assert answer["contentType"] == "application/json"
    assert answer["ResponseMetadata"]["RequestId"]
    assert len(json.loads(answer["body"].read())["images"]) == 1
    assert images(engine_cloud) == before + 1


@pytest.mark.parametrize(
    "model_id",
    [
        "stability.stable-image-core-v9:9",
        # Stands in us-east-1.
        "amazon.titan-image-generator-v1",
        # Bedrock has no inference profile for the models that are called on demand.
        f"us.{DEFAULT_MODEL_ID}",
        f"arn:aws:bedrock:us-west-2:000000000000:inference-profile/us.{DEFAULT_MODEL_ID}",
    ],
)
def test_model_that_the_region_lacks_is_invalid(runtime, model_id):
    code = refusal(lambda: runtime.invoke_model(modelId=model_id, body=PROMPT))

    assert code == ("ValidationException", 400)


@pytest.fixture
def profile(engine_cloud):
    """Make an application inference profile of the default model; gives its ARN."""
    bedrock = engine_cloud.client("bedrock", region_name="us-west-2")
    arn = bedrock.create_inference_profile(
        inferenceProfileName="lighthouse", modelSource={"copyFrom": get(DEFAULT_MODEL_ID).arn}
    )["inferenceProfileArn"]
    yield arn
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)


def test_model_is_called_by_an_application_inference_profile(engine_cloud, runtime, profile):
    bedrock = engine_cloud.client("bedrock", region_name="us-west-2")

    found = bedrock.get_inference_profile(inferenceProfileIdentifier=profile.rpartition("/")[2])

    assert (found["inferenceProfileArn"], found["type"], found["status"]) == (profile, "APPLICATION", "ACTIVE")
    assert found["models"] == [{"modelArn": get(DEFAULT_MODEL_ID).arn}]
    assert [each["inferenceProfileArn"] for each in bedrock.list_inference_profiles()["inferenceProfileSummaries"]] == [
        profile
    ]
    assert painted(runtime, get(f"{profile}+{get(DEFAULT_MODEL_ID).arn}").invoke_id)["finish_reasons"] == [None]


@pytest.mark.parametrize("missing", ["profile", "model"])
def test_profile_needs_the_right_to_itself_and_to_the_model_behind_it(engine_cloud, runtime, user, profile, missing):
    rights = {"profile": profile, "model": get(DEFAULT_MODEL_ID).arn}
    both = engine_cloud.client(
        "bedrock-runtime",
        session=user({"Action": "bedrock:InvokeModel", "Resource": list(rights.values())}),
        config=NO_RETRY,
    )
    assert painted(both, profile)["images"]

    del rights[missing]
    one = user({"Action": "bedrock:InvokeModel", "Resource": list(rights.values())})
    client = engine_cloud.client("bedrock-runtime", session=one, config=NO_RETRY)

    assert refusal(lambda: client.invoke_model(modelId=profile, body=PROMPT)) == ("AccessDeniedException", 403)


@pytest.mark.parametrize(
    ("rights", "verdict"),
    [
        (("bedrock:CreateFoundationModelAgreement",), ("AccessDeniedException", 403)),
        (("aws-marketplace:Subscribe",), ("AccessDeniedException", 403)),
        (("bedrock:CreateFoundationModelAgreement", "aws-marketplace:Subscribe"), "agreed"),
    ],
)
def test_agreement_needs_the_right_to_subscribe(engine_cloud, user, rights, verdict):
    owner = engine_cloud.client("bedrock", region_name="us-west-2")
    (offer,) = owner.list_foundation_model_agreement_offers(modelId=DEFAULT_MODEL_ID)["offers"]
    session = user(*({"Action": right, "Resource": "*"} for right in rights))
    client = engine_cloud.client("bedrock", session=session, region_name="us-west-2", config=NO_RETRY)

    def agree():
        return client.create_foundation_model_agreement(modelId=DEFAULT_MODEL_ID, offerToken=offer["offerToken"])

    if verdict == "agreed":
        assert agree()["modelId"] == DEFAULT_MODEL_ID
    else:
        assert refusal(agree) == verdict


def test_agreement_is_ended_with_the_right_to_unsubscribe(engine_cloud, user):
    owner = engine_cloud.client("bedrock", region_name="us-west-2", config=NO_RETRY)
    rights = ("bedrock:DeleteFoundationModelAgreement", "aws-marketplace:Unsubscribe")

    def end(*rights):
        session = user(*({"Action": right, "Resource": "*"} for right in rights))
        client = engine_cloud.client("bedrock", session=session, region_name="us-west-2", config=NO_RETRY)
        return lambda: client.delete_foundation_model_agreement(modelId=DEFAULT_MODEL_ID)

    def status():
        return owner.get_foundation_model_availability(modelId=DEFAULT_MODEL_ID)["agreementAvailability"]["status"]

    assert refusal(end(rights[0])) == ("AccessDeniedException", 403)
    assert status() == "AVAILABLE"
    end(*rights)()
    assert status() == "NOT_AVAILABLE"
    assert refusal(end(*rights)) == ("ResourceNotFoundException", 404)
    (offer,) = owner.list_foundation_model_agreement_offers(modelId=DEFAULT_MODEL_ID)["offers"]
    owner.create_foundation_model_agreement(modelId=DEFAULT_MODEL_ID, offerToken=offer["offerToken"])
    assert status() == "AVAILABLE"


def test_inference_profile_that_is_not_there_is_refused(engine_cloud):
    bedrock = engine_cloud.client("bedrock", region_name="us-west-2")

    assert refusal(lambda: bedrock.get_inference_profile(inferenceProfileIdentifier="a1b2c3d4e5f6")) == (
        "ResourceNotFoundException",
        404,
    )
    assert refusal(
        lambda: bedrock.create_inference_profile(
            inferenceProfileName="lighthouse", modelSource={"copyFrom": get("amazon.nova-canvas-v1:0").arn}
        )
    ) == ("ResourceNotFoundException", 404)


def test_catalogue_lists_the_models_of_the_signed_region(engine_cloud):
    listed = {
        region: {
            model["modelId"]
            for model in engine_cloud.client("bedrock", region_name=region).list_foundation_models(
                byOutputModality="IMAGE"
            )["modelSummaries"]
        }
        for region in ("us-east-1", "us-west-2", "eu-west-1")
    }

    assert listed == {region: {model.id for model in MODELS.values() if model.region == region} for region in listed}


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"byProvider": "Amazon", "byOutputModality": "IMAGE"}, 3),
        ({"byProvider": "stability"}, 0),
        ({"byOutputModality": "IMAGE"}, 3),
        ({"byOutputModality": "TEXT"}, 4),
        ({"byInferenceType": "PROVISIONED"}, 0),
    ],
)
def test_catalogue_is_narrowed_down_by_filters(engine_cloud, filters, count):
    bedrock = engine_cloud.client("bedrock", region_name="us-east-1")

    assert len(bedrock.list_foundation_models(**filters)["modelSummaries"]) == count


def test_model_lifecycle_is_returned(engine_cloud):
    bedrock = engine_cloud.client("bedrock", region_name="us-east-1")

    details = bedrock.get_foundation_model(modelIdentifier="amazon.nova-canvas-v1:0")["modelDetails"]

    assert details["modelLifecycle"]["status"] == "LEGACY"
    assert refusal(lambda: bedrock.get_foundation_model(modelIdentifier="nobody.paints")) == (
        "ValidationException",
        400,
    )


def test_rights_are_checked_before_a_picture_is_made(engine_cloud, runtime, user):
    stranger = user({"Action": "bedrock:ListFoundationModels", "Resource": "*"})
    before = engine_cloud.ask("GET", "/_couch/stats")[1]

    code, status = refusal(
        lambda: engine_cloud.client("bedrock-runtime", session=stranger, config=NO_RETRY).invoke_model(
            modelId=DEFAULT_MODEL_ID, body=PROMPT
        )
    )

    assert code.startswith("AccessDenied")
    assert status == 403
    assert engine_cloud.ask("GET", "/_couch/stats")[1] == before


def test_permission_for_one_model_does_not_cover_another(engine_cloud, runtime, user):
    session = user({"Action": "bedrock:InvokeModel", "Resource": get(DEFAULT_MODEL_ID).arn})
    client = engine_cloud.client("bedrock-runtime", session=session, config=NO_RETRY)

    allowed = painted(client, get(DEFAULT_MODEL_ID).arn)
    other = refusal(lambda: client.invoke_model(modelId="stability.stable-image-ultra-v1:1", body=PROMPT))

    assert len(allowed["images"]) == 1
    assert other[1] == 403


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"throttle": 1.0}, ("ThrottlingException", 429)),
        ({"error": 1.0}, ("ServiceUnavailableException", 503)),
        ({"retired": [DEFAULT_MODEL_ID]}, ("ResourceNotFoundException", 404)),
    ],
)
def test_faults_are_answered_as_bedrock_answers_them(engine_cloud, runtime, faults, expected):
    engine_cloud.ask("PUT", "/_couch/faults", faults)

    assert refusal(lambda: runtime.invoke_model(modelId=DEFAULT_MODEL_ID, body=PROMPT)) == expected


def test_request_above_the_limit_is_refused(runtime):
    body = json.dumps({"prompt": "x" * 25_000_001})

    assert refusal(lambda: runtime.invoke_model(modelId=DEFAULT_MODEL_ID, body=body)) == ("ValidationException", 400)


def test_sixty_four_calls_run_side_by_side(engine_cloud, runtime):
    # None of them may be answered before all have come in: 64 that followed one another would take over a minute.
    engine_cloud.ask("PUT", "/_couch/faults", {"latency": 1.0, "filter": 1.0})
    calls = engine_cloud.ask("GET", "/_couch/stats")[1]["calls"]

    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(painted, runtime, DEFAULT_MODEL_ID) for _ in range(64)]
        engine_cloud.client("sqs").list_queues()
        done = [answer.result() for answer in answers]

    assert len(done) == 64
    assert engine_cloud.ask("GET", "/_couch/stats")[1]["calls"] == calls + 64


def test_operation_that_is_not_offered_says_so(runtime):
    with pytest.raises(ClientError) as refused:
        runtime.converse_stream(modelId=DEFAULT_MODEL_ID, messages=[])

    assert refused.value.response["Error"] == {
        "Code": "InternalFailure",
        "Message": "The local cloud does not offer ConverseStream of the service bedrock-runtime (README.md, Differences from AWS).",
    }
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


JUDGE = VISION_MODELS[DEFAULT_VISION_MODEL_ID]
QUESTION = [{"role": "user", "content": [{"text": "Is anybody there?"}]}]


def test_judge_is_reached_by_its_inference_profile(engine_cloud, runtime):
    before = images(engine_cloud)

    answer = runtime.converse(modelId=JUDGE.profile_id, messages=QUESTION)

    assert answer["stopReason"] == "end_turn"
    assert answer["ResponseMetadata"]["HTTPHeaders"][STAND_IN_HEADER] == "true"
    assert images(engine_cloud) == before


@pytest.mark.parametrize("missing", ["", "profile", "us-east-2"])
def test_judge_needs_the_right_to_the_profile_and_to_each_model_behind_it(engine_cloud, runtime, user, missing):
    """https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html."""
    account = engine_cloud.client("sts").get_caller_identity()["Account"]
    rights = {"profile": f"arn:aws:bedrock:us-west-2:{account}:inference-profile/{JUDGE.profile_id}"} | {
        region: f"arn:aws:bedrock:{region}::foundation-model/{JUDGE.id}" for region in JUDGE.destinations
    }
    given = [arn for name, arn in rights.items() if name != missing]
    session = user({"Action": "bedrock:InvokeModel", "Resource": given})
    client = engine_cloud.client("bedrock-runtime", session=session, config=NO_RETRY)

    if missing:
        assert refusal(lambda: client.converse(modelId=JUDGE.profile_id, messages=QUESTION))[1] == 403
    else:
        assert client.converse(modelId=JUDGE.profile_id, messages=QUESTION)["stopReason"] == "end_turn"
