import json

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.smoke import queue

PROMPTS = ("a quay at dawn", "a fjord at noon", "a hut at night")


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.on_sleep = lambda _now: None

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.on_sleep(self.now)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ask(workspace, clients, clock):
    def ask(*, required=False):
        return queue.check(
            workspace, clients, PROMPTS, "smoke-1", timeout_s=20, required=required, clock=clock, sleep=clock.sleep
        )

    return ask


def test_every_message_becomes_a_picture(ask, system):
    part = ask()

    assert {check.verdict for check in part.checks} == {Verdict.OK}
    assert [picture.prompt for picture in part.pictures] == list(PROMPTS)
    assert [json.loads(body)["id"] for body in system.sqs.bodies] == [f"smoke-1-queue-{n}" for n in (1, 2, 3)]


def test_the_time_in_the_queue_is_the_slowest_pictures(ask, system, clock, named):
    jobs = []
    system.worker = jobs.append
    clock.on_sleep = lambda now: [system.store(job) for job in jobs] if now >= 3 else None

    check = named(ask(), "queue: time from message to picture")

    assert (check.verdict, check.seconds) == (Verdict.OK, 3.0)
    assert check.detail.startswith("3.0 to 3.0 s")


def test_a_picture_that_never_comes_is_bad_when_the_time_is_up(ask, system, clock, named):
    system.worker = lambda job: None if job.id.endswith("2") else system.store(job)

    part = ask()

    assert clock.now == 20
    assert named(part, "queue: picture 1 of 3").verdict is Verdict.OK
    missing = named(part, "queue: picture 2 of 3")
    assert missing.verdict is Verdict.BAD
    assert "after 20 s" in missing.detail
    assert "/aws/lambda/couch-explorers-42-worker" in missing.detail
    assert len(part.pictures) == 2


def test_a_job_that_failed_tells_its_reason_and_ends_the_waiting(ask, system, clock, named):
    system.worker = lambda job: system.fail(job) if job.id.endswith("3") else system.store(job)

    part = ask()

    assert clock.now == 0
    failed = named(part, "queue: picture 3 of 3")
    assert failed.verdict is Verdict.BAD
    assert failed.detail.startswith("ContentFiltered: The prompt was blocked.")
    letters = named(part, "queue: no dead-letter messages")
    assert letters.verdict is Verdict.BAD
    assert letters.detail.startswith("1 more than before")


def test_dead_letters_that_lay_there_before_are_reported_but_not_blamed(ask, system, named):
    system.sqs.depth = 2

    check = named(ask(), "queue: no dead-letter messages")

    assert (check.verdict, check.detail) == (Verdict.OK, "2 lay there before, 2 do now.")


def test_an_older_picture_of_the_same_prompt_does_not_count(ask, system, named):
    store = system.store
    system.worker = lambda job: store(job, prompt="an older prompt")

    check = named(ask(), "queue: picture 1 of 3")

    assert check.verdict is Verdict.BAD
    assert "an older prompt" in check.detail


def test_a_queue_that_cannot_be_sent_to_is_bad_and_nobody_waits(ask, system, clock, named):
    def refuse(**_arguments):
        raise PermissionError("sqs:SendMessage")

    system.sqs.send_message = refuse

    part = ask()

    assert clock.now == 0
    sent = named(part, "queue: the messages are sent")
    assert (sent.verdict, sent.detail) == (Verdict.BAD, "PermissionError: sqs:SendMessage")


def test_a_bucket_that_cannot_be_listed_is_the_reason_in_every_row(ask, system, clock, named):
    def refuse(**_arguments):
        raise PermissionError("s3:ListBucket")

    system.s3.list_objects_v2 = refuse

    check = named(ask(), "queue: picture 1 of 3")

    assert check.verdict is Verdict.BAD
    assert check.detail == "The bucket could not be listed: PermissionError: s3:ListBucket"


def test_a_bucket_that_fails_once_is_looked_at_again(ask, system):
    listed, calls = system.s3.list_objects_v2, []

    def fail_once(**arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise ConnectionError("once")
        return listed(**arguments)

    system.s3.list_objects_v2 = fail_once

    assert {check.verdict for check in ask().checks} == {Verdict.OK}


@pytest.mark.parametrize(("required", "verdict"), [(False, Verdict.SKIPPED), (True, Verdict.BAD)])
def test_a_queue_that_is_not_deployed_is_skipped_by_name_unless_it_was_asked_for(ask, workspace, required, verdict):
    workspace.queue_url = None

    (check,) = ask(required=required).checks

    assert (check.name, check.verdict) == ("queue", verdict)
    assert "Terraform" in check.detail
    assert "couch up" in check.detail
