"""Reads the files of the tables: each is what was published, and holds the numbers that its name says."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from recorder.journal.folder import FORMAT
from recorder.partition import File
from recorder.render.numbers import Stretch, batches
from recorder.verify.verdict import Flaw, Verdict

Progress: TypeAlias = Callable[[int], None]

_VERSION = b"ib-recorder.format"


class VanishedError(Exception):
    """A file that was listed is gone: days were compacted meanwhile, or old ones deleted."""


def read_stretch(stretch: Stretch, verdict: Verdict, progress: Progress) -> list[dict[str, Any]]:
    """Count every number of the stretch; returns its events.

    Raises:
        VanishedError: a file is gone.
    """
    told: list[dict[str, Any]] = []
    for file in stretch.files:
        columns = None if file.table == "events" else ["seq"]
        for batch in read(file, columns, verdict, progress):
            _count(batch, file, stretch, verdict)
            if file.table == "events":
                told += batch.to_pylist()
    return told


def read(
    file: File, columns: list[str] | None, verdict: Verdict, progress: Progress
) -> Iterator[pa.RecordBatch]:
    """The rows of a file that is what was published. Where nothing says what that was, every page is read.

    Raises:
        VanishedError: the file is gone.
    """
    try:
        _refuse_other_bytes(file)
        yield from batches(file.path, None if file.crc is None else columns)
        progress(file.path.stat().st_size)
    except FileNotFoundError as error:
        raise VanishedError(str(error)) from error
    except (OSError, pa.ArrowInvalid) as error:
        verdict.flaws.append(Flaw("unreadable", f"{file.path}: {error}"))
    verdict.files += 1


def _refuse_other_bytes(file: File) -> None:
    if not file.is_intact:
        raise pa.ArrowInvalid("damaged: its bytes are not those whose checksum is in its name")
    with pq.ParquetFile(file.path) as parquet:
        version = int((parquet.metadata.metadata or {}).get(_VERSION, 1))
    if version > FORMAT:
        raise pa.ArrowInvalid(f"of format {version}; this version reads up to {FORMAT}: update")


def _count(batch: pa.RecordBatch, file: File, stretch: Stretch, verdict: Verdict) -> None:
    seq = batch.column("seq").to_numpy()
    verdict.rows += len(seq)
    inside = (seq >= file.first_seq) & (seq <= file.last_seq)
    if not inside.all():
        text = f"{file.path}: holds number {seq[~inside][0]}, which its name denies"
        verdict.flaws.append(Flaw("wrong", text))
    stretch.count(seq[inside])
