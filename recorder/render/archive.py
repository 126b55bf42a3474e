"""Rendered segments, kept compressed: what a bug in decoding can be mended from.

``ROOT/archive/date=YYYY-MM-DD/<number>.journal.zst``, the UTC day of the segment's first record.

Rules:
- A segment goes only when its archived bytes are durable and read back as they were.
- Doing it twice is doing it once. What is there under a number, and reads, is never replaced.
- It may lie on another disk: nothing is moved into it from outside, and its trouble keeps nothing from being published.
- What is not named like this is none of ours and stays where it is.
"""

import contextlib
import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recorder.journal.durable import move, sync_folder
from recorder.render import aside
from recorder.render.publish import PublishError
from recorder.render.torn import first_record

LEVEL = 1
"""Of zstd; measured on ticks: 1.9 ms a megabyte and a fifth of the size. Level 3 saves no further hundredth."""

_SUFFIX = ".journal.zst"
_STAGED = ".staged"


class NotArchivedError(PublishError):
    """The archive could not take a segment: that one stays in the journal; its rows are in their tables."""


@dataclass(frozen=True, slots=True)
class Archived:
    """A segment in the archive."""

    path: Path

    @property
    def number(self) -> int:
        """The segment's number."""
        return int(self.path.name.removesuffix(_SUFFIX))

    @property
    def day(self) -> dt.date:
        """UTC day of its first record."""
        return dt.date.fromisoformat(self.path.parent.name.removeprefix("date="))

    def content(self) -> bytes:
        """The segment's bytes.

        Raises:
            OSError: they do not decompress.
        """
        return decompressed(self.path)


def archive(root: Path, number: int, content: bytes) -> bool:
    """Put a segment's bytes into the archive, durably; one without records is not worth it.

    Returns whether that is done; False: it holds other bytes under this number already, and keeps those.

    Raises:
        NotArchivedError: the disk refused, or the bytes do not read back as they were written.
    """
    record = first_record(content)
    if record is None:
        return True
    day = dt.datetime.fromtimestamp(record.ts // 1_000_000, dt.UTC).date()
    try:
        held = [one for one in _held(root, number) if _reads(root, one)]
        if not held:
            _put(root / "archive", _name(day, number), content)
        return all(one.content() == content for one in held)
    except OSError as error:
        said = f"{root}/archive: cannot take segment {number}, which stays in the journal: {error}"
        raise NotArchivedError(said) from None


def archived(root: Path) -> list[Archived]:
    """What the archive holds, by number."""
    found = (Archived(path) for path in (root / "archive").glob(f"date=*/*{_SUFFIX}") if is_ours(path))
    return sorted(found, key=lambda one: one.number)


def _name(day: dt.date, number: int) -> Path:
    """Where a segment lies within the archive."""
    return Path(f"date={day.isoformat()}", f"{number:08d}{_SUFFIX}")


def is_ours(path: Path) -> bool:
    """Whether a file is named as this module names them, its folder too."""
    one = Archived(path)
    with contextlib.suppress(ValueError):  # no number, no day
        return Path(*path.parts[-2:]) == _name(one.day, one.number)
    return False


def _held(root: Path, number: int) -> list[Archived]:
    """What there is of a number: once, unless a person or another clock put it under two days."""
    paths = (root / "archive").glob(f"date=*/{number:08d}{_SUFFIX}")
    return [Archived(path) for path in paths if is_ours(path)]


def _reads(root: Path, one: Archived) -> bool:
    """Whether an archived segment does; one that does not is set aside, for here come its bytes once more."""
    try:
        one.content()
    except OSError:
        move(one.path, root / "set-aside" / "archive" / one.path.parent.name)
        return False
    return True


def _put(home: Path, name: Path, content: bytes) -> None:
    """Staged within the archive, under one name: what was left by a renderer that was killed is written over."""
    target = home / name
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = aside.stage(home / _STAGED, compressed(content))
    if decompressed(staged) != content:
        raise NotArchivedError(f"{staged}: does not read back as it was written")
    staged.rename(target)
    for one in (target.parent, home, home.parent):
        sync_folder(one)


def compressed(content: bytes) -> bytes:
    """One zstd frame. It carries no checksum: the records in it have their own."""
    frame: bytes = pa.Codec("zstd", compression_level=LEVEL).compress(content, asbytes=True)
    return frame


def decompressed(path: Path) -> bytes:
    """The bytes of a compressed file.

    Raises:
        OSError: it cannot be read, or does not decompress.
    """
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
        return bytes(stream.read())
