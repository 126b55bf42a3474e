"""ib-recorder: records live market data from Interactive Brokers, and reads it back.

``recorder.open(root)`` reads a recording. What reading needs (pyarrow, pandas, DuckDB) is loaded by the first
``open``, so that the daemon, which imports this package too, stays small.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from recorder.reader import Damaged, NotARecording, UnknownSymbol, open  # noqa: A004 - recorder.open is the promised name

if TYPE_CHECKING:
    from recorder.reader import Database

__all__ = ["Damaged", "Database", "NotARecording", "UnknownSymbol", "__version__", "open"]

try:
    __version__ = version("ib-recorder")
except PackageNotFoundError:
    __version__ = "0+not.installed"
    """Run from a checkout that is not installed."""


def __getattr__(name: str) -> Any:
    if name == "Database":
        from recorder.reader import Database  # noqa: PLC0415 - heavy, see above

        return Database
    raise AttributeError(f"module 'recorder' has no attribute {name!r}")
