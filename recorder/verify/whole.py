"""Goes through a whole recording.

Whole means: every number from 1 on is one row of one table (or still in the journal, or in a gap of reason ``damaged``,
or older than what retention keeps), every file is what was published, whatever was subscribed and ended is in a gap
until it is subscribed again, and the gaps and contract details that the events tell of are in their tables.

Rules:
- Time is linear in the recording's size; memory is that of the largest stretch of files whose numbers overlap, one
  byte a row (a day at most).
- Nothing is written, and nothing is taken on trust: names, checkpoint and journal are held against the rows.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from recorder import schema
from recorder.config.wording import counted
from recorder.journal import folder
from recorder.partition import File, listed
from recorder.render import Tail, unrendered
from recorder.render.numbers import Lost, Run, Stretch, numbered_files, stretches
from recorder.verify import kept
from recorder.verify.coverage import Coverage
from recorder.verify.rows import Progress, VanishedError, read, read_stretch
from recorder.verify.verdict import Flaw, Verdict, lost, missing, twice

_ATTEMPTS = 5
"""How often it begins anew because a day was compacted, or deleted, under its hands."""


def verify(root: Path, progress: Progress = lambda _bytes: None) -> Verdict:
    """Read everything; ``progress`` is told the size of each file that has been read.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _Reading(root, progress).run()
        except (VanishedError, FileNotFoundError):
            continue
    return Verdict(flaws=[Flaw("unreadable", f"{root}: files vanished time and again while they were read")])


_NO_DAY = date.min


class _Reading:
    """One pass over a recording."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self._root = root
        self._progress = progress
        self._checkpoint = folder.load(root)
        self._tails = unrendered(root)
        self._lost = Lost.of(root)
        self._verdict = Verdict()
        self._coverage = Coverage(self._lost)
        self._expected = max(1, self._checkpoint.kept_seq)

    def run(self) -> Verdict:
        for stretch in stretches(file for file in numbered_files(self._root) if self._is_published(file)):
            self._stretch(stretch)
        for tail in self._tails:
            self._tail(tail)
        if self._expected < self._checkpoint.next_seq:
            self._missing([(self._expected, self._checkpoint.next_seq - 1)])
        verdict = self._verdict
        verdict.flaws += [*self._coverage.flaws(self._checkpoint.state.gaps), *self._untold()]
        verdict.flaws += [
            *kept.stated(self._root),
            *kept.journal(self._root),
            *kept.archive(self._root, self._progress),
        ]
        verdict.flaws += kept.set_aside(self._root)
        verdict.notes += kept.notes(self._root)
        return verdict

    def _is_published(self, file: File) -> bool:
        """What the journal holds is read there: the renderer may be publishing it this moment."""
        return not self._tails or file.first_seq < self._tails[0].first_seq

    def _stretch(self, stretch: Stretch) -> None:
        self._coverage.take(read_stretch(stretch, self._verdict, self._progress))
        self._seen(stretch)

    def _tail(self, tail: Tail) -> None:
        """What is still in the journal."""
        tables = {name: tail.table(name) for name in schema.SEQUENCED}
        seq = np.concatenate([table["seq"].to_numpy() for table in tables.values()])
        self._coverage.take(tables["events"].to_pylist())
        self._verdict.rows += len(seq)
        if len(seq):
            stretch = Stretch([File("", self._root, _NO_DAY, int(seq.min()), int(seq.max()))])
            stretch.count(seq)
            self._seen(stretch)

    def _seen(self, stretch: Stretch) -> None:
        """A stretch was counted."""
        self._verdict.flaws += twice(stretch.twice())
        before = [(self._expected, stretch.first - 1)] if stretch.first > self._expected else []
        self._missing([*before, *stretch.missing()])
        self._expected = max(self._expected, stretch.last + 1)

    def _missing(self, found: list[Run]) -> None:
        """Numbers that no row has; those below ``kept_seq`` may be gone by retention."""
        kept_seq = self._checkpoint.kept_seq
        parts = [self._lost.split((max(first, kept_seq), last)) for first, last in found if last >= kept_seq]
        self._verdict.flaws += missing([run for outside, _ in parts for run in outside])
        self._verdict.notes += lost([run for _, inside in parts for run in inside])

    def _untold(self) -> Iterator[Flaw]:
        """Gaps and contract details that the events tell of and that are in no table."""
        untold = self._coverage.untold
        for (symbol, stream), (count, _) in sorted(untold.missing("gaps", self._rows("gaps")).items()):
            yield Flaw(
                "missing", f"not in table gaps: {counted(count, 'gap')} of {symbol} {stream} that ended"
            )
        for at, symbol in sorted(untold.missing("instruments", self._rows("instruments"))):
            yield Flaw(
                "missing", f"contract details of {symbol}, fetched at {at}, are not in table instruments"
            )

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        for file in listed(self._root, table):
            if self._is_published(file):
                for batch in read(file, None, self._verdict, self._progress):
                    yield from batch.to_pylist()
        for tail in self._tails:
            yield from tail.table(table).to_pylist()
