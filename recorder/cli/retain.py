"""``ib-recorder retain``."""

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table

from recorder.cli.errors import WrongOptionError
from recorder.config.wording import counted
from recorder.store import Plan, plan
from recorder.store import retain as retain_root

_MB = 1_000_000


def retain(root: Path, days: int | None, archive_days: int | None, *, delete: bool) -> int:
    """Show what is older than is to be kept; with ``delete``, let go of it. Returns the exit code.

    Raises:
        WrongOptionError: neither option says what is to be kept.
        NotARecordingError, RootInUseError: ``root`` cannot be worked on.
        OSError: the disk refused.
    """
    if days is None and archive_days is None:
        raise WrongOptionError("say what is to be kept: --days N, --archive-days M, or both")
    console = Console(soft_wrap=True, highlight=False)
    found = retain_root(root, days, archive_days) if delete else plan(root, days, archive_days)
    if found.gone:
        _show(found, console)
    else:
        said = found.spared or found.uncounted
        console.print("nothing to delete" if said else "nothing to delete: nothing is that old")
    if found.uncounted:
        console.print(f"kept: all days of ticks: {found.uncounted}", markup=False)
    for day in found.waiting:
        console.print(f"kept: {day}: rows of it still wait in the journal")
    if found.spared:
        console.print(f"kept: {_spared(found)}")
    for path in (gone.folder / name for gone in found.gone for name in gone.foreign):
        console.print(f"kept: {path} is none of the recording's", markup=False)
    if found.gone:
        console.print(f"{'deleted' if delete else 'would delete'} {_words(found)}")
        if not delete:
            console.print("nothing was deleted; with --delete it is")
    return 0


def _words(found: Plan) -> str:
    files, days = sum(len(gone.files) for gone in found.gone), {gone.day for gone in found.gone}
    return f"{counted(files, 'file')} of {counted(len(days), 'day')}, {found.bytes / _MB:,.1f} MB"


def _spared(found: Plan) -> str:
    """Which days stay although they are old."""
    days, first, last = counted(len(found.spared), "day"), found.spared[0], found.spared[-1]
    span = f"{first}" if first == last else f"{first} to {last}"
    return f"{days}, {span}: that old, but among the newest that are recorded, of which as many are kept"


def _show(found: Plan, console: Console) -> None:
    table = Table("table", "first day", "last day", *_right("days", "files", "MB"), show_footer=True)
    for name in dict.fromkeys(gone.table for gone in found.gone):
        days = [gone for gone in found.gone if gone.table == name]
        files, size = sum(len(gone.files) for gone in days), sum(gone.bytes for gone in days)
        table.add_row(
            name, str(days[0].day), str(days[-1].day), f"{len(days):,}", f"{files:,}", f"{size / _MB:,.1f}"
        )
    table.columns[0].footer, table.columns[-1].footer = "total", f"{found.bytes / _MB:,.1f}"
    console.print(table)


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]
