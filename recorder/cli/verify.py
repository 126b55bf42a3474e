"""``ib-recorder verify``."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from recorder.cli.errors import FAILED
from recorder.config.wording import counted
from recorder.journal.folder import segments
from recorder.journal.lock import holder
from recorder.verify import Flaw, Verdict
from recorder.verify import verify as verify_root

_MANY = 50

_MENDED = ("missing", "unreadable", "damaged")
"""Kinds of flaws that ``recover`` mends, but for those of what is only kept."""


def verify(root: Path) -> int:
    """Say whether a recording is whole, and what is missing or twice; returns the exit code.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    console = Console(soft_wrap=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        read = [*root.glob("*/date=*/*.parquet"), *root.glob("archive/date=*/*")]
        size = sum(path.stat().st_size for path in read if path.is_file())
        bar = progress.add_task("reading", total=size)
        verdict = verify_root(root, lambda done: progress.advance(bar, done))
    _tell(verdict, console)
    for line in (*_waiting(root), *_next(root, verdict.flaws), _result(verdict)):
        console.print(line, markup=False, highlight=False)
    return FAILED if verdict.flaws else 0


def _tell(verdict: Verdict, console: Console) -> None:
    for flaw in verdict.flaws[:_MANY]:
        console.print(f"{flaw.kind}: {flaw.text}", style="red", markup=False, highlight=False)
    if len(verdict.flaws) > _MANY:
        console.print(f"and {counted(len(verdict.flaws) - _MANY, 'more flaw')}", style="red")
    for note in verdict.notes[:_MANY]:
        console.print(f"{note.kind}: {note.text}", markup=False, highlight=False)
    if len(verdict.notes) > _MANY:
        console.print(f"and {counted(len(verdict.notes) - _MANY, 'more note')}")


def _waiting(root: Path) -> Iterator[str]:
    """What a recorder that was killed has left; while one runs there is always a segment."""
    left = len(segments(root))
    if left and holder(root) is None:
        yield (
            f"waiting: {counted(left, 'segment')} in {root}/journal, and no recorder runs; "
            f"the next `ib-recorder run` writes out what waits, or `{_recover(root)}`"
        )


def _next(root: Path, flaws: list[Flaw]) -> Iterator[str]:
    """What to do about the flaws."""
    if any(flaw.kind in _MENDED and not flaw.kept for flaw in flaws):
        yield f"To mend what can be mended, stop the recorder and type: {_recover(root)}"
    if flaws:
        yield "What each word means, and what to do: docs/damage.md"


def _recover(root: Path) -> str:
    return f"ib-recorder recover {shlex.quote(str(root))}"


def _result(verdict: Verdict) -> str:
    what = f"NOT whole: {counted(len(verdict.flaws), 'flaw')}" if verdict.flaws else "whole"
    return f"{what}; {counted(verdict.rows, 'row')} in {counted(verdict.files, 'file')} read"
