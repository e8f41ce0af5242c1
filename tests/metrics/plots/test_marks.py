from datetime import UTC, datetime, timedelta

from couch_explorers.metrics import facts as known
from couch_explorers.metrics.facts import Deploy
from couch_explorers.metrics.plots import marks, time_axis

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
AGE = "oldest-message-age"


def drawn(ax, facts, *alarms, first=True):
    time_axis.dress(ax, facts)
    height = marks.draw(ax, facts, alarms, first=first)
    return height, [text.get_text() for text in ax.texts]


def test_a_quiet_day_takes_no_room(frame_of, ax):
    assert drawn(ax, known.of(frame_of()), AGE) == (0.0, [])


def test_each_kind_of_happening_has_a_row_with_its_name(frame_of, ax):
    facts = known.of(frame_of(incident=True, synthetic=[(END - timedelta(days=8), END - timedelta(hours=2))]))

    height, texts = drawn(ax, facts, AGE)

    assert height == marks.FOOT_PT + 3 * marks.ROW_PT
    assert texts == [
        "alarm", "00:07\u201300:58", "deploy", "00:50 ab12cd3", "synthetic", "written by the local history, not measured",
    ]  # fmt: skip


def test_axes_below_the_first_explain_only_their_alarms_but_show_the_deploys(frame_of, ax):
    _, texts = drawn(ax, known.of(frame_of(incident=True)), "dead-letters", first=False)

    assert texts == ["alarm", "00:21\u201301:20"]
    assert [line.get_xdata() for line in ax.lines] == [[950 * 60] * 2]


def test_several_alarms_have_a_row_each_and_are_named(frame_of, ax, alarms_of):
    rang = {
        name: [(END - timedelta(hours=hour), END - timedelta(hours=hour - 1))]
        for hour, name in ((9, "failed-jobs"), (5, "worker-errors"))
    }

    _, texts = drawn(ax, known.of(frame_of(alarms=alarms_of(rang=rang))), "worker-errors", "failed-jobs")

    assert texts == ["alarm", "worker-errors 04:00\u201305:00", "alarm", "failed-jobs 00:00\u201301:00"]


def test_many_deploys_in_a_row_do_not_hide_the_data(frame_of, ax):
    deploys = [Deploy(END - timedelta(minutes=200 + 5 * number), ("worker",), "ab12cd3") for number in range(30)]

    _, texts = drawn(ax, known.of(frame_of(deploys=deploys)))

    assert texts[1].startswith("30 deploys, last 05:40")
    (flags,) = [line for line in ax.lines if line.get_marker() == "v"]
    assert len(flags.get_xdata()) == 30
    assert len(ax.lines) == 3


def test_words_at_the_right_edge_stand_in_the_margin(frame_of, ax, faults):
    facts = known.of(frame_of(deploys=[Deploy(END - timedelta(minutes=1), ("worker",), "ab12cd3")]))

    _, texts = drawn(ax, facts)

    assert texts == ["deploy", "08:59 ab12cd3"]
    cut, _ = faults(ax.figure)
    assert cut == []
