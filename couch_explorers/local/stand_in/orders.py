"""What a valid request asks for, whichever family's words it was written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

# Makes the picture that is answered out of what was painted (None where the task needs no painting) and a seed.
Transform = Callable[[Any, int], "Image.Image"]


@dataclass(frozen=True)
class Order:
    """The pictures that a valid request asks for; without a `seed`, any will do.

    `transform` is there for tasks that begin with a picture of the caller's, or end in another style; `paints` is False where
    nothing new is painted, and `mask` is the mask that the caller wants back.
    """

    prompt: str
    negative_prompt: str | None
    width: int
    height: int
    seed: int | None
    cfg_scale: float | None = None
    count: int = 1
    output_format: str = "png"
    transform: Transform | None = None
    paints: bool = True
    mask: Image.Image | None = None
