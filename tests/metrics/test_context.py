import json
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from couch_explorers.metrics import context, series
from couch_explorers.metrics.model import (
    API_FUNCTION,
    DEAD_LETTERS,
    QUEUE,
    WORKER,
    Alarm,
    Deploy,
    FunctionConfiguration,
    Points,
    Window,
)
from couch_explorers.paths import Home
from tests.aws_fakes.monitored import alarm, client_error, function, workspace_of
from tests.metrics.believable import NAMES

NOW = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOWS = (Window("now", NOW - DAY, NOW), Window("before", NOW - 2 * DAY, NOW - DAY))


@pytest.fixture
def look(aws, workspace):
    def at(workspace=workspace, windows=WINDOWS, now=NOW):
        names = series.Names.of(workspace)
        clients = context.Clients.of(workspace)
        functions = context.read_functions(clients.functions, names)
        return context.load(workspace, names, clients, windows, now, functions)

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
    assert found.alarms[0].alarm_intervals == ((NOW - timedelta(hours=2), NOW - timedelta(hours=1)),)
    assert [(each.resource, each.maximum_concurrency) for each in found.functions] == [
        (WORKER, 8),
        (API_FUNCTION, None),
    ]
    assert [each.reports for each in found.logs] == [1, 0]
    assert (found.error_notes, found.notes, found.missing) == ({}, (), frozenset())


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

    assert list(found.error_notes) == [action]
    assert found.error_notes[action].startswith("No right to ")
    assert found.error_notes[action].endswith(f"allow {action}.")
    assert bool(found.alarms) == (operation != "DescribeAlarms")
    assert bool(found.functions) == (operation != "GetFunction")
    assert bool(found.logs) == (operation != "FilterLogEvents")
    # Anyone who may not ask does not know that a part is missing.
    assert found.missing == frozenset()


def test_a_throttled_or_failing_service_is_left_out_with_a_sentence(aws, look):
    aws.errors["DescribeAlarms"] = client_error("Throttling", "Rate exceeded", "DescribeAlarms")
    aws.errors["FilterLogEvents"] = client_error("ServiceUnavailableException", "Try later.", "FilterLogEvents", 500)

    found = look()

    assert "throttled the attempt to read the alarms" in found.error_notes["cloudwatch:DescribeAlarms"]
    assert found.error_notes["logs:FilterLogEvents"].endswith("(logs:FilterLogEvents): Try later.")


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


def test_logs_that_were_cut_off_are_reported(aws, look):
    aws.log_pages = {NAMES.worker: [["REPORT RequestId: 1\tDuration: 5 ms"]] * 20}

    found = look()

    assert found.logs[0].complete is False
    assert found.notes == ("Not all log lines of the worker were read: its figures are those of 12 runs.",)


def test_alarms_of_long_ago_have_lost_their_history_and_a_note_says_so(look):
    long_ago = NOW - 40 * DAY

    assert "the history of an alarm for 30 days" in look(windows=(Window("now", long_ago, long_ago + DAY),)).notes[0]


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


END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
START = END - timedelta(hours=24)
WINDOW = Window("now", START, END)


def at(hour):
    return START + timedelta(hours=hour)


def rang(*changes, state="OK", since=None):
    standing = Alarm("couch-explorers-42-dead-letters", "dead-letters", 0.0, state, "", since, 60)
    return list(context.alarm_intervals([(at(hour), old, new) for hour, old, new in changes], standing, WINDOW))


def test_an_alarm_rang_from_its_change_to_alarm_until_its_change_back():
    changes = (2, "OK", "ALARM"), (3, "ALARM", "OK"), (5, "OK", "ALARM"), (6, "ALARM", "INSUFFICIENT_DATA")

    assert rang(*changes) == [(at(2), at(3)), (at(5), at(6))]


def test_an_alarm_that_still_rings_rang_until_the_windows_end():
    assert rang((20, "OK", "ALARM"), state="ALARM") == [(at(20), END)]


def test_an_alarm_that_rang_already_rang_from_the_windows_start():
    assert rang((1, "ALARM", "OK")) == [(START, at(1))]


def test_an_alarm_that_has_rung_all_the_time_has_no_change_to_show():
    assert rang(state="ALARM", since=START - timedelta(days=3)) == [(START, END)]


def test_an_alarm_that_began_to_ring_after_a_past_window_did_not_ring_in_it():
    assert rang((30, "OK", "ALARM"), state="ALARM") == []
    assert rang(state="ALARM", since=END + timedelta(hours=2)) == []


def test_a_change_after_a_past_window_tells_how_the_alarm_stood_at_its_end():
    assert rang((23, "OK", "ALARM"), (30, "ALARM", "OK")) == [(at(23), END)]
    assert rang((30, "ALARM", "OK")) == [(START, END)]


def test_a_quiet_alarm_did_not_ring():
    assert rang() == []
    assert rang((3, "INSUFFICIENT_DATA", "OK")) == []


def test_an_alarm_is_read_with_its_threshold_and_its_short_name(aws):
    since = datetime(2026, 11, 25, 7, tzinfo=UTC)
    ours = alarm("oldest-message-age", threshold=300.0, state="ALARM", since=since)
    aws.alarms = [ours | {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}, {"AlarmName": "another"}]

    (found,) = context.read_alarms(aws.client("cloudwatch"), "42")

    assert (found.short_name, found.threshold, found.state, found.since) == (
        "oldest-message-age",
        300.0,
        "ALARM",
        since,
    )
    assert (found.period_s, found.actions_enabled) == (60, True)
    assert found.comparison == "GreaterThanOrEqualToThreshold"


def test_an_alarm_on_a_band_has_no_threshold_that_anything_could_cross(aws):
    band = alarm("latency-band") | {"ComparisonOperator": "GreaterThanUpperThreshold"}
    del band["Threshold"]
    aws.alarms = [band]

    (found,) = context.read_alarms(aws.client("cloudwatch"), "42")

    assert not found.line.is_breached_by(1e9)


def test_the_history_is_asked_for_one_alarm_from_the_windows_start(aws):
    aws.alarms = [alarm("dead-letters")]
    aws.changes = {
        "couch-explorers-42-dead-letters": [(at(-5), "OK", "ALARM"), (at(1), "ALARM", "OK"), (at(2), "OK", "ALARM")]
    }
    (found,) = context.read_alarms(aws.client("cloudwatch"), "42")

    found = context.with_history(aws.client("cloudwatch"), found, WINDOW)

    assert found.alarm_intervals == ((START, at(1)), (at(2), END))
    (asked,) = aws.calls("DescribeAlarmHistory")
    assert (asked["AlarmName"], asked["StartDate"]) == ("couch-explorers-42-dead-letters", START)


@pytest.mark.parametrize("data", ["", "no json", "{}", '{"oldState": 1}'])
def test_a_change_whose_data_cannot_be_read_is_taken_from_its_summary(data):
    item = {"Timestamp": at(1), "HistorySummary": "Alarm updated from OK to ALARM", "HistoryData": data}

    assert context.read_state_change(item) == (at(1), "OK", "ALARM")
    assert context.read_state_change(item | {"HistorySummary": "Something else"}) is None


NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def recorded(tmp_path, content):
    home = Home(tmp_path)
    home.deployment_file.write_text(json.dumps(content), encoding="utf-8")
    return context.recorded_deploys(home)


def changed(resource, minutes, commit=""):
    return FunctionConfiguration(resource, resource, 60.0, 512, NOON + timedelta(minutes=minutes), commit)


def test_the_notes_of_couch_up_are_deploys_oldest_first(tmp_path):
    found = recorded(
        tmp_path,
        {
            "deploys": [
                {"time": "2026-11-25T14:00:00+01:00", "parts": ["queue"], "commit": "b"},
                {"time": "2026-11-25T12:00:00+00:00", "parts": ["api", "queue"], "commit": "a"},
            ]
        },
    )

    assert found == (
        Deploy(NOON, (API_FUNCTION, WORKER), "a"),
        Deploy(NOON + timedelta(hours=1), (WORKER,), "b"),
    )


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"deploys": [None, {}, {"time": "noon", "parts": []}, {"time": "2026-11-25T12:00:00", "parts": ["api"]}]},
    ],
)
def test_notes_that_cannot_be_read_are_left_out(tmp_path, content):
    assert recorded(tmp_path, content) == ()


def test_without_a_local_cloud_there_are_no_notes(tmp_path):
    assert context.recorded_deploys(Home(tmp_path / "nothing")) == ()


def test_functions_that_changed_together_are_one_deploy():
    found = context.deploys_from_functions([changed(API_FUNCTION, 4, "a"), changed(WORKER, 0, "a")])

    assert found == (Deploy(NOON, (WORKER, API_FUNCTION), "a"),)


def test_functions_of_which_one_names_no_commit_are_one_deploy_if_they_changed_together():
    expected = Deploy(NOON, (WORKER, API_FUNCTION), "a")

    assert context.deploys_from_functions([changed(WORKER, 0), changed(API_FUNCTION, 4, "a")]) == (expected,)
    assert context.deploys_from_functions([changed(WORKER, 0, "a"), changed(API_FUNCTION, 4)]) == (expected,)


def test_functions_that_changed_apart_or_from_other_commits_are_two():
    assert len(context.deploys_from_functions([changed(WORKER, 0, "a"), changed(API_FUNCTION, 4, "b")])) == 2
    assert len(context.deploys_from_functions([changed(WORKER, 0), changed(API_FUNCTION, 11)])) == 2
    assert context.deploys_from_functions([FunctionConfiguration(WORKER, "w", 60.0, 512)]) == ()


def test_only_deploys_inside_a_window_are_kept():
    windows = (Window("now", NOON, NOON + timedelta(hours=1)), Window("before", NOON - timedelta(hours=2), NOON))
    deploys = [Deploy(NOON + timedelta(hours=hours), (WORKER,)) for hours in (1, 0.5, -1, -3)]

    kept = context.deploys_inside(deploys, windows)

    assert [deploy.time for deploy in kept] == [NOON - timedelta(hours=1), NOON + timedelta(hours=0.5)]


def read(aws):
    return context.read_function(aws.client("lambda"), WORKER, NAMES.worker)


def test_a_function_is_read_with_its_limits_its_change_and_its_commit(aws):
    aws.functions[NAMES.worker] = function(NAMES.worker, "2026-11-24T23:51:07.120+0000", commit="ab12cd3")

    found = read(aws)

    assert (found.timeout_s, found.memory_mb, found.commit) == (60.0, 512, "ab12cd3")
    assert found.updated == datetime(2026, 11, 24, 23, 51, 7, 120_000, tzinfo=UTC)


def test_a_function_without_tags_or_a_readable_time_is_read_all_the_same(aws):
    aws.functions[NAMES.worker] = function(NAMES.worker, "yesterday")

    found = read(aws)

    assert (found.updated, found.commit) == (None, "")


def test_a_function_that_is_not_there_is_none(aws):
    aws.functions.clear()

    assert read(aws) is None


def test_a_refusal_is_not_taken_for_absence(aws):
    aws.errors["GetFunction"] = client_error("AccessDeniedException", status=403)

    with pytest.raises(ClientError):
        read(aws)


@pytest.mark.parametrize(
    ("mappings", "bound"),
    [
        ([{"ScalingConfig": {"MaximumConcurrency": 8}}], 8),
        ([{"ScalingConfig": {"MaximumConcurrency": 8}}, {"ScalingConfig": {"MaximumConcurrency": 2}}], 10),
        ([{"ScalingConfig": {"MaximumConcurrency": 8}}, {}], None),
        ([{"ScalingConfig": {}}], None),
        ([], None),
    ],
)
def test_the_workers_bound_is_that_of_its_mappings(aws, mappings, bound):
    aws.mappings = mappings

    assert context.maximum_concurrency(aws.client("lambda"), NAMES.worker) == bound


LOG_WINDOW = Window("now", END - timedelta(hours=24), END)

COLD = (
    "REPORT RequestId: 8fc6f963-411b-58b5-8483-a32130c0f45d\tDuration: 201.67 ms\tBilled Duration: 682 ms\t"
    "Memory Size: 512 MB\tMax Memory Used: 81 MB\tInit Duration: 480.25 ms\t\n"
)
WARM = (
    "REPORT RequestId: 9\tDuration: 100.00 ms\tBilled Duration: 101 ms\tMemory Size: 512 MB\tMax Memory Used: 130 MB\t"
)
TIMED_OUT = "REPORT RequestId: 7\tDuration: 60000.00 ms\tBilled Duration: 60000 ms\tMemory Size: 512 MB\tMax Memory Used: 90 MB\tStatus: timeout"
WITHOUT_MEMORY = (
    "REPORT RequestId: 5\tDuration: 3 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 0 MB"
)


def read_logs(aws, *pages):
    aws.log_pages = {NAMES.worker: [list(page) for page in pages]}
    return context.read_logs(aws.client("logs"), WORKER, NAMES.worker, LOG_WINDOW)


def test_cold_starts_memory_and_billed_time_are_summed_up(aws):
    found = read_logs(aws, [COLD, WARM, TIMED_OUT])

    assert (found.reports, found.cold_starts, found.complete) == (3, 1, True)
    assert (found.longest_init_ms, found.highest_memory_mb, found.billed_ms) == (480.25, 130.0, 60_783.0)


def test_lines_that_only_quote_a_report_do_not_count(aws):
    quoted = '{"message": "REPORT RequestId: 1\\tDuration: 5 ms\\tBilled Duration: 9 ms"}'

    assert read_logs(aws, [quoted, "INIT_REPORT Init Duration: 9.9 ms"]).reports == 0


def test_a_memory_of_zero_is_no_measurement(aws):
    found = read_logs(aws, [WITHOUT_MEMORY])

    assert (found.reports, found.highest_memory_mb, found.longest_init_ms, found.cold_starts) == (1, None, None, 0)


def test_without_a_line_no_figure_is_reported(aws):
    found = read_logs(aws, [])

    assert (found.reports, found.cold_starts, found.billed_ms) == (0, None, None)


def test_empty_pages_do_not_end_the_reading(aws):
    assert read_logs(aws, [WARM], [], [], [WARM]).reports == 2


def test_a_function_that_never_ran_has_no_lines(aws):
    found = context.read_logs(aws.client("logs"), WORKER, NAMES.worker, LOG_WINDOW)

    assert (found.reports, found.complete) == (0, True)


def test_only_the_first_pages_are_read_and_marked_as_incomplete(aws):
    found = read_logs(aws, *[[WARM]] * 13)

    assert (found.reports, found.complete) == (12, False)
    assert read_logs(aws, *[[WARM]] * 12).complete is True


def test_a_full_page_without_a_token_may_not_be_all(aws):
    assert read_logs(aws, [WARM] * 10_000).complete is False
    assert read_logs(aws, [WARM] * 10_000, [WARM]).complete is True


def test_the_window_ends_before_its_end(aws):
    read_logs(aws, [])

    (asked,) = aws.calls("FilterLogEvents")
    assert asked["endTime"] - asked["startTime"] == 24 * 3600 * 1000 - 1
    assert asked["filterPattern"] == '"REPORT RequestId: "'


SYNTHETIC_START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def marks(minutes, *, deploys=(), period_s=60):
    history, deploy = series.synthetic_marks(NAMES, period_s)
    return [
        Points("now", history, [synthetic_at(minute).timestamp() for minute in minutes], [1.0] * len(minutes)),
        Points("now", deploy, [synthetic_at(minute).timestamp() for minute in deploys], [1.0] * len(deploys)),
    ]


def synthetic_at(minute):
    return SYNTHETIC_START + timedelta(minutes=minute)


def test_minutes_that_follow_each_other_are_one_stretch():
    assert context.synthetic_intervals(marks([0, 1, 2, 5, 6])) == (
        (synthetic_at(0), synthetic_at(3)),
        (synthetic_at(5), synthetic_at(7)),
    )


def test_stretches_of_several_windows_are_joined_where_they_meet():
    assert context.synthetic_intervals([*marks([10, 15], period_s=300), *marks([0, 5], period_s=300)]) == (
        (synthetic_at(0), synthetic_at(20)),
    )


def test_without_marks_nothing_is_synthetic():
    assert context.synthetic_intervals(marks([])) == ()
    assert context.synthetic_deploys(marks([0, 1])) == ()


def test_the_deploy_that_the_history_plays_is_marked_synthetic():
    (deploy,) = context.synthetic_deploys(marks([0, 1], deploys=[1]))

    assert (deploy.time, deploy.synthetic, deploy.commit) == (synthetic_at(1), True, "")


def test_a_stretch_without_numbers_is_no_stretch_of_the_deploys_mark():
    assert context.synthetic_intervals(marks([], deploys=[1])) == ()
