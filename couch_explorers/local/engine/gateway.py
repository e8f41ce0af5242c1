"""What a REST API's stage does around its integrations, by AWS's rules: throttling, gateway responses, and who is told of a request.

`patches.api_gateway` puts it into LocalEmu's pipeline. Sources, in the API Gateway developer guide:
api-gateway-request-throttling (limits), api-gateway-gatewayResponse-definition and supported-gateway-response-types (responses),
api-gateway-metrics-and-dimensions (what a request is measured by).
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger("couch.local")

# Requests a second and at once that an account may send where a stage sets nothing.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
ACCOUNT_RATE = 10_000.0
ACCOUNT_BURST = 5_000

ANY_METHOD = "*/*"
JSON = "application/json"
# "$context.error.messageString", "$stageVariables.name", "$method.request.header.Accept" and their like.
_VARIABLE = re.compile(
    r"\$((?:context|stageVariables|method\.request\.(?:header|querystring|path))\.[A-Za-z0-9_.-]*[A-Za-z0-9_-])"
)


# Observers


@dataclass(frozen=True)
class StageRequest:
    """One request to a deployed stage of a REST API, with what the gateway answered; refusals of the gateway itself included.

    `path` is what was asked for, `resource` what it matched (such as `/pictures/{id}`), None where nothing did. Times are Unix
    seconds and milliseconds; `integration_latency_ms` is None where no integration was called.
    """

    account_id: str
    region: str
    api_id: str
    api_name: str
    stage: str
    method: str
    path: str
    resource: str | None
    status: int
    time_s: float
    latency_ms: float
    integration_latency_ms: float | None


_observers: list[Callable[[StageRequest], None]] = []


def observe(observer: Callable[[StageRequest], None]) -> None:
    """Call `observer` after each request to a stage, in the thread that served it and before the answer leaves."""
    _observers.append(observer)


def tell(request: StageRequest) -> None:
    """Tell every observer; one that fails costs the caller nothing."""
    for observer in _observers:
        try:
            observer(request)
        except Exception:
            logger.exception("A request to the API %s could not be observed", request.api_id)


# Throttling


class TokenBucket:
    """Lets `burst` requests through at once and `rate` a second after that."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._filled = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take a token; False when there is none."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.rate)
            self._filled = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class StageThrottle:
    """The limits of all stages: each method of a stage has a bucket of its own, filled by the method's settings or the stage's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}
        self._lock = threading.Lock()

    def allows(self, api_id: str, stage: str, method: str, settings: Mapping[str, Any]) -> bool:
        """Whether one more request may pass. `method` is such as `/pictures/POST`, `settings` the stage's `methodSettings`."""
        rate, burst = limits(settings, method)
        key = (api_id, stage, method)
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None or (bucket.rate, bucket.burst) != (rate, burst):
                bucket = self._buckets[key] = TokenBucket(rate, burst, self._clock)
        return bucket.take()


def limits(settings: Mapping[str, Any], method: str) -> tuple[float, float]:
    """Rate and burst of a method such as `/pictures/POST`: its own, else the stage's, else the account's."""
    by_method = {_plain(key): value for key, value in settings.items()}
    for key in (_plain(method), ANY_METHOD):
        found = by_method.get(key, {})
        if "throttlingRateLimit" in found or "throttlingBurstLimit" in found:
            rate = float(found.get("throttlingRateLimit", ACCOUNT_RATE))
            burst = float(found.get("throttlingBurstLimit", ACCOUNT_BURST))
            return rate, burst
    return ACCOUNT_RATE, ACCOUNT_BURST


def _plain(key: str) -> str:
    """A method's key as one writes it: AWS escapes slashes of the resource's path as `~1`."""
    return key.replace("~1", "/").lstrip("/")


# Proxy answers


def is_proxy_answer(payload: bytes) -> bool:
    """Whether a function's answer has the form that a proxy integration takes: what else it returns is the caller's 502.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    try:
        answer = json.loads(payload)
        if not isinstance(answer, dict) or not isinstance(answer.get("body"), str | None):
            return False
        return 100 <= int(answer.get("statusCode") or 200) <= 599  # noqa: PLR2004
    except (TypeError, ValueError):
        return False


# Gateway responses


@dataclass(frozen=True)
class GatewayError:
    """What the gateway refuses or fails by itself: the response's type, AWS's default status, error type and message for it."""

    kind: str
    status: int
    code: str
    message: str | None


@dataclass(frozen=True)
class Request:
    """What of a request a gateway response may mention."""

    context: Mapping[str, Any]
    stage_variables: Mapping[str, str]
    headers: Mapping[str, str]
    query: Mapping[str, str]
    path: Mapping[str, str]


def gateway_response(
    error: GatewayError, request: Request, configured: Mapping[str, Mapping[str, Any]]
) -> tuple[int, dict[str, str], str]:
    """The status, headers and body of an error of the gateway's own.

    Args:
        error: What went wrong.
        request: What the templates may take values from.
        configured: The API's own gateway responses by type, as PutGatewayResponse takes them; `DEFAULT_4XX` and `DEFAULT_5XX`
            stand in for every type that is not there.

    Returns:
        The template for `application/json` or the first that the caller accepts, filled in.

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
    # AWS writes this one message with a capital: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-troubleshooting-403-forbidden.html
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
    """The content type of the template that answers a caller: the first accepted one, else JSON, else the first of all."""
    for kind in (part.partition(";")[0].strip() for part in accept.split(",")):
        if kind in templates:
            return kind
    return JSON if JSON in templates or not templates else next(iter(templates))


def _mapped(mapping: str, request: Request) -> str | None:
    """The value of a response parameter: a quoted text, or a name such as `method.request.header.Origin`."""
    if len(mapping) > 1 and mapping[0] == mapping[-1] == "'":
        return mapping[1:-1]
    value = _look_up(mapping, request)
    return None if value is None else _text(value)


def _look_up(name: str, request: Request) -> Any:
    """The value behind `context.…`, `stageVariables.…` or `method.request.….…`; None where there is none."""
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
