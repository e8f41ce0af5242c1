"""The light of a picture: the sky's colours, the sun and how it tints what stands in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from couch_explorers.local.painter.canvas import Colour, colour, mix

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    from couch_explorers.local.painter.canvas import Canvas
    from couch_explorers.local.painter.words import Brief

    Sky = NDArray[np.floating]

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


def choose(brief: Brief) -> Light:
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
