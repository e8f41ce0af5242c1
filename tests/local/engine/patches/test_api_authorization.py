"""Who may call a REST API's method: API keys with their usage plans, and signed requests, switched on and off by a stack's parameters."""

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.local.engine.patches.test_api_gateway import deploy, template
from tests.local.engine.patches.test_iam import user

__all__ = ["deploy", "user"]
STACK = "authorized-api"


def authorized(authorizer="NONE", key="", **settings):
    """The API with the project's two parameters."""
    body = template(**settings)
    body["Parameters"] = {
        "Authorizer": {"Type": "String", "Default": authorizer},
        "KeyRequired": {"Type": "String", "Default": key},
    }
    document = body["Resources"]["Api"]["Properties"]["DefinitionBody"]
    document["paths"]["/mock"]["post"] = document["paths"]["/mock"]["get"]
    body["Conditions"] = {"NeedsKey": {"Fn::Equals": [{"Ref": "KeyRequired"}, "true"]}}
    body["Resources"]["Api"]["Properties"]["Auth"] = {
        "DefaultAuthorizer": {"Ref": "Authorizer"},
        "InvokeRole": "NONE",
        "ApiKeyRequired": {"Ref": "KeyRequired"},
    }
    del body["Resources"]["Api"]["Properties"]["GatewayResponses"]
    body["Resources"] |= {
        "Key": {
            "Type": "AWS::ApiGateway::ApiKey",
            "Condition": "NeedsKey",
            "Properties": {"Name": "the-key", "Enabled": True},
        },
        "Plan": {
            "Type": "AWS::ApiGateway::UsagePlan",
            "Condition": "NeedsKey",
            "Properties": {
                "UsagePlanName": "the-plan",
                "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Api.Stage"}}],
            },
        },
        "PlanKey": {
            "Type": "AWS::ApiGateway::UsagePlanKey",
            "Condition": "NeedsKey",
            "Properties": {"KeyId": {"Ref": "Key"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "Plan"}},
        },
    }
    body["Outputs"]["KeyId"] = {"Condition": "NeedsKey", "Value": {"Ref": "Key"}}
    return body


def outputs(stack):
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


class Api:
    """The deployed API, and how to call its method."""

    def __init__(self, engine_cloud, deploy, **settings):
        self.cloud = engine_cloud
        self.outputs = outputs(deploy(authorized(**settings), STACK))
        self.path = f"/_aws/execute-api/{self.outputs['Id']}/prod/mock"
        self.arn = f"arn:aws:execute-api:eu-west-1:000000000000:{self.outputs['Id']}/prod/GET/mock"

    def call(self, method="GET", body=None, **headers):
        """Status and answer of a request."""
        return self.cloud.ask(method, self.path, body, headers=headers)[:2]

    def sign(self, somebody, method="GET", body=None, **headers):
        """The headers of a request that somebody signs."""
        key = Credentials(somebody.key["AccessKeyId"], somebody.key["SecretAccessKey"])
        request = AWSRequest(method, self.cloud.endpoint + self.path, data=body, headers=headers)
        SigV4Auth(key, "execute-api", "eu-west-1").add_auth(request)
        return dict(request.headers)

    def key(self):
        """The value of the API key."""
        found = self.cloud.client("apigateway").get_api_key(apiKey=self.outputs["KeyId"], includeValue=True)
        return found["value"]


def invoke(resource):
    return {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}


OK = (200, {"ok": True})
FORBIDDEN = (403, {"message": "Forbidden"})
UNSIGNED = (403, {"message": "Missing Authentication Token"})


def test_key_is_switched_on_and_off(engine_cloud, deploy):
    before = Api(engine_cloud, deploy)
    assert before.call() == OK

    with_key = Api(engine_cloud, deploy, key="true")
    key = with_key.key()
    assert with_key.outputs["Id"] == before.outputs["Id"]
    assert with_key.call() == FORBIDDEN
    assert with_key.call(**{"x-api-key": key[:-1] + "x"}) == FORBIDDEN
    assert with_key.call(**{"x-api-key": key}) == OK

    assert Api(engine_cloud, deploy).call() == OK
    apigateway = engine_cloud.client("apigateway")
    assert [item["name"] for item in apigateway.get_api_keys()["items"]] == []
    assert [item["name"] for item in apigateway.get_usage_plans()["items"]] == []


def test_key_that_is_disabled_opens_nothing(engine_cloud, deploy):
    api = Api(engine_cloud, deploy, key="true")
    engine_cloud.client("apigateway").update_api_key(
        apiKey=api.outputs["KeyId"], patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}]
    )

    assert api.call(**{"x-api-key": api.key()}) == FORBIDDEN


def test_signature_of_a_permitted_caller_is_asked_for(engine_cloud, deploy, user):
    api = Api(engine_cloud, deploy, authorizer="AWS_IAM")

    assert api.call() == UNSIGNED
    assert api.call(**api.sign(user.may(invoke(api.arn)))) == OK
    assert api.call(**api.sign(user.may(invoke(api.arn.replace("/GET/", "/POST/")))))[0] == 403
    assert Api(engine_cloud, deploy).call() == OK


def test_body_that_says_it_is_a_form_is_signed_as_it_is(engine_cloud, deploy, user):
    """As curl sends it: `--data "a lighthouse"`."""
    api = Api(engine_cloud, deploy, authorizer="AWS_IAM")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    signed = api.sign(user.may(invoke("*")), "POST", b"a lighthouse", **form)

    assert api.call("POST", b"a lighthouse", **signed) == OK
    assert api.call("POST", b"a pyramid", **signed)[0] == 403


def test_refusals_of_signed_requests_are_awss(engine_cloud, deploy, user):
    api = Api(engine_cloud, deploy, authorizer="AWS_IAM")

    status, answer = api.call(**api.sign(user))
    hidden = api.arn.replace("000000000000", "********0000")
    assert status == 403
    assert answer["Message"] == (
        f"User: {user.arn} is not authorized to perform: execute-api:Invoke on resource: {hidden} "
        "because no identity-based policy allows the execute-api:Invoke action"
    )
    broken = api.sign(user.may(invoke("*")))
    broken["Authorization"] = broken["Authorization"][:-4] + "0000"
    status, answer = api.call(**broken)
    assert status == 403
    assert "signature we calculated does not match" in answer["message"]
    assert api.call(Authorization="Bearer token")[0] == 403


def test_key_and_signature_are_asked_for_together(engine_cloud, deploy, user):
    api = Api(engine_cloud, deploy, authorizer="AWS_IAM", key="true")
    signed, key = api.sign(user.may(invoke("*"))), api.key()

    assert api.call(**signed) == FORBIDDEN
    assert api.call(**{"x-api-key": key}) == UNSIGNED
    assert api.call(**signed, **{"x-api-key": key}) == OK
