"""Generates a picture again from its embedded parameters, and compares the two pixel by pixel."""

from __future__ import annotations

import functools
import io
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couch_explorers import formatting, paths
from couch_explorers.core import generation, image_models
from couch_explorers.core import png as pictures
from couch_explorers.core.errors import GenerationError, shown
from couch_explorers.core.image_models import PRICES_AS_OF
from couch_explorers.core.jobs import Job
from couch_explorers.exploration.direct_runner import ATTEMPTS, READ_TIMEOUT_S
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.files import check_writable, write_whole

if TYPE_CHECKING:
    from PIL import Image

    from couch_explorers.workspace import Workspace


REQUEST_FIELDS = ("cfg_scale", "model", "negative_prompt", "prompt", "seed", "size")
# The suffix of the copy, beside the original.
COPY_SUFFIX = "-again"


@dataclass(frozen=True)
class Recipe:
    """The parameters of a picture, read from the picture itself.

    `job` requests it again, with the seed that was used; `parameters` are the embedded ones; `png` is the picture.
    """

    path: Path
    job: Job
    parameters: dict[str, Any]
    png: bytes

    @property
    def usd(self) -> float:
        """The cost of generating it again, in USD as of PRICES_AS_OF."""
        return self.job.model.price_usd(self.job.size)

    def __str__(self) -> str:
        """The recipe in one line, with its price."""
        job = self.job
        prompt = shown(job.prompt, 60)
        return f"{prompt}: {job.model.id}, seed {job.seed}, {job.size}, {formatting.usd(self.usd, exact=True)} (prices of {PRICES_AS_OF})"


@dataclass(frozen=True)
class Reproduction:
    """A reproduced picture: its file, and how it compares with the original, which `sentence` summarizes.

    `different_pixels` is None if the sizes differ. `usd` is what was paid, `seconds` the model's time.
    """

    path: Path
    original: Path
    model: str
    seed: int
    same_bytes: bool
    same_pixels: bool
    different_pixels: int | None
    sentence: str
    usd: float
    seconds: float


def read_recipe(picture: Path | str) -> Recipe:
    """Read how a picture was made, without any calls. The path may be relative to the project's folder.

    Raises ExplorationError, with one sentence, for a file that does not exist, is damaged or was not made by this project,
    and for a request that its model does not accept (any more).
    """
    path = paths.resolve(picture)
    try:
        png = path.read_bytes()
    except FileNotFoundError as error:
        raise ExplorationError(f"There is no picture {path}.") from error
    except OSError as error:
        raise ExplorationError(f"The picture {path} cannot be read: {error.strerror}.") from error
    try:
        # To the last chunk: a picture that is truncated after its parameters cannot be compared.
        for _ in pictures.chunks(png):
            pass
        parameters = pictures.read_parameters(png)
    except pictures.ForeignPictureError as error:
        raise ExplorationError(f"{path}: {error} Give one that `couch paint` or a sweep has made.") from error
    except ValueError as error:
        raise ExplorationError(f"{path}: {error}") from error
    job = _job_from(path, parameters)
    try:
        # Parameters that cannot be embedded are reported before the new picture is paid for.
        pictures.add_parameters(png, parameters)
    except ValueError as error:
        raise ExplorationError(f"{path}: its couch parameters are no plain JSON; make the picture again.") from error
    return Recipe(path, job, parameters, png)


def reproduce(picture: Path | str, workspace: Workspace, out: Path | str | None = None) -> Reproduction:
    """Generate a picture again from its own parameters, and compare the two. Calls the model once, which AWS bills.

    It is written to `out`, by default beside the original as `<name>-again.png`, with the parameters of the original.
    Neither the original nor another picture is overwritten. Raises ExplorationError, with one sentence, like `read_recipe`,
    for an existing file, and for a model that returns no picture.
    """
    recipe = read_recipe(picture)
    before = _pixels(recipe.png, recipe.path)
    target = Path(out) if out is not None else recipe.path.with_name(f"{recipe.path.stem}{COPY_SUFFIX}.png")
    _check_output(target, recipe)
    job = replace(recipe.job, model=_deployed_model(recipe.job, workspace))
    client = generation.bedrock_client(
        job.model.region,
        attempts=ATTEMPTS,
        read_timeout_s=READ_TIMEOUT_S,
        session=workspace.session,
    )
    started = time.monotonic()
    try:
        png, _ = generation.ask(client, job)
    except GenerationError as error:
        raise ExplorationError(f"{recipe.path} cannot be made again. {error.detail}") from error
    seconds = round(time.monotonic() - started, 3)
    png = pictures.add_parameters(png, recipe.parameters)
    try:
        write_whole(target, png)
    except OSError as error:
        raise ExplorationError(f"The picture was made, but {target} cannot be written: {error.strerror}.") from error
    same_bytes, different = png == recipe.png, _different_pixels(before, _pixels(png, target))
    return Reproduction(
        path=target,
        original=recipe.path,
        model=job.model.id,
        seed=job.seed,
        same_bytes=same_bytes,
        same_pixels=different == 0,
        different_pixels=different,
        sentence=_sentence(different, before.width * before.height, same_bytes=same_bytes),
        usd=recipe.usd,
        seconds=seconds,
    )


def _job_from(path: Path, parameters: dict[str, Any]) -> Job:
    """Create the job from the parameters, and check it against its model's current limits."""
    request, used = parameters.get("request"), parameters.get("seed")
    if not isinstance(request, dict) or not isinstance(parameters.get("id"), str):
        raise ExplorationError(f"{path}: its couch parameters do not contain the request; make the picture again.")
    if missing := [name for name in REQUEST_FIELDS if name not in request]:
        raise ExplorationError(f"{path}: its couch parameters lack {', '.join(missing)}; make the picture again.")
    try:
        model = image_models.get(request["model"])
        # For a random seed (0 on Stability), the model returned the one it used, which makes this picture.
        seed = request["seed"] if used is None else used
        values = {name: request[name] for name in ("prompt", "size", "cfg_scale", "negative_prompt")}
        model.check(values["prompt"], seed, values["size"], values["cfg_scale"], values["negative_prompt"])
    except GenerationError as error:
        raise ExplorationError(f"{path} cannot be made again. {error.detail}") from error
    return Job(id=parameters["id"], model=model, seed=seed, **values)


def _deployed_model(job: Job, workspace: Workspace) -> image_models.ImageModel:
    """Return the model in the region where this workspace has it; else in its default region."""
    here = (image_models.get(arn) for arn in workspace.model_arns if image_models.parse_arn(arn)[1] == job.model.id)
    return next(here, job.model)


def _check_output(target: Path, recipe: Recipe) -> None:
    """Check, before anything is paid, that the picture can be written without overwriting another one."""
    if target.is_dir():
        raise ExplorationError(f"{target} is a folder: name the file, {target / recipe.path.name}.")
    if target.exists():
        if target.samefile(recipe.path):
            raise ExplorationError(f"{target} is the original, which stays as it is: give another file with --out.")
        parameters = None
        with suppress(OSError, ValueError):
            parameters = pictures.read_parameters(target.read_bytes())
        if parameters != recipe.parameters:
            raise ExplorationError(f"{target} is there already and is another picture: give another file with --out.")
    check_writable(target.parent, what="The picture", how="give another file with --out")


def _pixels(png: bytes, path: Path) -> Image.Image:
    """Read the pixels of a picture, with their transparency."""
    from PIL import Image  # noqa: PLC0415 - only a comparison needs it

    try:
        with Image.open(io.BytesIO(png)) as image:
            return image.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ExplorationError(f"The pixels of {path} cannot be read: {error}") from error


def _different_pixels(first: Image.Image, second: Image.Image) -> int | None:
    """Count the pixels that differ; None if the sizes differ."""
    from PIL import ImageChops  # noqa: PLC0415 - only a comparison needs it

    if first.size != second.size:
        return None
    # The largest difference among a pixel's channels: 0 if the pixel is the same.
    largest = functools.reduce(ImageChops.lighter, ImageChops.difference(first, second).split())
    return first.width * first.height - largest.histogram()[0]


def _sentence(different: int | None, pixels: int, *, same_bytes: bool) -> str:
    if same_bytes:
        return "The same picture: every byte is the same."
    if different is None:
        return "Another picture: even its size differs, so the model has changed since."
    if different == 0:
        return "The same picture: every pixel is the same, only the file differs."
    return (
        f"Another picture: {different:,} of {pixels:,} pixels differ. "
        "Request and seed were the same, but a model does not promise the same pixels."
    )
