"""ib-recorder in a run: its config, and what it wrote."""

from pathlib import Path

import pyarrow.parquet as pq

from bench.market import QUOTED, RT_VOLUME_LINES, SYMBOLS, TRADED
from recorder.render import recover

TABLES = ("level1", "trades", "quotes")


def config(folder: Path, port: int, flush_seconds: float) -> Path:
    """The config of a recorder that subscribes to the whole market; its root is ``folder/data``."""
    lines = [f"  - {{type: stock, symbol: {symbol}, streams: [{_streams(symbol)}]}}" for symbol in SYMBOLS]
    path = folder / "watchlist.yaml"
    path.write_text(
        f"gateway: {{port: {port}, reconnect_min_seconds: 60}}\n"
        f"storage: {{root: data, flush_seconds: {flush_seconds}}}\n"
        "status: {listen: null}\n"
        "watchlist:\n" + "\n".join(lines) + "\n"
    )
    return path


def _streams(symbol: str) -> str:
    level1 = "{level1: {generic_ticks: [233]}}" if symbol in RT_VOLUME_LINES else "level1"
    ticks = [name for name, symbols in (("trades", TRADED), ("quotes", QUOTED)) if symbol in symbols]
    return ", ".join([level1, *ticks])


def rows(root: Path) -> int:
    """Rows of market data in the Parquet files."""
    return sum(rows_of(files(root, table)) for table in TABLES)


def rows_of(parquet: list[Path]) -> int:
    return sum(pq.read_metadata(file).num_rows for file in parquet)


def size(root: Path) -> int:
    """Bytes of those files."""
    return sum(file.stat().st_size for table in TABLES for file in files(root, table))


def files(root: Path, table: str) -> list[Path]:
    return sorted((root / table).glob("*/*.parquet"))


def recovered(root: Path) -> int:
    """Rows after what `ib-recorder recover` does."""
    for _ in recover(root):
        pass
    return rows(root)
