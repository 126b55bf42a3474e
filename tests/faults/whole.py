"""Whether a recording is whole after a bad day: every row once, nothing that does not read, no number given twice.

Each fault is a line that begins with its name: ``unreadable``, ``missing``, ``twice``, ``changed``, ``invented``,
``refused``, ``numbers``, ``left over``, ``flaw``.
"""

import collections
import functools
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from faults.model import Tree

from recorder import schema
from recorder.journal import folder
from recorder.verify import verify

Rows = list[tuple[str, str]]
"""Table and row, the row as text: comparable, sortable, the same for the same."""


def published(root: Path) -> tuple[Rows, list[str]]:
    """Every row that readers find in Parquet files, and what does not read."""
    rows, wrong = [], []
    for path in sorted(path for table in schema.TABLES for path in root.glob(f"{table}/date=*/*.parquet")):
        table = path.parts[-3]
        try:
            rows += [(table, row) for row in _rows(path.read_bytes())]
        except (pa.ArrowException, OSError) as error:
            wrong.append(f"unreadable: {path.relative_to(root)}: {error}")
    return sorted(rows), wrong


@functools.lru_cache(maxsize=4096)
def _rows(content: bytes) -> list[str]:
    table = pq.read_table(io.BytesIO(content), page_checksum_verification=True)
    return [_text(row) for row in table.to_pylist()]


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(row.items())), default=str)


def faults(root: Path, expected: Rows, promised: Rows | None = None) -> list[str]:
    """What is wrong with a recovered recording.

    Args:
        root: it.
        expected: all rows that may be there.
        promised: those that must be; all, if None.
    """
    rows, wrong = published(root)
    there = collections.Counter(rows)
    wrong += [f"missing: {row}" for row in (expected if promised is None else promised) if row not in there]
    wrong += [f"twice: {row}" for row, count in there.items() if count > 1]
    known = set(expected)
    wrong += [f"invented: {row}" for row in there if row not in known]
    return wrong + list(_numbers(root, rows))


def mildest(root: Path, *allowed: Rows) -> list[str]:
    """What is wrong with a recovered recording that may hold the one rows or the other."""
    return min((faults(root, rows) for rows in allowed), key=len)


def leftovers(root: Path) -> list[str]:
    """What should have been put away, and what ``verify`` finds."""
    left = [
        *(root / "staging").glob("*"),
        *folder.segments(root),
        *(root / "journal" / "set-aside").glob("*"),
    ]
    found = [f"left over: {path.relative_to(root)}" for path in left]
    return found + [f"flaw: {flaw.kind}: {flaw.text}" for flaw in verify(root).flaws]


def _numbers(root: Path, rows: Rows) -> Iterator[str]:
    """Whether the next row would get a number that was given."""
    given = [json.loads(row)["seq"] for table, row in rows if table in schema.SEQUENCED]
    following = folder.load(root).next_seq
    if given and max(given) >= following:
        yield f"numbers: {following} comes next and {max(given)} was given"


def tree(root: Path) -> Tree:
    """A folder as the model sees it."""
    return {
        str(path.relative_to(root)): None if path.is_dir() else path.read_bytes()
        for path in sorted(root.rglob("*"))
    }


def grown(tree: Tree, root: Path) -> Path:
    """The folder that a tree describes; what was there goes."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for path, content in sorted(tree.items()):
        if content is None:
            (root / path).mkdir(exist_ok=True)
        else:
            (root / path).write_bytes(content)
    return root


def ticks(root: Path) -> list[tuple[int, int]]:
    """Number and price of every level-1 tick in the tables, by number."""
    rows = [json.loads(row) for table, row in published(root)[0] if table == "level1"]
    return sorted((row["seq"], int(row["price"])) for row in rows)
