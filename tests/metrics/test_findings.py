import math

import pytest

from couch_explorers.checks import Verdict
from couch_explorers.metrics import findings
from couch_explorers.metrics.findings import SHARE, USD, Finding


@pytest.mark.parametrize(
    ("now", "before", "unit", "expected"),
    [
        (112, 100, "s", "+12 %"),
        (88, 100, "s", "\u221212 %"),
        (100.4, 100, "s", "same"),
        (1400, 100, "s", "\u00d714"),
        (3, 0, "jobs", "new"),
        (0, 3, "jobs", "gone"),
        (0, 0, "jobs", "same"),
        (3.4, 3.0, SHARE, "+0.4 points"),
        (3.0, 3.4, SHARE, "\u22120.4 points"),
        (3.01, 3.0, SHARE, "same"),
        (math.nan, 3, "s", ""),
        (3, math.nan, "s", ""),
    ],
)
def test_a_change_is_written_as_people_say_it(now, before, unit, expected):
    assert findings.format_change(now, before, unit) == expected


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (640.0, "s", "640 s"),
        (1.0, "jobs", "1 job"),
        (1.0, "s", "1 s"),
        (2.0, "jobs", "2 jobs"),
        (1.0, "series", "1 series"),
        (16.4849, USD, "$16.48"),
        (0.0086, USD, "$0.0086"),
        (0.0, USD, "$0.00"),
        (12.4, SHARE, "12 %"),
        (0.3, SHARE, "0.3 %"),
        (math.nan, "s", ""),
    ],
)
def test_an_amount_carries_its_unit(value, unit, written):
    assert findings.format_amount(value, unit) == written


def test_a_check_that_is_ok_asks_for_nothing():
    row = Finding("age", Verdict.OK, "Fine.", action="Do something.")

    assert row.record()["action"] == ""


def test_numbers_that_are_not_all_there_prove_trouble_but_not_health():
    healthy = Finding("age", Verdict.OK, "At most 3 s.").downgraded("Only a part.")
    trouble = Finding("age", Verdict.BAD, "640 s.", action="Look.").downgraded("Only a part.")

    assert (healthy.verdict, trouble.verdict) == (Verdict.NO_DATA, Verdict.BAD)
    assert healthy.reason == "At most 3 s. Only a part."
    assert healthy.action
    assert trouble.action == "Look."
