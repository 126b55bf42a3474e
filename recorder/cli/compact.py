"""``ib-recorder compact``."""

from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from recorder.cli.errors import FAILED
from recorder.store import Compacted, Day, Left, be_modest
from recorder.store import compact as compact_root
from recorder.store import waiting as waiting_in

_MB = 1_000_000


def compact(root: Path, *, dry_run: bool) -> int:
    """Make one file a table of every day that is over, and say what was done; returns the exit code.

    Raises:
        NotARecordingError, RootInUseError: ``root`` cannot be compacted.
        OSError: the disk refused.
    """
    console = Console(soft_wrap=True, highlight=False)
    found = waiting_in(root)
    days = [day for day in found if isinstance(day, Day)]
    if not days:
        console.print("nothing to do: every day that is over is compact")
        left = [one for one in found if isinstance(one, Left)]
    elif dry_run:
        _show_planned(days, console)
        left = [one for one in found if isinstance(one, Left)]
    else:
        done = _compacted(root, sum(day.bytes for day in days), console)
        _show_done([one for one in done if isinstance(one, Compacted)], console)
        left = [one for one in done if isinstance(one, Left)]
    _tell_left(left, console)
    return FAILED if any(one.kind == "failed" for one in left) else 0


def _compacted(root: Path, size: int, console: Console) -> list[Compacted | Left]:
    be_modest()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("compacting", total=size)
        return list(compact_root(root, progress=lambda done: progress.advance(bar, done)))


def _show_planned(days: list[Day], console: Console) -> None:
    table = Table("table", "day", *_right("files", "MB"))
    for day in days:
        table.add_row(day.table, str(day.date), f"{len(day.files):,}", _mb(day.bytes))
    console.print(table)
    console.print("nothing was done: a dry run")


def _show_done(days: list[Compacted], console: Console) -> None:
    table = Table("table", "day", *_right("rows", "files", "MB", "seconds"))
    for day in days:
        table.add_row(
            *(day.table, str(day.day), f"{day.rows:,}"),
            f"{day.files_before:,} -> {day.files_after:,}",
            f"{_mb(day.bytes_before)} -> {_mb(day.bytes_after)}",
            f"{day.seconds:.1f}",
        )
    if days:
        console.print(table)


def _tell_left(left: list[Left], console: Console) -> None:
    """What stays as it is: a line a reason."""
    tables = defaultdict(list)
    for one in left:
        tables[one.kind, one.day, one.reason].append(one.table)
    for (kind, day, reason), names in tables.items():
        style = "red" if kind == "failed" else ""
        console.print(f"left: {day} {', '.join(names)}: {reason}", style=style, markup=False)


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]


def _mb(size: int) -> str:
    return f"{size / _MB:,.1f}"
