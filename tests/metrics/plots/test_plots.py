"""All seven figures, over windows that are easy and windows that are not."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers import plot_style
from couch_explorers.metrics import plots, series
from couch_explorers.metrics.model import WORKER, Deploy, SeriesState

pytestmark = pytest.mark.drawing

END = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)
LARGEST_SVG = 200 * 1024
NAMES = ["time_to_picture", "age", "backlog", "flow", "duration", "failures", "latency"]


def storm(alarms_of):
    """Much at once: alarms that ring all the time, many deploys, large numbers, several reasons."""
    rang = {
        "oldest-message-age": [(END - timedelta(hours=19), END)],
        "failed-jobs": [
            (END - timedelta(hours=hour, minutes=5), END - timedelta(hours=hour)) for hour in range(20, 0, -1)
        ],
        "worker-errors": [(END - timedelta(hours=4), END - timedelta(hours=3))],
    }
    counts = {series.failed_jobs("Throttled"): {1400: 2000}, series.failed_jobs("ContentFiltered"): {5: 3, 700: 1200}}
    return {
        "now": counts
        | {series.VISIBLE: list(range(1440)), series.AGE: list(range(1440)), series.FAILED_JOBS: {5: 3, 700: 1300, 1400: 2000}},
        "alarms": alarms_of(alarm_intervals=rang, states={"oldest-message-age": "ALARM"}),
        "deploys": [Deploy(END - timedelta(minutes=10 * number), (WORKER,), "ab12cd3f99") for number in range(40)],
    }  # fmt: skip


def situations(alarms_of):
    return {
        "a calm day": {},
        "an incident": {"incident": True},
        "a storm": storm(alarms_of),
        "nothing at all": {"calm": False},
        "the clock put back": {"end": datetime(2026, 10, 25, 8, 17, tzinfo=UTC), "compare": "week"},
        "the clock put forward": {"end": datetime(2026, 3, 29, 8, tzinfo=UTC)},
        "an hour": {"hours": 1, "incident": True},
        "a week": {"hours": 168, "period_s": 300, "incident": True},
        "two months": {"hours": 24 * 60, "period_s": 3600},
        "a synthetic day": {"incident": True, "synthetic": [(END - timedelta(days=8), END - timedelta(hours=2))]},
        "no right to ask": {"states": dict.fromkeys((series.AGE, series.VISIBLE, series.API_COUNT, series.FAILED_JOBS), SeriesState.DENIED)},
        "another time zone": {"timezone": "America/Argentina/ComodRivadavia", "compare": None},
    }  # fmt: skip


SITUATIONS = list(situations(lambda **_keywords: ()))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_text_is_cut_off_or_lies_on_another_and_each_figure_is_light(frame_of, alarms_of, faults, situation):
    frame = frame_of(**situations(alarms_of)[situation])

    for make in plots.PANELS.values():
        panel = make(frame)

        assert faults(panel.figure) == ([], []), panel.name
        assert len(panel.svg()) < LARGEST_SVG
        assert panel.sentence.endswith(".")
        assert "nan" not in panel.sentence.lower().split()


@pytest.mark.parametrize("situation", SITUATIONS)
def test_as_wide_as_printed_text_nothing_is_cut_off_either(frame_of, alarms_of, faults, situation):
    frame = frame_of(**situations(alarms_of)[situation])

    for make in (plots.age, plots.duration):
        panel = make(frame, plot_style.PRINT_WIDTH_PT)

        assert panel.figure.get_size_inches()[0] == pytest.approx(160 / 25.4)
        assert faults(panel.figure) == ([], []), panel.name


def test_there_are_seven_figures_in_the_order_of_the_page():
    assert list(plots.PANELS) == NAMES
    assert [plots.PANELS[name] for name in NAMES] == [getattr(plots, name) for name in NAMES]


def test_all_figures_of_a_page_have_different_ids(frame_of):
    frame = frame_of(incident=True)

    page = "".join(make(frame)._repr_mimebundle_()["text/html"] for make in plots.PANELS.values())

    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not re.search(r'(?:href|src)="http', page)


def test_the_time_axes_of_all_figures_line_up(frame_of):
    frame = frame_of(incident=True)

    places = {
        (round(ax.get_position().x0, 6), round(ax.get_position().x1, 6), ax.get_xlim())
        for make in plots.PANELS.values()
        for ax in make(frame).figure.axes
    }

    assert len(places) == 1


def test_every_figure_names_statistic_period_and_time_zone(frame_of, written):
    frame = frame_of()

    for make in plots.PANELS.values():
        assert re.search(r"(Maximum|Sum|Percentiles) of each .*Europe/Oslo", written(make(frame).figure), re.IGNORECASE)


def test_all_axes_name_their_unit(frame_of):
    frame = frame_of()

    for make in plots.PANELS.values():
        for ax in make(frame).figure.axes:
            heads = [text.get_text() for text in ax.texts if "Europe/Oslo" in text.get_text()]
            assert re.match("seconds|jobs", ax.get_ylabel()) or heads[0].startswith("Count, "), ax.get_title(loc="left")


def test_all_figures_are_saved_into_one_folder(frame_of, tmp_path):
    paths = plots.save(frame_of(), tmp_path, "svg")

    assert [path.name for path in paths] == [f"{name}.svg" for name in NAMES]


def test_pyplot_is_never_imported():
    program = "import sys; from couch_explorers.metrics import plots; print('matplotlib.pyplot' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_a_frame_that_carries_no_facts_is_refused(frame_of):
    frame = frame_of()
    frame.context = None

    with pytest.raises(ValueError, match="has no context"):
        plots.age(frame)
