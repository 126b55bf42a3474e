"""How many rows retention leaves below a number: what no run of numbers can tell, for there are holes by right.

Rules:
- Numbers of names are enough for most files, and their footers say how many rows they hold; ``seq`` itself is read only
  of a file that holds numbers on both sides.
- What is missing already goes on being missing: counting anew must not make a loss good.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder import partition, schema
from recorder.journal.folder import Checkpoint
from recorder.partition import File


def rows_to_remain(root: Path, checkpoint: Checkpoint, seq: int, going: AbstractSet[Path]) -> int | None:
    """How many rows numbered below ``seq`` there are to be when the files ``going`` are gone.

    It counts what is there, and what was there when ``checkpoint.kept_rows`` was counted and is no more.
    To be called by who holds what is published. None: a file does not read, so nobody knows.
    """
    try:
        remaining = _below(root, seq, going)
        missing = 0
        if checkpoint.kept_rows is not None:
            missing = max(0, checkpoint.kept_rows - _below(root, checkpoint.kept_seq))
    except (pa.ArrowException, OSError):  # it is damaged, which verify says
        return None
    return remaining + missing


def _below(root: Path, seq: int, without: AbstractSet[Path] = frozenset()) -> int:
    """Rows of the numbered tables whose numbers are below ``seq``."""
    return sum(
        _count(file, seq) for file in _files(root) if file.first_seq < seq and file.path not in without
    )


def _files(root: Path) -> Iterator[File]:
    for table in schema.SEQUENCED:
        yield from partition.listed(root, table)


def _count(file: File, seq: int) -> int:
    with pq.ParquetFile(file.path) as source:
        if file.last_seq < seq:
            return int(source.metadata.num_rows)
        numbers = (batch["seq"] for batch in source.iter_batches(columns=["seq"], use_threads=False))
        return sum(pc.sum(pc.less(one, seq)).as_py() or 0 for one in numbers)
