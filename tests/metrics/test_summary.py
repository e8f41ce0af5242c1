from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from couch_explorers.metrics import model, series, summary
from couch_explorers.metrics.model import DEAD_LETTERS, QUEUE, WORKER, Deploy, SeriesState
from couch_explorers.metrics.review import review
from couch_explorers.metrics.summary import conclude
from tests.metrics.believable import CORE, END
from tests.metrics.rows import lately
from tests.wording import numbers, without_volume

MINUTE = timedelta(minutes=1)


def summary_of(frame, today=None):
    return str(conclude(frame, review(frame), today))


def test_a_healthy_day_says_what_was_done_and_how_long_people_waited(frame_of, snapshot):
    made = {series.pictures(WORKER): {0: 412}, series.pictures(WORKER, CORE): {0: 412}, series.SENT: {0: 415}}
    frame = frame_of(made | {series.API_COUNT: {0: 160}, series.AGE: {0: 25}}, calm=False)

    sentence = summary_of(frame)
    assert sentence == snapshot
    assert numbers(sentence) == ["412", "24", "415", "160", "16.49", "25"]


def test_on_aws_the_cost_is_what_was_paid(frame_of):
    assert ", for \\$" in summary_of(frame_of(target="aws"))


def test_an_idle_service_is_healthy(frame_of):
    assert summary_of(frame_of(calm=False)) == "**Healthy:** not used in 24 hours."


def test_a_past_incident_is_reported_with_its_day_and_the_deploy_that_ended_it(frame_of, snapshot):
    sentence = summary_of(frame_of(incident=True), date(2026, 11, 25))

    assert without_volume(sentence) == snapshot
    # What belongs to the incident is not named again.
    assert "look at" not in sentence


def test_trouble_at_another_time_is_not_excused_by_an_incident_and_is_reported_without_what_belongs_to_it(frame_of):
    # Fourteen hours before the incident.
    sentence = summary_of(frame_of({series.API_5XX: {100: 9, 905: 4}}, incident=True))

    assert sentence.startswith("**Healthy, but worth a look:** ")
    assert "look at API errors (5xx) 9 answers; " in sentence


def test_alarms_that_tell_nobody_are_not_excused_by_an_incident(frame_of):
    incident = frame_of(incident=True)
    off = [replace(alarm, actions_enabled=False) for alarm in incident.context.alarms]
    lost = [alarm for alarm in incident.context.alarms if alarm.short_name != "worker-errors"]

    assert summary_of(frame_of(incident=True, alarms=off)).startswith("**Healthy, but worth a look:** ")
    assert "look at alarms (actions disabled: oldest-message-age, " in summary_of(frame_of(incident=True, alarms=off))
    assert "look at alarms (not deployed: worker-errors)" in summary_of(frame_of(incident=True, alarms=lost))


def test_alarms_that_tell_nobody_are_named_beside_other_things_to_look_at(frame_of, alarms_of):
    off = [replace(alarm, actions_enabled=alarm.short_name != "dead-letters") for alarm in alarms_of()]

    sentence = summary_of(frame_of({series.API_4XX: {0: 90}}, alarms=off))

    assert "look at alarms (actions disabled: dead-letters), API late or missing" in sentence


def test_the_day_of_an_incident_goes_by_who_speaks(frame_of):
    frame = frame_of(incident=True)

    assert "yesterday's incident" in summary_of(frame, date(2026, 11, 26))
    assert "the incident 00:07" in summary_of(frame, date(2026, 11, 28))
    assert "yesterday's incident" in summary_of(frame, datetime(2026, 11, 26, 9, tzinfo=UTC))


def test_of_several_incidents_the_last_is_named(frame_of, alarms_of):
    rang = [(END - 300 * MINUTE, END - 290 * MINUTE), (END - 100 * MINUTE, END - 90 * MINUTE)]

    sentence = summary_of(frame_of(alarms=alarms_of(alarm_intervals={"failed-jobs": rang})))

    assert "2 incidents are over, the last today's incident 07:20\u201307:30" in sentence


def test_trouble_comes_first_with_value_and_line(frame_of, alarms_of, snapshot):
    alarms = alarms_of(states={"oldest-message-age": "ALARM"})
    sentence = summary_of(frame_of({series.AGE: lately(640), series.DEAD_LETTERS_VISIBLE: lately(3)}, alarms=alarms))

    assert without_volume(sentence) == snapshot


def test_ringing_alarms_alone_are_named(frame_of, alarms_of):
    sentence = summary_of(frame_of(alarms=alarms_of(states={"failed-jobs": "ALARM"})))

    assert sentence.startswith("**Needs attention now:** alarms 1 alarm; ")


def test_of_many_troubles_three_are_named(frame_of):
    trouble = {
        series.AGE: lately(640), series.DEAD_LETTERS_VISIBLE: lately(3), series.errors(WORKER): lately(4),
        series.throttles(WORKER): lately(5),
    }  # fmt: skip

    assert "dead-letter queue 3 jobs, worker errors 4 errors and 1 more; " in summary_of(frame_of(trouble))


def test_a_warning_that_no_incident_explains_is_worth_a_look(frame_of):
    sentence = summary_of(frame_of({series.API_4XX: {0: 90}}))

    assert sentence.startswith("**Healthy, but worth a look:** ")
    assert "and API refusals (4xx) 15 % (threshold 5 %)" in sentence


def test_what_is_not_known_is_named_but_rest_is_not(frame_of):
    sentence = summary_of(
        frame_of(
            {series.api_latency("p95"): None, series.API_COUNT: None}, states={series.FAILED_JOBS: SeriesState.DENIED}
        )
    )

    assert "not known: late or missing pictures and failed jobs." in sentence


def test_a_service_of_which_nothing_is_known_is_not_called_healthy(frame_of, snapshot):
    facts = frame_of().context
    denied = frame_of(states={line.key: SeriesState.DENIED for line in facts.series})
    missing = frame_of(states={line.key: SeriesState.MISSING for line in facts.series})

    assert [summary_of(denied), summary_of(missing)] == snapshot


def test_a_service_whose_queue_nobody_may_ask_about_is_not_called_healthy(frame_of, snapshot):
    keys = (series.AGE, series.DEAD_LETTERS_VISIBLE, series.VISIBLE, series.SENT)

    sentence = summary_of(frame_of(states=dict.fromkeys(keys, SeriesState.DENIED)))

    # Not "from no job".
    assert without_volume(sentence) == snapshot


def test_a_service_whose_queue_is_gone_is_not_called_healthy(frame_of, snapshot):
    facts = frame_of().context
    queue = [line.key for line in facts.series if line.resource in (QUEUE, DEAD_LETTERS, WORKER)]

    sentence = summary_of(frame_of(states=dict.fromkeys(queue, SeriesState.MISSING), alarms=()))

    assert without_volume(sentence) == snapshot


def test_without_the_age_alarm_nobody_knows_whether_jobs_wait_too_long(frame_of, alarms_of):
    alarms = [alarm for alarm in alarms_of() if alarm.short_name != "oldest-message-age"]

    assert summary_of(frame_of(alarms=alarms)).startswith("**Only partly known:** oldest job waiting is not known; ")


def test_trouble_comes_before_what_is_not_known(frame_of, snapshot):
    sentence = summary_of(
        frame_of({series.DEAD_LETTERS_VISIBLE: lately(3)}, states={series.VISIBLE: SeriesState.DENIED})
    )

    assert without_volume(sentence) == snapshot


def test_of_a_silent_queue_that_may_not_be_asked_nobody_says_that_it_was_not_used(frame_of):
    assert "not used" not in summary_of(frame_of(calm=False, states={series.SENT: SeriesState.DENIED}))


def test_only_deploys_inside_the_window_are_named(frame_of):
    window = frame_of().context.window()
    deploys = (
        Deploy(window.start - MINUTE, (WORKER,), "0000000"),
        Deploy(window.start, (WORKER,), "1111111"),
        Deploy(END - 60 * MINUTE, (WORKER,)),
    )

    assert "deploy at 08:00, and 1 more before" in summary_of(frame_of(deploys=deploys))
    assert "deploy 1111111 at 09:00" in summary_of(frame_of(deploys=deploys[:2]))
    assert "deploy" not in summary_of(frame_of(deploys=deploys[:1]))


def test_synthetic_hours_are_named(frame_of, snapshot):
    window = frame_of().context.window()

    part = summary_of(frame_of(synthetic=[(window.start - 600 * MINUTE, END - 120 * MINUTE)]))
    nearly = summary_of(frame_of(synthetic=[(window.start, END - 2 * MINUTE)]))
    whole = summary_of(frame_of(synthetic=[(window.start, END)]))
    compared = summary_of(frame_of(synthetic=[(window.start - 600 * MINUTE, window.start)]))

    assert [without_volume(each) for each in (part, nearly, whole, compared)] == snapshot
    assert "synthetic" not in summary_of(frame_of())


def test_a_synthetic_deploy_is_called_one(frame_of):
    deploys = (Deploy(END - 60 * MINUTE, (WORKER,), synthetic=True),)

    assert "synthetic deploy at 08:00" in summary_of(frame_of(deploys=deploys))


def test_a_window_of_the_past_says_when_it_ended(frame_of):
    frame = frame_of()
    frame.context = replace(frame.context, fetched=END + timedelta(days=3))

    assert summary_of(frame).startswith("**Healthy as of Wed 25 Nov 09:00:** ")


def test_the_sentence_is_shown_as_markdown(frame_of):
    frame = frame_of()

    assert conclude(frame, review(frame))._repr_markdown_().startswith("**Healthy")


def ago(minutes):
    return END - minutes * MINUTE


def past(frame_of, alarms_of, rang, **more):
    return summary.past_incidents(model.context_of(frame_of(alarms=alarms_of(alarm_intervals=rang, **more))))


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
    (incident,) = summary.past_incidents(model.context_of(frame))

    assert incident.describe(frame) == "a job waited 2,220 s, 9 jobs failed and 9 dead-letter messages"


def test_what_happened_at_another_time_is_not_counted_in_it(frame_of, alarms_of):
    alarms = alarms_of(alarm_intervals={"oldest-message-age": [(ago(60), ago(30))]})
    frame = frame_of({series.AGE: {10: 9000} | lately(400, *[5] * 45)}, alarms=alarms)

    (incident,) = summary.past_incidents(model.context_of(frame))

    assert incident.describe(frame) == "a job waited 400 s"


def test_an_alarm_whose_numbers_are_not_known_is_reported_by_its_name(frame_of, alarms_of):
    extra = replace(alarms_of()[0], short_name="something-new", alarm_intervals=((ago(60), ago(30)),))
    known_one = replace(alarms_of(alarm_intervals={"worker-errors": [(ago(60), ago(30))]})[3])
    frame = frame_of(alarms=[extra, known_one])

    (incident,) = summary.past_incidents(model.context_of(frame))

    assert incident.describe(frame) == "worker-errors and something-new"


def test_a_frame_without_its_incidents_keeps_all_that_was_outside_of_them(frame_of, alarms_of):
    alarms = alarms_of(
        states={"dead-letters": "ALARM"},
        alarm_intervals={"failed-jobs": [(ago(120), ago(110))], "dead-letters": [(ago(200), ago(190)), (ago(20), END)]},
    )

    rest = summary.without_incidents(frame_of({series.SENT: 1}, alarms=alarms))

    # From a quarter of an hour before each ring to its end.
    kept = {(END - moment) // MINUTE for moment in model.points(rest, series.SENT).index}
    assert kept == set(range(1, 1441)) - set(range(191, 216)) - set(range(111, 136))
    assert len(model.points(rest, series.SENT, "before")) == 1440
    assert [alarm.alarm_intervals for alarm in model.context_of(rest).alarms if alarm.alarm_intervals] == [
        ((ago(20), END),)
    ]


def test_an_hour_of_which_an_incident_is_a_part_goes_as_a_whole(frame_of, alarms_of):
    key = series.duration(WORKER, "p95")
    frame = frame_of({key: [9000] * 24}, alarms=alarms_of(alarm_intervals={"failed-jobs": [(ago(130), ago(110))]}))

    hours = model.points(summary.without_incidents(frame), key).index

    assert {(END - hour) // (60 * MINUTE) for hour in hours} == set(range(1, 25)) - {2, 3}


def test_taking_incidents_out_of_a_frame_leaves_the_frame_as_it_was(frame_of):
    frame = frame_of(incident=True)
    rows, facts = len(frame), model.context_of(frame)

    summary.without_incidents(frame)

    assert len(frame) == rows
    assert model.context_of(frame) is facts


def test_a_quiet_day_has_none(frame_of):
    assert summary.past_incidents(model.context_of(frame_of())) == ()
