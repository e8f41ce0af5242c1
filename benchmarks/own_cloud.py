"""A local cloud of a benchmark's own."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# How often a start is tried on a machine that is too busy for it.
STARTS = 4
COUCH = str(Path(sys.executable).with_name("couch"))


class OwnCloud:
    """A folder and a port in which nothing of the user's runs."""

    def __init__(self, home: Path, port: int) -> None:
        self.home = home
        self.port = port
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COUCH_"))}
        self.environment = inherited | {"COUCH_HOME": str(home), "COUCH_REQUEST_LOG": str(home / "requests.jsonl")}

    def couch(self, *arguments: str) -> str:
        """Run `couch`; raises CalledProcessError, with its output, when it fails."""
        done = subprocess.run([COUCH, *arguments], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"couch {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self) -> str:
        """Start it and deploy."""
        return self.couch("up", "--port", str(self.port))

    def stats(self) -> dict[str, int]:
        """The requests to the image models so far; `images` is the number of pictures a provider would have billed."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/_couch/stats") as answer:
            return dict(json.load(answer))


def start(cloud: OwnCloud, *options: str) -> None:
    """Run `couch up`, a few times where the machine is too busy for a start within its deadline."""
    for _ in range(STARTS):
        done = subprocess.run(
            [COUCH, "up", *options], env=cloud.environment, capture_output=True, text=True, check=False
        )
        if not done.returncode:
            return
        print(f"couch up {' '.join(options)} ended with {done.returncode}: {done.stdout}{done.stderr}", flush=True)
    sys.exit(f"couch up failed {STARTS} times.")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def own_cloud() -> Iterator[OwnCloud]:
    """A fresh cloud, not yet started; stopped and erased at the end."""
    with tempfile.TemporaryDirectory(prefix="couch-benchmark-") as folder:
        cloud = OwnCloud(Path(folder).resolve(), free_port())
        try:
            yield cloud
        finally:
            cloud.couch("down", "--erase")


@contextmanager
def bare_cloud(patience_s: float = 60) -> Iterator[str]:
    """The address of a running cloud with nothing deployed on it; ended and erased at the end."""
    with tempfile.TemporaryDirectory(prefix="couch-benchmark-") as folder:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        log = Path(folder) / "cloud.log"
        with log.open("w") as output:
            server = subprocess.Popen(
                [sys.executable, ROOT / "tests" / "bare_cloud.py", str(port), folder], stdout=output, stderr=output
            )
        try:
            deadline = time.monotonic() + patience_s
            while not answers(f"{address}/_couch/health"):
                if server.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"The bare cloud did not start:\n{log.read_text()}")
                time.sleep(0.1)
            yield address
        finally:
            server.terminate()
            server.wait()


def answers(url: str) -> bool:
    """Whether something answers there with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - http, on the loopback address
            return bool(answer.status == 200)  # noqa: PLR2004 - OK
    except OSError:
        return False
