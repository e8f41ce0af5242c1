"""The parts of a landscape: sky, ridges, water, trees and buildings; peaks with snow, cones, cliffs and the ground in front."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.local.painter import silhouettes
from couch_explorers.local.painter.canvas import (
    Canvas,
    Colour,
    Light,
    Part,
    colour,
    ellipse,
    local_colour,
    mix,
    paint_sky,
    polygon,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from numpy.typing import NDArray

    from couch_explorers.local.painter.prompt import Brief

GRASS, LEAF, STEPPE, SAND = colour("#7fa650"), colour("#4d8f5f"), colour("#d3a54a"), colour("#e5b872")
ROCK, STONE, WATER, SNOW = colour("#5f7088"), colour("#a09aa0"), colour("#3f92ad"), colour("#f4f6f8")


@dataclass
class Scene:
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


def draw_sky(scene: Scene) -> None:
    """The sky with its sun, moon, stars, clouds or northern lights."""
    canvas, light, rng, brief = scene.canvas, scene.light, scene.rng, scene.brief
    poster_rays = scene.chance(0.3) and brief.hour in {"sunset", "morning"}  # now and then, as old posters have them
    scene.sun = paint_sky(
        canvas, light, scene.horizon, rng, rays="rays" in brief.moods or poster_rays, aurora=brief.hour == "aurora"
    )
    if light.moon:
        for _ in range(70):
            size = canvas.unit * rng.choice((0.0012, 0.0016, 0.0026))
            spot = rng.random() * canvas.width, rng.random() ** 1.3 * scene.horizon * canvas.height
            canvas.shape([ellipse(0, 0, 2 * size, 2 * size)], *spot, 1.0, light.disc, opacity=rng.uniform(0.4, 0.95))
    if brief.hour not in {"overcast", "aurora"}:
        radius = canvas.unit * (0.05 if light.moon else 0.07) * rng.uniform(0.85, 1.2)
        canvas.shape([ellipse(0, 0, 2 * radius, 2 * radius)], *scene.sun, 1.0, light.disc, opacity=0.96)
    if not light.moon:
        for _ in range(rng.randint(3, 6) if brief.hour != "overcast" else 9):
            _cloud(scene)


def _cloud(scene: Scene) -> None:
    canvas, light, rng = scene.canvas, scene.light, scene.rng
    y = rng.uniform(0.08, 0.8) * scene.horizon
    far = y / scene.horizon
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


def noise(scene: Scene, waves: int) -> NDArray[np.float64]:
    """A line between about -1 and 1 with corners, one value a column."""
    knots = [scene.rng.uniform(-1, 1) for _ in range(waves * 3 + 1)]
    x = np.linspace(0, len(knots) - 1, scene.canvas.width)
    detail = [scene.rng.uniform(-0.35, 0.35) for _ in range(waves * 9 + 1)]
    return np.interp(x, range(len(knots)), knots) + np.interp(x * 3, range(len(detail)), detail)


def peaks(scene: Scene, base: float, tall: float, depth: float, *, count: int, snow: bool) -> None:
    """Paint a range of `count` peaks, at most `tall` above `base` (shares of the height), lit from the sun's side.

    `snow` allows a white cap where the brief asks for it or where chance has it.
    """
    canvas, rng = scene.canvas, scene.rng
    # In a tall picture mountains stay mountains and do not become needles.
    tall *= min(1.0, 1.3 * canvas.width / canvas.height)
    tops: list[tuple[float, float]] = []
    valleys: list[tuple[float, float]] = [(-0.25, base - tall * 0.2)]
    for number in range(count + 1):
        x = (number + rng.uniform(-0.28, 0.28)) / count
        tops.append((x, base - tall * rng.uniform(0.5, 1.0)))
        valleys.append(((number + 0.5 + rng.uniform(-0.15, 0.15)) / count, base - tall * rng.uniform(0.12, 0.34)))
    corners = sorted([*tops, *valleys])
    columns = np.linspace(0, 1, canvas.width)
    line = np.interp(columns, [x for x, _ in corners], [y for _, y in corners])
    line = (line + noise(scene, 4 * count) * tall * 0.035) * canvas.height
    canvas.ridge(line, scene.tone(ROCK, depth), scene.tone(ROCK, min(1.0, depth + 0.3)), depth=tall * canvas.height)
    if snow and ("snow" in scene.brief.moods or scene.chance(0.6)):
        snow_cap(scene, line, base - tall * 0.52, depth)
    shade = mix(scene.tone(ROCK, depth), scene.light.ink, 0.55)
    for x, _ in tops:
        _shaded_side(scene, line, x, base, mix(shade, scene.light.haze, depth * 0.5))


def _shaded_side(scene: Scene, line: NDArray[np.float64], x: float, base: float, shade: Colour) -> None:
    """Darken the side of a peak that looks away from the sun, along a spine that wanders down from the top."""
    canvas, rng = scene.canvas, scene.rng
    # The noise may have moved the top a little.
    reach = max(2, canvas.width // 40)
    middle = round(x * (canvas.width - 1))
    low, high = max(0, middle - reach), min(canvas.width, middle + reach)
    if high - low < reach:
        return
    top = low + int(np.argmin(line[low:high]))
    side = 1 if scene.sun[0] < top else -1
    edge = [top]
    step = max(1, canvas.width // 160)
    while 0 < edge[-1] + side * step < canvas.width - 1:
        column = edge[-1] + side * step
        if line[column] < line[edge[-1]] - canvas.height * 0.006:
            break
        edge.append(column)
    foot = base * canvas.height
    spine: list[tuple[float, float]] = []
    wander = 0.0
    for share in (0.14, 0.3, 0.45, 0.62, 0.8, 1.0):
        wander += rng.uniform(-0.3, 0.55) * side * canvas.unit * 0.05
        spine.append((top + wander * (1 if share < 1 else 0.6), line[top] + (foot - line[top]) * share))
    outline = [(float(column), -float(line[column])) for column in edge]
    outline += [(float(edge[-1]), -foot), *((px, -py) for px, py in reversed(spine))]
    canvas.shape([polygon(*outline)], 0, 0, 1.0, shade, opacity=0.42)


def snow_cap(scene: Scene, line: NDArray[np.float64], level: float, depth: float) -> None:
    """Lay snow between a ridge's line and a ragged edge around `level` (share of the height)."""
    canvas = scene.canvas
    snow = mix(mix(scene.light.ink, SNOW, 0.55 + scene.light.strength * 0.55), scene.light.glow, 0.22)
    ragged = noise(scene, 16) * 0.03 * canvas.height
    below = level * canvas.height - line
    lower = np.maximum(line, line + below * 0.72 + ragged * (below > 0))
    xs = np.linspace(0, canvas.width - 1, 300).astype(int)
    outline = [(float(x), -float(line[x])) for x in xs] + [(float(x), -float(lower[x])) for x in xs[::-1]]
    canvas.shape([polygon(*outline)], 0, 0, 1.0, mix(snow, scene.light.haze, depth * 0.35))


def cone(scene: Scene, x: float, tall: float, *, wide: float = 1.0) -> None:
    """A volcano with a snow cap, `tall` in shares of the height."""
    canvas = scene.canvas
    across = np.abs(np.linspace(0, 1, canvas.width) - x) * canvas.width / canvas.height / wide
    shape = tall * (1 / (1 + (across / 0.16) ** 1.35) * 1.15 - 0.12)
    tops = (0.68 - np.minimum(shape, tall * 0.94)) * canvas.height
    canvas.ridge(tops, scene.tone(ROCK, 0.5), scene.tone(ROCK, 0.85), depth=tall * canvas.height)
    snow_cap(scene, tops, 0.68 - tall * 0.5, 0.25)


def cliff(scene: Scene) -> None:
    """A rock that juts into the picture from one side, flat on top, with a lit face under its edge."""
    canvas, rng = scene.canvas, scene.rng
    long = rng.uniform(0.36, 0.5)
    edge = [(-0.1, 0.27), (0.1, 0.262), (0.24, 0.272), (0.36, 0.263), (long, 0.256), (long + 0.015, 0.232)]
    face = [(long - 0.035, 0.2), (long - 0.02, 0.16), (long - 0.065, 0.1), (long - 0.05, 0.04), (long - 0.11, -0.05)]
    edge = [(min(px, long), py) for px, py in edge[:-1]] + edge[-1:]
    face = [(px + rng.uniform(-0.01, 0.01), py) for px, py in face]
    left = scene.chance(0.5)
    at = 0 if left else canvas.width

    def paint(points: list[tuple[float, float]], tone: Colour) -> None:
        scaled = [(px * canvas.width, py * canvas.height) for px, py in points]
        canvas.shape([polygon(*scaled)], at, canvas.height, 1.0, tone, mirrored=not left)

    rock = mix(scene.tone(ROCK, 0.0), scene.light.ink, 0.35)
    paint([*edge, *face, (-0.1, -0.05)], rock)
    paint(
        [edge[-1], *face, (long - 0.2, -0.05), (long - 0.12, 0.09), (long - 0.09, 0.19)],
        mix(rock, scene.light.glow, 0.16),
    )
    top = [(-0.1, 0.27), *edge[1:5], (long - 0.02, 0.246), (0.3, 0.25), (0.16, 0.244), (-0.1, 0.252)]
    paint(top, mix(rock, scene.light.glow, 0.3))
    scene.ground = 0.742
    scene.footing = (long - 0.22, long - 0.02) if left else (1.02 - long, 1.22 - long)


def foreground(scene: Scene, own: Colour) -> None:
    """The ground under the near subjects, with tufts of grass along its edge where grass grows."""
    canvas, rng = scene.canvas, scene.rng
    line = scene.ridge(0.88, 0.03, scene.tone(own, 0.08), mix(scene.light.ink, scene.tone(own, 0.0), 0.3), rough=0.05)
    if own is not SAND:
        blades = []
        for _ in range(70):
            x = rng.random() * canvas.width
            y = -line[min(int(x), canvas.width - 1)]
            tall, lean, thick = (
                canvas.unit * rng.uniform(0.012, 0.035),
                canvas.unit * rng.uniform(-0.012, 0.012),
                canvas.unit * 0.002,
            )
            blades.append(polygon((x - thick, y - 3), (x + lean, y + tall), (x + thick, y - 3)))
        canvas.shape(blades, 0, 0, 1.0, scene.tone(own, 0.08))
    scene.ground = 0.93
