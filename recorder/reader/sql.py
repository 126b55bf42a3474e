"""SQL over the tables: DuckDB in memory, one view a table.

Rule: it reads. One SELECT (or EXPLAIN) a call; anything that could write is refused.
"""

import re

import duckdb
import pyarrow as pa

from recorder import schema
from recorder.partition import day_column
from recorder.reader.files import read_files
from recorder.reader.snapshot import Snapshot

_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)
"""MULTI is what DuckDB calls a PIVOT."""

_OF_FILES = (duckdb.IOException, duckdb.InvalidInputException, duckdb.Error)
"""What reading a file ends in that is gone, or damaged; a query may end in the first two as well."""

_DAY = "CAST(regexp_extract(filename, 'date=([0-9-]+)/[^/]+$', 1) AS DATE) AS date"
"""Of a file's folder; files of other days than a query asks for are not opened."""


def select(snapshot: Snapshot, query: str) -> pa.Table:
    """The result of a query over the tables, each with the column ``date`` of its folder.

    Raises:
        ValueError: not one reading statement.
        duckdb.Error: the query is wrong.
        Vanished: a file of the snapshot is gone.
        Damaged: a file does not read.
    """
    named = [table for table in schema.TABLES if re.search(rf"\b{table}\b", query, re.IGNORECASE)]
    with duckdb.connect(":memory:") as connection:
        _check(connection, query)
        connection.execute("SET TimeZone = 'UTC'; SET python_enable_replacements = false; CREATE SCHEMA tail")
        try:
            for table in named or schema.TABLES:
                _view(connection, snapshot, table)
            return connection.sql(query).to_arrow_table()
        except duckdb.Error as error:
            if type(error) in _OF_FILES:
                _blame(snapshot, named, error)
            raise


def _blame(snapshot: Snapshot, tables: list[str], error: duckdb.Error) -> None:
    """Was it a file? Then whoever reads it says so. What names none, and may be the query's fault, is not looked into.

    Raises:
        Vanished: a file is gone.
        Damaged: a file does not read.
    """
    for table in tables:
        for file in snapshot.files(table):
            if isinstance(error, duckdb.InvalidInputException) and str(file.path) not in str(error):
                continue
            read_files([file], table, lambda rows: pa.table({"rows": [sum(map(len, rows.to_batches()))]}))


def _check(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type not in _READS:
        raise ValueError(f"one SELECT a call, nothing that writes; this is: {query.strip()[:80]}")


def _view(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, table: str) -> None:
    connection.register("rows", snapshot.tail(table))
    connection.execute(f"CREATE TABLE tail.{table} AS FROM rows")
    connection.unregister("rows")
    parts = [f"SELECT *, CAST({day_column(table)} AS DATE) AS date FROM tail.{table}"]  # noqa: S608 - our own names
    if files := snapshot.files(table):
        paths = ", ".join(_literal(str(file.path)) for file in files)
        shape = _shape(connection.table(f"tail.{table}"))
        source = f"read_parquet([{paths}], schema = MAP {{{shape}}}, filename = true)"
        parts.insert(0, f"SELECT * EXCLUDE (filename), {_DAY} FROM {source}")  # noqa: S608 - quoted by _literal
    connection.execute(f"CREATE VIEW {table} AS {' UNION ALL '.join(parts)}")


def _shape(columns: duckdb.DuckDBPyRelation) -> str:
    """What to read by name, whatever each file holds: a column that an older version did not write is null."""
    return ", ".join(
        f"'{name}': {{name: '{name}', type: '{kind}', default_value: NULL}}"
        for name, kind in zip(columns.columns, columns.types, strict=True)
    )


def _literal(path: str) -> str:
    """A path as SQL text; DuckDB takes one that exists as it stands, whatever a pattern it might be."""
    return "'" + path.replace("'", "''") + "'"
