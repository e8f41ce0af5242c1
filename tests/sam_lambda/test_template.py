from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from couch_explorers.core import image_models
from tests import sam_template

ROOT = Path(__file__).resolve().parents[2]
# What $context gives for an error, put where API Gateway would put it.
CONTEXT = {
    "$context.error.responseType": "DEFAULT_4XX",
    "$context.error.messageString": '"Forbidden"',
    "$context.requestId": "6f0c2f4e-2a0e-4b7d-9a55-0d6f3f1f8f11",
}
API_GATEWAY_WAITS_S = 29  # API Gateway quotas, integration time-out of a REST API


@pytest.fixture(scope="module")
def template():
    return sam_template.read()


@pytest.fixture(scope="module")
def function(template):
    return template["Resources"]["GenerateImageFunction"]["Properties"]


@pytest.fixture(scope="module")
def api(template):
    return template["Resources"]["GenerateImageApi"]["Properties"]


@pytest.fixture(scope="module")
def statements(template):
    [policy] = template["Resources"]["GenerateImageRole"]["Properties"]["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def test_the_function_gets_exactly_the_variables_that_it_reads(function, environment):
    assert set(function["Environment"]["Variables"]) == set(environment)


def test_the_function_answers_before_the_gateway_gives_up(function, load, environment, monkeypatch):
    for name, value in {**environment, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    app = load()

    assert app.BEDROCK_READ_TIMEOUT_S < function["Timeout"] < API_GATEWAY_WAITS_S


def test_the_log_group_is_the_functions_own_and_ends(template, function):
    group = template["Resources"]["GenerateImageLogGroup"]["Properties"]

    assert group["LogGroupName"]["Fn::Sub"] == f"/aws/lambda/{function['FunctionName']['Fn::Sub']}"
    assert group["RetentionInDays"] > 0
    assert function["LoggingConfig"]["LogGroup"] == {"Ref": "GenerateImageLogGroup"}


def test_the_role_may_do_exactly_what_the_function_does(template, statements):
    actions = {sid: statement["Action"] for sid, statement in statements.items()}

    assert actions == {
        "PaintWithTheListedModels": "bedrock:InvokeModel",
        "KeepOwnPictures": ["s3:PutObject", "s3:GetObject"],
        "ListOwnPictures": "s3:ListBucket",
        "WriteOwnLog": ["logs:CreateLogStream", "logs:PutLogEvents"],
    }
    assert "ManagedPolicyArns" not in template["Resources"]["GenerateImageRole"]["Properties"]


def test_the_role_reaches_only_the_listed_models_the_own_prefix_and_the_own_log(statements):
    bucket = "arn:${AWS::Partition}:s3:::${BucketName}"

    # An inference profile and the models behind it are entries of their own.
    listed = {"Fn::Split": ["+", {"Fn::Join": [",", {"Ref": "ModelArns"}]}]}
    assert statements["PaintWithTheListedModels"]["Resource"] == {"Fn::Split": [",", {"Fn::Join": [",", listed]}]}
    assert statements["KeepOwnPictures"]["Resource"] == {"Fn::Sub": f"{bucket}/${{CandidateNumber}}/*"}
    assert statements["ListOwnPictures"]["Resource"] == {"Fn::Sub": bucket}
    assert statements["ListOwnPictures"]["Condition"] == {
        "StringLike": {"s3:prefix": {"Fn::Sub": "${CandidateNumber}/*"}}
    }
    assert statements["WriteOwnLog"]["Resource"] == {"Fn::GetAtt": ["GenerateImageLogGroup", "Arn"]}


def test_the_stage_is_throttled_by_the_parameters(api):
    assert api["StageName"] == "prod"
    assert api["MethodSettings"] == [
        {
            "ResourcePath": "/*",
            "HttpMethod": "*",
            "ThrottlingRateLimit": {"Ref": "StageThrottleRate"},
            "ThrottlingBurstLimit": {"Ref": "StageThrottleBurst"},
        }
    ]


def test_every_answer_of_the_gateway_itself_has_the_functions_shape(api):
    responses = {name: response["ResponseTemplates"] for name, response in api["GatewayResponses"].items()}
    unsigned = api["DefinitionBody"]["x-amazon-apigateway-gateway-responses"]["MISSING_AUTHENTICATION_TOKEN"]
    _, signed, open_to_all = unsigned["responseTemplates"]["application/json"]["Fn::If"]
    responses |= {"unsigned": {"application/json": signed}, "unknown": {"application/json": open_to_all}}

    assert {"DEFAULT_4XX", "DEFAULT_5XX", "THROTTLED", "INVALID_API_KEY", "RESOURCE_NOT_FOUND"} < set(responses)
    for response in responses.values():
        [(content_type, text)] = response.items()
        for name, value in CONTEXT.items():
            text = text.replace(name, value)
        answer = json.loads(text)
        assert content_type == "application/json"
        assert set(answer) == {"error", "detail", "request_id"}
        assert "$" not in text
    assert unsigned["statusCode"] == {"Fn::If": ["NeedsSignature", "403", "404"]}


def expanded(template, **parameters):
    """What SAM makes of the template with these parameters: resources, and the security of the one method."""
    made = sam_template.expand(template, **parameters)
    method = made["GenerateImageApi"]["Properties"]["Body"]["paths"]["/generate-image"]["post"]
    return made, method.get("security", []), method["x-amazon-apigateway-integration"]


@pytest.mark.parametrize(
    ("parameters", "security"),
    [
        ({}, []),
        ({"ApiKeyRequired": "true"}, [{"api_key": []}]),
        ({"ApiAuthorizer": "AWS_IAM"}, [{"AWS_IAM": []}]),
        ({"ApiKeyRequired": "true", "ApiAuthorizer": "AWS_IAM"}, [{"AWS_IAM": []}, {"api_key": []}]),
    ],
)
def test_method_requires_what_the_parameters_say_and_no_more(template, parameters, security):
    _, found, integration = expanded(template, **parameters)

    assert found == security
    # The caller's own permissions are not enough to invoke the function, and need not be.
    assert "credentials" not in integration


def test_other_authorization_is_deployed_anew(template):
    """A stage serves the API as it was when its deployment was made, so that each setting needs one of its own."""
    settings = [{}, {"ApiKeyRequired": "true"}, {"ApiAuthorizer": "AWS_IAM"}]
    deployments = {
        name for each in settings for name in expanded(template, **each)[0] if name.startswith("GenerateImageApiDeploy")
    }

    assert len(deployments) == len(settings)


ACCOUNTS = "arn:aws:bedrock:us-east-1:123456789012"
MODEL = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-canvas-v1:0"


@pytest.mark.parametrize(
    ("parameter", "good", "bad"),
    [
        ("CandidateNumber", ["42", "1004"], ["", "42/", "../1", "4x", "12345678901", "٤٢"]),
        ("BucketName", ["pgr301-couch-explorers"], ["", "UPPER", "a", "with/slash", "-start"]),
        (
            "ModelArns",
            [
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-image-generator-v2:0",
                f"{ACCOUNTS}:inference-profile/us.amazon.nova-canvas-v1:0+{MODEL}+{MODEL}",
                f"{ACCOUNTS}:application-inference-profile/a1b2c3d4e5f6+{MODEL}",
            ],
            [
                "*",
                "amazon.nova-canvas-v1:0",
                "arn:aws:bedrock:us-east-1::foundation-model/*",
                "arn:aws:bedrock:*::x",
                f"{MODEL}+{MODEL}",
                f"{ACCOUNTS}:application-inference-profile/a1b2c3d4e5f6",
                f"{ACCOUNTS}:inference-profile/*+{MODEL}",
            ],
        ),
    ],
)
def test_a_malformed_parameter_is_refused_before_anything_is_made(template, parameter, good, bad):
    pattern = re.compile(template["Parameters"][parameter]["AllowedPattern"])

    assert all(pattern.search(value) for value in good)
    assert not any(pattern.search(value) for value in bad)
    assert template["Parameters"][parameter]["ConstraintDescription"]


def test_the_default_model_is_the_cores_default(template):

    default = image_models.get(image_models.DEFAULT_MODEL_ID)
    assert template["Parameters"]["ModelArns"]["Default"] == default.arn


def test_the_recipe_that_sam_calls_fills_the_artifacts_folder_from_the_real_layout(template, tmp_path):
    function = template["Resources"]["GenerateImageFunction"]
    working_directory = (ROOT / "sam_lambda" / function["Metadata"]["WorkingDirectory"]).resolve()
    makefile = ROOT / "sam_lambda" / function["Properties"]["CodeUri"] / "Makefile"
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()

    done = subprocess.run(
        ["make", "--makefile", makefile, "build-GenerateImageFunction"],
        cwd=working_directory,
        env={**os.environ, "ARTIFACTS_DIR": str(artifacts)},
        capture_output=True,
        text=True,
        check=False,
    )

    module, _, _ = function["Properties"]["Handler"].partition(".")
    assert function["Metadata"]["BuildMethod"] == "makefile"
    assert done.returncode == 0, done.stderr
    assert (artifacts / f"{module}.py").is_file()
    assert (artifacts / "couch_explorers" / "core" / "generation.py").is_file()
