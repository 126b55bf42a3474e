"""What rows add up to, whatever their order: a 64-bit number of each whole row, summed, and how many they are.

Rules:
- A row's number depends on every bit of every value, and on which column it stands in: a value that moved to another
  row, was changed or went missing shows.
- Whether a text came as a dictionary or plain makes no difference.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]

_NULL = np.uint64(0x9E3779B97F4A7C15)
_MIX, _MIX_MORE = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)  # those of SplitMix64
_HALF = np.uint64(32)
_MOST = 1024 * 1024
"""Bytes of texts that are worked on at a time; it takes some thirty times as many."""


class Fingerprint:
    """Grows with the rows it is told of.

    Attributes:
        rows: how many they were.
        total: the sum of their numbers, modulo 2^64.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.total = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and (self.rows, self.total) == (other.rows, other.total)

    __hash__ = None  # type: ignore[assignment]

    def add(self, rows: pa.Table) -> None:
        """Take in rows, whose columns always come in the same order."""
        for batch in rows.to_batches():
            self.rows += batch.num_rows
            self.total = (self.total + int(_numbers(batch).sum())) % 2**64


def _numbers(batch: pa.RecordBatch) -> Words:
    """A number for each row."""
    number = np.zeros(batch.num_rows, np.uint64)
    for column in batch.columns:
        number ^= _words(column)
        number *= _MIX
        number ^= number >> _HALF
    number *= _MIX_MORE
    number ^= number >> _HALF
    return number


def _words(column: Any) -> Words:
    """A number for each value; equal ones for equal values."""
    if column.null_count == len(column):
        return np.full(len(column), _NULL)
    words: Words
    if pa.types.is_dictionary(column.type):
        words = _of_texts(column.dictionary)[column.indices.fill_null(0).to_numpy()]
    elif pa.types.is_string(column.type):
        words = _of_texts(column)
    else:
        words = _bits(column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column)
    if column.null_count:
        words = np.where(column.is_null().to_numpy(zero_copy_only=False), _NULL, words)
    return words


def _bits(column: Any) -> Words:
    """The values as they lie in memory; where there is none, whatever lies there."""
    whole = np.frombuffer(column.buffers()[1], f"i{column.type.bit_width // 8}")
    values = whole[column.offset : column.offset + len(column)]
    words: Words = values.astype(np.int64, copy=False).view(np.uint64)
    return words


def _of_texts(texts: Any) -> Words:
    """A number for each text: its bytes, each times a number of its place, added up; and its length."""
    ends = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    size = int(ends[-1] - ends[0])
    if size > _MOST and len(texts) > 1:
        half = len(texts) // 2
        return np.concatenate([_of_texts(texts[:half]), _of_texts(texts[half:])])
    lengths, starts = np.diff(ends), ends[:-1] - ends[0]
    content = np.frombuffer(texts.buffers()[2] or b"", np.uint8, size, ends[0] if size else 0)
    sums = np.zeros(size + 1, np.uint64)
    within = np.arange(size) - np.repeat(starts, lengths)
    np.cumsum((content + np.uint64(1)) * _weights(int(lengths.max(initial=0)))[within], out=sums[1:])
    found: Words = sums[starts + lengths] - sums[starts] + lengths.astype(np.uint64)
    return found


def _weights(most: int) -> Words:
    """An odd number for each place in a text."""
    weight = np.arange(1, most + 1, dtype=np.uint64) * _NULL
    weight ^= weight >> _HALF
    weight *= _MIX
    weight ^= weight >> _HALF
    return weight | np.uint64(1)
