"""What is wrong with a config file, for the person who wrote it.

Rules:
- A problem is one line: where it is, what is wrong, what would be right.
- What stands in the file never breaks that line: whatever does not print is escaped.
"""

from dataclasses import dataclass
from pathlib import Path

Key = tuple[str | int, ...]
"""A place in the file by its keys: ``("watchlist", 3, "streams", 0, "depth", "rows")``."""


def dotted(key: Key) -> str:
    """A key as people write it: ``watchlist[3].streams[0].depth.rows``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in key)
    return "".join(parts).removeprefix(".")


def _printable(text: str) -> str:
    r"""``text`` on one line: line breaks and other characters that do not print as ``\n``, ``\u2028``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a config file.

    Attributes:
        path: the config file.
        line: counted from 1.
        column: counted from 1, in characters.
        key: the place by its keys, ``watchlist[3].strike``; ``""`` for the file as a whole.
        message: what is wrong, and what would be right.
    """

    path: Path
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.path}:{self.line}:{self.column}: {_printable(key + self.message)}"


class ConfigError(Exception):
    """The config file cannot be used: ``problems`` has everything wrong with it, in file order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
