"""``ib-recorder recover``."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from recorder.cli.errors import FAILED, WrongOptionError
from recorder.config.wording import counted
from recorder.journal import folder
from recorder.journal.lock import locked, rendering
from recorder.partition import everywhere
from recorder.render import Recovered
from recorder.render import recover as recover_segments
from recorder.render.archive import Archived, NotArchivedError, archived
from recorder.render.mend import Mended, mend
from recorder.render.publish import PublishError
from recorder.store.again import Again, NotTheSameError, again
from recorder.store.files import DamagedFileError
from recorder.store.pending import roll_forward, sweep
from recorder.store.swap import CannotExchangeError


class _NothingArchivedError(RuntimeError):
    """The archive holds nothing of what is to be rendered again."""


def recover(root: Path) -> None:
    """Turn the journal's segments into Parquet and mend what was published before, with a bar; say what was done.

    Raises:
        NotARecordingError, RootInUseError: ``root`` cannot be recovered.
    """
    folder.load(root)
    folder.complete(root)
    console = Console(soft_wrap=True, highlight=False)
    with _failing(root), locked(root), _progress(console) as progress:
        _recover(root, console, progress)


def _recover(root: Path, console: Console, progress: Progress) -> None:
    with rendering(root):
        for path in folder.heal(root, everywhere(root)):
            console.print(f"put right, for it was lost, spoilt, or older than the tables: {path}")
    _finish(root, console)
    if sweep(root):
        console.print("taken away: what a recover --from-archive that was killed had staged")
    waiting = _bar(progress, "recovering", folder.segments(root))
    done: list[Recovered] = []
    refused = _rendered(root, waiting, done)
    if done:
        _tell_segments(console, root, done)
    mended = mend(root, _bar(progress, "checking", (file.path for file in everywhere(root))))
    if not done:
        fine = ", and the tables need no mending" if mended == Mended() else ""
        console.print(f"nothing was waiting in the journal{fine}")
    _tell_mended(console, root, mended)
    if refused is not None:
        raise refused
    if mended.away:
        sys.exit(FAILED)


def _rendered(root: Path, waiting: Callable[[int], None], done: list[Recovered]) -> NotArchivedError | None:
    """Render what waits; an archive that does not take a segment keeps nothing from being mended."""
    try:
        for one in recover_segments(root):
            waiting(one.bytes)
            done.append(one)
    except NotArchivedError as error:
        return error
    return None


def _finish(root: Path, console: Console) -> None:
    begun = "what an interrupted recover --from-archive had begun"
    match roll_forward(root):
        case "finished":
            console.print(f"finished {begun}")
        case "set aside":
            console.print(f"damaged, set aside: {begun}; the tables stay as they are")


def from_archive(root: Path, on: str | None) -> None:
    """Render again what the archive holds, of one UTC day or all; say how many rows changed.

    Raises:
        NotARecordingError, RootInUseError: ``root`` cannot be recovered.
        WrongOptionError: ``on`` is no date.
    """
    folder.load(root)
    day = _day(on)
    console = Console(soft_wrap=True, highlight=False)
    with _failing(root), locked(root), _progress(console) as progress:
        _finish(root, console)
        segments = [one.path for one in _asked(root, day)]
        _tell_again(console, again(root, day, _bar(progress, "rendering again", segments)))


def _asked(root: Path, day: date | None) -> list[Archived]:
    """The archived segments that begin on that day, or all.

    Raises:
        _NothingArchivedError: there are none.
    """
    held = archived(root)
    asked = [one for one in held if day in (None, one.day)]
    if not asked:
        days = {one.day for one in held}
        lacking = (
            f"begins on {day}; its first day is {min(days)}, its last {max(days)}" if days else "is there"
        )
        raise _NothingArchivedError(
            f"{root}: nothing was rendered again: of the journal's archive no segment {lacking}; "
            "storage.archive_days says how many days of it a recorder keeps (0: none)"
        )
    return asked


def _day(on: str | None) -> date | None:
    try:
        return None if on is None else date.fromisoformat(on)
    except ValueError:
        raise WrongOptionError(f"--date {on}: no date; write 2026-11-22") from None


@contextmanager
def _failing(root: Path) -> Iterator[None]:
    """What kept it from being done, as one line on standard error."""
    try:
        yield
    except DamagedFileError as error:
        sys.stderr.write(f"{error}; nothing was changed: run `ib-recorder recover {root}` first\n")
        sys.exit(FAILED)
    except (PublishError, NotTheSameError, CannotExchangeError, _NothingArchivedError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(FAILED)


def _tell_again(console: Console, done: Again) -> None:
    changed = f"{counted(len(done.days), 'day')} changed" if done.days else "nothing changed"
    console.print(f"{counted(done.segments, 'segment')} of the archive rendered again: {changed}")
    for path in done.unreadable:
        console.print(f"does not read, its rows stay as they are: {path}", markup=False)
    for table, rows in sorted(done.changed.items()):
        console.print(f"{table}: {counted(rows, 'row')} changed")


def _progress(console: Console) -> Progress:
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def _bar(progress: Progress, what: str, paths: Iterable[Path]) -> Callable[[int], None]:
    bar = progress.add_task(what, total=sum(path.stat().st_size for path in paths if path.exists()))
    return lambda done: progress.advance(bar, done)


def _tell_segments(console: Console, root: Path, done: list[Recovered]) -> None:
    rows, files = sum(one.rows for one in done), sum(len(one.files) for one in done)
    lost, torn, missing = (sum(getattr(one, name) for one in done) for name in ("lost", "torn", "missing"))
    written = f"{counted(rows, 'row')} of market data, {counted(files, 'file')} written"
    console.print(f"{counted(len(done), 'segment')}: {written}")
    aside = f"{root}/journal/set-aside"
    if lost:
        console.print(
            f"{counted(lost, 'byte')} could not be read; what held them is in {aside}", markup=False
        )
    if torn:
        console.print(
            f"{counted(torn, 'byte')} of a record that nobody finished writing: kept in {aside}", markup=False
        )
    if missing:
        console.print(f"lost: {counted(missing, 'row')}; gaps of reason damaged say so")


def _tell_mended(console: Console, root: Path, mended: Mended) -> None:
    for path in mended.moved:
        console.print(f"damaged, set aside: {path.relative_to(root)}", markup=False)
    if mended.rows:
        files = counted(len(mended.files), "file")
        console.print(f"{counted(mended.rows, 'row')} made again from what is kept, in {files}")
    if mended.saved:
        console.print(f"{counted(mended.saved, 'row')} saved from what still reads of damaged files")
    if mended.lost:
        console.print(
            f"lost: {counted(mended.lost, 'row')} of published files; gaps of reason damaged say so"
        )
    if mended.retold:
        console.print(f"{counted(mended.retold, 'gap')} made again as far as the events tell of them")
    for what in mended.unmended:
        console.print(f"lost, and cannot be made again: {what}", markup=False)
    for path in mended.away:
        console.print(f"{path}: a link to {path.readlink()}, which is not there", markup=False)
    if mended.away:
        console.print(
            "mount what holds it, or delete the link if that is gone for good, and type this again: "
            "until then nothing is made again that it may hold, and nothing put on record as lost"
        )
