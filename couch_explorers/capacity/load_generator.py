"""A load on the deployed system, by either path: users arrive at random times, however the system responds.

The model is open: when a person comes does not depend on how the others fare, so that a slow system cannot slow the load down.
Every time counts from when a person wanted to ask, not from when the request left (no coordinated omission).
"""

from __future__ import annotations

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from couch_explorers.api import Api
from couch_explorers.core import image_models
from couch_explorers.core.jobs import message_body
from couch_explorers.objective import time_to_picture
from couch_explorers.workspace import WorkspaceError, not_deployed

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.client import BaseClient
    from numpy.typing import NDArray

    from couch_explorers.workspace import Workspace

# Limits of a load, so that a typo stays cheap.
MOST_USERS, MOST_MINUTES = 10_000, 60.0
# Requests under way at once: a thread each at the API; the queue's sender needs few.
API_THREADS, QUEUE_THREADS = 1000, 32
POLL_S, MINUTE_S = 0.25, 60.0
# A picture that does not exist this long after the last arrival counts as missing.
PATIENCE_S = 1800.0

Path = Literal["api", "queue"]


class LoadError(Exception):
    """The load was not started; the message says which limit it exceeds and how to change it."""


@dataclass(frozen=True)
class LoadResult:
    """The result of a load.

    Attributes:
        requests: A row a person, in the order of arrival: `id`, `intended_s` and `sent_s` from the load's start, `done_s` when the
            answer or the picture was there (NaN where neither came), `status` (HTTP, 0 for none; 200 is a picture).
        via: Which path it took.
        started: Unix time of its start.

    """

    requests: pd.DataFrame
    via: Path
    started: float

    @property
    def time_to_picture_s(self) -> NDArray[np.float64]:
        """Seconds from each user's arrival to the picture; infinite without a picture."""
        intended, done = (self.requests[name].to_numpy(dtype=np.float64) for name in ("intended_s", "done_s"))
        return time_to_picture(intended, done, (self.requests["status"] == HTTPStatus.OK).to_numpy(dtype=bool))

    def summary(self) -> dict[str, Any]:
        """Return counts, percentiles of the time to the picture (None if infinite), and the largest delay of a request."""
        times = self.time_to_picture_s
        percentiles = {
            f"p{share}_s": float(np.percentile(times, share, method="inverted_cdf")) for share in (50, 95, 99)
        }
        late = (self.requests["sent_s"] - self.requests["intended_s"]).max()
        return {
            "via": self.via,
            "users": len(times),
            "pictures": int(np.isfinite(times).sum()),
            "by_status": {
                str(status): int(n) for status, n in self.requests["status"].value_counts().sort_index().items()
            },
            **{name: round(value, 3) if np.isfinite(value) else None for name, value in percentiles.items()},
            "latest_send_s": round(float(late), 3),
        }


def check_load(users: int, minutes: float, target: str, max_cost_usd: float | None, model: str | None = None) -> float:
    """Check a load against its limits, before anything is sent; return the most that its pictures cost on AWS in USD.

    Raises:
        LoadError: For a count or a length out of bounds; on AWS without `max_cost_usd`, or where that is too little.

    """
    if not 1 <= users <= MOST_USERS:
        raise LoadError(f"--users is {users}: give 1 to {MOST_USERS:,}.")
    if not 0 < minutes <= MOST_MINUTES:
        raise LoadError(f"--minutes is {minutes:g}: give more than 0 and at most {MOST_MINUTES:g}.")
    cost = users * image_models.get(model or image_models.DEFAULT_MODEL_ID).price_usd()
    if target == "aws" and max_cost_usd is None:
        raise LoadError(f"On AWS {users:,} images cost up to USD {cost:.2f}: allow it with --max-cost-usd {cost:.2f}.")
    if max_cost_usd is not None and target == "aws" and cost > max_cost_usd:
        raise LoadError(f"{users:,} images cost up to USD {cost:.2f}, more than --max-cost-usd {max_cost_usd:.2f}.")
    return cost


def run_load(
    workspace: Workspace,
    *,
    users: int,
    minutes: float,
    via: Path,
    seed: int = 1,
    max_cost_usd: float | None = None,
    patience_s: float = PATIENCE_S,
    progress: Callable[[int], None] | None = None,
) -> LoadResult:
    """Simulate users who request one image each, at random times within the minutes, and wait until all are served.

    Args:
        workspace: Where the system is.
        users: How many people.
        minutes: Within which they come.
        via: By which path.
        seed: Of their times.
        max_cost_usd: What it may cost on AWS.
        patience_s: How long after the last person to wait for images from the queue.
        progress: Called with the number of people served.

    Raises:
        LoadError: As `check_load`.
        WorkspaceError: Where the path is not deployed, or the API's key may not be read.

    """
    model = workspace.model_arns[0] if workspace.model_arns else None
    check_load(users, minutes, workspace.target, max_cost_usd, model)
    if (workspace.api_url if via == "api" else workspace.queue_url) is None:
        raise WorkspaceError(f"{not_deployed('API' if via == 'api' else 'queue', workspace.target)}.")
    intended = np.sort(np.random.default_rng(seed).uniform(0, minutes * MINUTE_S, users))
    stem = f"load-{uuid.uuid4().hex[:8]}"
    ids = [f"{stem}-{number:05d}" for number in range(users)]
    run = _Run(workspace, intended, ids, progress)
    if via == "api":
        run.ask(partial(run.call_api, Api.of(workspace)), API_THREADS)
    else:
        watcher = threading.Thread(target=run.watch_bucket, args=(stem, minutes * MINUTE_S + patience_s), daemon=True)
        watcher.start()
        run.ask(run.send_message, QUEUE_THREADS)
        watcher.join()
    columns = {"id": ids, "intended_s": intended, "sent_s": run.sent_s, "done_s": run.done_s, "status": run.status}
    return LoadResult(pd.DataFrame(columns), via, run.started)


class _Run:
    """A running load."""

    def __init__(
        self,
        workspace: Workspace,
        intended: NDArray[np.float64],
        ids: list[str],
        progress: Callable[[int], None] | None,
    ) -> None:
        self.workspace, self.intended, self.ids, self.progress = workspace, intended, ids, progress
        self.sent_s, self.done_s = np.full(len(ids), np.nan), np.full(len(ids), np.nan)
        self.status = np.zeros(len(ids), dtype=np.int64)
        self.sqs: BaseClient | None = None
        self.failed: Exception | None = None
        self.began, self.started = time.monotonic(), time.time()

    def ask(self, send: Callable[[int], None], threads: int) -> None:
        """Start each request at its time; without a free thread it is late, which `sent_s` shows."""
        if self.workspace.queue_url:
            self.sqs = self.workspace.client("sqs")
        self.began, self.started = time.monotonic(), time.time()
        with ThreadPoolExecutor(max_workers=min(threads, len(self.ids))) as pool:
            for number, at in enumerate(self.intended):
                time.sleep(max(0.0, at - self._now()))
                pool.submit(self._send, send, number)
        if self.failed is not None:
            raise self.failed

    def call_api(self, deployed: Api, number: int) -> None:
        """Request one image from the API, and record the response."""
        try:
            answer = deployed.post(self._body(number))
        except OSError:
            return
        self.done_s[number], self.status[number] = self._now(), answer.status
        self._report()

    def send_message(self, number: int) -> None:
        """Put one job on the queue."""
        if self.sqs is not None:
            self.sqs.send_message(QueueUrl=self.workspace.queue_url, MessageBody=self._body(number))

    def watch_bucket(self, stem: str, until_s: float) -> None:
        """Record when each image or error note appears in the bucket."""
        places = {f"{self.workspace.prefix.rstrip('/')}/{one}": number for number, one in enumerate(self.ids)}
        pages = self.workspace.client("s3").get_paginator("list_objects_v2")
        where = {"Bucket": self.workspace.bucket, "Prefix": f"{self.workspace.prefix.rstrip('/')}/{stem}-"}
        while places and self._now() < until_s and self.failed is None:
            for page in pages.paginate(**where):
                now_s = self._now()
                for item in page.get("Contents", ()):
                    place, _, kind = item["Key"].partition(".")
                    if (number := places.pop(place, None)) is not None:
                        self.done_s[number], self.status[number] = now_s, HTTPStatus.OK if kind == "png" else 0
            self._report()
            time.sleep(POLL_S)

    def _send(self, send: Callable[[int], None], number: int) -> None:
        self.sent_s[number] = self._now()
        try:
            send(number)
        except Exception as error:  # noqa: BLE001 - raised again when all threads are done
            self.failed = error

    def _body(self, number: int) -> str:
        return message_body(f"A lighthouse above the clouds, number {number}", id=self.ids[number])

    def _now(self) -> float:
        return time.monotonic() - self.began

    def _report(self) -> None:
        if self.progress is not None:
            self.progress(int(np.isfinite(self.done_s).sum()))
