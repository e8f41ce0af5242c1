"""Pictures made out of pictures: masks, edits, variations, palettes and styles, each by a plain transform that one can name.

Nothing here understands a picture. A mask asked for in words is an ellipse in the middle, a background is what resembles the
picture's border, a variation is a mixture. But what a real model promises holds: sizes, what a mask keeps, transparency, and that
the same seed gives the same pixels and another seed others.
"""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence

Size = tuple[int, int]

# A seam's width as a share of the shorter side, where an edit may fade into what it keeps.
SMOOTH_SEAM = 0.04
# From which contrast on a jump in brightness counts as an edge.
EDGE_THRESHOLD = 40
# A share of the picture that a cut-out object has at least and at most; else the border tells nothing about the background.
OBJECT_SHARE = (0.02, 0.95)
PAPER, INK = "#fbfaf5", "#1c1a17"
RETRO = ("#1d3557", "#e76f51", "#e9c46a", "#2a9d8f", "#f4f1de")


def inside(mask: Image.Image) -> Image.Image:
    """A mask whose black pixels are its inside, as one whose white pixels are."""
    return ImageOps.invert(mask)


def is_black_and_white(mask: Image.Image) -> bool:
    """Whether a picture in shades of grey has no shade but the two."""
    return sum(mask.histogram()[1:255]) == 0


def mask_for(words: str, size: Size) -> Image.Image:
    """The mask of what words describe: an ellipse around the middle, whose place and size the words choose; inside is white."""
    rng = random.Random(hashlib.sha256(words.lower().encode()).digest())  # noqa: S311 - a composition, not a secret
    width, height = size
    x, y = width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.58)
    across, down = width * rng.uniform(0.2, 0.3), height * rng.uniform(0.2, 0.3)
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).ellipse((x - across, y - down, x + across, y + down), fill=255)
    return mask


def filled(
    painted: Image.Image | None, _seed: int, *, source: Image.Image, mask: Image.Image, seam: float
) -> Image.Image:
    """A picture in which the mask's white is painted again, or smoothed away where nothing was painted; the rest is unchanged.

    `seam` is a share of the shorter side over which the new fades in, inside of the white.
    """
    unit = min(source.size)
    new = source.filter(ImageFilter.GaussianBlur(unit / 6)) if painted is None else painted.resize(source.size)
    if seam:
        mask = ImageChops.multiply(mask, mask.filter(ImageFilter.GaussianBlur(unit * seam)))
    return Image.composite(new, source, mask)


def cut_out(_painted: None, _seed: int, *, source: Image.Image) -> Image.Image:
    """A picture whose background, all that resembles its border, is transparent."""
    pixels = np.asarray(source, dtype=np.float32)
    edge = max(1, min(source.size) // 50)
    border = np.concatenate(
        [part.reshape(-1, 3) for part in (pixels[:edge], pixels[-edge:], pixels[:, :edge], pixels[:, -edge:])]
    )
    centre = np.median(border, axis=0)
    distance = np.linalg.norm(pixels - centre, axis=2)
    usual = float(np.percentile(np.linalg.norm(border - centre, axis=1), 90))
    alpha = Image.fromarray(np.where(distance > usual + 12, 255, 0).astype(np.uint8))
    alpha = alpha.filter(ImageFilter.MedianFilter(5))
    if not OBJECT_SHARE[0] <= np.asarray(alpha).mean() / 255 <= OBJECT_SHARE[1]:
        alpha = mask_for("subject", source.size)
    result = source.convert("RGBA")
    result.putalpha(alpha)
    return result


def varied(painted: Image.Image, seed: int, *, images: Sequence[Image.Image], strength: float) -> Image.Image:
    """A mixture of a new painting and the mean of the given pictures, which counts for `strength` (0.2 to 1)."""
    mean = np.mean([np.asarray(ImageOps.fit(image, painted.size), dtype=np.float32) for image in images], axis=0)
    rng = random.Random(seed)  # noqa: S311 - a composition, not a secret
    freedom = 0.05 + 0.3 * (1 - strength)
    base = Image.fromarray(mean.astype(np.uint8))
    base = ImageEnhance.Color(base).enhance(1 + rng.uniform(-freedom, freedom))
    base = ImageEnhance.Brightness(base).enhance(1 + rng.uniform(-freedom, freedom) / 2)
    return Image.blend(painted, base, 0.95 * strength)


def recoloured(
    painted: Image.Image, _seed: int, *, colours: Sequence[str], reference: Image.Image | None
) -> Image.Image:
    """A painting in the given colours alone, dark to bright; a reference lends its light and shade."""
    grey = ImageOps.autocontrast(painted.convert("L"))
    if reference is not None:
        grey = Image.blend(grey, ImageOps.autocontrast(ImageOps.fit(reference, painted.size).convert("L")), 0.5)
    return _in_palette(grey, colours)


def _in_palette(grey: Image.Image, colours: Sequence[str]) -> Image.Image:
    values = sorted((_rgb(colour) for colour in colours), key=lambda value: np.dot(value, (0.299, 0.587, 0.114)))
    at = np.linspace(0, 255, len(values)) if len(values) > 1 else np.array([128.0])
    shades = np.asarray(grey, dtype=np.float32)
    # The mapping between colours is linear, so that gradients stay gradients.
    channels = [np.interp(shades, at, [value[channel] for value in values]) for channel in range(3)]
    flat = np.stack(channels, axis=2)
    if len(values) == 1:
        # One colour alone would be a blank sheet: its own shades.
        flat = flat * (0.35 + 0.65 * shades[..., None] / 255)
    return Image.fromarray(flat.clip(0, 255).astype(np.uint8))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def conditioned(painted: Image.Image, _seed: int, *, image: Image.Image, mode: str, strength: float) -> Image.Image:
    """A painting that follows a picture's edges (CANNY_EDGE) or areas (SEGMENTATION), the more the higher `strength` (0 to 1)."""
    guide = ImageOps.fit(image, painted.size)
    if mode == "SEGMENTATION":
        areas = guide.filter(ImageFilter.MedianFilter(9)).quantize(6, dither=Image.Dither.NONE).convert("RGB")
        return Image.blend(painted, areas, 0.8 * strength)
    dark = ImageEnhance.Brightness(painted).enhance(1 - 0.9 * strength)
    return Image.composite(dark, painted, _edges(guide))


def _edges(image: Image.Image) -> Image.Image:
    """White lines where a picture's brightness jumps."""
    found = image.convert("L").filter(ImageFilter.GaussianBlur(1)).filter(ImageFilter.FIND_EDGES)
    lines = found.point([0 if value < EDGE_THRESHOLD else 255 for value in range(256)])
    # The filter takes the picture's own rim for an edge.
    ImageDraw.Draw(lines).rectangle((0, 0, lines.width - 1, lines.height - 1), outline=0, width=2)
    return lines.filter(ImageFilter.MaxFilter(3))


def styled(painted: Image.Image, _seed: int, *, style: str) -> Image.Image:
    """A painting in one of Nova Canvas's styles (`STYLES`)."""
    return STYLES[style](painted)


def _animated(image: Image.Image) -> Image.Image:
    smooth = image.filter(ImageFilter.ModeFilter(7)).filter(ImageFilter.SMOOTH_MORE)
    return ImageEnhance.Color(ImageEnhance.Contrast(smooth).enhance(1.15)).enhance(1.35)


def _sketch(image: Image.Image) -> Image.Image:
    return Image.composite(Image.new("RGB", image.size, INK), Image.new("RGB", image.size, PAPER), _edges(image))


def _flat(image: Image.Image) -> Image.Image:
    return ImageOps.posterize(image.filter(ImageFilter.ModeFilter(9)), 3)


def _graphic_novel(image: Image.Image) -> Image.Image:
    return Image.composite(Image.new("RGB", image.size, INK), ImageOps.posterize(image, 2), _edges(image))


def _maximal(image: Image.Image) -> Image.Image:
    return ImageEnhance.Contrast(ImageEnhance.Color(image).enhance(2.2)).enhance(1.3)


def _retro(image: Image.Image) -> Image.Image:
    return Image.blend(image, _in_palette(ImageOps.autocontrast(image.convert("L")), RETRO), 0.75)


def _photo(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.DETAIL)


def _soft(image: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(image.filter(ImageFilter.GaussianBlur(min(image.size) / 200))).enhance(1.06)


STYLES = {
    "3D_ANIMATED_FAMILY_FILM": _animated,
    "DESIGN_SKETCH": _sketch,
    "FLAT_VECTOR_ILLUSTRATION": _flat,
    "GRAPHIC_NOVEL_ILLUSTRATION": _graphic_novel,
    "MAXIMALISM": _maximal,
    "MIDCENTURY_RETRO": _retro,
    "PHOTOREALISM": _photo,
    "SOFT_DIGITAL_PAINTING": _soft,
}


def worn(_painted: None, _seed: int, *, source: Image.Image, reference: Image.Image, mask: Image.Image) -> Image.Image:
    """A picture in which the mask's white shows the reference."""
    result = source.copy()
    if (box := mask.getbbox()) is not None:
        left, upper, right, lower = box
        patch = ImageOps.fit(reference, (right - left, lower - upper))
        result.paste(patch, (left, upper), mask.crop(box))
    return result


def blended(painted: Image.Image, _seed: int, *, image: Image.Image, share: float) -> Image.Image:
    """A mixture of a picture and a painting, which counts for `share` (0 to 1)."""
    return Image.blend(image, painted.resize(image.size), share)
