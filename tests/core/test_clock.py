import math
from types import SimpleNamespace

from couch_explorers.core.clock import Clock


def test_before_an_invocation_there_is_no_end():
    assert Clock().left_s() == math.inf


def test_an_invocation_has_what_lambda_gives_it():
    clock = Clock()

    clock.start(SimpleNamespace(get_remaining_time_in_millis=lambda: 28_000))

    assert 27.0 < clock.left_s() <= 28.0
