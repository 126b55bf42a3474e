"""Which segments a recording has, and what ``recording.json`` says of it.

Layout of a root: ``recording.json``, ``journal/<number>.journal``, ``journal/set-aside/`` for damaged bytes,
``staging/`` for files not yet published, one folder a table.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from recorder.journal import stated
from recorder.journal.durable import move, sync_folder
from recorder.journal.format import NotASegmentError, Record, scan
from recorder.journal.state import State
from recorder.partition import File, reached
from recorder.wire.activity import Mark

FORMAT = 2
"""Version of the recording's format; stands in ``recording.json``, in every segment and in every Parquet file.

1: Parquet files without a checksum in their names; no ``overflow`` in the journal. Is read.
"""

SWAPPING = Path("staging") / "from-archive.json"
"""Says which folders are being put in place of others; where it is there, whoever starts finishes that first."""

_NUMBER = re.compile(r"[0-9]+")


class NotARecordingError(ValueError):
    """The folder is not the root of a recording, or of one that this version cannot read."""


@dataclass(slots=True)
class Checkpoint:
    """What outlives the segments: the state after the last record.

    Attributes:
        next_seq: the next row's number.
        next_segment: the next segment's number.
        last_ts: the latest time of a record since the clock was last set, microseconds; 0: never.
        state: open gaps, and what was subscribed.
        lasts: line and stream to where its last tick stands, of what was subscribed.
        archive: whether rendered segments are kept, compressed.
        kept_from: the first UTC day that retention has kept, as ``YYYY-MM-DD``; None: all are there.
        kept_seq: numbers below it may be gone by retention.
        kept_rows: how many rows below ``kept_seq`` there were when retention was through; None: not known.
    """

    next_seq: int = 1
    next_segment: int = 1
    last_ts: int = 0
    state: State = field(default_factory=State)
    lasts: dict[tuple[str, str], Mark] = field(default_factory=dict)
    archive: bool = False
    kept_from: str | None = None
    kept_seq: int = 1
    kept_rows: int | None = None


def segments(root: Path) -> list[Path]:
    """The journal's segments, oldest first; a file with another name is none of ours and stays where it is."""
    found = (path for path in (root / "journal").glob("*.journal") if _NUMBER.fullmatch(path.stem))
    return sorted(found, key=number)


def waiting(root: Path) -> list[Path]:
    """Those of the segments whose rows are not known to be in their tables, oldest first.

    One that was published may still be there: the renderer is about to let it go, or the archive cannot take it.
    """
    try:
        first = int(
            stated.read(root)["next_segment"]
        )  # before the listing: what is published meanwhile is listed
    except (stated.NothingStatedError, KeyError):  # tables and a journal alone are read too
        first = 0
    return [path for path in segments(root) if number(path) >= first]


def number(segment: Path) -> int:
    """Number of a segment, from its name."""
    return int(segment.stem)


def segment_path(root: Path, index: int) -> Path:
    """Where segment ``index`` lies."""
    return root / "journal" / f"{index:08d}.journal"


def create(root: Path) -> Checkpoint:
    """Make ``root`` a recording, or continue the one it is.

    Raises:
        NotARecordingError: the folder holds something else, or a recording of a newer format.
        OSError: the folder cannot be written.
    """
    if not any((root / path).exists() for path in (stated.FIRST, stated.COPY)):
        _refuse_foreign(root)
        (root / "journal").mkdir(parents=True, exist_ok=True)
        save(root, Checkpoint())
    complete(root)
    return load(root)


def complete(root: Path) -> None:
    """Make the folders that somebody has deleted."""
    for name in ("journal", "staging"):
        (root / name).mkdir(exist_ok=True)
    sync_folder(root)


def adopt(root: Path, *, archive: bool) -> None:
    """Begin to write to a recording: from now on it is of this format. ``archive``: rendered segments are kept.

    To be called by who holds the root, while nobody renders it.
    """
    checkpoint = load(root)
    # Only where something changes: a full disk must not keep it from going on.
    if (format_of(root), checkpoint.archive) != (FORMAT, archive):
        checkpoint.archive = archive
        save(root, checkpoint)


def heal(root: Path, files: Iterable[File] = ()) -> list[Path]:
    """Put right ``recording.json`` where it, or its copy, is lost, spoilt, or older than the tables.

    To be called by who holds the root, while nobody renders it. What was there is kept in ``set-aside``.

    Args:
        root: the recording.
        files: those of all tables; no number that stands in them is given again. Where segments wait only those of
            before them count: a renderer may have been killed over the first.

    Returns:
        Which of the two, relative to the root.

    Raises:
        NotARecordingError: neither of the two can be read.
        OSError: the disk refused; the one that can be read is as it was.
    """
    checkpoint, ill, left = load(root), stated.spoilt(root), waiting(root)
    begin = _begin(left[0]) if left else sys.maxsize
    last = reached(file for file in files if file.last_seq < begin)
    if last >= checkpoint.next_seq:
        checkpoint.next_seq = last + 1
        following = min([_archived(root) + 1, *map(number, left)])  # what waits is to be rendered
        checkpoint.next_segment = max(checkpoint.next_segment, following)
        ill = [stated.FIRST]
    for path in ill:
        if (root / path).exists():
            move(root / path, root / "set-aside", "-".join(path.parts))
    if ill:
        save(root, checkpoint)
    return ill


def format_of(root: Path) -> int:
    """The version that ``recording.json`` states.

    Raises:
        NotARecordingError: there is none.
    """
    return int(_stated(root)["format"])


def load(root: Path) -> Checkpoint:
    """The checkpoint of the recording at ``root``; what a later version of the format says besides is left alone.

    Raises:
        NotARecordingError: there is none, or one of a newer format.
    """
    content = _stated(root)
    try:
        _refuse_newer(root, content.pop("format"))
        state = State.restore(content.pop("state"))
        lasts = {(symbol, stream): Mark(ts, seq) for symbol, stream, ts, seq in content.pop("lasts", [])}
        known = {name: content[name] for name in Checkpoint.__slots__ & content.keys()}
        return Checkpoint(**known, state=state, lasts=lasts)
    except NotARecordingError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = f"{root / stated.FIRST}: cannot be read as a recording's checkpoint ({error!r})"
        raise NotARecordingError(said) from None


def save(root: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, atomically and durably.

    Raises:
        OSError: the disk refused; the one before may still stand.
    """
    stated.write(
        root,
        {
            "format": FORMAT,
            "next_seq": checkpoint.next_seq,
            "next_segment": checkpoint.next_segment,
            "last_ts": checkpoint.last_ts,
            "state": checkpoint.state.snapshot(),
            "lasts": [[*key, mark.ts, mark.seq] for key, mark in checkpoint.lasts.items()],
            "archive": checkpoint.archive,
            "kept_from": checkpoint.kept_from,
            "kept_seq": checkpoint.kept_seq,
            "kept_rows": checkpoint.kept_rows,
        },
    )


def _begin(segment: Path) -> int:
    """Number of a segment's first row, or of the next row if it holds none; 0: its beginning does not read."""
    try:
        first = next(scan(segment.read_bytes()), None)
    except NotASegmentError:
        return 0
    return first.seq if isinstance(first, Record) and first.kind == "S" else 0


def _archived(root: Path) -> int:
    """The greatest number of a segment in the archive."""
    names = (path.name.partition(".")[0] for path in (root / "archive").glob("date=*/*.journal.zst"))
    return max((int(name) for name in names if _NUMBER.fullmatch(name)), default=0)


def _stated(root: Path) -> stated.Stated:
    try:
        return stated.read(root)
    except stated.NothingStatedError as error:
        raise NotARecordingError(str(error)) from None


def _refuse_newer(root: Path, version: int) -> None:
    if version > FORMAT:
        raise NotARecordingError(
            f"{root}: a recording of format {version}; this version reads up to {FORMAT}: update"
        )


def _refuse_foreign(root: Path) -> None:
    if root.exists() and not root.is_dir():
        raise NotARecordingError(f"{root}: is a file; storage.root must be a folder")
    known = {"journal", "staging", "recording.json.new"}
    foreign = [entry.name for entry in root.iterdir() if entry.name not in known] if root.exists() else []
    if foreign:
        raise NotARecordingError(
            f"{root}: holds {foreign[0]!r} and no recording.json; give an empty folder or a recording's root"
        )
