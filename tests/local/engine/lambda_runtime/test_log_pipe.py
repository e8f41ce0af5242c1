import os

import pytest

from couch_explorers.local.engine.lambda_runtime.log_pipe import LogPipe
from tests.local.engine.functions import wait_until


@pytest.fixture
def pipe():
    """A log pipe, the end to write to, and the messages that came out."""
    reader, writer = os.pipe()
    events = []
    yield LogPipe(reader, events.append), writer, events
    try:
        os.close(writer)
    except OSError:
        return


def frame(message, stamp_us=1_700_000_000_123_456):
    data = message.encode()
    return b"\xa5\x5a\x00\x03" + len(data).to_bytes(4, "big") + stamp_us.to_bytes(8, "big") + data


def messages(events):
    return [event.message for event in events]


def test_lines_and_frames_come_out_in_the_order_they_were_written(pipe):
    log, writer, events = pipe

    os.write(writer, b"one\n" + frame("two\nlines\n") + b"three\nfour" + frame("five") + "six ¥\n".encode())
    log.drain(final_line=True)

    assert messages(events) == ["one\n", "two\nlines\n", "three\n", "four", "five", "six ¥\n"]
    assert events[1].timestamp_ms == 1_700_000_000_123


def test_frame_is_whole_before_it_comes_out(pipe):
    log, writer, events = pipe
    whole = frame("a record")

    for part in (whole[:2], whole[2:10], whole[10:20]):
        os.write(writer, part)
        log.drain(final_line=True)
        assert events == []
    os.write(writer, whole[20:])
    log.drain(final_line=True)

    assert messages(events) == ["a record"]


def test_line_waits_for_its_end_until_the_invocation_is_over(pipe):
    log, writer, events = pipe

    os.write(writer, b"half")
    log.drain(final_line=False)
    assert events == []
    log.drain(final_line=True)

    assert messages(events) == ["half"]


def test_reading_ends_with_the_last_writer(pipe):
    _, writer, events = pipe

    os.write(writer, b"last\n")
    os.close(writer)

    wait_until(lambda: messages(events) == ["last\n"])
