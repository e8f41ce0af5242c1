"""Pictures scaled down to a box, and as data URIs for HTML.

Of a picture of an exploration a small copy is kept beside it, so that a large sheet or gallery reads each large file once.
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


# Each thread holds one picture of full size, up to 50 MB; Pillow works outside Python's lock.
THREADS = min(4, os.cpu_count() or 1)
JPEG_QUALITY = 82
# The longer side of a kept copy, in pixels: enough for a card and for the pictures of a sheet with five columns or more. A
# copy is read and scaled in a tenth of the time that a picture of a megapixel takes.
COPY_PIXELS, COPY_QUALITY = 512, 90
WHITE = (255, 255, 255)

# What Pillow raises for a file that is gone, cut off, no picture, or far too large.
UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def load_rgb(path: Path) -> Image.Image | None:
    """Read a picture in RGB, transparent parts as white; None where it is gone or damaged."""
    try:
        with Image.open(path) as picture:
            if not picture.has_transparency_data:
                return picture.convert("RGB")
            ground = Image.new("RGB", picture.size, WHITE)
            ground.paste(picture.convert("RGB"), mask=picture.convert("RGBA").getchannel("A"))
            return ground
    except UNREADABLE:
        return None


def thumbnail(path: Path, box: tuple[int, int]) -> Image.Image | None:
    """Read a picture so that it fits into the box (width, height in pixels); one that fits already stays as it is.

    Args:
        path: the picture. One in the folder of a target's images has its copy kept, where there is room for it.
        box: the place for it.

    Returns:
        The picture in RGB; None where it is gone or damaged.

    """
    if max(box) > COPY_PIXELS or (copy := _copy_path(path)) is None:
        return _shrunk(load_rgb(path), box)
    return _shrunk(_kept_copy(path, copy), box)


def _shrunk(image: Image.Image | None, box: tuple[int, int]) -> Image.Image | None:
    if image is not None:
        # Halved first where it is more than twice too large: a third of the time, and no eye sees the difference.
        image.thumbnail(box, Image.Resampling.BICUBIC, reducing_gap=1.0)
    return image


def _copy_path(path: Path) -> Path | None:
    """Name the copy of a picture; None outside the folders of images, where nobody expects further files."""
    if path.parent.parent != Home.current().images("").absolute():
        return None
    return path.parent / THUMBNAILS / f"{path.stem}.jpg"


def _kept_copy(path: Path, copy: Path) -> Image.Image | None:
    """Read a picture's copy, or else the picture, of which a copy is then kept."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    # A copy has its picture's time: of a picture that was made again it is none.
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
    """Read several pictures as `small` does, several at a time, in the order given."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(lambda path: thumbnail(path, box), paths))


def data_uri(image: Image.Image) -> str:
    """Write an image as a JPEG inside an address, for an <img> that needs no other file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
