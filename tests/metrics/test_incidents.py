from dataclasses import replace
from datetime import timedelta

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import incidents, series
from couch_explorers.metrics.facts import WORKER
from tests.metrics.believable import END
from tests.metrics.rows import lately

MINUTE = timedelta(minutes=1)


def ago(minutes):
    return END - minutes * MINUTE


def past(frame_of, alarms_of, rang, **more):
    return incidents.past(known.of(frame_of(alarms=alarms_of(rang=rang, **more))))


def test_alarms_that_rang_about_the_same_time_are_one_incident(frame_of, alarms_of):
    rang = {"oldest-message-age": [(ago(200), ago(150))], "dead-letters": [(ago(180), ago(120))]}

    (incident,) = past(frame_of, alarms_of, rang)

    assert (incident.start, incident.end) == (ago(200), ago(120))
    assert incident.alarms == ("oldest-message-age", "dead-letters")


def test_alarms_half_an_hour_apart_are_two_incidents(frame_of, alarms_of):
    near = {"failed-jobs": [(ago(200), ago(190)), (ago(160), ago(150))]}
    far = {"failed-jobs": [(ago(200), ago(190)), (ago(159), ago(150))]}

    assert len(past(frame_of, alarms_of, near)) == 1
    assert len(past(frame_of, alarms_of, far)) == 2


def test_what_still_rings_is_no_past_incident(frame_of, alarms_of):
    rang = {"dead-letters": [(ago(200), ago(190)), (ago(20), END)]}

    (incident,) = past(frame_of, alarms_of, rang, states={"dead-letters": "ALARM"})

    assert incident.end == ago(190)


def test_an_incident_tells_what_its_alarms_rang_for(frame_of):
    frame = frame_of(incident=True)
    (incident,) = incidents.past(known.of(frame))

    assert incident.told(frame) == "a job waited 2,220 s, 9 jobs failed and 9 dead letters"


def test_what_happened_at_another_time_is_not_told_of_it(frame_of, alarms_of):
    alarms = alarms_of(rang={"oldest-message-age": [(ago(60), ago(30))]})
    frame = frame_of({series.AGE: {10: 9000} | lately(400, *[5] * 45)}, alarms=alarms)

    (incident,) = incidents.past(known.of(frame))

    assert incident.told(frame) == "a job waited 400 s"


def test_an_alarm_whose_numbers_are_not_known_is_told_by_its_name(frame_of, alarms_of):
    extra = replace(alarms_of()[0], short_name="something-new", rang=((ago(60), ago(30)),))
    known_one = replace(alarms_of(rang={"worker-errors": [(ago(60), ago(30))]})[2])
    frame = frame_of(alarms=[extra, known_one])

    (incident,) = incidents.past(known.of(frame))

    assert incident.told(frame) == "worker-errors and something-new"


def test_a_frame_without_its_incidents_keeps_all_that_was_outside_of_them(frame_of, alarms_of):
    alarms = alarms_of(
        states={"dead-letters": "ALARM"},
        rang={"failed-jobs": [(ago(120), ago(110))], "dead-letters": [(ago(200), ago(190)), (ago(20), END)]},
    )

    rest = incidents.without(frame_of({series.SENT: 1}, alarms=alarms))

    # From a quarter of an hour before each ring to its end.
    kept = {(END - moment) // MINUTE for moment in known.points(rest, series.SENT).index}
    assert kept == set(range(1, 1441)) - set(range(191, 216)) - set(range(111, 136))
    assert len(known.points(rest, series.SENT, "before")) == 1440
    assert [alarm.rang for alarm in known.of(rest).alarms if alarm.rang] == [((ago(20), END),)]


def test_an_hour_of_which_an_incident_is_a_part_goes_as_a_whole(frame_of, alarms_of):
    key = series.duration(WORKER, "p95")
    frame = frame_of({key: [9000] * 24}, alarms=alarms_of(rang={"failed-jobs": [(ago(130), ago(110))]}))

    hours = known.points(incidents.without(frame), key).index

    assert {(END - hour) // (60 * MINUTE) for hour in hours} == set(range(1, 25)) - {2, 3}


def test_taking_incidents_out_of_a_frame_leaves_the_frame_as_it_was(frame_of):
    frame = frame_of(incident=True)
    rows, facts = len(frame), known.of(frame)

    incidents.without(frame)

    assert len(frame) == rows
    assert known.of(frame) is facts


def test_a_quiet_day_has_none(frame_of):
    assert incidents.past(known.of(frame_of())) == ()
