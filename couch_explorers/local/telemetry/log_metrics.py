"""Reads the metrics out of the log events of MiniStack, which leaves them in the log."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from couch_explorers.local.telemetry import emf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from couch_explorers.local.telemetry.recorder import Recorder


def mend(recorder: Recorder) -> None:
    """Read the metrics out of every log event, whether a function or a client wrote it."""
    from ministack.core.responses import get_region  # noqa: PLC0415 - reads its settings from the environment on import
    from ministack.services import cloudwatch_logs  # noqa: PLC0415 - likewise

    original: Callable[..., None] = cloudwatch_logs._append_log_events  # noqa: SLF001 - the pinned release has no public seam

    @functools.wraps(original)
    def append_log_events(stream: Any, events: Sequence[Mapping[str, Any]]) -> None:
        original(stream, events)
        for event in events:
            recorder.record(emf.samples_or_warning(event.get("message", "")), get_region())

    cloudwatch_logs._append_log_events = append_log_events  # noqa: SLF001
