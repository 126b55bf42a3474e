"""ib-recorder: records live market data from Interactive Brokers, and reads it back.

``recorder.open(root)`` reads a recording. What reading needs (pyarrow, pandas, DuckDB) is loaded by the first
``open``, so that the daemon, which imports this package too, stays small.
"""

from typing import TYPE_CHECKING, Any

from recorder.reader import Damaged, NotARecording, UnknownSymbol, open  # noqa: A004 - recorder.open is the promised name

if TYPE_CHECKING:
    from recorder.reader import Database

__all__ = ["Damaged", "Database", "NotARecording", "UnknownSymbol", "__version__", "open"]


def __getattr__(name: str) -> Any:
    if name == "Database":
        from recorder.reader import Database  # noqa: PLC0415 - heavy, see above

        return Database
    if name == "__version__":
        return _version()
    raise AttributeError(f"module 'recorder' has no attribute {name!r}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow, and seldom asked for

    try:
        return version("ib-recorder")
    except PackageNotFoundError:
        return "0+not.installed"  # run from a checkout that is not installed
