"""A part of the smoke test as the notebook shows it: a table of checks and the pictures that were made."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape
from typing import Any

from couch_explorers import checks as found

# Wide enough to judge a picture, small enough that a report with many stays below a megabyte.
THUMBNAIL_PIXELS = 480
SHOWN_WIDTH = "14rem"


@dataclass(frozen=True)
class ShownPicture:
    """A picture and what is said under it."""

    png: bytes
    prompt: str
    note: str


@dataclass(frozen=True)
class Part:
    """Checks that belong together, and their pictures. Displayed by a notebook as both."""

    checks: tuple[found.Check, ...]
    pictures: tuple[ShownPicture, ...] = ()
    remark: str = ""

    @classmethod
    def left_out(cls, selection: str) -> Part:
        """Make the part that nobody asked for."""
        return cls((), remark=f"Left out: this run checks only the {selection}.")

    def _repr_mimebundle_(self, **_arguments: Any) -> dict[str, Any]:
        html = f"<p>{escape(self.remark)}</p>" if self.remark else ""
        if self.checks:
            html += found.table(self.checks)
        if self.pictures:
            html += gallery(self.pictures)
        return found.bundle(self.checks, html) | ({"text/plain": self.remark} if self.remark else {})


def gallery(pictures: tuple[ShownPicture, ...]) -> str:
    """Show pictures side by side as HTML that needs no other file."""
    columns = f"repeat(auto-fill,minmax({SHOWN_WIDTH},1fr))"
    return f'<div style="display:grid;grid-template-columns:{columns};gap:1.2rem;margin:1rem 0">{"".join(map(_figure, pictures))}</div>'


def _figure(picture: ShownPicture) -> str:
    prompt = escape(picture.prompt)
    clamp = "display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden"
    return (
        '<figure style="margin:0">'
        f'<img src="data:image/jpeg;base64,{thumbnail(picture.png)}" alt="{prompt}" '
        'style="display:block;width:100%;height:auto;border-radius:6px">'
        f'<figcaption style="font-size:.8em;line-height:1.4;margin-top:.45em">'
        f'<span style="{clamp}" title="{prompt}">{prompt}</span>'
        f'<span style="opacity:.65">{escape(picture.note)}</span></figcaption></figure>'
    )


def thumbnail(png: bytes) -> str:
    """Shrink a picture to a JPEG in Base64."""
    from PIL import Image  # noqa: PLC0415 - only who shows pictures pays for the import

    with Image.open(io.BytesIO(png)) as image:
        small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return base64.b64encode(buffer.getvalue()).decode()
