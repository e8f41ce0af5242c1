import os
import threading

import pytest

from couch_explorers.local.engine.lambda_runtime.function_logs import (
    MAX_BYTES,
    LogBatch,
    LogDelivery,
    LogEvent,
    LogPipe,
)
from tests.waiting import wait_until

# --- events from the process ------------------------------------------------------------------------------------------


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


def test_incomplete_frame_is_not_emitted(pipe):
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


# --- delivery ---------------------------------------------------------------------------------------------------------


def stream(name):
    return LogBatch("paint", "eu-west-1", "/aws/lambda/paint", name, "role")


def test_events_of_a_stream_stay_in_order_and_never_go_back_in_time():
    stored = []
    delivery = LogDelivery(stored.append)

    for number, stamp in enumerate([5, 3, 7, 6]):
        delivery.add(stream("one"), LogEvent(stamp, str(number)))
        delivery.add(stream("two"), LogEvent(stamp, f"two {number}"))

    wait_until(lambda: sum(len(batch.events) for batch in stored) == 8)
    events = [event for batch in stored if batch.log_stream == "one" for event in batch.events]
    assert [(event.timestamp_ms, event.message) for event in events] == [(5, "0"), (5, "1"), (7, "2"), (7, "3")]


def test_calls_stay_within_the_limits_of_put_log_events():
    stored = []
    delivery = LogDelivery(stored.append)

    for _ in range(3):
        delivery.add(stream("one"), LogEvent(1, "x" * (MAX_BYTES // 2)))

    wait_until(lambda: sum(len(batch.events) for batch in stored) == 3)
    assert [len(batch.events) for batch in stored] == [1, 1, 1]


def test_refused_events_do_not_end_the_delivery():
    refusing, refused = threading.Event(), threading.Event()
    refusing.set()
    stored = []

    def store(batch):
        if refusing.is_set():
            refused.set()
            raise PermissionError
        stored.append(batch)

    delivery = LogDelivery(store)
    delivery.add(stream("one"), LogEvent(1, "refused"))
    assert refused.wait(60)
    refusing.clear()
    delivery.add(stream("one"), LogEvent(2, "stored"))

    wait_until(lambda: stored)
    assert [event.message for batch in stored for event in batch.events] == ["stored"]
