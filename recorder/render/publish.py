"""Tables to Parquet files that are there whole or not at all.

Order of every publication: write staged -> fsync -> read back -> make the partition durable -> rename without
replacing -> fsync the folder. Only then may the segment go. The name ends with the checksum of the bytes, so that a
repetition after a crash changes nothing, and a file of the same numbers with other rows hides none.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder import partition as partitioned
from recorder import schema
from recorder.journal.durable import sync_folder
from recorder.journal.folder import FORMAT
from recorder.render.aside import is_damaged, keep_file
from recorder.render.tables import by_number

ROW_GROUP = 122_880
_DAY = 86_400_000_000
_DICTIONARY = (
    "symbol", "con_id", "source", "tick_type", "field", "size", "bid_size", "ask_size", "attribs", "exchange",
    "conditions", "kind", "show", "position", "operation", "side", "market_maker", "stream", "reason",
)  # fmt: skip
_ENCODINGS = {"seq": "DELTA_BINARY_PACKED", "ts_recv": "PLAIN", "ts_event": "PLAIN", "price": "PLAIN"}


class PublishError(RuntimeError):
    """A file did not read back as it was written; nothing was published and the journal keeps the rows."""


@dataclass(frozen=True, slots=True)
class Published:
    """A file that is durably in its place."""

    path: Path
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Rows of one table and one UTC day, the numbers they are named by, and the kind of file they make."""

    table: str
    day: dt.date
    first_seq: int
    last_seq: int
    rows: pa.Table
    kind: str | None = None

    @property
    def stem(self) -> str:
        """How the file's name begins."""
        return partitioned.stem(self.first_seq, self.last_seq, self.kind)

    def folder(self, root: Path) -> Path:
        """Where the file belongs."""
        return partitioned.folder(root, self.table, self.day)


def partitions(tables: dict[str, pa.Table], first_seq: int, last_seq: int) -> Iterator[Partition]:
    """The tables of one segment, cut by UTC day; tables without ``seq`` are named by the segment's own numbers."""
    for name, table in sorted(tables.items()):
        days = table[partitioned.day_column(name)].cast(pa.int64()).to_numpy() // _DAY
        for day in np.unique(days).tolist():
            rows = table if (days == day).all() else table.filter(pa.array(days == day))
            numbers = (first_seq, last_seq)
            if name in schema.SEQUENCED:
                bounds = pc.min_max(rows["seq"]).as_py()
                numbers = (bounds["min"], bounds["max"])
            date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
            yield Partition(name, date, *numbers, rows)


def publish(root: Path, partition: Partition) -> Published:
    """Put one partition's rows in their place.

    Raises:
        PublishError: the staged file does not read back whole.
        OSError: the disk refused.
    """
    staged = root / "staging" / f"{partition.table}-{partition.stem}.parquet"
    write(staged, _sorted(partition.rows), partition.table)
    _check(staged, partition)
    target = place(staged, root, partition)
    staged.unlink()
    make_durable(target.parent)
    return Published(target, len(partition.rows), target.stat().st_size)


def place(staged: Path, root: Path, partition: Partition) -> Path:
    """Give a file that is durable its name among the others; it keeps the staged one too.

    One that bears the name and is damaged is set aside.
    """
    folder = partition.folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    crc = partitioned.checksum(staged)
    target = folder / partitioned.name(partition.first_seq, partition.last_seq, crc, partition.kind)
    there = partitioned.parse(target)
    if there is not None and target.exists() and is_damaged(there):
        keep_file(root, there)
    with contextlib.suppress(FileExistsError):  # published before: the same bytes
        os.link(staged, target)
    return target


def make_durable(folder: Path) -> None:
    """Make the names in a day's folder, its own, and that of its table durable."""
    for one in (folder, *folder.parents[:2]):
        sync_folder(one)


def write(path: Path, rows: pa.Table, table: str) -> None:
    """Write and fsync one file; texts come out as plain strings.

    Always a new file: one of that name left by a killed renderer may be a published file's other name.
    """
    path.unlink(missing_ok=True)
    try:
        _write(path, rows, table)
    except OSError as error:  # not all say where
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None


def _write(path: Path, rows: pa.Table, table: str) -> None:
    with path.open("xb") as file:
        with pq.ParquetWriter(file, rows.schema, **encoding(rows.column_names)) as writer:
            writer.write_table(rows, row_group_size=ROW_GROUP)
            writer.add_key_value_metadata(metadata(table))
        file.flush()
        os.fsync(file.fileno())


def metadata(table: str) -> dict[str, str]:
    """What a file says of itself."""
    return {"ib-recorder.format": str(FORMAT), "ib-recorder.table": table}


def encoding(names: list[str]) -> dict[str, Any]:
    """How a file with these columns is written: as measured best for ticks."""
    return {
        "compression": "zstd",
        "compression_level": 3,
        "use_dictionary": [name for name in names if name in _DICTIONARY],
        "column_encoding": {name: encoding for name, encoding in _ENCODINGS.items() if name in names},
        "write_page_index": True,
        "write_page_checksum": True,
        "sorting_columns": [
            pq.SortingColumn(names.index(name), nulls_first=True)
            for name in ("symbol", "seq")
            if name in names
        ],
        "store_schema": False,
    }


def _sorted(rows: pa.Table) -> pa.Table:
    """By symbol, then by number."""
    places = _alphabetical(rows["symbol"].combine_chunks())
    order = by_number(rows["seq"].to_numpy()) if "seq" in rows.column_names else np.arange(len(rows))
    return rows.take(pa.array(order[np.argsort(places[order], kind="stable")]))


def _alphabetical(symbols: pa.DictionaryArray) -> npt.NDArray[np.int16]:
    """Each row's place in the alphabet of symbols, null first; 16 bits, so that sorting is one linear pass."""
    order = pc.sort_indices(symbols.dictionary).to_numpy()
    place = np.empty(len(order) + 1, np.int16)
    place[order] = np.arange(1, len(order) + 1)
    place[-1] = 0
    places: npt.NDArray[np.int16] = place[pc.fill_null(symbols.indices, len(order)).to_numpy()]
    return places


def _check(staged: Path, partition: Partition) -> None:
    """Read the staged file back: every page checksum, the number of rows, the numbers themselves."""
    back = pq.read_table(staged, page_checksum_verification=True, columns=_check_columns(partition))
    if len(back) != len(partition.rows):
        raise PublishError(f"{staged}: holds {len(back)} rows, {len(partition.rows)} were written")
    if "seq" in back.column_names:
        expected, found = pc.sum(partition.rows["seq"]), pc.sum(back["seq"])
        if expected != found:
            raise PublishError(f"{staged}: the row numbers do not read back as written")


def _check_columns(partition: Partition) -> list[str]:
    return ["seq"] if partition.table in schema.SEQUENCED else ["symbol"]
