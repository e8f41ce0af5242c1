import pytest

from couch_explorers.exploration.money import dollars


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "$0.00"), (0.48, "$0.48"), (0.008, "$0.008"), (12, "$12.00"), (0.0801, "$0.0801"), (1234.5, "$1,234.50")],
)
def test_an_amount_has_two_decimals_and_more_only_where_it_is_no_whole_number_of_cents(usd, text):
    assert dollars(usd) == text
