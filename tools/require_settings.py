"""Is everything set that a workflow needs? Names each missing setting with the command that sets it.

    python tools/require_settings.py CANDIDATE ALARM_EMAIL credentials

Each name is looked up in the environment, where the workflow has put the repository's variables; of a secret it is told only
whether it is set (`AWS_SECRET_ACCESS_KEY_IS_SET: "true"`), so that none of them reaches this program. On GitHub the sentences
are error annotations.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Setting:
    """A repository's variable: what it is, how it must look, and an example for the command that sets it."""

    name: str
    meaning: str
    pattern: str
    example: str

    def problem(self, environment: Mapping[str, str]) -> str:
        """Return what is wrong with it, and the command that fixes it; empty if nothing is."""
        value = environment.get(self.name, "").strip()
        command = f"gh variable set {self.name} --body {self.example}"
        if not value:
            return f"{self.name} is missing: {self.meaning}. Set it with: {command}"
        if not re.fullmatch(self.pattern, value):
            return f"{self.name} is {value!r}, which is not {self.meaning}. Set it again with: {command}"
        return ""


MODEL = r"arn:aws:bedrock:[a-z0-9-]+::foundation-model/[a-z0-9][a-z0-9.:-]*"
# An inference profile is followed by the models behind it.
PROFILE = r"arn:aws:bedrock:[a-z0-9-]+:[0-9]{12}:(application-)?inference-profile/[A-Za-z0-9.:-]+"
ARN = rf"({PROFILE}(\+{MODEL})+|{MODEL})"
SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("CANDIDATE", "your candidate number, 1 to 10 digits", r"[0-9]{1,10}", "42"),
        Setting("ALARM_EMAIL", "the address that the alarms write to", r"[^@\s]+@[^@\s]+\.[^@\s]+", "you@example.com"),
        Setting(
            "MODEL_ARNS",
            "the image models that may be used, the first being the default, with commas between",
            rf"{ARN}(\s*,\s*{ARN})*",
            "arn:aws:bedrock:us-west-2::foundation-model/stability.stable-image-core-v1:1",
        ),
    )
}


def credentials(environment: Mapping[str, str]) -> list[str]:
    """Return which AWS credentials are missing: both keys, or the role that GitHub's identity may assume."""
    if environment.get("AWS_ROLE_ARN", "").strip():
        return []
    return [
        f"{name} is missing: set it with: gh secret set {name} (or let GitHub take a role instead: "
        "gh variable set AWS_ROLE_ARN --body arn:aws:iam::<account>:role/<name>)"
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        if environment.get(f"{name}_IS_SET") != "true"
    ]


def problems(names: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return what is missing or malformed among the named settings; `credentials` means those of AWS."""
    found: list[str] = []
    for name in names:
        found += (
            credentials(environment) if name == "credentials" else filter(None, [SETTINGS[name].problem(environment)])
        )
    return found


def main(arguments: list[str], environment: Mapping[str, str], say: Callable[[str], object] = print) -> int:
    """Name what is missing; 0 when nothing is, 1 when something is, 2 for a name that is not known."""
    known = [*SETTINGS, "credentials"]
    if unknown := [name for name in arguments if name not in known] or ([] if arguments else ["(none)"]):
        say(f"Not known: {', '.join(unknown)}. Known: {', '.join(known)}")
        return 2
    found = problems(arguments, environment)
    for sentence in found:
        say(
            f"::error title=A setting is missing::{sentence}"
            if environment.get("GITHUB_ACTIONS") == "true"
            else sentence
        )
    if not found:
        say("Everything is set.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
