"""The stage of the local painter: what every landscape is made of (sky, hills, water, trees, buildings, silhouettes)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.local.painter import silhouettes
from couch_explorers.local.painter.canvas import Canvas, Colour, Part, colour, ellipse, mix, polygon
from couch_explorers.local.painter.light import Light, local_colour, paint_sky

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from numpy.typing import NDArray

    from couch_explorers.local.painter.words import Brief

GRASS, LEAF, STEPPE, SAND = colour("#7fa650"), colour("#4d8f5f"), colour("#d3a54a"), colour("#e5b872")
ROCK, STONE, WATER, SNOW = colour("#5f7088"), colour("#a09aa0"), colour("#3f92ad"), colour("#f4f6f8")


@dataclass
class Stage:
    """A scene while it is painted: canvas, light, brief, the seed's random numbers, and where things may stand.

    `horizon` and `ground` are shares of the height: the far line, and the line on which near subjects stand;
    `footing` is the part of the width where they may.
    """

    canvas: Canvas
    light: Light
    brief: Brief
    rng: Random
    horizon: float = 0.62
    ground: float = 0.88
    sun: tuple[float, float] = (0.0, 0.0)
    footing: tuple[float, float] = (0.06, 0.94)

    def chance(self, share: float) -> bool:
        """Draw whether something happens that happens in this share (0 to 1) of the pictures."""
        return self.rng.random() < share

    def tone(self, own: Colour, depth: float) -> Colour:
        """The colour of something at a depth from 0 to 1 in this light."""
        return local_colour(self.light, own, depth)

    def ridge(
        self, level: float, relief: float, top: Colour, bottom: Colour, *, rough: float = 0.5
    ) -> NDArray[np.float64]:
        """Paint a range of hills around `level` (share of the height); `rough` 0 is rolling, 1 is jagged. Returns its line."""
        canvas, rng = self.canvas, self.rng
        x = np.linspace(0, canvas.width / canvas.height, canvas.width)
        line = np.zeros(canvas.width)
        for octave in range(6):
            frequency = 1.3 * 2**octave
            knots = np.array([rng.uniform(-1, 1) for _ in range(int(frequency * x[-1]) + 4)])
            at = x * frequency + rng.random()
            if octave > 1 or rough > 0.4:  # noqa: PLR2004 - straight between the knots: rock
                wave = np.interp(at, np.arange(len(knots)), knots)
            else:
                first = at.astype(int).clip(0, len(knots) - 2)
                share = (1 - np.cos((at - first) * math.pi)) / 2
                wave = knots[first] * (1 - share) + knots[first + 1] * share
            line += wave * (0.5 + 0.12 * (rough - 0.5)) ** octave * (1.0 if octave < 2 else rough)  # noqa: PLR2004 - the first two are the large forms
        line = (level - relief * line * 0.6) * canvas.height
        canvas.ridge(line, top, bottom, depth=canvas.height * max(relief, 0.1) * 1.6)
        return line

    def stand(
        self,
        layers: silhouettes.Layers,
        x: float,
        y: float,
        size: float,
        *,
        depth: float = 0.0,
        ink: Colour | None = None,
        accent: Colour | None = None,
        mirrored: bool | None = None,
    ) -> None:
        """Place a silhouette at shares of width and height; `size` is its height as a share of the canvas's unit."""
        coin = self.chance(0.5)
        turned = coin if mirrored is None else mirrored
        light, canvas = self.light, self.canvas
        tones = {"ink": ink or light.ink, "accent": accent or mix(light.ink, light.accent, 0.75), "light": light.lit}
        for name, parts in layers:
            tone = mix(tones[name], light.haze, depth)
            canvas.shape(parts, x * canvas.width, y * canvas.height, size * canvas.unit, tone, mirrored=turned)

    def water(self, upper: float, lower: float = 1.0) -> None:
        """Paint water from one share of the height to another, with the sun's glitter on it."""
        canvas, light, rng = self.canvas, self.light, self.rng
        far, near = mix(light.sky[-1], self.tone(WATER, 0.2), 0.45), mix(light.sky[0], self.tone(WATER, 0.0), 0.6)
        canvas.ridge(np.full(canvas.width, upper * canvas.height), far, near, depth=(lower - upper) * canvas.height)
        rows = 26
        for row in range(rows):
            share = ((row + 1) / rows) ** 1.6
            y = (upper + (lower - upper) * share) * canvas.height
            thick = canvas.unit * (0.0015 + 0.006 * share)
            on_path = row % 3 != 0
            spread = canvas.unit * (0.05 + 0.22 * share)
            x = self.sun[0] + rng.uniform(-spread, spread) if on_path else rng.uniform(0, canvas.width)
            long = canvas.unit * rng.uniform(0.03, 0.09) * (0.5 + share)
            tint = mix(light.glow, light.disc, 0.4) if on_path else mix(near, light.glow, 0.35)
            canvas.shape([ellipse(0, 0, 2 * long, 2 * thick)], x, y, 1.0, tint, opacity=0.75 if on_path else 0.4)

    def copse(
        self,
        line: NDArray[np.float64],
        count: int,
        size: float,
        tone: Colour,
        *,
        tree: Callable[[Random], silhouettes.Layers] = silhouettes.spruce,
    ) -> None:
        """Let trees grow along a ridge's line."""
        canvas, rng = self.canvas, self.rng
        for _ in range(count):
            x = rng.random()
            y = line[min(int(x * canvas.width), canvas.width - 1)] / canvas.height
            self.stand(tree(rng), x, y + 0.01, size * rng.uniform(0.6, 1.25), ink=tone)

    def skyline(self, level: float, tallest: float, tone: Colour, *, windows: float = 0.0, towers: int = 16) -> None:
        """Paint a row of buildings standing on `level`, as one shape; `windows` is the share that is lit."""
        canvas, rng = self.canvas, self.rng
        x = -0.02
        lamps: list[Part] = []
        blocks: list[Part] = []
        while x < 1.02:  # noqa: PLR2004 - a little beyond the edge
            wide = rng.uniform(0.6, 1.5) / towers
            high = tallest * rng.uniform(0.3, 1.0) * (1.25 - abs(x - 0.5))
            left, right, top = x * canvas.width, (x + wide) * canvas.width, high * canvas.height
            blocks.append(polygon((left, -4), (left, top), (right, top), (right, -4)))
            if self.chance(0.4):  # some have a spire
                middle = (left + right) / 2
                shoulder = (right - left) * 0.3
                blocks.append(polygon((left + shoulder, top), (middle, top * 1.16), (right - shoulder, top)))
            lamps += self._windows(left, right, top, windows)
            x += wide * rng.uniform(0.92, 1.05)
        canvas.shape(blocks, 0, level * canvas.height, 1.0, tone)
        if lamps:
            canvas.shape(lamps, 0, level * canvas.height, 1.0, mix(tone, self.light.lit, 0.8))

    def _windows(self, left: float, right: float, top: float, lit: float) -> list[Part]:
        """The lit windows of one building, `lit` being their share."""
        step = self.canvas.unit * 0.02
        wide, high = step * 0.4, step * 0.5
        corners = [
            (left + column * step, top - row * step)
            for row in range(1, int(top / step))
            for column in range(1, int((right - left) / step))
            if self.chance(lit)
        ]
        return [polygon((x, y), (x + wide, y), (x + wide, y + high), (x, y + high)) for x, y in corners]


def sky(stage: Stage) -> None:
    """The sky with its sun, moon, stars, clouds or northern lights."""
    canvas, light, rng, brief = stage.canvas, stage.light, stage.rng, stage.brief
    poster_rays = stage.chance(0.3) and brief.hour in {"sunset", "morning"}  # now and then, as old posters have them
    stage.sun = paint_sky(
        canvas, light, stage.horizon, rng, rays="rays" in brief.moods or poster_rays, aurora=brief.hour == "aurora"
    )
    if light.moon:
        for _ in range(70):
            size = canvas.unit * rng.choice((0.0012, 0.0016, 0.0026))
            spot = rng.random() * canvas.width, rng.random() ** 1.3 * stage.horizon * canvas.height
            canvas.shape([ellipse(0, 0, 2 * size, 2 * size)], *spot, 1.0, light.disc, opacity=rng.uniform(0.4, 0.95))
    if brief.hour not in {"overcast", "aurora"}:
        radius = canvas.unit * (0.05 if light.moon else 0.07) * rng.uniform(0.85, 1.2)
        canvas.shape([ellipse(0, 0, 2 * radius, 2 * radius)], *stage.sun, 1.0, light.disc, opacity=0.96)
    if not light.moon:
        for _ in range(rng.randint(3, 6) if brief.hour != "overcast" else 9):
            _cloud(stage)


def _cloud(stage: Stage) -> None:
    canvas, light, rng = stage.canvas, stage.light, stage.rng
    y = rng.uniform(0.08, 0.8) * stage.horizon
    far = y / stage.horizon
    wide, thick = canvas.unit * rng.uniform(0.12, 0.3), canvas.unit * (0.022 - 0.014 * far)
    x = rng.random() * canvas.width
    tint = mix(light.glow, light.sky[min(len(light.sky) - 1, int(far * len(light.sky)) + 1)], 0.35)
    puffs = [
        ellipse(
            rng.uniform(-0.6, 0.6) * wide,
            rng.uniform(0, 1.2) * thick,
            wide * rng.uniform(0.4, 0.9),
            thick * rng.uniform(1.2, 2.4),
        )
        for _ in range(4)
    ]
    canvas.shape([ellipse(0, 0, wide * 2, thick * 1.2), *puffs], x, y * canvas.height, 1.0, tint, opacity=0.62)
