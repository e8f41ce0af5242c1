"""What MiniStack 1.5.33 answers otherwise than AWS, and the project needs answered right.

Each mend names the AWS documentation that it follows and has a test against the real Terraform or boto3.
"""

import functools
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from couch_explorers.local.telemetry import wire_protocol
from couch_explorers.local.telemetry.wire_protocol import Response


def mend_all() -> None:
    """Apply every mend to the MiniStack modules of this process."""
    describe_alarms_in_full()
    import_gateway_responses()
    guard_queues()


def import_gateway_responses() -> None:
    """Make an imported API keep the gateway responses that its OpenAPI document carries, as SAM writes them.

    Without it the gateway's own errors have API Gateway's default bodies, whatever the template says. Extension:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-gateway-responses.html
    """
    from ministack.services import apigateway_v1  # noqa: PLC0415 - reads its settings from the environment on import

    original = apigateway_v1._import_rest_api  # noqa: SLF001

    def import_rest_api(document: Mapping[str, Any], base_data: Any = None) -> str:
        api_id: str = original(document, base_data)
        for kind, response in (document.get("x-amazon-apigateway-gateway-responses") or {}).items():
            status, _, body = apigateway_v1._put_gateway_response(api_id, kind, response)  # noqa: SLF001
            if status >= 400:  # noqa: PLR2004
                raise ValueError(f"The gateway response {kind} is not taken: {body.decode()}")
        return api_id

    apigateway_v1._import_rest_api = import_rest_api  # noqa: SLF001


def describe_alarms_in_full() -> None:
    """Make DescribeAlarms over the Query protocol return every field that it returns over JSON.

    Terraform's provider speaks the Query protocol; without Period, Dimensions, Statistic and the actions its plan never
    comes out empty. Fields: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html
    """
    from ministack.services import cloudwatch  # noqa: PLC0415 - reads its settings from the environment on import

    original = cloudwatch._describe_alarms  # noqa: SLF001 - the pinned release has no public seam

    def describe_alarms(params: Mapping[str, Any], cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Response:  # noqa: FBT001, FBT002
        if is_cbor or is_json:
            return original(params, cbor_data, is_cbor, is_json)  # type: ignore[no-any-return]
        answer: Response = original(params, _from_query(params), False, True)  # noqa: FBT003
        if answer[0] != 200:  # noqa: PLR2004
            # The caller expects its errors as XML.
            return original(params, cbor_data, is_cbor, is_json)  # type: ignore[no-any-return]
        document = wire_protocol.xml_document("DescribeAlarms", json.loads(answer[2]))
        return 200, {"Content-Type": "text/xml"}, document.encode()

    cloudwatch._describe_alarms = describe_alarms  # noqa: SLF001


def _from_query(params: Mapping[str, Any]) -> dict[str, Any]:
    """The Query protocol's flat parameters of DescribeAlarms as its JSON input."""
    return wire_protocol.from_query(params, wire_protocol.operation("DescribeAlarms").input_shape)


# What changes a queue's list of messages, from the event loop and from the event source mappings' threads.
QUEUE_CHANGES = (
    "_act_send_message",
    "_act_delete_message",
    "_act_delete_message_batch",
    "_act_purge_queue",
    "_collect_msgs",
    "_dlq_sweep",
    "_expire_retained",
)


def guard_queues() -> None:
    """Let nobody change a queue's messages while somebody else does: a message that was sent just then would be lost.

    MiniStack's event source mappings write the list anew in a thread of their own, under a lock that those who send do
    not ask for. SQS loses nothing that it has taken:
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues.html
    """
    from ministack.services import sqs  # noqa: PLC0415 - reads its settings from the environment on import

    # Reentrant, because a mapping's receive holds it while it sweeps and collects.
    lock = threading.RLock()
    sqs._queues_lock = lock  # noqa: SLF001 - the pinned release has no public seam

    def guarded(change: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(change)
        def one_at_a_time(*arguments: Any) -> Any:
            with lock:
                return change(*arguments)

        return one_at_a_time

    for name in QUEUE_CHANGES:
        change = getattr(sqs, name)
        setattr(sqs, name, guarded(change))
        for action, handler in sqs._HANDLERS.items():  # noqa: SLF001
            if handler is change:
                sqs._HANDLERS[action] = getattr(sqs, name)  # noqa: SLF001
