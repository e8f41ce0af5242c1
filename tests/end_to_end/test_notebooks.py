"""The notebooks on the deployed system: by `couch run`, by nbval, and as on AWS."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(cloud, out, *arguments, environment=None):
    done = cloud.couch("run", "smoke_test", *arguments, "--out", str(out), environment=environment, check=False)
    report = json.loads((out / "smoke_test.json").read_text())
    assert {path.suffix for path in out.iterdir()} == {".ipynb", ".html", ".json"}
    return done, report


def verdicts(report):
    return {check["name"]: check["verdict"] for check in report["checks"]}


def test_the_smoke_test_passes_on_a_fresh_deploy(local_cloud, workspace, tmp_path):
    done, report = run(local_cloud, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert report["status"] == "ok"
    assert "BAD" not in verdicts(report).values()
    assert "SKIPPED" not in verdicts(report).values()
    assert "The deploy works" in (tmp_path / "smoke_test.html").read_text()


def test_the_smoke_test_works_on_aws_by_its_parameters_alone(local_cloud, workspace, tmp_path):
    """The ordinary credential chain, discovery by names, and the API reached through AWS_ENDPOINT_URL."""
    done, report = run(
        local_cloud,
        tmp_path,
        "--target",
        "aws",
        "-p",
        "candidate",
        "42",
        environment=local_cloud.exported_environment(),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert report["target"] == "aws"
    assert "target aws, candidate 42" in json.dumps(report["checks"])


def test_only_the_part_that_is_asked_for_is_checked(local_cloud, workspace, tmp_path):
    _, report = run(local_cloud, tmp_path, "-p", "checks", "api")

    assert any(name.startswith("api") for name in verdicts(report))
    assert not any(name.startswith("queue: picture") for name in verdicts(report))


def test_a_failing_deploy_is_reported_by_check_and_exit_code_and_the_report_is_there(
    local_cloud, workspace, faults, tmp_path
):
    faults("error=1", "latency=0")

    done, report = run(local_cloud, tmp_path, "-p", "checks", "api")

    assert done.returncode == 1
    assert report["status"] == "failed"
    assert verdicts(report)["api: a prompt becomes a picture"] == "BAD"
    assert "The deploy does not work" in (tmp_path / "smoke_test.html").read_text()


def test_the_job_summary_is_written_for_github(local_cloud, workspace, tmp_path):
    summary = tmp_path / "summary.md"
    environment = local_cloud.environment | {"GITHUB_STEP_SUMMARY": str(summary)}

    run(local_cloud, tmp_path / "out", "-p", "checks", "api", environment=environment)

    written = summary.read_text()
    assert written.startswith("## ✅ smoke\\_test passed")
    assert "| ✓ OK | api: a prompt becomes a picture |" in written
    assert "data:image" not in written


def test_papermill_alone_fails_where_a_check_is_bad(local_cloud, workspace, faults, tmp_path):
    faults("error=1", "latency=0")

    done = subprocess.run(
        [Path(sys.executable).with_name("papermill"), "notebooks/smoke_test.ipynb", tmp_path / "out.ipynb", "-p", "checks", "api"],
        cwd=ROOT, env=local_cloud.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert "ChecksFailedError: 1 check failed: api: a prompt becomes a picture is BAD" in done.stderr


def test_every_notebook_runs_under_nbval(local_cloud, workspace):
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))

    checked = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "nbval.plugin", "--nbval-lax", "-p", "no:cacheprovider", "-v", "-W", "default", *notebooks],
        cwd=ROOT, env=local_cloud.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert checked.returncode == 0, checked.stdout + checked.stderr
    # pytest shows a cell as notebooks/smoke_test::ipynb::Cell 0.
    ran = set(re.findall(r"^notebooks/(\w+)::ipynb::Cell \d+ PASSED", checked.stdout, re.MULTILINE))
    assert ran == {notebook.stem for notebook in notebooks}
