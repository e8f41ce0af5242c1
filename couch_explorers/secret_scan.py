"""Scans what leaves this machine (a report, a log, a summary) for secrets.

Standard library only: workflows look through a report also where the project's environment could not be made.
"""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# By the names that AWS, GitHub and Docker give what they hand out; by the header of every PEM key; by the parameters of a URL that
# AWS has signed; by the first letters of every JSON Web Token (RFC 7519), as GitHub's identity provider hands out.
PATTERNS = {
    "an AWS access key id": re.compile(rb"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"),
    "a GitHub token": re.compile(rb"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS secret access key": re.compile(
        rb"(?i:secret_?access_?key|SecretAccessKey)[\"'\s:=]{1,8}[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])"
    ),
    "an AWS session token": re.compile(rb"(?i:session_?token|security[_-]token)[\"'\s:=]{1,8}[A-Za-z0-9/+%=]{100,}"),
    "a signed URL": re.compile(rb"X-Amz-Signature=[0-9a-f]{64}"),
    "a Docker Hub token": re.compile(rb"(?<![A-Za-z0-9_])dckr_[po]at_[A-Za-z0-9_-]{20,}"),
    "an API key": re.compile(rb"(?i:x-api-key)[\"'\s:=]{1,8}[A-Za-z0-9]{30,}"),
    "a JSON Web Token": re.compile(
        rb"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"
    ),
}
# Looked for by their values. A workflow's configure-aws-credentials puts them into the environment of every later step, and no other
# secret comes into that of a job that shows something.
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# The file of the SDK's profiles, in place of ~/.aws/credentials.
CREDENTIALS_FILE_VARIABLE = "AWS_SHARED_CREDENTIALS_FILE"
# What is shorter is no secret of AWS, and would be found in any text.
SHORTEST_SECRET = 16
# Whitespace as JSON writes it. Any other backslash stands before what it escapes.
ESCAPE = re.compile(rb"\\[nrt]")

# The data of an image: no secret is that long, and a report has megabytes of it.
IMAGE = re.compile(rb"[A-Za-z0-9+/]{4096,}")


def secrets_in(content: bytes, environment: Mapping[str, str]) -> Iterator[str]:
    """Name the kinds of secrets that a text or a file holds, as they are or as Markdown and JSON write them.

    Args:
        content: What is looked through.
        environment: Its `SECRET_VARIABLES` are looked for by their values, and so are the secrets of every profile in the file of
            credentials that it names.

    Yields:
        What was found, as the object of a sentence; never the secret itself.
    """
    yield from _kinds_in(content, list(_known_values(environment)))


def _kinds_in(content: bytes, known: list[tuple[str, bytes]]) -> Iterator[str]:
    views = (content, ESCAPE.sub(rb" ", content).replace(b"\\", b""))
    texts = [IMAGE.sub(b" ", view) for view in views]
    for kind, pattern in PATTERNS.items():
        if any(pattern.search(text) for text in texts):
            yield kind
    for owner, value in known:
        if len(value) >= SHORTEST_SECRET and any(value in view for view in views):
            yield f"the value of {owner}"


def _known_values(environment: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    for name in SECRET_VARIABLES:
        yield name, environment.get(name, "").encode()
    profiles = configparser.RawConfigParser()
    try:
        file = Path(environment.get(CREDENTIALS_FILE_VARIABLE) or "~/.aws/credentials").expanduser()
        profiles.read_string(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError, configparser.Error):
        # No file, or one that the SDK could not read either: there is no secret to look for.
        return
    for profile in profiles.sections():
        for name in SECRET_VARIABLES:
            yield f"{name.lower()} of the profile {profile}", profiles.get(profile, name.lower(), fallback="").encode()


def withheld(what: str, kinds: list[str]) -> str:
    """Return a sentence on what is withheld and why, without the secret."""
    return f"{what} held {' and '.join(kinds)} and is not shown. Give that secret out anew."


def without_secrets(lines: list[str], environment: Mapping[str, str] = os.environ) -> list[str]:
    """Replace each line that holds a secret by the sentence that says so."""
    known = list(_known_values(environment))
    return [
        withheld("This line", kinds) if (kinds := list(_kinds_in(line.encode(errors="replace"), known))) else line
        for line in lines
    ]
