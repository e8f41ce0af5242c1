"""Silhouettes: the drawings of silhouettes.txt by name, and trees and birds that differ by chance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from couch_explorers.local.painter.canvas import Part, curve, ellipse, polygon, stroke

if TYPE_CHECKING:
    from random import Random

    from couch_explorers.local.painter.canvas import Point

# From back to front: tone ("ink" is the silhouette, "light" its lit detail, "accent" a colour between) and outlines.
Layers = list[tuple[str, list[Part]]]
TONES = ("ink", "accent", "light")


def parse_drawings(text: str) -> dict[str, Layers]:
    """Read drawings by name.

    A line without indentation names a drawing, or composes it of earlier ones: `cafe = chair + table`. In a drawing a line with
    a tone begins a layer, and every other line is an outline of it. Coordinates are x,y in thousandths of the height, the ground
    at 0, y upwards. `curve` and `polygon` take points, `ellipse` its centre and its width,height, `stroke` the widths at its
    start>end and then points; `cut` before an outline makes it a hole. A line indented by ten blanks continues the one before.

    Args:
        text: The drawings; lines that begin with # are comments.

    Returns:
        The layers of each drawing, from back to front.
    """
    drawings: dict[str, Layers] = {}
    name = ""
    for line in text.replace("\n" + " " * 10, " ").split("\n"):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not line.startswith(" "):
            name, _, parts = (part.strip() for part in line.partition("="))
            drawings[name] = [layer for part in parts.split("+") if part for layer in drawings[part.strip()]]
        elif words[0] in TONES:
            drawings[name].append((words[0], []))
        else:
            drawings[name][-1][1].append(_outline(words))
    return drawings


def _outline(words: list[str]) -> Part:
    solid = words[0] != "cut"
    kind, *rest = words if solid else words[1:]
    if kind == "stroke":
        start, end = (int(width) / 1000 for width in rest[0].split(">"))
        return stroke(*_points(rest[1:]), start=start, end=end, solid=solid)
    points = _points(rest)
    if kind == "ellipse":
        (x, y), (width, height) = points
        return ellipse(x, y, width, height, solid=solid)
    return {"curve": curve, "polygon": polygon}[kind](*points, solid=solid)


def _points(words: list[str]) -> list[Point]:
    pairs = (word.split(",") for word in words)
    return [(int(x) / 1000, int(y) / 1000) for x, y in pairs]


DRAWINGS = parse_drawings(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))


def acacia(rng: Random) -> Layers:
    """An umbrella thorn with a flat crown."""
    lean = rng.uniform(-0.12, 0.12)
    crowns = [
        curve(
            (x - w, y),
            (x - w * 0.6, y + 0.09),
            (x, y + 0.13),
            (x + w * 0.7, y + 0.08),
            (x + w, y),
            (x + w * 0.3, y - 0.035),
            (x - w * 0.4, y - 0.03),
        )
        for x, y, w in (
            (lean - 0.12, 0.8, 0.5 * rng.uniform(0.85, 1.15)),
            (lean + 0.3, 0.7, 0.32 * rng.uniform(0.8, 1.2)),
            (lean - 0.4, 0.66, 0.26 * rng.uniform(0.8, 1.2)),
        )
    ]
    return [
        (
            "ink",
            [
                stroke((0, 0), (lean * 0.2, 0.35), (lean - 0.1, 0.82), start=0.085, end=0.03),
                stroke((lean * 0.2, 0.32), (lean + 0.12, 0.52), (lean + 0.3, 0.72), start=0.045, end=0.02),
                stroke((lean * 0.2, 0.36), (lean - 0.2, 0.52), (lean - 0.4, 0.68), start=0.045, end=0.02),
                *crowns,
            ],
        )
    ]


def spruce(rng: Random) -> Layers:
    """A conifer of nine tiers, each a little askew."""
    trunk = polygon((-0.02, 0), (-0.02, 0.2), (0.02, 0.2), (0.02, 0))
    width = rng.uniform(0.15, 0.21)
    outline: list[Point] = []
    tiers = 9
    for tier in range(tiers):
        low = 0.08 + 0.88 * (tier / tiers) ** 0.92
        reach = width * (1 - tier / tiers) ** 0.85 * rng.uniform(0.85, 1.1)
        outline += [(reach, low - 0.015), (reach * 0.42, low + 0.055)]
    left = [(-x * rng.uniform(0.85, 1.1), y) for x, y in reversed(outline)]
    return [("ink", [trunk, polygon(*outline, (0, 1.0), *left)])]


def palm(rng: Random) -> Layers:
    """A coconut palm with hanging fronds."""
    lean = rng.uniform(0.1, 0.28) * rng.choice((-1, 1))
    fronds = []
    for turn in (-0.25, 0.2, 0.65, 1.15, 2.0, 2.5, 2.95, 3.4):
        reach, droop = rng.uniform(0.32, 0.42), 0.16 - 0.1 * math.sin(turn) + rng.uniform(-0.03, 0.03)
        along, up = math.cos(turn) * reach, 0.05 + 0.15 * max(0.0, math.sin(turn))
        upper = [(0.0, 0.0), (0.25, up * 0.8), (0.55, up), (0.85, up * 0.3 - droop * 0.4)]
        under = [(1.0, -droop), (0.8, -droop * 0.35), (0.52, up * 0.5), (0.25, up * 0.35)]
        fronds.append(curve(*((lean + along * share, 0.885 + lift) for share, lift in (*upper, *under))))
    nuts = [ellipse(lean + side * 0.022, 0.865, 0.04, 0.045) for side in (-1, 1)]
    trunk = stroke((0, 0), (lean * 0.35, 0.4), (lean, 0.89), start=0.05, end=0.022)
    return [("ink", [trunk, *nuts, *fronds])]


def lime(rng: Random) -> Layers:
    """A round-crowned tree of an avenue."""
    crowns = [ellipse(rng.uniform(-0.12, 0.12), 0.5 + 0.12 * number, 0.62 - 0.1 * number, 0.5) for number in range(3)]
    return [("ink", [stroke((0, 0), (0, 0.5), start=0.07, end=0.05), *crowns])]


def cypress(rng: Random) -> Layers:
    """A slender tree, closed like a furled umbrella."""
    half = rng.uniform(0.1, 0.14)
    crown = curve((0, 0.04), (half, 0.3), (half * 0.75, 0.66), (0, 1.0), (-half * 0.75, 0.66), (-half, 0.3))
    return [("ink", [polygon((-0.02, 0), (-0.02, 0.1), (0.02, 0.1), (0.02, 0)), crown])]


def bird(rng: Random) -> Layers:
    """A gull far away, gliding."""
    lift = rng.uniform(0.25, 0.6)
    wings = [stroke((0, 0), (s * 0.35, lift), (s * 1.0, lift * 0.6), start=0.16, end=0.02) for s in (-1, 1)]
    return [("ink", [*wings, ellipse(0, 0, 0.24, 0.14)])]
