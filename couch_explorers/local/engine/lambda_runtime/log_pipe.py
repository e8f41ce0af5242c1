"""Turns what a function's process writes into log events: lines of text and framed records of its logger, in one order."""

import os
import selectors
import threading
import time
from collections.abc import Callable

from couch_explorers.local.engine.lambda_runtime.observers import LogEvent

# A frame of awslambdaric's FramedTelemetryLogSink: 4 bytes type, 4 bytes length, 8 bytes microseconds, the message; big-endian.
# No text in UTF-8 contains these three bytes, but for a yen sign, a Z and a NUL in a row.
FRAME_MAGIC = b"\xa5\x5a\x00"
HEAD = 16
# Bytes; CloudWatch Logs takes 1 MB an event. https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
MAX_EVENT = 1_048_576 - 26
READ_SIZE = 65_536


class LogPipe:
    """Reads one pipe on a thread of its own and hands over each event when it is complete."""

    def __init__(self, descriptor: int, take: Callable[[LogEvent], None]) -> None:
        self._descriptor = descriptor
        self._take = take
        self._lock = threading.Lock()
        self._rest = b""
        self._open = True
        os.set_blocking(descriptor, False)
        threading.Thread(target=self._follow, name=f"lambda-log-{descriptor}", daemon=True).start()

    def drain(self, *, final_line: bool) -> None:
        """Hand over all that was written until now; with `final_line` also text that no newline has ended yet."""
        with self._lock:
            self._read()
            if final_line and self._rest and not self._rest.startswith(FRAME_MAGIC[: len(self._rest)]):
                self._emit_text(self._rest, _now_ms())
                self._rest = b""

    def _follow(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            while self._open:
                selector.select()
                with self._lock:
                    self._read()
        with self._lock:
            os.close(self._descriptor)

    def _read(self) -> None:
        while self._open:
            try:
                data = os.read(self._descriptor, READ_SIZE)
            except BlockingIOError:
                return
            if not data:
                self._open = False
            self._rest = self._parse(self._rest + data)

    def _parse(self, data: bytes) -> bytes:
        """Emit what is complete in `data`; returns the beginning of what is not."""
        now = _now_ms()
        while data:
            if data.startswith(FRAME_MAGIC):
                if len(data) < HEAD or len(data) < HEAD + int.from_bytes(data[4:8], "big"):
                    return data
                end = HEAD + int.from_bytes(data[4:8], "big")
                message = data[HEAD:end].decode(errors="replace")
                self._take(LogEvent(int.from_bytes(data[8:HEAD], "big") // 1000, message))
                data = data[end:]
                continue
            frame = data.find(FRAME_MAGIC)
            text = data if frame < 0 else data[:frame]
            line, newline, _ = text.partition(b"\n")
            if not newline and frame < 0 and len(line) < MAX_EVENT:
                return data
            self._emit_text(line + newline, now)
            data = data[len(line) + len(newline) :]
        return b""

    def _emit_text(self, line: bytes, now: int) -> None:
        text = line.decode(errors="replace")
        for start in range(0, len(text), MAX_EVENT):
            if piece := text[start : start + MAX_EVENT]:
                self._take(LogEvent(now, piece))


def _now_ms() -> int:
    return int(time.time() * 1000)
