"""``ib-recorder recover``."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from recorder.journal import folder
from recorder.journal.lock import locked
from recorder.render import recover as recover_segments


def recover(root: Path) -> None:
    """Turn the journal's segments into Parquet, with a bar, and say what was done.

    Raises:
        NotARecordingError, RootInUseError: ``root`` cannot be recovered.
    """
    folder.load(root)
    console = Console()
    with locked(root), Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        waiting = folder.segments(root)
        bar = progress.add_task("recovering", total=sum(path.stat().st_size for path in waiting))
        rows = files = lost = 0
        for done in recover_segments(root):
            progress.advance(bar, done.bytes)
            rows, files, lost = rows + done.rows, files + len(done.files), lost + done.lost
    plural = "" if len(waiting) == 1 else "s"
    console.print(f"{len(waiting)} segment{plural}: {rows:,} rows in {files} files", highlight=False)
    if lost:
        console.print(f"{lost:,} bytes could not be read; those segments are in {root}/journal/set-aside")
