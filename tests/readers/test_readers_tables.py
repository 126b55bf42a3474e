"""pandas, pyarrow, Polars, DuckDB, Dask and Spark read every table as it was recorded, by the lines of the docs."""

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from readers.page import normal, run
from readers.recording import ordered

from recorder.schema import TABLES

LINE = "0700"
"""All digits: whoever guesses types would make a number of it."""


def test_the_recording_has_all_there_is_to_read(recording):
    root, tables = recording
    for name, rows in tables.items():
        assert len(rows) > 1
        assert len(list((root / name).glob("date=2026-03-0[56]/*.parquet"))) > 2
        assert len(rows["date"].unique()) == 2
    empty = {(name, column) for name, rows in tables.items() for column in rows.column_names
             if rows[column].null_count == len(rows)}  # fmt: skip
    assert empty == {("greeks", "pv_dividend"), ("greeks", "underlying_price")}


def test_every_table_reads_back_as_it_was_recorded(reader, recording):
    root, tables = recording
    for name, wanted in tables.items():
        found = ordered(normal(run(reader, root, name)["rows"]))
        assert (name, wanted.schema) == (name, found.schema.remove_metadata())
        assert (name, wanted.to_pylist()) == (name, found.to_pylist())


def test_a_line_alone_reads_back_as_it_was_recorded(reader, recording):
    root, tables = recording
    for name in ("level1", "greeks", "events", "instruments"):
        wanted = tables[name].filter(pc.equal(tables[name]["symbol"], LINE))
        found = ordered(normal(run(reader, root, name, LINE)["line"]))
        assert (name, wanted.to_pylist()) == (name, found.to_pylist())
        assert 0 < len(found) < len(tables[name])


@pytest.mark.parametrize("read", [pd.read_parquet, lambda folder: dd.read_parquet(folder).compute()])
def test_numpys_types_hold_the_same_values(read, recording):
    root, tables = recording
    for name in TABLES:
        wanted = tables[name].drop_columns("date")
        frame = read(root / name)[wanted.column_names]
        found = ordered(pa.Table.from_pandas(frame, schema=wanted.schema, preserve_index=False))
        assert (name, wanted.to_pylist()) == (name, found.to_pylist())
