"""From a held-up worker to the e-mail on somebody's desk, and back: the alarms of infra/ in the real minutes of a local cloud.

What rings when follows "Using Amazon CloudWatch alarms"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html) and "Available CloudWatch metrics
for Amazon SQS"
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html).
"""

import pytest

from couch_explorers.local import mailbox
from couch_explorers.paths import Home
from tests.waiting import wait_until

from .conftest import connected, fresh_cloud

# Seconds. The age alarm rings at five time-outs.
WORKER_TIMEOUT_S = 10
# The models take so long that eight workers need two minutes for these jobs: longer than the alarm's 50 s and a minute.
LATENCY_S, JOBS = 6, 160
# A metric is published each minute and evaluated with it; a second minute may begin before the first is over.
TWO_MINUTES_S = 150


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with fresh_cloud(tmp_path_factory, worker_timeout_s=WORKER_TIMEOUT_S) as cloud:
        cloud.up()
        yield cloud


@pytest.fixture(scope="module")
def workspace(cloud):
    with connected(cloud) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def trouble(cloud, workspace):
    """A job that the models refuse, and more jobs than a held-up worker can serve."""
    cloud.couch("faults", f"latency={LATENCY_S}")
    cloud.send(workspace, "blocked-word on a beach", id="poison")
    for number in range(JOBS):
        cloud.send(workspace, "A lighthouse above the clouds", id=f"held-up-{number}", size="512x512")


@pytest.fixture
def mail(cloud):
    """The newest e-mail of an alarm, once it tells of a state: a new alarm's first OK is mailed too, as on AWS."""

    def found(state, alarm):
        mails = [one for one in mailbox.read_mails(Home(cloud.home)) if alarm in one.subject]
        return mails[-1] if mails and mails[-1].subject.startswith(state) else None

    return lambda state, alarm: wait_until(
        lambda: found(state, alarm), within_s=TWO_MINUTES_S, what=f"the {state} e-mail of {alarm}"
    )


def test_before_any_trouble_the_review_finds_a_service_that_nobody_used_healthy(cloud, tmp_path):
    reviewed = cloud.couch("run", "metric_review", "-p", "hours", "1", "-p", "fail_on", "WARN", "--out", str(tmp_path))

    assert "metric_review passed" in reviewed.stdout


def test_a_prompt_that_the_model_refuses_rings_for_a_dead_letter_and_says_where_to_look(trouble, mail):
    rang = mail("ALARM", "couch-explorers-42-dead-letters")

    assert rang.to == "standup@couch-explorers.example"
    assert "read the attributes reason and detail" in one_line(rang.body)
    assert "ApproximateNumberOfMessagesVisible" in rang.body
    assert "was greater than the threshold (0.0)" in one_line(rang.body)


def test_a_held_up_jobs_story_tells_that_it_still_waits(trouble, cloud):
    assert "waits in the queue for a worker" in cloud.couch("job", f"held-up-{JOBS - 1}").stdout


def test_a_job_that_failed_for_good_rings_by_the_workers_own_metric(trouble, mail):
    rang = mail("ALARM", "couch-explorers-42-failed-jobs")

    assert "FailedJobs" in rang.body
    assert "ContentFiltered" in rang.body


def test_a_held_up_worker_lets_the_age_grow_until_the_alarm_rings(trouble, mail):
    rang = mail("ALARM", "couch-explorers-42-oldest-message-age")

    assert f"was greater than the threshold ({5 * WORKER_TIMEOUT_S}.0)" in one_line(rang.body)
    assert f"A job has waited for more than {5 * WORKER_TIMEOUT_S} s" in one_line(rang.body)


def test_the_inbox_shows_the_mail_to_whoever_asks(trouble, mail, cloud):
    mail("ALARM", "couch-explorers-42-oldest-message-age")

    shown = cloud.couch("emails").stdout

    assert 'ALARM: "couch-explorers-42-oldest-message-age" in EU (Ireland)' in shown
    # An ARN and a link, such as the one that ends the subscription, are not cut: they can be copied.
    assert all(len(line) <= 80 for line in shown.splitlines() if "arn:" not in line and "://" not in line)


def test_the_dead_letter_is_shown_with_its_reason_and_not_sent_to_fail_again(trouble, cloud):
    done = cloud.couch("redrive", check=False)

    assert "poison" in done.stdout
    assert "ContentFiltered" in done.stdout
    assert "--force" in done.stdout


def test_once_the_cause_is_gone_the_queue_drains_and_the_alarms_say_ok(trouble, cloud, workspace, mail, waiting):
    cloud.couch("faults", "clear")

    wait_until(lambda: waiting() == 0, within_s=120, what="the empty queue")
    # Only now: on a busy machine calls time out, and their jobs may have come to the dead-letter queue until here.
    empty(workspace.client("sqs"), workspace.dead_letter_url)
    over = mail("OK", "couch-explorers-42-oldest-message-age")

    assert f"was not greater than the threshold ({5 * WORKER_TIMEOUT_S}.0)" in one_line(over.body)
    assert mail("OK", "couch-explorers-42-dead-letters")
    assert mail("OK", "couch-explorers-42-failed-jobs")
    assert "is painted" in cloud.couch("job", f"held-up-{JOBS - 1}").stdout


@pytest.fixture
def waiting(workspace):
    """How many jobs the queue still holds, in whatever state."""
    names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]

    def count():
        answer = workspace.client("sqs").get_queue_attributes(QueueUrl=workspace.queue_url, AttributeNames=names)
        return sum(int(value) for value in answer["Attributes"].values())

    return count


def empty(sqs, url):
    """Delete all messages of a queue, as the operator may: to purge it is the owner's."""
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def one_line(text):
    """A text without the breaks that fit it into a letter."""
    return " ".join(text.split())
