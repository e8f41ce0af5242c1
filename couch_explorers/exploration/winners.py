"""The best-rated pictures, with the commands that reproduce them."""

from __future__ import annotations

import shlex
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couch_explorers import paths
from couch_explorers.exploration import results
from couch_explorers.exploration.cards import CARD_WIDTH, picture_html, rating_html
from couch_explorers.exploration.grid import cell_views
from couch_explorers.exploration.ratings import Rating, current_ratings, picture_id, target_of
from couch_explorers.exploration.scores import current_scores
from couch_explorers.exploration.sweep_spec import ExplorationError
from couch_explorers.html import render
from couch_explorers.paths import PROJECT_ROOT, Home
from couch_explorers.text_layout import SEPARATOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from couch_explorers.exploration.grid import CellView
    from couch_explorers.exploration.scores import Judgement


WINNER_COLUMNS = (
    "number", "prompt_name", "prompt", "model", "seed", "size", "cfg_scale", "negative_prompt",
    "verdict", "stars", "note", "score", "judged", "command", "paint_command", "path", "key", "id",
)  # fmt: skip


def best(frame: pd.DataFrame, n: int = 3) -> pd.DataFrame:
    """Return the `n` best pictures of a sweep's result: kept ones first, then by stars, then by the judge's mean score.

    Rejected pictures are excluded, and those neither kept nor with a star: without ratings the frame is empty, and a notebook
    says how to rate. The columns are those of the request (of a sweep with variables also `results.template_columns`),
    verdict, stars, note, score (1 to 5, missing without a judge), judged (the score as text, with "stand-in" if no model has
    seen the picture), path, key, id, and two shell commands: `command` reproduces the picture from its file, or requests it
    if the file is missing; `paint_command` requests it without the file, on any machine. Raises ExplorationError for a frame
    that is not a sweep's result, and an `n` below 1.
    """
    if n < 1:
        raise ExplorationError(f"{n} winners cannot be shown: ask for 1 or more.")
    target = target_of(frame)
    ratings, judgements = current_ratings(target), current_scores(target)
    liked: dict[str, tuple[Any, ...]] = {}
    for tile, key in zip(cell_views(frame), frame["key"], strict=True):
        rating = ratings.get(picture_id(tile)) if tile.path is not None else None
        if rating is not None and _is_liked(rating):
            # Two cells may share a picture: it is one winner.
            liked.setdefault(rating.id, (rating, tile, key))
    order = sorted(liked.values(), key=lambda found: _rank(found[0], judgements.get(found[0].id)))
    variables = results.variable_names(frame.columns)
    rows = [
        (*_winner_row(rating, tile, key, target, judgements.get(rating.id)), *results.template_values(tile, variables))
        for rating, tile, key in order[:n]
    ]
    return _winners_frame(rows, (*WINNER_COLUMNS, *results.template_columns(variables)), results.context_of(frame))


def reproduce_command(path: Path, options: Sequence[str] = ()) -> str:
    """Return the shell command that reproduces a picture from its file.

    A file of the project is named relative to its folder, and found from any working directory.
    """
    home = Home.current().path
    elsewhere = "" if home == PROJECT_ROOT / ".couch" else f"COUCH_HOME={shlex.quote(paths.display(home))} "
    return elsewhere + shlex.join(["couch", "reproduce", paths.display(path), *options])


def paint_command(tile: CellView, options: Sequence[str] = ()) -> str:
    """Return the shell command that requests a cell's picture without its file, on any machine."""
    words = ["couch", "paint", "--model", tile.model, "--seed", str(tile.seed), "--size", tile.size]
    if tile.cfg_scale is not None:
        words += ["--cfg-scale", f"{tile.cfg_scale:g}"]
    if tile.negative_prompt is not None:
        words += ["--negative-prompt", tile.negative_prompt]
    # "--" keeps a prompt that begins with a dash from being read as an option.
    return shlex.join([*words, *options, *(["--"] if tile.prompt.startswith("-") else []), tile.prompt])


def _target_options(target: str, key: object) -> list[str]:
    """Return the options for the target and candidate of a picture."""
    if target == "local":
        return []
    return ["--target", target, *(["--candidate", key.partition("/")[0]] if isinstance(key, str) else [])]


def _is_liked(rating: Rating) -> bool:
    return rating.verdict == "keep" or (rating.verdict is None and bool(rating.stars))


def _rank(rating: Rating, judgement: Judgement | None) -> tuple[bool, int, float]:
    return rating.verdict != "keep", -(rating.stars or 0), -judgement.mean if judgement is not None else 0.0


def _winner_row(rating: Rating, tile: CellView, key: object, target: str, judgement: Judgement | None) -> list[Any]:
    path, where = Path(str(tile.path)), _target_options(target, key)
    values = {
        **vars(tile),
        **{name: getattr(rating, name) for name in ("verdict", "stars", "note", "id")},
        "score": None if judgement is None else judgement.mean,
        "judged": "" if judgement is None else judgement.label,
        "command": reproduce_command(path, where) if path.is_file() else paint_command(tile, where),
        "paint_command": paint_command(tile, where),
        "path": str(path),
        "key": key,
    }
    return [values[name] for name in WINNER_COLUMNS]


@lru_cache(maxsize=1)
def _frame_class() -> type[pd.DataFrame]:
    """Create the class of the frame of winners; in a function, because pandas takes half a second to import."""
    from couch_explorers.exploration.frames import RunFrame  # noqa: PLC0415 - imports pandas, which not every caller needs

    class Winners(RunFrame):
        """A frame of winners; a notebook shows each with its picture and its full command."""

        @property
        def _constructor(self) -> Any:
            # A selection of rows or columns is shown as an ordinary frame.
            return RunFrame

        def _repr_html_(self) -> str:
            return render(
                "exploration/winners.html.j2",
                winners=[_winner_values(row) for row in self.to_dict("records")],
                card_width=CARD_WIDTH,
            )

    return Winners


def _winners_frame(rows: Sequence[Sequence[Any]], columns: Sequence[str], context: results.RunContext) -> pd.DataFrame:
    """Create the frame of winners, with the same column types whether it has rows or not."""
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    frame = pd.DataFrame(rows, columns=list(columns)).astype(
        {"cfg_scale": "float64", "stars": "Int64", "score": "float64"}
    )
    winners = _frame_class()(frame)
    winners.context = context
    return winners


def _winner_values(row: dict[str, Any]) -> dict[str, Any]:
    """Return the template's values for a winner: its picture, request, rating and command."""
    import pandas as pd  # noqa: PLC0415 - it takes half a second, and not every caller needs a frame

    values = [
        f"{name}: {row[results.VARIABLE + name]}"
        for name in results.variable_names(row)
        if pd.notna(row[results.VARIABLE + name])
    ]
    request = [*values, f"seed {row['seed']}", str(row["model"]), str(row["size"])]
    if pd.notna(row["cfg_scale"]):
        request.append(f"cfg scale {row['cfg_scale']:g}")
    if pd.notna(row["negative_prompt"]):
        request.append(f"without {row['negative_prompt']}")
    verdict, stars = (None if pd.isna(row[name]) else row[name] for name in ("verdict", "stars"))
    rating = Rating(row["id"], verdict, None if stars is None else int(stars), row["note"])
    if row["judged"]:
        request.append(row["judged"])
    return {
        **{name: row[name] for name in ("number", "prompt", "prompt_name", "command")},
        "picture": picture_html(Path(row["path"]), row["prompt"]),
        "rating": rating_html(rating),
        "request": SEPARATOR.join(request),
    }
