"""``ib-recorder recover``."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from recorder.cli.errors import FAILED, WrongOptionError
from recorder.journal import folder
from recorder.journal.lock import locked
from recorder.render import Recovered
from recorder.render import recover as recover_segments
from recorder.render.archive import archived
from recorder.render.mend import Mended, mend
from recorder.render.publish import PublishError
from recorder.store.again import Again, NotTheSameError, again
from recorder.store.pending import roll_forward
from recorder.store.swap import CannotExchangeError


def recover(root: Path) -> None:
    """Turn the journal's segments into Parquet and mend what was published before, with a bar; say what was done.

    Raises:
        NotARecordingError, RootInUseError: ``root`` cannot be recovered.
    """
    folder.load(root)
    console = Console(soft_wrap=True, highlight=False)
    with _failing(), locked(root), _progress(console) as progress:
        _recover(root, console, progress)


def _recover(root: Path, console: Console, progress: Progress) -> None:
    if roll_forward(root):
        console.print("finished what an interrupted recover --from-archive had begun")
    waiting = _bar(progress, "recovering", folder.segments(root))
    done = []
    for one in recover_segments(root):
        waiting(one.bytes)
        done.append(one)
    _tell_segments(console, root, done)
    _tell_mended(console, root, mend(root, _bar(progress, "checking", root.glob("*/date=*/*.parquet"))))


def from_archive(root: Path, on: str | None) -> None:
    """Render again what the archive holds, of one UTC day or all; say how many rows changed.

    Raises:
        NotARecordingError, RootInUseError: ``root`` cannot be recovered.
        WrongOptionError: ``on`` is no date.
    """
    folder.load(root)
    day = _day(on)
    console = Console(soft_wrap=True, highlight=False)
    with _failing(), locked(root), _progress(console) as progress:
        segments = [one.path for one in archived(root) if day in (None, one.day)]
        _tell_again(console, again(root, day, _bar(progress, "rendering again", segments)))


def _day(on: str | None) -> date | None:
    try:
        return None if on is None else date.fromisoformat(on)
    except ValueError:
        raise WrongOptionError(f"--date {on}: no date; write 2026-11-22") from None


@contextmanager
def _failing() -> Iterator[None]:
    """What kept it from being done, as one line on standard error."""
    try:
        yield
    except (PublishError, NotTheSameError, CannotExchangeError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(FAILED)


def _tell_again(console: Console, done: Again) -> None:
    console.print(f"{done.segments} segments of the archive rendered again: {len(done.days)} days changed")
    for path in done.unreadable:
        console.print(f"does not read, its rows stay as they are: {path}", markup=False)
    for table, rows in sorted(done.changed.items()):
        console.print(f"{table}: {rows:,} rows changed")


def _progress(console: Console) -> Progress:
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _bar(progress: Progress, what: str, paths: Iterable[Path]) -> Callable[[int], None]:
    bar = progress.add_task(what, total=sum(path.stat().st_size for path in paths))
    return lambda done: progress.advance(bar, done)


def _tell_segments(console: Console, root: Path, done: list[Recovered]) -> None:
    rows, files = sum(one.rows for one in done), sum(len(one.files) for one in done)
    lost, torn, missing = (sum(getattr(one, name) for one in done) for name in ("lost", "torn", "missing"))
    console.print(f"{len(done)} segment{'' if len(done) == 1 else 's'}: {rows:,} rows in {files} files")
    if lost:
        console.print(f"{lost:,} bytes could not be read; those segments are in {root}/journal/set-aside")
    if torn:
        console.print(
            f"{torn:,} bytes of a record that nobody finished writing are kept in {root}/journal/set-aside"
        )
    if missing:
        console.print(f"{missing:,} rows are lost; gaps of reason damaged say so")


def _tell_mended(console: Console, root: Path, mended: Mended) -> None:
    for path in mended.moved:
        console.print(f"damaged, set aside: {path.relative_to(root)}", markup=False)
    if mended.rows:
        console.print(f"{mended.rows:,} rows made again from what is kept, in {len(mended.files)} files")
    if mended.lost:
        console.print(f"{mended.lost:,} rows of published files are lost; gaps of reason damaged say so")
