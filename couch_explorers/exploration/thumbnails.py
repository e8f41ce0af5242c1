"""Pictures scaled down to fit a box, and as data URIs for HTML.

A small copy of each cached picture is saved beside it, so that a large sheet or gallery reads each large file once.
"""

from __future__ import annotations

import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from PIL import Image

from couch_explorers.files import write_whole
from couch_explorers.paths import THUMBNAILS, Home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


# Each thread holds one full-size picture, up to 50 MB; Pillow releases the GIL.
THREADS = min(4, os.cpu_count() or 1)
JPEG_QUALITY = 82
# The longer side of a copy, in pixels: enough for a card and for the pictures of a sheet with five columns or more. Reading and
# scaling a copy takes a tenth of the time of a one-megapixel picture.
COPY_PIXELS, COPY_QUALITY = 512, 90
WHITE = (255, 255, 255)

# What Pillow raises for a file that is missing, truncated, not a picture, or far too large.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def load_rgb(path: Path) -> Image.Image | None:
    """Read a picture in RGB, transparent parts as white; None if it is missing or damaged."""
    try:
        with Image.open(path) as picture:
            if not picture.has_transparency_data:
                return picture.convert("RGB")
            background = Image.new("RGB", picture.size, WHITE)
            background.paste(picture.convert("RGB"), mask=picture.convert("RGBA").getchannel("A"))
            return background
    except UNREADABLE:
        return None


def thumbnail(path: Path, box: tuple[int, int]) -> Image.Image | None:
    """Read a picture scaled down to fit a box (width, height in pixels); one that fits already is unchanged.

    Args:
        path: the picture. A copy of one in a target's image folder is saved, if there is room.
        box: the maximum width and height.

    Returns:
        The picture in RGB; None if it is missing or damaged.

    """
    if max(box) > COPY_PIXELS or (copy := _copy_path(path)) is None:
        return _shrunk(load_rgb(path), box)
    return _shrunk(_kept_copy(path, copy), box)


def _shrunk(image: Image.Image | None, box: tuple[int, int]) -> Image.Image | None:
    if image is not None:
        # Halved first if more than twice too large: a third of the time, without a visible difference.
        image.thumbnail(box, Image.Resampling.BICUBIC, reducing_gap=1.0)
    return image


def _copy_path(path: Path) -> Path | None:
    """Return the path of a picture's copy; None outside the image folders, where nobody expects other files."""
    if path.parent.parent != Home.current().images("").absolute():
        return None
    return path.parent / THUMBNAILS / f"{path.stem}.jpg"


def _kept_copy(path: Path, copy: Path) -> Image.Image | None:
    """Read a picture's copy; without one, read the picture and save a copy."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    # A copy has its picture's modification time; a different one means that the picture was made again.
    with suppress(OSError):
        if copy.stat().st_mtime_ns == changed and (kept := load_rgb(copy)) is not None:
            return kept
    image = load_rgb(path)
    if image is None or max(image.size) <= COPY_PIXELS:
        return image
    image = _shrunk(image, (COPY_PIXELS, COPY_PIXELS))
    if image is not None:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=COPY_QUALITY, subsampling=0)
        # Without room, the picture is read again the next time.
        with suppress(OSError):
            write_whole(copy, buffer.getvalue())
            os.utime(copy, ns=(changed, changed))
    return image


def thumbnails(paths: Sequence[Path], box: tuple[int, int]) -> list[Image.Image | None]:
    """Read pictures like `thumbnail`, several at a time, in the given order."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda path: thumbnail(path, box), paths))


def data_uri(image: Image.Image) -> str:
    """Return an image as a JPEG data URI, for an <img> without a file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
