"""REST APIs and their stacks on the running engine: throttling, gateway responses, updates in place."""

import json
import time

import pytest
import yaml
from botocore.exceptions import ClientError

STACK = "api-under-test"
ERROR = '{"error":"$context.error.responseType","detail":$context.error.messageString,"id":"$context.requestId"}'


def template(*, burst=1000, rate=1000.0, not_found="nothing here", retention=7, body='{"ok":true}'):
    """A SAM API with one mock method, as the project's own stack writes its throttle and its gateway responses."""
    integration = {
        "type": "mock",
        "requestTemplates": dict.fromkeys(
            ("application/json", "application/x-www-form-urlencoded"), '{"statusCode": 200}'
        ),
        "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": body}}},
    }
    method = {"responses": {"200": {"description": "ok"}}, "x-amazon-apigateway-integration": integration}
    limits = {"ThrottlingRateLimit": rate, "ThrottlingBurstLimit": burst}
    return {
        "Transform": "AWS::Serverless-2016-10-31",
        "Resources": {
            "Api": {
                "Type": "AWS::Serverless::Api",
                "Properties": {
                    "StageName": "prod",
                    "OpenApiVersion": "3.0.1",
                    "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", **limits}],
                    "GatewayResponses": {
                        "DEFAULT_4XX": {"ResponseTemplates": {"application/json": ERROR}},
                        "MISSING_AUTHENTICATION_TOKEN": {
                            "StatusCode": 404,
                            "ResponseTemplates": {"application/json": json.dumps({"error": not_found})},
                        },
                    },
                    "DefinitionBody": {
                        "openapi": "3.0.1",
                        "info": {"title": "api", "version": "1"},
                        "paths": {"/mock": {"get": method}},
                    },
                },
            },
            "Log": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": {"Fn::Sub": "/api/${AWS::StackName}"}, "RetentionInDays": retention},
            },
        },
        "Outputs": {
            "Id": {"Value": {"Ref": "Api"}},
            "Url": {"Value": {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.amazonaws.com/prod/mock"}},
        },
    }


@pytest.fixture(scope="module")
def deploy(engine_cloud):
    """Deploy a template by a change set, as SAM does; the stack afterwards."""
    cloudformation = engine_cloud.client("cloudformation")

    def deployed(body, name=STACK):
        try:
            cloudformation.describe_stacks(StackName=name)
            kind = "UPDATE"
        except ClientError:
            kind = "CREATE"
        created = cloudformation.create_change_set(
            StackName=name,
            ChangeSetName=f"set-{time.monotonic_ns()}",
            ChangeSetType=kind,
            TemplateBody=json.dumps(body),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        described = cloudformation.describe_change_set(ChangeSetName=created["Id"])
        # LocalEmu answers when the change set is made; one without changes fails, and the stack stays as it is.
        is_changed = "didn't contain changes" not in described.get("StatusReason", "")
        if is_changed:
            cloudformation.execute_change_set(ChangeSetName=created["Id"])
        deadline = time.monotonic() + 120
        while True:
            # The stack's own status is the former one until the execution begins.
            executed = cloudformation.describe_change_set(ChangeSetName=created["Id"])["ExecutionStatus"]
            stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
            is_done = not is_changed or executed in ("EXECUTE_COMPLETE", "EXECUTE_FAILED")
            if is_done and not stack["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            assert time.monotonic() < deadline, stack
            time.sleep(0.1)

    return deployed


@pytest.fixture
def api(engine_cloud, deploy):
    """Deploy the API; ask it by method and path."""

    def deployed(**settings):
        stack = deploy(template(**settings))
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        base = f"/_aws/execute-api/{outputs['Id']}/prod"
        return stack, outputs, lambda path, method="GET": engine_cloud.ask(method, base + path)

    return deployed


def test_an_unchanged_sam_template_has_no_changes(engine_cloud, api):
    """`sam deploy` takes this for "No changes to deploy"."""
    stack, _, _ = api()
    cloudformation = engine_cloud.client("cloudformation")

    created = cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName="unchanged",
        TemplateBody=json.dumps(template()),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    described = cloudformation.describe_change_set(ChangeSetName=created["Id"])
    assert (described["Status"], described["ExecutionStatus"], described["Changes"]) == ("FAILED", "UNAVAILABLE", [])
    assert described["StatusReason"].startswith("The submitted information didn't contain changes.")
    assert cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] == stack["StackStatus"]


def test_limits_of_the_stage_are_kept(api):
    _, _, ask = api(rate=0.001, burst=3)

    answers = [ask("/mock") for _ in range(5)]

    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1][1]
    assert (refused["error"], refused["detail"]) == ("THROTTLED", "Too Many Requests")
    assert refused["id"] == answers[-1][2]["x-amzn-RequestId"]


def test_gateway_responses_of_the_document_answer(api):
    _, _, ask = api(not_found="look elsewhere")

    status, answer, headers = ask("/nowhere")

    assert (status, answer) == (404, {"error": "look elsewhere"})
    assert headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_update_changes_the_api_in_place(engine_cloud, api):
    _, before, ask = api(retention=7, rate=0.001, burst=1)
    ask("/mock")

    stack, after, ask = api(retention=14, rate=1000, burst=1000, not_found="anew", body='{"ok":"anew"}')

    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert after == before
    assert [ask("/mock")[1] for _ in range(3)] == [{"ok": "anew"}] * 3
    assert ask("/nowhere")[1] == {"error": "anew"}
    groups = engine_cloud.client("logs").describe_log_groups(logGroupNamePrefix=f"/api/{STACK}")["logGroups"]
    assert [group["retentionInDays"] for group in groups] == [14]


def test_method_of_the_root_is_imported(engine_cloud, deploy):
    body = template()
    document = body["Resources"]["Api"]["Properties"]["DefinitionBody"]
    document["paths"] = {"/": document["paths"]["/mock"]}

    stack = deploy(body, "api-with-a-root")

    assert stack["StackStatus"] == "CREATE_COMPLETE"
    api_id = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "Id")
    assert engine_cloud.ask("GET", f"/_aws/execute-api/{api_id}/prod/")[:2] == (200, {"ok": True})


def test_export_has_the_address_and_the_models_of_all_content_types(engine_cloud, deploy):
    body = template()
    document = body["Resources"]["Api"]["Properties"]["DefinitionBody"]
    kinds = {"application/json": "Job", "text/plain": "Prompt"}
    document["components"] = {"schemas": {name: {"type": "string", "maxLength": 7} for name in kinds.values()}}
    content = {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}} for kind, name in kinds.items()}
    method = document["paths"]["/mock"].pop("get")
    document["paths"]["/mock"]["post"] = method | {"requestBody": {"content": content, "required": True}}
    outputs = {each["OutputKey"]: each["OutputValue"] for each in deploy(body, "exported")["Outputs"]}
    export = engine_cloud.client("apigateway").get_export

    def exported(accepts):
        answer = export(restApiId=outputs["Id"], stageName="prod", exportType="oas30", accepts=accepts)
        return yaml.safe_load(answer["body"].read())

    found = exported("application/json")

    assert exported("application/yaml") == found
    assert found["paths"]["/mock"]["post"]["requestBody"] == {"content": content, "required": True}
    assert found["components"]["schemas"].items() >= document["components"]["schemas"].items()
    [server] = found["servers"]
    address = server["url"].format(**{name: each["default"] for name, each in server["variables"].items()})
    assert f"{address}/mock" == outputs["Url"]


def test_queue_of_a_stack_can_be_made_again_after_its_deletion(engine_cloud, deploy):
    cloudformation = engine_cloud.client("cloudformation")
    body = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "made-again"}}}}
    deploy(body, "first")
    cloudformation.delete_stack(StackName="first")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="first", WaiterConfig={"Delay": 0.2})

    assert deploy(body, "second")["StackStatus"] == "CREATE_COMPLETE"


def test_permissions_boundary_of_a_role_is_set_changed_and_removed(engine_cloud, deploy):
    iam = engine_cloud.client("iam")
    allow = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    first, second = (
        iam.create_policy(PolicyName=f"{name}-boundary", PolicyDocument=document)["Policy"]["Arn"]
        for name in ("first", "second")
    )
    trust = allow | {"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    del trust["Resource"]
    properties = {"RoleName": "bounded", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}}
    found = []
    for boundary in (None, first, second, None):
        bounded = {"PermissionsBoundary": boundary} if boundary else {}
        stack = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties | bounded}}}
        deploy(stack, "bounded-role")
        role = iam.get_role(RoleName="bounded")["Role"]
        found.append(role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"))

    assert found == [None, first, second, None]


def test_address_in_an_output_is_awss(api):
    _, outputs, _ = api()

    assert outputs["Url"] == f"https://{outputs['Id']}.execute-api.eu-west-1.amazonaws.com/prod/mock"


@pytest.mark.parametrize("path", ["/{id}/dev/mock", "/nobodys/prod/mock"])
def test_api_or_stage_that_does_not_exist_is_forbidden(engine_cloud, api, path):
    _, outputs, _ = api()

    status, answer, headers = engine_cloud.ask("GET", "/_aws/execute-api" + path.replace("{id}", outputs["Id"]))

    assert (status, answer) == (403, {"message": "Forbidden"})
    assert headers["x-amzn-ErrorType"] == "ForbiddenException"


def test_resource_that_is_not_offered_fails_the_stack(engine_cloud):
    cloudformation = engine_cloud.client("cloudformation")
    body = {
        "Resources": {"Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "http", "ProtocolType": "HTTP"}}}
    }

    created = cloudformation.create_change_set(
        StackName="http-api", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(body)
    )
    with pytest.raises(Exception, match="FAILED"):
        cloudformation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=created["Id"], WaiterConfig={"Delay": 0.2}
        )

    assert "AWS::ApiGatewayV2::Api" in cloudformation.describe_change_set(ChangeSetName=created["Id"])["StatusReason"]
