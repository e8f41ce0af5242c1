from datetime import UTC, datetime, timedelta

import pytest

from couch_explorers.exploration.frames import RunFrame
from couch_explorers.exploration.results import RunContext
from couch_explorers.figures import benchmark_results, provenance
from couch_explorers.figures.provenance import Kind
from tests.aws_fakes.deployed import MODEL_ARNS, workspace_of
from tests.figures.conftest import SAVED_RUN
from tests.metrics.believable import CORE, END
from tests.wording import numbers

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("target", "kind", "place"), [("local", Kind.LOCAL, "the local cloud"), ("aws", Kind.AWS, "AWS")]
)
def test_what_was_asked_says_where_and_when(aws, target, kind, place):
    source = provenance.queried(workspace_of(aws, target=target), now=END)

    assert source.kind is kind
    assert source.sentence == f"Read from the services of {place} (candidate 42) on 25 Nov 2026 08:00 UTC."


@pytest.mark.parametrize(("target", "kind"), [("local", Kind.LOCAL), ("aws", Kind.AWS)])
def test_what_was_measured_says_from_when_to_when(frame_of, target, kind):
    source = provenance.measured(frame_of(target=target))

    assert source.kind is kind
    assert source.sentence.startswith("Measured on ")
    assert source.sentence.endswith("24 Nov 2026 09:00 to 25 Nov 2026 09:00 Europe/Oslo.")
    assert source.synthetic == ()


def test_a_window_that_the_history_wrote_is_synthetic(frame_of):
    source = provenance.measured(frame_of(synthetic=[(END - 8 * DAY, END)]))

    assert source.kind is Kind.SYNTHETIC
    assert source.sentence == "Synthetic, not measured, 24 Nov 2026 09:00 to 25 Nov 2026 09:00 Europe/Oslo."
    assert source.synthetic == ((END - DAY, END),)


def test_a_mixed_window_says_from_when_to_when_it_is_synthetic_and_that_the_rest_was_measured(frame_of, snapshot):
    source = provenance.measured(frame_of(synthetic=[(END - 8 * DAY, END - timedelta(hours=1))]))

    assert source.kind is Kind.SYNTHETIC
    assert source.sentence == snapshot
    assert numbers(source.sentence) == [
        "24", "2026", "09:00", "25", "2026", "08:00", "25", "2026", "09:00", "42",
    ]  # fmt: skip


def test_a_stretch_within_a_day_says_its_date_once(frame_of):
    source = provenance.measured(frame_of(synthetic=[(END - timedelta(hours=3), END - timedelta(hours=1))]))

    assert "25 Nov 2026 06:00 to 08:00 Europe/Oslo" in source.sentence


def test_history_outside_of_the_window_makes_nothing_synthetic(frame_of):
    source = provenance.measured(frame_of(synthetic=[(END - 3 * DAY, END - 2 * DAY)]), compared=True)

    assert source.kind is Kind.LOCAL


def test_a_window_compared_with_counts_where_it_is_drawn(frame_of):
    frame = frame_of(synthetic=[(END - 2 * DAY, END - DAY)])

    drawn, not_drawn = provenance.measured(frame, compared=True), provenance.measured(frame)

    assert (drawn.kind, not_drawn.kind) == (Kind.SYNTHETIC, Kind.LOCAL)
    assert drawn.sentence.startswith("Measured on the local cloud")
    assert drawn.sentence.endswith("the day before is synthetic, not measured.")


def test_pictures_of_the_stand_in_are_never_called_a_models():
    pictures = RunFrame({"model": [CORE, CORE]})
    pictures.context = RunContext("local")

    source = provenance.painted(pictures, MODEL_ARNS)

    assert source.kind is Kind.LOCAL
    assert source.sentence == "Painted by the local stand-in for Stable Image Core, no image model was asked."


def test_pictures_from_aws_name_model_and_region():
    pictures = RunFrame({"model": [CORE, "someone.new-model"]})
    pictures.context = RunContext("aws")

    source = provenance.painted(pictures, [f"arn:aws:bedrock:us-west-9::foundation-model/{CORE}"])

    assert source.kind is Kind.AWS
    assert source.sentence == "Painted by Stable Image Core on Amazon Bedrock in us-west-9 and someone.new-model."


def test_a_saved_run_says_when_at_which_commit_and_on_what(snapshot):
    source = provenance.saved(benchmark_results.read("java_client", SAVED_RUN.parent))

    assert source.kind is Kind.SAVED_RUN
    assert source.sentence == snapshot
    assert numbers(source.sentence) == ["24", "2026", "21:40", "9", "9", "3.0", "2", "24"]


@pytest.mark.parametrize(
    ("commit", "expected"),
    [
        ("unknown", "a commit that is not known"),
        ("1e6e0283a1b2+", "commit 1e6e0283a1b2+ with changes that were not committed"),
    ],
)
def test_a_commit_that_is_unknown_or_changed_is_reported_as_such(saved, commit, expected):
    assert expected in provenance.saved(benchmark_results.read("java_client", saved(commit=commit))).sentence


def test_a_source_goes_into_a_manifest_as_plain_values(frame_of):
    values = provenance.measured(frame_of(synthetic=[(END - timedelta(hours=1), END)])).to_json()

    assert values["kind"] == "SYNTHETIC"
    assert values["synthetic"] == [["2026-11-25T07:00:00Z", "2026-11-25T08:00:00Z"]]


@pytest.mark.parametrize("kind", Kind)
def test_a_badge_tells_its_kind_by_a_sign_and_a_word_not_by_colour_alone(kind):
    badge = provenance.Source(kind, "").badge

    assert f"{provenance.SIGNS[kind]} {kind}" in badge
    assert len(set(provenance.SIGNS.values())) == len(Kind)


def test_a_moment_is_written_with_its_date():
    assert provenance.format_time(datetime(2026, 3, 5, 7, 4, tzinfo=UTC), UTC) == "5 Mar 2026 07:04"
