"""The landscapes of the local painter: one function a place, painted from the horizon to the ground under one's feet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.local.painter import silhouettes, terrain, things
from couch_explorers.local.painter.canvas import colour, mix
from couch_explorers.local.painter.sights import egypt, india, japan, london, paris
from couch_explorers.local.painter.stage import GRASS, LEAF, ROCK, SAND, STEPPE, STONE, WATER, Stage

if TYPE_CHECKING:
    from collections.abc import Callable


def hills(stage: Stage) -> None:
    """Rolling country with a lake under far mountains: what a prompt gets that names no place."""
    terrain.peaks(stage, 0.66, 0.24, 0.72, count=5, snow=True)
    stage.ridge(0.65, 0.06, stage.tone(LEAF, 0.6), stage.tone(LEAF, 0.7), rough=0.1)
    stage.water(0.7, 0.9)
    shore = stage.ridge(0.8, 0.06, stage.tone(GRASS, 0.25), stage.tone(GRASS, 0.05), rough=0.05)
    stage.copse(shore, 9, 0.13, stage.tone(LEAF, 0.2))
    terrain.foreground(stage, GRASS)


def savanna(stage: Stage) -> None:
    """Grassland under a far mountain, with umbrella thorns."""
    canvas, rng = stage.canvas, stage.rng
    if stage.chance(0.6):
        terrain.cone(stage, rng.uniform(0.25, 0.75), 0.15, wide=2.2)
    stage.ridge(0.66, 0.05, stage.tone(ROCK, 0.75), stage.tone(STEPPE, 0.7), rough=0.15)
    for level, depth, trees in ((0.69, 0.55, 6), (0.75, 0.32, 4)):
        line = stage.ridge(
            level, 0.035, mix(stage.tone(STEPPE, depth), stage.light.glow, 0.25), stage.tone(STEPPE, depth), rough=0.05
        )
        stage.copse(
            line,
            trees,
            0.09 + 0.12 * (0.6 - depth),
            mix(stage.tone(LEAF, depth), stage.light.ink, 0.35),
            tree=silhouettes.acacia,
        )
    canvas.veil(stage.light.glow, 0.64 * canvas.height, 0.8 * canvas.height, 0.3)
    terrain.foreground(stage, STEPPE)
    edge = rng.choice((0.1, 0.9))
    stage.stand(silhouettes.acacia(rng), edge, 0.9, 0.55)


def fjord(stage: Stage) -> None:
    """Steep walls on both sides of still water."""
    canvas, rng = stage.canvas, stage.rng
    terrain.peaks(stage, 0.7, 0.28, 0.72, count=4, snow=True)
    for depth, reach in ((0.5, 0.66), (0.28, 0.46)):
        for side in (-1, 1):
            x = np.linspace(0, 1, canvas.width)
            away = x if side < 0 else 1 - x
            fall = (away / (reach * rng.uniform(0.55, 1.0))).clip(0, 1.2) ** rng.uniform(0.7, 1.1)
            crags = terrain.noise(stage, 9) * 0.035 * (1.2 - fall)
            tops = (0.3 + 0.1 * (0.5 - depth) + 0.38 * fall + crags) * canvas.height
            canvas.ridge(tops, stage.tone(ROCK, depth), mix(stage.tone(LEAF, depth), stage.light.haze, 0.25))
            if "snow" in stage.brief.moods or stage.chance(0.5):
                terrain.snow_cap(stage, tops, 0.34 + 0.1 * (0.5 - depth), depth)
    stage.water(0.68)
    stage.stand(things.SAILBOAT, rng.uniform(0.35, 0.65), rng.uniform(0.75, 0.82), 0.13)
    stage.ground = 0.95
    stage.ridge(0.93, 0.07, stage.tone(GRASS, 0.0), stage.light.ink, rough=0.3)


def mountains(stage: Stage) -> None:
    """Ranges behind ranges with snow on top, and a cliff in front to stand on."""
    canvas, glow = stage.canvas, stage.light.glow
    terrain.peaks(stage, 0.7, 0.34, 0.62, count=5, snow=True)
    canvas.veil(glow, 0.46 * canvas.height, 0.72 * canvas.height, 0.25)
    terrain.peaks(stage, 0.84, 0.5, 0.26, count=2, snow=True)
    canvas.veil(glow, 0.64 * canvas.height, 0.88 * canvas.height, 0.5)
    line = stage.ridge(0.8, 0.1, stage.tone(LEAF, 0.4), stage.tone(LEAF, 0.3), rough=0.3)
    stage.copse(line, 30, 0.07, stage.tone(LEAF, 0.38))
    line = stage.ridge(0.9, 0.08, stage.tone(LEAF, 0.18), stage.tone(LEAF, 0.1), rough=0.2)
    stage.copse(line, 22, 0.12, stage.tone(LEAF, 0.16))
    terrain.cliff(stage)


def desert(stage: Stage) -> None:
    """Dunes with a lit crest and a shaded slope."""
    stage.ridge(0.6, 0.05, stage.tone(ROCK, 0.8), stage.tone(SAND, 0.75), rough=0.5)
    for level, relief, depth in ((0.64, 0.06, 0.6), (0.7, 0.09, 0.4), (0.78, 0.1, 0.18)):
        line = stage.ridge(
            level, relief, mix(stage.tone(SAND, depth), stage.light.glow, 0.3), stage.tone(SAND, depth), rough=0.0
        )
        slope = terrain.noise(stage, 3) * 0.02 * stage.canvas.height
        shade = mix(stage.tone(SAND, depth), stage.light.ink, 0.3)
        stage.canvas.ridge(line + (0.045 + 0.02 * depth) * stage.canvas.height + slope, shade, stage.tone(SAND, depth))
    terrain.foreground(stage, SAND)


def city(stage: Stage) -> None:
    """Two rows of towers by the water; their windows are lit after dark."""
    dark = stage.light.moon or stage.brief.hour in {"dusk", "sunset"}
    stage.skyline(0.72, 0.34, stage.tone(STONE, 0.72), towers=20, windows=0.1 if dark else 0.0)
    stage.skyline(0.74, 0.24, stage.tone(colour("#5d6f86"), 0.4), towers=14, windows=0.3 if dark else 0.0)
    stage.skyline(0.755, 0.1, stage.tone(colour("#4a5670"), 0.12), towers=24, windows=0.22 if dark else 0.0)
    stage.water(0.75)
    stage.ground = 0.96
    stage.ridge(0.955, 0.015, stage.tone(STONE, 0.0), stage.light.ink, rough=0.0)


def sea(stage: Stage) -> None:
    """Open water with an island and a palm at the beach."""
    rng = stage.rng
    stage.horizon = 0.58
    x = np.linspace(0, 1, stage.canvas.width)
    middle = rng.uniform(0.15, 0.85)
    island = 0.13 * np.exp(-(((x - middle) / 0.16) ** 2)) * (1 + 0.25 * terrain.noise(stage, 6)) - 0.01
    stage.canvas.ridge((0.585 - island) * stage.canvas.height, stage.tone(LEAF, 0.6), stage.tone(LEAF, 0.4))
    stage.water(0.58)
    for _ in range(rng.randint(1, 2)):
        y = rng.uniform(0.64, 0.74)
        stage.stand(things.SAILBOAT, rng.uniform(0.15, 0.85), y, 0.12 + (y - 0.62) * 0.8)
    beach = 0.86 + 0.03 * np.sin(x * rng.uniform(3, 6) + rng.uniform(0, 6))
    for lift, tint in (
        (0.0, mix(stage.light.disc, stage.tone(WATER, 0.2), 0.3)),
        (0.012, mix(stage.tone(SAND, 0.1), stage.light.glow, 0.2)),
    ):
        stage.canvas.ridge((beach + lift) * stage.canvas.height, tint, stage.tone(SAND, 0.0))
    edge = rng.choice((0.13, 0.8))
    for step in range(2):
        stage.stand(silhouettes.palm(rng), edge + step * rng.uniform(0.05, 0.1), 0.96, 0.6 - 0.14 * step)
    stage.ground = 0.94


def forest(stage: Stage) -> None:
    """Rows of conifers fading into mist."""
    terrain.peaks(stage, 0.7, 0.3, 0.8, count=4, snow=False)
    for level, depth, size in ((0.58, 0.7, 0.12), (0.66, 0.48, 0.19), (0.76, 0.24, 0.3)):
        line = stage.ridge(level, 0.08, stage.tone(LEAF, depth), stage.tone(LEAF, depth + 0.15), rough=0.1)
        stage.copse(line, 26, size, stage.tone(LEAF, depth))
        stage.canvas.veil(stage.light.haze, level * stage.canvas.height, (level + 0.16) * stage.canvas.height, 0.5)
    terrain.foreground(stage, LEAF)
    for x in (0.06, 0.94):
        stage.stand(silhouettes.spruce(stage.rng), x, 0.96, stage.rng.uniform(0.6, 0.85))


SCENES: dict[str, Callable[[Stage], None]] = {
    scene.__name__: scene
    for scene in (hills, paris, egypt, india, japan, london, savanna, fjord, mountains, desert, city, sea, forest)
}
