"""The DataFrames of a run and of a plan, with the context that is common to their rows.

Pandas propagates `context` to selections and copies of a frame ("Extending pandas", "Define original properties"). A frame that
is rebuilt, by `pd.concat` or from values, has none (`results.context_of` then returns the default). This module imports pandas,
which takes half a second: import it only where a frame is created.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import pandas as pd

if TYPE_CHECKING:
    from couch_explorers.exploration.plan import PlanContext
    from couch_explorers.exploration.results import RunContext


class RunRow(pd.Series):  # type: ignore[misc]  # pandas has no types here
    """A row or a column of a RunFrame."""

    _metadata: ClassVar[list[str]] = [*pd.Series._metadata, "context"]  # noqa: SLF001 - pandas documents it

    context: RunContext | None = None

    @property
    def _constructor(self) -> type[RunRow]:
        return RunRow


class _ContextFrame(pd.DataFrame):  # type: ignore[misc]  # pandas has no types here
    """A frame whose selections and copies keep its class and its `context`."""

    _metadata: ClassVar[list[str]] = ["context"]

    @property
    def _constructor(self) -> type[Self]:
        return type(self)


class RunFrame(_ContextFrame):
    """The rows of a run, with the columns of `results.columns_of`; `context` names the run and its target."""

    context: RunContext | None = None

    @property
    def _constructor_sliced(self) -> type[RunRow]:
        return RunRow


class PlanFrame(_ContextFrame):
    """The rows of a plan, see `plan.plan_frame`; `context` holds its target and settings."""

    context: PlanContext | None = None
