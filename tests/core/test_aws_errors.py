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


NAME, ID, ARN = TITAN.name, TITAN.id, TITAN.arn
SENTENCES = {
    BlockedError: f"The content filter of {NAME} refused the prompt: change the prompt.",
    RetiredModelError: f"{NAME} ({ID}) is retired: use {image_models.DEFAULT_MODEL_ID}, which works.",
    AccessDeniedError: f"No right to use {ID}: allow bedrock:InvokeModel on {ARN}.",
    SubscriptionPendingError: (
        f"This account's AWS Marketplace subscription to {NAME} is missing or not in force yet, which takes up to 15 minutes: "
        f"agree to {ID} once (CONTRIBUTING, first use of a model), then try again."
    ),
    PaymentMethodError: (
        f"AWS Marketplace takes no payment method of this account for {NAME}: add a valid one under AWS Billing."
    ),
    ThrottledError: f"{NAME} is asked too often just now: try again later.",
    ModelTimeoutError: f"{NAME} did not finish in time: try again later.",
    ModelUnavailableError: f"{NAME} failed ({{code}}): try again later.",
    ModelAnswerError: f'{NAME} refused the request ({{code}}): "{{message}}".',
}


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
        ("AccessDeniedException", 400, "", AccessDeniedError),
        ("AccessDeniedException", 403, NOT_SUBSCRIBED, SubscriptionPendingError),
        ("AccessDeniedException", 403, NO_MARKETPLACE_RIGHT, SubscriptionPendingError),
        ("AccessDeniedException", 403, "Required AWS Marketplace actions.", SubscriptionPendingError),
        ("AccessDeniedException", 403, "Your Marketplace subscription has expired.", SubscriptionPendingError),
        ("AccessDeniedException", 403, NO_PAYMENT, PaymentMethodError),
        ("AccessDeniedException", 403, "INVALID_PAYMENT_INSTRUMENT", PaymentMethodError),
        ("AccessDeniedException", 403, "A valid payment instrument must be provided.", PaymentMethodError),
        ("UnrecognizedClientException", 403, "The security token is invalid.", AccessDeniedError),
        ("Whatever", 401, "", AccessDeniedError),
        ("ThrottlingException", 429, "Too many requests", ThrottledError),
        ("ModelNotReadyException", 429, "Not ready", ThrottledError),
        ("ServiceQuotaExceededException", 400, "Quota", ThrottledError),
        ("Whatever", 429, "", ThrottledError),
        ("ModelTimeoutException", 408, "Took too long", ModelTimeoutError),
        ("RequestTimeout", 400, "", ModelTimeoutError),
        ("Whatever", 408, "", ModelTimeoutError),
        ("InternalServerException", 500, "", ModelUnavailableError),
        ("Whatever", 500, "", ModelUnavailableError),
        ("ServiceUnavailableException", 503, "", ModelUnavailableError),
        ("ModelErrorException", 424, "", ModelUnavailableError),
        ("502", 502, "", ModelUnavailableError),
        ("ConflictException", 400, "", ModelAnswerError),
    ],
)
def test_an_error_that_bedrock_answers_is_reported_in_our_words(client_error, code, status, message, kind):
    error = model_error(TITAN, client_error(code, status, message))

    assert type(error) is kind
    assert error.detail == SENTENCES[kind].format(code=code, message=message)


def test_long_refusal_is_quoted_with_300_characters(client_error):
    error = model_error(TITAN, client_error("ValidationException", 400, "x" * 400))

    assert error.detail == f'{NAME} refused the request (ValidationException): "{"x" * 298}….'


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (boto.ReadTimeoutError(**URL), ModelTimeoutError, f"{NAME} did not answer in time: try again later."),
        *(
            (error, ModelUnavailableError, f"{NAME} in us-east-1 cannot be reached: try again later.")
            for error in (
                boto.ConnectTimeoutError(**URL),
                boto.EndpointConnectionError(**URL),
                boto.ConnectionClosedError(**URL),
                boto.SSLError(**URL, error="x"),
                boto.ResponseStreamingError(error="x"),
            )
        ),
        (
            boto.NoCredentialsError(),
            AccessDeniedError,
            f"No AWS credentials to ask {NAME}: sign in, or give the function a role.",
        ),
        (
            boto.ParamValidationError(report="x"),
            ModelAnswerError,
            f"The call to {NAME} failed (ParamValidationError): look into the log.",
        ),
    ],
)
def test_an_error_on_the_way_to_bedrock_is_reported_in_our_words(error, kind, sentence):
    translated = model_error(TITAN, error)

    assert type(translated) is kind
    assert translated.detail == sentence


def test_retired_model_names_the_one_to_use_instead(client_error):
    error = model_error(TITAN, client_error("ResourceNotFoundException", 404, LEGACY), "a-text-model")

    assert error.detail == f"{NAME} ({ID}) is retired: use a-text-model, which works."


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
    ("code", "status", "passing", "advice"),
    [
        ("NoSuchBucket", 404, False, "check the bucket's name and region"),
        ("InvalidRequest", 400, False, "check the bucket's name and region"),
        ("SlowDown", 503, True, "try again later"),
        ("SlowDown", 400, True, "try again later"),
        ("InternalError", 500, True, "try again later"),
        ("RequestTimeout", 400, True, "try again later"),
        ("Whatever", 408, True, "try again later"),
        ("Whatever", 429, True, "try again later"),
        ("ConditionalRequestConflict", 409, True, "try again later"),
    ],
)
def test_an_error_that_s3_answers_passes_or_does_not(client_error, code, status, passing, advice):
    error = storage_error("write", "pictures", client_error(code, status))

    assert (error.reason, error.passing) == ("Storage", passing)
    assert error.detail == f"S3 would not write the bucket pictures ({code}): {advice}."


@pytest.mark.parametrize("status", [401, 403])
def test_missing_right_to_the_bucket_does_not_pass(client_error, status):
    error = storage_error("write", "pictures", client_error("AccessDenied", status))

    assert (error.passing, error.detail) == (False, "No right to write the bucket pictures: grant it to the caller.")


@pytest.mark.parametrize(
    ("error", "passing", "sentence"),
    [
        (
            boto.EndpointConnectionError(**URL),
            True,
            "Could not read the bucket pictures (EndpointConnectionError): try again later.",
        ),
        (
            boto.ReadTimeoutError(**URL),
            True,
            "Could not read the bucket pictures (ReadTimeoutError): try again later.",
        ),
        (boto.NoCredentialsError(), False, "No AWS credentials to read the bucket pictures: sign in."),
        (
            boto.ParamValidationError(report="x"),
            False,
            "Could not read the bucket pictures (ParamValidationError): look into the log.",
        ),
    ],
)
def test_an_error_on_the_way_to_s3_passes_or_does_not(error, passing, sentence):
    translated = storage_error("read", "pictures", error)

    assert (translated.passing, translated.detail) == (passing, sentence)


@pytest.mark.parametrize("page", ["<!doctype html>\n<title>Bad gateway</title>", "\r\n <html>"])
def test_web_page_in_the_place_of_an_answer_is_no_message(page):
    answer = {"Error": {"Code": "502", "Message": page}, "ResponseMetadata": {"HTTPStatusCode": 502}}

    assert describe(boto.ClientError(answer, "DescribeAlarms")) == (
        "502",
        502,
        "a web page came in place of AWS's answer",
    )


def test_answer_without_an_error_has_neither_code_nor_status():
    assert describe(boto.ClientError({}, "DescribeAlarms")) == ("", 0, "")
    assert describe(boto.ClientError({"ResponseMetadata": {}}, "DescribeAlarms")) == ("", 0, "")
