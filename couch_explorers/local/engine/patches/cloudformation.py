"""CloudFormation: how stacks change, and with whose permissions, where LocalEmu differs from AWS.

- Resources whose properties or updates LocalEmu drops get providers of our own (`engine.resource_providers`).
- A resource is replaced when a create-only property has a new value. LocalEmu replaces it even where it only refers to a resource that
  is updated in place: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
- A SAM template whose expansion is unchanged has no changes. LocalEmu takes every template with a transform for changed.
- URLs of APIs stay what the template says, in outputs and in environment variables. LocalEmu replaces AWS's domain by its own.
- An update may turn a condition on or off, and a template may refer to a resource that only its transform makes, such as
  `!Ref Api.Stage`. LocalEmu fails with an internal error ("unhashable type: 'NothingType'") or with "Unresolved resource dependencies",
  and keeps a resource whose condition was turned off:
  https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources.html
- CloudFormation acts with the permissions of its caller, or of the stack's service role. LocalEmu acts as the account's root:
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-iam-servicerole.html
"""

from __future__ import annotations

import contextvars
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.patches import service_error, when_loaded, wrap

if TYPE_CHECKING:
    from collections.abc import Callable

SEAMS = {
    "localemu.services.apigateway.resource_providers.aws_apigateway_restapi:ApiGatewayRestApiProvider.create": "bbd05b25ed0f",
    "localemu.services.apigateway.resource_providers.aws_apigateway_stage:ApiGatewayStageProvider.create": "7e638bf0813a",
    "localemu.services.cloudformation.engine.v2.change_set_model:ChangeSetModel._resolve_requires_replacement": "beabaec47ce8",
    "localemu.services.cloudformation.engine.v2.change_set_model:NothingType": "e60a29e98c91",
    "localemu.services.cloudformation.engine.v2.change_set_model_transform:ChangeSetModelTransform.visit_node_intrinsic_function_ref": "ae19f9ac9721",
    "localemu.services.cloudformation.engine.v2.change_set_model:NodeTemplate": "72ce65278212",
    "localemu.services.cloudformation.engine.v2.change_set_model_executor:ChangeSetModelExecutor._execute_resource_change": "0515307288ef",
    "localemu.services.cloudformation.engine.v2.change_set_model_executor:ChangeSetModelExecutor.create_resource_provider_payload": "ed5ea8bed76d",
    "localemu.services.cloudformation.engine.v2.change_set_model_preproc:ChangeSetModelPreproc._resolve_resource_condition_reference": "9a2433901ffe",
    "localemu.services.cloudformation.engine.v2.change_set_model_preproc:ChangeSetModelPreproc.visit_node_resources": "fa200d1dd721",
    "localemu.services.cloudformation.engine.v2.change_set_model_preproc:ChangeSetModelPreproc._perform_static_replacements": "5d1d67711a23",
    "localemu.services.cloudformation.resource_provider:ResourceProviderExecutor.try_load_resource_provider": "9be7534427d3",
    "localemu.services.cloudformation.resource_provider:convert_payload": "6de855abc845",
    "localemu.services.cloudformation.v2.entities:ChangeSet.has_changes": "9dc11f975823",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2._setup_change_set_model": "2e921452edeb",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.create_change_set": "a54ec7fb592a",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.create_stack": "07029cc49afb",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.delete_stack": "26e638d31ec5",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.execute_change_set": "7d2b259938db",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2.update_stack": "59f580964547",
    "localemu.services.iam.resource_providers.aws_iam_role:IAMRoleProvider.update": "e4f4a9d50264",
    "localemu.services.logs.resource_providers.aws_logs_loggroup:LogsLogGroupProvider.create": "2a421d83feab",
    "localemu.utils.threads:start_worker_thread": "2d92ea2c0ce5",
}

# The results of these transforms depend on template and parameters only, so comparing them shows whether anything has changed.
_PURE_TRANSFORMS = {"AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"}
# The access key with which CloudFormation calls other services; "" for the account's root.
_acting_key: contextvars.ContextVar[str] = contextvars.ContextVar("acting_key", default="")
# The service role that was last given for a stack (account, region, name): CloudFormation keeps using it.
_stack_roles: dict[tuple[str, str, str], str] = {}


def apply() -> None:
    """Act with the caller's permissions, and change the engine of stacks when it is loaded."""
    _act_as_the_caller()
    when_loaded("cloudformation", _change_classes)


def _change_classes() -> None:
    """Change the classes of the engine; their instances stay."""
    from localemu.services.cloudformation.engine.v2.change_set_model_preproc import ChangeSetModelPreproc

    _prefer_own_providers()
    _replace_only_what_differs()
    _find_no_changes_in_unchanged_templates()
    _take_conditional_resources()
    ChangeSetModelPreproc._perform_static_replacements = staticmethod(lambda value: value)


def _prefer_own_providers() -> None:
    from localemu.services.cloudformation.resource_provider import ResourceProviderExecutor

    def try_load_resource_provider(load: Callable[[str], Any], resource_type: str) -> Any:
        from couch_explorers.local.engine.resource_providers import PROVIDERS  # loads services

        own = PROVIDERS.get(resource_type)
        return own() if own else load(resource_type)

    wrap(ResourceProviderExecutor, "try_load_resource_provider", try_load_resource_provider)


def _replace_only_what_differs() -> None:
    from localemu.services.cloudformation.engine.v2.change_set_model_executor import ChangeSetModelExecutor
    from localemu.services.cloudformation.resource_provider import ResourceProviderExecutor

    def execute_resource_change(execute: Callable[..., None], self: Any, name: str, before: Any, after: Any) -> None:
        if getattr(before, "properties", None) and getattr(after, "requires_replacement", False):
            provider = ResourceProviderExecutor.try_load_resource_provider(after.resource_type)
            fixed = [path.removeprefix("/properties/") for path in provider.SCHEMA.get("createOnlyProperties", [])]
            old, new = before.properties.properties, after.properties.properties
            after.requires_replacement = any(old.get(field) != new.get(field) for field in fixed)
        execute(self, name, before, after)

    wrap(ChangeSetModelExecutor, "_execute_resource_change", execute_resource_change)


def _find_no_changes_in_unchanged_templates() -> None:
    """Let a change set of an unchanged SAM template fail, as `sam deploy` relies on to say "No changes to deploy"."""
    from localemu.services.cloudformation.engine.v2.change_set_model import ChangeType
    from localemu.services.cloudformation.v2.entities import ChangeSet

    def has_changes_after_transforms(has_changes: Callable[..., Any], self: Any) -> bool:
        transforms = self.template.get("Transform") or []
        if set([transforms] if isinstance(transforms, str) else map(str, transforms)) - _PURE_TRANSFORMS:
            return bool(has_changes(self))
        node = self.update_model.node_template
        parts = (node.mappings, node.parameters, node.conditions, node.resources, node.outputs)
        return any(part.change_type != ChangeType.UNCHANGED for part in parts)

    wrap(ChangeSet, "has_changes", has_changes_after_transforms)


def _take_conditional_resources() -> None:
    """Let a stack's update make or delete a resource with a condition, also one that refers to what a transform makes."""
    from localemu.services.cloudformation.engine.v2.change_set_model import NothingType, is_nothing
    from localemu.services.cloudformation.engine.v2.change_set_model_preproc import ChangeSetModelPreproc
    from localemu.services.cloudformation.engine.v2.change_set_model_transform import ChangeSetModelTransform
    from localemu.services.cloudformation.engine.validations import ValidationError

    def visit_reference(visit: Callable[[Any, Any], Any], self: Any, node: Any) -> Any:
        try:
            return visit(self, node)
        except ValidationError:
            # It may be the transform that makes the resource; whether it has, is checked afterwards.
            return self.visit(node.arguments)

    def visit_resources(self: Any, node_resources: Any) -> None:
        for node in node_resources.resources:
            if not is_nothing(node.condition_reference):
                condition = self._resolve_resource_condition_reference(node.condition_reference)
                if condition.after is False and not condition.before:
                    continue
            self.visit(node)

    NothingType.__hash__ = object.__hash__
    ChangeSetModelPreproc.visit_node_resources = visit_resources
    wrap(ChangeSetModelTransform, "visit_node_intrinsic_function_ref", visit_reference)


def _act_as_the_caller() -> None:
    """Make the calls of a stack operation with the access key of its caller, or of a session of the stack's service role."""
    from localemu.services.cloudformation.engine.v2.change_set_model_executor import ChangeSetModelExecutor
    from localemu.services.cloudformation.v2 import provider

    for name in ("create_stack", "update_stack", "delete_stack", "execute_change_set", "create_change_set"):
        wrap(provider.CloudformationProviderV2, name, _act_as_caller)
    wrap(provider, "start_worker_thread", _start_with_context)
    wrap(ChangeSetModelExecutor, "create_resource_provider_payload", _add_credentials)


def _act_as_caller(operation: Callable[..., Any], self: Any, context: Any, *arguments: Any, **parameters: Any) -> Any:
    token = _acting_key.set(_key_to_act_with(context))
    try:
        return operation(self, context, *arguments, **parameters)
    finally:
        _acting_key.reset(token)


def _start_with_context(start: Callable[..., Any], method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    context = contextvars.copy_context()
    return start(lambda *given: context.run(method, *given), *arguments, **keywords)


def _add_credentials(create_payload: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    payload = create_payload(*arguments, **keywords)
    if payload and (key := _acting_key.get()):
        payload["requestData"]["callerCredentials"]["accessKeyId"] = key
    return payload


def _key_to_act_with(context: Any) -> str:
    request = context.service_request or {}
    stack = str(request.get("StackName") or "")
    name = stack.split(":stack/", 1)[-1].split("/", 1)[0]
    place = (context.account_id, context.region, name)
    if role := request.get("RoleARN"):
        _stack_roles[place] = role
    if role := _stack_roles.get(place):
        return _session_of(role)
    credentials = getattr(context, "caller", None)
    if credentials is None or credentials.principal.kind == "Root":
        return ""
    return str(credentials.principal.access_key_id)


def _session_of(role_arn: str) -> str:
    """Return the access key of a new session of a stack's service role."""
    from botocore.exceptions import ClientError
    from localemu.aws.connect import connect_to

    sts = connect_to().sts.request_metadata(service_principal="cloudformation")
    try:
        credentials = sts.assume_role(RoleArn=role_arn, RoleSessionName="AWSCloudFormation")["Credentials"]
    except ClientError:
        raise service_error("ValidationError", f"Role {role_arn} is invalid or cannot be assumed") from None
    return str(credentials["AccessKeyId"])
