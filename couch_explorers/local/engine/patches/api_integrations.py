"""What a REST API calls behind its methods, where LocalEmu does it otherwise than AWS.

- An integration that is not done after its time-out (29 s) is answered 504 "Endpoint request timed out", and the function is not
  invoked again by a retry.
- A proxy answer that breaks Lambda's proxy format is 502, whatever breaks it.
- A service is called with the integration's role, whose credentials are fetched when they are needed and not kept past their
  time, or in API Gateway's own name, so that rights are checked.

Documentation: `set-up-lambda-proxy-integrations` and `api-gateway-execution-service-limits-table` in the API Gateway developer guide.
"""

from __future__ import annotations

import functools
import logging
from contextvars import ContextVar
from typing import Any

from couch_explorers.local.engine import gateway, patches

logger = logging.getLogger("couch.local")

_AWS = "localemu.services.apigateway.next_gen.execute_api.integrations.aws"
SEAMS = {
    f"{_AWS}:RestApiAwsProxyIntegration.invoke": "6fcff821de55",
    f"{_AWS}:RestApiAwsProxyIntegration.call_lambda": "75964f5a1a6a",
    f"{_AWS}:RestApiAwsProxyIntegration.parse_lambda_response": "27d74e1a1f1e",
    f"{_AWS}:get_internal_mocked_headers": "c4162981bb34",
}

# Milliseconds. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
LONGEST_INTEGRATION_MS = 29_000
# The time-out of the integration that this thread is about to call.
_limit_ms: ContextVar[int] = ContextVar("couch_integration_limit_ms", default=LONGEST_INTEGRATION_MS)


def apply() -> None:
    """Change LocalEmu's integrations when its API Gateway is loaded."""
    patches.when_loaded("apigateway", change_integrations)


def change_integrations() -> None:
    """Change the classes of the integrations; their instances stay."""
    _judge_proxy_answers()
    _end_in_time()
    _call_services_by_name()


def _judge_proxy_answers() -> None:
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import InternalServerError  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.integrations import aws  # noqa: PLC0415

    parse = aws.RestApiAwsProxyIntegration.parse_lambda_response

    def parse_lambda_response(self: Any, payload: bytes) -> Any:
        if not gateway.is_proxy_answer(payload):
            logger.info("A function's answer is no proxy answer: %.200r", payload)
            raise InternalServerError("Internal server error", status_code=502)
        return parse(self, payload)

    aws.RestApiAwsProxyIntegration.parse_lambda_response = parse_lambda_response


def _end_in_time() -> None:
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import ClientError, ReadTimeoutError  # noqa: PLC0415
    from localemu.aws.connect import connect_to  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.gateway_response import (  # noqa: PLC0415
        BaseGatewayException,
        IntegrationFailureError,
        IntegrationTimeoutError,
        RequestTooLargeError,
    )
    from localemu.services.apigateway.next_gen.execute_api.integrations import aws  # noqa: PLC0415
    from localemu.utils.aws.arns import extract_region_from_arn  # noqa: PLC0415
    from localemu.utils.aws.client_types import ServicePrincipal  # noqa: PLC0415

    integration = aws.RestApiAwsProxyIntegration
    invoke = integration.invoke

    def invoke_within_time(self: Any, context: Any) -> Any:
        asked = int(context.integration.get("timeoutInMillis") or LONGEST_INTEGRATION_MS)
        _limit_ms.set(min(asked, LONGEST_INTEGRATION_MS))
        try:
            return invoke(self, context)
        except IntegrationFailureError as failure:
            if isinstance(failure.__cause__, BaseGatewayException):
                raise failure.__cause__ from None
            raise

    @functools.cache
    def config(limit_ms: int) -> Any:
        # A retry would invoke the function again, and pay for another picture.
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

    integration.invoke = invoke_within_time
    integration.call_lambda = staticmethod(call_lambda)


def _call_services_by_name() -> None:
    from localemu.aws import connect  # noqa: PLC0415
    from localemu.services.apigateway.next_gen.execute_api.integrations import aws  # noqa: PLC0415
    from localemu.utils.aws.client_types import ServicePrincipal  # noqa: PLC0415

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
            # Without the secret of this process the engine drops whose call it is, and judges the signature.
            connect.INTERNAL_REQUEST_PARAMS_HEADER: connect.dump_dto(source),
            connect.INTERNAL_REQUEST_AUTH_HEADER: connect.INTERNAL_REQUEST_AUTH_TOKEN,
        } | ({"X-Amz-Security-Token": token} if token else {})

    aws.get_internal_mocked_headers = headers
