from datetime import UTC, datetime, timedelta, timezone

import pytest

from couch_explorers.oncall.terminal import couch_command, day_and_time, duration, from_milliseconds, iso, plain, wrap


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "under a second"),
        (0.2, "under a second"),
        (-5, "under a second"),
        (4.4, "4 s"),
        (60, "1 min"),
        (228, "3 min 48 s"),
        (7320, "2 h 2 min"),
        (7201, "2 h"),
        (86_400, "1 day"),
        (187_201, "2 days 4 h"),
    ],
)
def test_a_length_of_time_is_written_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_a_time_of_any_zone_is_written_in_utc():
    oslo = timezone(timedelta(hours=1))

    assert day_and_time(datetime(2026, 11, 5, 0, 30, 1, tzinfo=oslo)) == "4 Nov 23:30:01"
    assert iso(datetime(2026, 11, 5, 0, 30, 1, 120_000, tzinfo=oslo)) == "2026-11-04T23:30:01.120Z"
    assert iso(None) is None


def test_milliseconds_are_read_as_utc():
    assert from_milliseconds(1_795_576_917_107) == datetime(2026, 11, 25, 3, 21, 57, 107_000, tzinfo=UTC)


def test_a_text_from_anywhere_cannot_command_the_terminal():
    assert plain("\x1b[31mred\x1b[0m\nand\tmore\x00") == "[31mred [0m and more"


def test_a_long_text_is_cut_with_a_sign():
    assert plain("x" * 400, limit=10) == "xxxxxxxxx…"


def test_lines_keep_to_eighty_columns_but_for_an_address_that_is_longer():
    address = "s3://bucket/" + "a" * 90

    lines = wrap(f"{'word ' * 40}{address}", "picture   ")

    assert lines[-1].strip() == address
    assert all(len(line) <= 80 for line in lines[:-1])
    assert lines[1].startswith("          word")


def test_an_empty_text_is_its_label_alone():
    assert wrap("", "note  ") == ["note"]


def test_a_command_names_the_target_that_it_is_for(cloud):
    assert couch_command(cloud.workspace("local"), "job a") == "couch job a"
    assert couch_command(cloud.workspace("aws"), "job a") == "couch job a --target aws --candidate 42"
