"""``python -m recorder.render.believed FILE``: which row groups of a damaged file are what was written.

Rules:
- A group is believed as a whole or not at all. The pages of every column bear a checksum and are what it says; and as
  neither the footer nor the head of a page has one, what comes out is what the footer says of it: so many rows, so many
  null, the least value and the greatest.
- A file without a footer, of another table or of other columns holds nothing that is believed.
- A process of its own: over what a damaged footer says of a column, Arrow ends the process that asks.
- In memory is one group at a time.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder import partition, schema
from recorder.journal.folder import FORMAT
from recorder.render.aside import BAD_BYTES
from recorder.render.numbers import said

_CHECKED = re.compile(rb"(?:\x15[\x80-\xff]*[\x00-\x7f]){3}\x15")
"""How a page begins whose writer gave it a checksum: the fields 1 to 4 of Parquet's ``PageHeader``, each the next one
and an i32 in Thrift's compact protocol; the fourth is ``crc``."""

_HEAD = 32
"""Bytes that the first four fields of a page's head fit into."""


def believed(path: Path, table: str) -> list[int]:
    """The row groups of a file that are what was written.

    Raises:
        OSError: no permission, no descriptors: nothing is known of it.
    """
    found: list[int] = []
    with forgiving(), opened(path) as parquet:
        if _is_ours(parquet, table):
            found += (group for group in range(parquet.num_row_groups) if _is_whole(parquet, path, group))
    return found


def opened(path: Path) -> pq.ParquetFile:
    """A file of whose pages none is read that is not what its checksum says."""
    return pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)


@contextlib.contextmanager
def forgiving() -> Iterator[None]:
    """What reading damaged bytes ends in is no error."""
    try:
        yield
    except (pa.ArrowException, ValueError, OverflowError):  # of a footer too: no UTF-8, no date
        pass
    except OSError as error:
        if error.errno not in BAD_BYTES:
            raise


def _is_ours(parquet: pq.ParquetFile, table: str) -> bool:
    """Whether a file has the table's columns, as far as the version of the format that wrote it had them."""
    version, own = said(parquet)
    if version > FORMAT or own not in (None, table):
        return False
    known = schema.schema(table)
    always = {known.field(column.name) for column in schema.TABLES[table] if column.since == 1}
    return always <= set(parquet.schema_arrow) <= set(known)


def _is_whole(parquet: pq.ParquetFile, path: Path, number: int) -> bool:
    with forgiving():
        group = parquet.metadata.row_group(number)
        columns = [group.column(at) for at in range(group.num_columns)]
        if _are_checked(path, columns):
            return all(map(_is_as_said, columns, parquet.read_row_group(number).columns))
    return False


def _are_checked(path: Path, columns: list[Any]) -> bool:
    """Whether the pages of columns have checksums, as their first ones tell: a writer gives them to all."""
    with path.open("rb") as file:
        return all(_CHECKED.match(_head(file, column)) for column in columns)


def _head(file: BinaryIO, column: Any) -> bytes:
    at = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
    file.seek(max(0, at))
    return file.read(_HEAD)


def _is_as_said(column: Any, values: pa.ChunkedArray) -> bool:
    """Whether a column's values are what the footer says of them."""
    told = column.statistics
    if told is None or (column.num_values, told.null_count) != (len(values), values.null_count):
        return False
    bounds = pc.min_max(values).as_py()
    return not told.has_min_max or (told.min, told.max) == (bounds["min"], bounds["max"])


if __name__ == "__main__":
    file = partition.parse(Path(sys.argv[1]))
    json.dump([] if file is None else believed(file.path, file.table), sys.stdout)
