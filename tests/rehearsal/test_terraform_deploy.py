"""The real terraform_deploy.yml, first on a branch and then on main, and a review of what it deployed by the real metric_review.yml."""

import json
from dataclasses import replace

import pytest

from couch_explorers.aws import PICTURE_BUCKET, STATE_BUCKET
from couch_explorers.local import terraform
from tests.waiting import wait_until

from .contributing import take_down
from .stage import MODELS, VARIABLES, for_terraform, missing

MISSING = missing("terraform")
pytestmark = [pytest.mark.end_to_end, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

STATE = "42/couch-explorers.tfstate"
ADDRESS = VARIABLES["ALARM_EMAIL"]
LOCK = f"{STATE}.tflock"
WAITING = "Acquiring state lock"
# What Terraform itself writes into the bucket while it applies.
HELD = {
    "ID": "0d1c3b5a-0000-4000-8000-000000000000",
    "Operation": "OperationTypeApply",
    "Who": "somebody@elsewhere",
    "Version": "1.11.4",
    "Created": "2026-11-01T12:00:00Z",
    "Path": f"{STATE_BUCKET}/{STATE}",
}
SET_UP = ("actions/checkout", "Is everything set?", "./.github/actions/workspace", "hashicorp/setup-terraform")
PLANNED = (*SET_UP, "aws-actions/configure-aws-credentials", "Build the worker's archive", "Plan", "Show the plan")
KINDS = ("ipynb", "html", "json")


@pytest.fixture(scope="module")
def stage(stage_on_cloud):
    try:
        stage_on_cloud.environment = for_terraform()
    except terraform.TerraformError as error:
        pytest.skip(str(error))
    return stage_on_cloud


@pytest.fixture(scope="module")
def planned(stage, session):
    """The workflow on a branch, while somebody else holds the state's lock until this one is seen to wait for it."""
    s3 = session.client("s3")
    s3.put_object(Bucket=STATE_BUCKET, Key=LOCK, Body=json.dumps(HELD).encode())

    def let_go(line):
        if WAITING in line:
            s3.delete_object(Bucket=STATE_BUCKET, Key=LOCK)

    with stage.branch("another-threshold"):
        return stage.rehearse("terraform_deploy", watch=let_go)


@pytest.fixture(scope="module")
def found_after_the_plan(planned, session):
    """What is on the cloud after the plan: no queue, no function, no topic, no alarm, no object."""
    return [
        *session.client("sqs").list_queues().get("QueueUrls", []),
        *session.client("lambda").list_functions()["Functions"],
        *session.client("sns").list_topics()["Topics"],
        *session.client("cloudwatch").describe_alarms()["MetricAlarms"],
        *keys(session, STATE_BUCKET),
        *keys(session, PICTURE_BUCKET),
    ]


@pytest.fixture(scope="module")
def applied(found_after_the_plan, stage):
    """The workflow on main, where the address of the alarms is stored as a secret."""
    stored = {"ALARM_EMAIL": ADDRESS}
    others = {name: value for name, value in stage.variables.items() if name not in stored}
    return replace(stage, variables=others, secrets=stage.secrets | stored).rehearse("terraform_deploy")


@pytest.fixture(scope="module")
def reviewed(applied, stage):
    """A review before the standup, asked for by nobody."""
    return stage.rehearse("metric_review", "schedule")


@pytest.fixture(scope="module")
def leaking(applied, stage):
    """A review, asked for by hand, by a notebook that prints a secret of its environment."""
    leak = "\"import os; print(os.environ['AWS_SECRET_ACCESS_KEY'])\\n\",\n    "
    first = '"from couch_explorers import'
    with stage.changed("notebooks/metric_review.ipynb", first, leak + first):
        return stage.rehearse("metric_review", "workflow_dispatch", "--input", "hours=6")


@pytest.fixture(scope="module")
def bad(leaking, stage, session):
    """A review before the standup when a job was given up on in the night, and its alarm rings."""
    sqs, cloudwatch = session.client("sqs"), session.client("cloudwatch")
    (url,) = sqs.list_queues(QueueNamePrefix="couch-explorers-42-jobs-dead-letter")["QueueUrls"]
    sqs.send_message(QueueUrl=url, MessageBody="A jeep on the savanna")
    # The cloud looks at its queues once a minute, as SQS does, and an alarm once a minute at that.
    wait_until(
        lambda: cloudwatch.describe_alarms(AlarmNames=["couch-explorers-42-dead-letters"], StateValue="ALARM")[
            "MetricAlarms"
        ],
        within_s=180,
        what="the alarm of the dead-letter queue",
    )
    return stage.rehearse("metric_review", "schedule")


@pytest.fixture(scope="module")
def taken_down(bad, stage):
    """The commands that take the queue down, in a fresh clone."""
    stage.enter(take_down("python tools/stage_lambda.py", "  -var candidate"), answers="yes\n")


def keys(session, bucket):
    return [item["Key"] for item in session.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]


def parameters_of_review(rehearsal):
    report = rehearsal.artifacts / "metric_review" / "metric_review.json"
    return json.loads(report.read_text(encoding="utf-8"))["parameters"]


def test_on_a_branch_the_workflow_only_plans(planned):
    assert planned.exit_code == 0, planned.log[-4000:]
    assert planned.ran() == dict.fromkeys(PLANNED, "success")


def test_a_plan_makes_nothing(found_after_the_plan):
    assert found_after_the_plan == []


def test_a_plan_waits_for_whoever_holds_the_states_lock(planned):
    assert WAITING in planned.log


def test_the_page_of_a_branch_shows_the_plan_and_nothing_is_uploaded(planned, same_summary):
    assert planned.uploaded() == set()
    same_summary(planned, "terraform_plan")


def test_a_plan_tells_nobody_where_the_alarms_go(planned):
    assert "(sensitive value)" in planned.summary
    assert ADDRESS not in planned.summary + planned.log


def test_the_alarms_go_to_the_address_although_it_is_stored_as_a_secret(applied, session):
    sns = session.client("sns")
    (topic,) = sns.list_topics()["Topics"]

    assert [
        each["Endpoint"] for each in sns.list_subscriptions_by_topic(TopicArn=topic["TopicArn"])["Subscriptions"]
    ] == [ADDRESS]


def test_on_main_the_plan_is_applied_and_judged(applied):
    assert applied.ran() == dict.fromkeys(
        (*PLANNED, "Apply that plan", "Does it work?", "Is it healthy?", "Report"), "success"
    ), applied.log[-4000:]
    assert applied.exit_code == 0


def test_after_an_apply_the_state_is_kept_and_its_lock_is_gone(applied, session):
    assert keys(session, STATE_BUCKET) == [STATE]


def test_the_worker_tells_the_commit_that_it_came_from(applied, session, stage):
    worker = session.client("lambda").get_function(FunctionName="couch-explorers-42-worker")

    assert worker["Tags"]["commit"] == stage.git("rev-parse", "HEAD")[:7]


def test_every_model_that_is_named_may_be_used_whatever_blanks_stand_between(applied, session):
    function = session.client("lambda").get_function_configuration(FunctionName="couch-explorers-42-worker")

    assert function["Environment"]["Variables"]["MODEL_ARNS"] == ",".join(MODELS)


def test_the_queue_that_was_applied_painted_its_pictures(applied, session):
    queues = session.client("sqs").list_queues()["QueueUrls"]

    assert sorted(url.rpartition("/")[2] for url in queues) == [
        "couch-explorers-42-jobs",
        "couch-explorers-42-jobs-dead-letter",
    ]
    assert len([key for key in keys(session, PICTURE_BUCKET) if key.startswith("42/smoke-")]) == 3


def test_the_reports_of_both_notebooks_are_kept(applied):
    reports = {f"terraform_deploy/{notebook}.{kind}" for notebook in ("smoke_test", "metric_review") for kind in KINDS}

    assert applied.uploaded() >= {*reports, "terraform_deploy/summary.md"}


def test_the_page_of_main_shows_the_plan_and_both_verdicts(applied, same_summary):
    same_summary(applied, "terraform_deploy")


def test_the_review_before_the_standup_looks_back_a_day_and_fails_on_what_is_bad(reviewed):
    assert reviewed.exit_code == 0, reviewed.log[-4000:]
    assert parameters_of_review(reviewed)["hours"] == 24.0
    assert parameters_of_review(reviewed)["fail_on"] == "BAD"


def test_the_page_of_the_review_before_the_standup_shows_its_verdicts(reviewed, same_summary):
    same_summary(reviewed, "metric_review")


def test_a_report_that_holds_a_secret_is_withheld_and_the_job_fails(leaking):
    assert leaking.exit_code == 1
    assert leaking.ran()["Report"] == "failure"
    for kind in ("ipynb", "html"):
        assert f"metric_review.{kind} held the value of AWS_SECRET_ACCESS_KEY and is not shown." in leaking.log
        assert f"metric_review/metric_review.{kind}" not in leaking.uploaded()


def test_what_is_uploaded_beside_a_withheld_report_holds_no_secret(leaking, stage):
    secret = stage.secrets["AWS_SECRET_ACCESS_KEY"]

    assert "metric_review/summary.md" in leaking.uploaded()
    assert secret not in leaking.summary
    for name in leaking.uploaded():
        assert secret.encode() not in (leaking.artifacts / name).read_bytes()


def test_a_review_that_is_asked_for_by_hand_looks_back_as_far_as_it_was_told(leaking):
    assert parameters_of_review(leaking)["hours"] == 6.0


def test_a_review_that_finds_something_bad_fails_its_job_and_its_report_is_kept(bad):
    assert bad.exit_code == 1
    assert (bad.ran()["Review"], bad.ran()["Report"]) == ("failure", "success")
    assert bad.uploaded() >= {*(f"metric_review/metric_review.{kind}" for kind in KINDS), "metric_review/summary.md"}


def test_the_page_of_a_review_says_what_is_bad(bad, same_summary):
    same_summary(bad, "metric_review_bad")


def test_the_commands_that_take_the_queue_down_do_so_in_a_fresh_clone(taken_down, session):
    assert session.client("sqs").list_queues().get("QueueUrls", []) == []
    assert session.client("lambda").list_functions()["Functions"] == []
    assert session.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
