"""Measure the Java client against one of the exam's shape: time to the message's id, memory, sizes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import boto3
from own_cloud import ROOT, bare_cloud
from results import Results, parser
from tls_front import make_certificate, tls_front

EXAM_PROJECT = ROOT / "benchmarks" / "spring_boot_client"
OWN_PROJECT = ROOT / "java_sqs_client"
EXAM_JAR = EXAM_PROJECT / "target" / "yardstick-1.jar"
OWN_JAR = OWN_PROJECT / "target" / "imagegenerator-0.0.1-SNAPSHOT.jar"

EXAM, JAR, IMAGE = "exam", "jar", "image"
TITLES = {EXAM: "Spring Boot jar", JAR: "this jar", IMAGE: "this image"}
PROMPT = "me on top of a pyramid"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "000000000000", "AWS_SECRET_ACCESS_KEY": "local"}
STORE_PASSWORD = "changeit"  # noqa: S105 - what every JDK's list of trusted certificates is closed with

RATIO_BUDGET, PLAIN_BUDGET_MB, GZIP_BUDGET_MB = 0.20, 72, 32
MB = 1e6


class Contender(NamedTuple):
    """One way to send a prompt: the program with its arguments, and what its environment holds besides the queue."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Sample(NamedTuple):
    """One run: seconds from the start of the process to the message's id and to its end, and its peak memory in MB."""

    to_id: float
    whole: float
    peak: float


def need(program: str, what_for: str) -> str:
    """The path of a program; leaves with one sentence when it is not there."""
    return shutil.which(program) or sys.exit(f"{program} is not on the PATH; it is needed {what_for}.")


def build(project: Path) -> None:
    """Make a project's jar as Maven makes it; its tests have their own place."""
    maven = need("mvn", "to build both clients (Maven 3.8 or newer)")
    done = subprocess.run(
        [maven, "--quiet", "--batch-mode", "package", "-DskipTests"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"mvn package failed in {project.relative_to(ROOT)}:\n{done.stdout}{done.stderr}")


def trust(certificate: Path, store: Path) -> None:
    """Add a certificate to a list of trusted ones, which keeps its length and with it the time it takes to read."""
    keytool = need("keytool", "to let both clients trust the benchmark's certificate (it is part of the JDK)")
    subprocess.run(
        [
            *(keytool, "-importcert", "-noprompt", "-alias", "benchmark", "-file", certificate),
            *("-keystore", store, "-storepass", STORE_PASSWORD),
        ],
        check=True,
        capture_output=True,
    )


def jdk_home(java: str) -> Path:
    """The folder of the JDK that a `java` belongs to."""
    completed = subprocess.run(
        [java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=True
    )
    return Path(next(row.split("=")[1].strip() for row in completed.stderr.splitlines() if "java.home =" in row))


def measure(contender: Contender, queue: Mapping[str, str]) -> Sample:
    """Send one prompt; exit with the contender's output if it fails."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [*contender.command, PROMPT],
        env={**contender.environment, **queue},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, to_id = b"", None
    for words in process.stdout or ():
        output += words
        if to_id is None and b"Message ID: " in words:
            to_id = time.perf_counter() - started
    # `wait4` returns the memory of this child; `getrusage` would return the largest of all children so far.
    _, status, usage = os.wait4(process.pid, 0)
    whole = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or to_id is None:
        sys.exit(
            f"{TITLES[contender.name]} sent nothing (exit {process.returncode}):\n{output.decode(errors='replace')}"
        )
    return Sample(to_id, whole, usage.ru_maxrss * 1024 / MB)


def race(contenders: Sequence[Contender], queue: Mapping[str, str], runs: int) -> dict[str, list[Sample]]:
    """Every contender once a round, in another order each round; a first round warms the machine's file cache and is not kept."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for number in range(runs + 1):
        turn = number % len(contenders)
        for contender in [*contenders[turn:], *contenders[:turn]]:
            sample = measure(contender, queue)
            if number:
                samples[contender.name].append(sample)
    return samples


class OwnImage(NamedTuple):
    """The image: how to run it, its list of trusted certificates, and the bytes of its own layers."""

    command: Sequence[str]
    environment: Mapping[str, str]
    trust_store: Path
    plain: int
    gzip: int


def image(scratch: Path) -> OwnImage:
    """Build the image and leave its files in a folder; leaves with the builder's own words when it cannot."""
    folder = scratch / "image"
    done = subprocess.run(
        [sys.executable, "-m", "tests.java.image", folder], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nTo leave the image out: --jars-only")
    image = json.loads(done.stdout)
    store = folder / "root" / "opt" / "client" / "runtime" / "lib" / "security" / "cacerts"
    return OwnImage(image["command"], image["environment"], store, image["plain"], image["gzip"])


def jars(java: str, extra: Sequence[str]) -> list[Contender]:
    """Both jars on the same JDK; the benchmark's own environment reaches them, but nothing of the user's AWS settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return [
        Contender(EXAM, [java, *extra, "-jar", str(EXAM_JAR)], clean),
        Contender(JAR, [java, *extra, "-jar", str(OWN_JAR)], clean),
    ]


def compare(results: Results, samples: Mapping[str, Sequence[Sample]]) -> None:
    """Add times and memory, and what part of the yardstick's time the others took, round by round."""
    for name, taken in samples.items():
        results.add(f"{name}.to_id", f"{TITLES[name]}, start to the id", [sample.to_id for sample in taken], "s")
    for name, taken in samples.items():
        results.add(f"{name}.whole", f"{TITLES[name]}, whole process", [sample.whole for sample in taken], "s")
    for name, taken in samples.items():
        results.add(f"{name}.peak_memory", f"{TITLES[name]}, peak memory", [sample.peak for sample in taken], "MB")
    for name, taken in samples.items():
        if name != EXAM:
            ratios = [sample.to_id / yard.to_id for sample, yard in zip(taken, samples[EXAM], strict=True)]
            budget = RATIO_BUDGET if name == IMAGE else None
            results.add(f"{name}.part_of_exam", f"{TITLES[name]}'s part of Spring Boot's", ratios, budget=budget)


def weigh(results: Results, own_image: OwnImage | None) -> None:
    """Add the sizes of both jars, and of the image where there is one."""
    results.add("exam.jar_size", f"{TITLES[EXAM]}, size", EXAM_JAR.stat().st_size / MB, "MB")
    results.add("jar.jar_size", f"{TITLES[JAR]}, size", OWN_JAR.stat().st_size / MB, "MB")
    if own_image:
        results.add("image.plain_size", "this image above its base", own_image.plain / MB, "MB", PLAIN_BUDGET_MB)
        results.add("image.compressed_size", "the same, compressed", own_image.gzip / MB, "MB", GZIP_BUDGET_MB)


def main() -> None:
    """Report times, memory and sizes with their budgets."""
    command_line = parser(__doc__, runs=9)
    command_line.add_argument("--tls", action="store_true", help="through a TLS front that both clients trust")
    command_line.add_argument("--jars-only", action="store_true", help="leave the image out, and with it buildah")
    options = command_line.parse_args()
    if options.save and options.jars_only:
        command_line.error("--save keeps the figures of all three; leave out --jars-only")
    results = Results("java_client_tls" if options.tls else "java_client", options.runs)
    java = need("java", "to run both jars (JDK 17 or newer)")
    for project in (EXAM_PROJECT, OWN_PROJECT):
        build(project)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="couch-benchmark-")))
        address = stack.enter_context(bare_cloud())
        sqs = boto3.client(
            "sqs",
            endpoint_url=address,
            region_name="eu-west-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        queue_url = sqs.create_queue(QueueName="benchmark")["QueueUrl"]
        own_image = None if options.jars_only else image(scratch)
        extra: list[str] = []
        if options.tls:
            certificate, key = make_certificate(scratch)
            store = shutil.copy(jdk_home(java) / "lib" / "security" / "cacerts", scratch)
            trust(certificate, Path(store))
            extra = [f"-Djavax.net.ssl.trustStore={store}"]
            if own_image:
                trust(certificate, own_image.trust_store)
            plain = urlsplit(address)
            address = stack.enter_context(tls_front(str(plain.hostname), int(plain.port or 80), certificate, key))
        contenders = jars(java, extra)
        if own_image:
            contenders.append(Contender(IMAGE, own_image.command, own_image.environment))
        queue = {**CREDENTIALS, "SQS_QUEUE_URL": queue_url, "AWS_ENDPOINT_URL": address}
        samples = race(contenders, queue, options.runs)
        waiting = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["ApproximateNumberOfMessages"])
    arrived, sent = int(waiting["Attributes"]["ApproximateNumberOfMessages"]), (options.runs + 1) * len(contenders)
    if arrived != sent:
        sys.exit(f"{sent} messages were sent and {arrived} are on the queue; there is nothing to measure.")
    print(f"From the start of the process to the message's id, over {'TLS' if options.tls else 'HTTP'}, in turn:")
    compare(results, samples)
    weigh(results, own_image)
    results.show(save=options.save)


if __name__ == "__main__":
    main()
