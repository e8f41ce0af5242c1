"""CloudFormation where LocalEmu's engine does otherwise than AWS.

- Resources whose properties or updates LocalEmu drops get providers of our own (`engine.resource_providers`).
- A resource is replaced when a property that only a creation can set has another value, not already when it refers to a resource
  that is updated in place: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-update-behaviors.html
- A SAM template that comes out as before has no changes, as any other; LocalEmu takes each template with a transform for changed.
- Addresses of APIs stay what the template makes of them, in outputs and in environment variables.
"""

from typing import Any

from couch_explorers.local.engine import patches

# What these transforms make depends on template and parameters alone, so that comparing what they made tells whether it changed.
_PURE_TRANSFORMS = {"AWS::Serverless-2016-10-31", "AWS::LanguageExtensions"}
_ENGINE = "localemu.services.cloudformation.engine.v2"
SEAMS = {
    "localemu.services.cloudformation.resource_provider:ResourceProviderExecutor.try_load_resource_provider": "9be7534427d3",
    "localemu.services.apigateway.resource_providers.aws_apigateway_stage:ApiGatewayStageProvider.create": "7e638bf0813a",
    "localemu.services.apigateway.resource_providers.aws_apigateway_restapi:ApiGatewayRestApiProvider.create": "bbd05b25ed0f",
    "localemu.services.logs.resource_providers.aws_logs_loggroup:LogsLogGroupProvider.create": "2a421d83feab",
    "localemu.services.cloudformation.v2.entities:ChangeSet.has_changes": "9dc11f975823",
    "localemu.services.cloudformation.v2.provider:CloudformationProviderV2._setup_change_set_model": "2e921452edeb",
    f"{_ENGINE}.change_set_model:NodeTemplate": "72ce65278212",
    f"{_ENGINE}.change_set_model:ChangeSetModel._resolve_requires_replacement": "beabaec47ce8",
    f"{_ENGINE}.change_set_model_executor:ChangeSetModelExecutor._execute_resource_change": "0515307288ef",
    f"{_ENGINE}.change_set_model_preproc:ChangeSetModelPreproc._perform_static_replacements": "5d1d67711a23",
}


def apply() -> None:
    """Change LocalEmu's CloudFormation when it is loaded."""
    patches.when_loaded("cloudformation", change_engine)


def change_engine() -> None:
    """Change the classes of the engine; their instances stay."""
    from localemu.services.cloudformation.engine.v2.change_set_model_preproc import (  # noqa: PLC0415
        ChangeSetModelPreproc,
    )

    _prefer_own_providers()
    _replace_only_what_differs()
    _find_no_changes_in_unchanged_templates()
    ChangeSetModelPreproc._perform_static_replacements = staticmethod(lambda value: value)  # noqa: SLF001


def _prefer_own_providers() -> None:
    from localemu.services.cloudformation.resource_provider import ResourceProviderExecutor  # noqa: PLC0415

    load = ResourceProviderExecutor.try_load_resource_provider

    def try_load_resource_provider(resource_type: str) -> Any:
        from couch_explorers.local.engine.resource_providers import PROVIDERS  # noqa: PLC0415 - loads services

        own = PROVIDERS.get(resource_type)
        return own() if own else load(resource_type)

    ResourceProviderExecutor.try_load_resource_provider = staticmethod(try_load_resource_provider)


def _replace_only_what_differs() -> None:
    from localemu.services.cloudformation.engine.v2.change_set_model_executor import (  # noqa: PLC0415
        ChangeSetModelExecutor,
    )
    from localemu.services.cloudformation.resource_provider import ResourceProviderExecutor  # noqa: PLC0415

    execute = ChangeSetModelExecutor._execute_resource_change  # noqa: SLF001

    def execute_resource_change(self: Any, name: str, before: Any, after: Any) -> None:
        if getattr(before, "properties", None) and getattr(after, "requires_replacement", False):
            provider = ResourceProviderExecutor.try_load_resource_provider(after.resource_type)
            fixed = [path.removeprefix("/properties/") for path in provider.SCHEMA.get("createOnlyProperties", [])]
            old, new = before.properties.properties, after.properties.properties
            after.requires_replacement = any(old.get(field) != new.get(field) for field in fixed)
        execute(self, name, before, after)

    ChangeSetModelExecutor._execute_resource_change = execute_resource_change  # noqa: SLF001


def _find_no_changes_in_unchanged_templates() -> None:
    """Let a change set of an unchanged SAM template fail, as `sam deploy` relies on to say "No changes to deploy"."""
    from localemu.services.cloudformation.engine.v2.change_set_model import ChangeType  # noqa: PLC0415
    from localemu.services.cloudformation.v2.entities import ChangeSet  # noqa: PLC0415

    has_changes = ChangeSet.has_changes

    def has_changes_after_transforms(self: Any) -> bool:
        transforms = self.template.get("Transform") or []
        if set([transforms] if isinstance(transforms, str) else map(str, transforms)) - _PURE_TRANSFORMS:
            return bool(has_changes(self))
        node = self.update_model.node_template
        parts = (node.mappings, node.parameters, node.conditions, node.resources, node.outputs)
        return any(part.change_type != ChangeType.UNCHANGED for part in parts)

    ChangeSet.has_changes = has_changes_after_transforms
