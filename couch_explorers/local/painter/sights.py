"""The sights of the local painter, each in its surroundings: what a prompt gets that names a place with a landmark."""

from __future__ import annotations

import numpy as np

from couch_explorers.local.painter import silhouettes, terrain, things
from couch_explorers.local.painter.canvas import colour, mix, polygon
from couch_explorers.local.painter.stage import GRASS, LEAF, SAND, STONE, WATER, Stage

IRON, MARBLE, SANDSTONE = colour("#6b5348"), colour("#fff6ea"), colour("#d8a860")
HALF = 0.5


def paris(stage: Stage) -> None:
    """Roofs, trees along the river, and the tower."""
    canvas, rng = stage.canvas, stage.rng
    x = rng.uniform(0.22, 0.4) if stage.chance(HALF) else rng.uniform(0.6, 0.78)
    stage.skyline(0.74, rng.uniform(0.1, 0.15), stage.tone(STONE, 0.72), towers=rng.randint(17, 26))
    stage.stand(things.EIFFEL, x, 0.79, rng.uniform(0.62, 0.76), ink=stage.tone(IRON, 0.22))
    canvas.veil(stage.light.haze, 0.66 * canvas.height, 0.86 * canvas.height, 0.5)
    stage.ridge(0.775, 0.05, stage.tone(LEAF, 0.34), stage.tone(LEAF, 0.2), rough=0.9)
    line = stage.ridge(0.81, 0.03, stage.tone(LEAF, 0.22), stage.tone(LEAF, 0.08), rough=0.3)
    stage.copse(line, 7, 0.075, stage.tone(LEAF, 0.12), tree=silhouettes.lime)
    paving = mix(stage.tone(STONE, 0.3), stage.light.haze, 0.2)
    canvas.ridge(np.full(canvas.width, 0.84 * canvas.height), paving, stage.tone(STONE, 0.0))
    rail = [polygon((0, 0.028), (1, 0.028), (1, 0.024), (0, 0.024))]
    rail += [polygon((p / 40, 0), (p / 40, 0.026), (p / 40 + 0.003, 0.026), (p / 40 + 0.003, 0)) for p in range(40)]
    canvas.shape(rail, 0, 0.845 * canvas.height, canvas.width, stage.light.ink)
    # The guest sits beside the tower, not before it.
    stage.ground, stage.footing = 0.955, (0.4, 0.95) if x < HALF else (0.05, 0.6)


def egypt(stage: Stage) -> None:
    """Three pyramids in the sand, each with a lit and a shaded side."""
    canvas, rng = stage.canvas, stage.rng
    stage.ridge(0.68, 0.04, stage.tone(SAND, 0.65), stage.tone(SAND, 0.5), rough=0.05)
    side = 1 if stage.sun[0] > canvas.width / 2 else -1
    for x, size, depth in ((0.2, 0.2, 0.6), (0.76, 0.28, 0.4), (0.46, 0.42, 0.2)):
        at, edge = (x + rng.uniform(-0.06, 0.06)) * canvas.width, 0.25 * side
        tall = size * canvas.unit * rng.uniform(0.9, 1.1)
        floor = 0.735 * canvas.height
        lit, shaded = (
            mix(stage.tone(SANDSTONE, depth), stage.light.glow, 0.3),
            mix(stage.tone(SANDSTONE, depth), stage.light.ink, 0.4),
        )
        canvas.shape([polygon((-0.78, 0), (0, 1), (0.78, 0))], at, floor, tall, lit)
        canvas.shape([polygon((-0.78 * side, 0), (0, 1), (edge, 0))], at, floor, tall, shaded)
    for level, depth in ((0.73, 0.35), (0.8, 0.12)):
        stage.ridge(
            level, 0.05, mix(stage.tone(SAND, depth), stage.light.glow, 0.15), stage.tone(SAND, depth / 2), rough=0.03
        )
    terrain.foreground(stage, SAND)


def india(stage: Stage) -> None:
    """The marble mausoleum behind its long pool."""
    canvas = stage.canvas
    stage.ridge(0.69, 0.04, stage.tone(LEAF, 0.6), stage.tone(LEAF, 0.5), rough=0.8)
    marble = mix(stage.tone(MARBLE, 0.0), stage.light.disc, 0.6)
    stage.stand(things.TAJ_MAHAL, 0.5, 0.73, 0.44, ink=marble, accent=mix(marble, stage.light.ink, 0.4))
    canvas.ridge(np.full(canvas.width, 0.726 * canvas.height), stage.tone(GRASS, 0.35), stage.tone(GRASS, 0.0))
    middle, top = canvas.width / 2, 0.75 * canvas.height
    deep = mix(stage.light.sky[0], stage.tone(WATER, 0.2), 0.5)
    for share in range(12):
        near, far = 0.5 * (share + 1) / 12, 0.5 * share / 12
        rows = [
            (-0.06 - 0.48 * far, -far),
            (0.06 + 0.48 * far, -far),
            (0.06 + 0.48 * near, -near),
            (-0.06 - 0.48 * near, -near),
        ]
        canvas.shape([polygon(*rows)], middle, top, 0.62 * canvas.unit, mix(stage.light.glow, deep, share / 11))
    canvas.shape(
        [polygon((-0.02, 0), (0.02, 0), (0.06, -0.26), (0, -0.4), (-0.06, -0.26))],
        middle,
        top,
        0.62 * canvas.unit,
        marble,
        opacity=0.4,
    )
    for side in (-1, 1):
        for step in range(5):
            away = 0.1 + 0.062 * step**1.25
            size = 0.08 + 0.036 * step
            stage.stand(
                silhouettes.cypress(stage.rng),
                0.5 + side * away,
                0.752 + 0.032 * step,
                size,
                ink=stage.tone(LEAF, 0.25 - 0.05 * step),
            )
    stage.ground = 0.95


def japan(stage: Stage) -> None:
    """The snow-capped volcano over a lake with a gate in the water."""
    canvas, rng = stage.canvas, stage.rng
    terrain.cone(stage, rng.uniform(0.26, 0.74), rng.uniform(0.36, 0.44))
    stage.canvas.veil(stage.light.glow, 0.56 * canvas.height, 0.72 * canvas.height, 0.55)
    shore = stage.ridge(0.665, 0.03, stage.tone(LEAF, 0.5), stage.tone(LEAF, 0.35), rough=0.7)
    stage.copse(shore, 12, 0.06, stage.tone(LEAF, 0.4))
    stage.water(0.7)
    stage.stand(things.TORII, rng.choice((0.24, 0.76)), 0.84, 0.26)
    stage.ground = 0.96
    stage.ridge(0.95, 0.04, stage.tone(LEAF, 0.0), stage.light.ink, rough=0.2)


def london(stage: Stage) -> None:
    """The clock tower over the river."""
    windows = 0.3 if stage.light.moon or stage.brief.hour == "dusk" else 0.0
    stage.skyline(0.72, 0.14, stage.tone(STONE, 0.75), towers=18, windows=windows / 2)
    x = stage.rng.choice((0.3, 0.7)) + stage.rng.uniform(-0.05, 0.05)
    stone = stage.tone(colour("#8a6f52"), 0.2)
    stage.skyline(0.74, 0.085, stage.tone(STONE, 0.4), towers=30, windows=windows)
    stage.stand(things.BIG_BEN, x, 0.75, 0.62, ink=stone)
    stage.water(0.74)
    stage.ground = 0.96
    stage.ridge(0.95, 0.02, stage.tone(STONE, 0.0), stage.light.ink, rough=0.0)
