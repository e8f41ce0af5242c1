from datetime import UTC, datetime

import pytest

from couch_explorers.local.synthetic_metrics.scenario import TIME_ZONE, jobs_a_minute, make_scenario

HOUR_S = 3600
DAY_S = 86_400
# Wednesday, 25 November 2026, 09:00 in Oslo
NOW = datetime(2026, 11, 25, 8, tzinfo=UTC).timestamp()


def at(day, hour, minute=0, month=11):
    """A moment of 2026 by the wall clock of Oslo."""
    return datetime(2026, month, day, hour, minute, tzinfo=TIME_ZONE).timestamp()


def test_the_nights_are_quiet_and_the_peaks_are_about_ten_and_eight():
    by_hour = {hour: jobs_a_minute(at(25, hour)) for hour in range(24)}

    assert max(by_hour, key=by_hour.get) == 20
    assert by_hour[10] > by_hour[12] < by_hour[20]
    assert all(by_hour[hour] < 0.1 for hour in (1, 2, 3, 4))
    assert by_hour[10] > 20 * by_hour[3]


def test_the_weekend_is_lower():
    for hour in (10, 15, 20):
        assert jobs_a_minute(at(28, hour)) < 0.7 * jobs_a_minute(at(27, hour))


@pytest.mark.parametrize(("day", "month"), [(24, 10), (25, 10), (26, 10)])
def test_the_peak_stays_at_the_same_wall_clock_when_the_clocks_change(day, month):
    # Summer time ends on 25 October 2026.
    hours = {hour: jobs_a_minute(at(day, hour, month=month)) for hour in range(5, 24)}

    assert max(hours, key=hours.get) == 20


def test_the_incident_begins_nine_hours_ago_and_the_deploy_ends_it():
    scenario = make_scenario(now_s=NOW, days=8, until_s=NOW)

    incident = scenario.incidents[-1]
    assert incident.start_s == NOW - 9 * HOUR_S
    assert incident.end_s - incident.start_s == 50 * 60
    assert scenario.deploy_s == incident.end_s == NOW - (8 * HOUR_S + 10 * 60)


def test_a_smaller_incident_came_six_days_before():
    earlier, incident = make_scenario(now_s=NOW, days=8, until_s=NOW).incidents

    assert incident.start_s - earlier.start_s == 6 * DAY_S
    assert earlier.end_s - earlier.start_s < incident.end_s - incident.start_s


@pytest.mark.parametrize(("until_hours_ago", "incident"), [(0, True), (6, True), (7, False), (9, False), (24, False)])
def test_an_incident_that_could_not_be_over_in_time_does_not_begin(until_hours_ago, incident):
    scenario = make_scenario(now_s=NOW, days=8, until_s=NOW - until_hours_ago * HOUR_S)

    assert len(scenario.incidents) == 1 + incident
    assert (scenario.deploy_s is not None) == incident
    assert scenario.end_s == NOW - until_hours_ago * HOUR_S


def test_a_short_history_has_only_what_fits():
    assert make_scenario(now_s=NOW, days=0.25, until_s=NOW).incidents == ()
    assert len(make_scenario(now_s=NOW, days=1, until_s=NOW).incidents) == 1


def test_every_stretch_is_whole_minutes():
    scenario = make_scenario(now_s=NOW + 37.5, days=8, until_s=NOW + 20.1)

    assert scenario.start_s % 60 == scenario.end_s % 60 == 0
    assert scenario.end_s == NOW


def test_dead_letters_are_looked_into_at_each_standup_and_after_each_incident():
    scenario = make_scenario(now_s=NOW, days=8, until_s=NOW)

    standups = [time_s for time_s in scenario.redrives_s if datetime.fromtimestamp(time_s, TIME_ZONE).hour == 8]
    assert len(standups) == 8
    assert scenario.deploy_s + 45 * 60 in scenario.redrives_s
    assert all(scenario.start_s < time_s < scenario.end_s for time_s in scenario.redrives_s)


def test_no_job_fails_for_good_when_nobody_will_look_into_the_dead_letters():
    scenario = make_scenario(now_s=NOW, days=8, until_s=NOW)

    assert scenario.accepts_bad_jobs(scenario.redrives_s[-1] - HOUR_S)
    assert not scenario.accepts_bad_jobs(scenario.redrives_s[-1])
