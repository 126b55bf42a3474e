"""What is not in the tables of a recording, as they are now.

Rules:
- Of the numbers from ``kept_seq`` on each one that stands in no row is missing.
- Below it retention took numbers of its own. Of those of ``events`` it takes none, and how many rows it left is known
  (``kept_rows``): only so much can be said, and of a file that was just set aside what its name says.
"""

import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.journal import folder
from recorder.partition import here
from recorder.render.damage import Key, Run
from recorder.render.numbers import Counts, Portion, batches, extend, numbered_files, portions, size
from recorder.render.told import Heard, Row, Told, Untold, identity


@dataclass(slots=True)
class Loss:
    """Numbers that stand in no row, and what was subscribed where they lie."""

    runs: list[Run] = field(default_factory=list)
    lived: set[Key] = field(default_factory=set)


class Missing:
    """What is not there.

    Attributes:
        kept_seq: numbers below it may be gone by retention.
        losses: the numbers from ``kept_seq`` on, a portion of the files each.
        older: those below it.
        short: so many of the rows that retention left are missing; None: nobody knows how many it left.
        untold: gaps and contract details that the events tell of: table to what tells of them, and the events' numbers.
    """

    def __init__(self, root: Path) -> None:
        """Read them all."""
        checkpoint = folder.load(root)
        self.kept_seq = checkpoint.kept_seq
        self.losses: list[Loss] = []
        self.older = Loss()
        self._runs: list[Run] = []
        self._live: set[Key] = set()
        self._counts, self._heard, self._events = Counts(), Heard(), Untold()
        for portion in portions(numbered_files(root)):
            self._read(portion)
            self._settle(portion.upto)
        self._settle(checkpoint.next_seq)
        self.rows = max(0, self.kept_seq - 1) - size(self.older.runs)
        self.short = None if checkpoint.kept_rows is None else max(0, checkpoint.kept_rows - self.rows)
        self.untold = {table: self._untold(root, table) for table in ("gaps", "instruments")}

    @property
    def numbers(self) -> list[Run]:
        """All from ``kept_seq`` on."""
        return [run for loss in self.losses for run in loss.runs]

    @property
    def events(self) -> list[int]:
        """The numbers of the events that tell of what is not there."""
        return [seq for found in self.untold.values() for _, seqs in found.values() for seq in seqs]

    def twice(self, gaps: Iterable[Row]) -> set[Told]:
        """What tells those of some rows of ``gaps`` apart that are told of by another one of them too."""
        return {identity("gaps", row) for rows in self._events.twice(gaps).values() for row in rows}

    def beside(self, run: Run) -> Run:
        """The last number that is there before some that are not, and the first one behind."""
        (before, _), (_, behind) = (self._runs[bisect_right(self._runs, (at, sys.maxsize)) - 1] for at in run)
        return before - 1, behind + 1

    def _read(self, portion: Portion) -> None:
        for file in portion.files:
            for batch in batches(file.path, None if file.table == "events" else ["seq"]):
                self._counts.add(batch.column("seq").to_numpy())
                if file.table == "events":
                    self._heard.add(batch)

    def _settle(self, upto: int) -> None:
        lived = set(self._live)
        for event in self._heard.below(upto):
            self._events.take(event)
            self._follow(event)
            lived |= self._live
        runs, _ = self._counts.settle(upto)
        extend(self._runs, runs)
        kept = [(max(first, self.kept_seq), last) for first, last in runs if last >= self.kept_seq]
        older = [(first, min(last, self.kept_seq - 1)) for first, last in runs if first < self.kept_seq]
        self.losses += [Loss(kept, lived)] if kept else []
        self.older = Loss(self.older.runs + older, self.older.lived | lived) if older else self.older

    def _follow(self, event: dict[str, Any]) -> None:
        key = event["symbol"], event["stream"]
        match event["kind"]:
            case "subscribed":
                self._live.add(key)
            case "unsubscribed":
                self._live.discard(key)
            case "disconnected" | "session_end" | "session_start":
                self._live.clear()

    def _untold(self, root: Path, table: str) -> dict[Told, tuple[int, list[int]]]:
        return self._events.missing(table, rows_of(root, table))


def rows_of(root: Path, table: str) -> Iterator[dict[str, Any]]:
    """The rows of a table, one by one."""
    for file in here(root, table):
        for batch in batches(file.path):
            yield from batch.to_pylist()
