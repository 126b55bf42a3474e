"""From Arrow to the frame a user asked for.

Rules for pandas: a plain RangeIndex, rows in order of arrival, times as UTC datetimes in microseconds. Dtypes
do not depend on the rows: whole numbers and flags that may be missing are pandas' nullable ``Int32``,
``Int64`` and ``boolean``.
"""

from typing import Any, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

Engine: TypeAlias = Literal["pandas", "arrow", "polars"]

Frame: TypeAlias = Any
"""A pandas DataFrame, pyarrow Table or Polars DataFrame, as the ``engine`` says."""

_NULLABLE = {pa.int32(): pd.Int32Dtype(), pa.bool_(): pd.BooleanDtype()}
_NULLABLE_INT64 = ("under_con_id",)


def frame(rows: pa.Table, engine: Engine) -> Frame:
    """The rows as the engine's frame.

    Raises:
        ValueError: no such engine.
        ModuleNotFoundError: Polars is asked for and not installed.
    """
    check(engine)
    if engine == "arrow":
        return rows
    return _pandas(rows) if engine == "pandas" else _polars(rows)


def check(engine: str) -> None:
    """Refuse an engine that is none, before anything is read.

    Raises:
        ValueError: no such engine.
    """
    if engine not in ("pandas", "arrow", "polars"):
        raise ValueError(f"no engine {engine!r}; there are 'pandas', 'arrow' and 'polars'")


def _pandas(rows: pa.Table) -> pd.DataFrame:
    found: pd.DataFrame = rows.to_pandas(types_mapper=_NULLABLE.get)
    nullable = {name: "Int64" for name in _NULLABLE_INT64 if name in found}
    return found.astype(nullable) if nullable else found


def _polars(rows: pa.Table) -> Any:
    try:
        import polars as pl  # noqa: PLC0415 - an optional dependency
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "engine='polars' needs Polars: pip install 'ib-recorder[polars]'", name="polars"
        ) from error
    return pl.from_arrow(rows)
