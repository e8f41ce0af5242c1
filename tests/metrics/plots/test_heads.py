from couch_explorers.metrics import facts as known
from couch_explorers.metrics.plots import heads


def test_a_title_says_statistic_period_and_time_zone(frame_of):
    facts = known.of(frame_of(timezone="UTC"))

    assert heads.statistic(facts, ("Maximum", 60)) == "Maximum of each minute, UTC"
    assert (
        heads.statistic(facts, ("Percentiles", 3600), ("Maximum", 600), beside=" (so far)")
        == "Percentiles of each hour and maximum of each 10 minutes (so far), UTC"
    )


def test_what_fits_stands_beside_the_title_and_what_does_not_stands_below(ax):
    heads.write(ax, "Backlog", "Maximum of each minute, UTC", 0)
    heads.write(ax, "Backlog", "a very long explanation " * 6, 0)

    beside, below = ax.texts
    assert beside.get_position()[0] > 0
    assert below.get_position()[0] == 0
    assert ax.get_title(loc="left") == "Backlog"


def test_what_no_line_holds_is_broken_into_several(ax):
    heads.write(ax, "Backlog", "a very long explanation " * 12, 0)

    assert "\n" in ax.texts[0].get_text()
