"""The name under which docker_publish puts the Java client's image on Docker Hub."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from couch_explorers.deliverables.facts import Missing, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

# What .github/workflows/docker_publish.yml takes where the variable is not set.
DEFAULT_REPOSITORY = "couch-explorers-client"

# Docker Hub takes lower-case names only (Docker documentation, "docker image tag").
NAME = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*")


def name(given: str | None, environment: Mapping[str, str]) -> str | Missing:
    """USER/REPOSITORY: what was given, else what the workflow's own variables make."""
    user = environment.get("DOCKERHUB_USERNAME", "").strip()
    if not given and not user:
        return Missing(Reason.NO_IMAGE)
    found = given or f"{user}/{environment.get('DOCKERHUB_REPOSITORY', '').strip() or DEFAULT_REPOSITORY}"
    return found if NAME.fullmatch(found) else Missing(Reason.BAD_IMAGE, {"image": found})
