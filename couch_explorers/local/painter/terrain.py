"""The shape of the land in the local painter's pictures: peaks with snow, cones, cliffs and the ground in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.local.painter.canvas import Colour, mix, polygon
from couch_explorers.local.painter.stage import ROCK, SAND, SNOW, Stage

if TYPE_CHECKING:
    from numpy.typing import NDArray


def noise(stage: Stage, waves: int) -> NDArray[np.float64]:
    """A line between about -1 and 1 with corners, one value a column."""
    knots = [stage.rng.uniform(-1, 1) for _ in range(waves * 3 + 1)]
    x = np.linspace(0, len(knots) - 1, stage.canvas.width)
    detail = [stage.rng.uniform(-0.35, 0.35) for _ in range(waves * 9 + 1)]
    return np.interp(x, range(len(knots)), knots) + np.interp(x * 3, range(len(detail)), detail)


def peaks(stage: Stage, base: float, tall: float, depth: float, *, count: int, snow: bool) -> None:
    """Paint a range of `count` peaks, at most `tall` above `base` (shares of the height), lit from the sun's side.

    `snow` allows a white cap where the brief asks for it or where chance has it.
    """
    canvas, rng = stage.canvas, stage.rng
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
    line = (line + noise(stage, 4 * count) * tall * 0.035) * canvas.height
    canvas.ridge(line, stage.tone(ROCK, depth), stage.tone(ROCK, min(1.0, depth + 0.3)), depth=tall * canvas.height)
    if snow and ("snow" in stage.brief.moods or stage.chance(0.6)):
        snow_cap(stage, line, base - tall * 0.52, depth)
    shade = mix(stage.tone(ROCK, depth), stage.light.ink, 0.55)
    for x, _ in tops:
        _shaded_side(stage, line, x, base, mix(shade, stage.light.haze, depth * 0.5))


def _shaded_side(stage: Stage, line: NDArray[np.float64], x: float, base: float, shade: Colour) -> None:
    """Darken the side of a peak that looks away from the sun, along a spine that wanders down from the top."""
    canvas, rng = stage.canvas, stage.rng
    # The noise may have moved the top a little.
    reach = max(2, canvas.width // 40)
    middle = round(x * (canvas.width - 1))
    low, high = max(0, middle - reach), min(canvas.width, middle + reach)
    if high - low < reach:
        return
    top = low + int(np.argmin(line[low:high]))
    side = 1 if stage.sun[0] < top else -1
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


def snow_cap(stage: Stage, line: NDArray[np.float64], level: float, depth: float) -> None:
    """Lay snow between a ridge's line and a ragged edge around `level` (share of the height)."""
    canvas = stage.canvas
    snow = mix(mix(stage.light.ink, SNOW, 0.55 + stage.light.strength * 0.55), stage.light.glow, 0.22)
    ragged = noise(stage, 16) * 0.03 * canvas.height
    below = level * canvas.height - line
    lower = np.maximum(line, line + below * 0.72 + ragged * (below > 0))
    xs = np.linspace(0, canvas.width - 1, 300).astype(int)
    outline = [(float(x), -float(line[x])) for x in xs] + [(float(x), -float(lower[x])) for x in xs[::-1]]
    canvas.shape([polygon(*outline)], 0, 0, 1.0, mix(snow, stage.light.haze, depth * 0.35))


def cone(stage: Stage, x: float, tall: float, *, wide: float = 1.0) -> None:
    """A volcano with a snow cap, `tall` in shares of the height."""
    canvas = stage.canvas
    across = np.abs(np.linspace(0, 1, canvas.width) - x) * canvas.width / canvas.height / wide
    shape = tall * (1 / (1 + (across / 0.16) ** 1.35) * 1.15 - 0.12)
    tops = (0.68 - np.minimum(shape, tall * 0.94)) * canvas.height
    canvas.ridge(tops, stage.tone(ROCK, 0.5), stage.tone(ROCK, 0.85), depth=tall * canvas.height)
    snow_cap(stage, tops, 0.68 - tall * 0.5, 0.25)


def cliff(stage: Stage) -> None:
    """A rock that juts into the picture from one side, flat on top, with a lit face under its edge."""
    canvas, rng = stage.canvas, stage.rng
    long = rng.uniform(0.36, 0.5)
    edge = [(-0.1, 0.27), (0.1, 0.262), (0.24, 0.272), (0.36, 0.263), (long, 0.256), (long + 0.015, 0.232)]
    face = [(long - 0.035, 0.2), (long - 0.02, 0.16), (long - 0.065, 0.1), (long - 0.05, 0.04), (long - 0.11, -0.05)]
    edge = [(min(px, long), py) for px, py in edge[:-1]] + edge[-1:]
    face = [(px + rng.uniform(-0.01, 0.01), py) for px, py in face]
    left = stage.chance(0.5)
    at = 0 if left else canvas.width

    def paint(points: list[tuple[float, float]], tone: Colour) -> None:
        scaled = [(px * canvas.width, py * canvas.height) for px, py in points]
        canvas.shape([polygon(*scaled)], at, canvas.height, 1.0, tone, mirrored=not left)

    rock = mix(stage.tone(ROCK, 0.0), stage.light.ink, 0.35)
    paint([*edge, *face, (-0.1, -0.05)], rock)
    paint(
        [edge[-1], *face, (long - 0.2, -0.05), (long - 0.12, 0.09), (long - 0.09, 0.19)],
        mix(rock, stage.light.glow, 0.16),
    )
    top = [(-0.1, 0.27), *edge[1:5], (long - 0.02, 0.246), (0.3, 0.25), (0.16, 0.244), (-0.1, 0.252)]
    paint(top, mix(rock, stage.light.glow, 0.3))
    stage.ground = 0.742
    stage.footing = (long - 0.22, long - 0.02) if left else (1.02 - long, 1.22 - long)


def foreground(stage: Stage, own: Colour) -> None:
    """The ground under the near subjects, with tufts of grass along its edge where grass grows."""
    canvas, rng = stage.canvas, stage.rng
    line = stage.ridge(0.88, 0.03, stage.tone(own, 0.08), mix(stage.light.ink, stage.tone(own, 0.0), 0.3), rough=0.05)
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
        canvas.shape(blades, 0, 0, 1.0, stage.tone(own, 0.08))
    stage.ground = 0.93
