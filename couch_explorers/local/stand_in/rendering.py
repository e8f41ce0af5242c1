"""Paints what a request asks for, in processes of their own: painting holds Python's lock, which the server needs.

Run as a module it is such a process: it reads orders from standard input, writes pictures to standard output, and ends
with the input, so that none outlives a server, however that ended.
"""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from PIL import Image

    from couch_explorers.local.stand_in.orders import Order

# Two keep up with a queue's eight workers; each holds 50 MB.
MOST_PROCESSES = 4
# The server's answers go before the next picture.
NICENESS = 5
# The sides that the painter paints; other pictures are resized.
SIDES = (320, 4096)
# EXIF's tag of the program that made a picture.
SOFTWARE_TAG = 0x0131


class RenderError(RuntimeError):
    """A picture could not be painted; the text is the trace of the process that tried."""


class RenderPool:
    """As many processes as there are cores, at most MOST_PROCESSES, each begun when it is first needed.

    A `paint` of a test's own, with the signature of `painter.paint`, is called in a thread instead.
    """

    def __init__(self, paint: Callable[..., bytes] | None = None) -> None:
        self._paint = paint
        self._threads = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_PROCESSES), thread_name_prefix="render")
        self._of_thread = threading.local()
        self._processes: list[_RenderProcess] = []

    def submit(self, model_id: str, order: Order, seed: int) -> Future[bytes]:
        """Paint one picture of an order; the future's error is RenderError where the painter failed."""
        return self._threads.submit(self._render, model_id, order, seed)

    def _render(self, model_id: str, order: Order, seed: int) -> bytes:
        if self._paint is not None:
            return render(model_id, order, seed, self._paint)
        process: _RenderProcess | None = getattr(self._of_thread, "process", None)
        if process is None or process.ended:
            process = self._of_thread.process = _RenderProcess()
            self._processes.append(process)
        return process.render(model_id, order, seed)

    def close(self) -> None:
        """End the processes, whatever they are painting."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for process in self._processes:
            process.end()


class _RenderProcess:
    """One process, used by one thread."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders, self._pictures = self._process.stdin, self._process.stdout

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def render(self, model_id: str, order: Order, seed: int) -> bytes:
        try:
            _send(self._orders, (model_id, order, seed))
            done, result = pickle.load(self._pictures)  # noqa: S301 - written by the process that was started above
        except (EOFError, OSError) as error:
            raise RenderError(f"The painter's process ended with code {self._process.wait()}.") from error
        if not done:
            raise RenderError(result)
        picture: bytes = result
        return picture

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._orders, self._pictures):
            # What was not written yet has no reader any more.
            with suppress(BrokenPipeError):
                pipe.close()


def render(model_id: str, order: Order, seed: int, paint: Callable[..., bytes]) -> bytes:
    """Paint one picture of an order with `paint`, change it as the order's task says, and encode it."""
    painted = _painted(model_id, order, seed, paint) if order.paints else None
    if order.transform is None and painted is not None:
        return painted if order.output_format == "png" else encoded(_opened(painted), order.output_format)
    image = None if painted is None else _opened(painted).resize((order.width, order.height))
    transform = order.transform or (lambda made, _seed: made)
    return encoded(transform(image, seed), order.output_format)


def encoded(image: Image.Image, output_format: str) -> bytes:
    """Write a picture as PNG, JPEG or WebP that says in its metadata where it comes from."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - loaded with the first picture, not with the server

    from couch_explorers.local.painter import SOFTWARE  # noqa: PLC0415 - see above

    out = io.BytesIO()
    if output_format == "png":
        marks = PngInfo()
        marks.add_text("Software", SOFTWARE)
        image.save(out, "PNG", pnginfo=marks, compress_level=1)
    elif output_format == "jpeg":
        image.convert("RGB").save(out, "JPEG", quality=90, comment=SOFTWARE)
    else:
        exif = image.getexif()
        exif[SOFTWARE_TAG] = SOFTWARE
        image.save(out, "WEBP", quality=90, exif=exif)
    return out.getvalue()


def _painted(model_id: str, order: Order, seed: int, paint: Callable[..., bytes]) -> bytes:
    return paint(
        order.prompt,
        seed=seed,
        width=min(max(order.width, SIDES[0]), SIDES[1]),
        height=min(max(order.height, SIDES[0]), SIDES[1]),
        model=model_id,
        negative_prompt=order.negative_prompt,
        cfg_scale=order.cfg_scale,
    )


def _opened(png: bytes) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - see above

    return Image.open(io.BytesIO(png)).convert("RGB")


def _send(to: IO[bytes], message: object) -> None:
    pickle.dump(message, to)
    to.flush()


def _serve(orders: IO[bytes], pictures: IO[bytes]) -> None:
    """Answer each order by (True, picture) or (False, trace), until there are no more."""
    from couch_explorers.local.painter import paint  # noqa: PLC0415 - see above

    while True:
        try:
            model_id, order, seed = pickle.load(orders)  # noqa: S301 - written by the server that started this
        except EOFError:
            return
        try:
            answer: tuple[bool, object] = (True, render(model_id, order, seed, paint))
        except Exception:  # noqa: BLE001 - told to the server, which logs it
            answer = (False, traceback.format_exc())
        _send(pictures, answer)


if __name__ == "__main__":
    os.nice(NICENESS)
    pictures = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not stand between pictures.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _serve(sys.stdin.buffer, pictures)
