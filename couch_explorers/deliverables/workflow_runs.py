"""Successful runs of the workflows on GitHub: which repository this is a copy of, and what its REST API lists.

"Workflow runs", list workflow runs for a workflow: https://docs.github.com/en/rest/actions/workflow-runs.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from couch_explorers import git
from couch_explorers.deliverables.model import Missing, Reason, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

API_URL = "https://api.github.com"
MAIN = "main"
TIMEOUT_S = 10.0

# A page of runs is some hundred kilobytes. GitHub cannot be asked for "any branch but main", so that a branch's run is
# looked for among the newest of all.
RUNS_A_PAGE = 50
PAGES = 4

# A push of a tag runs terraform_deploy too and names the tag where a branch's name stands. docker_publish says how tags look.
TAG = re.compile(r"v\d+(\.\d+)*")

REPOSITORY_NAME = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9._-]+/(?!\.{1,2}$)[A-Za-z0-9._-]+")
# What git takes without a scheme: git@github.com:owner/name.git
SCP_FORM = re.compile(r"(?:[^@/:]+@)?(?P<host>[^/:@]+):(?P<path>[^/].*)")


def find_repository(given: str | None, environment: Mapping[str, str], folder: Path) -> str | Missing:
    """Return OWNER/NAME: the given one, or else GITHUB_REPOSITORY, or else the origin of the folder's git repository."""
    return given or environment.get("GITHUB_REPOSITORY") or repository_of_remote(origin(folder), environment)


def origin(folder: Path) -> str:
    """Return the URL of git's remote `origin`; empty without one, or without git."""
    return git.ask(folder, "remote", "get-url", "origin")


def repository_of_remote(address: str, environment: Mapping[str, str]) -> str | Missing:
    """OWNER/NAME of a remote's address at GitHub, or at the server that GITHUB_SERVER_URL names.

    Only the host of the address is ever shown: some people keep a password in it.
    """
    host, path = _host_and_path(address)
    name = path.strip("/").removesuffix(".git")
    if not host or not REPOSITORY_NAME.fullmatch(name):
        return Missing(Reason.NO_REPOSITORY)
    if host not in ("github.com", "ssh.github.com", urlsplit(environment.get("GITHUB_SERVER_URL", "")).hostname):
        return Missing(Reason.NOT_ON_GITHUB, {"host": host})
    return name


def _host_and_path(address: str) -> tuple[str, str]:
    """Return host and path of a URL; empty for a local folder."""
    if "://" in address:
        parts = urlsplit(address)
        return (parts.hostname or "").lower(), parts.path
    match = SCP_FORM.fullmatch(address)
    return (match["host"].lower(), match["path"]) if match else ("", "")


class NoAnswerError(Exception):
    """GitHub did not return runs; `missing` says why."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.reason)
        self.missing = missing


@dataclass(frozen=True)
class GitHub:
    """A repository's workflows on GitHub; `token` is needed for a private one only, and is never shown."""

    repository: str
    api_url: str = API_URL
    token: str = field(default="", repr=False)
    timeout_s: float = TIMEOUT_S
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def of(cls, repository: str, environment: Mapping[str, str]) -> GitHub:
        """Read the environment: GITHUB_API_URL, GITHUB_TOKEN or GH_TOKEN."""
        token = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN") or ""
        return cls(repository, environment.get("GITHUB_API_URL") or API_URL, token.strip())

    def on_main(self, workflow: str) -> Run | Missing:
        """Return the newest successful run of a workflow for a push to main."""
        try:
            found = self._runs(workflow, branch=MAIN, per_page=1)
        except NoAnswerError as error:
            return error.missing
        return found[0] if found else self._missing(Reason.NO_RUN_ON_MAIN, workflow)

    def elsewhere(self, workflow: str) -> Run | Missing:
        """Return the newest successful run of a workflow for a push to a branch other than main."""
        try:
            for page in range(1, PAGES + 1):
                found = self._runs(workflow, per_page=RUNS_A_PAGE, page=page)
                for run in found:
                    if run.branch != MAIN and not TAG.fullmatch(run.branch):
                        return run
                if len(found) < RUNS_A_PAGE:
                    break
        except NoAnswerError as error:
            return error.missing
        return self._missing(Reason.NO_RUN_ELSEWHERE, workflow)

    def _runs(self, workflow: str, **parameters: str | int) -> list[Run]:
        query = urlencode({"status": "success", "event": "push", "exclude_pull_requests": "true", **parameters})
        path = f"/repos/{quote(self.repository)}/actions/workflows/{quote(workflow)}/runs?{query}"
        answer = self._ask(path, workflow)
        try:
            return [_read(run) for run in answer["workflow_runs"]]
        except (KeyError, TypeError, ValueError) as error:
            raise NoAnswerError(Missing(Reason.GITHUB_UNREADABLE, {"host": self._host})) from error

    def _ask(self, path: str, workflow: str) -> Any:
        request = self._request(path)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:  # noqa: S310 - checked in _request
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise NoAnswerError(self._refusal(error, workflow)) from error
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            why = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            raise NoAnswerError(Missing(Reason.GITHUB_UNREACHABLE, {"host": self._host, "why": why})) from error
        except ValueError as error:
            raise NoAnswerError(Missing(Reason.GITHUB_UNREADABLE, {"host": self._host})) from error

    def _request(self, path: str) -> urllib.request.Request:
        if not self.api_url.startswith(("https://", "http://")):
            why = "GITHUB_API_URL must begin with https://"
            raise NoAnswerError(Missing(Reason.GITHUB_UNREACHABLE, {"host": self.api_url, "why": why}))
        headers = {
            "Accept": "application/vnd.github+json",
            "User-Agent": "couch-explorers",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        request = urllib.request.Request(self.api_url.rstrip("/") + path, headers=headers)  # noqa: S310 - checked above
        if self.token:
            if not re.fullmatch(r"[!-~]+", self.token):
                # The HTTP library would refuse it in a sentence that shows it.
                raise NoAnswerError(Missing(Reason.TOKEN_REFUSED))
            # Not sent on to where a redirect leads.
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        return request

    def _refusal(self, error: urllib.error.HTTPError, workflow: str) -> Missing:
        """Return why GitHub responded with an error (REST API, "Rate limits" and "Troubleshooting")."""
        if error.code in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
            until = self._waits_until(error)
            return Missing(Reason.RATE_LIMIT, {"until": until}) if until else self._missing(Reason.NO_RIGHT, workflow)
        if error.code == HTTPStatus.UNAUTHORIZED:
            return Missing(Reason.TOKEN_REFUSED)
        if error.code == HTTPStatus.NOT_FOUND:
            return self._missing(Reason.NOT_FOUND, workflow)
        return Missing(Reason.GITHUB_FAILED, {"status": str(error.code)})

    def _waits_until(self, error: urllib.error.HTTPError) -> str:
        """Return when a rate limit ends, as "14:05 UTC"; empty if none was reached."""
        seconds = error.headers.get("retry-after", "")
        reset = error.headers.get("x-ratelimit-reset", "")
        if seconds.isdecimal():
            until = self.now() + timedelta(seconds=int(seconds))
        elif error.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            until = datetime.fromtimestamp(int(reset), UTC)
        elif error.code == HTTPStatus.TOO_MANY_REQUESTS:
            # Without a time, GitHub recommends a minute.
            until = self.now() + timedelta(minutes=1)
        else:
            return ""
        return f"{until:%H:%M} UTC"

    def _missing(self, reason: Reason, workflow: str) -> Missing:
        return Missing(reason, {"repository": self.repository, "workflow": workflow})

    @property
    def _host(self) -> str:
        return urlsplit(self.api_url).hostname or self.api_url


def _read(run: dict[str, Any]) -> Run:
    day = datetime.fromisoformat(run["created_at"]).astimezone(UTC).date()
    url = str(run["html_url"])
    if urlsplit(url).scheme not in ("https", "http"):
        raise ValueError(f"no address of a page: {url}")
    return Run(number=int(run["run_number"]), branch=str(run["head_branch"]), day=day, url=url)
