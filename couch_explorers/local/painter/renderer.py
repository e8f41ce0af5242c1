"""Draws a travel poster in place of what a real model would generate, in no time and at no cost.

The same request produces the same bytes: every choice is drawn from a hash of prompt, seed and model, letters come from Pillow's own
font, and nothing asks the clock. The picture says in its caption and in its metadata what it is.
"""

from __future__ import annotations

import hashlib
import io
import random
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFont, ImageOps
from PIL.PngImagePlugin import PngInfo

from couch_explorers.local.painter import landscape
from couch_explorers.local.painter.canvas import Canvas, choose_light, colour, mix
from couch_explorers.local.painter.prompt import parse_prompt
from couch_explorers.local.painter.scenes import SCENES, place_subjects

if TYPE_CHECKING:
    from couch_explorers.local.painter.prompt import Brief

SOFTWARE = "couch-stand-in"
LABEL = "local stand-in"
PAPER, POLAROID_PAPER, CAPTION = colour("#f6efdf"), colour("#f8f6ef"), colour("#4a4038")
TITLES = {"hills": "WANDERLUST", "sea": "OCEAN", "mountains": "MOUNTAINS"}
GRAIN_TILE = 256
# Grain as a standard deviation in steps of brightness (0 to 255): the little that hides gradients' bands, and film.
FINE_GRAIN, FILM_GRAIN = 1.6, 9.0
DEFAULT_CFG_SCALE = 8.0
PALETTE_SAMPLE = (112, 112)
LETTER_SPACING = 0.28


def paint(
    prompt: str,
    *,
    seed: int,
    width: int,
    height: int,
    model: str,
    negative_prompt: str | None = None,
    cfg_scale: float | None = None,
) -> bytes:
    """Draw a picture.

    Args:
        prompt: Its words choose place, hour, film, mood and subjects (prompt.py lists them).
        seed: Varies the composition, as `model` does.
        width: Width in pixels, 320 to 4096.
        height: Height in pixels, 320 to 4096.
        model: The id of the model.
        negative_prompt: Its words are left out.
        cfg_scale: 1.1 to 10; a higher one gives stronger colours.

    Returns:
        A PNG of exactly that size.
    """
    brief = parse_prompt(prompt, negative_prompt)
    digest = hashlib.sha256(f"{model}\n{seed}\n{prompt}".encode("utf-8", "replace")).digest()
    rng = random.Random(digest)  # noqa: S311 - a composition, not a secret
    left, upper, right, lower = _frame(width, height, brief)
    canvas = Canvas(width - left - right, height - upper - lower)
    scene = landscape.Scene(canvas, choose_light(brief), brief, rng)
    landscape.draw_sky(scene)
    SCENES[brief.place](scene)
    place_subjects(scene)
    picture = _develop(canvas.image, brief, _saturation(brief, model, cfg_scale), rng)
    sheet = Image.new("RGB", (width, height), POLAROID_PAPER if "polaroid" in brief.films else PAPER)
    sheet.paste(picture, (left, upper))
    _caption(sheet, (left, height - lower, width - right, height), brief)
    return _encode(sheet, brief, digest)


def _frame(width: int, height: int, brief: Brief) -> tuple[int, int, int, int]:
    """The paper's margins in pixels: left, upper, right, lower."""
    unit = min(width, height)
    if "polaroid" in brief.films:
        return round(unit * 0.055), round(unit * 0.055), round(unit * 0.055), round(unit * 0.16)
    return round(unit * 0.035), round(unit * 0.035), round(unit * 0.035), round(unit * 0.085)


def _saturation(brief: Brief, model: str, cfg_scale: float | None) -> float:
    """The saturation of the colours, 1 for unchanged: each model has its own, which prompt and cfg scale change."""
    of_model = hashlib.sha256(model.encode()).digest()[0] / 255 - 0.5
    cfg_contrast = 0.0 if cfg_scale is None else (cfg_scale - DEFAULT_CFG_SCALE) * 0.03
    mood = 0.2 * ("vivid" in brief.moods) - 0.18 * ("faded" in brief.moods) - 0.1 * ("polaroid" in brief.films)
    return 1.0 + 0.2 * of_model + cfg_contrast + mood


def _develop(image: Image.Image, brief: Brief, saturation: float, rng: random.Random) -> Image.Image:
    """Apply saturation and the effects of films: fading, tints, vignette and light leaks."""
    image = ImageEnhance.Color(image).enhance(saturation)
    if "monochrome" in brief.films:
        image = ImageOps.autocontrast(image.convert("L"), cutoff=1).convert("RGB")
    elif "sepia" in brief.films:
        image = ImageOps.colorize(image.convert("L"), "#2a1608", "#fff0d2", mid="#a8794a")
    floor, ceiling = 0, 255
    if {"analog", "polaroid"}.intersection(brief.films) or "faded" in brief.moods:
        floor, ceiling = 26, 244
    if (floor, ceiling) != (0, 255):
        warm = 0 if {"monochrome", "sepia"}.intersection(brief.films) else 8
        curve = [
            round(low + (high - low) * (value / 255) ** gamma)
            for low, high, gamma in (
                (floor + warm, ceiling, 0.94),
                (floor, ceiling - warm, 1.0),
                (floor + warm // 2, ceiling - 3 * warm, 1.0),
            )
            for value in range(256)
        ]
        image = image.point(curve)
    if {"analog", "polaroid", "sepia", "monochrome"}.intersection(brief.films):
        image = ImageChops.multiply(image, _vignette(image.size, 0.42))
    if "analog" in brief.films and "monochrome" not in brief.films:
        image = ImageChops.screen(image, _leak(image.size, rng))
    return image


def _vignette(size: tuple[int, int], strength: float) -> Image.Image:
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    fall = 255 * (1 - strength * ((x**2 + y**2) / 2) ** 1.4)
    return Image.fromarray(fall.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR).convert("RGB")


def _leak(size: tuple[int, int], rng: random.Random) -> Image.Image:
    """The orange light leak of old cameras, from one side."""
    y, x = np.mgrid[0:1:32j, 0:1:32j]
    edge = x if rng.random() < 0.5 else 1 - x  # noqa: PLR2004 - a coin
    glow = np.exp(-((edge / rng.uniform(0.1, 0.22)) ** 1.5)) * (0.6 + 0.4 * np.sin(y * 4 + rng.uniform(0, 6)))
    tint = np.array([190, 80, 25]) * glow.clip(0, 1)[..., None]
    return Image.fromarray(tint.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def _caption(sheet: Image.Image, box: tuple[int, int, int, int], brief: Brief) -> None:
    """Write the name of the place, and what the picture is, into the lower margin."""
    left, upper, right, lower = box
    pen = ImageDraw.Draw(sheet)
    middle = upper + (lower - upper) * 0.47
    band = (lower - upper) * (0.6 if "polaroid" in brief.films else 1.0)
    title = TITLES.get(brief.place, brief.place.upper())
    size = max(8, round(band * 0.42))
    x = float(left)
    for letter in title:
        pen.text((x, middle), letter, font=_font(size), fill=CAPTION, anchor="lm")
        x += _font(size).getlength(letter) + size * LETTER_SPACING
    size = max(9, round(band * 0.27))
    pen.text((right, middle), LABEL, font=_font(size), fill=mix(CAPTION, PAPER, 0.2), anchor="rm")


def _encode(sheet: Image.Image, brief: Brief, digest: bytes) -> bytes:
    """Add grain and encode with 256 colours, in a third of the bytes and a fifth of the time of full colour."""
    strength = FILM_GRAIN if "grain" in brief.films else FILM_GRAIN * 0.55 if brief.films else FINE_GRAIN
    noise = np.random.default_rng(int.from_bytes(digest[:8], "big")).normal(128, strength, (GRAIN_TILE, GRAIN_TILE))
    tile = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    grain = Image.new("L", sheet.size)
    for x in range(0, sheet.width, GRAIN_TILE):
        for y in range(0, sheet.height, GRAIN_TILE):
            grain.paste(tile, (x, y))
    sheet = ImageChops.add(sheet, grain.convert("RGB"), 1.0, -128)
    if brief.films:
        # Film grain hides the steps of the quicker palette.
        indexed = sheet.quantize(256, method=Image.Quantize.FASTOCTREE)
    else:
        sample = sheet.resize(PALETTE_SAMPLE, Image.Resampling.NEAREST)
        indexed = sheet.quantize(
            palette=sample.quantize(256, method=Image.Quantize.MEDIANCUT), dither=Image.Dither.NONE
        )
    marks = PngInfo()
    marks.add_text("Software", SOFTWARE)
    out = io.BytesIO()
    indexed.save(out, "PNG", pnginfo=marks, compress_level=1)
    return out.getvalue()
