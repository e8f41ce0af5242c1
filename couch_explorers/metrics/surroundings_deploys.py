"""When what runs was changed: as `couch up` noted it on the local cloud, as the functions tell it on AWS."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from couch_explorers.files import read_json
from couch_explorers.metrics.facts import API_FUNCTION, WORKER, Deploy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from couch_explorers.metrics.facts import FunctionFacts, Window
    from couch_explorers.paths import Home

# What `couch up` calls the parts of the system.
PARTS = {"queue": WORKER, "api": API_FUNCTION}

# Two functions that change within a deploy do not change in the same second.
ONE_DEPLOY = timedelta(minutes=10)


def noted(home: Home) -> tuple[Deploy, ...]:
    """Read the deploys of the local cloud, oldest first; none where nothing was noted. What cannot be read is left out."""
    deployment = read_json(home.deployment_file)
    entries = deployment.get("deploys", []) if isinstance(deployment, dict) else []
    found = [deploy for entry in entries if (deploy := _read(entry)) is not None]
    return tuple(sorted(found, key=lambda deploy: deploy.time))


def told_by(functions: Iterable[FunctionFacts]) -> tuple[Deploy, ...]:
    """Tell the latest deploys from when each function was last changed, oldest first; a change of settings counts too.

    Functions that changed together, from one commit, are one deploy; one that names no commit goes with the other.
    """
    deploys: list[Deploy] = []
    changed = [(each.updated, each) for each in functions if each.updated is not None]
    for moment, function in sorted(changed, key=lambda pair: pair[0]):
        last = deploys[-1] if deploys else None
        commits = {commit for commit in (last.commit if last else "", function.commit) if commit}
        if last and len(commits) <= 1 and moment - last.time <= ONE_DEPLOY:
            deploys[-1] = Deploy(last.time, (*last.resources, function.resource), last.commit or function.commit)
        else:
            deploys.append(Deploy(moment, (function.resource,), function.commit))
    return tuple(deploys)


def inside(deploys: Iterable[Deploy], windows: Sequence[Window]) -> tuple[Deploy, ...]:
    """Keep the deploys of these windows, oldest first."""
    kept = [deploy for deploy in deploys if any(window.start <= deploy.time < window.end for window in windows)]
    return tuple(sorted(kept, key=lambda deploy: deploy.time))


def _read(entry: Any) -> Deploy | None:
    try:
        time = datetime.fromisoformat(entry["time"])
        resources = tuple(PARTS.get(part, str(part)) for part in entry["parts"])
        commit = str(entry.get("commit") or "")
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return Deploy(time.astimezone(UTC), resources, commit) if time.tzinfo else None
