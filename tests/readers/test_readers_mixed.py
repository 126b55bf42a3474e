"""Files of several versions side by side: a column that is younger, one nobody knows here, a narrower type."""

import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from readers.page import BLOCKS, normal, run
from readers.recording import ordered

import recorder
from recorder.schema import schema

MIXED = [name for name in BLOCKS if name.endswith(", mixed")]


def changed(path, change):
    """Write the file anew as another version would have."""
    rows = change(pq.read_table(path, partitioning=None))
    pq.write_table(rows, path, store_schema=False)
    return rows["seq"].to_pylist()


def older(rows):
    return rows.drop_columns("attribs")


def newer(rows):
    return rows.append_column("venue", pa.array(["XNAS"] * len(rows)))


def narrower(rows):
    place = rows.column_names.index("con_id")
    return rows.set_column(place, "con_id", rows["con_id"].cast(pa.int32()))


@pytest.fixture(params=["oldest first", "newest first"])
def mixed(recording, tmp_path, request):
    """Root of a recording whose ``level1`` is of four versions, and what is to be read of it."""
    root, tables = recording
    shutil.copytree(root, tmp_path / "data")
    files = sorted(
        (tmp_path / "data" / "level1").glob("*/*.parquet"), reverse=request.param == "newest first"
    )
    nulled = changed(files[0], older) + changed(files[3], older)
    changed(files[-1], newer)
    changed(files[1], narrower)
    rows = tables["level1"]
    kept = [None if row["seq"] in nulled else row["attribs"] for row in rows.to_pylist()]
    assert kept != rows["attribs"].to_pylist()
    place = rows.column_names.index("attribs")
    return tmp_path / "data", rows.set_column(place, "attribs", pa.array(kept, pa.int32()))


def test_the_recorders_own_reader_reads_them(mixed):
    root, wanted = mixed
    db = recorder.open(root)
    assert db.level1(engine="arrow").to_pylist() == wanted.drop_columns("date").to_pylist()
    assert len(db.level1("AAPL")) > 0


def test_sql_reads_them(mixed):
    root, wanted = mixed
    found = recorder.open(root).sql("SELECT * FROM level1 ORDER BY seq", engine="arrow")
    assert found.schema == wanted.schema
    assert found.to_pylist() == wanted.to_pylist()


def test_a_column_that_no_file_has_yet_is_null(recording, tmp_path):
    root = shutil.copytree(recording[0], tmp_path / "data")
    for path in (root / "level1").glob("*/*.parquet"):
        changed(path, older)
    db = recorder.open(root)
    assert db.level1()["attribs"].isna().all()
    assert db.sql("SELECT count(attribs) AS n FROM level1")["n"].tolist() == [0]


@pytest.mark.parametrize("name", MIXED)
def test_every_reader_reads_them_by_the_line_of_the_docs(name, mixed, request):
    if name.startswith("Spark"):
        request.getfixturevalue("spark")
    root, wanted = mixed
    names = schema("level1").names
    found = ordered(normal(run(name, root, "level1")["rows"])).select(names)
    assert found.schema.remove_metadata() == wanted.select(names).schema
    assert found.to_pylist() == wanted.select(names).to_pylist()
