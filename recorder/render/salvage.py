"""What a damaged file still holds of the rows that are looked for: what stands before and behind the damage.

Rules:
- Only row groups that are what was written (``believed``), one at a time in memory.
- Only rows whose numbers lie between those in the file's name, each once, whichever files they stand in.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recorder.partition import File
from recorder.render.believed import forgiving, opened
from recorder.render.damage import Run

_BY_DAMAGE = {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGFPE}
"""How a process ends that Arrow ends over a damaged file."""


class Sought:
    """Numbers that are looked for, each until it is found; memory is that of the runs they make."""

    def __init__(self, runs: Iterable[Run]) -> None:
        found = list(runs)
        self._starts, self._ends = (np.array(sorted(run[at] for run in found), np.int64) for at in (0, 1))

    def has(self, seq: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which numbers are looked for."""
        if not len(self._starts):
            return np.zeros(len(seq), np.bool_)
        place = np.searchsorted(self._starts, seq, side="right") - 1
        inside: npt.NDArray[np.bool_] = (place >= 0) & (seq <= self._ends[place])
        return inside

    def touches(self, first: int, last: int) -> bool:
        """Whether any number from ``first`` to ``last`` is looked for."""
        place = int(np.searchsorted(self._ends, first))
        return place < len(self._ends) and int(self._starts[place]) <= last

    def drop(self, seq: npt.NDArray[np.int64]) -> None:
        """Look for these, which are given once each, no longer."""
        seq = seq[self.has(seq)]
        starts = np.sort(np.concatenate([self._starts, seq + 1]))  # each cuts the run that it stands in
        ends = np.sort(np.concatenate([self._ends, seq - 1]))
        self._starts, self._ends = starts[starts <= ends], ends[starts <= ends]


def taken(sought: dict[str, Sought], file: File, rows: pa.Table) -> pa.Table:
    """The rows of a numbered table's file that are looked for there, and lie where its name says; each is found now."""
    seq, places = np.unique(rows["seq"].to_numpy(), return_index=True)
    wanted = sought[file.table].has(seq) & (seq >= file.first_seq) & (seq <= file.last_seq)
    for one in sought.values():
        one.drop(seq[wanted])
    return rows.take(pa.array(places[wanted]))


def groups(file: File) -> Iterator[pa.Table]:
    """The row groups of a damaged file that are whole, their symbols as the renderer has them.

    Raises:
        OSError: nothing is known of it.
    """
    with forgiving(), opened(file.path) as parquet:
        for group in _believed(file):
            rows = parquet.read_row_group(group)
            at = rows.column_names.index("symbol")
            yield rows.set_column(at, "symbol", rows["symbol"].dictionary_encode())


def _believed(file: File) -> list[int]:
    """Which of its row groups another process believes; none, if it does not live to say so."""
    run = [sys.executable, "-m", "recorder.render.believed", str(file.path)]
    done = subprocess.run(run, capture_output=True, text=True, check=False)  # noqa: S603 - this program
    if done.returncode in _BY_DAMAGE:
        return []
    if done.returncode:
        raise OSError(None, f"cannot be looked into: {done.stderr.strip()[-500:]}", str(file.path))
    found: list[int] = json.loads(done.stdout)
    return found
