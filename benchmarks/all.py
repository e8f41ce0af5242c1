"""Run every benchmark in turn and keep its figures; leave the machine alone meanwhile. The documentation takes them from there."""

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
# Each with the number of runs that is its own default: enough for a median to quote, and all of them within an hour and a half.
BENCHMARKS = (
    ("capacity.py",),
    ("costs.py",),
    ("inventory.py",),
    ("couch_up.py",),
    ("smoke_test.py",),
    ("worker.py",),
    ("sweep.py",),
    ("sweep_scale.py",),
    ("prompt_exploration.py",),
    ("queue_sweep.py",),
    ("metric_review.py",),
    ("state_saving.py",),
    ("fault_storm.py",),
    ("storm.py",),
    ("soak.py",),
    ("burst.py",),
    ("java_client.py",),
    ("java_client.py", "--tls"),
)


def main() -> None:
    """Run them one after the other; one that fails keeps its old figures and does not keep the others from running."""
    started, failed = time.monotonic(), []
    for program, *options in BENCHMARKS:
        name = " ".join([program, *options])
        print(f"\n{name}", flush=True)
        begin = time.monotonic()
        done = subprocess.run([sys.executable, FOLDER / program, *options, "--save"], check=False)
        print(f"{time.monotonic() - begin:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
    print(f"\n{len(BENCHMARKS)} benchmarks in {(time.monotonic() - started) / 60:.0f} min")
    if failed:
        sys.exit(f"Failed, with the old figures kept: {', '.join(failed)}")


if __name__ == "__main__":
    main()
