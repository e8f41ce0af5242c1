"""SQS: limits, checks and error messages that LocalEmu lacks or words differently.

Limits and their errors: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html and
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html. LocalEmu's settings for what AWS always
does (one purge a minute, a deleted name reserved for a minute, retention) are in `engine/settings.py`.
"""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any

from couch_explorers.local.engine import service_faults
from couch_explorers.local.engine.authorization.policies import is_policy_document
from couch_explorers.local.engine.patches import service_error, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SEAMS = {
    "localemu.services.sqs.models:SqsQueue.update_visibility_timeout": "a3f0da00b2f4",
    "localemu.services.sqs.models:StandardQueue.receive": "99e0321c768a",
    "localemu.services.sqs.provider:QueueUpdateWorker.start": "edd9f8d1a72a",
    "localemu.services.sqs.provider:SqsProvider._assert_batch": "cd0fc73da4f3",
    "localemu.services.sqs.provider:SqsProvider._put_message": "029829bc0eda",
    "localemu.services.sqs.provider:SqsProvider.change_message_visibility_batch": "6ee42b689573",
    "localemu.services.sqs.provider:SqsProvider.create_queue": "1c4929a885c6",
    "localemu.services.sqs.provider:SqsProvider.delete_message_batch": "edb1dc53eb04",
    "localemu.services.sqs.provider:SqsProvider.delete_queue": "1aee0242e0be",
    "localemu.services.sqs.provider:SqsProvider.receive_message": "e07b8da70167",
    "localemu.services.sqs.provider:SqsProvider.send_message_batch": "d4a4607edac9",
    "localemu.services.sqs.provider:SqsProvider.set_queue_attributes": "a26e2896f5e4",
    "localemu.services.sqs.provider:SqsProvider.tag_queue": "7f1d6f7d994c",
    "localemu.services.sqs.provider:check_attributes": "4857eec797a7",
    "localemu.services.sqs.provider:resolve_queue_location": "331f25c4cf43",
}

MOST_MESSAGE_ATTRIBUTES = 10
LONGEST_VISIBILITY_S = 43_200
MOST_MESSAGES = 10
LONGEST_DELAY_S = 900
LONGEST_TAG_KEY = 128
MOST_RECEIVES = 1000
# "A Number attribute can have up to 38 digits of precision, and it can be between 10^-128 and 10^+126":
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
LARGEST_NUMBER = Decimal(10) ** 126
# Seconds between two checks for messages that have become visible again; LocalEmu checks once a second.
VISIBILITY_PERIOD_S = 0.2

# How SQS's JSON protocol names the type of a value that is no string.
JSON_TYPES = {str: "STRING_VALUE", bool: "TRUE_VALUE", int: "NUMBER_VALUE", float: "NUMBER_VALUE", list: "START_ARRAY"}
# Queue attributes that are numbers: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
NUMBERS = {
    "DelaySeconds": (0, LONGEST_DELAY_S),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, LONGEST_VISIBILITY_S),
}
BOOLEANS = ("ContentBasedDeduplication", "SqsManagedSseEnabled")

# AWS's codes for the errors of a batch's entries; LocalEmu returns the names of its classes.
ENTRY_ERRORS = {
    "InvalidParameterValueException": "InvalidParameterValue",
    # A batch's entry without a body: the single call says MissingParameter.
    "MissingRequiredParameterException": "EmptyValue",
}


def apply() -> None:
    """Check requests as SQS does."""
    from localemu.services.sqs import models, provider

    provider.check_attributes = check_message_attributes
    provider.QueueUpdateWorker.start = _start_update_worker
    wrap(provider, "resolve_queue_location", _resolve_queue_location)
    wrap(models.SqsQueue, "update_visibility_timeout", _update_visibility_timeout)
    wrap(models.StandardQueue, "receive", service_faults.current().receive)
    for name, wrapper in (
        ("_assert_batch", _assert_batch),
        ("_put_message", _put_message),
        ("receive_message", _receive_message),
        ("create_queue", _with_checked_attributes),
        ("set_queue_attributes", _with_checked_attributes),
        ("delete_queue", _delete_queue),
        ("tag_queue", _tag_queue),
        ("send_message_batch", partial(_answer_batch, "SendMessage")),
        ("delete_message_batch", partial(_answer_batch, "DeleteMessage")),
        ("change_message_visibility_batch", partial(_answer_batch, "ChangeMessageVisibility")),
    ):
        wrap(provider.SqsProvider, name, wrapper)


def _invalid(message: str) -> Exception:
    from localemu.services.sqs.exceptions import InvalidParameterValueException

    error: Exception = InvalidParameterValueException(message)
    return error


def check_request(context: Any, request: Mapping[str, Any]) -> None:
    """Raise SQS's error for a missing required parameter, a value that is no string, or a malformed source ARN."""
    from localemu.services.sqs.exceptions import MissingRequiredParameterException

    shape = context.operation.input_shape
    for name in shape.required_members if shape else ():
        # Over the Query protocol the address of the request names the queue.
        if request.get(name) is None and not (name == "QueueUrl" and context.request.path != "/"):
            raise MissingRequiredParameterException(f"The request must contain the parameter {name}.")
    for name, value in request.items():
        member = shape.members.get(name)
        if member is not None and member.type_name == "string" and value is not None and not isinstance(value, str):
            found = JSON_TYPES.get(type(value), "START_OBJECT")
            raise service_error("SerializationException", f"{found} can not be converted to a String")
    source = request.get("SourceArn")
    if source is not None and source.count(":") < 5:  # noqa: PLR2004 - the colons of an ARN
        from localemu.services.sqs.exceptions import InvalidParameterValueException

        raise InvalidParameterValueException(
            "You must use this format to specify the SourceArn: "
            "arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
        )


# --- messages ------------------------------------------------------------------------------------------------------------


def _put_message(
    put: Callable[..., Any],
    self: Any,
    queue: Any,
    context: Any,
    message_body: str,
    delay_seconds: int | None = None,
    message_attributes: Mapping[str, Any] | None = None,
    *others: Any,
    **named: Any,
) -> Any:
    if len(message_attributes or ()) > MOST_MESSAGE_ATTRIBUTES:
        raise _invalid(
            f"Number of message attributes [{len(message_attributes or ())}] exceeds the allowed maximum "
            f"[{MOST_MESSAGE_ATTRIBUTES}]."
        )
    if delay_seconds is not None and not 0 <= delay_seconds <= LONGEST_DELAY_S:
        raise _invalid(
            f"Value {delay_seconds} for parameter DelaySeconds is invalid. "
            f"Reason: DelaySeconds must be >= 0 and <= {LONGEST_DELAY_S}."
        )
    return put(self, queue, context, message_body, delay_seconds, message_attributes, *others, **named)


def check_message_attributes(attributes: Mapping[str, Any] | None) -> None:
    """Raise InvalidParameterValue for the first attribute that SQS does not accept.

    Names: letters, digits, `_`, `-` and single dots inside, none that begins with AWS. or Amazon., below 256 bytes. Types: String,
    Number, Binary, alone or with a suffix after a dot.
    """
    from localemu.services.sqs import constants

    for name, attribute in (attributes or {}).items():
        if len(name.encode()) >= 256:  # noqa: PLR2004
            raise _invalid("Message (user) attribute names must be shorter than 256 Bytes")
        if not re.match(constants.ATTR_NAME_CHAR_REGEX, name.lower()):
            raise _invalid(
                "Message (user) attributes name can only contain upper and lower score characters, digits, periods, "
                "hyphens and underscores. "
            )
        if not re.match(constants.ATTR_NAME_PREFIX_SUFFIX_REGEX, name.lower()):
            raise _invalid(
                "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. "
                "These strings are reserved for internal use. Additionally, they cannot start or end with '.'."
            )
        if ".." in name:
            raise _invalid("Message (user) attribute name must not have successive '.' characters.")
        _check_attribute_value(name, attribute)


def _check_attribute_value(name: str, attribute: Mapping[str, Any]) -> None:
    from localemu.aws.api.sqs import InvalidMessageContents
    from localemu.services.sqs.provider import check_message_content

    data_type = attribute.get("DataType")
    if not data_type:
        raise _invalid(f"The message attribute '{name}' must contain a non-empty message attribute type.")
    kind = data_type.partition(".")[0]
    if kind not in {"String", "Number", "Binary"}:
        raise _invalid(
            f"The type of message (user) attribute '{name}' is invalid. "
            "You must use only the following supported type prefixes: Binary, Number, String."
        )
    if len(data_type.encode()) >= 256:  # noqa: PLR2004
        raise _invalid("Message (user) attribute types must be shorter than 256 Bytes")
    value = attribute.get("BinaryValue" if kind == "Binary" else "StringValue")
    if not value:
        raise _invalid(f"Message (user) attribute '{name}' must contain a non-empty value of type '{kind}'.")
    if kind == "Number" and not _is_number(value):
        raise _invalid(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    if kind == "String":
        try:
            check_message_content(value)
        except InvalidMessageContents as error:
            raise _invalid(str(error.args[0])) from error


def _is_number(text: str) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    return number.is_finite() and abs(number) <= LARGEST_NUMBER and "_" not in text


def _receive_message(receive: Callable[..., Any], self: Any, context: Any, queue_url: str, **parameters: Any) -> Any:
    most = parameters.get("max_number_of_messages")
    if most == 0:
        raise _invalid(
            f"Value {most} for parameter MaxNumberOfMessages is invalid. "
            f"Reason: Must be between 1 and {MOST_MESSAGES}, if provided."
        )
    visibility_s = parameters.get("visibility_timeout")
    if visibility_s is not None and not 0 <= visibility_s <= LONGEST_VISIBILITY_S:
        raise _invalid(
            f"Value {visibility_s} for parameter VisibilityTimeout is invalid. "
            f"Reason: Must be >= 0 and <= {LONGEST_VISIBILITY_S}, if provided."
        )
    _check_attribute_names(
        [*(parameters.get("attribute_names") or ()), *(parameters.get("message_system_attribute_names") or ())]
    )
    if not queue_url.endswith(".fifo"):
        # It only applies to FIFO queues; others ignore it.
        parameters.pop("receive_request_attempt_id", None)
    return receive(self, context, queue_url=queue_url, **parameters)


def _check_attribute_names(names: Sequence[str]) -> None:
    if not names:
        return
    from localemu.aws.api import sqs as api

    for name in names:
        if not (hasattr(api.MessageSystemAttributeName, name) or hasattr(api.QueueAttributeName, name)):
            raise api.InvalidAttributeName(f"Unknown Attribute {name}.")


def _update_visibility_timeout(
    update: Callable[..., Any], self: Any, receipt_handle: str, visibility_timeout: int
) -> None:
    if not 0 <= visibility_timeout <= LONGEST_VISIBILITY_S:
        raise _invalid(
            f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. "
            f"Reason: VisibilityTimeout must be an integer between 0 and {LONGEST_VISIBILITY_S}."
        )
    with self.mutex:
        message = self.receipts.get(receipt_handle)
        if message is not None and time.time() + visibility_timeout - message.last_received > LONGEST_VISIBILITY_S:
            raise _invalid(
                f"Value {visibility_timeout} for parameter VisibilityTimeout is invalid. "
                f"Reason: Total VisibilityTimeout for the message is beyond the limit [{LONGEST_VISIBILITY_S} seconds]."
            )
        update(self, receipt_handle, visibility_timeout)


def _start_update_worker(self: Any) -> None:
    """Check every `VISIBILITY_PERIOD_S` for messages that have become visible, so that they are not hidden for up to a second longer."""
    from localemu.utils.scheduler import Scheduler
    from localemu.utils.threads import start_thread

    with self.mutex:
        if self.thread:
            return
        self.scheduler = Scheduler()
        self.scheduler.schedule(self.do_update_all_queues, period=VISIBILITY_PERIOD_S, fixed_rate=False)
        self.thread = start_thread(lambda *_: self.scheduler.run(), name="sqs-queue-update-worker")


# --- batches -------------------------------------------------------------------------------------------------------------


def _assert_batch(check: Callable[..., Any], self: Any, batch: Sequence[Mapping[str, Any]], **options: Any) -> None:
    from localemu.aws.api.sqs import BatchEntryIdsNotDistinct

    try:
        check(self, batch, **options)
    except BatchEntryIdsNotDistinct as error:
        ids = [entry["Id"] for entry in batch]
        repeated = next(name for index, name in enumerate(ids) if name in ids[:index])
        raise BatchEntryIdsNotDistinct(f"Id {repeated} repeated.") from error


def _answer_batch(
    name: str,
    operation: Callable[..., Any],
    self: Any,
    context: Any,
    queue_url: str,
    entries: Sequence[Mapping[str, Any]],
    **others: Any,
) -> Any:
    if not entries:
        from localemu.aws.api.sqs import EmptyBatchRequest

        raise EmptyBatchRequest(f"There should be at least one {name}BatchRequestEntry in the request.")
    answer = operation(self, context, queue_url=queue_url, entries=entries, **others)
    for failure in answer["Failed"]:
        failure["Code"] = ENTRY_ERRORS.get(failure["Code"], failure["Code"])
        failure["SenderFault"] = failure["SenderFault"] or failure["Code"] in _sender_faults()
        failure["Message"] = failure["Message"].replace("parameters are invalid.", "parameters cannot be validated.")
    # In the JSON protocol, AWS leaves out empty lists.
    return {key: value for key, value in answer.items() if value}


def _sender_faults() -> set[str]:
    return {*ENTRY_ERRORS.values(), "InvalidMessageContents", "ReceiptHandleIsInvalid"}


# --- queues --------------------------------------------------------------------------------------------------------------


def _resolve_queue_location(
    resolve: Callable[..., Any], context: Any, queue_name: str | None = None, queue_url: str | None = None
) -> Any:
    location: tuple[str, str | None, str] = resolve(context, queue_name, queue_url)
    if location[1] not in {None, context.region}:
        from localemu.aws.api.sqs import InvalidAddress

        raise InvalidAddress(f"The address {queue_url} is not valid for this endpoint.", status_code=404)
    return location


def _delete_queue(delete: Callable[..., Any], self: Any, context: Any, queue_url: str, **others: Any) -> None:
    self._resolve_queue(context, queue_url=queue_url)
    delete(self, context, queue_url=queue_url, **others)


def _tag_queue(
    tag: Callable[..., Any], self: Any, context: Any, queue_url: str, tags: Mapping[str, str], **others: Any
) -> None:
    if any(not 1 <= len(key) <= LONGEST_TAG_KEY for key in tags or ()):
        raise _invalid(f"Tag keys must be between 1 and {LONGEST_TAG_KEY} characters in length.")
    tag(self, context, queue_url=queue_url, tags=tags, **others)


def _with_checked_attributes(
    operation: Callable[..., Any], self: Any, context: Any, *, attributes: dict[str, str] | None = None, **others: Any
) -> Any:
    queue = self._resolve_queue(context, queue_url=others["queue_url"]) if "queue_url" in others else None
    fifo = (queue.name if queue else others["queue_name"]).endswith(".fifo")
    check_queue_attributes(self, context, attributes or {}, fifo=fifo)
    answer = operation(self, context, attributes=attributes, **others)
    if queue:
        queue.update_last_modified()
    return answer


def check_queue_attributes(provider: Any, context: Any, attributes: Mapping[str, str], *, fifo: bool) -> None:
    """Raise SQS's error for the first queue attribute with an invalid value."""
    from localemu.aws.api.sqs import InvalidAttributeName
    from localemu.services.sqs.exceptions import InvalidAttributeValue

    for name, value in attributes.items():
        if name in NUMBERS and not (value.isdecimal() and NUMBERS[name][0] <= int(value) <= NUMBERS[name][1]):
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        if name in BOOLEANS and value.lower() not in {"true", "false"}:
            raise InvalidAttributeValue(f"Invalid value for the parameter {name}.")
        if name == "Policy" and value and not is_policy_document(value):
            raise InvalidAttributeValue("Invalid value for the parameter Policy.")
        if name == "RedrivePolicy" and value:
            _check_redrive_policy(provider, context, value, fifo=fifo)
    if attributes.get("KmsMasterKeyId") and attributes.get("SqsManagedSseEnabled", "").lower() == "true":
        raise InvalidAttributeName(
            "You can use one type of server-side encryption (SSE) at one time. "
            "You can either enable KMS SSE or SQS SSE."
        )


def _json_map(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _check_redrive_policy(provider: Any, context: Any, text: str, *, fifo: bool) -> None:
    from botocore.exceptions import BotoCoreError
    from botocore.utils import InvalidArnException
    from localemu.aws.api.sqs import QueueDoesNotExist
    from localemu.services.sqs.exceptions import InvalidAttributeValue

    policy = _json_map(text)
    if policy is None:
        raise InvalidAttributeValue(
            "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map."
        )

    def refuse(reason: str) -> Exception:
        return _invalid(f"Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}")

    for key in ("deadLetterTargetArn", "maxReceiveCount"):
        if policy.get(key) in {None, ""}:
            raise refuse(f"Redrive policy does not contain mandatory attribute: {key}.")
    count = str(policy["maxReceiveCount"])
    if not count.isdecimal() or not 1 <= int(count) <= MOST_RECEIVES:
        raise refuse(
            f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to {MOST_RECEIVES} both inclusive."
        )
    try:
        target = provider._require_queue_by_arn(context, policy["deadLetterTargetArn"])
    except (BotoCoreError, InvalidArnException, KeyError, QueueDoesNotExist) as error:
        raise refuse("Dead letter target does not exist.") from error
    if (target.account_id, target.region) != (context.account_id, context.region):
        raise refuse("Dead-letter target owner should be same as the source.")
    if target.name.endswith(".fifo") != fifo:
        raise refuse("Dead-letter queue must be same type of queue as the source..")
