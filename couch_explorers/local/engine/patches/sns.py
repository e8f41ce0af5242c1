"""SNS: e-mail subscriptions, delivery policies, counts of subscriptions and refusals, where LocalEmu differs from AWS.

An e-mail subscription is pending until its owner follows the link in the e-mail (or calls ConfirmSubscription with its token), and
gets nothing before; LocalEmu confirms it at once: https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.confirm.html. E-mails
are written to the local cloud's inbox; LocalEmu would send them by SES, which this system does not have.
"""

from __future__ import annotations

import json
import logging
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from couch_explorers.local import mailbox
from couch_explorers.local.engine.authorization.policies import is_policy_document
from couch_explorers.local.engine.patches import service_error, when_gateway_is_created, wrap
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SEAMS = {
    "localemu.services.sns.provider:SnsProvider.confirm_subscription": "2514dc9cfb3d",
    "localemu.services.sns.provider:SnsProvider.create_topic": "6e62e62a8303",
    "localemu.services.sns.provider:SnsProvider.get_topic_attributes": "22589f2841b0",
    "localemu.services.sns.provider:SnsProvider.list_subscriptions_by_topic": "0f68f9e7825c",
    "localemu.services.sns.provider:SnsProvider.publish_batch": "7466a6cc304d",
    "localemu.services.sns.provider:SnsProvider.set_topic_attributes": "01a73118d53c",
    "localemu.services.sns.provider:SnsProvider.subscribe": "9f76792bdfbc",
    "localemu.services.sns.provider:SnsProvider.unsubscribe": "51ee7cb6af6f",
    "localemu.services.sns.provider:_create_default_effective_delivery_policy": "848f00ffb673",
    "localemu.services.sns.provider:is_valid_e164_number": "af0a20f31519",
    "localemu.services.sns.publisher:EmailJsonTopicPublisher._publish": "ce05e3c08860",
    "localemu.services.sns.publisher:EmailTopicPublisher.prepare_message": "980ded29be8b",
    "localemu.services.sns.publisher:PublishDispatcher._should_publish": "2ff70515af38",
}

PENDING = "PendingConfirmation"
# The fields of a listed subscription: https://docs.aws.amazon.com/sns/latest/api/API_Subscription.html
LISTED = ("SubscriptionArn", "Owner", "Protocol", "Endpoint", "TopicArn")
API_VERSION = "2010-03-31"
# One @, something on both sides, no white space: what SNS requires before it sends the first e-mail.
EMAIL_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
# SNS allows single separators between the digits of a number; E.164 allows fifteen digits.
PHONE_NUMBER = re.compile(r"\+?\d+(?:[-./]?\d+)*")
MOST_DIGITS = 15
# "Less than 100 characters long", and "no line breaks or control characters"; one of 100 is still taken:
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
LONGEST_SUBJECT = 100
# https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html
TOPIC_ATTRIBUTES = re.compile(
    r"DeliveryPolicy|DisplayName|Policy|TracingConfig|KmsMasterKeyId|SignatureVersion|ContentBasedDeduplication|ArchivePolicy"
    r"|FifoThroughputScope|(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate"
    r"|FailureFeedbackRoleArn)"
)

logger = logging.getLogger("couch.local")


def apply() -> None:
    """Treat subscriptions and topics as SNS does."""
    from localemu.services.sns import provider, publisher

    inbox = mailbox.Mailbox(Home.current().inbox)
    _deliver_mails(publisher, inbox)
    provider.is_valid_e164_number = is_phone_number
    for name, wrapper in (
        ("subscribe", partial(_subscribe, inbox)),
        ("confirm_subscription", _confirm_subscription),
        ("unsubscribe", _unsubscribe),
        ("list_subscriptions_by_topic", _list_subscriptions_by_topic),
        ("publish_batch", _publish_batch),
        ("create_topic", _create_topic),
        ("set_topic_attributes", _set_topic_attributes),
        ("get_topic_attributes", _get_topic_attributes),
    ):
        wrap(provider.SnsProvider, name, wrapper)
    when_gateway_is_created(_answer_unsigned_confirmations)


def _invalid(message: str) -> Exception:
    from localemu.aws.api.sns import InvalidParameterException

    error: Exception = InvalidParameterException(message)
    return error


def is_phone_number(text: str) -> bool:
    """Whether SNS accepts this as the number of an SMS subscription."""
    return bool(PHONE_NUMBER.fullmatch(text)) and sum(letter.isdigit() for letter in text) <= MOST_DIGITS


# --- subscriptions by e-mail ---------------------------------------------------------------------------------------------


def _deliver_mails(publisher: Any, inbox: mailbox.Mailbox) -> None:
    def should_publish(
        original: Callable[..., Any], self: Any, policies: Any, message: Any, subscriber: Mapping[str, Any]
    ) -> Any:
        if subscriber["Protocol"] in mailbox.PROTOCOLS and subscriber[PENDING] != "false":
            return False
        return original(self, policies, message, subscriber)

    def publish(self: Any, context: Any, subscriber: Mapping[str, Any]) -> None:
        text = self.prepare_message(context.message, subscriber, topic_attributes=context.topic_attributes)
        if subscriber["Protocol"] == "email":
            text = mailbox.notification_body(
                text, _address("Unsubscribe", SubscriptionArn=subscriber["SubscriptionArn"])
            )
        try:
            inbox.deliver(
                subscriber["Endpoint"],
                context.message.subject or "",
                text,
                sender_name=(context.topic_attributes or {}).get("DisplayName") or "",
            )
        except OSError:
            logger.exception("The e-mail of %s to %s is lost", subscriber["TopicArn"], subscriber["Endpoint"])

    wrap(publisher.PublishDispatcher, "_should_publish", should_publish)
    publisher.EmailJsonTopicPublisher._publish = publish


def _address(action: str, **parameters: str) -> str:
    """Return a link for an action without credentials, like those in SNS's e-mails."""
    return (
        f"http://{os.environ['LOCALEMU_HOST']}/?{urlencode({'Action': action, **parameters, 'Version': API_VERSION})}"
    )


def _subscribe(
    inbox: mailbox.Mailbox,
    subscribe: Callable[..., Any],
    self: Any,
    context: Any,
    topic_arn: str,
    protocol: str,
    endpoint: str | None = None,
    attributes: Mapping[str, str] | None = None,
    return_subscription_arn: bool | None = None,  # noqa: FBT001
    **others: Any,
) -> Any:
    if protocol in mailbox.PROTOCOLS and endpoint and not EMAIL_ADDRESS.fullmatch(endpoint):
        raise _invalid("Invalid parameter: Email address")
    answer = subscribe(
        self,
        context,
        topic_arn=topic_arn,
        protocol=protocol,
        endpoint=endpoint,
        attributes=attributes,
        return_subscription_arn=return_subscription_arn,
        **others,
    )
    if protocol not in mailbox.PROTOCOLS:
        return answer
    arn = answer["SubscriptionArn"]
    store = self.get_store(account_id=topic_arn.split(":")[4], region=context.region)
    if store.subscriptions[arn][PENDING] == "false":
        return answer
    token = next(token for token, known in store.subscription_tokens.items() if known == arn)
    link = _address("ConfirmSubscription", TopicArn=topic_arn, Token=token)
    inbox.deliver(
        str(endpoint),
        mailbox.CONFIRMATION_SUBJECT,
        mailbox.confirmation_body(topic_arn, link),
        sender_name=store.topics[topic_arn]["attributes"].get("DisplayName") or "",
    )
    return answer if return_subscription_arn else {"SubscriptionArn": "pending confirmation"}


def _is_unsigned(context: Any) -> bool:
    from localemu.constants import ANONYMOUS_ACCESS_KEY_ID

    return not context.is_internal_call and (
        f"Credential={ANONYMOUS_ACCESS_KEY_ID}/" in context.request.headers.get("Authorization", "")
    )


def _confirm_subscription(
    confirm: Callable[..., Any], self: Any, context: Any, topic_arn: str, token: str, **others: Any
) -> Any:
    answer = confirm(self, context, topic_arn=topic_arn, token=token, **others)
    if _is_unsigned(context):
        _, _, _, region, account, *_ = topic_arn.split(":")
        subscription = self.get_store(account, region).subscriptions[answer["SubscriptionArn"]]
        subscription["ConfirmationWasAuthenticated"] = "false"
    return answer


def _unsubscribe(
    unsubscribe: Callable[..., Any], self: Any, context: Any, subscription_arn: str, **others: Any
) -> None:
    if str(subscription_arn).count(":") == 6:  # noqa: PLR2004 - the colons of a subscription's ARN
        _, _, _, region, account, *_ = subscription_arn.split(":")
        subscription = self.get_store(account, region).subscriptions.get(subscription_arn) or {}
        if subscription.get(PENDING) == "true":
            raise _invalid(
                "Invalid parameter: SubscriptionArn Reason: "
                "Cannot unsubscribe a subscription that is pending confirmation"
            )
    unsubscribe(self, context, subscription_arn=subscription_arn, **others)


def _list_subscriptions_by_topic(
    list_by_topic: Callable[..., Any], self: Any, context: Any, topic_arn: str, **others: Any
) -> Any:
    answer = list_by_topic(self, context, topic_arn=topic_arn, **others)
    answer["Subscriptions"] = [
        {key: PENDING if key == "SubscriptionArn" and one[PENDING] == "true" else one[key] for key in LISTED}
        for one in answer["Subscriptions"]
    ]
    return answer


def _answer_unsigned_confirmations(gateway: Any) -> None:
    """Let the links in e-mails work without credentials: the token, or an earlier confirmation without signature, is enough."""
    from localemu.aws import handlers

    def answer(chain: Any, context: Any, response: Any) -> None:
        if not context.service or context.service.service_name != "sns" or not _is_unsigned(context):
            return
        if context.operation.name == "ConfirmSubscription" or _may_unsubscribe_unsigned(context):
            # An unsigned request names no region, but its topic does.
            context.region = _region_of(context.service_request)
            gateway.service_manager.require("sns")
            gateway.service_request_router(chain, context, response)
            chain.stop()

    gateway.request_handlers.insert(gateway.request_handlers.index(handlers.parse_service_request) + 1, answer)


def _region_of(request: Mapping[str, Any]) -> str:
    parts = str(request.get("TopicArn") or request.get("SubscriptionArn")).split(":")
    return parts[3] if len(parts) > 5 else "us-east-1"  # noqa: PLR2004 - the parts of an ARN


def _may_unsubscribe_unsigned(context: Any) -> bool:
    from localemu.services.sns.models import sns_stores

    if context.operation.name != "Unsubscribe":
        return False
    arn = str(context.service_request.get("SubscriptionArn"))
    parts = arn.split(":")
    if len(parts) != 7:  # noqa: PLR2004 - the parts of a subscription's ARN
        return False
    subscription = sns_stores[parts[4]][parts[3]].subscriptions.get(arn) or {}
    return bool(subscription.get("ConfirmationWasAuthenticated") == "false")


# --- publishing and topics --------------------------------------------------------------------------------------------


def check_request(context: Any, request: Mapping[str, Any]) -> None:
    """Raise SNS's error for a Publish without a target, and for a subject that is too long or not printable."""
    if context.operation.name == "Publish" and not any(
        name in request for name in ("TopicArn", "TargetArn", "PhoneNumber")
    ):
        raise service_error(
            "InvalidParameter", "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter"
        )
    subject = request.get("Subject")
    if subject is not None and (len(subject) > LONGEST_SUBJECT or not subject.isprintable()):
        raise service_error("InvalidParameter", "Invalid parameter: Subject")


def _publish_batch(
    publish_batch: Callable[..., Any],
    self: Any,
    context: Any,
    topic_arn: str,
    publish_batch_request_entries: Sequence[Mapping[str, Any]],
    **others: Any,
) -> Any:
    for entry in publish_batch_request_entries:
        if entry.get("MessageStructure") != "json":
            continue
        try:
            texts = json.loads(entry["Message"])
        except ValueError:
            raise _invalid("Invalid parameter: Message Structure - JSON message body failed to parse") from None
        if not isinstance(texts, dict) or not isinstance(texts.get("default"), str):
            raise _invalid("Invalid parameter: Message Structure - No default entry in JSON message body")
    return publish_batch(
        self,
        context,
        topic_arn=topic_arn,
        publish_batch_request_entries=publish_batch_request_entries,
        **others,
    )


def _create_topic(
    create: Callable[..., Any],
    self: Any,
    context: Any,
    name: str,
    attributes: dict[str, str] | None = None,
    **others: Any,
) -> Any:
    answer = create(self, context, name=name, attributes=attributes, **others)
    if (attributes or {}).get("DeliveryPolicy"):
        topic = self._get_topic(arn=answer["TopicArn"], context=context)
        topic["attributes"].update(delivery_policies((attributes or {})["DeliveryPolicy"]))
    return answer


def _set_topic_attributes(
    set_attributes: Callable[..., Any],
    self: Any,
    context: Any,
    topic_arn: str,
    attribute_name: str,
    attribute_value: str | None = None,
    **others: Any,
) -> None:
    topic = self._get_topic(arn=topic_arn, context=context)
    if not TOPIC_ATTRIBUTES.fullmatch(attribute_name):
        raise _invalid("Invalid parameter: AttributeName")
    if attribute_name == "Policy" and attribute_value and not is_policy_document(attribute_value):
        raise _invalid("Invalid parameter: Policy Error: null")
    if attribute_name != "DeliveryPolicy":
        set_attributes(
            self,
            context,
            topic_arn=topic_arn,
            attribute_name=attribute_name,
            attribute_value=attribute_value,
            **others,
        )
        return
    topic["attributes"].pop("DeliveryPolicy", None)
    topic["attributes"].update(delivery_policies(attribute_value))


def delivery_policies(text: str | None) -> dict[str, str]:
    """Return a topic's attributes DeliveryPolicy, as it was set, and EffectiveDeliveryPolicy, with SNS's defaults filled in.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html

    Raises:
        InvalidParameterException: The policy is not a JSON object.

    """
    from localemu.services.sns.provider import _create_default_effective_delivery_policy

    effective = json.loads(_create_default_effective_delivery_policy())
    try:
        policy = json.loads(text or "{}")
    except ValueError:
        raise _invalid("Invalid parameter: DeliveryPolicy: failed to parse JSON.") from None
    if not isinstance(policy, dict):
        raise _invalid("Invalid parameter: DeliveryPolicy: JSON must be an object")
    http = policy.get("http")
    if not http:
        return {"EffectiveDeliveryPolicy": json.dumps(effective)}
    own = {"disableSubscriptionOverrides": False, **{key: value for key, value in http.items() if value is not None}}
    for key, value in own.items():
        effective["http"][key] = {**effective["http"].get(key, {}), **value} if isinstance(value, dict) else value
    return {"DeliveryPolicy": json.dumps({"http": own}), "EffectiveDeliveryPolicy": json.dumps(effective)}


def _get_topic_attributes(
    get_attributes: Callable[..., Any], self: Any, context: Any, topic_arn: str, **others: Any
) -> Any:
    answer = get_attributes(self, context, topic_arn=topic_arn, **others)
    _, _, _, region, account, *_ = topic_arn.split(":")
    store = self.get_store(account, region)
    states = [
        store.subscriptions[arn][PENDING]
        for arn in store.topics[topic_arn]["subscriptions"]
        if arn in store.subscriptions
    ]
    answer["Attributes"] = {
        **answer["Attributes"],
        "SubscriptionsConfirmed": str(states.count("false")),
        "SubscriptionsPending": str(states.count("true")),
    }
    return answer
