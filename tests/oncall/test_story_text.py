from datetime import timedelta

import pytest

from couch_explorers.oncall import job_story


@pytest.fixture
def lines(workspace, stand):
    def told(job_id):
        written = job_story.tell(workspace, job_id, now=stand.NOW + timedelta(minutes=2)).lines()
        assert all(len(line) <= 80 for line in written)
        return written

    return told


def test_a_painted_job_on_one_screen(cloud, lines, job):
    cloud.s3.paint(job("a", seed=7))
    cloud.line("Job postponed", at_s=1, job_id="a", message_id="m", receives=1, reason="Throttled", detail="Later.")
    cloud.line("Picture stored", at_s=5, job_id="a", message_id="m", receives=2, milliseconds=2310)

    size = len(cloud.s3.objects["42/a.png"][0])
    assert lines("a") == [
        "a is painted.",
        "",
        "prompt    A fjord",
        "model     stability.stable-image-core-v1:1, seed 7, 1024x1024",
        "picture   s3://bucket/42/a.png",
        f"          48 x 32 pixels, {size} bytes",
        "",
        "Wednesday 25 November 2026, UTC",
        f"09:30:00  bucket        The picture is there: {size} bytes.",
        "09:30:01  worker        Receive 1: put off for under a second. Throttled: Later.",
        "09:30:05  worker        Receive 2: picture made and stored in 2.3 s.",
        "",
        "searched  s3://bucket/42/a.*; the logs of worker and api back to 24 Nov 09:32:00",
        "          UTC",
    ]


def test_days_are_headings(cloud, lines):
    cloud.line("Job postponed", at_s=-36_000, job_id="a", message_id="m", receives=1, reason="Throttled")
    cloud.line("Job given up", at_s=5, job_id="a", message_id="m", receives=2, reason="Throttled", detail="Later.")

    headings = [line for line in lines("a") if line.endswith(", UTC")]

    assert headings == ["Tuesday 24 November 2026, UTC", "Wednesday 25 November 2026, UTC"]


def test_a_gap_has_no_time(cloud, lines):
    cloud.line("Job postponed", at_s=1, job_id="a", message_id="m", receives=2, reason="Throttled")

    gap = next(line for line in lines("a") if "Receive 1" in line)

    assert gap.startswith(" " * 10 + "worker")


def test_advice_and_notes_are_labelled(cloud, lines):
    cloud.give_up("a", "ContentFiltered")

    written = lines("a")

    assert any(line.startswith("next      See whether") for line in written)
    assert any(line.startswith("note      AWS does not show") for line in written)


def test_a_messages_id_is_explained(cloud, lines, job):
    cloud.s3.paint(job("a"))
    cloud.line("Picture stored", job_id="a", message_id="m-1", receives=1, milliseconds=5)

    assert "  m-1 is the id of a message, request or invocation of this job." in lines("m-1")


def test_a_prompt_that_would_command_the_terminal_is_harmless(cloud, lines):
    cloud.give_up("a", body='{"id": "a", "prompt": "\\u001b[2J' + "x " * 500 + '"}')

    written = "\n".join(lines("a"))

    assert "\x1b" not in written
    assert "…" in written
