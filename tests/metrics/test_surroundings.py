import json
from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import series, surroundings
from couch_explorers.metrics.facts import API_FUNCTION, DEAD_LETTERS, QUEUE, WORKER, Window
from tests.metrics.believable import NAMES
from tests.metrics.fake_aws import alarm, client_error, function, workspace_of

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS = (Window("now", NOW - DAY, NOW), Window("before", NOW - 2 * DAY, NOW - DAY))


@pytest.fixture
def look(aws, workspace):
    def at(workspace=workspace, windows=WINDOWS, now=NOW):
        names = series.Names.of(workspace)
        return surroundings.look(workspace, names, surroundings.Clients.of(workspace), windows, now)

    return at


def test_everything_around_the_points_is_found(aws, look):
    aws.alarms = [alarm("oldest-message-age"), alarm("dead-letters", threshold=0.0)]
    aws.changes = {
        "couch-explorers-42-dead-letters": [
            (NOW - timedelta(hours=2), "OK", "ALARM"),
            (NOW - timedelta(hours=1), "ALARM", "OK"),
        ]
    }
    aws.log_pages = {
        NAMES.worker: [["REPORT RequestId: 1\tDuration: 5 ms\tBilled Duration: 6 ms\tMemory Size: 512 MB\t"]]
    }

    found = look()

    assert [each.short_name for each in found.alarms] == ["dead-letters", "oldest-message-age"]
    assert found.alarms[0].rang == ((NOW - timedelta(hours=2), NOW - timedelta(hours=1)),)
    assert [(each.resource, each.maximum_concurrency) for each in found.functions] == [
        (WORKER, 8),
        (API_FUNCTION, None),
    ]
    assert [each.reports for each in found.logs] == [1, 0]
    assert (found.unanswered, found.notes, found.missing) == ({}, (), frozenset())


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("DescribeAlarms", "cloudwatch:DescribeAlarms"),
        ("DescribeAlarmHistory", "cloudwatch:DescribeAlarmHistory"),
        ("GetFunction", "lambda:GetFunction"),
        ("ListEventSourceMappings", "lambda:ListEventSourceMappings"),
        ("FilterLogEvents", "logs:FilterLogEvents"),
        ("GetQueueUrl", "sqs:GetQueueUrl"),
    ],
)
def test_a_missing_right_takes_away_only_its_own_part_and_is_named(aws, look, operation, action):
    aws.alarms = [alarm("dead-letters")]
    aws.errors[operation] = client_error("AccessDeniedException", "not authorized", operation, 403)

    found = look()

    assert list(found.unanswered) == [action]
    assert found.unanswered[action].startswith("No right to ")
    assert found.unanswered[action].endswith(f"allow {action}.")
    assert bool(found.alarms) == (operation != "DescribeAlarms")
    assert bool(found.functions) == (operation != "GetFunction")
    assert bool(found.logs) == (operation != "FilterLogEvents")
    # Whoever may not ask does not know that a part is missing.
    assert found.missing == frozenset()


def test_a_throttled_or_failing_service_is_left_out_with_a_sentence(aws, look):
    aws.errors["DescribeAlarms"] = client_error("Throttling", "Rate exceeded", "DescribeAlarms")
    aws.errors["FilterLogEvents"] = client_error("ServiceUnavailableException", "Try later.", "FilterLogEvents", 503)

    found = look()

    assert "asked too often just now to read the alarms" in found.unanswered["cloudwatch:DescribeAlarms"]
    assert found.unanswered["logs:FilterLogEvents"].endswith("(logs:FilterLogEvents): Try later.")


def test_a_part_that_is_named_but_not_there_is_missing(aws, look):
    del aws.functions[NAMES.worker]
    aws.queues.remove(NAMES.dead_letters)

    found = look()

    assert found.missing == {WORKER, DEAD_LETTERS}
    assert [each.resource for each in found.functions] == [API_FUNCTION]


def test_what_is_not_deployed_is_not_asked_for(aws, look):
    workspace = workspace_of(aws, queue_url=None, dead_letter_url=None, functions={"api": NAMES.api_function})

    found = look(workspace)

    assert [each.resource for each in found.functions] == [API_FUNCTION]
    assert aws.calls("GetQueueUrl") == aws.calls("ListEventSourceMappings") == []
    assert QUEUE not in found.missing


def test_logs_that_were_cut_off_are_told(aws, look):
    aws.log_pages = {NAMES.worker: [["REPORT RequestId: 1\tDuration: 5 ms"]] * 20}

    found = look()

    assert found.logs[0].complete is False
    assert found.notes == ("Not all log lines of the worker were read: its figures are those of 12 runs.",)


def test_alarms_of_long_ago_have_lost_their_history_and_that_is_told(look):
    long_ago = NOW - 40 * DAY

    assert "what an alarm did for 30 days" in look(windows=(Window("now", long_ago, long_ago + DAY),)).notes[0]


def test_on_aws_the_functions_tell_the_deploys_of_the_windows(aws, look):
    aws.functions = {
        NAMES.worker: function(NAMES.worker, "2026-11-24T23:51:07.000+0000", commit="ab12cd3"),
        NAMES.api_function: function(NAMES.api_function, "2026-11-01T10:00:00.000+0000"),
    }

    found = look()

    assert [(deploy.resources, deploy.commit) for deploy in found.deploys] == [((WORKER,), "ab12cd3")]
    assert found.functions[0].updated == datetime(2026, 11, 24, 23, 51, 7, tzinfo=UTC)


def test_on_the_local_cloud_couch_ups_note_tells_the_deploys(aws, look, tmp_path):
    notes = [
        {"time": "2026-11-24T20:00:00+00:00", "parts": ["api", "queue"], "commit": "1111111"},
        {"time": "2026-11-25T01:00:00+00:00", "parts": ["queue"], "commit": "2222222+"},
        {"time": "2026-10-01T01:00:00+00:00", "parts": ["queue"], "commit": "0000000"},
    ]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "deployment.json").write_text(json.dumps({"deploys": notes}), encoding="utf-8")

    found = look(workspace_of(aws, target="local"))

    assert [(deploy.resources, deploy.commit) for deploy in found.deploys] == [
        ((API_FUNCTION, WORKER), "1111111"),
        ((WORKER,), "2222222+"),
    ]
    assert {each.resource: each.commit for each in found.functions} == {WORKER: "2222222+", API_FUNCTION: "1111111"}
