"""Measure a soak: a local cloud under steady traffic; its memory, open files and disk, and what is left after pruning."""

import csv
import os
import statistics
import sys
import threading
import time
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import BotoCoreError, ClientError
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from own_cloud import OwnCloud, own_cloud, start
from results import FOLDER, Results, parser

from couch_explorers import plot_style, workspace
from couch_explorers.core.jobs import message_body
from couch_explorers.files import read_json, write_whole

MINUTES = 12.0
# As many as if the beta's 1,000 images came within an hour.
JOBS_A_MINUTE = 17
LATENCY_S = 0.2
STEP_S = 15.0
# The first part of a soak fills caches and starts functions; growth is measured from there on.
WARM_UP = 0.25
SERIES_FILE, TARGET = FOLDER / "soak.csv", FOLDER.parents[1] / "docs" / "soak.svg"
MB = 1_000_000


@dataclass(frozen=True)
class Sample:
    """The local cloud at one time; sizes in bytes."""

    seconds: float
    jobs: int
    server_memory: int
    server_files: int
    functions_memory: int
    functions: int
    metrics_disk: int
    saved_disk: int
    logs_disk: int


class Soak:
    """One soak of a cloud with both stacks deployed."""

    def __init__(self, cloud: OwnCloud, jobs_a_minute: float) -> None:
        self.cloud = cloud
        self.jobs_a_minute = jobs_a_minute
        os.environ["COUCH_HOME"] = str(cloud.home)
        self.deployed = workspace.connect("local")
        self.sent = self.failed = 0
        self.began = time.monotonic()
        self.over = threading.Event()

    def run(self, minutes: float) -> list[Sample]:
        """Send jobs and read metrics for so many minutes; returns a sample every STEP_S."""
        traffic = threading.Thread(target=self._send, daemon=True)
        traffic.start()
        samples = []
        while (passed := time.monotonic() - self.began) < minutes * 60:
            samples.append(self.sample())
            with suppress(BotoCoreError, ClientError):
                self._read_metrics()
            self.over.wait(max(0.0, STEP_S * (passed // STEP_S + 1) - (time.monotonic() - self.began)))
        self.over.set()
        traffic.join()
        return samples

    def _send(self) -> None:
        sqs = self.deployed.client("sqs")
        while not self.over.wait(60 / self.jobs_a_minute):
            self.sent += 1
            body = message_body(f"A day's traffic, {self.sent}", id=f"soak-{self.sent}", size="512x512")
            try:
                sqs.send_message(QueueUrl=self.deployed.queue_url, MessageBody=body)
            except (BotoCoreError, ClientError):
                # On a busy machine an answer may take too long: the traffic goes on, and what failed is counted.
                self.failed += 1

    def _read_metrics(self) -> None:
        """Read what the age alarm's figure does, as a notebook would."""
        name = str(self.deployed.queue_url).rsplit("/", 1)[-1]
        self.deployed.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SQS",
            MetricName="ApproximateAgeOfOldestMessage",
            Dimensions=[{"Name": "QueueName", "Value": name}],
            StartTime=time.time() - 3600,
            EndTime=time.time(),
            Period=60,
            Statistics=["Maximum"],
        )

    def sample(self) -> Sample:
        """Sample the processes and the folder."""
        noted: Any = read_json(self.cloud.home / "cloud.json")
        server = psutil.Process(noted["pid"])
        memory = count = 0
        for child in server.children(recursive=True):
            with suppress(psutil.Error):
                memory, count = memory + child.memory_info().rss, count + 1
        home = self.cloud.home
        return Sample(
            seconds=time.monotonic() - self.began,
            jobs=self.sent,
            server_memory=server.memory_info().rss,
            server_files=server.num_fds(),
            functions_memory=memory,
            functions=count,
            metrics_disk=sum(file.stat().st_size for file in home.glob("metrics.sqlite*")),
            saved_disk=size(home / "saved"),
            logs_disk=size(home / "logs"),
        )


def size(folder: Path) -> int:
    """The bytes of all files below a folder; those that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total


def growth(samples: list[Sample], name: str) -> float:
    """The growth from the end of a soak's warm-up to its last tenth, as a share: of medians, so that a peak counts little.

    Only moments with the usual number of processes are compared: functions scale out and in with the traffic, and each has its
    memory and its connections, so that their number would tell more about chance than about a leak.
    """
    warm = samples[int(len(samples) * WARM_UP) :]
    usual = statistics.mode(sample.functions for sample in warm)
    values = [getattr(sample, name) for sample in warm if sample.functions == usual]
    tenth = max(1, len(values) // 10)
    first, last = (statistics.median_low(part) for part in (values[:tenth], values[-tenth:]))
    return float(last / first - 1) if first else 0.0


def draw(target: Path = TARGET) -> None:
    """Draw the saved series: memory, open files and disk over time."""
    with SERIES_FILE.open(newline="", encoding="utf-8") as opened:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(opened)]
    minutes = [row["seconds"] / 60 for row in rows]
    panels = (
        ("memory of the server, MB", "server_memory", MB),
        ("open files of the server", "server_files", 1),
        ("memory of its functions and renderers, MB", "functions_memory", MB),
        ("processes of the functions and renderers", "functions", 1),
        ("saved state and images, MB", "saved_disk", MB),
    )
    with plot_style.sheet():
        figure = Figure(figsize=(plot_style.WIDTH_PT / 72, 520 / 72))
        FigureCanvasAgg(figure)
        for axes, (title, name, unit) in zip(figure.subplots(len(panels), 1, sharex=True), panels, strict=True):
            axes.plot(minutes, [row[name] / unit for row in rows], color=plot_style.BLUE, linewidth=1.6)
            axes.set_title(title, loc="left", fontsize=plot_style.TEXT_SIZE, color=plot_style.INK)
            axes.set_ylim(0, 1.15 * max(row[name] / unit for row in rows))
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(axis="y", color=plot_style.RULE, linewidth=0.6)
        axes.set_xlabel("minutes")
        axes.set_xlim(0, minutes[-1])
        figure.subplots_adjust(left=0.09, right=0.97, top=0.955, bottom=0.08, hspace=0.6)
        output = StringIO()
        figure.savefig(output, format="svg", metadata={"Date": None})
    write_whole(target, "\n".join(line.rstrip() for line in output.getvalue().splitlines()) + "\n")


def main() -> None:
    """Report what grows, and by how much per job."""
    command_line = parser(__doc__, runs=1)
    command_line.add_argument("--minutes", type=float, default=MINUTES, help=f"how long (default {MINUTES:g})")
    command_line.add_argument("--jobs-a-minute", type=float, default=JOBS_A_MINUTE, help=f"default {JOBS_A_MINUTE}")
    options = command_line.parse_args()
    results = Results("soak", 1)
    with own_cloud() as cloud:
        start(cloud, "--port", str(cloud.port))
        cloud.couch("faults", f"latency={LATENCY_S}")
        soak = Soak(cloud, options.jobs_a_minute)
        samples = soak.run(options.minutes)
        cloud.couch("down", "--prune", "--keep-days", "0")
        pruned_mb = size(cloud.home / "saved" / "objects") / MB
    if len(samples) < 10:  # noqa: PLR2004 - what a tenth is taken from
        sys.exit(f"{len(samples)} samples are too few: soak for longer.")
    last, warm = samples[-1], samples[int(len(samples) * WARM_UP)]
    jobs = max(1, last.jobs - warm.jobs)
    results.add("soak.minutes", "duration", options.minutes, "min")
    results.add("soak.jobs", "jobs", last.jobs, "jobs")
    results.add("soak.failed", "of which not acknowledged", soak.failed, "jobs")
    for name, title in (
        ("server_memory", "memory of the server"),
        ("server_files", "open files of the server"),
        ("functions_memory", "memory of its functions and renderers"),
    ):
        results.add(f"{name}.growth", f"{title}: growth after the warm-up", growth(samples, name), budget=0.1)
    results.add("server_memory.end", "memory of the server at the end", last.server_memory / MB, "MB", budget=700)
    results.add("server_files.end", "open files of the server at the end", last.server_files, "files")
    for name, title in (("metrics_disk", "metrics"), ("saved_disk", "saved state and images"), ("logs_disk", "logs")):
        grown = (getattr(last, name) - getattr(warm, name)) / jobs / 1000
        results.add(f"{name}.per_job", f"disk: {title}, per job", grown, "kB")
    results.add(
        "pruned.objects",
        "objects left after couch down --prune --keep-days 0: the archives of the deployment",
        pruned_mb,
        "MB",
    )
    results.show(save=options.save)
    if options.save:
        with SERIES_FILE.open("w", newline="", encoding="utf-8") as output:
            rows = csv.writer(output, lineterminator="\n")
            rows.writerow([field.name for field in fields(Sample)])
            rows.writerows([round(value) for value in astuple(sample)] for sample in samples)
        draw()


if __name__ == "__main__":
    main()
