"""Providers of CloudFormation resource types whose properties or updates LocalEmu ignores, as subclasses of LocalEmu's.

LocalEmu creates a stage without its method settings and a log group without its retention, and reports success for every update of an
API, a stage, a gateway response or a log group without changing anything. It ignores another permissions boundary of a role. Imported once CloudFormation is in use: it loads LocalEmu's
providers. Properties: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApiGateway.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localemu.services.apigateway.resource_providers.aws_apigateway_gatewayresponse import (
    ApiGatewayGatewayResponseProvider,
)
from localemu.services.apigateway.resource_providers.aws_apigateway_restapi import ApiGatewayRestApiProvider
from localemu.services.apigateway.resource_providers.aws_apigateway_stage import ApiGatewayStageProvider
from localemu.services.cloudformation.resource_provider import OperationStatus, ProgressEvent
from localemu.services.iam.resource_providers.aws_iam_role import IAMRoleProvider
from localemu.services.logs.resource_providers.aws_logs_loggroup import LogsLogGroupProvider
from localemu.services.sqs.models import sqs_stores
from localemu.services.sqs.resource_providers.aws_sqs_queue import SQSQueueProvider

if TYPE_CHECKING:
    from collections.abc import Mapping

# A method setting of a template, and its path below `/{resourcePath}/{httpMethod}` in UpdateStage:
# https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
METHOD_SETTINGS = {
    "ThrottlingRateLimit": "throttling/rateLimit",
    "ThrottlingBurstLimit": "throttling/burstLimit",
    "MetricsEnabled": "metrics/enabled",
    "LoggingLevel": "logging/loglevel",
    "DataTraceEnabled": "logging/dataTrace",
    "CachingEnabled": "caching/enabled",
    "CacheTtlInSeconds": "caching/ttlInSeconds",
    "CacheDataEncrypted": "caching/dataEncrypted",
}


def done(request: Any, model: Any) -> Any:
    """Return the event of a successful change."""
    return ProgressEvent(status=OperationStatus.SUCCESS, resource_model=model, custom_context=request.custom_context)


def continued(request: Any) -> Any:
    """Return the desired state, with the values that the cloud has assigned (IDs, names) from the previous state."""
    return {
        **{key: value for key, value in request.previous_state.items() if key not in request.desired_state},
        **request.desired_state,
    }


class Stage(ApiGatewayStageProvider):  # type: ignore[misc] # LocalEmu has no types
    """AWS::ApiGateway::Stage."""

    def create(self, request: Any) -> Any:
        """Create the stage with its method settings."""
        event = super().create(request)
        model = event.resource_model
        if operations := method_operations(model.get("MethodSettings") or []):
            request.aws_client_factory.apigateway.update_stage(
                restApiId=model["RestApiId"], stageName=model["StageName"], patchOperations=operations
            )
        return event

    def update(self, request: Any) -> Any:
        """Change deployment, description, variables, tracing, access log, method settings and tags."""
        before, model = request.previous_state, continued(request)
        operations = [
            *method_operations(model.get("MethodSettings") or [], before.get("MethodSettings") or []),
            *replaced(before, model, {"DeploymentId": "/deploymentId", "Description": "/description"}),
            *replaced(before, model, {"TracingEnabled": "/tracingEnabled"}),
            *changed_entries(
                before.get("Variables") or {}, request.desired_state.get("Variables") or {}, "/variables/"
            ),
        ]
        for field, value in (request.desired_state.get("AccessLogSetting") or {}).items():
            if value != (before.get("AccessLogSetting") or {}).get(field):
                path = f"/accessLogSettings/{field[0].lower()}{field[1:]}"
                operations.append({"op": "replace", "path": path, "value": str(value)})
        apigateway = request.aws_client_factory.apigateway
        if operations:
            apigateway.update_stage(
                restApiId=model["RestApiId"], stageName=model["StageName"], patchOperations=operations
            )
        return done(request, {**model, **request.desired_state})


class RestApi(ApiGatewayRestApiProvider):  # type: ignore[misc]
    """AWS::ApiGateway::RestApi."""

    def update(self, request: Any) -> Any:
        """Change the API's document, name, description, policy and binary types; its id stays."""
        before, model = request.previous_state, continued(request)
        apigateway = request.aws_client_factory.apigateway
        if (body := request.desired_state.get("Body")) and body != before.get("Body"):
            parameters = {"basepath": "ignore", **(model.get("Parameters") or {})}
            # CloudFormation's default: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-apigateway-restapi.html
            apigateway.put_rest_api(
                restApiId=model["RestApiId"],
                body=(json.dumps(body) if isinstance(body, dict) else body).encode(),
                mode=model.get("Mode") or "overwrite",
                parameters=parameters,
            )
        operations = replaced(before, model, {"Name": "/name", "Description": "/description"})
        if model.get("Policy") != before.get("Policy"):
            operations.append({"op": "replace", "path": "/policy", "value": json.dumps(model.get("Policy"))})
        for kind in set(model.get("BinaryMediaTypes") or []) ^ set(before.get("BinaryMediaTypes") or []):
            op = "add" if kind in (model.get("BinaryMediaTypes") or []) else "remove"
            operations.append({"op": op, "path": f"/binaryMediaTypes/{kind.replace('/', '~1')}"})
        if operations:
            apigateway.update_rest_api(restApiId=model["RestApiId"], patchOperations=operations)
        return done(request, model)


class GatewayResponse(ApiGatewayGatewayResponseProvider):  # type: ignore[misc]
    """AWS::ApiGateway::GatewayResponse."""

    def update(self, request: Any) -> Any:
        """Replace the response."""
        model = continued(request)
        wanted = request.desired_state
        optional = {
            "statusCode": "StatusCode",
            "responseParameters": "ResponseParameters",
            "responseTemplates": "ResponseTemplates",
        }
        request.aws_client_factory.apigateway.put_gateway_response(
            restApiId=model["RestApiId"],
            responseType=model["ResponseType"],
            **{argument: wanted[field] for argument, field in optional.items() if wanted.get(field)},
        )
        return done(request, model)


class Role(IAMRoleProvider):  # type: ignore[misc]
    """AWS::IAM::Role."""

    def update(self, request: Any) -> Any:
        """Change the permissions boundary, then everything else: whether its policies may be changed depends on the boundary."""
        before, wanted = (state.get("PermissionsBoundary") for state in (request.previous_state, request.desired_state))
        iam, name = request.aws_client_factory.iam, request.previous_state["RoleName"]
        if wanted and wanted != before:
            iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=wanted)
        elif before and not wanted:
            iam.delete_role_permissions_boundary(RoleName=name)
        return super().update(request)


class LogGroup(LogsLogGroupProvider):  # type: ignore[misc]
    """AWS::Logs::LogGroup."""

    def create(self, request: Any) -> Any:
        """Create the log group with its retention and tags."""
        event = super().create(request)
        self._configure(request, event.resource_model, {})
        return event

    def update(self, request: Any) -> Any:
        """Change retention and tags."""
        model = continued(request)
        self._configure(
            request, request.desired_state | {"LogGroupName": model["LogGroupName"]}, request.previous_state
        )
        return done(request, model)

    def _configure(self, request: Any, model: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        logs, name = request.aws_client_factory.logs, model["LogGroupName"]
        if days := model.get("RetentionInDays"):
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
        elif before.get("RetentionInDays"):
            logs.delete_retention_policy(logGroupName=name)
        tags, old = ({tag["Key"]: tag["Value"] for tag in state.get("Tags") or []} for state in (model, before))
        if tags:
            logs.tag_log_group(logGroupName=name, tags=tags)
        if gone := [key for key in old if key not in tags]:
            logs.untag_log_group(logGroupName=name, tags=gone)


class Queue(SQSQueueProvider):  # type: ignore[misc]
    """AWS::SQS::Queue."""

    def delete(self, request: Any) -> Any:
        """Delete the queue and release its name: on AWS, CloudFormation reports the deletion once the name is free."""
        event = super().delete(request)
        deleted = sqs_stores[request.account_id][request.region_name].deleted
        deleted.pop((request.previous_state or request.desired_state or {}).get("QueueName"), None)
        return event


def method_operations(
    settings: list[Mapping[str, Any]], before: list[Mapping[str, Any]] | None = None
) -> list[dict[str, str]]:
    """Return UpdateStage's patch operations that turn the previous method settings into the new ones."""
    wanted, old = _by_path(settings), _by_path(before or [])
    operations = [{"op": "remove", "path": f"/{method}"} for method in old if method not in wanted]
    for method, values in wanted.items():
        operations += [
            {"op": "replace", "path": f"/{method}/{METHOD_SETTINGS[name]}", "value": _patch_text(value)}
            for name, value in values.items()
            if name in METHOD_SETTINGS and old.get(method, {}).get(name) != value
        ]
    return operations


def _by_path(settings: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return method settings by `{resourcePath}/{httpMethod}` as in UpdateStage's paths: `*/*`, `~1pictures/POST`."""
    paths = {}
    for setting in settings:
        path = str(setting.get("ResourcePath") or "/*")
        resource = "*" if path in ("/*", "*") else path.replace("/", "~1")
        paths[f"{resource}/{setting.get('HttpMethod') or '*'}"] = setting
    return paths


def replaced(before: Mapping[str, Any], model: Mapping[str, Any], paths: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the patch operations for the properties with a new value."""
    return [
        {"op": "replace", "path": path, "value": _patch_text(model.get(name) or "")}
        for name, path in paths.items()
        if model.get(name) != before.get(name)
    ]


def changed_entries(before: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str) -> list[dict[str, str]]:
    """Return the patch operations that turn one map of texts into another."""
    removed = [{"op": "remove", "path": prefix + key} for key in before if key not in wanted]
    return removed + [
        {"op": "replace", "path": prefix + key, "value": str(value)}
        for key, value in wanted.items()
        if before.get(key) != value
    ]


def _patch_text(value: Any) -> str:
    """Return a value as text, as patch operations have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


# By CloudFormation's type.
PROVIDERS = {
    "AWS::ApiGateway::GatewayResponse": GatewayResponse,
    "AWS::ApiGateway::RestApi": RestApi,
    "AWS::ApiGateway::Stage": Stage,
    "AWS::IAM::Role": Role,
    "AWS::Logs::LogGroup": LogGroup,
    "AWS::SQS::Queue": Queue,
}
