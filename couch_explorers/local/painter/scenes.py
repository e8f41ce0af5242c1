"""The scenes: one function for each place, painted from the horizon to the foreground, and the placement of the subjects in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.local.painter import landscape, silhouettes
from couch_explorers.local.painter.canvas import Colour, colour, mix, polygon
from couch_explorers.local.painter.landscape import GRASS, LEAF, ROCK, SAND, STEPPE, STONE, WATER, Scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from couch_explorers.local.painter.landscape import Scene

IRON, MARBLE, SANDSTONE = colour("#6b5348"), colour("#fff6ea"), colour("#d8a860")
HALF = 0.5


def paris(scene: Scene) -> None:
    """Roofs, trees along the river, and the tower."""
    canvas, rng = scene.canvas, scene.rng
    x = rng.uniform(0.22, 0.4) if scene.chance(HALF) else rng.uniform(0.6, 0.78)
    scene.skyline(0.74, rng.uniform(0.1, 0.15), scene.tone(STONE, 0.72), towers=rng.randint(17, 26))
    scene.stand(silhouettes.DRAWINGS["eiffel"], x, 0.79, rng.uniform(0.62, 0.76), ink=scene.tone(IRON, 0.22))
    canvas.veil(scene.light.haze, 0.66 * canvas.height, 0.86 * canvas.height, 0.5)
    scene.ridge(0.775, 0.05, scene.tone(LEAF, 0.34), scene.tone(LEAF, 0.2), rough=0.9)
    line = scene.ridge(0.81, 0.03, scene.tone(LEAF, 0.22), scene.tone(LEAF, 0.08), rough=0.3)
    scene.copse(line, 7, 0.075, scene.tone(LEAF, 0.12), tree=silhouettes.lime)
    paving = mix(scene.tone(STONE, 0.3), scene.light.haze, 0.2)
    canvas.ridge(np.full(canvas.width, 0.84 * canvas.height), paving, scene.tone(STONE, 0.0))
    rail = [polygon((0, 0.028), (1, 0.028), (1, 0.024), (0, 0.024))]
    rail += [polygon((p / 40, 0), (p / 40, 0.026), (p / 40 + 0.003, 0.026), (p / 40 + 0.003, 0)) for p in range(40)]
    canvas.shape(rail, 0, 0.845 * canvas.height, canvas.width, scene.light.ink)
    # The guest sits beside the tower, not before it.
    scene.ground, scene.footing = 0.955, (0.4, 0.95) if x < HALF else (0.05, 0.6)


def egypt(scene: Scene) -> None:
    """Three pyramids in the sand, each with a lit and a shaded side."""
    canvas, rng = scene.canvas, scene.rng
    scene.ridge(0.68, 0.04, scene.tone(SAND, 0.65), scene.tone(SAND, 0.5), rough=0.05)
    side = 1 if scene.sun[0] > canvas.width / 2 else -1
    for x, size, depth in ((0.2, 0.2, 0.6), (0.76, 0.28, 0.4), (0.46, 0.42, 0.2)):
        at, edge = (x + rng.uniform(-0.06, 0.06)) * canvas.width, 0.25 * side
        tall = size * canvas.unit * rng.uniform(0.9, 1.1)
        floor = 0.735 * canvas.height
        lit, shaded = (
            mix(scene.tone(SANDSTONE, depth), scene.light.glow, 0.3),
            mix(scene.tone(SANDSTONE, depth), scene.light.ink, 0.4),
        )
        canvas.shape([polygon((-0.78, 0), (0, 1), (0.78, 0))], at, floor, tall, lit)
        canvas.shape([polygon((-0.78 * side, 0), (0, 1), (edge, 0))], at, floor, tall, shaded)
    for level, depth in ((0.73, 0.35), (0.8, 0.12)):
        scene.ridge(
            level, 0.05, mix(scene.tone(SAND, depth), scene.light.glow, 0.15), scene.tone(SAND, depth / 2), rough=0.03
        )
    landscape.foreground(scene, SAND)


def india(scene: Scene) -> None:
    """The marble mausoleum behind its long pool."""
    canvas = scene.canvas
    scene.ridge(0.69, 0.04, scene.tone(LEAF, 0.6), scene.tone(LEAF, 0.5), rough=0.8)
    marble = mix(scene.tone(MARBLE, 0.0), scene.light.disc, 0.6)
    scene.stand(
        silhouettes.DRAWINGS["taj_mahal"], 0.5, 0.73, 0.44, ink=marble, accent=mix(marble, scene.light.ink, 0.4)
    )
    canvas.ridge(np.full(canvas.width, 0.726 * canvas.height), scene.tone(GRASS, 0.35), scene.tone(GRASS, 0.0))
    middle, top = canvas.width / 2, 0.75 * canvas.height
    deep = mix(scene.light.sky[0], scene.tone(WATER, 0.2), 0.5)
    for share in range(12):
        near, far = 0.5 * (share + 1) / 12, 0.5 * share / 12
        rows = [
            (-0.06 - 0.48 * far, -far),
            (0.06 + 0.48 * far, -far),
            (0.06 + 0.48 * near, -near),
            (-0.06 - 0.48 * near, -near),
        ]
        canvas.shape([polygon(*rows)], middle, top, 0.62 * canvas.unit, mix(scene.light.glow, deep, share / 11))
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
            scene.stand(
                silhouettes.cypress(scene.rng),
                0.5 + side * away,
                0.752 + 0.032 * step,
                size,
                ink=scene.tone(LEAF, 0.25 - 0.05 * step),
            )
    scene.ground = 0.95


def japan(scene: Scene) -> None:
    """The snow-capped volcano over a lake with a gate in the water."""
    canvas, rng = scene.canvas, scene.rng
    landscape.cone(scene, rng.uniform(0.26, 0.74), rng.uniform(0.36, 0.44))
    scene.canvas.veil(scene.light.glow, 0.56 * canvas.height, 0.72 * canvas.height, 0.55)
    shore = scene.ridge(0.665, 0.03, scene.tone(LEAF, 0.5), scene.tone(LEAF, 0.35), rough=0.7)
    scene.copse(shore, 12, 0.06, scene.tone(LEAF, 0.4))
    scene.water(0.7)
    scene.stand(silhouettes.DRAWINGS["torii"], rng.choice((0.24, 0.76)), 0.84, 0.26)
    scene.ground = 0.96
    scene.ridge(0.95, 0.04, scene.tone(LEAF, 0.0), scene.light.ink, rough=0.2)


def london(scene: Scene) -> None:
    """The clock tower over the river."""
    windows = 0.3 if scene.light.moon or scene.brief.hour == "dusk" else 0.0
    scene.skyline(0.72, 0.14, scene.tone(STONE, 0.75), towers=18, windows=windows / 2)
    x = scene.rng.choice((0.3, 0.7)) + scene.rng.uniform(-0.05, 0.05)
    stone = scene.tone(colour("#8a6f52"), 0.2)
    scene.skyline(0.74, 0.085, scene.tone(STONE, 0.4), towers=30, windows=windows)
    scene.stand(silhouettes.DRAWINGS["big_ben"], x, 0.75, 0.62, ink=stone)
    scene.water(0.74)
    scene.ground = 0.96
    scene.ridge(0.95, 0.02, scene.tone(STONE, 0.0), scene.light.ink, rough=0.0)


def hills(scene: Scene) -> None:
    """Rolling country with a lake under far mountains: what a prompt gets that names no place."""
    landscape.peaks(scene, 0.66, 0.24, 0.72, count=5, snow=True)
    scene.ridge(0.65, 0.06, scene.tone(LEAF, 0.6), scene.tone(LEAF, 0.7), rough=0.1)
    scene.water(0.7, 0.9)
    shore = scene.ridge(0.8, 0.06, scene.tone(GRASS, 0.25), scene.tone(GRASS, 0.05), rough=0.05)
    scene.copse(shore, 9, 0.13, scene.tone(LEAF, 0.2))
    landscape.foreground(scene, GRASS)


def savanna(scene: Scene) -> None:
    """Grassland under a far mountain, with umbrella thorns."""
    canvas, rng = scene.canvas, scene.rng
    if scene.chance(0.6):
        landscape.cone(scene, rng.uniform(0.25, 0.75), 0.15, wide=2.2)
    scene.ridge(0.66, 0.05, scene.tone(ROCK, 0.75), scene.tone(STEPPE, 0.7), rough=0.15)
    for level, depth, trees in ((0.69, 0.55, 6), (0.75, 0.32, 4)):
        line = scene.ridge(
            level, 0.035, mix(scene.tone(STEPPE, depth), scene.light.glow, 0.25), scene.tone(STEPPE, depth), rough=0.05
        )
        scene.copse(
            line,
            trees,
            0.09 + 0.12 * (0.6 - depth),
            mix(scene.tone(LEAF, depth), scene.light.ink, 0.35),
            tree=silhouettes.acacia,
        )
    canvas.veil(scene.light.glow, 0.64 * canvas.height, 0.8 * canvas.height, 0.3)
    landscape.foreground(scene, STEPPE)
    edge = rng.choice((0.1, 0.9))
    scene.stand(silhouettes.acacia(rng), edge, 0.9, 0.55)


def fjord(scene: Scene) -> None:
    """Steep walls on both sides of still water."""
    canvas, rng = scene.canvas, scene.rng
    landscape.peaks(scene, 0.7, 0.28, 0.72, count=4, snow=True)
    for depth, reach in ((0.5, 0.66), (0.28, 0.46)):
        for side in (-1, 1):
            x = np.linspace(0, 1, canvas.width)
            away = x if side < 0 else 1 - x
            fall = (away / (reach * rng.uniform(0.55, 1.0))).clip(0, 1.2) ** rng.uniform(0.7, 1.1)
            crags = landscape.noise(scene, 9) * 0.035 * (1.2 - fall)
            tops = (0.3 + 0.1 * (0.5 - depth) + 0.38 * fall + crags) * canvas.height
            canvas.ridge(tops, scene.tone(ROCK, depth), mix(scene.tone(LEAF, depth), scene.light.haze, 0.25))
            if "snow" in scene.brief.moods or scene.chance(0.5):
                landscape.snow_cap(scene, tops, 0.34 + 0.1 * (0.5 - depth), depth)
    scene.water(0.68)
    scene.stand(silhouettes.DRAWINGS["sailboat"], rng.uniform(0.35, 0.65), rng.uniform(0.75, 0.82), 0.13)
    scene.ground = 0.95
    scene.ridge(0.93, 0.07, scene.tone(GRASS, 0.0), scene.light.ink, rough=0.3)


def mountains(scene: Scene) -> None:
    """Ranges behind ranges with snow on top, and a cliff in front to stand on."""
    canvas, glow = scene.canvas, scene.light.glow
    landscape.peaks(scene, 0.7, 0.34, 0.62, count=5, snow=True)
    canvas.veil(glow, 0.46 * canvas.height, 0.72 * canvas.height, 0.25)
    landscape.peaks(scene, 0.84, 0.5, 0.26, count=2, snow=True)
    canvas.veil(glow, 0.64 * canvas.height, 0.88 * canvas.height, 0.5)
    line = scene.ridge(0.8, 0.1, scene.tone(LEAF, 0.4), scene.tone(LEAF, 0.3), rough=0.3)
    scene.copse(line, 30, 0.07, scene.tone(LEAF, 0.38))
    line = scene.ridge(0.9, 0.08, scene.tone(LEAF, 0.18), scene.tone(LEAF, 0.1), rough=0.2)
    scene.copse(line, 22, 0.12, scene.tone(LEAF, 0.16))
    landscape.cliff(scene)


def desert(scene: Scene) -> None:
    """Dunes with a lit crest and a shaded slope."""
    scene.ridge(0.6, 0.05, scene.tone(ROCK, 0.8), scene.tone(SAND, 0.75), rough=0.5)
    for level, relief, depth in ((0.64, 0.06, 0.6), (0.7, 0.09, 0.4), (0.78, 0.1, 0.18)):
        line = scene.ridge(
            level, relief, mix(scene.tone(SAND, depth), scene.light.glow, 0.3), scene.tone(SAND, depth), rough=0.0
        )
        slope = landscape.noise(scene, 3) * 0.02 * scene.canvas.height
        shade = mix(scene.tone(SAND, depth), scene.light.ink, 0.3)
        scene.canvas.ridge(line + (0.045 + 0.02 * depth) * scene.canvas.height + slope, shade, scene.tone(SAND, depth))
    landscape.foreground(scene, SAND)


def city(scene: Scene) -> None:
    """Two rows of towers by the water; their windows are lit after dark."""
    dark = scene.light.moon or scene.brief.hour in {"dusk", "sunset"}
    scene.skyline(0.72, 0.34, scene.tone(STONE, 0.72), towers=20, windows=0.1 if dark else 0.0)
    scene.skyline(0.74, 0.24, scene.tone(colour("#5d6f86"), 0.4), towers=14, windows=0.3 if dark else 0.0)
    scene.skyline(0.755, 0.1, scene.tone(colour("#4a5670"), 0.12), towers=24, windows=0.22 if dark else 0.0)
    scene.water(0.75)
    scene.ground = 0.96
    scene.ridge(0.955, 0.015, scene.tone(STONE, 0.0), scene.light.ink, rough=0.0)


def sea(scene: Scene) -> None:
    """Open water with an island and a palm at the beach."""
    rng = scene.rng
    scene.horizon = 0.58
    x = np.linspace(0, 1, scene.canvas.width)
    middle = rng.uniform(0.15, 0.85)
    island = 0.13 * np.exp(-(((x - middle) / 0.16) ** 2)) * (1 + 0.25 * landscape.noise(scene, 6)) - 0.01
    scene.canvas.ridge((0.585 - island) * scene.canvas.height, scene.tone(LEAF, 0.6), scene.tone(LEAF, 0.4))
    scene.water(0.58)
    for _ in range(rng.randint(1, 2)):
        y = rng.uniform(0.64, 0.74)
        scene.stand(silhouettes.DRAWINGS["sailboat"], rng.uniform(0.15, 0.85), y, 0.12 + (y - 0.62) * 0.8)
    beach = 0.86 + 0.03 * np.sin(x * rng.uniform(3, 6) + rng.uniform(0, 6))
    for lift, tint in (
        (0.0, mix(scene.light.disc, scene.tone(WATER, 0.2), 0.3)),
        (0.012, mix(scene.tone(SAND, 0.1), scene.light.glow, 0.2)),
    ):
        scene.canvas.ridge((beach + lift) * scene.canvas.height, tint, scene.tone(SAND, 0.0))
    edge = rng.choice((0.13, 0.8))
    for step in range(2):
        scene.stand(silhouettes.palm(rng), edge + step * rng.uniform(0.05, 0.1), 0.96, 0.6 - 0.14 * step)
    scene.ground = 0.94


def forest(scene: Scene) -> None:
    """Rows of conifers fading into mist."""
    landscape.peaks(scene, 0.7, 0.3, 0.8, count=4, snow=False)
    for level, depth, size in ((0.58, 0.7, 0.12), (0.66, 0.48, 0.19), (0.76, 0.24, 0.3)):
        line = scene.ridge(level, 0.08, scene.tone(LEAF, depth), scene.tone(LEAF, depth + 0.15), rough=0.1)
        scene.copse(line, 26, size, scene.tone(LEAF, depth))
        scene.canvas.veil(scene.light.haze, level * scene.canvas.height, (level + 0.16) * scene.canvas.height, 0.5)
    landscape.foreground(scene, LEAF)
    for x in (0.06, 0.94):
        scene.stand(silhouettes.spruce(scene.rng), x, 0.96, scene.rng.uniform(0.6, 0.85))


SCENES: dict[str, Callable[[Scene], None]] = {
    scene.__name__: scene
    for scene in (hills, paris, egypt, india, japan, london, savanna, fjord, mountains, desert, city, sea, forest)
}


@dataclass(frozen=True)
class Placement:
    """The placement of a subject.

    `size` is its height as a share of the canvas's unit, `room` its width in the same measure, `back` how far behind the
    ground line it stands (share of the height); `own` is the colour of its accents, None for the light's own.
    """

    layers: silhouettes.Layers
    size: float
    room: float
    back: float = 0.0
    own: Colour | None = None


HIDE, MANE = colour("#8a7f86"), colour("#b0702c")
# From back to front.
PLACEMENTS = {
    "giraffe": Placement(silhouettes.DRAWINGS["giraffe"], 0.38, 0.26, 0.1),
    "elephant": Placement(silhouettes.DRAWINGS["elephant"], 0.17, 0.24, 0.105, HIDE),
    "camel": Placement(silhouettes.DRAWINGS["camel"], 0.17, 0.2, 0.055),
    "lion": Placement(silhouettes.DRAWINGS["lion"], 0.11, 0.21, 0.01, MANE),
    "tent": Placement(silhouettes.DRAWINGS["tent"], 0.14, 0.24, 0.02),
    "jeep": Placement(silhouettes.DRAWINGS["jeep"], 0.2, 0.42),
    "couch": Placement(silhouettes.DRAWINGS["couch"], 0.17, 0.42),
    "cafe": Placement(silhouettes.DRAWINGS["cafe"], 0.33, 0.42),
    "person": Placement(silhouettes.DRAWINGS["person"], 0.25, 0.12),
}
# Where the person of the prompt sits; the jeep has people anyway.
WITH_GUEST = {
    "cafe": silhouettes.DRAWINGS["cafe_with_guest"],
    "couch": silhouettes.DRAWINGS["couch_with_guest"],
    "jeep": silhouettes.DRAWINGS["jeep"],
}
LARGEST_HERD = 3
# Subjects farther back than this are in the second row.
FAR_ROW = 0.04


def place_subjects(scene: Scene) -> None:
    """Place the subjects of the brief from back to front, side by side as far as there is room."""
    wanted = scene.brief.subjects
    _place_in_the_air(scene)
    if "boat" in wanted and scene.brief.place in {"hills", "japan", "london", "city"}:
        scene.stand(silhouettes.DRAWINGS["sailboat"], scene.rng.uniform(0.3, 0.7), 0.8, 0.16)
    guest = "person" in wanted
    names = [
        name
        for name in PLACEMENTS
        if name in wanted and not (name == "person" and not WITH_GUEST.keys().isdisjoint(wanted))
    ]
    subjects = [
        name for name in names for _ in range(scene.rng.randint(2, LARGEST_HERD) if name in scene.brief.several else 1)
    ]
    spots = _spots(scene, subjects)
    for name in names:
        layers = WITH_GUEST[name] if guest and name in WITH_GUEST else PLACEMENTS[name].layers
        facing = scene.chance(0.5)
        for number, spot in enumerate(spots[name]):
            _place(scene, PLACEMENTS[name], layers, spot, facing=facing, calf=number > 0)


def _place(scene: Scene, role: Placement, layers: silhouettes.Layers, x: float, *, facing: bool, calf: bool) -> None:
    rng, light = scene.rng, scene.light
    size = role.size * (rng.uniform(0.62, 0.9) if calf else rng.uniform(0.92, 1.05))
    depth = role.back * 3.0 + (0.1 if calf else 0.0)
    own = None if role.own is None else mix(light.ink, scene.tone(role.own, 0.0), 0.6)
    y = scene.ground - role.back - (rng.uniform(0.0, 0.012) if role.back else 0.0)
    scene.stand(layers, x, y, size, depth=depth, accent=own, mirrored=facing)


def _spots(scene: Scene, subjects: list[str]) -> dict[str, list[float]]:
    """The x of each subject on the footing: seats at one side, animals on the rest, row by row."""
    left, right = scene.footing
    wide = scene.canvas.unit / scene.canvas.width
    seats = [name for name in subjects if name in WITH_GUEST]
    others = [name for name in subjects if name not in WITH_GUEST]
    spots: dict[str, list[float]] = {}
    if seats and others:
        taken = min(0.75, sum(PLACEMENTS[name].room for name in seats) * wide / (right - left)) * (right - left)
        if scene.chance(0.5):
            _line_up(scene, seats, left, left + taken, spots)
            left += taken
        else:
            _line_up(scene, seats, right - taken, right, spots)
            right -= taken
    else:
        _line_up(scene, seats, left, right, spots)
    for far in (True, False):
        _line_up(scene, [name for name in others if (PLACEMENTS[name].back > FAR_ROW) == far], left, right, spots)
    return spots


def _line_up(scene: Scene, names: list[str], left: float, right: float, spots: dict[str, list[float]]) -> None:
    """Place a row between two shares of the width, kinds together, gaps by chance; in a crowd all overlap alike."""
    rooms = [PLACEMENTS[name].room * scene.canvas.unit / scene.canvas.width for name in names]
    spare = right - left - sum(rooms)
    gaps = [scene.rng.uniform(0.2, 1.0) for _ in range(len(names) + 1)]
    inner = spare / sum(gaps) if spare > 0 else 0.0
    overlap = spare / max(1, len(names) - 1) if spare < 0 else 0.0
    x = left + gaps[0] * inner if len(names) > 1 or spare > 0 else (left + right - sum(rooms)) / 2
    for name, room, gap in zip(names, rooms, gaps[1:], strict=True):
        spots.setdefault(name, []).append(x + room / 2)
        x += room + gap * inner + overlap


def _place_in_the_air(scene: Scene) -> None:
    rng, brief = scene.rng, scene.brief
    if "balloon" in brief.subjects:
        scene.stand(
            silhouettes.DRAWINGS["balloon"], rng.uniform(0.2, 0.8), rng.uniform(0.36, 0.5), rng.uniform(0.24, 0.3)
        )
        for number in range(rng.randint(2, 4) if "balloon" in brief.several else 0):
            x = (number + rng.uniform(0.2, 0.8)) / 4
            scene.stand(silhouettes.DRAWINGS["balloon"], x, rng.uniform(0.2, 0.52), rng.uniform(0.07, 0.14), depth=0.3)
    flock = rng.randint(7, 11) if "birds" in brief.subjects else rng.choice((0, 0, 4))
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.16, 0.34)
    for _ in range(flock):
        spot = x + rng.uniform(-0.14, 0.14), y + rng.uniform(-0.07, 0.07)
        scene.stand(silhouettes.bird(rng), *spot, rng.uniform(0.01, 0.022), depth=0.2)
