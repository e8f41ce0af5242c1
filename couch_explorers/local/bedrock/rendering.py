"""Generates the pictures of a request in processes of their own: drawing holds Python's lock, which the server needs.

Run as a module it is such a process: it reads requests from standard input, writes pictures to standard output, and ends with its
input, so that no process outlives a server, however that ended.
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

    from couch_explorers.local.bedrock.requests import ImageRequest

# Two keep up with a queue's eight workers; each holds 50 MB.
MOST_PROCESSES = 4
# The server's responses have priority over the next picture.
NICENESS = 5
# The sides that the painter paints; other pictures are resized.
SIDES = (320, 4096)
# EXIF's tag of the program that made a picture.
SOFTWARE_TAG = 0x0131


class RenderError(RuntimeError):
    """A picture could not be rendered; the message is the traceback of the process that tried."""


class RenderPool:
    """As many processes as there are cores, at most MOST_PROCESSES, each started when it is first needed.

    Args:
        paint: Called in a thread instead, with the signature of `painter.renderer.paint`.
    """

    def __init__(self, paint: Callable[..., bytes] | None = None) -> None:
        self._paint = paint
        self._threads = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_PROCESSES), thread_name_prefix="render")
        self._local = threading.local()
        self._processes: list[_RenderProcess] = []

    def submit(self, model_id: str, request: ImageRequest, seed: int) -> Future[bytes]:
        """Render one picture of a request; the future raises RenderError where that failed."""
        return self._threads.submit(self._render, model_id, request, seed)

    def _render(self, model_id: str, request: ImageRequest, seed: int) -> bytes:
        if self._paint is not None:
            return render(model_id, request, seed, self._paint)
        process: _RenderProcess | None = getattr(self._local, "process", None)
        if process is None or process.ended:
            process = self._local.process = _RenderProcess()
            self._processes.append(process)
        return process.render(model_id, request, seed)

    def close(self) -> None:
        """End the processes, whatever they are rendering."""
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
        self._requests, self._pictures = self._process.stdin, self._process.stdout

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def render(self, model_id: str, request: ImageRequest, seed: int) -> bytes:
        try:
            write_message(self._requests, (model_id, request, seed))
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
        for pipe in (self._requests, self._pictures):
            # What was not written yet has no reader any more.
            with suppress(BrokenPipeError):
                pipe.close()


def render(model_id: str, request: ImageRequest, seed: int, paint: Callable[..., bytes]) -> bytes:
    """Draw one picture of a request with `paint`, transform it as the request's task says, and encode it."""
    painted = _draw(model_id, request, seed, paint) if request.paints else None
    if request.transform is None and painted is not None:
        return painted if request.output_format == "png" else encode(_decode(painted), request.output_format)
    image = None if painted is None else _decode(painted).resize((request.width, request.height))
    transform = request.transform or (lambda made, _seed: made)
    return encode(transform(image, seed), request.output_format)


def encode(image: Image.Image, output_format: str) -> bytes:
    """Encode a picture as PNG, JPEG or WebP, with its origin in the metadata."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - loaded with the first picture, not with the server

    from couch_explorers.local.painter.renderer import SOFTWARE  # noqa: PLC0415 - see above

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


def _draw(model_id: str, request: ImageRequest, seed: int, paint: Callable[..., bytes]) -> bytes:
    return paint(
        request.prompt,
        seed=seed,
        width=min(max(request.width, SIDES[0]), SIDES[1]),
        height=min(max(request.height, SIDES[0]), SIDES[1]),
        model=model_id,
        negative_prompt=request.negative_prompt,
        cfg_scale=request.cfg_scale,
    )


def _decode(png: bytes) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - see above

    return Image.open(io.BytesIO(png)).convert("RGB")


def write_message(to: IO[bytes], message: object) -> None:
    """Send a message to the painting process, or back from it."""
    pickle.dump(message, to)
    to.flush()


def _serve(requests: IO[bytes], pictures: IO[bytes]) -> None:
    """Answer each request by (True, picture) or (False, traceback), until the input ends."""
    from couch_explorers.local.painter.renderer import paint  # noqa: PLC0415 - see above

    while True:
        try:
            model_id, request, seed = pickle.load(requests)  # noqa: S301 - written by the server that started this
        except EOFError:
            return
        try:
            answer: tuple[bool, object] = (True, render(model_id, request, seed, paint))
        except Exception:  # noqa: BLE001 - sent to the server, which logs it
            answer = (False, traceback.format_exc())
        write_message(pictures, answer)


if __name__ == "__main__":
    os.nice(NICENESS)
    pictures = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # What a library prints must not end up among the pictures.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _serve(sys.stdin.buffer, pictures)
