"""Who and what stands in a picture: the brief's subjects, placed on the stage by size and distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from couch_explorers.local.painter import creatures, silhouettes, things
from couch_explorers.local.painter.canvas import Colour, colour, mix

if TYPE_CHECKING:
    from couch_explorers.local.painter.stage import Stage


@dataclass(frozen=True)
class Role:
    """How a subject appears.

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
CAST = {
    "giraffe": Role(creatures.GIRAFFE, 0.38, 0.26, 0.1),
    "elephant": Role(creatures.ELEPHANT, 0.17, 0.24, 0.105, HIDE),
    "camel": Role(creatures.CAMEL, 0.17, 0.2, 0.055),
    "lion": Role(creatures.LION, 0.11, 0.21, 0.01, MANE),
    "tent": Role(things.TENT, 0.14, 0.24, 0.02),
    "jeep": Role(things.JEEP, 0.2, 0.42),
    "couch": Role(things.COUCH, 0.17, 0.42),
    "cafe": Role(things.CAFE, 0.33, 0.42),
    "person": Role(creatures.PERSON, 0.25, 0.12),
}
# On or in these the person of the prompt sits; the jeep has its people anyway.
WITH_GUEST = {"cafe": things.CAFE_WITH_GUEST, "couch": things.COUCH_WITH_GUEST, "jeep": things.JEEP}
LARGEST_HERD = 3
# Who stands farther back than this is in the second row.
FAR_ROW = 0.04


def perform(stage: Stage) -> None:
    """Place the brief's subjects from back to front, beside one another as far as there is room."""
    wanted = stage.brief.subjects
    _in_the_air(stage)
    if "boat" in wanted and stage.brief.place in {"hills", "japan", "london", "city"}:
        stage.stand(things.SAILBOAT, stage.rng.uniform(0.3, 0.7), 0.8, 0.16)
    guest = "person" in wanted
    names = [
        name for name in CAST if name in wanted and not (name == "person" and not WITH_GUEST.keys().isdisjoint(wanted))
    ]
    company = [
        name for name in names for _ in range(stage.rng.randint(2, LARGEST_HERD) if name in stage.brief.several else 1)
    ]
    spots = _spots(stage, company)
    for name in names:
        layers = WITH_GUEST[name] if guest and name in WITH_GUEST else CAST[name].layers
        facing = stage.chance(0.5)
        for number, spot in enumerate(spots[name]):
            _enter(stage, CAST[name], layers, spot, facing=facing, calf=number > 0)


def _enter(stage: Stage, role: Role, layers: silhouettes.Layers, x: float, *, facing: bool, calf: bool) -> None:
    rng, light = stage.rng, stage.light
    size = role.size * (rng.uniform(0.62, 0.9) if calf else rng.uniform(0.92, 1.05))
    depth = role.back * 3.0 + (0.1 if calf else 0.0)
    own = None if role.own is None else mix(light.ink, stage.tone(role.own, 0.0), 0.6)
    y = stage.ground - role.back - (rng.uniform(0.0, 0.012) if role.back else 0.0)
    stage.stand(layers, x, y, size, depth=depth, accent=own, mirrored=facing)


def _spots(stage: Stage, company: list[str]) -> dict[str, list[float]]:
    """Give everybody a place on the footing: what people sit in at one side, the animals on the rest, row by row."""
    left, right = stage.footing
    wide = stage.canvas.unit / stage.canvas.width
    seats = [name for name in company if name in WITH_GUEST]
    others = [name for name in company if name not in WITH_GUEST]
    spots: dict[str, list[float]] = {}
    if seats and others:
        taken = min(0.75, sum(CAST[name].room for name in seats) * wide / (right - left)) * (right - left)
        if stage.chance(0.5):
            _line_up(stage, seats, left, left + taken, spots)
            left += taken
        else:
            _line_up(stage, seats, right - taken, right, spots)
            right -= taken
    else:
        _line_up(stage, seats, left, right, spots)
    for far in (True, False):
        _line_up(stage, [name for name in others if (CAST[name].back > FAR_ROW) == far], left, right, spots)
    return spots


def _line_up(stage: Stage, names: list[str], left: float, right: float, spots: dict[str, list[float]]) -> None:
    """Place a row between two shares of the width, kinds together, gaps by chance; in a crowd all overlap alike."""
    rooms = [CAST[name].room * stage.canvas.unit / stage.canvas.width for name in names]
    spare = right - left - sum(rooms)
    gaps = [stage.rng.uniform(0.2, 1.0) for _ in range(len(names) + 1)]
    inner = spare / sum(gaps) if spare > 0 else 0.0
    overlap = spare / max(1, len(names) - 1) if spare < 0 else 0.0
    x = left + gaps[0] * inner if len(names) > 1 or spare > 0 else (left + right - sum(rooms)) / 2
    for name, room, gap in zip(names, rooms, gaps[1:], strict=True):
        spots.setdefault(name, []).append(x + room / 2)
        x += room + gap * inner + overlap


def _in_the_air(stage: Stage) -> None:
    rng, brief = stage.rng, stage.brief
    if "balloon" in brief.subjects:
        stage.stand(things.BALLOON, rng.uniform(0.2, 0.8), rng.uniform(0.36, 0.5), rng.uniform(0.24, 0.3))
        for number in range(rng.randint(2, 4) if "balloon" in brief.several else 0):
            x = (number + rng.uniform(0.2, 0.8)) / 4
            stage.stand(things.BALLOON, x, rng.uniform(0.2, 0.52), rng.uniform(0.07, 0.14), depth=0.3)
    flock = rng.randint(7, 11) if "birds" in brief.subjects else rng.choice((0, 0, 4))
    x, y = rng.uniform(0.25, 0.75), rng.uniform(0.16, 0.34)
    for _ in range(flock):
        spot = x + rng.uniform(-0.14, 0.14), y + rng.uniform(-0.07, 0.07)
        stage.stand(silhouettes.bird(rng), *spot, rng.uniform(0.01, 0.022), depth=0.2)
