from datetime import UTC, datetime, timedelta

from couch_explorers.metrics import series, synthetic
from couch_explorers.metrics.frames import Points
from tests.metrics.believable import NAMES

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def marks(minutes, *, deploys=(), period_s=60):
    history, deploy = series.synthetic_marks(NAMES, period_s)
    return [
        Points("now", history, [at(minute).timestamp() for minute in minutes], [1.0] * len(minutes)),
        Points("now", deploy, [at(minute).timestamp() for minute in deploys], [1.0] * len(deploys)),
    ]


def at(minute):
    return START + timedelta(minutes=minute)


def test_minutes_that_follow_each_other_are_one_stretch():
    assert synthetic.stretches(marks([0, 1, 2, 5, 6])) == ((at(0), at(3)), (at(5), at(7)))


def test_stretches_of_several_windows_are_joined_where_they_meet():
    assert synthetic.stretches([*marks([10, 15], period_s=300), *marks([0, 5], period_s=300)]) == ((at(0), at(20)),)


def test_without_marks_nothing_is_synthetic():
    assert synthetic.stretches(marks([])) == ()
    assert synthetic.deploys(marks([0, 1])) == ()


def test_the_deploy_that_the_history_plays_is_marked_synthetic():
    (deploy,) = synthetic.deploys(marks([0, 1], deploys=[1]))

    assert (deploy.time, deploy.synthetic, deploy.commit) == (at(1), True, "")


def test_a_stretch_without_numbers_is_no_stretch_of_the_deploys_mark():
    assert synthetic.stretches(marks([], deploys=[1])) == ()
