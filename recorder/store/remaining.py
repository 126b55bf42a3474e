"""How many rows retention leaves below a number: what no run of numbers can tell, for there are holes by right.

Rules:
- A number counts once, in however many rows of a table it stands: so it does for who holds the count against the rows.
- Numbers of names are enough for most files, and their footers say how many rows they hold; ``seq`` itself is read only
  of a file that holds numbers on both sides, and of those of a table whose ranges overlap.
- What is missing already goes on being missing: counting anew must not make a loss good. So it is written down, before
  the count, which files go (``GOING``): while one of them is still there, since whoever took them was killed or the
  disk was full, it does not stand in for what is lost.
"""

import json
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recorder import partition, schema
from recorder.journal.durable import sync_folder
from recorder.journal.folder import Checkpoint
from recorder.partition import File
from recorder.render import aside
from recorder.render.numbers import Counts, batches, portions, size

GOING = Path("staging") / "going.json"
"""Says which files a count leaves out that are there until they are taken; it goes with the last of them."""


class NotCountedError(RuntimeError):
    """A file does not read, so nobody knows how many rows there are."""


def rows_to_remain(root: Path, checkpoint: Checkpoint, seq: int, going: AbstractSet[Path]) -> int:
    """How many rows numbered below ``seq`` there are to be when the files ``going`` are gone.

    It counts what is there, and what was there when ``checkpoint.kept_rows`` was counted and is no more.
    To be called by who holds what is published.

    Raises:
        NotCountedError: a file does not read.
    """
    remaining = _below(root, seq, going)
    if checkpoint.kept_rows is None:
        return remaining
    left_out = {root / name for word in _valid(root, checkpoint)[-1:] for name in word["files"]}
    return remaining + max(0, checkpoint.kept_rows - _below(root, checkpoint.kept_seq, left_out))


def say_what_goes(
    root: Path, checkpoint: Checkpoint, counted: tuple[int, int], going: AbstractSet[Path]
) -> None:
    """Write down, durably, which files a count leaves out; ``counted``: up to which number, and how many rows.

    What the count of ``checkpoint`` left out stays written: it is valid until the new one stands in its place.
    """
    kept_seq, kept_rows = counted
    names = sorted(str(path.relative_to(root)) for path in going)
    words = [*_valid(root, checkpoint), {"kept_seq": kept_seq, "kept_rows": kept_rows, "files": names}]
    aside.stage(root / f"{GOING}.new", json.dumps(words).encode()).rename(root / GOING)
    sync_folder((root / GOING).parent)


def _valid(root: Path, checkpoint: Checkpoint) -> list[dict[str, Any]]:
    """What was written down with the count that a checkpoint holds."""
    try:
        words = json.loads((root / GOING).read_bytes())
    except (FileNotFoundError, ValueError):  # spoilt, it says nothing
        return []
    count = checkpoint.kept_seq, checkpoint.kept_rows
    return [word for word in words if (word["kept_seq"], word["kept_rows"]) == count]


def _below(root: Path, seq: int, without: AbstractSet[Path]) -> int:
    """How many numbers below ``seq`` stand in the numbered tables."""
    return sum(_in_table(root, table, seq, without) for table in schema.SEQUENCED)


def _in_table(root: Path, table: str, seq: int, without: AbstractSet[Path]) -> int:
    found = partition.listed(root, table)
    groups = _overlapping([file for file in found if file.first_seq < seq and file.path not in without])
    alone = (group[0] for group in groups if len(group) == 1)
    return sum(_count(file, seq) for file in alone) + _distinct(
        (file for group in groups if len(group) > 1 for file in group), seq
    )


def _overlapping(files: Iterable[File]) -> list[list[File]]:
    """Files, given by their first number, in groups whose ranges overlap."""
    groups: list[list[File]] = []
    last = -1
    for file in files:
        if file.first_seq > last:
            groups.append([])
        groups[-1].append(file)
        last = max(last, file.last_seq)
    return groups


def _count(file: File, seq: int) -> int:
    """How many numbers below ``seq`` stand in a file; of one that lies below it its name and footer say so."""
    with _read(file), pq.ParquetFile(file.path) as source:
        if file.last_seq < seq:
            return min(int(source.metadata.num_rows), file.last_seq - file.first_seq + 1)
        numbers = (batch["seq"] for batch in source.iter_batches(columns=["seq"], use_threads=False))
        return sum(pc.sum(pc.less(one, seq)).as_py() or 0 for one in numbers)


def _distinct(files: Iterable[File], seq: int) -> int:
    """How many numbers below ``seq`` stand in files, given by their first number, whose ranges overlap."""
    counts, missing = Counts(), 0
    for portion in portions(files):
        for file in portion.files:
            with _read(file):
                for batch in batches(file.path, ["seq"]):
                    counts.add(batch.column("seq").to_numpy())
        missing += size(counts.settle(min(portion.upto, seq))[0])
    return seq - 1 - missing - size(counts.settle(seq)[0])


@contextmanager
def _read(file: File) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:  # a footer's texts may be no UTF-8
        raise NotCountedError(f"{file.path}: does not read: {error}") from error
