"""Pictures scaled down to a box, and as data URIs for HTML."""

from __future__ import annotations

import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


# Each thread holds one picture of full size, up to 50 MB; Pillow works outside Python's lock.
THREADS = min(4, os.cpu_count() or 1)
JPEG_QUALITY = 82
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
    """Read a picture so that it fits into the box (width, height in pixels); one that fits already stays as it is."""
    image = load_rgb(path)
    if image is not None:
        # Halved first where it is more than twice too large: a third of the time, and no eye sees the difference.
        image.thumbnail(box, Image.Resampling.BICUBIC, reducing_gap=1.0)
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
