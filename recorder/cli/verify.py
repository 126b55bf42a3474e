"""``ib-recorder verify``."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from recorder.cli.errors import FAILED
from recorder.verify import Verdict
from recorder.verify import verify as verify_root

_MANY = 50


def verify(root: Path) -> int:
    """Say whether a recording is whole, and what is missing or twice; returns the exit code.

    Raises:
        NotARecordingError: ``root`` is no recording.
    """
    console = Console(soft_wrap=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        read = [*root.glob("*/date=*/*.parquet"), *root.glob("archive/date=*/*")]
        size = sum(path.stat().st_size for path in read)
        bar = progress.add_task("reading", total=size)
        verdict = verify_root(root, lambda done: progress.advance(bar, done))
    _tell(verdict, console)
    return FAILED if verdict.flaws else 0


def _tell(verdict: Verdict, console: Console) -> None:
    for flaw in verdict.flaws[:_MANY]:
        console.print(f"{flaw.kind}: {flaw.text}", style="red", markup=False, highlight=False)
    if len(verdict.flaws) > _MANY:
        console.print(f"and {len(verdict.flaws) - _MANY} more", style="red")
    for note in verdict.notes[:_MANY]:
        console.print(f"{note.kind}: {note.text}", markup=False, highlight=False)
    if len(verdict.notes) > _MANY:
        console.print(f"and {len(verdict.notes) - _MANY} more notes")
    if verdict.flaws:
        console.print(
            "What each word means, and what to do: docs/damage.md; most of it is mended by recover."
        )
    plural = "" if len(verdict.flaws) == 1 else "s"
    what = "whole" if not verdict.flaws else f"NOT whole: {len(verdict.flaws)} flaw{plural}"
    console.print(f"{what}; {verdict.rows:,} rows in {verdict.files:,} files read", highlight=False)
