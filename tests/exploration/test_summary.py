from couch_explorers.checks import CHECKS_MIME, Verdict
from couch_explorers.exploration.frames import RunFrame
from couch_explorers.exploration.results import RunContext
from couch_explorers.exploration.summary import conclude


def result(*rows, target="local"):
    """A sweep's result with the columns that a conclusion reads: (status, reason, usd)."""
    frame = RunFrame([{"status": s, "reason": r, "seconds": 1.0 if u else None, "usd": u} for s, r, u in rows])
    frame.context = RunContext(target)
    return frame


def test_a_sweep_whose_pictures_are_all_there_is_ok_however_they_came():
    found = conclude(result(("made", "", 0.04), ("cached", "", 0.0), ("same", "", 0.0)))

    assert [check.verdict for check in found.checks] == [Verdict.OK]
    assert found.checks[0].detail == "3 of 3 are there: 1 made, 1 cached, 1 same."


def test_a_failed_cell_is_bad_and_its_reason_is_given_with_its_count():
    found = conclude(result(("made", "", 0.04), *[("failed", "ModelUnavailable: gone.", 0.0)] * 2))

    assert [(check.name, check.verdict) for check in found.checks] == [
        ("pictures", Verdict.WARN),
        ("failed cells", Verdict.BAD),
    ]
    assert found.checks[1].detail == "2 x ModelUnavailable: gone."


def test_what_a_model_or_its_filter_would_not_paint_is_a_warning():
    found = conclude(result(("made", "", 0.04), ("refused", "too long", 0.0), ("filtered", "blocked", 0.0)))

    assert {check.verdict for check in found.checks} == {Verdict.WARN}


def test_a_run_that_was_not_started_is_bad_and_its_reason_stands_once():
    frame = result(("cached", "", 0.0), ("stopped", "too dear", 0.0))
    frame.context = RunContext("local", unstarted="too dear")

    found = conclude(frame)

    assert [(check.name, check.verdict) for check in found.checks] == [
        ("pictures", Verdict.WARN),
        ("run started", Verdict.BAD),
    ]
    assert found.checks[1].detail == "too dear"


def test_a_sweep_without_any_picture_is_bad():
    assert conclude(result(("filtered", "blocked", 0.0))).checks[0].verdict is Verdict.BAD


def test_what_the_local_stand_in_painted_is_not_said_to_be_paid():
    rows = [("made", "", 0.04)] * 3

    assert "would have cost $0.12" in conclude(result(*rows)).sentence
    assert "for $0.12" in conclude(result(*rows, target="aws")).sentence


def test_a_sweep_that_found_everything_in_the_cache_says_that_nothing_was_paid():
    assert (
        conclude(result(("cached", "", 0.0))).sentence
        == "1 of 1 pictures are there, none of them new: nothing was paid."
    )


def test_many_reasons_are_shortened_and_say_where_the_rest_is():
    found = conclude(result(*[("failed", f"reason {number}", 0.0) for number in range(5)]))

    assert found.checks[1].detail.endswith("and 2 more reasons in results.csv")


def test_a_notebook_shows_the_sentence_and_hands_the_checks_to_the_report():
    bundle = conclude(result(("made", "", 0.04)))._repr_mimebundle_()

    assert bundle["text/plain"].startswith("1 of 1 pictures are there")
    assert bundle[CHECKS_MIME][0]["verdict"] == "OK"
