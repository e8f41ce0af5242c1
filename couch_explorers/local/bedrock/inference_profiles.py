"""Application inference profiles: an account's own names for a model, by which its calls can be counted and billed apart.

AWS's own profiles, such as `us.amazon.nova-2-lite-v1:0`, are not kept: they are those of the vision models, and no image model of
the local cloud has one.

API: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_CreateInferenceProfile.html. Rights: a caller needs
`bedrock:InvokeModel` on the profile and on each model behind it,
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import string
import threading
from typing import TYPE_CHECKING, Any

from couch_explorers.aws.vision_models import by_profile
from couch_explorers.core.errors import UnknownModelError
from couch_explorers.core.image_models import MODELS, parse_arn
from couch_explorers.files import read_json, write_whole
from couch_explorers.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

# "inferenceProfileId" of an application's profile is twelve characters long.
ID_LENGTH = 12
ALPHABET = string.ascii_lowercase + string.digits

Profile = dict[str, Any]


class InferenceProfiles:
    """The profiles of all accounts and regions, kept in a file of the local cloud's home."""

    def __init__(self, file: Path | None = None) -> None:
        """Keep them in `file`; without one, in that of the home of this process, which is read at the first question."""
        self._file = file
        self._lock = threading.Lock()
        self._profiles: dict[str, Profile] | None = None

    def create(self, name: str, copy_from: str, *, account: str, region: str) -> Profile:
        """Make a profile of a model.

        Args:
            name: the profile's name, which an account has once in a region.
            copy_from: the ARN of a foundation model in the region, or of a profile, whose models are taken over.
            account: 12 digits.
            region: where the profile is to stand.

        Returns:
            The profile as GetInferenceProfile answers it, times in ISO.

        Raises:
            KeyError: the model or profile to copy does not exist in the region.
            ValueError: the account has a profile of that name in the region.
        """
        models = self.models_behind(copy_from) or _own_model(copy_from, region)
        with self._lock:
            stem = f"arn:aws:bedrock:{region}:{account}:application-inference-profile/"
            known = self._known()
            if any(profile["inferenceProfileName"] == name for arn, profile in known.items() if arn.startswith(stem)):
                raise ValueError(name)
            identifier = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            profile: Profile = {
                "inferenceProfileName": name,
                "inferenceProfileArn": stem + identifier,
                "inferenceProfileId": identifier,
                "models": [{"modelArn": arn} for arn in models],
                "status": "ACTIVE",
                "type": "APPLICATION",
                "createdAt": now,
                "updatedAt": now,
            }
            self._keep({**known, stem + identifier: profile})
        return profile

    def find(self, identifier: str, *, account: str, region: str) -> Profile:
        """Find a profile by its id or its ARN; raises KeyError where there is none."""
        stem = f"arn:aws:bedrock:{region}:{account}:application-inference-profile/"
        with self._lock:
            return self._known()[identifier if identifier.startswith("arn:") else stem + identifier]

    def list(self, *, account: str, region: str) -> list[Profile]:
        """List an account's profiles in a region, oldest first."""
        stem = f"arn:aws:bedrock:{region}:{account}:"
        with self._lock:
            return [profile for arn, profile in self._known().items() if arn.startswith(stem)]

    def delete(self, identifier: str, *, account: str, region: str) -> None:
        """Delete a profile; raises KeyError where there is none."""
        arn = self.find(identifier, account=account, region=region)["inferenceProfileArn"]
        with self._lock:
            self._keep({other: profile for other, profile in self._known().items() if other != arn})

    def models_behind(self, arn: str) -> tuple[str, ...]:
        """The ARNs of the models behind a profile's ARN, one for each region that AWS's own routes to; empty where it is not one."""
        with self._lock:
            profile = self._known().get(arn)
        if profile:
            return tuple(model["modelArn"] for model in profile["models"])
        vision = by_profile(arn.rpartition(":inference-profile/")[2])
        if vision is None:
            return ()
        return tuple(f"arn:aws:bedrock:{region}::foundation-model/{vision.id}" for region in vision.destinations)

    def _known(self) -> dict[str, Profile]:
        if self._profiles is None:
            self._file = self._file or Home.current().path / "inference_profiles.json"
            kept = read_json(self._file)
            self._profiles = kept if isinstance(kept, dict) else {}
        return self._profiles

    def _keep(self, profiles: dict[str, Profile]) -> None:
        write_whole(self._file or Home.current().path / "inference_profiles.json", json.dumps(profiles))
        self._profiles = profiles


def _own_model(arn: str, region: str) -> tuple[str, ...]:
    """The ARN itself, where it is that of a model which stands in the region; raises KeyError for any other."""
    try:
        called, model_id = parse_arn(arn)
    except UnknownModelError as error:
        raise KeyError(arn) from error
    if called != region or model_id not in MODELS or MODELS[model_id].region != region:
        raise KeyError(arn)
    return (arn,)


# One for the process, as LocalEmu keeps its services' stores: the rights are checked by another part than that which answers.
PROFILES = InferenceProfiles()
