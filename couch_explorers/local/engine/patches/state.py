"""State: every change is reported to `engine.state`. LocalEmu saves only at its shutdown, everything, in files tied to its version."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine.patches import wrap

if TYPE_CHECKING:
    from couch_explorers.local.engine.state.saver import State

# Includes what `engine.state` reads and restores.
SEAMS: Mapping[str, str] = {
    "localemu.services.cloudwatch.provider_v2:CloudwatchProvider.on_after_state_load": "4ed2e5323592",
    "localemu.services.lambda_.provider:LambdaProvider.on_after_state_load": "f860433a167d",
    "localemu.services.s3.models:KeyStore": "1963af8af2a5",
    "localemu.services.s3.models:S3Bucket.__init__": "d6ca7ef0e8fc",
    "localemu.services.s3.models:S3DeleteMarker": "116aaf40af8c",
    "localemu.services.s3.models:S3Multipart.__init__": "e53278dfd56f",
    "localemu.services.s3.models:S3Object.__init__": "54ec238c1655",
    "localemu.services.s3.models:S3Part": "bd400bb4aa19",
    "localemu.services.s3.models:S3Store": "e6295e4c91a5",
    "localemu.services.s3.models:VersionedKeyStore": "32c9bb2426c5",
    "localemu.services.s3.provider:S3Provider.__init__": "00c9b7c8b1c1",
    "localemu.services.s3.storage.ephemeral:EphemeralS3ObjectStore": "3a6538a75d58",
    "localemu.services.s3.storage.ephemeral:EphemeralS3StoredMultipart": "7b61610f8757",
    "localemu.services.s3.storage.ephemeral:EphemeralS3StoredObject": "a75a4b40b993",
    "localemu.services.s3.storage.ephemeral:LockedFileMixin": "afa3c3f4a3ba",
    "localemu.services.sqs.models:FifoQueue": "ba5663dca29c",
    "localemu.services.sqs.models:MessageMoveTask": "9584710eda15",
    "localemu.services.sqs.models:SqsMessage": "9ac92d2712a1",
    "localemu.services.sqs.models:SqsQueue": "5c1f1bf58c83",
    "localemu.services.sqs.models:SqsStore": "1d1601bce7a7",
    "localemu.services.sqs.models:StandardQueue": "cf4498bc2d30",
    "localemu.services.sqs.provider:MessageMoveTaskManager": "70064cc91622",
    "localemu.services.stores:AccountRegionBundle": "d6e8e0241ec5",
    "localemu.services.stores:RegionBundle": "767d510d7b1f",
    "localemu.utils.tagging:Tags": "8cfd3484bbaf",
    "moto.core.base_backend:BackendDict": "67b76667c0c1",
    "moto.iam.models:AWSManagedPolicy": "4bfc36c80e1a",
    "moto.iam.models:IAMBackend.__init__": "cebf1613a698",
    "moto.logs.models:LogEvent": "f5cc6cb860af",
    "moto.logs.models:LogGroup.put_log_events": "01dab88c3087",
    "moto.logs.models:LogStream.__init__": "df67faef0c7d",
    "moto.ssm.models:ParameterDict": "6622d8a6f7d0",
}


def apply() -> None:
    """Watch calls, queues and log streams; after all other patches, so that the methods that they replace are watched too."""
    from couch_explorers.local.engine.state import saver

    state = saver.current()
    _watch_calls(state)
    _watch_queues(state)
    _watch_logs(state)
    _replace_object_store(state)


def _watch_calls(state: "State") -> None:
    from localemu.aws import handlers

    def note(_chain: Any, context: Any, _response: Any) -> None:
        if context.service is not None and context.operation is not None:
            state.called(context.service.service_name, context.operation.name, context.service_request)

    handlers.run_custom_response_handlers.append(note)


def _watch_queues(state: "State") -> None:
    from localemu.services.sqs.models import FifoQueue, SqsQueue, StandardQueue

    queues = state.queues

    def put(original: Callable[..., Any], queue: Any, *args: Any, **kwargs: Any) -> Any:
        message = original(queue, *args, **kwargs)
        queues.put(queue, message)
        return message

    def receive(original: Callable[..., Any], queue: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(queue, *args, **kwargs)
        # A message that moves to the dead-letter queue is noted when it is put there.
        queues.change(queue, result.successful)
        return result

    def remove(original: Callable[..., Any], queue: Any, receipt_handle: str) -> Any:
        message = queue.receipts.get(receipt_handle)
        result = original(queue, receipt_handle)
        if message is not None and message.deleted:
            queues.remove(queue, [message])
        return result

    def update(original: Callable[..., Any], queue: Any, receipt_handle: str, *args: Any, **kwargs: Any) -> Any:
        message = queue.receipts.get(receipt_handle)
        result = original(queue, receipt_handle, *args, **kwargs)
        if message is not None:
            queues.change(queue, [message])
        return result

    def clear(original: Callable[..., Any], queue: Any) -> Any:
        with queue.mutex:
            queues.remove_all(queue)
            return original(queue)

    def remove_expired(original: Callable[..., Any], *args: Any) -> Any:
        expired = original(*args)
        queues.remove(None, expired)
        return expired

    for kind in (StandardQueue, FifoQueue):
        wrap(kind, "put", put)
        wrap(kind, "receive", receive)
        wrap(kind, "clear", clear)
    wrap(SqsQueue, "remove", remove)
    wrap(SqsQueue, "update_visibility_timeout", update)

    wrap(SqsQueue, "remove_expired_messages_from_heap", remove_expired)


def _watch_logs(state: "State") -> None:
    from moto.logs.models import LogGroup

    def put(original: Callable[..., Any], group: Any, log_stream_name: str, *args: Any, **kwargs: Any) -> Any:
        result = original(group, log_stream_name, *args, **kwargs)
        state.logs.put(group.streams[log_stream_name])
        return result

    # LocalEmu replaces the stream's method when its service loads, so the group's method is watched.
    wrap(LogGroup, "put_log_events", put)


def _replace_object_store(state: "State") -> None:
    from localemu.services.s3.provider import S3Provider

    def create(original: Callable[..., Any], provider: Any, storage_backend: Any = None) -> None:
        original(provider, storage_backend or state.objects.store)

    wrap(S3Provider, "__init__", create)
