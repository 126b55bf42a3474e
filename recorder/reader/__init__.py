"""The reading side: a recording as frames, up to the last journalled tick.

A row's way: journal tails and Parquet files (``files``, ``snapshot``) -> rows of one table, pruned by day,
symbol and time (``scan``) -> derived views (``views`` reads what they need, ``derive`` computes) -> pandas,
Arrow or Polars (``frames``). ``database`` is what users hold on to.

Rules:
- Nothing is ever written.
- A row is seen exactly once, also while the daemon publishes and compacts.
- Importing this package loads none of pyarrow, pandas, DuckDB and Polars.
"""

from os import PathLike
from typing import TYPE_CHECKING, Any

from recorder.reader.errors import Damaged, NotARecording, UnknownSymbol

if TYPE_CHECKING:
    from recorder.reader.database import Database

__all__ = ["Damaged", "Database", "NotARecording", "UnknownSymbol", "open"]


def open(root: str | PathLike[str]) -> "Database":  # noqa: A001 - recorder.open is the promised name
    """Open the recording in the folder ``root`` for reading; a running daemon is not disturbed.

    Raises:
        NotARecording: there is no recording, or one of a newer format.
    """
    from recorder.reader.database import Database  # noqa: PLC0415 - heavy, and the daemon never opens

    return Database(root)


def __getattr__(name: str) -> Any:
    if name == "Database":
        from recorder.reader.database import Database  # noqa: PLC0415 - heavy, and the daemon never opens

        return Database
    raise AttributeError(f"module 'recorder.reader' has no attribute {name!r}")
