from dataclasses import replace
from datetime import timedelta

from couch_explorers.metrics import facts as known
from couch_explorers.metrics import incidents, series
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


def test_a_quiet_day_has_none(frame_of):
    assert incidents.past(known.of(frame_of())) == ()
