"""What the local cloud does not offer says so: services that are off, and operations that LocalEmu has not built.

LocalEmu answers both with sentences about itself and its settings. Here they name the service, say that the local cloud does not
offer it, and where the README says more. Shape and status stay: an error of the service's own protocol, 501.
"""

from typing import Any

from couch_explorers.local.engine import settings

README_SECTION = "README.md, What is not like AWS"

SEAMS = {
    "localemu.aws.handlers.service_plugin:ServiceLoader.require_service": "89a34903167f",
    "localemu.aws.handlers.service:ServiceRequestRouter.create_not_implemented_response": "436067b461a9",
    "localemu.aws.handlers.service:ServiceExceptionSerializer.create_exception_response": "2e4d9754121a",
    "localemu.aws.skeleton:Skeleton.on_not_implemented_error": "de4cffda9c1e",
}


def service_sentence(service: str) -> str:
    """Say that a whole service is off."""
    return f"The local cloud does not offer the service {service} ({README_SECTION})."


def operation_sentence(service: str, operation: str) -> str:
    """Say that one operation of a service is not built."""
    return f"The local cloud does not offer {operation} of the service {service} ({README_SECTION})."


def apply() -> None:
    """Refuse services and operations in the local cloud's own words."""
    from localemu.aws.api import CommonServiceException  # noqa: PLC0415 - LocalEmu reads its settings on import
    from localemu.aws.handlers.service import ServiceExceptionSerializer, ServiceRequestRouter  # noqa: PLC0415
    from localemu.aws.handlers.service_plugin import ServiceLoader  # noqa: PLC0415
    from localemu.aws.protocol.serializer import create_serializer  # noqa: PLC0415
    from localemu.aws.skeleton import Skeleton  # noqa: PLC0415

    require = ServiceLoader.require_service
    serialize = ServiceExceptionSerializer.create_exception_response

    def require_service(self: Any, chain: Any, context: Any, response: Any) -> Any:
        if context.service and context.service.service_name not in settings.SERVICES:
            name = context.service.service_name
            raise CommonServiceException("InternalFailure", service_sentence(name), status_code=501)
        return require(self, chain, context, response)

    def create_exception_response(self: Any, exception: Exception, context: Any) -> Any:
        if context.operation and isinstance(exception, NotImplementedError):
            exception = operation_error(context)
        return serialize(self, exception, context)

    def create_not_implemented_response(_self: Any, context: Any) -> Any:
        return refuse(create_serializer(context.service, context.protocol), context)

    def on_not_implemented_error(_self: Any, serializer: Any, context: Any, _exception: Exception) -> Any:
        return refuse(serializer, context)

    def refuse(serializer: Any, context: Any) -> Any:
        context.service_exception = error = operation_error(context)
        return serializer.serialize_error_to_response(
            error, context.operation, context.request.headers, context.request_id
        )

    def operation_error(context: Any) -> CommonServiceException:
        sentence = operation_sentence(context.service.service_name, context.operation.name)
        return CommonServiceException("InternalFailure", sentence, status_code=501)

    ServiceLoader.require_service = require_service
    ServiceExceptionSerializer.create_exception_response = create_exception_response
    ServiceRequestRouter.create_not_implemented_response = create_not_implemented_response
    Skeleton.on_not_implemented_error = on_not_implemented_error
