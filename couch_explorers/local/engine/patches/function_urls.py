"""A function's URL has a name for its host, and is open to nobody until a policy says so.

LocalEmu puts the server's own host behind the function's id, and `ID.lambda-url.REGION.127.0.0.1` is no address: names below
`localhost` lead to this machine by RFC 6761. It also invokes without any permission; AWS wants one in the function's policy, even
where the URL asks for no signature. https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

import json
from functools import wraps
from typing import Any

SEAMS = {
    "localemu.services.lambda_.provider:LambdaProvider.create_function_url_config": "0d93bcbc3ce7",
    "localemu.services.lambda_.urlrouter:FunctionUrlRouter.handle_lambda_url_invocation": "0d57e12dc2e7",
    "localemu.utils.urls:localemu_host": "ec2e8697afcf",
}

ACTION = "lambda:InvokeFunctionUrl"
FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)


def apply() -> None:
    """Name this machine `localhost` in URLs, and ask the function's policy before it is invoked by one."""
    from localemu.config import HostAndPort  # noqa: PLC0415
    from localemu.http import Response  # noqa: PLC0415
    from localemu.services.lambda_ import provider  # noqa: PLC0415
    from localemu.services.lambda_.urlrouter import FunctionUrlRouter  # noqa: PLC0415

    localemu_host = provider.localemu_host
    handle = FunctionUrlRouter.handle_lambda_url_invocation

    def named_host(*arguments: Any, **keywords: Any) -> Any:
        return HostAndPort(host="localhost", port=localemu_host(*arguments, **keywords).port)

    @wraps(handle)
    def permitted(router: Any, request: Any, api_id: str, region: str, **parameters: Any) -> Any:
        found = _find(api_id, region)
        if found and not _is_open(*found):
            return Response(json.dumps({"Message": FORBIDDEN}), status=403, mimetype="application/json")
        return handle(router, request, api_id, region, **parameters)

    provider.localemu_host = named_host
    FunctionUrlRouter.handle_lambda_url_invocation = permitted


def _find(api_id: str, region: str) -> tuple[Any, str, Any] | None:
    """The function, the qualifier and the settings of a URL; None where there is no such URL."""
    from localemu.services.lambda_.invocation.models import lambda_stores  # noqa: PLC0415

    for account in list(lambda_stores):
        for function in list(lambda_stores[account][region].functions.values()):
            for qualifier, url in function.function_url_configs.items():
                if url.url_id.lower() == api_id.lower():
                    return function, qualifier, url
    return None


def _is_open(function: Any, qualifier: str, url: Any) -> bool:
    """Whether the function's policy opens the URL to everybody; a URL with signatures is open to nobody here."""
    policy = function.permissions.get(qualifier)
    statements = policy.policy.Statement if policy else []
    return url.auth_type == "NONE" and any(_opens(statement) for statement in statements)


def _opens(statement: Any) -> bool:
    principal = statement.get("Principal")
    return (
        statement.get("Effect") == "Allow"
        and statement.get("Action") in {ACTION, "lambda:*", "*"}
        and principal in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    )
