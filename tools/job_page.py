"""What may stand on a GitHub job's page, and among its artifacts: no secret, and not too much. GitHub itself masks its log alone.

Standard library only: a report is also told of where the project's environment could not be made.
"""

from __future__ import annotations

import re
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
# Looked for by their values, which configure-aws-credentials puts into the environment of every later step. No other secret comes
# into that of a job that shows something.
SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
# What is shorter is no secret of AWS, and would be found in any text.
SHORTEST_SECRET = 16
# Whitespace as JSON writes it. Any other backslash stands before what it escapes.
ESCAPE = re.compile(rb"\\[nrt]")

# GitHub takes 1 MiB a step and drops all of it beyond that, without a word (docs.github.com, "Workflow commands").
LIMIT_BYTES = 900 * 1024


def secrets_in(content: bytes, environment: Mapping[str, str]) -> Iterator[str]:
    """Name the kinds of secrets that a text or a file holds, as they are or as Markdown and JSON write them."""
    views = (content, ESCAPE.sub(rb" ", content).replace(b"\\", b""))
    for kind, pattern in PATTERNS.items():
        if any(pattern.search(view) for view in views):
            yield kind
    for name in SECRET_VARIABLES:
        value = environment.get(name, "").encode()
        if len(value) >= SHORTEST_SECRET and any(value in view for view in views):
            yield f"the value of {name}"


def withheld(what: str, kinds: list[str]) -> str:
    """Say in one sentence what is not shown and why, without the secret."""
    return f"{what} held {' and '.join(kinds)} and is not shown. Give that secret out anew."


def annotation(sentence: str, environment: Mapping[str, str]) -> str:
    """Say such a sentence: on GitHub as an error of the step, elsewhere as it is."""
    return f"::error title=A secret in a report::{sentence}" if environment.get("GITHUB_ACTIONS") else sentence


def caution(sentence: str) -> str:
    """Write such a sentence for the page, as a box that nobody overlooks."""
    return f"\n> [!CAUTION]\n> {sentence}\n"
