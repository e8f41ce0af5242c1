"""Lists what is missing on this machine, and the command that fixes it."""

import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from couch_explorers.files import read_json
from couch_explorers.local import process, terraform
from couch_explorers.paths import PROJECT_ROOT, Home

# How botocore calls the credentials of `aws sso login` and `aws login`. Others may ask for a code or a password: not here.
SIGN_IN_METHODS = ("sso", "login")
CREDENTIALS_DEADLINE_S = 10.0

Verdict = Literal["OK", "WARN", "BAD"]


@dataclass(frozen=True)
class Finding:
    """One requirement: BAD prevents `couch up`, WARN a part of it."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""


def examine() -> list[Finding]:
    """Check everything that the workspace needs; never raises, never changes anything."""
    return [look() for look in LOOKS]


def _python() -> Finding:
    # An older Python is refused by the Makefile, before there is a `couch` to ask.
    return Finding("Python", "OK", f"{platform.python_version()} at {sys.executable}")


def _lock() -> Finding:
    """Check whether the environment was synced after the lock file changed."""
    stamp, lock = PROJECT_ROOT / ".venv" / ".synced", PROJECT_ROOT / "requirements.lock"
    if not stamp.exists():
        return Finding("packages", "WARN", "this environment was not made by the Makefile", "make setup")
    if stamp.stat().st_mtime < lock.stat().st_mtime:
        return Finding("packages", "WARN", "requirements.lock is newer than the environment", "make setup")
    return Finding("packages", "OK", "as requirements.lock says")


def _sam() -> Finding:
    sam = Path(sys.executable).with_name("sam")
    if not sam.exists():
        return Finding("SAM CLI", "BAD", f"not found at {sam}", "make setup")
    return Finding("SAM CLI", "OK", str(sam))


def _make() -> Finding:
    if shutil.which("make") is None:
        return Finding(
            "make", "BAD", "not found; `sam build` calls it", "install make, for example: apt-get install make"
        )
    return Finding("make", "OK", shutil.which("make") or "")


def _terraform() -> Finding:
    try:
        return Finding("Terraform", "OK", terraform.executable())
    except terraform.TerraformError as error:
        return Finding("Terraform", "WARN", str(error), "https://developer.hashicorp.com/terraform/install")


def _provider() -> Finding:
    try:
        return Finding("AWS provider", "OK", terraform.provider_source().sentence)
    except terraform.TerraformError as error:
        return Finding("AWS provider", "WARN", str(error), "export COUCH_TF_MIRROR=FOLDER")


def _java() -> Finding:
    missing = [name for name in ("java", "mvn") if shutil.which(name) is None]
    if missing:
        return Finding(
            "Java client",
            "WARN",
            f"{' and '.join(missing)} not found; only the Java client needs it",
            "install Java 17 and Maven",
        )
    line = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr.splitlines()
    return Finding("Java client", "OK", line[0] if line else "java and mvn found")


def _home() -> Finding:
    home = Home.current()
    nearest = next(folder for folder in (home.path, *home.path.parents) if folder.exists())
    if not os.access(nearest, os.W_OK):
        return Finding("folder", "BAD", f"{home.path} cannot be written", "export COUCH_HOME=FOLDER")
    free_gb = shutil.disk_usage(nearest).free / 1e9
    if free_gb < 1:
        return Finding(
            "folder",
            "WARN",
            f"{home.path}: only {free_gb:.1f} GB free; the Terraform provider alone takes 0.7 GB",
            "make room",
        )
    return Finding("folder", "OK", f"{home.path}, {free_gb:.0f} GB free")


def _cloud() -> Finding:
    health = process.health(Home.current())
    if health.cloud is None:
        return Finding("local cloud", "WARN", health.problem, "couch down" if health.process else "couch up")
    return Finding("local cloud", "OK", f"{health.cloud.endpoint}, process {health.cloud.pid}")


def _deployment() -> Finding:
    deployment = read_json(Home.current().deployment_file)
    names = deployment.get("workspace") if isinstance(deployment, dict) else None
    if not isinstance(names, dict):
        return Finding("deployment", "WARN", "nothing is deployed on the local cloud", "couch up")
    missing = [part for part, field in (("API", "api_url"), ("queue", "queue_url")) if not names.get(field)]
    if missing:
        return Finding(
            "deployment", "WARN", f"candidate {names.get('candidate')}; not deployed: {', '.join(missing)}", "couch up"
        )
    return Finding("deployment", "OK", f"candidate {names.get('candidate')}, API and queue")


def aws_credentials() -> Finding:
    """Check the AWS configuration, which is not needed to start: at worst a hint."""
    import boto3  # noqa: PLC0415 - takes longer than all the rest

    from couch_explorers.aws import credentials  # noqa: PLC0415
    from couch_explorers.workspace import WorkspaceError  # noqa: PLC0415

    name = "AWS credentials"
    answered = True
    try:
        with credentials.explained(WorkspaceError):
            found = boto3.Session().get_credentials()
            if found is not None and found.method in SIGN_IN_METHODS:
                answered = _within(CREDENTIALS_DEADLINE_S, found.get_frozen_credentials)
    except WorkspaceError as error:
        problem: credentials.Problem = error.args[0]
        fix = problem.remedy.rpartition(": ")[2]
        return Finding(name, "WARN", f"{problem.what}; only `--target aws` needs it", fix)
    if not answered:
        detail = (
            f"the sign-in service gave no answer within {CREDENTIALS_DEADLINE_S:.0f} s; only `--target aws` needs it"
        )
        return Finding(name, "WARN", detail, "couch doctor")
    if found is None:
        return Finding(name, "OK", "none found, and none needed for the local cloud")
    return Finding(name, "OK", "found; used by `--target aws` only")


def _within(seconds: float, action: Callable[[], object]) -> bool:
    """Run an action with a time limit; return whether it finished. Raises what the action raises."""
    raised: list[Exception] = []

    def work() -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - raised again below
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    return not thread.is_alive()


LOOKS: tuple[Callable[[], Finding], ...] = (
    _python, _lock, _make, _sam, _terraform, _provider, _java, _home, _cloud, _deployment, aws_credentials,
)  # fmt: skip
