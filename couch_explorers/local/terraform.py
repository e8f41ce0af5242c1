"""Terraform and the AWS provider, on machines with and without access to the registry.

Where Terraform is missing it is downloaded from HashiCorp's release site. The archive is checked against HashiCorp's list of checksums,
and that list's signature against HashiCorp's public key (https://www.hashicorp.com/trust/security; `hashicorp.asc` is the key that the Go
module github.com/hashicorp/hc-install v0.10.0 carries, fingerprint C874 011F 0AB4 0511 0D02 1055 3436 5D94 72D7 468F).
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import platform
import re
import shutil
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from couch_explorers.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    """The source of the AWS provider for `terraform init`: its arguments, and a sentence that describes it."""

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
    if program := downloaded(folder):
        return str(program)
    advice = "Install version 1.10 or newer (https://developer.hashicorp.com/terraform/install), then: couch up"
    missing = "Terraform is not installed, so the queue is not deployed."
    if not may_download():
        raise TerraformError(f"{missing} {DOWNLOAD_SWITCH}=0 keeps it from being fetched. {advice}")
    if fetch is None:
        raise TerraformError(f"{missing} `couch up` fetches it. {advice}")
    fetch(f"fetching Terraform {DOWNLOAD_VERSION} into {folder}")
    try:
        return str(download(folder))
    except DownloadError as error:
        raise TerraformError(f"{missing} It could not be fetched: {error}. {advice}") from error


def environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment as Terraform should see it: no prompts, no warning about a configuration that is not there."""
    variables = dict(base) | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    configuration = variables.get("TF_CLI_CONFIG_FILE")
    if configuration and not Path(configuration).is_file():
        del variables["TF_CLI_CONFIG_FILE"]
    return variables


def provider_source() -> ProviderSource:
    """The source of the AWS provider: COUCH_TF_MIRROR, an implied folder, the registry, or a mirror of the system.

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


# The version that the workflows install (.github/workflows/terraform_deploy.yml).
DOWNLOAD_VERSION = "1.11.4"
RELEASES = "https://releases.hashicorp.com/terraform"
PUBLIC_KEY = Path(__file__).with_name("hashicorp.asc")
TIMEOUT_S = 20.0
DOWNLOAD_SWITCH = "COUCH_FETCH_TERRAFORM"

SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class DownloadError(Exception):
    """Terraform could not be downloaded, or its signature is not HashiCorp's; the message says which."""


def may_download() -> bool:
    """Whether the environment lets Terraform be fetched: COUCH_FETCH_TERRAFORM=0 forbids it."""
    return os.environ.get(DOWNLOAD_SWITCH, "1") != "0"


def downloaded(folder: Path) -> Path | None:
    """The Terraform that an earlier `fetch` put into a folder; None when there is none of this version."""
    program = _program(folder)
    return program if program.is_file() else None


def download(folder: Path, *, releases: str = RELEASES, public_key: Path = PUBLIC_KEY) -> Path:
    """Download Terraform for this platform into a folder and return its path; nothing is kept that was not verified.

    Args:
        folder: Where the program goes, as `terraform-VERSION`.
        releases: The address below which VERSION/terraform_VERSION_… lie.
        public_key: The OpenPGP key that must have signed the checksums.

    Raises:
        DownloadError: Without a network, on a platform that HashiCorp does not build for, for a wrong signature or checksum, an
            archive that is cut off, or a folder that cannot be written.
    """
    stem = f"terraform_{DOWNLOAD_VERSION}"
    archive_name = f"{stem}_{_platform_name()}.zip"
    base = f"{releases}/{DOWNLOAD_VERSION}"
    sums = _read_url(f"{base}/{stem}_SHA256SUMS")
    _check_signature(sums, _read_url(f"{base}/{stem}_SHA256SUMS.sig"), public_key)
    expected = _checksum(sums, archive_name)
    archive = _read_url(f"{base}/{archive_name}")
    found = hashlib.sha256(archive).hexdigest()
    if found != expected:
        raise DownloadError(
            f"{archive_name} has the checksum {found}, but HashiCorp signed {expected}: it is not used."
        )
    return _install(archive, archive_name, folder)


def _platform_name() -> str:
    system, machine = SYSTEMS.get(platform.system()), MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        raise DownloadError(f"there is no Terraform to fetch for {platform.system()} on {platform.machine()}")
    return f"{system}_{machine}"


def _program(folder: Path) -> Path:
    return folder / f"terraform-{DOWNLOAD_VERSION}"


def _read_url(url: str) -> bytes:
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - https, or a test's server on loopback
            content: bytes = answer.read()
            return content
    except HTTPError as error:
        raise DownloadError(f"{url} answered {error.code} {error.reason}") from error
    except (URLError, http.client.HTTPException, OSError) as error:
        raise DownloadError(f"{url} could not be read ({getattr(error, 'reason', None) or error})") from error


def _check_signature(signed: bytes, signature: bytes, public_key: Path) -> None:
    # A library of several megabytes, which only this needs.
    import pysequoia  # noqa: PLC0415

    key = pysequoia.Cert.from_bytes(public_key.read_bytes())
    try:
        pysequoia.verify(signed, store=lambda _ids: [key], signature=pysequoia.Sig.from_bytes(signature))
    except Exception as error:  # pysequoia raises plain exceptions
        raise DownloadError(f"the list of checksums is not signed by the key {key.fingerprint} ({error})") from error


def _checksum(sums: bytes, name: str) -> str:
    """The checksum of a file in a list as `sha256sum` writes it."""
    for line in sums.decode().splitlines():
        checksum, _, listed = line.partition("  ")
        if listed == name:
            return checksum
    raise DownloadError(f"HashiCorp's list of checksums has no {name}")


def _install(archive: bytes, name: str, folder: Path) -> Path:
    """Unpack the program beside its place and move it there whole."""
    target = _program(folder)
    try:
        program = zipfile.ZipFile(io.BytesIO(archive)).read("terraform")
    except (zipfile.BadZipFile, KeyError) as error:
        raise DownloadError(f"{name} holds no program ({error})") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".terraform-", delete=False) as part:
            part.write(program)
        Path(part.name).chmod(0o755)
        Path(part.name).replace(target)
    except OSError as error:
        raise DownloadError(f"{target} could not be written ({error.strerror})") from error
    return target
