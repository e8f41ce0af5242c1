"""REST APIs of API Gateway where LocalEmu's pipeline answers otherwise than AWS.

- A stage's limits (`MethodSettings`) are kept while it runs, one bucket a method, and changed limits count at once.
- Gateway responses fill in every variable, count `DEFAULT_4XX` and `DEFAULT_5XX`, and are imported from OpenAPI documents.
- An API or stage that does not exist is 403 "Forbidden".
- Every request to a stage is told to the observers of `gateway.observe`.

Documentation: `api-gateway-request-throttling` and `supported-gateway-response-types` in the API Gateway developer guide.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from couch_explorers.local.engine import gateway, patches

logger = logging.getLogger("couch.local")

_EXECUTE = "localemu.services.apigateway.next_gen.execute_api"
SEAMS = {
    f"{_EXECUTE}.router:ApiGatewayEndpoint.__call__": "4ba22f601b4a",
    f"{_EXECUTE}.router:ApiGatewayEndpoint.prepare_rest_api_invocation": "a6bffaeeb2ff",
    f"{_EXECUTE}.handlers.throttle:ThrottleHandler.__call__": "6396a0e35a7b",
    f"{_EXECUTE}.handlers.gateway_exception:GatewayExceptionHandler.__call__": "b04956ded9bd",
    f"{_EXECUTE}.handlers.integration:IntegrationHandler.__call__": "18432b85ec73",
    f"{_EXECUTE}.handlers.parse:InvocationRequestParser.__call__": "0bc1b6059807",
    "localemu.services.apigateway.legacy.provider:ApigatewayProvider.put_rest_api": "ef95748af522",
}

LARGEST_PAYLOAD = 10_485_760
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"


def apply() -> None:
    """Change LocalEmu's API Gateway when it is loaded."""
    patches.when_loaded("apigateway", change_pipeline)


def change_pipeline() -> None:
    """Change the classes of the pipeline; their instances stay."""
    _serve()
    _throttle()
    _refuse()
    _import()


def _serve() -> None:
    from localemu.http import Response  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.handlers.integration import IntegrationHandler  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.router import ApiGatewayEndpoint  # noqa: PLC0415

    integrate = IntegrationHandler.__call__

    def call(self: Any, request: Any, **arguments: Any) -> Any:
        api_id, stage = arguments.get("api_id", "").lower(), arguments.get("stage")
        if not self.is_rest_api(api_id, stage):
            response = Response(status=403, headers={"x-amzn-ErrorType": "ForbiddenException"})
            response.set_json({"message": "Forbidden"})
            return response
        time_s, began = time.time(), time.perf_counter()
        context, response = self.prepare_rest_api_invocation(request, api_id, stage)
        self.rest_gateway.process_with_context(context, response)
        gateway.tell(
            gateway.StageRequest(
                account_id=context.deployment.account_id,
                region=context.deployment.region,
                api_id=api_id,
                api_name=context.deployment.rest_api.rest_api.get("name", ""),
                stage=str(stage),
                method=request.method,
                path=(context.invocation_request or {}).get("path", request.path),
                resource=context.resource["path"] if context.resource else None,
                status=response.status_code,
                time_s=time_s,
                latency_ms=(time.perf_counter() - began) * 1000,
                integration_latency_ms=getattr(context, "integration_latency_ms", None),
            )
        )
        return response

    def timed(self: Any, chain: Any, context: Any, response: Any) -> None:
        began = time.perf_counter()
        try:
            integrate(self, chain, context, response)
        finally:
            context.integration_latency_ms = (time.perf_counter() - began) * 1000

    ApiGatewayEndpoint.__call__ = call
    IntegrationHandler.__call__ = timed


def _throttle() -> None:
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import ThrottledError  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.handlers.throttle import ThrottleHandler  # noqa: PLC0415

    throttle = gateway.StageThrottle()

    def check(_self: Any, _chain: Any, context: Any, _response: Any) -> None:
        settings = (context.stage_configuration or {}).get("methodSettings") or {}
        method = f"{context.resource['path']}/{context.request.method}"
        if not throttle.allows(context.api_id, context.stage, method, settings):
            raise ThrottledError("Too Many Requests")

    ThrottleHandler.__call__ = check


def _refuse() -> None:
    from localemu.http import Response  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import (  # noqa: PLC0415
        BaseGatewayException,
        InternalServerError,
        RequestTooLargeError,
    )
    from localemu.services.apigateway.next_gen.execute_api.handlers.gateway_exception import (  # noqa: PLC0415
        GatewayExceptionHandler,
    )
    from localemu.services.apigateway.next_gen.execute_api.handlers.parse import InvocationRequestParser  # noqa: PLC0415

    def refuse(_self: Any, _chain: Any, exception: Any, context: Any, response: Any) -> None:
        if not isinstance(exception, BaseGatewayException):
            logger.error("A request to the API %s failed in the gateway", context.api_id, exc_info=exception)
            exception = InternalServerError("Internal server error")
        error = gateway.GatewayError(
            str(exception.type), int(exception.status_code or 500), exception.code, exception.message
        )
        asked = context.invocation_request or {}
        request = gateway.Request(
            context=context.context_variables or {},
            stage_variables=context.stage_variables or {},
            headers={name.lower(): value for name, value in context.request.headers.items()},
            query=asked.get("query_string_parameters") or {},
            path=asked.get("path_parameters") or {},
        )
        status, headers, body = gateway.gateway_response(error, request, context.deployment.rest_api.gateway_responses)
        if context.context_variables is not None:
            # Says to the steps after this one that the gateway answered by itself.
            context.context_variables["error"] = {"message": exception.message, "responseType": error.kind}
        response.update_from(Response(body, status=status, headers=headers))

    def parse(self: Any, _chain: Any, context: Any, _response: Any) -> None:
        context.account_id = context.deployment.account_id
        context.region = context.deployment.region
        # Before the size is judged, so that a gateway response can name the request.
        self.parse_and_enrich(context)
        # By whatever address it was reached, a function is told of AWS's.
        domain = f"{context.api_id}.execute-api.{context.region}.amazonaws.com"
        context.context_variables |= {"domainName": domain, "domainPrefix": context.api_id}
        if (context.request.content_length or 0) > LARGEST_PAYLOAD:
            raise RequestTooLargeError(f"HTTP content length exceeded {LARGEST_PAYLOAD} bytes.")

    GatewayExceptionHandler.__call__ = refuse
    InvocationRequestParser.__call__ = parse


def _import() -> None:
    from localemu.services.apigateway.helpers import get_apigateway_store  # noqa: PLC0415
    from localemu.services.apigateway.legacy import provider  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import build_gateway_response  # noqa: PLC0415

    load = provider.import_api_from_openapi_spec

    def import_api(rest_api: Any, context: Any, open_api_spec: Any, mode: str) -> Any:
        # Merging leaves out methods of paths that are there already, as "/" always is: nothing is lost by a new API's.
        is_new = not any(resource.resource_methods for resource in rest_api.resources.values())
        binary = list(rest_api.binaryMediaTypes or [])
        imported = load(rest_api, context=context, open_api_spec=open_api_spec, mode="overwrite" if is_new else mode)
        if is_new and mode == "merge":
            rest_api.binaryMediaTypes = list(dict.fromkeys(binary + (rest_api.binaryMediaTypes or [])))
        kept = get_apigateway_store(context=context).rest_apis[rest_api.id].gateway_responses
        if mode == "overwrite":
            kept.clear()
        for kind, response in (open_api_spec.get(GATEWAY_RESPONSES) or {}).items():
            status = response.get("statusCode")
            kept[kind] = build_gateway_response(
                response_type=kind,
                status_code=None if status is None else str(status),
                response_parameters=response.get("responseParameters"),
                response_templates=response.get("responseTemplates"),
                default_response=False,
            )
        return imported

    provider.import_api_from_openapi_spec = import_api
