"""Finding Terraform and the AWS provider on machines with and without a way to the registry."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from couch_explorers.local import terraform_download
from couch_explorers.paths import Home

OLDEST_TERRAFORM = (1, 10)  # `use_lockfile` of the S3 backend came with 1.10
PROVIDER_PATH = Path("registry.terraform.io/hashicorp/aws")
REGISTRY = "https://registry.terraform.io/.well-known/terraform.json"
REGISTRY_DEADLINE_S = 4.0

# https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
IMPLIED_FOLDERS = (
    "~/.terraform.d/plugins",
    "~/.local/share/terraform/plugins",
    "~/Library/Application Support/io.terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
)
SYSTEM_FOLDERS = (
    "/opt",
    "/usr/local",
    "/usr/local/share",
    "/usr/local/lib",
    "/usr/share",
    "/usr/lib",
    "/var/lib",
    "/srv",
)
SYSTEM_DEPTH = 3


class TerraformError(Exception):
    """Terraform or its provider is missing or too old; the message says what to do."""


@dataclass(frozen=True)
class ProviderSource:
    """Where `terraform init` takes the AWS provider from: arguments for it, and the sentence that says so."""

    arguments: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class Terraform:
    """A Terraform that is new enough, and where its provider comes from."""

    program: str
    source: ProviderSource


def find(*, fetch: Callable[[str], object] | None = None) -> Terraform:
    """Terraform and its provider.

    Args:
        fetch: Where Terraform is missing, it is fetched, after a sentence that says so was given to this; without it, not.

    Raises:
        TerraformError: With the sentence that fixes what is missing.
    """
    return Terraform(executable(fetch=fetch), provider_source())


def executable(*, fetch: Callable[[str], object] | None = None) -> str:
    """The path of a Terraform that is new enough: on the PATH, or fetched by an earlier `couch up`; arguments as for `find`.

    Raises TerraformError with the sentence that fixes it. One on the PATH is never replaced.
    """
    path = shutil.which("terraform") or _fetched(fetch)
    output = subprocess.run([path, "version"], capture_output=True, text=True, check=False, env=environment()).stdout
    match = re.search(r"Terraform v(\d+)\.(\d+)", output)
    if match is None or (int(match[1]), int(match[2])) < OLDEST_TERRAFORM:
        found = output.splitlines()[0] if output else "unknown version"
        raise TerraformError(
            f"{found} at {path} is too old, so the queue is not deployed: version 1.10 or newer is needed."
        )
    return path


def _fetched(fetch: Callable[[str], object] | None) -> str:
    """The Terraform in `.couch/bin`, put there now where that is allowed; raises TerraformError where it cannot be had."""
    folder = Home.current().path / "bin"
    if program := terraform_download.installed(folder):
        return str(program)
    advice = "Install version 1.10 or newer (https://developer.hashicorp.com/terraform/install), then: couch up"
    missing = "Terraform is not installed, so the queue is not deployed."
    if not terraform_download.is_allowed():
        raise TerraformError(f"{missing} {terraform_download.SWITCH}=0 keeps it from being fetched. {advice}")
    if fetch is None:
        raise TerraformError(f"{missing} `couch up` fetches it. {advice}")
    fetch(f"fetching Terraform {terraform_download.VERSION} into {folder}")
    try:
        return str(terraform_download.fetch(folder))
    except terraform_download.DownloadError as error:
        raise TerraformError(f"{missing} It could not be fetched: {error}. {advice}") from error


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment as Terraform should see it: no prompts, no warning about a configuration that is not there."""
    variables = dict(base) | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    configuration = variables.get("TF_CLI_CONFIG_FILE")
    if configuration and not Path(configuration).is_file():
        del variables["TF_CLI_CONFIG_FILE"]
    return variables


def provider_source() -> ProviderSource:
    """Where the AWS provider comes from: COUCH_TF_MIRROR, an implied folder, the registry, or a mirror of the system.

    Raises TerraformError when there is none.
    """
    if named := os.environ.get("COUCH_TF_MIRROR"):
        if not (Path(named) / PROVIDER_PATH).is_dir():
            raise TerraformError(f"COUCH_TF_MIRROR names {named}, but there is no {PROVIDER_PATH} in it.")
        return ProviderSource((f"-plugin-dir={named}",), f"provider from the mirror {named} (COUCH_TF_MIRROR)")
    for folder in (Path(text).expanduser() for text in IMPLIED_FOLDERS):
        if (folder / PROVIDER_PATH).is_dir():
            return ProviderSource((), f"provider from {folder}")
    if _registry_answers():
        return ProviderSource((), "provider from registry.terraform.io")
    for folder in _system_mirrors():
        return ProviderSource(
            (f"-plugin-dir={folder}",), f"provider from the mirror {folder} (the registry cannot be reached)"
        )
    raise TerraformError(
        "The Terraform registry cannot be reached and no mirror of the AWS provider was found, so the queue is not deployed. "
        f"Name a folder that holds {PROVIDER_PATH}: export COUCH_TF_MIRROR=FOLDER"
    )


def _registry_answers() -> bool:
    try:
        with urlopen(REGISTRY, timeout=REGISTRY_DEADLINE_S) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004
    except (URLError, OSError):
        return False


def _system_mirrors() -> Iterator[Path]:
    for root in SYSTEM_FOLDERS:
        for depth in range(SYSTEM_DEPTH + 1):
            pattern = "/".join(["*"] * depth + [str(PROVIDER_PATH)])
            for found in sorted(Path(root).glob(pattern)):
                yield found.parents[len(PROVIDER_PATH.parts) - 1]
