"""Every notebook over a table of inputs: each section stands whatever came before, and the verdicts decide the exit code."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from couch_explorers import reports
from couch_explorers.reports import parameters as notebook_parameters

# The stand-in's content filter refuses a prompt with this word.
BLOCKED = "blocked-word"
STABILITY, TITAN = "stability.sd3-5-large-v1:0", "amazon.titan-image-generator-v2:0"
# More than any Amazon model takes, and what Stability's take.
STABILITY_SEED = 4_000_000_000
NO_QUEUE = {"queue_url": None, "dead_letter_url": None, "alarms": [], "topic_arn": None}


@dataclass(frozen=True)
class Case:
    """A notebook with its parameters, and the worst verdict among its checks; "" where older metrics decide that too."""

    notebook: str
    name: str
    parameters: dict = field(default_factory=dict)
    worst: str = "OK"

    def __str__(self):
        return f"{self.notebook}-{self.name}"


def exploration(name, prompts, seeds, worst="OK", **more):
    return Case("prompt_exploration", name, {"prompts": prompts, "seeds": seeds} | more, worst)


def without_queue(names):
    return names | NO_QUEUE | {"functions": {"api": names["functions"]["api"]}}


def without_api(names):
    return names | {"api_url": None, "functions": {"worker": names["functions"]["worker"]}}


# What is done to the cloud, and what then runs: (faults, change of the deployed names, cases).
PHASES = (
    (
        ("latency=0",),
        dict,
        [
            exploration("one picture", {"a": "x"}, [1]),
            exploration("two pictures", {"a": "x", "b": "y"}, [1]),
            exploration("first filtered", {"1": BLOCKED, "2": "castle", "3": "moor"}, [1, 2], "WARN"),
            exploration("one left by the filter", {"1": BLOCKED, "2": "castle"}, [3], "WARN"),
            exploration("all filtered", {"1": BLOCKED, "2": f"a {BLOCKED}"}, [1, 2], "BAD"),
            exploration("a model refuses the seed", {"a": "x"}, [STABILITY_SEED, 7], "WARN", models=[STABILITY, TITAN]),
            exploration("prompt too long for all", {"a": "x" * 10_001}, [1], "BAD"),
            exploration("above the budget", {"a": "x", "b": "too dear"}, [1], "BAD", max_cost_usd=0.01),
            exploration("no picture at a time", {"a": "x"}, [1], "BAD", concurrency=0),
            exploration("other scripts", {"日本語 東京": "東京の夜 🗼", "हिन्दी": "ताज महल"}, [1]),
            Case("smoke_test", "prompts filtered", {"prompts": [BLOCKED], "timeout_s": 60}, "BAD"),
            Case("metric_review", "no metrics", {"hours": 0.1, "fail_on": "BAD"}, ""),
            Case("capacity_planning", "one person", {"users": 1, "minutes": 0.1}, ""),
            Case("capacity_planning", "too few workers", {"seconds_a_picture": 40.0, "users": 300}, ""),
            Case("exam_report", "no metrics, no budget", {"hours": 0.1, "max_cost_usd": 0.0, "seed": 99}, "NO DATA"),
            Case("exam_report", "a seed that no model takes", {"seed": 2**40}, "NO DATA"),
        ],
    ),
    (
        ("latency=0",),
        without_queue,
        [
            exploration("without the queue", {"a": "x"}, [1]),
            exploration("by a queue that is not there", {"a": "x", "b": "never sent"}, [1], "BAD", via="queue"),
            Case("smoke_test", "without the queue", {"timeout_s": 20}, "SKIPPED"),
            Case("smoke_test", "only the queue, which is not there", {"checks": "queue"}, "BAD"),
            Case("metric_review", "without the queue", {"fail_on": "BAD"}, ""),
            Case("exam_report", "without the queue", {}, "NO DATA"),
        ],
    ),
    (
        ("latency=0",),
        without_api,
        [
            Case("smoke_test", "without the API", {"timeout_s": 60}, "BAD"),
            Case("metric_review", "without the API", {"compare": "none", "fail_on": "BAD"}, ""),
            # By then the worker may have a minute of metrics, or not yet: what lacks the API says WARN either way.
            Case("exam_report", "without the API", {}, "WARN"),
        ],
    ),
    (
        ("throttle=1", "latency=0"),
        dict,
        [
            exploration("all throttled", {"a": "never painted"}, [1, 2], "BAD"),
            Case("smoke_test", "all throttled", {"timeout_s": 3}, "BAD"),
            Case("exam_report", "all throttled", {"seed": 98}, "NO DATA"),
        ],
    ),
)
CASES = [case for _, _, cases in PHASES for case in cases]


@pytest.fixture(scope="module")
def ran(local_cloud, tmp_path_factory):
    """Run all cases, two at a time; by each case's name what `couch run` exited with, its report, and its words."""
    out = tmp_path_factory.mktemp("reports")
    deployed = local_cloud.home / "deployment.json"
    whole = deployed.read_text()

    def run(case):
        folder = out / str(case).replace(" ", "-")
        given = [text for name, value in case.parameters.items() for text in ("-p", name, _text(value))]
        done = local_cloud.couch("run", case.notebook, *given, "--out", str(folder), check=False)
        words = done.stdout + done.stderr
        report = folder / f"{case.notebook}.json"
        assert report.exists(), words
        return str(case), (done.returncode, json.loads(report.read_text()), words)

    found = {}
    try:
        for faults, change, cases in PHASES:
            local_cloud.set_faults(*faults)
            deployment = json.loads(whole)
            deployed.write_text(json.dumps(deployment | {"workspace": change(deployment["workspace"])}))
            with ThreadPoolExecutor(2) as pool:
                found |= dict(pool.map(run, cases))
    finally:
        deployed.write_text(whole)
        local_cloud.set_faults("clear")
    return found


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)


def test_every_notebook_is_in_the_table():
    assert {case.notebook for case in CASES} == set(reports.names())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_section_stands_and_the_verdicts_decide(ran, case):
    exit_code, report, words = ran[str(case)]

    assert report["error"] is None, words
    cells = notebook_parameters.load(reports.find(case.notebook))["cells"]
    # One more: the cell with the parameters that were given.
    sections = sum(cell["cell_type"] == "code" for cell in cells) + bool(case.parameters)
    assert len(report["timings"]["cells"]) == sections
    verdicts = [check["verdict"] for check in report["checks"]]
    assert exit_code == (1 if "BAD" in verdicts else 0), words
    if case.worst:
        assert case.worst in verdicts, report["checks"]
        assert (case.worst == "BAD") == ("BAD" in verdicts), report["checks"]
