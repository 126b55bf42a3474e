"""Recordings made of files alone: rows written down, published by the real publisher, a folder at a time."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recorder import partition, schema
from recorder.journal import folder
from recorder.render.publish import Partition, publish, write
from recorder.store import pending
from recorder.store.again import again

DAY = date(2025, 3, 3)
TODAY = DAY + timedelta(days=7)


def recording(root, next_seq=1_000_000):
    """An empty recording whose checkpoint says that numbers up to ``next_seq`` are given."""
    checkpoint = folder.create(root)
    checkpoint.next_seq = next_seq
    folder.save(root, checkpoint)
    return root


def noon(day=DAY):
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def tick(seq, symbol="AAPL", day=DAY, **more):
    """A row of ``level1``."""
    own = {"con_id": 7, "source": "live", "tick_type": 1, "field": "bid", "price": seq / 4}
    return {"ts_recv": noon(day), "seq": seq, "symbol": symbol, **own, **more}


def made(table, rows):
    """Rows as a table, their symbols as the renderer has them."""
    whole = pa.Table.from_pylist(rows, schema=schema.schema(table))
    at = whole.column_names.index("symbol")
    return whole.set_column(at, "symbol", whole["symbol"].dictionary_encode().combine_chunks())


def put(root, table, rows, day=DAY, *, numbers=None, kind=None):
    """Publish rows as one file; its path."""
    seqs = [row["seq"] for row in rows] if "seq" in rows[0] else [0]
    first, last = numbers or (min(seqs), max(seqs))
    return publish(root, Partition(table, day, first, last, made(table, rows), kind)).path


def files(root, table="level1", day=DAY):
    where = partition.folder(root, table, day)
    return sorted(where.iterdir()) if where.is_dir() else []


def place(row):
    """Where a row stands in a compacted day."""
    key = next(row[name] for name in ("seq", "ts_start", "ts_recv") if name in row)
    return row["symbol"] is not None, row["symbol"] or "", key


def rows(root, table="level1", day=DAY):
    """What stands in the day's files, file after file."""
    found = [pq.ParquetFile(path).read().to_pylist() for path in files(root, table, day)]
    return [row for file in sorted(found, key=lambda rows: place(rows[0])) for row in file]


def put_many(root, start, count, day=DAY):
    """Publish ``count`` ticks of three symbols, numbered from ``start`` on."""
    seq = np.arange(start, start + count)
    symbols = pa.DictionaryArray.from_arrays(pa.array(seq * 7 % 3, pa.int32()), ["A", "B", "C"])
    own = {
        "ts_recv": pa.array(seq + int(noon(day).timestamp() * 1e6)).cast(schema.TIME),
        "seq": pa.array(seq),
        "symbol": symbols,
        "price": pa.array(seq % 1000 / 4),
        "text": pa.array([f"{n}" if n % 50 == 0 else None for n in range(count)]),
    }
    names = schema.schema("level1")
    columns = [own.get(field.name, pa.nulls(count, field.type)) for field in names]
    rows = pa.table(columns, names=names.names)
    return publish(root, Partition("level1", day, start, start + count - 1, rows)).path


def decoded_wrong(root, table, **values):
    """As a bug in decoding would have it: other values under the same numbers."""
    for file in partition.listed(root, table):
        rows = pq.ParquetFile(file.path).read()
        others = pa.Table.from_pylist([row | values for row in rows.to_pylist()], rows.schema)
        staged = root / "staging" / "other"
        write(staged, others, table)
        file.path.unlink()
        name = partition.name(file.first_seq, file.last_seq, partition.checksum(staged), file.kind)
        staged.rename(file.path.with_name(name))


def spoilt_prices(root):
    """Prices that a bug in decoding has made the same."""
    decoded_wrong(root, "level1", price=1.0)


def killed_behind_its_word(root, monkeypatch, swapped):
    """Render again, and be killed when so many folders are swapped."""
    swap, left = pending._swap, [swapped]

    def killed(*arguments):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        swap(*arguments)

    with monkeypatch.context() as context:
        context.setattr(pending, "_swap", killed)
        with pytest.raises(KeyboardInterrupt):
            again(root)
    assert (root / folder.SWAPPING).exists()
