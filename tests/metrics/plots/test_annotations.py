from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.metrics import model
from couch_explorers.metrics.model import Deploy
from couch_explorers.metrics.plots import annotations, axes

pytestmark = pytest.mark.drawing

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AGE = "oldest-message-age"


def deploy(minutes_ago, commit="ab12cd3"):
    return Deploy(END - timedelta(minutes=minutes_ago), ("worker",), commit)


def test_a_deploy_is_labelled_with_its_time_and_commit(frame_of):
    facts = model.context_of(frame_of(deploys=[deploy(490, "ab12cd3f99aa")]))

    (entry,) = annotations.deploy_events(facts)

    assert entry.texts[0] == "00:50 ab12cd3"
    assert entry.moments == (950 * 60,)


def test_a_commit_that_is_not_all_that_was_deployed_keeps_its_plus(frame_of):
    (entry,) = annotations.deploy_events(model.context_of(frame_of(deploys=[deploy(490, "ab12cd3f99aa+")])))

    assert entry.texts[0] == "00:50 ab12cd3+"


def test_a_deploy_without_a_commit_is_labelled_with_its_time(frame_of):
    (entry,) = annotations.deploy_events(model.context_of(frame_of(deploys=[deploy(490, "")])))

    assert entry.texts[0] == "00:50"


def test_deploys_whose_words_would_run_into_each_other_become_one(frame_of):
    facts = model.context_of(frame_of(deploys=[deploy(900), deploy(120), deploy(100), deploy(60, "ffffff0")]))

    entries = annotations.deploy_events(facts)

    assert [entry.texts[0] for entry in entries] == ["18:00 ab12cd3", "3 deploys, last 08:00 ffffff0"]
    assert len(entries[1].moments) == 3


def test_what_lies_outside_of_the_window_is_left_out(frame_of):
    facts = model.context_of(
        frame_of(deploys=[deploy(-1), deploy(24 * 60 + 1)], synthetic=[(END, END + timedelta(hours=1))])
    )

    assert annotations.deploy_events(facts) == []
    assert annotations.synthetic_events(facts) == []


def test_a_synthetic_stretch_is_cut_to_the_window(frame_of):
    facts = model.context_of(frame_of(synthetic=[(END - timedelta(days=8), END - timedelta(hours=2))]))

    (entry,) = annotations.synthetic_events(facts)

    assert (entry.start_s, entry.end_s) == (0, 22 * 3600)
    assert "not measured" in entry.texts[0]


def test_an_alarm_that_rang_is_labelled_with_both_ends(frame_of, alarms_of):
    rang = {AGE: [(END - timedelta(hours=9), END - timedelta(hours=8, minutes=10))]}
    facts = model.context_of(frame_of(alarms=alarms_of(alarm_intervals=rang)))

    assert [entry.texts for entry in annotations.alarm_events(facts, AGE)] == [("00:00\u201300:50",)]
    assert annotations.alarm_events(facts, AGE, named=True)[0].texts == (f"{AGE} 00:00\u201300:50",)


def test_an_alarm_that_still_rings_is_labelled_with_its_beginning(frame_of, alarms_of):
    alarms = alarms_of(alarm_intervals={AGE: [(END - timedelta(hours=1), END)]}, states={AGE: "ALARM"})

    (entry,) = annotations.alarm_events(model.context_of(frame_of(alarms=alarms)), AGE)

    assert entry.texts == ("since 08:00",)


def test_an_alarm_that_rang_often_is_counted_at_its_last_time(frame_of, alarms_of):
    rang = {AGE: [(END - timedelta(hours=hour, minutes=5), END - timedelta(hours=hour)) for hour in range(9, 2, -1)]}

    entries = annotations.alarm_events(model.context_of(frame_of(alarms=alarms_of(alarm_intervals=rang))), AGE)

    assert [bool(entry.texts) for entry in entries] == [False] * 6 + [True]
    assert entries[-1].texts[0] == "7 times, last 05:55\u201306:00"


@pytest.mark.parametrize("alarms", [(), None])
def test_an_alarm_that_is_not_there_or_never_rang_is_no_entry(frame_of, alarms):
    assert annotations.alarm_events(model.context_of(frame_of(alarms=alarms)), AGE) == []


def test_a_change_of_the_clock_says_which_way(frame_of):
    facts = model.context_of(frame_of(end=datetime(2026, 10, 25, 8, tzinfo=UTC)))

    assert [entry.texts for entry in annotations.clock_change_events(facts)] == [("put back 1 hour",)]


def drawn(ax, facts, *alarms, first=True):
    axes.format_time_axis(ax, facts)
    height = annotations.draw_annotations(ax, facts, alarms, first=first)
    return height, [text.get_text() for text in ax.texts]


def test_a_quiet_day_takes_no_room(frame_of, ax):
    assert drawn(ax, model.context_of(frame_of()), AGE) == (0.0, [])


def test_each_kind_of_happening_has_a_row_with_its_name(frame_of, ax):
    facts = model.context_of(frame_of(incident=True, synthetic=[(END - timedelta(days=8), END - timedelta(hours=2))]))

    height, texts = drawn(ax, facts, AGE)

    assert height == annotations.FOOT_PT + 3 * annotations.ROW_PT
    assert texts == [
        "alarm", "00:07\u201300:58", "deploy", "00:50 ab12cd3", "synthetic", "synthetic, not measured",
    ]  # fmt: skip


def test_axes_below_the_first_explain_only_their_alarms_but_show_the_deploys(frame_of, ax):
    _, texts = drawn(ax, model.context_of(frame_of(incident=True)), "dead-letters", first=False)

    assert texts == ["alarm", "00:21\u201301:20"]
    assert [line.get_xdata() for line in ax.lines] == [[950 * 60] * 2]


def test_several_alarms_have_a_row_each_and_are_named(frame_of, ax, alarms_of):
    rang = {
        name: [(END - timedelta(hours=hour), END - timedelta(hours=hour - 1))]
        for hour, name in ((9, "failed-jobs"), (5, "worker-errors"))
    }

    _, texts = drawn(
        ax, model.context_of(frame_of(alarms=alarms_of(alarm_intervals=rang))), "worker-errors", "failed-jobs"
    )

    assert texts == ["alarm", "worker-errors 04:00\u201305:00", "alarm", "failed-jobs 00:00\u201301:00"]


def test_many_deploys_in_a_row_do_not_hide_the_data(frame_of, ax):
    deploys = [Deploy(END - timedelta(minutes=200 + 5 * number), ("worker",), "ab12cd3") for number in range(30)]

    _, texts = drawn(ax, model.context_of(frame_of(deploys=deploys)))

    assert texts[1].startswith("30 deploys, last 05:40")
    (flags,) = [line for line in ax.lines if line.get_marker() == "v"]
    assert len(flags.get_xdata()) == 30
    assert len(ax.lines) == 3


def test_words_at_the_right_edge_stand_in_the_margin(frame_of, ax, faults):
    facts = model.context_of(frame_of(deploys=[Deploy(END - timedelta(minutes=1), ("worker",), "ab12cd3")]))

    _, texts = drawn(ax, facts)

    assert texts == ["deploy", "08:59 ab12cd3"]
    cut, _ = faults(ax.figure)
    assert cut == []
