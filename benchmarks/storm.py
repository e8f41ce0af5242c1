"""Measure a storm: 1,000 jobs while models, functions, S3, SQS and the local cloud itself fail; beside it a worker of the exam's shape."""

import csv
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import storm_figure
from botocore.exceptions import BotoCoreError, ClientError
from exam_queue import NAME as EXAM_FUNCTION
from exam_queue import Contender, deploy
from own_cloud import OwnCloud, own_cloud, start
from results import FOLDER, Results, parser
from storm_ledger import CAUSES, LAST_S, UNEXPLAINED, Account, Outage, account, endings_of, read_lines

from couch_explorers import workspace
from couch_explorers.core.jobs import message_body
from couch_explorers.files import read_json, write_json

if TYPE_CHECKING:
    import argparse

MESSAGES = 1000
# Seconds over which the messages are sent: a part of them while the cloud is gone.
SENDING_S = 150.0
FAULTS = {
    "throttle": 0.6,
    "error": 0.05,
    "hang": 0.01,
    "latency": 0.2,
    "unavailable": 0.02,
    "reset": 0.01,
    "duplicate": 0.05,
    "reorder": 0.5,
}
# Seconds that a worker has before the deploy in mid-storm, and after it one more; six times that is how long a dead worker's job stays
# hidden. A cold start takes a second on an idle machine and ten on a busy one, and has to fit in.
TIMEOUT_S = 8
# Seconds between two kills of a function's process, on average.
KILL_EVERY_S = 4.0
# What happens to the local cloud, by the share of this worker's pictures that are there.
STAGES = ((0.15, "kill"), (0.35, "stop"), (0.5, "deploy"), (0.8, "kill"))
PATIENCE_S = 3600
STEP_S = 5.0
OWN, EXAM = "own", "exam"
TITLES = {OWN: "this worker", EXAM: "a worker of the exam's shape"}
UNREACHABLE = (BotoCoreError, ClientError)
SERIES_FILE, EXTRA_FILE = FOLDER / "storm.csv", FOLDER / "storm_extra_calls.csv"


@dataclass
class Load:
    """The messages of one worker: the body and the prompt of each job, and when SQS first acknowledged it."""

    contender: Contender
    bodies: dict[str, str]
    prompts: dict[str, str]
    acknowledged: dict[str, float] = field(default_factory=dict)

    def send(self, sqs: Any, over_s: float) -> None:
        """Send everything, evenly over so many seconds, and again what SQS has not acknowledged, as a client has to."""
        began, left = time.monotonic(), list(self.bodies)
        total = len(left)
        while left:
            due = began + over_s * (total - len(left)) / total
            time.sleep(max(0.0, due - time.monotonic()))
            batch = left[:10]
            entries = [{"Id": str(number), "MessageBody": self.bodies[job]} for number, job in enumerate(batch)]
            try:
                answer = sqs.send_message_batch(QueueUrl=self.contender.queue_url, Entries=entries)
            except UNREACHABLE:
                time.sleep(0.5)
                continue
            for each in answer.get("Successful", []):
                self.acknowledged.setdefault(batch[int(each["Id"])], time.time())
            left = [job for job in left if job not in self.acknowledged]


class Storm:
    """One storm on a cloud with both workers deployed."""

    def __init__(self, cloud: OwnCloud, options: "argparse.Namespace") -> None:
        self.cloud = cloud
        self.options = options
        self.deadline = 0.0
        self.random = random.Random(options.seed)  # noqa: S311 - chance, not secrecy
        self.outages: list[Outage] = []
        self.kills: list[tuple[float, str]] = []
        self.samples: list[tuple[float, dict[str, int]]] = []
        self.events: list[tuple[float, str]] = []
        self.over = threading.Event()
        self._read = self._stored = 0
        os.environ["COUCH_HOME"] = str(cloud.home)
        self.deployed = workspace.connect("local")
        own = Contender(str(self.deployed.queue_url), str(self.deployed.dead_letter_url), f"{self.deployed.prefix}/")
        jobs = [f"storm-{number:04}" for number in range(options.messages)]
        self.loads = {
            OWN: Load(
                own,
                {job: message_body(f"A storm, {job}", id=job, size="512x512") for job in jobs},
                {f"A storm, {j}": j for j in jobs},
            )
        }

    def add_exam(self, messages: int) -> None:
        """Deploy the worker of the exam's shape, and give it so many messages."""
        prompts = {f"Another storm, {number:04}": f"storm-{number:04}" for number in range(messages)}
        self.loads[EXAM] = Load(deploy(self.deployed), {job: prompt for prompt, job in prompts.items()}, prompts)

    def run(self) -> float:
        """Let the storm pass; returns the Unix time at which it began."""
        self.set_faults()
        began = time.time()
        threads = [
            threading.Thread(target=load.send, args=[self.deployed.client("sqs"), SENDING_S], daemon=True)
            for load in self.loads.values()
        ]
        threads += [threading.Thread(target=each, daemon=True) for each in (self._kill_functions, self._sample)]
        for thread in threads:
            thread.start()
        self.deadline = time.monotonic() + self.options.patience
        stages = list(STAGES)
        while any(thread.is_alive() for thread in threads[: len(self.loads)]) or any(self.waiting(OWN)):
            done = self.stored() / len(self.loads[OWN].bodies)
            if stages and done >= stages[0][0]:
                getattr(self, f"_{stages.pop(0)[1]}")()
            if self._out_of_time(OWN):
                break
            time.sleep(2)
        self.events.append((time.time(), "own queue empty"))
        return began

    def wait_for(self, name: str) -> None:
        """Wait until a worker's queue is empty, or no patience is left: what still waits then is counted as waiting."""
        while self.waiting(name) and not self._out_of_time(name):
            time.sleep(2)
        self.events.append((time.time(), f"{name} queue empty"))

    def _out_of_time(self, name: str) -> bool:
        over = time.monotonic() > self.deadline
        if over:
            print(f"Not waited for any longer: {len(self.waiting(name))} messages of {TITLES[name]}", flush=True)
        return over

    # --- what goes wrong ---------------------------------------------------------------------------------------------------

    def set_faults(self) -> None:
        """Set the storm's faults, which a start of the cloud forgets."""
        self.cloud.couch("faults", *(f"{name}={value}" for name, value in FAULTS.items()))

    def _kill(self) -> None:
        """Kill the local cloud in mid-air, and start it again."""
        process = self.server()
        began = time.time()
        process.kill()
        process.wait()
        self._come_back("kill", began)

    def _stop(self) -> None:
        """Stop the local cloud in order, and start it again."""
        began = time.time()
        self.cloud.couch("down")
        self._come_back("stop", began)

    def _come_back(self, kind: str, began: float) -> None:
        start(self.cloud)
        self.set_faults()
        self.outages.append(Outage(kind, began, time.time()))
        self.events.append((began, kind))
        print(f"{kind}, gone for {time.time() - began:.0f} s", flush=True)

    def _deploy(self) -> None:
        """Deploy a new version of the worker while the storm goes on."""
        began = time.time()
        start(self.cloud, "--worker-timeout", str(self.options.timeout + 1))
        self.events += [(began, "deploy begins"), (time.time(), "deploy ends")]

    def _kill_functions(self) -> None:
        """Kill a process of a function now and then, whatever it is doing."""
        while not self.over.wait(self.random.uniform(0.2, 1.8) * self.options.kill_every):
            with suppress(psutil.Error, OSError, ValueError, KeyError, TypeError):
                processes = {}
                for child in self.server().children(recursive=True):
                    name = child.environ().get("AWS_LAMBDA_FUNCTION_NAME")
                    if name:
                        processes[child] = name
                if processes:
                    victim = self.random.choice(list(processes))
                    victim.send_signal(signal.SIGKILL)
                    self.kills.append((time.time(), processes[victim]))

    # --- what is there -----------------------------------------------------------------------------------------------------

    def server(self) -> psutil.Process:
        """The process of the local cloud."""
        return psutil.Process(json.loads((self.cloud.home / "cloud.json").read_text())["pid"])

    def messages(self, queue_url: str) -> list[dict[str, Any]]:
        """All messages of a queue, none of them received."""
        address = f"http://127.0.0.1:{self.cloud.port}/_couch/messages{urlsplit(queue_url).path}"
        with urllib.request.urlopen(address, timeout=60) as answer:
            return list(json.load(answer)["messages"])

    def waiting(self, name: str) -> set[str]:
        """The jobs on a worker's queue, in flight or not."""
        return {self._job(name, message) for message in self.messages(self.loads[name].contender.queue_url)}

    def dead(self, name: str) -> dict[str, str]:
        """The jobs in a worker's dead-letter queue, with the reason; those that SQS moved there have none."""
        reasons = {}
        for message in self.messages(self.loads[name].contender.dead_letter_url):
            given = message["MessageAttributes"].get("reason", {}).get("StringValue")
            reasons[self._job(name, message)] = given or "received too often"
        return reasons

    def _job(self, name: str, message: Mapping[str, Any]) -> str:
        body = message["Body"]
        return str(json.loads(body)["id"]) if name == OWN else self.loads[name].prompts[body]

    def stored(self) -> int:
        """The number of pictures this worker has stored so far."""
        with (self.cloud.home / "requests.jsonl").open(encoding="utf-8") as file:
            file.seek(self._read)
            for text in file:
                if text.endswith("\n"):
                    self._read += len(text.encode())
                    self._stored += '"PUT"' in text and "/storm-" in text and '"status": 200' in text
        return self._stored

    def _sample(self) -> None:
        """Note now and then how many messages wait and how many are dead."""
        while not self.over.wait(STEP_S):
            with suppress(OSError, ValueError, KeyError, TypeError):
                counts: dict[str, int] = {}
                for name in self.loads:
                    counts |= {f"{name} waiting": len(self.waiting(name)), f"{name} dead": len(self.dead(name))}
                self.samples.append((time.time(), counts))

    def kept(self) -> set[str]:
        """The jobs whose picture is in the bucket."""
        s3 = self.deployed.client("s3")
        prefix = f"{self.deployed.prefix}/storm-"
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.deployed.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {Path(key).stem for key in keys if key.endswith(".png")}

    def function_log(self, function: str) -> list[str]:
        """The messages of a function's log."""
        logs = self.deployed.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        return [event["message"] for page in pages for event in page["events"]]

    def evidence(self, name: str) -> dict[str, Any]:
        """The data from which a worker's messages are counted, as JSON."""
        load = self.loads[name]
        function = str(self.deployed.functions["worker"]) if name == OWN else EXAM_FUNCTION
        return {
            "sent": load.acknowledged,
            "jobs": load.prompts,
            "function_log": self.function_log(function),
            "kept": sorted(self.kept()) if name == OWN else None,
            "dead": self.dead(name),
            "waiting": sorted(self.waiting(name)),
        }

    def save_evidence(self, folder: Path, parts: Mapping[str, Any]) -> None:
        """Keep everything that the report is made from, so that it can be made again."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("models.jsonl", "requests.jsonl"):
            shutil.copyfile(self.cloud.home / name, folder / name)
        whole = {
            "outages": [vars(outage) for outage in self.outages],
            "kills": self.kills,
            "samples": self.samples,
            "events": self.events,
            **parts,
        }
        write_json(folder / "evidence.json", whole)


# --- the report ------------------------------------------------------------------------------------------------------------


def add_account(results: Results, name: str, before: Account, whole: Account, seconds: float) -> None:
    """Add a worker's figures; where its messages were before the redrive, and what it has paid and lost after it."""
    figures: list[tuple[str, str, float, str, float | None]] = [
        ("sent", "messages acknowledged", whole.sent, "messages", None),
        ("pictures", "messages with a picture, before the redrive", len(before.pictures), "pictures", None),
        ("paid", "pictures paid for", whole.paid, "pictures", None),
        ("extra", "of which paid for beside the one that stands", len(whole.extra), "pictures", None),
        ("lost", "messages lost", len(whole.lost), "messages", 0),
        (
            "lost_at_kill",
            f"lost, acknowledged within {LAST_S:g} s before a kill",
            len(whole.lost_at_kill),
            "messages",
            None,
        ),
        ("duplicated", "pictures stored beyond the first of a message", whole.duplicated, "pictures", 0),
        ("dead", "in the dead-letter queue, before the redrive", len(before.dead), "messages", None),
        ("waiting", "still waiting, before the redrive", len(before.waiting), "messages", 0),
        ("seconds", "until the queue is empty", seconds, "s", None),
        ("time_to_picture_p50", "TimeToPicture, p50", whole.percentile(0.5), "s", None),
        ("time_to_picture_p95", "TimeToPicture, p95", whole.percentile(0.95), "s", None),
        ("time_to_picture_max", "TimeToPicture, longest", max(whole.time_to_picture, default=0.0), "s", None),
    ]
    for key, title, value, unit, budget in figures:
        results.add(f"{name}.{key}", f"{TITLES[name]}: {title}", value, unit, budget if name == OWN else None)
    causes = whole.causes()
    for key, cause in zip(
        ("cloud", "function", "timeout", "beside", "storage", "again", "unexplained"), CAUSES, strict=True
    ):
        budget = 0 if name == OWN and cause == UNEXPLAINED else None
        results.add(f"{name}.extra_{key}", f"{TITLES[name]}: {cause}", causes.get(cause, 0), "calls", budget)


def accounts_of(evidence: Mapping[str, Any], folder: Path, part: str) -> dict[str, Account]:
    """Account for the messages of each worker, from what `save_evidence` has kept; `part` is "before" or "after" the redrive."""
    redriven = next((moment for moment, word in evidence["events"] if word == "redrive"), evidence["ended"])
    until = redriven if part == "before" else float("inf")
    logs = {
        name: [line for line in read_lines(folder / f"{name}.jsonl") if line[time_of] <= until]
        for name, time_of in (("models", "at"), ("requests", "end"))
    }
    outages = [Outage(**each) for each in evidence["outages"]]
    return {
        name: account(
            sent=kept["sent"],
            jobs=kept["jobs"],
            model_log=logs["models"],
            request_log=logs["requests"],
            function_log=endings_of(kept["function_log"]),
            outages=outages,
            kept=None if kept["kept"] is None else set(kept["kept"]),
            dead=kept["dead"],
            waiting=set(kept["waiting"]),
            idempotent=name == OWN,
        )
        for name, kept in evidence[part].items()
    }


def write_series(evidence: Mapping[str, Any], accounts: Mapping[str, Account]) -> None:
    """Write what the figure is drawn from: counts by the second, and events without a count."""
    began, ended = evidence["began"], evidence["ended"]
    with SERIES_FILE.open("w", newline="", encoding="utf-8") as output:
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(["seconds", "series", "count"])
        for step in range(int((ended - began) / STEP_S) + 2):
            now = began + step * STEP_S
            for name, whole in accounts.items():
                sent = sum(moment <= now for moment in evidence["after"][name]["sent"].values())
                rows.writerow([f"{now - began:.0f}", f"{name} sent", sent])
                rows.writerow([f"{now - began:.0f}", f"{name} pictures", sum(moment <= now for moment in whole.stored)])
        for moment, counts in evidence["samples"]:
            for series, count in counts.items():
                rows.writerow([f"{moment - began:.0f}", series, count])
        for moment, word in sorted(evidence["events"]):
            rows.writerow([f"{moment - began:.0f}", word, ""])


def write_extra_calls(accounts: Mapping[str, Account], began: float) -> None:
    """List each picture that was paid for beside the one that stands, with its cause."""
    with EXTRA_FILE.open("w", newline="", encoding="utf-8") as output:
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(["worker", "job", "seconds", "cause"])
        for name, whole in accounts.items():
            for call in sorted(whole.extra, key=lambda each: each.at):
                rows.writerow([TITLES[name], call.job, f"{call.at - began:.1f}", call.cause])


@contextmanager
def storm_cloud(options: "argparse.Namespace") -> Iterator[Storm]:
    """A cloud with both workers deployed."""
    with own_cloud() as cloud:
        cloud.environment["COUCH_MODEL_LOG"] = str(cloud.home / "models.jsonl")
        start(cloud, "--port", str(cloud.port), "--worker-timeout", str(options.timeout))
        storm = Storm(cloud, options)
        if options.exam_messages:
            storm.add_exam(options.exam_messages)
        yield storm


def measure(storm: Storm, folder: Path) -> None:
    """Let a storm pass, redrive what is in the dead-letter queue, and keep the evidence of both."""
    began = storm.run()
    seconds = {OWN: time.time() - began}
    if EXAM in storm.loads:
        storm.wait_for(EXAM)
        seconds[EXAM] = time.time() - began
    storm.over.set()
    storm.cloud.couch("faults", "clear")
    before = {name: storm.evidence(name) for name in storm.loads}
    parts = {"began": began, "seconds": seconds, "before": before}
    storm.save_evidence(folder, parts | {"after": before, "ended": time.time()})
    storm.events.append((time.time(), "redrive"))
    storm.deadline = time.monotonic() + storm.options.patience
    storm.cloud.couch("redrive")
    storm.wait_for(OWN)
    after = before | {OWN: storm.evidence(OWN)}
    storm.save_evidence(folder, parts | {"after": after, "ended": time.time()})


def report(folder: Path, *, save: bool) -> Results:
    """Make the report from the evidence; with `save`, its figure and its lists too."""
    evidence = read_json(folder / "evidence.json")
    before, after = (accounts_of(evidence, folder, part) for part in ("before", "after"))
    results = Results("storm", 1)
    began, own, sent = evidence["began"], after[OWN], len(evidence["after"][OWN]["jobs"])
    results.add("storm.messages", "messages for this worker", sent, "messages")
    for name, value in FAULTS.items():
        results.add(f"storm.{name}", f"fault: {name}", value, "s" if name == "latency" else "")
    results.add("storm.function_kills", "processes of functions killed", len(evidence["kills"]), "kills")
    for kind in ("kill", "stop"):
        count = sum(outage["kind"] == kind for outage in evidence["outages"])
        results.add(f"storm.cloud_{kind}s", f"the local cloud: {kind}s, with a start after each", count, "times")
    deploys = sum(word == "deploy ends" for _, word in evidence["events"])
    results.add("storm.deploys", "deploys of a new version in mid-storm", deploys, "times")
    for name, whole in before.items():
        add_account(results, name, whole, after[name], evidence["seconds"][name])
    results.add("redriven.pictures", "this worker: pictures after one redrive", len(own.pictures), "pictures", sent)
    bound = sent + len(own.extra) - own.causes().get(UNEXPLAINED, 0)
    results.add("redriven.paid", "this worker: pictures paid for after it", own.paid, "pictures", bound)
    results.add("redriven.dead", "this worker: in the dead-letter queue after it", len(own.dead), "messages", 0)
    for job in sorted(own.lost | own.lost_at_kill):
        print(f"lost: {job}, acknowledged at {evidence['after'][OWN]['sent'][job] - began:.1f} s")
    for call in own.extra:
        print(f"paid besides: {call.job} at {call.at - began:.1f} s: {call.cause}")
    if save:
        write_series(evidence, after)
        write_extra_calls(after, began)
        storm_figure.save(SERIES_FILE)
    return results


def main() -> None:
    """Report for both workers what was paid, stored and lost, and how long it took."""
    command_line = parser(__doc__, runs=1)
    command_line.add_argument("--messages", type=int, default=MESSAGES, help=f"for this worker (default {MESSAGES})")
    command_line.add_argument(
        "--timeout", type=int, default=TIMEOUT_S, help="seconds that this worker has for a message"
    )
    command_line.add_argument(
        "--kill-every", type=float, default=KILL_EVERY_S, help="seconds between two kills of a function"
    )
    command_line.add_argument("--seed", type=int, default=1, help="of the kills")
    command_line.add_argument(
        "--exam-messages", type=int, default=MESSAGES, help="for the worker of the exam's shape; 0: without it"
    )
    command_line.add_argument(
        "--patience", type=float, default=PATIENCE_S, help="seconds after which nothing is waited for"
    )
    command_line.add_argument("--evidence", type=Path, help="keep all logs in this folder, which must be empty")
    command_line.add_argument("--account", type=Path, help="run nothing: account again for the logs in this folder")
    options = command_line.parse_args()
    if options.account:
        results = report(options.account, save=options.save)
        results.show(save=options.save)
        return
    with tempfile.TemporaryDirectory(prefix="couch-storm-") as temporary:
        folder = options.evidence or Path(temporary)
        with storm_cloud(options) as storm:
            measure(storm, folder)
        results = report(folder, save=options.save)
        results.show(save=options.save)


if __name__ == "__main__":
    main()
