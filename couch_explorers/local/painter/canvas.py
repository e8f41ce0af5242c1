"""The drawing surface and its light: gradients, ridges and silhouettes with smooth edges, the sky, and how the hour tints everything.

All is drawn by Pillow and numpy from numbers alone, so that the same calls give the same pixels. Lengths are in pixels here; the
coordinates of a shape have the ground at y = 0, y upwards, and its height as the unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from numpy.typing import NDArray

    from couch_explorers.local.painter.prompt import Brief

    Sky = NDArray[np.floating]

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


# The sky is computed this small and enlarged: it has no edges.
SKY_ROWS = 96
# Sun rays are where a wave is above this: the higher, the thinner.
BEAM_EDGE = 0.25


@dataclass(frozen=True)
class Light:
    """The colours of an hour of the day.

    `sky` goes from the zenith to the horizon; `glow` is the sun's or moon's halo and `disc` itself; `haze` is what far things
    fade into, `ink` what near silhouettes are drawn in, `accent` and `lit` their details; `strength` (0 to 1) is how much of
    a thing's own colour the light leaves.
    """

    sky: tuple[Colour, ...]
    glow: Colour
    disc: Colour
    haze: Colour
    ink: Colour
    accent: Colour
    lit: Colour
    strength: float
    sun_height: float  # above the horizon, in heights of the sky
    moon: bool = False


def _light(sky: str, others: str, strength: float, sun_height: float, *, moon: bool = False) -> Light:
    glow, disc, haze, ink, accent, lit = (colour(text) for text in others.split())
    return Light(
        tuple(colour(text) for text in sky.split()), glow, disc, haze, ink, accent, lit, strength, sun_height, moon
    )


#                    zenith … horizon                       glow    disc    haze    ink     accent  lit
LIGHTS: dict[str, Light] = {
    "sunset": _light(
        "#3d3a6b #8c4a72 #d9694f #f5a25d #fcd590", "#ffdb8f #fff0c4 #e08a5b #2b1a2b #a5402f #ffd98c", 0.42, 0.2
    ),
    "morning": _light(
        "#6f9bb8 #a9bfc4 #f0c9a2 #fbd9a4 #ffe9c4", "#ffd9a0 #fff8e4 #dcb49c #253247 #c8694a #fff0d0", 0.5, 0.26
    ),
    "day": _light(
        "#2f86b5 #5aa9cb #9ccfdb #d3e6dc #f4efd9", "#fff6d8 #fffdf0 #b4d0d0 #1d3b44 #d9593d #fff6df", 0.78, 0.72
    ),
    "dusk": _light(
        "#171a45 #37306e #7a4487 #d0647f #f6a58a", "#ff9fa0 #ffe0c4 #7d4b83 #15122e #d24a72 #ffcf8a", 0.32, 0.08
    ),
    "night": _light(
        "#060b24 #0e1a42 #1c3164 #34548a #5c80a8",
        "#9db8dc #f6f1da #34527f #050a1a #3d6f9c #ffdf9a",
        0.26,
        0.66,
        moon=True,
    ),
    "aurora": _light(
        "#050b1f #0a1c3a #123a50 #1f5a64 #3f8a82",
        "#5fd6a8 #e8fff0 #1d4a58 #040b16 #2f8f86 #ffe1a0",
        0.26,
        0.7,
        moon=True,
    ),
    "overcast": _light(
        "#7d8a94 #98a3a9 #b3babb #c9ccc8 #dddcd3", "#eceae0 #f4f2e8 #b4bab9 #2b3338 #b5573f #f2eee0", 0.5, 0.6
    ),
}
WARMTH = colour("#f0a040")
COLDNESS = colour("#5f8fc4")
VIOLET = colour("#8f5fd0")


def choose_light(brief: Brief) -> Light:
    """The light of the brief's hour, warmed or cooled as its moods ask."""
    light = LIGHTS[brief.hour]
    for mood, tint in (("warm", WARMTH), ("cool", COLDNESS)):
        if mood in brief.moods and not light.moon:
            light = replace(
                light,
                sky=tuple(mix(shade, tint, 0.05 + 0.1 * step / len(light.sky)) for step, shade in enumerate(light.sky)),
                haze=mix(light.haze, tint, 0.18),
                ink=mix(light.ink, tint, 0.06),
            )
    return light


def local_colour(light: Light, own: Colour, depth: float) -> Colour:
    """A thing's own colour as this light shows it at a depth from 0 (near) to 1 (the horizon)."""
    shown = mix(light.ink, own, light.strength)
    return mix(shown, light.haze, min(1.0, max(0.0, depth)))


def paint_sky(
    canvas: Canvas, light: Light, horizon: float, rng: Random, *, rays: bool, aurora: bool
) -> tuple[float, float]:
    """Fill the canvas with the sky and return where the sun or moon stands, in pixels; `horizon` is a share of the height."""
    columns = max(8, round(SKY_ROWS * canvas.width / canvas.height))
    sun_x = rng.uniform(0.2, 0.8)
    sun_y = horizon * (1 - light.sun_height * rng.uniform(0.8, 1.15))
    y, x = np.mgrid[0:SKY_ROWS, 0:columns].astype(np.float32)
    y, x = y / SKY_ROWS, x / columns
    aspect = canvas.width / canvas.height
    stops = np.linspace(0, 1, len(light.sky))
    across = (y / max(horizon, 0.05) + 0.05 * np.sin(x * 5 + rng.uniform(0, 6)) * (1 - y)).clip(0, 1)
    sky = np.stack([np.interp(across, stops, [shade[band] for shade in light.sky]) for band in range(3)], axis=-1)
    away = np.hypot((x - sun_x) * aspect, y - sun_y)
    halo = 0.75 * np.exp(-((away / 0.11) ** 2)) + 0.5 * np.exp(-away / 0.22)
    if rays:
        turn = np.arctan2(y - sun_y, (x - sun_x) * aspect)
        beams = np.sin(turn * 11 + rng.uniform(0, 6)) > BEAM_EDGE
        halo = halo + 0.2 * beams * np.exp(-away / 0.5)
    halo = (halo * (0.55 if light.moon else 0.9)).clip(0, 1)[..., None]
    sky = sky * (1 - halo) + np.array(light.glow) * halo
    if aurora:
        sky = _aurora(sky, x, y / max(horizon, 0.05), light, rng)
    canvas.backdrop(sky)
    return sun_x * canvas.width, sun_y * canvas.height


def _aurora(sky: Sky, x: Sky, y: Sky, light: Light, rng: Random) -> Sky:
    """Hang curtains of northern lights into the sky; `y` is 0 at the zenith and 1 at the horizon."""
    for _ in range(3):
        level, phase, bend = rng.uniform(0.35, 0.8), rng.uniform(0, 6), rng.uniform(3, 7)
        lower = level + 0.12 * np.sin(phase + x * bend) + 0.05 * np.sin(phase * 2 + x * bend * 2.7)
        above = lower - y
        folds = 0.65 + 0.35 * np.sin(x * 70 + 6 * np.sin(x * bend * 2 + phase))
        veil = np.where(above > 0, np.exp(-above / 0.16), np.exp(above / 0.018)) * folds
        tint = (
            np.array(light.glow) * (1 - np.clip(above / 0.4, 0, 1))[..., None]
            + np.array(VIOLET) * np.clip(above / 0.4, 0, 1)[..., None]
        )
        sky = sky + (tint - sky * 0.35) * (veil * 0.62)[..., None]
    return sky
