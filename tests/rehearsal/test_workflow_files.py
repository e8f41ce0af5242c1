"""What every workflow promises, read from the files: plain YAML, and the lines where a comment counts."""

import re

import pytest

from couch_explorers import secret_scan
from tools import check

from . import workflow_files
from .pins import PINS
from .workflow_files import Use, action_files, all_uses, jobs, read, stand_in, steps

WORKFLOWS = workflow_files.workflow_files()
ACTIONS = action_files()
PAGE = '"$GITHUB_STEP_SUMMARY"'
CHECKOUT = "actions/checkout"
ONLY_WHETHER = re.compile(r"\$\{\{ secrets\.\w+ != '' \}\}")
# A name that is shown on every page of Docker Hub, and an address: who may see the log need not see them, and they open nothing.
NO_SECRETS = {"DOCKERHUB_USERNAME", "ALARM_EMAIL"}
# Whatever changes AWS or Docker Hub: a second run waits for the first.
DEPLOYING = ("deploy_lambda", "docker_publish", "terraform_deploy")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
every_file = pytest.mark.parametrize(
    "path", [*WORKFLOWS, *ACTIONS], ids=lambda path: path.parent.name if path.stem == "action" else path.stem
)


def test_there_are_workflows_that_deploy():
    assert {path.stem for path in WORKFLOWS} >= set(DEPLOYING)


@pytest.mark.parametrize("use", all_uses(), ids=lambda use: f"{use.place}-{use.action}")
def test_an_action_is_pinned_by_the_commit_of_the_tag_that_stands_beside_it(use):
    assert (use.tag, use.ref) == PINS[use.action], use


def test_every_pin_is_a_whole_commit_of_an_action_that_is_used():
    assert PINS.keys() == {use.action for use in all_uses()}
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for _, commit in PINS.values())


@every_file
def test_whatever_is_used_is_either_pinned_or_a_part_of_the_project(path):
    listed = sorted(f"{use.action}@{use.ref}" for use in workflow_files.uses(path))
    used = [step["uses"] for step in steps(path) if "uses" in step]

    assert sorted(name for name in used if not name.startswith("./")) == listed
    assert all((workflow_files.ROOT / name / "action.yml").is_file() for name in used if name.startswith("./"))


@pytest.mark.parametrize("use", all_uses(), ids=lambda use: f"{use.place}-{use.action}")
def test_each_action_has_a_stand_in_for_the_rehearsal_that_takes_the_same_inputs(use):
    known = read(stand_in(use) / "action.yml").get("inputs", {})
    given = {
        name
        for path in [*WORKFLOWS, *ACTIONS]
        for step in steps(path)
        if step.get("uses", "").startswith(f"{use.action}@")
        for name in step.get("with", {})
    }

    assert given <= set(known)


def test_an_action_without_a_stand_in_is_reported_by_its_place_and_its_name():
    with pytest.raises(
        AssertionError,
        match=r"x\.yml:7 uses somebody/something, .*write tests/rehearsal/actions/somebody/something/action\.yml",
    ):
        stand_in(Use("x.yml:7", "somebody/something", "0" * 40, "v1"))


@pytest.mark.parametrize(
    "path", sorted(workflow_files.STAND_INS.rglob("action.yml")), ids=lambda path: path.parent.name
)
def test_a_stand_in_says_at_its_head_what_it_does_instead(path):
    name = path.parent.relative_to(workflow_files.STAND_INS).as_posix()

    assert path.read_text(encoding="utf-8").startswith(f"# For {name}: ")
    assert name in {use.action for use in all_uses()}


def test_the_linter_of_the_workflows_is_installed_before_it_is_needed_on_github_and_on_a_clean_machine():
    (checks,) = (path for path in WORKFLOWS if path.stem == "checks")
    commands = [step["run"] for step in jobs(checks)["check"]["steps"] if "run" in step]
    clean_machine = (workflow_files.ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert commands == [f"go install {check.ACTIONLINT}", "make check"]
    assert f"go install {check.ACTIONLINT}\n" in clean_machine


@every_workflow
def test_a_workflow_has_no_rights_but_what_each_job_takes(path):
    assert read(path)["permissions"] == {}
    assert all("permissions" in job for job in jobs(path).values())
    assert all(
        "write" not in (job.get("permissions") or {}).values() or _writes_only_an_identity(job)
        for job in jobs(path).values()
    )


def _writes_only_an_identity(job):
    return [name for name, right in job["permissions"].items() if right == "write"] == ["id-token"]


@every_workflow
def test_what_a_workflow_asks_to_be_set_is_set_by_a_command_of_contributing(path):
    page = (workflow_files.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    asked = set(re.findall(r"\b(?:vars|secrets)\.([A-Z_]+)", path.read_text(encoding="utf-8")))

    assert asked <= set(re.findall(r"^gh (?:variable|secret) set ([A-Z_]+)", page, re.MULTILINE))


@every_workflow
def test_a_checkout_leaves_no_credentials_behind(path):
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith(f"{CHECKOUT}@")]

    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@every_workflow
def test_each_job_ends_after_a_time(path):
    assert all(0 < job["timeout-minutes"] <= 60 for job in jobs(path).values())


@every_workflow
def test_a_command_in_the_midst_of_a_pipe_that_fails_fails_its_step(path):
    # Without a shell's name GitHub starts `bash -e`; with it, `-o pipefail` as well.
    assert read(path)["defaults"]["run"]["shell"] == "bash"
    assert all(step.get("shell", "bash") == "bash" for step in steps(path))


@every_workflow
def test_a_workflow_knows_what_a_second_run_does(path):
    assert path.stem in read(path)["concurrency"]["group"]


@pytest.mark.parametrize("name", DEPLOYING)
def test_a_deploy_is_never_cancelled_half_way(name):
    (path,) = (path for path in WORKFLOWS if path.stem == name)

    cancelled = read(path)["concurrency"]["cancel-in-progress"]
    # A pull request publishes nothing: its older build may go.
    assert cancelled is False or cancelled == "${{ github.event_name == 'pull_request' }}"


def test_a_secret_that_is_compared_with_something_and_handed_on_all_the_same_is_not_taken_for_only_whether():
    assert ONLY_WHETHER.fullmatch("${{ secrets.TOKEN != '' }}")
    assert not ONLY_WHETHER.fullmatch("${{ vars.ROLE != '' && secrets.TOKEN || '' }}")


@every_file
def test_no_value_is_put_into_a_shells_text(path):
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@every_workflow
def test_a_secret_comes_into_no_environment_but_as_whether_it_is_set(path):
    content = read(path)
    environments = [
        content.get("env"),
        *(job.get("env") for job in jobs(path).values()),
        *(step.get("env") for step in steps(path)),
    ]
    values = [str(value) for environment in environments for value in (environment or {}).values()]

    secrets = [value for value in values if "secrets." in value and not ONLY_WHETHER.fullmatch(value)]
    assert all(set(re.findall(r"secrets\.(\w+)", value)) <= NO_SECRETS for value in secrets)


def test_of_a_report_only_what_was_looked_through_is_uploaded():
    (path,) = (path for path in ACTIONS if path.parent.name == "report")
    scan, upload = steps(path)

    assert scan["run"] == "python3 tools/publish_report.py reports"
    assert upload["with"]["path"] == "reports/published/"


def test_the_look_for_secrets_knows_all_that_a_reporting_job_has():
    reporting = [path for path in WORKFLOWS if any("actions/report" in step.get("uses", "") for step in steps(path))]
    named = set(re.findall(r"secrets\.(\w+)", "".join(path.read_text(encoding="utf-8") for path in reporting)))

    # The id of a key is found by its looks, a session's token comes from AWS.
    assert named - NO_SECRETS == {*secret_scan.SECRET_VARIABLES, "AWS_ACCESS_KEY_ID"} - {"AWS_SESSION_TOKEN"}


@every_workflow
def test_what_a_command_says_reaches_a_jobs_page_only_after_a_look_for_secrets(path):
    writing = [step["run"] for step in steps(path) if "GITHUB_STEP_SUMMARY" in step.get("run", "")]

    # What a workflow writes word by word has no secret.
    assert all("tools/fold_summary.py" in text or f"cat >> {PAGE} << END" in text for text in writing)
