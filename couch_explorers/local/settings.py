"""Where the local cloud lives and which services it offers."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from couch_explorers import loopback

PROJECT_ROOT = Path(__file__).resolve().parents[2]

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
DEFAULT_CANDIDATE = "42"
REGION = "eu-west-1"

# The local cloud takes this access key as the account's root; everything else is checked against IAM.
ACCOUNT_ID = "000000000000"
ROOT_SECRET = "local"  # noqa: S105 - opens nothing but a server on this machine's loopback address

# Both buckets are given by the course; on AWS they exist before anybody deploys.
PICTURE_BUCKET = "pgr301-couch-explorers"
STATE_BUCKET = "pgr301-2024-terraform-state"

# Seconds. Shorter than on AWS (60): a laptop's user waits for the sixfold of it when a worker dies.
WORKER_TIMEOUT_S = 20

# What a user may have set for other work: it would be heard by SAM, Terraform, and the local cloud itself.
OF_THE_USER = ("AWS_", "LOCALEMU_", "TF_VAR_", "TF_CLI_ARGS", "TF_WORKSPACE")
# Files that say nothing, instead of the user's own in ~/.aws.
NO_AWS_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def server_base() -> dict[str, str]:
    """What a local cloud's process takes over from the user's environment: no AWS settings, no proxies.

    Neither has a Lambda function on AWS, and its calls to the local cloud must not go through one.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_USER)}
    return loopback.without_proxies(kept) | NO_AWS_FILES


@dataclass(frozen=True)
class Home:
    """The folder that holds one local cloud: its state, its logs and what was deployed on it."""

    path: Path

    @classmethod
    def current(cls) -> "Home":
        """The folder named by COUCH_HOME, else `.couch` in the project."""
        return cls(Path(os.environ.get("COUCH_HOME") or PROJECT_ROOT / ".couch").expanduser().resolve())

    @property
    def cloud_file(self) -> Path:
        """What runs: process, port, endpoint."""
        return self.path / "cloud.json"

    @property
    def deployment_file(self) -> Path:
        """What is deployed: names, addresses, and the fingerprint of what they were made from."""
        return self.path / "deployment.json"

    @property
    def choices_file(self) -> Path:
        """What was chosen for `couch up`: it stays until something else is chosen."""
        return self.path / "choices.json"

    @property
    def logs(self) -> Path:
        """One file a program: cloud, sam-build, sam-deploy, terraform-init, terraform-apply."""
        return self.path / "logs"

    @property
    def saved(self) -> Path:
        """The state of the engine: a journal of its records, and the bodies of S3's objects."""
        return self.path / "saved"

    @property
    def earlier_objects(self) -> Path:
        """The objects of the engine before LocalEmu, which left them as files."""
        return self.path / "objects"

    @property
    def metrics_file(self) -> Path:
        """The metrics that the local cloud keeps, of itself and of whoever puts some: SQLite."""
        return self.path / "metrics.sqlite"

    @property
    def inbox(self) -> Path:
        """The e-mails that were sent, one file each; none of them leaves this machine."""
        return self.path / "inbox"

    @property
    def pictures(self) -> Path:
        """What `couch paint` saved."""
        return self.path / "pictures"

    def images(self, target: str) -> Path:
        """The pictures of explorations, one a request; a target's pictures are its own, whatever the request."""
        return self.path / "images" / target

    def runs(self, target: str) -> Path:
        """What explorations found, one folder a run."""
        return self.path / "runs" / target

    def ratings(self, target: str) -> Path:
        """What people think of the pictures."""
        return self.path / "ratings" / f"{target}.jsonl"

    @property
    def lock_file(self) -> Path:
        """Held while the cloud is started, stopped or deployed on."""
        return self.path / "lock"

    @staticmethod
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

    @classmethod
    def tool_environment(cls, endpoint: str) -> dict[str, str]:
        """The whole environment of a tool that deploys on the local cloud: no AWS settings or Terraform variables of the user's.

        It may fetch packages through the user's proxies, but asks the local cloud without. `python` and `uv` on its PATH are
        this environment's.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_USER)}
        inherited = kept | loopback.no_proxy(kept)
        path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
        return inherited | cls.client_environment(endpoint) | {"PATH": path}
