"""Memory stays what it is however wide rows are, and however many files: counted in bytes of a process of its own."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store.recordings import DAY, made, noon, recording, tick

from recorder import partition, schema
from recorder.daemon.workers import WORKER
from recorder.render.publish import Partition, publish, write
from recorder.store import order
from recorder.store.files import PIECE, Writer, pieces, shaped

NIGHT = """
import re, sys
from pathlib import Path
from recorder.store import Limits, be_modest, compact
be_modest()
print([one.rows for one in compact(Path(sys.argv[1]), limits=Limits(linger=0))])
print(int(re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def wide(start, count, size):
    """``count`` rows of ``other`` from a number on, each with a text of so many bytes."""
    seq, text = np.arange(start, start + count), "x" * size
    own = {
        "ts_recv": pa.array(seq + int(noon().timestamp() * 1e6)).cast(schema.TIME),
        "seq": pa.array(seq),
        "symbol": pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), ["A"]),
        "text": pa.array([f"{number}{text}" for number in seq.tolist()]),
    }
    shape = schema.schema("other")
    return pa.table([own.get(field.name, pa.nulls(count, field.type)) for field in shape], names=shape.names)


def put_wide(root, start, count, size):
    publish(root, Partition("other", DAY, start, start + count - 1, wide(start, count, size)))


def peak(root, rows):
    """Megabytes at most of a night's compaction, which has to be of so many rows."""
    run = [sys.executable, "-c", NIGHT, str(root)]
    said = subprocess.run(
        run, capture_output=True, text=True, timeout=120, check=True, env=os.environ | WORKER
    ).stdout.splitlines()
    assert f"[{rows}]" == said[0]
    shutil.rmtree(root)
    return int(said[1])


@pytest.mark.parametrize(("size", "count"), [(2_000, 4_000), (60_000, 130)])
def test_wide_rows_take_no_more_memory_than_others(quick, size, count):
    root = recording(quick / "data", 10**9)
    for number in range(30):
        put_wide(root, 1 + number * count, count, size)
    assert peak(root, 30 * count) < 400


def put_tick(root, seq):
    """One file of one row, without the care that publishing takes."""
    where = partition.folder(root, "level1", DAY)
    where.mkdir(parents=True, exist_ok=True)
    write(where / "staged", made("level1", [tick(seq)]), "level1")
    crc = partition.checksum(where / "staged")
    (where / "staged").rename(where / partition.name(seq, seq, crc))


def test_ten_times_as_many_small_files_take_no_more_memory(quick):
    def measured(count):
        root = recording(quick / "data", 10**9)
        for number in range(count):
            put_tick(root, 1 + number)
        return peak(root, count)

    assert measured(1_500) < 1.2 * measured(150)


def test_a_large_row_group_of_an_older_version_is_read_in_parts(tmp_path):
    rows = wide(1, 20_000, 2_000)
    path = tmp_path / "wide.parquet"
    pq.write_table(rows, path, row_group_size=len(rows))
    parts = list(pieces(path, "other"))
    assert rows["text"].to_pylist() == [text for part in parts for text in part["text"].to_pylist()]
    assert max(part.nbytes for part in parts) < 1.2 * PIECE


def test_row_groups_end_by_bytes_where_rows_are_wide_and_by_rows_where_they_are_not(tmp_path):
    def groups(table, rows):
        where = partition.folder(tmp_path, table, DAY)
        where.mkdir(parents=True)
        with Writer(where, table, (1, 1), 10**9, 10_000) as writer:
            for start in range(0, len(rows), 4_000):
                writer.add(rows.slice(start, 4_000))
        said = pq.ParquetFile(writer.files[0].path).metadata
        return [
            (said.row_group(at).num_rows, said.row_group(at).total_byte_size)
            for at in range(said.num_row_groups)
        ]

    found = groups("other", shaped(wide(1, 30_000, 2_000), order.shape("other")))
    assert 30_000 == sum(rows for rows, _ in found)
    assert 4 == len(found)
    assert max(size for _, size in found) < 1.1 * PIECE
    found = groups("depth", shaped(wide(1, 30_000, 10).select(["ts_recv", "seq"]), order.shape("depth")))
    assert [10_000] * 3 == [rows for rows, _ in found]
