import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from couch_explorers import formatting

OSLO = ZoneInfo("Europe/Oslo")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: formatting.number(1204.4), "1,204"),
        (lambda: formatting.number(21.34), "21.3"),
        (lambda: formatting.number(0.421), "0.42"),
        (lambda: formatting.number(0.0012), "0.001"),
        (lambda: formatting.count(0, "job"), "no job"),
        (lambda: formatting.count(1, "job"), "1 job"),
        (lambda: formatting.count(2, "retry", "retries"), "2 retries"),
        (lambda: formatting.percent(0.0304), "3 %"),
        (lambda: formatting.percent(0.004), "0.4 %"),
        (lambda: formatting.ratio(36, 300, "the alarm's 300 s"), "12 % of the alarm's 300 s"),
        (lambda: formatting.ratio(2220, 300, "the alarm's 300 s"), "7.4 times the alarm's 300 s"),
        (lambda: formatting.ratio(1, 0, "x") + formatting.ratio(1, math.nan, "x"), ""),
        (lambda: formatting.gigabytes(712_345_678, 1), "0.7 GB"),
        (lambda: formatting.seconds(0.42), "0.42 s"),
        (lambda: formatting.rough_duration(89.2), "90 s"),
        (lambda: formatting.rough_duration(121), "3 min"),
        (lambda: formatting.rough_duration(7500), "2 h 5 min"),
        (lambda: formatting.period(600), "each 10 minutes"),
        (lambda: formatting.period(90), "each 90 seconds"),
        (lambda: formatting.per_period(3600), "an hour"),
        (lambda: formatting.per_period(600), "in 10 minutes"),
        (lambda: formatting.join(["a", "", "b", "c"]), "a, b and c"),
        (lambda: formatting.sentence("one", "", "two"), "One; two."),
        (formatting.sentence, ""),
        (lambda: formatting.sentences("one. ", "", "two"), "One. Two."),
        (lambda: formatting.date(datetime(2026, 11, 4, tzinfo=UTC)), "Wed 4 Nov"),
        (lambda: formatting.utc_time(datetime(2026, 11, 25, 10, 12, 4, tzinfo=OSLO)), "25 Nov 09:12:04"),
        (lambda: formatting.iso_time(datetime(2026, 11, 25, 10, 12, 4, tzinfo=OSLO)), "2026-11-25T09:12:04.000Z"),
        (lambda: formatting.iso_time(None), None),
        (
            lambda: formatting.from_milliseconds(1_795_576_917_107),
            datetime(2026, 11, 25, 3, 21, 57, 107_000, tzinfo=UTC),
        ),
    ],
)
def test_values_as_people_read_them(call, text):
    assert call() == text


@pytest.mark.parametrize(
    ("amount", "options", "text"),
    [
        (0, {}, "$0.00"),
        (16.484, {}, "$16.48"),
        (1234.5, {}, "$1,234.50"),
        (0.004, {}, "$0.0040"),
        (40.0, {"symbol": "", "cents_from": 0.1}, "40.00"),
        (0.27, {"symbol": "", "cents_from": 0.1}, "0.27"),
        (0.0123, {"symbol": "", "cents_from": 0.1}, "0.012"),
        (0.0004, {"symbol": "", "cents_from": 0.1}, "0.00040"),
        (0.0801, {"exact": True}, "$0.0801"),
        (0.008, {"exact": True}, "$0.008"),
        (0.48, {"exact": True}, "$0.48"),
        (12, {"exact": True}, "$12.00"),
        (0, {"exact": True}, "$0.00"),
        (1234.5, {"exact": True}, "$1,234.50"),
    ],
)
def test_amounts_of_dollars(amount, options, text):
    assert formatting.usd(amount, **options) == text


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (-5, "under a second"),
        (0.3, "under a second"),
        (4.4, "4 s"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (3601, "1 h"),
        (7320, "2 h 2 min"),
        (86_400, "1 day"),
        (2 * 86_400 + 4 * 3600 + 59, "2 days 4 h"),
    ],
)
def test_duration_has_two_units(length_s, text):
    assert formatting.duration(length_s) == text


def test_the_hour_that_a_clock_change_repeats_names_its_zone():
    before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    assert [formatting.clock((before + timedelta(hours=n)).astimezone(OSLO)) for n in (-1, 0, 1, 2)] == [
        "01:30",
        "02:30 CEST",
        "02:30 CET",
        "03:30",
    ]
