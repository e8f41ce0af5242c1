"""Agreements to models that are sold through AWS Marketplace: who has agreed, since when, and what Bedrock says of it.

An account has agreed to every model but those that `couch faults unsubscribed=MODEL` names, until it ends an agreement.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_GetFoundationModelAvailability.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateFoundationModelAgreement.html,
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_DeleteFoundationModelAgreement.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.local.faults import Faults

AVAILABLE, PENDING, NOT_AVAILABLE = "AVAILABLE", "PENDING", "NOT_AVAILABLE"


class Agreements:
    """When the account agreed to which model, since the faults were last set; `clock` tells seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._agreed: dict[str, float] = {}
        self._ended: set[str] = set()

    def forget(self) -> None:
        """Forget all agreements, and which were ended: other faults are set."""
        self._agreed.clear()
        self._ended.clear()

    def status(self, model_id: str, faults: Faults) -> str:
        """Return the agreement's status: AVAILABLE, PENDING or NOT_AVAILABLE."""
        if model_id not in faults.unsubscribed and model_id not in self._ended:
            return AVAILABLE
        if model_id not in self._agreed:
            return NOT_AVAILABLE
        return AVAILABLE if self._clock() >= self._agreed[model_id] + faults.agreement else PENDING

    def availability(self, model_id: str, faults: Faults) -> dict[str, Any]:
        """Return what GetFoundationModelAvailability says."""
        status = self.status(model_id, faults)
        return {
            "modelId": model_id,
            "agreementAvailability": {"status": status},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": AVAILABLE if status == AVAILABLE else NOT_AVAILABLE,
            "regionAvailability": AVAILABLE,
        }

    def offers(self, model_id: str) -> dict[str, Any]:
        """Return what ListFoundationModelAgreementOffers says."""
        terms = {
            "usageBasedPricingTerm": {"rateCard": []},
            "legalTerm": {"url": "https://example.com/terms"},
            "supportTerm": {"refundPolicyDescription": "Nothing is billed on the local cloud."},
        }
        return {
            "modelId": model_id,
            "offers": [{"offerId": "offer-local", "offerToken": _token(model_id), "termDetails": terms}],
        }

    def agree(self, model_id: str, offer_token: str) -> None:
        """Agree to a model; raises ValueError for a token that is not that of its offer."""
        if offer_token != _token(model_id):
            raise ValueError(offer_token)
        self._agreed.setdefault(model_id, self._clock())

    def end(self, model_id: str, faults: Faults) -> None:
        """End the agreement to a model; raises LookupError where there is none."""
        if self.status(model_id, faults) == NOT_AVAILABLE:
            raise LookupError(model_id)
        self._agreed.pop(model_id, None)
        self._ended.add(model_id)


def _token(model_id: str) -> str:
    return f"local-{model_id}"
