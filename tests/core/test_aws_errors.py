from __future__ import annotations

import pytest
from botocore import exceptions as boto

from couch_explorers.core import image_models
from couch_explorers.core.aws_errors import describe, model_error, storage_error
from couch_explorers.core.errors import (
    AccessDeniedError,
    BlockedError,
    ModelAnswerError,
    ModelTimeoutError,
    ModelUnavailableError,
    PaymentMethodError,
    RetiredModelError,
    SubscriptionPendingError,
    ThrottledError,
)

TITAN = image_models.get("amazon.titan-image-generator-v2:0")
URL = {"endpoint_url": "https://bedrock"}
BLOCKED = (
    "This request has been blocked by our content filters. Please adjust your text prompt to submit a new request."
)
LEGACY = "Access denied. This Model is marked by provider as Legacy and you have not been actively using the model."

# As AWS's users quote them; the names of roles are made up.
NOT_SUBSCRIBED = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS Marketplace actions "
    "(aws-marketplace:ViewSubscriptions, aws-marketplace:Subscribe) to enable access to this model. Refer to the Amazon Bedrock "
    "documentation for further details. Your AWS Marketplace subscription for this model cannot be completed at this time. If you "
    "recently fixed this issue, try again after 2 minutes."
)
NO_MARKETPLACE_RIGHT = (
    "Model access is denied due to User: arn:aws:sts::123456789012:assumed-role/worker/x is not authorized to perform: "
    "aws-marketplace:ViewSubscriptions on resource: * because no identity-based policy allows the aws-marketplace:ViewSubscriptions action."
)
NO_PAYMENT = (
    "Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided.. Your AWS Marketplace "
    "subscription for this model cannot be completed at this time. If you recently fixed this issue, try again after 15 minutes."
)


@pytest.mark.parametrize(
    ("code", "status", "message", "kind"),
    [
        ("ValidationException", 400, BLOCKED, BlockedError),
        ("ValidationException", 400, "Malformed input request: #/seed: too big", ModelAnswerError),
        ("ResourceNotFoundException", 404, "This model version has reached the end of its life.", RetiredModelError),
        ("ResourceNotFoundException", 404, LEGACY, RetiredModelError),
        ("AccessDeniedException", 403, LEGACY, RetiredModelError),
        ("ResourceNotFoundException", 404, "Could not resolve the foundation model.", ModelAnswerError),
        ("AccessDeniedException", 403, "User: arn:aws:iam::123456789012:role/x is not authorized", AccessDeniedError),
        ("AccessDeniedException", 403, NOT_SUBSCRIBED, SubscriptionPendingError),
        ("AccessDeniedException", 403, NO_MARKETPLACE_RIGHT, SubscriptionPendingError),
        ("AccessDeniedException", 403, NO_PAYMENT, PaymentMethodError),
        ("UnrecognizedClientException", 403, "The security token is invalid.", AccessDeniedError),
        ("ThrottlingException", 429, "Too many requests", ThrottledError),
        ("ModelNotReadyException", 429, "Not ready", ThrottledError),
        ("ServiceQuotaExceededException", 400, "Quota", ThrottledError),
        ("Whatever", 429, "", ThrottledError),
        ("ModelTimeoutException", 408, "Took too long", ModelTimeoutError),
        ("InternalServerException", 500, "", ModelUnavailableError),
        ("ServiceUnavailableException", 503, "", ModelUnavailableError),
        ("ModelErrorException", 424, "", ModelUnavailableError),
        ("502", 502, "", ModelUnavailableError),
        ("ConflictException", 400, "", ModelAnswerError),
    ],
)
def test_an_error_that_bedrock_answers_is_said_in_our_words(client_error, code, status, message, kind):
    assert type(model_error(TITAN, client_error(code, status, message))) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (boto.ReadTimeoutError(**URL), ModelTimeoutError),
        (boto.ConnectTimeoutError(**URL), ModelUnavailableError),
        (boto.EndpointConnectionError(**URL), ModelUnavailableError),
        (boto.ConnectionClosedError(**URL), ModelUnavailableError),
        (boto.SSLError(**URL, error="x"), ModelUnavailableError),
        (boto.ResponseStreamingError(error="x"), ModelUnavailableError),
        (boto.NoCredentialsError(), AccessDeniedError),
        (boto.ParamValidationError(report="x"), ModelAnswerError),
    ],
)
def test_an_error_on_the_way_to_bedrock_is_said_in_our_words(error, kind):
    assert type(model_error(TITAN, error)) is kind


@pytest.mark.parametrize("model", image_models.MODELS.values(), ids=lambda model: model.name)
def test_a_retired_model_names_another_that_works(client_error, model):
    error = model_error(model, client_error("ResourceNotFoundException", 404, LEGACY))

    (named,) = [name for name in image_models.MODELS if f"use {name}, which works" in error.detail]
    assert image_models.get(named).lifecycle == "ACTIVE"
    assert named != model.id


def test_a_missing_right_names_the_action_and_the_model_but_no_account(client_error):
    error = model_error(TITAN, client_error("AccessDeniedException", 403, "User arn:aws:iam::123456789012:role/x"))

    assert f"bedrock:InvokeModel on {TITAN.arn}" in error.detail
    assert "123456789012" not in error.detail


@pytest.mark.parametrize(
    ("code", "status", "passing", "sentence"),
    [
        ("AccessDenied", 403, False, "No right to write the bucket pictures"),
        ("NoSuchBucket", 404, False, "check the bucket's name"),
        ("InvalidRequest", 400, False, "InvalidRequest"),
        ("SlowDown", 503, True, "try again later"),
        ("InternalError", 500, True, "try again later"),
        ("RequestTimeout", 400, True, "try again later"),
        ("ConditionalRequestConflict", 409, True, "try again later"),
    ],
)
def test_an_error_that_s3_answers_passes_or_does_not(client_error, code, status, passing, sentence):
    error = storage_error("write", "pictures", client_error(code, status))

    assert (error.reason, error.passing) == ("Storage", passing)
    assert sentence in error.detail


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (boto.EndpointConnectionError(**URL), True),
        (boto.ReadTimeoutError(**URL), True),
        (boto.NoCredentialsError(), False),
        (boto.ParamValidationError(report="x"), False),
    ],
)
def test_an_error_on_the_way_to_s3_passes_or_does_not(error, passing):
    assert storage_error("read", "pictures", error).passing is passing


def test_web_page_in_the_place_of_an_answer_is_no_message():
    page = {"Error": {"Code": "502", "Message": "<!doctype html>\n<title>Bad gateway</title>"}}
    error = boto.ClientError(page | {"ResponseMetadata": {"HTTPStatusCode": 502}}, "DescribeAlarms")

    assert describe(error) == ("502", 502, "a web page came in place of AWS's answer")
