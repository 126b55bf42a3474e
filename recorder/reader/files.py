"""The Parquet files of a table: which there are, by their names, and what stands in them.

Rule: a file is complete from the moment it is there, and only ever vanishes whole (compaction, retention).
Whoever meets one that vanished starts over.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from recorder import partition, schema
from recorder.partition import File
from recorder.reader.errors import Damaged

_PARQUET = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)
"""Every page's checksum is verified: measured, it costs nothing that shows."""


class Vanished(Exception):  # noqa: N818 - reads as a sentence where it is caught
    """A file that was listed is no longer there."""


def listed(root: Path, table: str) -> list[File]:
    """The table's files, oldest rows first.

    Raises:
        Vanished: a day's folder went away while it was read.
    """
    try:
        return partition.listed(root, table)
    except FileNotFoundError as error:
        raise Vanished(f"{error.filename} vanished while it was read") from error


def read_files(files: list[File], table: str, read: Callable[[Any], pa.Table]) -> pa.Table:
    """What ``read`` takes from the files, given as a pyarrow dataset with the table's schema.

    Raises:
        Vanished: one of them is gone.
        Damaged: one of them does not read.
    """
    shape = schema.schema(table)
    paths = [str(file.path) for file in files]
    if not paths:
        return read(ds.dataset(shape.empty_table()))
    try:
        return read(ds.dataset(paths, schema=shape, format=_PARQUET))
    except FileNotFoundError as error:
        raise Vanished(str(error)) from error
    except (OSError, ValueError) as error:
        raise Damaged(f"table {table}: {error}; ib-recorder verify names what is damaged") from error
