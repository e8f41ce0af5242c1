"""The rules of a REST API's stage: throttling, the proxy format, and gateway responses.

`patches.api_gateway` puts them into LocalEmu's pipeline. Sources, in the API Gateway developer guide:
api-gateway-request-throttling (limits), api-gateway-gatewayResponse-definition and supported-gateway-response-types (responses).
"""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Requests a second, and requests at once, that are allowed where a stage sets no limits.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
ACCOUNT_RATE = 10_000.0
ACCOUNT_BURST = 5_000

ANY_METHOD = "*/*"
JSON = "application/json"
# Such as "$context.error.messageString", "$stageVariables.name" or "$method.request.header.Accept".
_VARIABLE = re.compile(
    r"\$((?:context|stageVariables|method\.request\.(?:header|querystring|path))\.[A-Za-z0-9_.-]*[A-Za-z0-9_-])"
)


# --- throttling -------------------------------------------------------------------------------------------------------


class TokenBucket:
    """Allows `burst` requests at once, and `rate` a second after that."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a token; return False where there is none."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
            self._filled = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class StageThrottle:
    """The limits of all stages: each method of a stage has a bucket of its own, by the method's settings or the stage's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def allows(self, api_id: str, stage: str, method: str, settings: Mapping[str, Any]) -> bool:
        """Count a request, and return whether it is allowed.

        Args:
            api_id: The API.
            stage: The name of its stage.
            method: The resource's path and the HTTP method, such as `/pictures/POST`.
            settings: The stage's `methodSettings`.

        """
        rate, burst = limits(settings, method)
        key = (api_id, stage, method)
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
                bucket = self._buckets[key] = TokenBucket(rate, burst, self._clock)
        return bucket.take()


def limits(settings: Mapping[str, Any], method: str) -> tuple[float, float]:
    """Return rate and burst of a method such as `/pictures/POST`: its own, else the stage's, else the account's."""
    by_method = {_plain(key): value for key, value in settings.items()}
    for key in (_plain(method), ANY_METHOD):
        found = by_method.get(key, {})
        if "throttlingRateLimit" in found or "throttlingBurstLimit" in found:
            rate = float(found.get("throttlingRateLimit", ACCOUNT_RATE))
            burst = float(found.get("throttlingBurstLimit", ACCOUNT_BURST))
            return rate, burst
    return ACCOUNT_RATE, ACCOUNT_BURST


def _plain(key: str) -> str:
    """Unescape a method's key: AWS escapes the slashes of the resource's path as `~1`."""
    return key.replace("~1", "/").lstrip("/")


# --- proxy format -----------------------------------------------------------------------------------------------------


def is_proxy_response(payload: bytes) -> bool:
    """Whether a function's response is in the format of a proxy integration; the caller gets 502 for any other.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    try:
        answer = json.loads(payload)
        if not isinstance(answer, dict) or not isinstance(answer.get("body"), str | None):
            return False
        return 100 <= int(answer.get("statusCode") or 200) <= 599  # noqa: PLR2004
    except (TypeError, ValueError):
        return False


# --- gateway responses ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GatewayError:
    """An error of the gateway itself: the type of its gateway response, and AWS's default status, error type and message."""

    kind: str
    status: int
    code: str
    message: str | None


@dataclass(frozen=True)
class Request:
    """The parts of a request that a gateway response may refer to."""

    context: Mapping[str, Any]
    stage_variables: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    path: Mapping[str, str]


def gateway_response(
    error: GatewayError, request: Request, configured: Mapping[str, Mapping[str, Any]]
) -> tuple[int, dict[str, str], str]:
    """Render the response to an error of the gateway itself.

    Args:
        error: The error.
        request: The values that templates may use.
        configured: The API's gateway responses by type, as PutGatewayResponse takes them; `DEFAULT_4XX` and `DEFAULT_5XX` apply
            to the types that are not configured.

    Returns:
        Status, headers and body: the first template that the caller accepts, else the one for `application/json`, filled in.

    """
    family = "DEFAULT_5XX" if error.status >= 500 else "DEFAULT_4XX"  # noqa: PLR2004
    response = configured.get(error.kind) or configured.get(family) or {}
    context = dict(request.context)
    context["error"] = {
        "message": error.message or "",
        "messageString": json.dumps(error.message),
        "responseType": error.kind,
        "validationErrorString": "",
    }
    values = Request(context, request.stage_variables, request.headers, request.query, request.path)
    templates: Mapping[str, str] = response.get("responseTemplates") or {}
    content_type = _accepted(templates, request.headers.get("accept", ""))
    # AWS capitalizes the field of this one message: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-troubleshooting-403-forbidden.html
    name = "Message" if error.kind == "ACCESS_DENIED" else "message"
    template = templates.get(content_type, f'{{"{name}":$context.error.messageString}}')
    headers = {"Content-Type": content_type, "x-amzn-ErrorType": error.code}
    for parameter, mapping in (response.get("responseParameters") or {}).items():
        prefix, _, header = parameter.partition(".header.")
        if prefix == "gatewayresponse" and (value := _mapped(mapping, values)) is not None:
            headers[header] = value
    status = int(response.get("statusCode") or error.status)
    return status, headers, _VARIABLE.sub(lambda match: _text(_look_up(match[1], values)), template)


def _accepted(templates: Mapping[str, str], accept: str) -> str:
    """Return the content type of the template to use: the first that is accepted, else JSON, else the first of all."""
    for kind in (part.partition(";")[0].strip() for part in accept.split(",")):
        if kind in templates:
            return kind
    return JSON if JSON in templates or not templates else next(iter(templates))


def _mapped(mapping: str, request: Request) -> str | None:
    """Return the value of a response parameter: a quoted text, or a name such as `method.request.header.Origin`."""
    if len(mapping) > 1 and mapping[0] == mapping[-1] == "'":
        return mapping[1:-1]
    value = _look_up(mapping, request)
    return None if value is None else _text(value)


def _look_up(name: str, request: Request) -> Any:
    """Return the value of `context.…`, `stageVariables.…` or `method.request.….…`; None where there is none."""
    first, _, rest = name.partition(".")
    if first == "stageVariables":
        return request.stage_variables.get(rest)
    if first == "method":
        place, _, key = rest.removeprefix("request.").partition(".")
        places = {"header": request.headers, "querystring": request.query, "path": request.path}
        return places.get(place, {}).get(key.lower() if place == "header" else key)
    value: Any = request.context
    for key in rest.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
