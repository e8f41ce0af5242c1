"""Fetching Terraform from HashiCorp's release site, for machines that have none.

The archive is checked against HashiCorp's list of checksums, and that list's signature against HashiCorp's public key
(https://www.hashicorp.com/trust/security; `hashicorp.asc` is the key that the Go module github.com/hashicorp/hc-install v0.10.0
carries, fingerprint C874 011F 0AB4 0511 0D02 1055 3436 5D94 72D7 468F).
"""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import platform
import tempfile
import zipfile
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

# The version that the workflows install (.github/workflows/terraform_deploy.yml).
VERSION = "1.11.4"
RELEASES = "https://releases.hashicorp.com/terraform"
PUBLIC_KEY = Path(__file__).with_name("hashicorp.asc")
TIMEOUT_S = 20.0
SWITCH = "COUCH_FETCH_TERRAFORM"

SYSTEMS = {"Linux": "linux", "Darwin": "darwin"}
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class DownloadError(Exception):
    """Terraform could not be fetched, or what came is not what HashiCorp signed; the message says which."""


def is_allowed() -> bool:
    """Whether the environment lets Terraform be fetched: COUCH_FETCH_TERRAFORM=0 forbids it."""
    return os.environ.get(SWITCH, "1") != "0"


def installed(folder: Path) -> Path | None:
    """The Terraform that an earlier `fetch` put into a folder; None when there is none of this version."""
    program = _program(folder)
    return program if program.is_file() else None


def fetch(folder: Path, *, releases: str = RELEASES, public_key: Path = PUBLIC_KEY) -> Path:
    """Put Terraform for this platform into a folder and give its path; nothing stays there unless all of it was checked.

    Args:
        folder: Where the program goes, as `terraform-VERSION`.
        releases: The address below which VERSION/terraform_VERSION_… lie.
        public_key: The OpenPGP key that must have signed the checksums.

    Raises:
        DownloadError: Without a network, on a platform that HashiCorp does not build for, for a wrong signature or checksum, an
            archive that is cut off, or a folder that cannot be written.
    """
    stem = f"terraform_{VERSION}"
    archive_name = f"{stem}_{_platform()}.zip"
    base = f"{releases}/{VERSION}"
    sums = _download(f"{base}/{stem}_SHA256SUMS")
    _check_signature(sums, _download(f"{base}/{stem}_SHA256SUMS.sig"), public_key)
    expected = _checksum(sums, archive_name)
    archive = _download(f"{base}/{archive_name}")
    found = hashlib.sha256(archive).hexdigest()
    if found != expected:
        raise DownloadError(
            f"{archive_name} has the checksum {found}, but HashiCorp signed {expected}: it is not used."
        )
    return _install(archive, archive_name, folder)


def _platform() -> str:
    system, machine = SYSTEMS.get(platform.system()), MACHINES.get(platform.machine().lower())
    if system is None or machine is None:
        raise DownloadError(f"there is no Terraform to fetch for {platform.system()} on {platform.machine()}")
    return f"{system}_{machine}"


def _program(folder: Path) -> Path:
    return folder / f"terraform-{VERSION}"


def _download(url: str) -> bytes:
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
