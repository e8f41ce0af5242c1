from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import facts as known
from couch_explorers.metrics.facts import Deploy
from couch_explorers.metrics.plots import happenings

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AGE = "oldest-message-age"


def deploy(minutes_ago, commit="ab12cd3"):
    return Deploy(END - timedelta(minutes=minutes_ago), ("worker",), commit)


def test_a_deploy_is_told_by_its_time_and_commit(frame_of):
    facts = known.of(frame_of(deploys=[deploy(490, "ab12cd3f99aa")]))

    (entry,) = happenings.deploys(facts)

    assert entry.texts[0] == "00:50 ab12cd3"
    assert entry.moments == (950 * 60,)


def test_a_commit_that_is_not_all_that_was_deployed_keeps_its_plus(frame_of):
    (entry,) = happenings.deploys(known.of(frame_of(deploys=[deploy(490, "ab12cd3f99aa+")])))

    assert entry.texts[0] == "00:50 ab12cd3+"


def test_a_deploy_without_a_commit_is_told_by_its_time(frame_of):
    (entry,) = happenings.deploys(known.of(frame_of(deploys=[deploy(490, "")])))

    assert entry.texts[0] == "00:50"


def test_deploys_whose_words_would_run_into_each_other_become_one(frame_of):
    facts = known.of(frame_of(deploys=[deploy(900), deploy(120), deploy(100), deploy(60, "ffffff0")]))

    entries = happenings.deploys(facts)

    assert [entry.texts[0] for entry in entries] == ["18:00 ab12cd3", "3 deploys, last 08:00 ffffff0"]
    assert len(entries[1].moments) == 3


def test_what_lies_outside_of_the_window_is_left_out(frame_of):
    facts = known.of(frame_of(deploys=[deploy(-1), deploy(24 * 60 + 1)], synthetic=[(END, END + timedelta(hours=1))]))

    assert happenings.deploys(facts) == []
    assert happenings.synthetic(facts) == []


def test_a_synthetic_stretch_is_cut_to_the_window(frame_of):
    facts = known.of(frame_of(synthetic=[(END - timedelta(days=8), END - timedelta(hours=2))]))

    (entry,) = happenings.synthetic(facts)

    assert (entry.start_s, entry.end_s) == (0, 22 * 3600)
    assert "not measured" in entry.texts[0]


def test_an_alarm_that_rang_is_told_from_when_to_when(frame_of, alarms_of):
    rang = {AGE: [(END - timedelta(hours=9), END - timedelta(hours=8, minutes=10))]}
    facts = known.of(frame_of(alarms=alarms_of(rang=rang)))

    assert [entry.texts for entry in happenings.alarm(facts, AGE)] == [("00:00\u201300:50",)]
    assert happenings.alarm(facts, AGE, named=True)[0].texts == (f"{AGE} 00:00\u201300:50",)


def test_an_alarm_that_still_rings_is_told_since_when(frame_of, alarms_of):
    alarms = alarms_of(rang={AGE: [(END - timedelta(hours=1), END)]}, states={AGE: "ALARM"})

    (entry,) = happenings.alarm(known.of(frame_of(alarms=alarms)), AGE)

    assert entry.texts == ("since 08:00",)


def test_an_alarm_that_rang_often_is_counted_at_its_last_time(frame_of, alarms_of):
    rang = {AGE: [(END - timedelta(hours=hour, minutes=5), END - timedelta(hours=hour)) for hour in range(9, 2, -1)]}

    entries = happenings.alarm(known.of(frame_of(alarms=alarms_of(rang=rang))), AGE)

    assert [bool(entry.texts) for entry in entries] == [False] * 6 + [True]
    assert entries[-1].texts[0] == "7 times, last 05:55\u201306:00"


@pytest.mark.parametrize("alarms", [(), None])
def test_an_alarm_that_is_not_there_or_never_rang_is_no_entry(frame_of, alarms):
    assert happenings.alarm(known.of(frame_of(alarms=alarms)), AGE) == []


def test_a_change_of_the_clock_says_which_way(frame_of):
    facts = known.of(frame_of(end=datetime(2026, 10, 25, 8, tzinfo=UTC)))

    assert [entry.texts for entry in happenings.clock_changes(facts)] == [("put back 1 hour",)]
