"""Where blocks are not run as they stand: exceptions.toml, read."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from .pages import Block

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Replacement:
    """A text that stands for something else, and what that is."""

    text: str
    by: str
    why: str


@dataclass(frozen=True)
class Errand:
    """A command to run behind a block that holds a text."""

    text: str
    run: str
    why: str


@dataclass(frozen=True)
class StandIn:
    """A command that is not the real one, or not with its own settings alone."""

    command: str
    why: str


@dataclass(frozen=True)
class Exceptions:
    """All of them. Each is used by some block of some page: see `unused`."""

    last: tuple[str, ...]
    replacements: tuple[Replacement, ...]
    errands: tuple[Errand, ...]
    stand_ins: tuple[StandIn, ...]

    @classmethod
    def read(cls, text: str | None = None) -> "Exceptions":
        """Read the file; a misspelt key is an error."""
        content = tomllib.loads(FILE.read_text(encoding="utf-8") if text is None else text)
        return cls(
            last=tuple(content.pop("last", ())),
            replacements=tuple(Replacement(**entry) for entry in content.pop("replace", ())),
            errands=tuple(Errand(**entry) for entry in content.pop("after", ())),
            stand_ins=tuple(StandIn(**entry) for entry in content.pop("stand_in", ())),
            **content,
        )

    def ordered(self, names: list[str]) -> list[str]:
        """Put pages into the order in which they are read."""
        return sorted(names, key=lambda name: (name in self.last, name))

    def as_run(self, block: Block) -> str:
        """Give a block's text with everything replaced, the longest texts first; its lines keep their numbers."""
        text = block.text
        for replacement in self._longest_first():
            text = text.replace(replacement.text, replacement.by)
        return text

    def afterwards(self, block: Block) -> list[str]:
        """Give the commands to run behind a block."""
        return [errand.run for errand in self.errands if errand.text in block.text]

    def unused(self, blocks: list[Block]) -> list[str]:
        """Name what no block needs."""
        shell = [block.text for block in blocks if block.language == "sh"]
        left = list(shell)
        idle = []
        for replacement in self._longest_first():
            if not any(replacement.text in text for text in left):
                idle.append(replacement.text)
            left = [text.replace(replacement.text, replacement.by) for text in left]
        idle += [errand.text for errand in self.errands if not any(errand.text in text for text in shell)]
        idle += [each.command for each in self.stand_ins if not any(f"{each.command} " in text for text in shell)]
        return idle + [name for name in self.last if name not in {block.page for block in blocks}]

    def _longest_first(self) -> list[Replacement]:
        return sorted(self.replacements, key=lambda replacement: -len(replacement.text))
