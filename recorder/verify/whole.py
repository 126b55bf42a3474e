"""Goes through a whole recording.

Whole means: every number from 1 on is one row of one table (or still in the journal, or in a gap of reason ``damaged``,
or older than what retention keeps), every file is what was published, whatever was subscribed and ended is in a gap
until it is subscribed again, and the gaps and contract details that the events tell of are in their tables.

Rules:
- Time is linear in the recording's size; memory is that of the largest stretch of files whose numbers overlap, one
  byte a row (a day at most), and bounded where one file spans everything.
- Of what is older than retention kept (``kept_seq``) only the number of rows is known.
- Nothing is written, and nothing is taken on trust: names, checkpoint and journal are held against the rows.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from recorder import schema
from recorder.config.wording import counted
from recorder.journal import folder
from recorder.partition import File, here, reached
from recorder.render import Tail, unrendered
from recorder.render.numbers import Counts, Lost, numbered_files, portions, size
from recorder.render.told import Heard
from recorder.verify import kept
from recorder.verify.coverage import Coverage
from recorder.verify.rows import Apart, Progress, VanishedError, holders, read, read_portion
from recorder.verify.verdict import Flaw, Verdict, lost, missing, older, twice

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
        self._counts, self._heard = Counts(), Heard()
        self._gone = 0

    def run(self) -> Verdict:
        for portion in portions(file for file in numbered_files(self._root) if self._is_published(file)):
            read_portion(portion, self._counts, self._heard, self._verdict, self._progress)
            self._settle(portion.upto)
        for tail in self._tails:
            self._tail(tail)
        self._settle(self._checkpoint.next_seq)
        verdict = self._verdict
        verdict.flaws += [*self._older(), *self._coverage.flaws(self._checkpoint.state.gaps), *self._untold()]
        verdict.flaws += [
            *kept.away(self._root),
            *kept.stated(self._root),
            *kept.journal(self._root),
            *kept.archive(self._root, self._progress),
        ]
        verdict.flaws += [*kept.set_aside(self._root), *kept.copies(self._root)]
        verdict.notes += kept.notes(self._root)
        verdict.flaws += self._behind()
        if folder.load(self._root).kept_seq != self._checkpoint.kept_seq:
            raise VanishedError("retention took days while they were read")
        return verdict

    def _behind(self) -> Iterator[Flaw]:
        """Numbers that would be given again: somebody has put an old ``recording.json`` back."""
        last = reached(file for file in numbered_files(self._root) if self._is_published(file))
        following = self._checkpoint.next_seq
        if last < following or any(tail.first_seq <= following for tail in self._tails):
            return
        if folder.load(self._root).next_seq != following:
            raise VanishedError("more was published while they were read")
        text = f"recording.json says that number {following} comes next, and the tables reach {last}"
        yield Flaw("wrong", f"{text}; recover, or run, puts it right")

    def _is_published(self, file: File) -> bool:
        """What the journal holds is read there: the renderer may be publishing it this moment."""
        return not self._tails or file.first_seq < self._tails[0].first_seq

    def _tail(self, tail: Tail) -> None:
        """What is still in the journal."""
        tables = {name: tail.table(name) for name in schema.SEQUENCED}
        seq = np.concatenate([table["seq"].to_numpy() for table in tables.values()])
        self._heard.add(tables["events"])
        self._verdict.rows += len(seq)
        self._counts.add(seq)
        # One that holds no rows says all the same which number comes next.
        self._settle(int(seq.max(initial=tail.first_seq - 1)) + 1)

    def _settle(self, upto: int) -> None:
        """All rows with lesser numbers have been read. Numbers below ``kept_seq`` may be gone by retention."""
        self._coverage.take(self._heard.below(upto))
        found, doubled = self._counts.settle(upto)
        self._verdict.flaws += twice(doubled, lambda runs: holders(numbered_files(self._root), runs))
        kept_seq = self._checkpoint.kept_seq
        self._gone += size((first, min(last, kept_seq - 1)) for first, last in found if first < kept_seq)
        parts = [self._lost.split((max(first, kept_seq), last)) for first, last in found if last >= kept_seq]
        self._verdict.flaws += missing([run for outside, _ in parts for run in outside])
        self._verdict.notes += lost([run for _, inside in parts for run in inside])

    def _older(self) -> Iterator[Flaw]:
        """Rows that retention left. That there are more of them is no flaw: what turned up was put back."""
        kept_seq, kept_rows = self._checkpoint.kept_seq, self._checkpoint.kept_rows
        short = (kept_rows or 0) - (kept_seq - 1 - self._gone)
        if short > 0:
            yield older(short, kept_seq)

    def _untold(self) -> Iterator[Flaw]:
        """Gaps and contract details that the events tell of and that are in no table, or that are there twice."""
        untold, gaps, details = self._coverage.untold, Apart("gaps"), Apart("instruments")
        rows = list(gaps.noting(self._rows("gaps")))
        lacking = untold.missing("gaps", rows)
        for (symbol, stream), (count, _) in sorted(lacking.items()):
            gaps_of = f"{counted(count, 'gap')} of {symbol} {stream} that ended"
            yield Flaw("missing", f"not in table gaps: {gaps_of}")
        for at, symbol in sorted(untold.missing("instruments", details.noting(self._rows("instruments")))):
            text = f"contract details of {symbol}, fetched at {at}, are not in table instruments"
            yield Flaw("missing", text)
        yield from (flaw for apart in (gaps, details) for flaw in apart.twice())
        for end, theirs in sorted(untold.twice(rows).items()):
            text = f"table gaps: {len(theirs)} rows tell of the gap of {theirs[0]['symbol']} {theirs[0]['stream']}"
            yield Flaw("twice", f"{text} that ended with number {end}")

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        for file in here(self._root, table):
            if self._is_published(file):
                for batch in read(file, None, self._verdict, self._progress):
                    yield from batch.to_pylist()
        for tail in self._tails:
            yield from tail.table(table).to_pylist()
