"""Which segments a recording has, and what ``recording.json`` says of it.

Layout of a root: ``recording.json``, ``journal/<number>.journal``, ``journal/set-aside/`` for damaged bytes,
``staging/`` for files not yet published, one folder a table.
"""

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.journal.state import State
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
    """

    next_seq: int = 1
    next_segment: int = 1
    last_ts: int = 0
    state: State = field(default_factory=State)
    lasts: dict[tuple[str, str], Mark] = field(default_factory=dict)
    archive: bool = False
    kept_from: str | None = None
    kept_seq: int = 1


def segments(root: Path) -> list[Path]:
    """The journal's segments, oldest first; a file with another name is none of ours and stays where it is."""
    found = (path for path in (root / "journal").glob("*.journal") if _NUMBER.fullmatch(path.stem))
    return sorted(found, key=number)


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
    if not (root / "recording.json").exists():
        _refuse_foreign(root)
        (root / "journal").mkdir(parents=True, exist_ok=True)
        save(root, Checkpoint())
    for name in ("journal", "staging"):
        (root / name).mkdir(exist_ok=True)
    sync_folder(root)
    return load(root)


def adopt(root: Path, *, archive: bool) -> None:
    """Begin to write to a recording: from now on it is of this format. ``archive``: rendered segments are kept.

    To be called by who holds the root, while nobody renders it.
    """
    checkpoint = load(root)
    # Only where something changes: a full disk must not keep it from going on.
    if (format_of(root), checkpoint.archive) != (FORMAT, archive):
        checkpoint.archive = archive
        save(root, checkpoint)


def format_of(root: Path) -> int:
    """The version that ``recording.json`` states."""
    version: int = json.loads((root / "recording.json").read_bytes())["format"]
    return version


def load(root: Path) -> Checkpoint:
    """The checkpoint of the recording at ``root``.

    Raises:
        NotARecordingError: there is none, or one of a newer format.
    """
    path = root / "recording.json"
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        _refuse_newer(root, content["format"])
        state = State.restore(content.pop("state"))
        lasts = {(symbol, stream): Mark(ts, seq) for symbol, stream, ts, seq in content.pop("lasts", [])}
        del content["format"]
        return Checkpoint(**content, state=state, lasts=lasts)
    except (FileNotFoundError, NotADirectoryError):
        raise NotARecordingError(f"{root}: not a recording (no recording.json in it)") from None
    except NotARecordingError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotARecordingError(f"{path}: cannot be read as a recording's checkpoint ({error!r})") from None


def save(root: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, atomically and durably."""
    content = {
        "format": FORMAT,
        "next_seq": checkpoint.next_seq,
        "next_segment": checkpoint.next_segment,
        "last_ts": checkpoint.last_ts,
        "state": checkpoint.state.snapshot(),
        "lasts": [[*key, mark.ts, mark.seq] for key, mark in checkpoint.lasts.items()],
        "archive": checkpoint.archive,
        "kept_from": checkpoint.kept_from,
        "kept_seq": checkpoint.kept_seq,
    }
    staged = root / "recording.json.new"
    try:
        with staged.open("w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(staged)) from None
    staged.rename(root / "recording.json")
    sync_folder(root)


def sync(descriptor: int, path: Path) -> None:
    """Make durable what a descriptor stands for; an error names ``path``."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor, folder)
    finally:
        os.close(descriptor)


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
