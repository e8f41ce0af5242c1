"""The smoke test: everything that `notebooks/smoke_test.ipynb` checks on a deployed system.

The parts run concurrently in threads, and the notebook shows them one by one. Those that cost money wait for the prerequisites
(`platform.check_prerequisites`). Each run has its own identifier in all its keys, so that an older picture is never mistaken for
a new one.
"""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from couch_explorers.checks import Check, Sentence, Verdict, ask
from couch_explorers.core import image_models
from couch_explorers.sample_prompts import SAMPLE_PROMPTS
from couch_explorers.smoke import alarms, api, platform, queue
from couch_explorers.smoke.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from couch_explorers.workspace import Workspace

SELECTIONS = ("all", "api", "queue")
PARTS = ("platform", "api", "queue", "alarms")


@dataclass(frozen=True)
class SmokeTest:
    """A running smoke test. Each method waits for its part and returns it for display."""

    workspace: Workspace
    run_id: str
    futures: dict[str, Future[Part]] = field(repr=False)

    def platform(self) -> Part:
        """Return the platform part: identity, region, the models' lifecycles, and the prerequisites."""
        return self._part("platform")

    def api(self) -> Part:
        """Return the API part: one valid prompt, three invalid ones."""
        return self._part("api")

    def queue(self) -> Part:
        """Return the queue part: each prompt becomes a picture, nothing goes to the dead-letter queue."""
        return self._part("queue")

    def alarms(self) -> Part:
        """Return the alarms part: they exist, are enabled, and have subscribers."""
        return self._part("alarms")

    @property
    def checks(self) -> list[Check]:
        """The checks of all parts."""
        return [check for name in PARTS for check in self._part(name).checks]

    def conclusion(self) -> Sentence:
        """Summarize all checks in one sentence (Markdown)."""
        return Sentence(conclude([self._part(name) for name in PARTS], self.workspace))

    def _part(self, name: str) -> Part:
        return self.futures[name].result()


def start(
    workspace: Workspace,
    *,
    prompt: str,
    prompts: Sequence[str] = (),
    checks: str = "all",
    timeout_s: float = 180.0,
    run_id: str | None = None,
) -> SmokeTest:
    """Start the smoke test and return at once.

    `prompt` goes to the API, `prompts` (by default the exam's samples) to the queue; `checks` is "all", "api" or "queue";
    `timeout_s` is the queue's time limit in seconds. Raises ValueError for another selection; after that nothing raises:
    errors are BAD checks.
    """
    if checks not in SELECTIONS:
        raise ValueError(f"checks must be one of {', '.join(SELECTIONS)}, not {checks!r}.")
    run_id = run_id or f"smoke-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    clients = Clients(workspace)
    with_api, with_queue = checks != "queue", checks != "api"
    functions = [name for name, chosen in (("api", with_api), ("worker", with_queue)) if chosen]

    def if_unblocked(part: Callable[[], Part], name: str) -> Callable[[], Part]:
        """Run a part that costs money only if the prerequisites are met."""

        def run() -> Part:
            if reason := prerequisites.result().blocking:
                return Part((Check(name, Verdict.SKIPPED, 0.0, reason),))
            return part()

        return run

    def platform_part() -> Part:
        found = platform.check(workspace, clients)
        return Part((*found.checks, *prerequisites.result().checks))

    parts: dict[str, Callable[[], Part]] = {
        # The slowest first: its pictures are generated meanwhile.
        "queue": if_unblocked(
            lambda: queue.check(
                workspace,
                clients,
                prompts or tuple(SAMPLE_PROMPTS.values()),
                run_id,
                timeout_s=timeout_s,
                required=checks == "queue",
            ),
            "queue",
        )
        if with_queue
        else lambda: Part.left_out(checks),
        "api": if_unblocked(lambda: api.check(workspace, clients, prompt, run_id), "api")
        if with_api
        else lambda: Part.left_out(checks),
        "platform": platform_part,
        "alarms": lambda: alarms.check(workspace, clients) if with_queue else Part.left_out(checks),
    }
    pool = ThreadPoolExecutor(max_workers=len(parts) + 1, thread_name_prefix="smoke")
    prerequisites = pool.submit(platform.check_prerequisites, workspace, clients, functions)
    futures = {name: pool.submit(_guarded, name, part) for name, part in parts.items()}
    pool.shutdown(wait=False)
    return SmokeTest(workspace, run_id, futures)


def conclude(parts: Sequence[Part], workspace: Workspace) -> str:
    """Summarize in one sentence whether the deployment works, and what failed."""
    checks = [check for part in parts for check in part.checks]
    bad = [check.name for check in checks if check.verdict is Verdict.BAD]
    warned = [check.name for check in checks if check.verdict is Verdict.WARN]
    skipped = [check.name for check in checks if check.verdict is Verdict.SKIPPED]
    made_checks = len(checks) - len(skipped)
    pictures = sum(len(part.pictures) for part in parts)
    if bad:
        return f"**The deploy does not work**: {len(bad)} of {made_checks} checks failed ({'; '.join(bad)})."
    sentence = f"**The deploy works**: {made_checks} check{'s' if made_checks != 1 else ''}"
    if pictures:
        picture_count = "one picture" if pictures == 1 else f"{pictures} pictures"
        sentence += f", {picture_count} under `s3://{workspace.bucket}/{workspace.prefix}/`{_paid(pictures, workspace)}"
    if warned:
        sentence += f"; worth a look: {'; '.join(warned)}"
    if skipped:
        sentence += f"; skipped: {'; '.join(skipped)}"
    return f"{sentence}."


def _paid(pictures: int, workspace: Workspace) -> str:
    """Return the cost of the pictures, if they cost anything."""
    if workspace.target != "aws":
        return ""
    cost = pictures * image_models.get(workspace.model_arns[0]).price_usd()
    return f" for about ${cost:.2f} (prices of {image_models.PRICES_AS_OF})"


class Clients:
    """The workspace's boto3 clients, each created once; using a client is thread-safe, creating one is not."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str | None], Any] = {}

    def __call__(self, service: str, region: str | None = None) -> Any:
        """Return the client of a service, in the workspace's region or another."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._workspace.client(service, region)
            return self._clients[service, region]


def _guarded(name: str, part: Callable[[], Part]) -> Part:
    """Turn an unexpected error into a BAD check: a notebook that stops would hide the results of the other parts."""
    result: list[Part] = []

    def run() -> tuple[Verdict, str]:
        result.append(part())
        return Verdict.OK, ""

    check = ask(name, run)
    return result[0] if result else Part((check,))
