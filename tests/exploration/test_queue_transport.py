import json

import pytest
from botocore.exceptions import EndpointConnectionError

from couch_explorers.core import image_models, jobs
from couch_explorers.exploration import queue_transport
from couch_explorers.exploration.sweep_spec import picture_job
from tests.aws_fakes.validated import refusal
from tests.exploration.fleet import ARNS, QUEUE, Fleet, make_cells

UNREACHABLE = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.fixture
def fleet():
    return Fleet()


@pytest.fixture
def send(fleet):
    """Send jobs in one batch, without waiting; returns what was refused and which waits were asked for."""
    waits = []

    def send(cells, *, stopped=False):
        batch = {cell.id: queue_transport.message_for(cell.job) for cell in cells}
        return queue_transport.send_batch(fleet.sqs, QUEUE, batch, lambda seconds: waits.append(seconds) or stopped)

    send.waits = waits
    return send


@pytest.mark.parametrize("model", [arn.rsplit("/")[-1] for arn in ARNS])
def test_the_worker_reads_the_very_same_request_out_of_the_message(model):
    wanted = picture_job(image_models.get(model), "Nordlys 🏔️", seed=7, size="1024x1024", negative_prompt="fog")

    read = jobs.parse(queue_transport.message_for(wanted), fallback_id="other", model_arns=ARNS)

    assert (read.id, read.request, read.request_hash) == (wanted.id, wanted.request, wanted.request_hash)


def test_a_batch_holds_ten_messages_at_most():
    parted = list(queue_transport.message_batches((f"id-{number}", "body") for number in range(25)))

    assert [len(batch) for batch in parted] == [10, 10, 5]
    assert [job_id for batch in parted for job_id in batch] == [f"id-{number}" for number in range(25)]


def test_a_batch_holds_no_more_bytes_than_the_queue_takes():
    body = "å" * 50_000  # 100,000 bytes

    parted = list(queue_transport.message_batches((f"id-{number}", body) for number in range(5)))

    assert [len(batch) for batch in parted] == [2, 2, 1]


def test_no_jobs_make_no_batch():
    assert list(queue_transport.message_batches([])) == []


def test_a_batch_that_sqs_takes_is_sent_once(fleet, send):
    cells = make_cells(10)

    assert send(cells) == {}
    assert fleet.served == [cell.id for cell in cells]
    assert send.waits == []


def test_entries_that_sqs_reports_as_failed_are_sent_again_alone(fleet, send):
    cells = make_cells(10)
    tries = []

    def refuse(entry):
        tries.append(entry["Id"])
        if tries.count(entry["Id"]) < 3 and entry["Id"] in (cells[2].id, cells[5].id):
            return {"Code": "InternalError", "SenderFault": False, "Message": ""}
        return None

    fleet.sqs.refuse = refuse

    assert send(cells) == {}
    assert [len(entries) for entries in fleet.sqs.batches] == [10, 2, 2]
    assert sorted(fleet.served) == sorted(cell.id for cell in cells)
    assert send.waits == [1, 2]


def test_an_entry_that_keeps_failing_is_reported_with_the_message_of_sqs(fleet, send):
    cells = make_cells(3)
    fleet.sqs.refuse = lambda entry: (
        {"Code": "InternalError", "SenderFault": False, "Message": "Try again"} if entry["Id"] == cells[1].id else None
    )

    refused = send(cells)

    assert list(refused) == [cells[1].id]
    assert refused[cells[1].id].startswith("Queue: SQS did not take the job (InternalError: Try again)")
    assert send.waits == list(queue_transport.RETRY_WAITS_S)


def test_an_entry_that_is_wrong_is_not_sent_again(fleet, send):
    fleet.sqs.refuse = lambda entry: {"Code": "InvalidMessageContents", "SenderFault": True, "Message": ""}

    refused = send(make_cells(1))

    assert "InvalidMessageContents" in next(iter(refused.values()))
    assert len(fleet.sqs.batches) == 1


def test_a_call_that_one_message_spoils_is_made_for_each_alone(fleet, send):
    cells = make_cells(3)
    fleet.sqs.failures["send"] = [refusal("InvalidMessageContents", 400)]
    fleet.sqs.refuse = lambda entry: (
        {"Code": "InvalidMessageContents", "SenderFault": True} if entry["Id"] == cells[0].id else None
    )

    assert list(send(cells)) == [cells[0].id]
    assert fleet.served == [cell.id for cell in cells[1:]]


@pytest.mark.parametrize(
    "failure",
    [refusal("RequestThrottled", 403), refusal("Any", 429), refusal("ServiceUnavailable", 503), UNREACHABLE],
)
def test_a_call_that_fails_in_passing_is_made_again(fleet, send, failure):
    fleet.sqs.failures["send"] = [failure, failure]

    assert send(make_cells(2)) == {}
    assert len(fleet.served) == 2
    assert send.waits == [1, 2]


@pytest.mark.parametrize("code", ["AccessDenied", "AWS.SimpleQueueService.NonExistentQueue"])
def test_a_call_that_is_refused_for_good_is_not_made_again(fleet, send, code):
    fleet.sqs.failures["send"] = [refusal(code, 400)] * 2

    refused = send(make_cells(2))

    assert len(refused) == 2
    assert all(code in reason for reason in refused.values())
    assert len(fleet.sqs.failures["send"]) == 1


def test_nothing_is_tried_again_once_the_run_is_stopped(fleet, send):
    fleet.sqs.failures["send"] = [UNREACHABLE] * 9

    refused = send(make_cells(2), stopped=True)

    assert len(refused) == 2
    assert "cannot be reached" in next(iter(refused.values()))
    assert len(fleet.sqs.failures["send"]) == 8


def test_a_message_gives_the_worker_no_parameter_that_the_model_lacks():
    body = json.loads(queue_transport.message_for(make_cells(1)[0].job))

    assert set(body) == {"id", "model", "prompt", "seed", "size"}
