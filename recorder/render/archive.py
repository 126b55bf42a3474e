"""Rendered segments, kept compressed: what a bug in decoding can be mended from.

``ROOT/archive/date=YYYY-MM-DD/<number>.journal.zst``, the UTC day of the segment's first record.

Rules:
- A segment goes only when its archived bytes are durable and read back as they were.
- Doing it twice is doing it once.
"""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from recorder.journal.durable import sync_folder
from recorder.render import aside
from recorder.render.publish import PublishError
from recorder.render.torn import first_record

LEVEL = 1
"""Of zstd; measured on ticks: 1.9 ms a megabyte and a fifth of the size. Level 3 saves no further hundredth."""

_SUFFIX = ".journal.zst"


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


def archive(root: Path, number: int, content: bytes) -> None:
    """Put a segment's bytes into the archive, durably; one without records is not worth it.

    Raises:
        PublishError: the bytes do not read back as they were written.
        OSError: the disk refused.
    """
    record = first_record(content)
    if record is None:
        return
    day = dt.datetime.fromtimestamp(record.ts // 1_000_000, dt.UTC).date()
    folder = root / "archive" / f"date={day.isoformat()}"
    name = f"{number:08d}{_SUFFIX}"
    staged = aside.stage(root, name, compressed(content))
    if decompressed(staged) != content:
        raise PublishError(f"{staged}: does not read back as it was written")
    folder.mkdir(parents=True, exist_ok=True)
    staged.rename(folder / name)
    for one in (folder, folder.parent, root):
        sync_folder(one)


def archived(root: Path) -> list[Archived]:
    """What the archive holds, by number."""
    return sorted(
        (Archived(path) for path in (root / "archive").glob(f"date=*/*{_SUFFIX}")), key=lambda one: one.number
    )


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
