"""What people on call read in a terminal comes from prompts, letters and logs, and steers nothing there."""

import pytest

from couch_explorers.oncall import redrive
from tests import hostile


@pytest.mark.parametrize("text", hostile.TEXTS.values(), ids=hostile.TEXTS)
def test_a_timeline_and_a_redrive_are_plain_lines(cloud, workspace, tell, text):
    cloud.give_up("a", text, text, prompt=text)
    cloud.line(text, job_id="a", reason=text, detail=text)
    cloud.line("Job postponed", job_id="a", reason=text, detail=text, seconds=5)
    cloud.line("Job given up", job_id="a", reason=text, detail=text)
    cloud.s3.note("a", text, text, request={"prompt": text, "negative_prompt": text, "model": text, "size": text})

    lines = [*tell("a").lines(), *redrive.run(workspace, dry_run=True).lines()]

    assert hostile.unprintable("\n".join(lines)) == set()
    assert [line for line in lines if "\n" in line] == []
