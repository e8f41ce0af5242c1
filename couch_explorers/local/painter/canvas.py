"""The drawing surface of the local painter: gradients, ridges and silhouettes with smooth edges.

Everything is drawn by Pillow and numpy from numbers alone, so that the same calls give the same pixels. Lengths are in
pixels here; a shape's own coordinates have the ground at y = 0, y upwards, and its height as the unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Colour = tuple[int, int, int]
Point = tuple[float, float]
# Masks of shapes are drawn this much larger and reduced: that is what makes their edges smooth.
OVERSAMPLING = 3
CURVE_STEPS = 7


@dataclass(frozen=True)
class Part:
    """A closed outline of a shape; `solid=False` cuts a hole into the parts before it."""

    points: tuple[Point, ...]
    solid: bool = True


def colour(text: str) -> Colour:
    """Turn "#rrggbb" into a colour."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """The colour that lies `share` (0 to 1) of the way from the first to the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def polygon(*points: Point, solid: bool = True) -> Part:
    """An outline of straight lines."""
    return Part(points, solid)


def curve(*points: Point, solid: bool = True) -> Part:
    """A closed smooth outline through the points (Catmull-Rom spline)."""
    count = len(points)
    outline: list[Point] = []
    for index in range(count):
        corners = [points[(index + step) % count] for step in (-1, 0, 1, 2)]
        outline += [_between(corners, step / CURVE_STEPS) for step in range(CURVE_STEPS)]
    return Part(tuple(outline), solid)


def ellipse(x: float, y: float, width: float, height: float, *, solid: bool = True) -> Part:
    """An ellipse around (x, y)."""
    turns = [step * math.tau / 28 for step in range(28)]
    return Part(tuple((x + math.cos(t) * width / 2, y + math.sin(t) * height / 2) for t in turns), solid)


def stroke(*points: Point, start: float, end: float, solid: bool = True) -> Part:
    """A smooth line through the points whose width goes from `start` to `end`, with a round end."""
    last = len(points) - 1
    line: list[Point] = []
    for index in range(last):
        corners = [points[min(max(index + step, 0), last)] for step in (-1, 0, 1, 2)]
        line += [_between(corners, step / CURVE_STEPS) for step in range(CURVE_STEPS)]
    line.append(points[-1])
    left: list[Point] = []
    right: list[Point] = []
    for index, (x, y) in enumerate(line):
        (x0, y0), (x1, y1) = line[max(index - 1, 0)], line[min(index + 1, len(line) - 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        half = (start + (end - start) * index / (len(line) - 1)) / 2
        across = (-(y1 - y0) / length * half, (x1 - x0) / length * half)
        left.append((x + across[0], y + across[1]))
        right.append((x - across[0], y - across[1]))
    (x, y), (x0, y0) = line[-1], line[-2]
    heading = math.atan2(y - y0, x - x0)
    cap = [
        (x + math.cos(heading + turn) * end / 2, y + math.sin(heading + turn) * end / 2) for turn in (0.8, 0.0, -0.8)
    ]
    return Part((*left, *cap, *reversed(right)), solid)


def _between(corners: list[Point], t: float) -> Point:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners

    def at(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)

    return at(x0, x1, x2, x3), at(y0, y1, y2, y3)


class Canvas:
    """A picture being painted from back to front."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.unit = float(min(width, height * 1.25))
        self.image = Image.new("RGB", (width, height))

    def backdrop(self, small: NDArray[np.float32]) -> None:
        """Fill the whole canvas with a small picture (rows, columns, RGB 0 to 255), smoothly enlarged."""
        picture = Image.fromarray(small.clip(0, 255).astype(np.uint8))
        self.image = picture.resize((self.width, self.height), Image.Resampling.BICUBIC)

    def ridge(self, tops: NDArray[np.float64], top: Colour, bottom: Colour, *, depth: float | None = None) -> None:
        """Fill everything below `tops` (a y for each column) with a gradient `depth` pixels long."""
        first = max(0, int(tops.min()))
        if first >= self.height:
            return
        rows = np.arange(first, self.height, dtype=np.float32)
        shaded = min(len(rows), int(tops.max()) - first + 2)
        mask = np.full((len(rows), self.width), 255, dtype=np.uint8)
        edge = (rows[:shaded, None] - tops.astype(np.float32)[None, :] + 0.5) * 255
        mask[:shaded] = edge.clip(0, 255)
        span = depth or max(1.0, self.height - first)
        share = ((rows - first) / span).clip(0, 1)[:, None]
        column = np.array(top) * (1 - share) + np.array(bottom) * share
        fill = Image.fromarray(column.astype(np.uint8)[:, None, :]).resize(
            (self.width, len(rows)), Image.Resampling.NEAREST
        )
        self.image.paste(fill, (0, first), Image.fromarray(mask))

    def shape(
        self,
        parts: Sequence[Part],
        x: float,
        y: float,
        size: float,
        ink: Colour,
        *,
        mirrored: bool = False,
        opacity: float = 1.0,
    ) -> None:
        """Draw a shape standing at (x, y) whose unit is `size` pixels."""
        side = -size if mirrored else size
        outlines = [([(x + px * side, y - py * size) for px, py in part.points], part.solid) for part in parts]
        xs = [px for points, _ in outlines for px, _ in points]
        ys = [py for points, _ in outlines for _, py in points]
        left, upper = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        right, lower = min(self.width, math.ceil(max(xs)) + 1), min(self.height, math.ceil(max(ys)) + 1)
        if right <= left or lower <= upper:
            return
        mask = Image.new("L", ((right - left) * OVERSAMPLING, (lower - upper) * OVERSAMPLING))
        pen = ImageDraw.Draw(mask)
        for points, solid in outlines:
            moved = [((px - left) * OVERSAMPLING, (py - upper) * OVERSAMPLING) for px, py in points]
            pen.polygon(moved, fill=round(255 * opacity) if solid else 0)
        self.image.paste(ink, (left, upper, right, lower), mask.reduce(OVERSAMPLING))

    def veil(self, tint: Colour, upper: float, lower: float, strength: float) -> None:
        """Lay a band of mist over the rows from `upper` to `lower`, densest in the middle."""
        first, last = max(0, int(upper)), min(self.height, int(lower))
        if last <= first:
            return
        density = np.sin(np.linspace(0, np.pi, last - first)) ** 2 * 255 * strength
        mask = Image.fromarray(density.astype(np.uint8)[:, None]).resize((self.width, last - first))
        self.image.paste(tint, (0, first, self.width, last), mask)
