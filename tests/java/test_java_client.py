"""The Java client's own tests, run by Maven as a person would, on a local cloud that is started for them."""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests import bare_cloud

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "java_sqs_client"
REPORTS = {"Test": CLIENT / "target" / "surefire-reports", "IT": CLIENT / "target" / "failsafe-reports"}
OLDEST_JAVA = 17
# Seconds; the first run on a machine downloads what Maven needs.
TIMEOUT_S = 900


@pytest.fixture
def maven():
    """Find Maven with a Java that is new enough, or skip."""
    program = shutil.which("mvn")
    if program is None:
        pytest.skip("mvn is not found: install Maven 3.8 or newer and Java 17 or newer")
    version = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stdout
    java = re.search(r"^Java version: (\d+)", version, re.MULTILINE)
    if java is None or int(java[1]) < OLDEST_JAVA:
        pytest.skip(f"Java {OLDEST_JAVA} or newer is not found: mvn -version says {java[0] if java else version!r}")
    return program


@pytest.fixture
def endpoint(tmp_path):
    """Start a cloud with nothing on it."""
    with bare_cloud.serving(tmp_path / "cloud") as server:
        yield server.endpoint


@pytest.mark.end_to_end
def test_maven_builds_the_client_and_all_its_tests_run_and_pass(maven, endpoint):
    for folder in REPORTS.values():
        shutil.rmtree(folder, ignore_errors=True)
    mine = ("AWS_", "COUCH_", "SQS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}

    result = subprocess.run(
        [maven, "--batch-mode", "--no-transfer-progress", "verify"],
        cwd=CLIENT,
        env=environment | {"AWS_ENDPOINT_URL": endpoint},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    cases = [case for folder in REPORTS.values() for case in cases_in(folder)]
    troubles = [trouble for case in cases for trouble in troubles_of(case)]
    if result.returncode or troubles:
        last_lines = "\n".join(result.stdout.splitlines()[-40:])
        pytest.fail("\n".join([*troubles, "Maven's last lines:", last_lines]), pytrace=False)
    ran = Counter(case.get("classname").rpartition(".")[2] for case in cases)
    for ending in REPORTS:
        written = {path.stem for path in CLIENT.glob(f"src/test/java/**/*{ending}.java")}
        assert written
        assert written <= set(ran), f"no test of {sorted(written - set(ran))} ran"


def cases_in(folder):
    """Give the test cases in Maven's reports."""
    for report in sorted(folder.glob("TEST-*.xml")):
        yield from ET.parse(report).iter("testcase")


def troubles_of(case):
    """Tell what went wrong in a test case, or that it was skipped: one line each."""
    name = f"{case.get('classname').rpartition('.')[2]}: {case.get('name')}"
    for kind in ("failure", "error", "skipped"):
        for element in case.iter(kind):
            yield f"{kind}: {name}: {element.get('message')}"
