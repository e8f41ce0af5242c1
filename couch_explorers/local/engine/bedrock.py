"""Bedrock on LocalEmu: the image models and their catalogue, behind the engine's authorization.

LocalEmu's synthetic answers are replaced by two services that it authorizes and routes like any other. A call of a model takes seconds,
and with a thread of the engine's pool for each, a burst of calls would block everything else. So the service only notes a call that is
allowed, and the ASGI application answers it on the event loop.

Services: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from couch_explorers.local.asgi import TRACE_HEADER, Tap, reply
from couch_explorers.local.bedrock import responses
from couch_explorers.local.bedrock.inference_profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from couch_explorers.local.asgi import Application, Message, Receive, Send
    from couch_explorers.local.bedrock.emulator import ImageModelEmulator

# A response of the engine with this header stands for a call of a model that is allowed and still to be answered.
CALL_HEADER = "x-couch-model-call"

# "Maximum size of the request body" of InvokeModel, and the payload that Nova takes: 25,000,000 bytes.
LARGEST_REQUEST = 25_000_000


class Bedrock:
    """The services `bedrock` and `bedrock-runtime` of the engine, served by the emulated image models."""

    def __init__(self, models: ImageModelEmulator) -> None:
        self.models = models
        self._calls: dict[str, Callable[[], Awaitable[responses.Response]]] = {}

    def register(self) -> None:
        """Replace both of LocalEmu's services."""
        from localemu.aws.skeleton import Skeleton
        from localemu.aws.spec import load_service
        from localemu.services.plugins import SERVICE_PLUGINS, Service

        tables = {
            "bedrock": {
                "ListFoundationModels": self.list_models,
                "GetFoundationModel": self.get_model,
                "GetFoundationModelAvailability": self.get_availability,
                "ListFoundationModelAgreementOffers": self.list_offers,
                "CreateFoundationModelAgreement": self.create_agreement,
                "DeleteFoundationModelAgreement": self.delete_agreement,
                "CreateInferenceProfile": create_profile,
                "GetInferenceProfile": get_profile,
                "ListInferenceProfiles": list_profiles,
                "DeleteInferenceProfile": delete_profile,
            },
            "bedrock-runtime": {"InvokeModel": self.invoke, "Converse": self.converse},
        }
        for name, table in tables.items():
            SERVICE_PLUGINS.add_service(Service(name, skeleton=Skeleton(load_service(name), table)))

    def list_models(self, context: Any, request: Mapping[str, str]) -> dict[str, Any]:
        """Answer ListFoundationModels with the image models of the region that match the request's filters."""
        listed = self.models.foundation_models(context.region)
        return {"modelSummaries": [model for model in listed if _is_wanted(model, request)]}

    def get_model(self, context: Any, request: Mapping[str, str]) -> dict[str, Any]:
        """Answer GetFoundationModel; the model is named by its ID or its ARN."""
        from localemu.aws.api import CommonServiceException

        details = self.models.foundation_model(request["modelIdentifier"], context.region)
        if details is None:
            raise CommonServiceException("ValidationException", "The provided model identifier is invalid.", 400)
        return {"modelDetails": details}

    def get_availability(self, context: Any, request: Mapping[str, str]) -> dict[str, Any]:
        """Answer GetFoundationModelAvailability."""
        return self.models.agreements.availability(self._known(context, request), self.models.faults)

    def list_offers(self, context: Any, request: Mapping[str, str]) -> dict[str, Any]:
        """Answer ListFoundationModelAgreementOffers."""
        return self.models.agreements.offers(self._known(context, request))

    def create_agreement(self, context: Any, request: Mapping[str, str]) -> dict[str, Any]:
        """Answer CreateFoundationModelAgreement."""
        from localemu.aws.api import CommonServiceException

        model_id = self._known(context, request)
        try:
            self.models.agreements.agree(model_id, request["offerToken"])
        except ValueError as error:
            raise CommonServiceException("ValidationException", "The provided offer token is invalid.", 400) from error
        return {"modelId": model_id}

    def delete_agreement(self, context: Any, request: Mapping[str, str]) -> dict[str, Any]:
        """Answer DeleteFoundationModelAgreement."""
        from localemu.aws.api import CommonServiceException

        model_id = self._known(context, request)
        try:
            self.models.agreements.end(model_id, self.models.faults)
        except LookupError as error:
            raise CommonServiceException(
                "ResourceNotFoundException", f"There is no agreement to the model {model_id}.", 404
            ) from error
        return {}

    def _known(self, context: Any, request: Mapping[str, str]) -> str:
        from localemu.aws.api import CommonServiceException

        model_id = request["modelId"]
        if self.models.foundation_model(model_id, context.region) is None:
            raise CommonServiceException("ResourceNotFoundException", f"The model {model_id} was not found.", 404)
        return model_id

    def invoke(self, context: Any, request: Mapping[str, Any]) -> Any:
        """Note a call of InvokeModel that the engine has allowed; `serve` answers it."""
        return self._note(context, request["modelId"], self.models.invoke_model)

    def converse(self, context: Any, request: Mapping[str, Any]) -> Any:
        """Note a call of Converse that the engine has allowed; `serve` answers it."""
        return self._note(context, request["modelId"], self.models.converse)

    def _note(
        self, context: Any, model_id: str, serve: Callable[[str, bytes, str, str], Awaitable[responses.Response]]
    ) -> Any:
        from localemu.http import Response

        region = context.region
        body: bytes = context.request.get_data()
        trace: str = context.request.headers.get(TRACE_HEADER, "")

        async def answer() -> responses.Response:
            if len(body) > LARGEST_REQUEST:
                return responses.failure(
                    "ValidationException", f"The request has {len(body)} bytes, at most {LARGEST_REQUEST}."
                )
            return await serve(model_id, body, region, trace)

        number = uuid.uuid4().hex
        self._calls[number] = answer
        return Response(status=200, headers={CALL_HEADER: number, "x-amzn-requestid": context.request_id})

    async def serve(self, engine: Application, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request to the engine, and answer it here where it is an allowed call of a model.

        A call is completed even if the caller disconnects: Bedrock generates, and bills, that image too.
        """
        call: Callable[[], Awaitable[responses.Response]] | None = None
        headers: dict[str, str] = {}

        async def look(message: Message, pass_on: Send) -> None:
            nonlocal call, headers
            if message["type"] == "http.response.start":
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
                }
                call = self._calls.pop(headers.pop(CALL_HEADER, ""), None)
            if call is None:
                await pass_on(message)

        await engine(scope, receive, Tap(send, look).send)
        if call is not None:
            answer = await call()
            kept = {name: value for name, value in headers.items() if not name.startswith("content-")}
            await reply(send, answer.status, kept | answer.headers, answer.body)


def create_profile(context: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Answer CreateInferenceProfile."""
    from localemu.aws.api import CommonServiceException

    name = request["inferenceProfileName"]
    try:
        profile = PROFILES.create(
            name, request["modelSource"]["copyFrom"], account=context.account_id, region=context.region
        )
    except KeyError as error:
        raise CommonServiceException(
            "ResourceNotFoundException", "The provided model source does not exist.", 404
        ) from error
    except ValueError as error:
        raise CommonServiceException(
            "ConflictException", f"An inference profile named {name} exists already.", 400
        ) from error
    return {"inferenceProfileArn": profile["inferenceProfileArn"], "status": profile["status"]}


def get_profile(context: Any, request: Mapping[str, str]) -> dict[str, Any]:
    """Answer GetInferenceProfile; the profile is named by its id or its ARN."""
    with _found():
        return PROFILES.find(request["inferenceProfileIdentifier"], account=context.account_id, region=context.region)


def list_profiles(context: Any, request: Mapping[str, str]) -> dict[str, Any]:
    """Answer ListInferenceProfiles; there are none of AWS's own."""
    if request.get("typeEquals") == "SYSTEM_DEFINED":
        return {"inferenceProfileSummaries": []}
    return {"inferenceProfileSummaries": PROFILES.list(account=context.account_id, region=context.region)}


def delete_profile(context: Any, request: Mapping[str, str]) -> dict[str, Any]:
    """Answer DeleteInferenceProfile."""
    with _found():
        PROFILES.delete(request["inferenceProfileIdentifier"], account=context.account_id, region=context.region)
    return {}


@contextmanager
def _found() -> Iterator[None]:
    from localemu.aws.api import CommonServiceException

    try:
        yield
    except KeyError as error:
        raise CommonServiceException(
            "ResourceNotFoundException", "The inference profile does not exist.", 404
        ) from error


def _is_wanted(model: Mapping[str, Any], request: Mapping[str, str]) -> bool:
    """Whether a model's summary passes the filters of ListFoundationModels."""
    provider = request.get("byProvider")
    if provider is not None and provider.lower() not in (model["providerName"].lower(), model["modelId"].split(".")[0]):
        return False
    filters = {
        "byOutputModality": "outputModalities",
        "byInferenceType": "inferenceTypesSupported",
        "byCustomizationType": "customizationsSupported",
    }
    return all(request[name] in model[field] for name, field in filters.items() if name in request)
