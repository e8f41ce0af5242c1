import pandas as pd
import pytest

from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.exploration.cells import ExplorationError
from couch_explorers.exploration.planning import plan_summary

CORE, TITAN = "stability.stable-image-core-v1:1", "amazon.titan-image-generator-v2:0"


def planned(*rows, **attrs):
    """A plan of (model, status, usd, reason, warning), the last two optional."""
    names = ("model", "status", "usd", "reason", "warning")
    frame = pd.DataFrame([row + ("",) * (5 - len(row)) for row in rows], columns=names)
    usual = {
        "target": "aws",
        "via": "direct",
        "title": "",
        "at_a_time": 8,
        "seconds_by_model": dict.fromkeys((CORE, TITAN), 10.0),
    }
    frame.attrs = usual | attrs
    return frame


def text(*rows, **attrs):
    return str(plan_summary.of(planned(*rows, **attrs)))


def test_a_summary_counts_and_prices_by_model():
    summary = plan_summary.of(
        planned(
            *[(CORE, "new", 0.04)] * 12,
            (CORE, "cached", 0.0),
            (CORE, "same", 0.0),
            *[(TITAN, "new", 0.008)] * 2,
            (TITAN, "refused", 0.0, "Titan does not."),
        )
    )

    assert (summary.requests, summary.new, summary.cached, summary.same, summary.refused) == (17, 14, 1, 1, 1)
    assert (summary.usd, summary.prices_as_of) == (0.496, PRICES_AS_OF)
    assert [(line.name, line.usd) for line in summary.models] == [(CORE, 0.48), (TITAN, 0.016)]
    assert summary.refusals == (("Titan does not.", 1),)
    assert summary.seconds == 14 * 10.0 / 8


def test_the_sentence_tells_the_cost_its_date_and_the_time():
    assert plan_summary.of(planned(*[(CORE, "new", 0.04)] * 12, (CORE, "cached", 0.0))).sentence == (
        f"13 requests: 12 new, 1 in the cache. The new ones cost $0.48 (prices of {PRICES_AS_OF}) and take about 15 s, "
        "8 at a time."
    )


def test_the_sentence_of_one_picture_is_in_the_singular():
    assert plan_summary.of(planned((CORE, "new", 0.04))).sentence == (
        f"1 request: 1 new. The new one costs $0.04 (prices of {PRICES_AS_OF}) and takes about 10 s."
    )


def test_the_local_cloud_costs_nothing_and_its_plan_says_what_aws_would():
    sentence = plan_summary.of(planned(*[(CORE, "new", 0.04)] * 2, target="local")).sentence

    assert f"would cost $0.08 (prices of {PRICES_AS_OF}) on AWS, here nothing, and take about 10 s" in sentence


def test_a_plan_by_queue_names_who_makes_the_pictures():
    sentence = plan_summary.of(planned(*[(CORE, "new", 0.04)] * 100, via="queue", at_a_time=5)).sentence

    assert sentence.endswith("take about 4 min, 5 at a time by the queue's Lambda.")


def test_where_nothing_is_new_nothing_is_paid():
    summary = plan_summary.of(planned((CORE, "cached", 0.0), (CORE, "refused", 0.0, "It does not.")))

    assert summary.sentence == "2 requests: 1 in the cache, 1 refused. Nothing is asked for and nothing is paid."
    assert summary.seconds == 0.0


@pytest.mark.parametrize(
    ("pictures", "shown"),
    [(95, "about 119 s"), (97, "about 3 min"), (5759, "about 120 min"), (10_000, "about 3 h 28 min")],
)
def test_a_long_time_is_told_in_minutes_and_hours(pictures, shown):
    assert shown in plan_summary.of(planned(*[(CORE, "new", 0.04)] * pictures)).sentence


def test_the_text_fits_a_terminal_of_80_columns_and_breaks_no_name():
    warning = (
        f"Titan Image Generator v2 ({TITAN}) is LEGACY in us-east-1 (end of life 2026-06-30): use {CORE}, which works."
    )
    shown = text(
        *[(CORE, "new", 0.04)] * 2000, *[(TITAN, "new", 0.008, "", warning)] * 3, (TITAN, "refused", 0.0, "Not " * 40)
    )

    assert max(len(line) for line in shown.splitlines()) <= 80
    assert shown.count(TITAN) == 2
    assert shown.count("us-east-1") == 1


def test_the_amounts_of_a_table_stand_under_each_other():
    shown = text((CORE, "new", 0.04), (TITAN, "new", 0.008))

    assert [line.split()[-1] for line in shown.splitlines() if line.startswith((CORE, TITAN, "all"))] == [
        "0.040",
        "0.008",
        "0.048",
    ]


def test_a_single_model_needs_no_line_for_all():
    assert "\nall " not in text((CORE, "new", 0.04))


def test_warnings_and_refusals_are_told_once_each():
    refusals = [(CORE, "refused", 0.0, "It does not.")] * 3
    shown = text(
        (CORE, "new", 0.04, "x.png was not whole.", "Careful."), (CORE, "new", 0.04, "", "Careful."), *refusals
    )

    assert shown.count("! Careful.") == 1
    assert "! x.png was not whole." in shown
    assert "! 3 refused: It does not." in shown


def test_many_reasons_are_cut_and_counted():
    shown = text(*[(CORE, "refused", 0.0, f"Reason {number}.") for number in range(12)])

    assert shown.count("refused: Reason") == 5
    assert "! 7 more reasons for refusals stand in the rows of the plan." in shown


def test_a_notebook_gets_a_table_in_which_nothing_is_taken_for_html():
    summary = plan_summary.of(planned((CORE, "new", 0.04, "", "<b>careful</b>"), title="<Jeeps>"))

    html = summary._repr_html_()

    assert "<strong>&lt;Jeeps&gt;</strong>" in html
    assert "&lt;b&gt;careful&lt;/b&gt;" in html
    assert f">{CORE}</td>" in html
    assert repr(summary) == str(summary)


def test_some_rows_of_a_plan_are_summed_up_too():
    frame = planned((CORE, "new", 0.04), (TITAN, "new", 0.008))

    assert plan_summary.of(frame[frame["model"] == TITAN]).usd == 0.008
    assert plan_summary.of(frame[:0]).sentence.startswith("0 requests: nothing to do.")


def test_another_frame_is_refused():
    with pytest.raises(ExplorationError, match="is no plan"):
        plan_summary.of(pd.DataFrame({"model": [CORE]}))
