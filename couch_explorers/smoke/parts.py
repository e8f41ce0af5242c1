"""A part of the smoke test as a notebook shows it: a table of checks and the pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

from couch_explorers import checks as found
from couch_explorers import html

# Wide enough to judge a picture, small enough that a report with many stays below a megabyte.
THUMBNAIL_PIXELS = 480
SHOWN_WIDTH = "14rem"


@dataclass(frozen=True)
class ShownPicture:
    """A picture with its caption."""

    png: bytes
    prompt: str
    note: str


@dataclass(frozen=True)
class Part:
    """Related checks and their pictures, both displayed by a notebook."""

    checks: tuple[found.Check, ...]
    pictures: tuple[ShownPicture, ...] = ()
    remark: str = ""

    @classmethod
    def left_out(cls, selection: str) -> Part:
        """Return a part that was not selected."""
        return cls((), remark=f"Left out: this run checks only the {selection}.")

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        shown = html.render(
            "smoke/part.html.j2",
            remark=self.remark,
            checks=found.table(self.checks) if self.checks else "",
            pictures=self.pictures,
            thumbnail=thumbnail,
            width=SHOWN_WIDTH,
        )
        return found.bundle(self.checks, shown) | ({"text/plain": self.remark} if self.remark else {})


def thumbnail(png: bytes) -> str:
    """Shrink a picture to a JPEG in Base64."""
    from PIL import Image  # noqa: PLC0415 - only needed to show pictures

    with Image.open(io.BytesIO(png)) as image:
        small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()
