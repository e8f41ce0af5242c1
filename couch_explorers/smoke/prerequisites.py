"""What must be true before the smoke test pays for its first image.

Each function is asked which SDK its runtime has: one that is too old would pay for an image and then fail to store it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from couch_explorers.aws.errors import is_access_denied
from couch_explorers.checks import Check, Verdict, ask
from couch_explorers.core import sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couch_explorers.workspace import Workspace


@dataclass(frozen=True)
class Prerequisites:
    """The checks that come before anything is paid."""

    checks: tuple[Check, ...] = ()

    @property
    def blocking(self) -> str:
        """Why nothing should be paid, as one sentence; empty when nothing stands in the way."""
        failed = [check.name for check in self.checks if check.verdict is Verdict.BAD]
        return f"Nothing was paid, because a check before it failed: {'; '.join(failed)}." if failed else ""


def check(workspace: Workspace, clients: Callable[..., Any], functions: Sequence[str]) -> Prerequisites:
    """Ask what must be known before anything is paid.

    Args:
        workspace: the deploy under test.
        clients: gives the client of a service.
        functions: which of `workspace.functions` are to be tried: "api", "worker".
    """
    asked = [name for name in functions if name in workspace.functions]
    return Prerequisites(
        tuple(ask(f"SDK of the {name} Lambda", partial(_sdk, workspace.functions[name], clients)) for name in asked)
    )


def _sdk(function: str, clients: Callable[..., Any]) -> tuple[Verdict, str]:
    try:
        answer = clients("lambda").invoke(FunctionName=function, Payload=json.dumps({sdk.PROBE: "sdk"}))
    except ClientError as error:
        if is_access_denied(error):
            return Verdict.WARN, "Not asked: the caller lacks lambda:InvokeFunction."
        raise
    found = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        why = f"{found.get('errorType')}: {found.get('errorMessage')}"
        return Verdict.BAD, f"{function} does not start, or is of a release that cannot be asked. {why}"
    oldest = ".".join(map(str, sdk.OLDEST_BOTOCORE))
    if not sdk.is_new_enough(found["botocore"]):
        return Verdict.BAD, f"botocore {found['botocore']} is older than {oldest}: images could not be stored."
    return Verdict.OK, f"boto3 {found['boto3']}, botocore {found['botocore']} (at least {oldest})."
