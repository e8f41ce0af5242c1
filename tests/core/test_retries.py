import re

import pytest

from couch_explorers.core import retries
from couch_explorers.paths import PROJECT_ROOT


@pytest.mark.parametrize(("receives", "seconds"), [(1, 5), (2, 10), (8, 640), (9, 900), (10, 900)])
def test_backoff_doubles_up_to_its_cap(receives, seconds):
    assert retries.backoff_ceiling_s(receives) == seconds


def test_receives_are_those_of_the_deployed_queue():
    queue = (PROJECT_ROOT / "infra" / "queue.tf").read_text(encoding="utf-8")

    assert re.findall(r"max_receive_count += (\d+)", queue) == [str(retries.MAX_RECEIVES)]
