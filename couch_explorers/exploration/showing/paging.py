"""A sheet's cells dealt out to pages: lines of pictures under their headings, no page higher than paper."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from couch_explorers.exploration.showing import axes, captions
from couch_explorers.exploration.showing.elements import Element, Gap, Heads, Paragraph, Rule, paragraph
from couch_explorers.exploration.showing.lines import Line, place
from couch_explorers.exploration.showing.measures import (
    BODY,
    COLUMNS_BESIDE_TEXT,
    LOWEST_LINE,
    MOST_COLUMNS,
    SMALL,
    SOFT,
    Measures,
)
from couch_explorers.exploration.showing.surround import WHOLE_TEXT_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from couch_explorers.exploration.showing.axes import Arrangement, Group, Row
    from couch_explorers.exploration.showing.tiles import Tile


@dataclass(frozen=True)
class Step:
    """A line of pictures, where it belongs, and whether a group, a row or a page begins with it."""

    line: Line
    group: Group
    row: Row
    opens_group: bool
    opens_row: bool
    opens_page: bool = False


@dataclass
class Body:
    """What stands between head and footer of one page, and the prompts that its foot must list."""

    placed: list[Element] = field(default_factory=list)
    prompts: list[Tile] = field(default_factory=list)


@dataclass(frozen=True)
class Paging:
    """How the cells of one sheet are laid on pages."""

    tiles: Sequence[Tile]
    arrangement: Arrangement
    groups: Sequence[Group]
    measures: Measures

    def bodies(self, room: int) -> list[Body]:
        """Deal all lines out to pages whose body is at most `room` pixels high; each holds one line at least."""
        bodies: list[Body] = []
        for step in self._steps():
            body = self._with(bodies[-1], step) if bodies else None
            if body is not None and sum(element.height for element in self.elements(body)) <= room:
                bodies[-1] = body
            else:
                bodies.append(self._with(Body(), replace(step, opens_page=True)))
        return bodies

    def elements(self, body: Body) -> list[Element]:
        """Everything on a page between head and foot."""
        return body.placed + self._prompt_list(body.prompts)

    def _steps(self) -> Iterator[Step]:
        for group in self.groups:
            for row in group.rows:
                starts = range(0, len(row.cells), self.measures.columns)
                lines = [row.cells[start : start + self.measures.columns] for start in starts]
                for count, cells in enumerate(filter(any, lines)):
                    yield Step(self._line(cells, row), group, row, row is group.rows[0] and not count, not count)

    def _line(self, cells: Sequence[Tile | None], row: Row) -> Line:
        told = self.arrangement.varying or ("size", "seed")
        places = (
            cell if cell is None else place(cell, [axes.label(axis, cell) for axis in told], self.measures)
            for cell in cells
        )
        return Line(tuple(places), self.measures, self.beside(row) if self.measures.beside else None)

    def beside(self, row: Row) -> Paragraph:
        """What is said of a row, as wide as a picture; where it is too long for that, one line too high."""
        name, text = captions.heading(str(self.arrangement.rows), row.head)
        face, width = self.measures.face(SMALL), self.measures.tile
        lines = int(LOWEST_LINE * width / face.line) + 1
        return paragraph(text, face, width, lines=lines, colour=SOFT, lead=name)

    def _with(self, body: Body, step: Step) -> Body:
        """Make a copy of a page's body with one more line under the headings that it needs."""
        elements = [*body.placed]
        if self.arrangement.groups and (step.opens_group or step.opens_page):
            elements += self._group_heading(step)
        if self._heads and (step.opens_group or step.opens_page):
            elements += [Heads(self._heads, self.measures), Rule(self.measures.inner), Gap(self.measures.margin // 5)]
        if self.arrangement.rows and not self.measures.beside and (step.opens_row or step.opens_page):
            elements += self._row_heading(step)
        prompts = body.prompts
        if not self._prompt_is_told:
            prompts = axes.first_of_each("prompt", [*prompts, *step.line.tiles])
        return Body([*elements, step.line], prompts)

    @property
    def _heads(self) -> tuple[str, ...]:
        """What the columns are called; nothing where a row takes several lines, whose labels then tell."""
        across = self.arrangement.columns
        wrapped = max(len(row.cells) for group in self.groups for row in group.rows) > self.measures.columns
        if self.arrangement.rows is None or across is None or wrapped:
            return ()
        return tuple(axes.label(across, tile) for tile in axes.first_of_each(across, self.tiles))

    @property
    def _prompt_is_told(self) -> bool:
        """Whether the whole prompt stands at the head, above each group or above each row."""
        return "prompt" in (*self.arrangement.shared, *self.arrangement.groups, self.arrangement.rows)

    def _group_heading(self, step: Step) -> list[Element]:
        strong, face, width = self.measures.face(BODY, strong=True), self.measures.face(SMALL), self.measures.inner
        name = " · ".join(axes.label(axis, step.group.head) for axis in self.arrangement.groups)
        name += "" if step.opens_group else " (continued)"
        # The head of the page ends in a rule of its own.
        heading: list[Element] = [] if step.opens_page else [Gap(face.size // 2), Rule(width), Gap(face.size // 2)]
        heading.append(paragraph(name, strong, width, lines=WHOLE_TEXT_LINES))
        if step.opens_group and "prompt" in self.arrangement.groups:
            heading.append(self._told(step.group.head.prompt))
        return [*heading, Gap(face.size // 2)]

    def _row_heading(self, step: Step) -> list[Element]:
        name, text = captions.heading(str(self.arrangement.rows), step.row.head)
        told = self._told(text, name) if step.opens_row else self._told("", f"{name} (continued)")
        return [told, Gap(told.face.size // 2)]

    def _prompt_list(self, prompts: Sequence[Tile]) -> list[Element]:
        gap = self.measures.face(SMALL).size // 2
        listed: list[Element] = [Gap(gap)] if prompts else []
        for tile in prompts:
            listed += [self._told(tile.prompt, tile.prompt_name), Gap(gap)]
        return listed

    def _told(self, text: str, name: str = "") -> Paragraph:
        """A text across the page."""
        face, width = self.measures.face(SMALL), self.measures.inner
        return paragraph(captions.whole(text), face, width, lines=WHOLE_TEXT_LINES, colour=SOFT, lead=name)


def measures_for(groups: Sequence[Group], arrangement: Arrangement) -> Measures:
    """Choose the columns: all cells of a row, or, where they are too many, lines of equal length.

    What is said of a row stands beside its pictures where there are few, and it is not too long for that.
    """
    most = max(len(row.cells) for group in groups for row in group.rows)
    columns = -(-most // -(-most // MOST_COLUMNS))
    if arrangement.rows and most <= COLUMNS_BESIDE_TEXT:
        measures = Measures(columns, beside=True)
        paging = Paging((), arrangement, groups, measures)
        if all(paging.beside(row).height <= LOWEST_LINE * measures.tile for group in groups for row in group.rows):
            return measures
    return Measures(columns)
