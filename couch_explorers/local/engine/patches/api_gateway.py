"""API Gateway: REST APIs where LocalEmu's pipeline answers differently from AWS. The rules are in `engine.gateway`.

LocalEmu throttles no stage, fills in only some variables of gateway responses, answers an unknown API or stage with 404, and lets
integrations run for any time. Here:

- A stage's limits (`MethodSettings`) hold, with one bucket for each method, and changed limits count at once.
- Gateway responses fill in every variable, apply `DEFAULT_4XX` and `DEFAULT_5XX`, and are imported from OpenAPI documents.
- An API or stage that does not exist is 403 "Forbidden".
- An integration that is not done after its time-out (29 s) is 504 "Endpoint request timed out", and the function is not invoked
  again by a retry.
- A body arrives as it was sent. LocalEmu re-encodes a form: `a b` becomes `a+b=`.
- A proxy response that is not in Lambda's proxy format is 502, whatever is wrong with it.
- A method with the authorization type AWS_IAM takes signed requests alone, of callers who may call `execute-api:Invoke`; the type is
  imported from OpenAPI documents. LocalEmu ignores both.
- A service is called with the integration's role, whose credentials are fetched for each call, or as API Gateway itself, so that
  permissions are checked.
- An exported OpenAPI 3 document names the API's address and the models of bodies that are not JSON. LocalEmu leaves both out.
- Every request to a stage is reported to the observers.

Documentation, in the API Gateway developer guide: `api-gateway-request-throttling`, `supported-gateway-response-types`,
`set-up-lambda-proxy-integrations`, `api-gateway-execution-service-limits-table`, `permissions`, `api-gateway-swagger-extensions-authtype`,
`api-gateway-export-api`.
"""

from __future__ import annotations

import functools
import logging
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine import gateway, observers
from couch_explorers.local.engine.patches import iam, when_loaded, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger("couch.local")

SEAMS = {
    "localemu.services.apigateway.exporter:_OpenApiOAS30Exporter.export": "0eeeb1ca5fca",
    "localemu.services.apigateway.legacy.provider:ApigatewayProvider.put_rest_api": "ef95748af522",
    "localemu.services.apigateway.next_gen.execute_api.handlers.authorizer:AuthorizerHandler.__call__": "b27e56136396",
    "localemu.services.apigateway.next_gen.execute_api.handlers.gateway_exception:GatewayExceptionHandler.__call__": "b04956ded9bd",
    "localemu.services.apigateway.next_gen.execute_api.handlers.integration:IntegrationHandler.__call__": "18432b85ec73",
    "localemu.services.apigateway.next_gen.execute_api.handlers.parse:InvocationRequestParser.__call__": "0bc1b6059807",
    "localemu.services.apigateway.next_gen.execute_api.handlers.throttle:ThrottleHandler.__call__": "6396a0e35a7b",
    "localemu.services.apigateway.next_gen.execute_api.integrations.aws:RestApiAwsProxyIntegration.call_lambda": "75964f5a1a6a",
    "localemu.services.apigateway.next_gen.execute_api.integrations.aws:RestApiAwsProxyIntegration.invoke": "6fcff821de55",
    "localemu.services.apigateway.next_gen.execute_api.integrations.aws:RestApiAwsProxyIntegration.parse_lambda_response": "27d74e1a1f1e",
    "localemu.services.apigateway.next_gen.execute_api.integrations.aws:get_internal_mocked_headers": "c4162981bb34",
    "localemu.services.apigateway.next_gen.execute_api.router:ApiGatewayEndpoint.__call__": "4ba22f601b4a",
    "localemu.services.apigateway.next_gen.execute_api.router:ApiGatewayEndpoint.prepare_rest_api_invocation": "a6bffaeeb2ff",
}

LARGEST_PAYLOAD = 10_485_760
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"
ANY_METHOD, ANY = "x-amazon-apigateway-any-method", "ANY"
AUTHTYPE, SIGNATURE_VERSION_4, AWS_IAM = "x-amazon-apigateway-authtype", "awsSigv4", "AWS_IAM"
# Milliseconds. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
LONGEST_INTEGRATION_MS = 29_000
# The time-out of the integration that is about to be called.
_limit_ms: ContextVar[int] = ContextVar("couch_integration_limit_ms", default=LONGEST_INTEGRATION_MS)


def apply() -> None:
    """Change LocalEmu's API Gateway when it is loaded."""
    when_loaded("apigateway", _change_classes)


def _change_classes() -> None:
    """Change the classes of the pipeline and of the integrations; their instances stay."""
    _serve()
    _throttle()
    _authorize()
    _refuse()
    _import()
    _export()
    _check_proxy_responses()
    _limit_integration_time()
    _call_services_as_principals()


def _serve() -> None:
    from localemu.http import Response
    from localemu.services.apigateway.next_gen.execute_api.handlers.integration import IntegrationHandler
    from localemu.services.apigateway.next_gen.execute_api.router import ApiGatewayEndpoint

    def call(self: Any, request: Any, **arguments: Any) -> Any:
        api_id, stage = arguments.get("api_id", "").lower(), arguments.get("stage")
        if not self.is_rest_api(api_id, stage):
            response = Response(status=403, headers={"x-amzn-ErrorType": "ForbiddenException"})
            response.set_json({"message": "Forbidden"})
            return response
        time_s, began = time.time(), time.perf_counter()
        # Before anything parses it as a form.
        body = request.get_data()
        context, response = self.prepare_rest_api_invocation(request, api_id, stage)
        context.received_body = body
        self.rest_gateway.process_with_context(context, response)
        observers.notify_requested(
            observers.StageRequest(
                region=context.deployment.region,
                api_id=api_id,
                api_name=context.deployment.rest_api.rest_api.get("name", ""),
                stage=str(stage),
                status=response.status_code,
                time_s=time_s,
                latency_ms=(time.perf_counter() - began) * 1000,
                integration_latency_ms=getattr(context, "integration_latency_ms", None),
            )
        )
        return response

    def timed(integrate: Callable[..., None], self: Any, chain: Any, context: Any, response: Any) -> None:
        began = time.perf_counter()
        try:
            integrate(self, chain, context, response)
        finally:
            context.integration_latency_ms = (time.perf_counter() - began) * 1000

    ApiGatewayEndpoint.__call__ = call
    wrap(IntegrationHandler, "__call__", timed)


def _throttle() -> None:
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import ThrottledError
    from localemu.services.apigateway.next_gen.execute_api.handlers.throttle import ThrottleHandler

    throttle = gateway.StageThrottle()

    def check(_self: Any, _chain: Any, context: Any, _response: Any) -> None:
        settings = (context.stage_configuration or {}).get("methodSettings") or {}
        method = f"{context.resource['path']}/{context.request.method}"
        if not throttle.allows(context.api_id, context.stage, method, settings):
            raise ThrottledError("Too Many Requests")

    ThrottleHandler.__call__ = check


def _authorize() -> None:
    from localemu.services.apigateway.next_gen.execute_api import gateway_response
    from localemu.services.apigateway.next_gen.execute_api.handlers.authorizer import AuthorizerHandler

    # By AWS's error type; every other refusal is one of the signature.
    errors = {
        "MissingAuthenticationTokenException": gateway_response.MissingAuthTokenError,
        "ExpiredTokenException": gateway_response.ExpiredTokenError,
        "AccessDeniedException": gateway_response.AccessDeniedError,
    }

    def authorize(call: Callable[..., None], self: Any, chain: Any, context: Any, response: Any) -> None:
        if (context.resource_method or {}).get("authorizationType") != AWS_IAM:
            call(self, chain, context, response)
            return
        try:
            credentials = iam.authorize_stage_call(context, context.deployment.rest_api.rest_api.get("policy") or "")
        except iam.RefusedError as refused:
            error = errors.get(refused.refusal.code, gateway_response.InvalidSignatureError)(refused.refusal.message)
            error.code = refused.refusal.code
            raise error from None
        principal = credentials.principal
        context.context_variables["identity"] |= {
            "accessKey": principal.access_key_id or None,
            "accountId": principal.account,
            "caller": principal.user_id,
            "user": principal.user_id,
            "userArn": principal.arn,
        }

    wrap(AuthorizerHandler, "__call__", authorize)


def _refuse() -> None:
    from localemu.http import Response
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import (
        BaseGatewayException,
        InternalServerError,
        RequestTooLargeError,
    )
    from localemu.services.apigateway.next_gen.execute_api.handlers.gateway_exception import GatewayExceptionHandler
    from localemu.services.apigateway.next_gen.execute_api.handlers.parse import InvocationRequestParser

    def refuse(_self: Any, _chain: Any, exception: Any, context: Any, response: Any) -> None:
        if not isinstance(exception, BaseGatewayException):
            logger.error("A request to the API %s failed in the gateway", context.api_id, exc_info=exception)
            exception = InternalServerError("Internal server error")
        error = gateway.GatewayError(
            str(exception.type), int(exception.status_code or 500), exception.code, exception.message
        )
        invocation = context.invocation_request or {}
        request = gateway.Request(
            context=context.context_variables or {},
            stage_variables=context.stage_variables or {},
            headers={name.lower(): value for name, value in context.request.headers.items()},
            query=invocation.get("query_string_parameters") or {},
            path=invocation.get("path_parameters") or {},
        )
        status, headers, body = gateway.gateway_response(error, request, context.deployment.rest_api.gateway_responses)
        if context.context_variables is not None:
            # Tells later steps of the pipeline that the gateway itself answered.
            context.context_variables["error"] = {"message": exception.message, "responseType": error.kind}
        response.update_from(Response(body, status=status, headers=headers))

    def parse(self: Any, _chain: Any, context: Any, _response: Any) -> None:
        context.account_id = context.deployment.account_id
        context.region = context.deployment.region
        # Before the size is checked, so that a gateway response can refer to the request.
        self.parse_and_enrich(context)
        context.invocation_request["body"] = context.received_body
        # Functions see AWS's domain name, whatever address the API was called by.
        domain = f"{context.api_id}.execute-api.{context.region}.amazonaws.com"
        context.context_variables |= {"domainName": domain, "domainPrefix": context.api_id}
        if (context.request.content_length or 0) > LARGEST_PAYLOAD:
            raise RequestTooLargeError(f"HTTP content length exceeded {LARGEST_PAYLOAD} bytes.")

    GatewayExceptionHandler.__call__ = refuse
    InvocationRequestParser.__call__ = parse


def _import() -> None:
    from localemu.services.apigateway.helpers import get_apigateway_store
    from localemu.services.apigateway.legacy import provider
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import build_gateway_response

    def import_api(load: Callable[..., Any], rest_api: Any, context: Any, open_api_spec: Any, mode: str) -> Any:
        # Merging leaves out the methods of existing paths, and "/" always exists: a new API's document overwrites instead.
        is_new = not any(resource.resource_methods for resource in rest_api.resources.values())
        binary = list(rest_api.binaryMediaTypes or [])
        imported = load(rest_api, context=context, open_api_spec=open_api_spec, mode="overwrite" if is_new else mode)
        if is_new and mode == "merge":
            rest_api.binaryMediaTypes = list(dict.fromkeys(binary + (rest_api.binaryMediaTypes or [])))
        _import_authorization(rest_api, open_api_spec)
        _import_request_models(rest_api, open_api_spec)
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

    wrap(provider, "import_api_from_openapi_spec", import_api)


def _import_authorization(rest_api: Any, document: dict[str, Any]) -> None:
    """Give the methods that ask for a signature in an OpenAPI document their authorization type."""
    schemes = document.get("securityDefinitions") or document.get("components", {}).get("securitySchemes") or {}
    signed = {name for name, scheme in schemes.items() if scheme.get(AUTHTYPE) == SIGNATURE_VERSION_4}
    for method, made in _imported_methods(rest_api, document):
        security = method.get("security", document.get("security") or [])
        if signed & {scheme for group in security for scheme in group}:
            made.authorization_type = AWS_IAM


def _import_request_models(rest_api: Any, document: dict[str, Any]) -> None:
    """Give each method the models of its body for all content types, of which LocalEmu keeps application/json alone."""
    for method, made in _imported_methods(rest_api, document):
        content = (method.get("requestBody") or {}).get("content") or {}
        models = {kind: media.get("schema", {}).get("$ref", "").rpartition("/")[2] for kind, media in content.items()}
        if named := {kind: model for kind, model in models.items() if model}:
            made.request_models = named


def _imported_methods(rest_api: Any, document: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Give each method of an OpenAPI document with the method that was made of it."""
    resources = {resource.get_path(): resource for resource in rest_api.resources.values()}
    for path, methods in (document.get("paths") or {}).items():
        for name, method in methods.items():
            if path in resources and isinstance(method, dict):
                made = resources[path].resource_methods.get(ANY if name == ANY_METHOD else name.upper())
                if made is not None:
                    yield method, made


def _export() -> None:
    import yaml  # type: ignore[import-untyped]
    from localemu.services.apigateway import exporter

    def export(made: Callable[..., Any], self: Any, api_id: str, stage: str, kind: str, *options: Any) -> Any:
        document = made(self, api_id, stage, kind, *options)
        # The last option is the region; YAML comes as text.
        read = yaml.safe_load(document) if isinstance(document, str) else document
        for server in read["servers"]:
            server["url"] = f"https://{api_id}.execute-api.{options[-1]}.amazonaws.com/{{basePath}}"
        return yaml.safe_dump(read, sort_keys=False) if isinstance(document, str) else read

    wrap(exporter._OpenApiOAS30Exporter, "export", export)


def _check_proxy_responses() -> None:
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import InternalServerError
    from localemu.services.apigateway.next_gen.execute_api.integrations import aws

    def parse_lambda_response(parse: Callable[..., Any], self: Any, payload: bytes) -> Any:
        if not gateway.is_proxy_response(payload):
            logger.info("A function's response is not in the proxy format: %.200r", payload)
            raise InternalServerError("Internal server error", status_code=502)
        return parse(self, payload)

    wrap(aws.RestApiAwsProxyIntegration, "parse_lambda_response", parse_lambda_response)


def _limit_integration_time() -> None:
    from botocore.config import Config
    from botocore.exceptions import ClientError, ReadTimeoutError
    from localemu.aws.connect import connect_to
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import (
        BaseGatewayException,
        IntegrationFailureError,
        IntegrationTimeoutError,
        RequestTooLargeError,
    )
    from localemu.services.apigateway.next_gen.execute_api.integrations import aws
    from localemu.utils.aws.arns import extract_region_from_arn
    from localemu.utils.aws.client_types import ServicePrincipal

    def invoke_within_time(invoke: Callable[..., Any], self: Any, context: Any) -> Any:
        timeout_ms = int(context.integration.get("timeoutInMillis") or LONGEST_INTEGRATION_MS)
        _limit_ms.set(min(timeout_ms, LONGEST_INTEGRATION_MS))
        try:
            return invoke(self, context)
        except IntegrationFailureError as failure:
            if isinstance(failure.__cause__, BaseGatewayException):
                raise failure.__cause__ from None
            raise

    @functools.cache
    def config(limit_ms: int) -> Any:
        # A retry would invoke the function again, and pay for another image.
        return Config(read_timeout=limit_ms / 1000, retries={"total_max_attempts": 1})

    def call_lambda(function_arn: str, event: bytes, source_arn: str, credentials: str | None = None) -> bytes:
        region = extract_region_from_arn(function_arn)
        if credentials:
            factory = connect_to.with_assumed_role(
                role_arn=credentials,
                region_name=region,
                service_principal=ServicePrincipal.apigateway,
                session_name="BackplaneAssumeRoleSession",
                config=config(_limit_ms.get()),
            )
        else:
            factory = connect_to(region_name=region, config=config(_limit_ms.get()))
        client = factory.lambda_.request_metadata(service_principal=ServicePrincipal.apigateway, source_arn=source_arn)
        try:
            answer = client.invoke(FunctionName=function_arn, Payload=event, InvocationType="RequestResponse")
            return answer["Payload"].read() if answer.get("Payload") else b""
        except ReadTimeoutError as error:
            raise IntegrationTimeoutError("Endpoint request timed out") from error
        except ClientError as error:
            if error.response["Error"]["Code"] == "RequestTooLargeException":
                raise RequestTooLargeError("Request Too Long") from error
            raise

    wrap(aws.RestApiAwsProxyIntegration, "invoke", invoke_within_time)
    aws.RestApiAwsProxyIntegration.call_lambda = staticmethod(call_lambda)


def _call_services_as_principals() -> None:
    from localemu.aws import connect
    from localemu.services.apigateway.next_gen.execute_api.integrations import aws
    from localemu.utils.aws.client_types import ServicePrincipal

    def headers(service_name: str, region_name: str, source_arn: str, role_arn: str | None) -> dict[str, str]:
        key, token = connect.INTERNAL_AWS_ACCESS_KEY_ID, None
        if role_arn:
            sts = connect.connect_to().sts.request_metadata(service_principal=ServicePrincipal.apigateway)
            assumed = sts.assume_role(RoleArn=role_arn, RoleSessionName="BackplaneAssumeRoleSession")["Credentials"]
            key, token = assumed["AccessKeyId"], assumed["SessionToken"]
        source = connect.InternalRequestParameters(service_principal=ServicePrincipal.apigateway, source_arn=source_arn)
        return {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20200101/{region_name}/{service_name}/aws4_request, "
            "SignedHeaders=host, Signature=0",
            # Without the secret of this process, LocalEmu ignores who calls, and checks the signature.
            connect.INTERNAL_REQUEST_PARAMS_HEADER: connect.dump_dto(source),
            connect.INTERNAL_REQUEST_AUTH_HEADER: connect.INTERNAL_REQUEST_AUTH_TOKEN,
        } | ({"X-Amz-Security-Token": token} if token else {})

    aws.get_internal_mocked_headers = headers
