"""Rows of a table in the order of a compacted day: by symbol, none first, then by number or, without one, by time.

Rules:
- Pure: tables in, tables out.
- Texts that repeat are dictionaries here and plain strings in every file.
- What is in order already is not moved. Rows that compare equal keep the order in which they came.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.render.publish import encoding

Place: TypeAlias = tuple[str | None, int]
"""Where a row stands in the order: its symbol, and its number or time."""

_KEYS = {"gaps": "ts_start", "instruments": "ts_recv"}


def key(table: str) -> str:
    """The column that orders the rows of one symbol."""
    return _KEYS.get(table, "seq")


def shape(table: str) -> pa.Schema:
    """The schema of a table with the texts that repeat as dictionaries."""
    plain = schema.schema(table)
    repeating = set(encoding(plain.names)["use_dictionary"])
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([
        field.with_type(text) if field.name in repeating and field.type == pa.string() else field
        for field in plain
    ])  # fmt: skip


def joined(parts: list[pa.Table]) -> pa.Table:
    """The parts as one, each column in one stretch of memory."""
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def ordered(rows: pa.Table, by: str) -> pa.Table:
    """The rows in order; ``by``: the table's ``key``. Each column has to be one stretch of memory."""
    ranks, keys = _ranks(one(rows, "symbol")), numbers(rows, by)
    if _rise(ranks, keys):
        return rows
    order = np.argsort(ranks, kind="stable")  # 8 or 16 bits: one linear pass
    if not _rise(ranks[order], keys[order]):  # files come oldest first, so that mostly they do
        order = np.lexsort((keys, ranks))
    return rows.take(pa.array(order))


def is_ordered(rows: pa.Table, by: str, *, distinct: bool) -> bool:
    """Whether the rows are in order; ``distinct``: and no two of a symbol have the same number."""
    return _rise(_ranks(one(rows, "symbol")), numbers(rows, by), distinct=distinct)


def places(rows: pa.Table, by: str) -> Iterator[Place]:
    """Where each row stands."""
    return zip(rows["symbol"].to_pylist(), numbers(rows, by).tolist(), strict=True)


def split(rows: pa.Table, cuts: list[Place], by: str) -> list[pa.Table]:
    """Rows that are in order, cut before each of some places that are: one more part than there are cuts."""
    symbols, keys = one(rows, "symbol"), numbers(rows, by)
    alphabet = sorted(symbols.dictionary.to_pylist())
    starts = np.cumsum([0, *np.bincount(_ranks(symbols), minlength=len(alphabet) + 1)])
    edges = [0, *(_before(starts, keys, alphabet, cut) for cut in cuts), len(rows)]
    return [rows.slice(start, end - start) for start, end in pairwise(edges)]


def one(rows: pa.Table, name: str) -> Any:
    """A column as the one stretch of memory it is."""
    column = rows[name]
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def numbers(rows: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """A column of numbers or times, which has no nulls."""
    return one(rows, name).cast(pa.int64()).to_numpy()  # type: ignore[no-any-return]


def _rise(ranks: npt.NDArray[Any], keys: npt.NDArray[np.int64], *, distinct: bool = False) -> bool:
    above = keys[1:] > keys[:-1] if distinct else keys[1:] >= keys[:-1]
    return bool(np.all((ranks[1:] > ranks[:-1]) | ((ranks[1:] == ranks[:-1]) & above)))


def _ranks(symbols: pa.DictionaryArray) -> npt.NDArray[Any]:
    """Each row's place in the alphabet of symbols, from 1; 0: it has none."""
    alphabet = pc.sort_indices(symbols.dictionary).to_numpy()
    rank = np.zeros(len(alphabet) + 1, np.min_scalar_type(len(alphabet)))
    rank[alphabet] = np.arange(1, len(alphabet) + 1)
    found: npt.NDArray[Any] = rank[pc.fill_null(symbols.indices, len(alphabet)).to_numpy()]
    return found


def _before(
    starts: npt.NDArray[np.int64], keys: npt.NDArray[np.int64], alphabet: list[str], cut: Place
) -> int:
    """How many rows stand before a place; ``starts``: before each rank."""
    symbol, at = cut
    rank = 0 if symbol is None else bisect_left(alphabet, symbol) + 1
    if symbol is not None and alphabet[rank - 1 : rank] != [symbol]:
        return int(starts[rank])
    start, end = starts[rank], starts[rank + 1]
    return int(start + keys[start:end].searchsorted(at))
