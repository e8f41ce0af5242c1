"""The local cloud's directory, and the services it offers."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from couch_explorers import loopback
from couch_explorers.aws import REGION

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
DEFAULT_CANDIDATE = "42"

# The local cloud takes this access key as the account's root; everything else is checked against IAM.
ACCOUNT_ID = "000000000000"
ROOT_SECRET = "local"  # noqa: S105 - opens nothing but a server on this machine's loopback address
ROOT_CREDENTIALS = {"aws_access_key_id": ACCOUNT_ID, "aws_secret_access_key": ROOT_SECRET, "region_name": REGION}

# Seconds. Shorter than on AWS (60): a laptop's user waits for the sixfold of it when a worker dies.
WORKER_TIMEOUT_S = 20

# What a user may have set for other work: it would be heard by SAM, Terraform, and the local cloud itself.
OF_THE_USER = ("AWS_", "LOCALEMU_", "TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE")
# Files that say nothing, instead of the user's own in ~/.aws.
NO_AWS_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def client_environment(endpoint: str) -> dict[str, str]:
    """The variables that point any AWS tool at the local cloud, as its root."""
    return {
        "AWS_ACCESS_KEY_ID": ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        **NO_AWS_FILES,
    }


def tool_environment(endpoint: str) -> dict[str, str]:
    """The whole environment of a tool that deploys on the local cloud: no AWS settings or Terraform variables of the user's.

    It may fetch packages through the user's proxies, but asks the local cloud without. `python` and `uv` on its PATH are
    this environment's.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_USER)}
    inherited = kept | loopback.no_proxy(kept)
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
    return inherited | client_environment(endpoint) | {"PATH": path}


@dataclass(frozen=True)
class StackSettings:
    """The settings in which local deployments may differ."""

    candidate: str = DEFAULT_CANDIDATE
    worker_timeout_s: int = WORKER_TIMEOUT_S
    worker_concurrency: int = 8
    alarm_email: str = "standup@couch-explorers.example"

    @property
    def oldest_message_age_s(self) -> int:
        """The threshold of the age alarm: five time-outs of the worker, as 300 s are on AWS, where it has 60.

        A laptop's day goes faster; and an age ends at the third receive, after twelve time-outs, whatever the threshold.
        """
        return 5 * self.worker_timeout_s

    @property
    def stem(self) -> str:
        """The prefix of every resource's name."""
        return f"couch-explorers-{self.candidate}"

    @property
    def model_arns(self) -> list[str]:
        """Every model, the default first: nothing here costs money."""
        from couch_explorers.core.image_models import DEFAULT_MODEL_ID, MODELS  # noqa: PLC0415 - not needed by most commands

        ordered = sorted(MODELS.values(), key=lambda model: model.id != DEFAULT_MODEL_ID)
        return [model.arn for model in ordered]
