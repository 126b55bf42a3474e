"""What is in the journal and not in Parquet yet, for readers."""

import contextlib
from pathlib import Path

import pyarrow as pa

from recorder import schema
from recorder.journal.folder import waiting
from recorder.journal.format import NotASegmentError
from recorder.render.tables import Rendered, plain, render


class Tail:
    """The rows of one segment.

    Attributes:
        first_seq: number of its first row.
        last_seq: number of its last row; None for the live segment, which goes on.
    """

    def __init__(self, content: bytes, *, live: bool) -> None:
        self._content = content
        self._rendered: Rendered | None = None
        self._live = live

    @property
    def first_seq(self) -> int:
        """Number of the segment's first row."""
        return self._render().first_seq

    @property
    def last_seq(self) -> int | None:
        """Number of its last row; None for the live segment."""
        return None if self._live else self._render().next_seq - 1

    def table(self, name: str) -> pa.Table:
        """The segment's rows of one table, with the schema of that table, in order of ``seq``."""
        table = self._render().tables.get(name)
        return schema.schema(name).empty_table() if table is None else plain(table, name)

    def _render(self) -> Rendered:
        if self._rendered is None:
            self._rendered = render(self._content)
            self._content = b""
        return self._rendered


def unrendered(root: Path) -> list[Tail]:
    """The segments as they are now, oldest first. One that is published and gone meanwhile is left out."""
    contents = []
    for path in waiting(root):
        try:
            contents.append(path.read_bytes())
        except FileNotFoundError:
            continue  # published since it was listed: its rows are in the tables
    tails = []
    for position, content in enumerate(contents):
        tail = Tail(content, live=position == len(contents) - 1)
        with contextlib.suppress(NotASegmentError):  # a segment just being created has no rows yet
            if tail.first_seq >= 0:
                tails.append(tail)
    return tails
