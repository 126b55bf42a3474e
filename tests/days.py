"""A day of a whole market: its gateway, and a recorder in a hurry."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daemon import write_config
from hurried import hurried
from lines import Market
from scripted import Scripted, scripted


@asynccontextmanager
async def recorded(
    folder: Path,
    market: Market,
    *,
    heartbeat: float = 15,
    patience: float = 5,
    timing: Mapping[str, float] = {},
    **options: Any,
) -> AsyncIterator[Scripted]:
    """A recorder in a hurry and its gateway, with this heartbeat and connect timeout, while the market is open."""
    async with scripted(**market.hooks, **options) as gateway, market.open():
        async with hurried(configured(folder, gateway.port, market, heartbeat, patience), **timing):
            yield gateway


def configured(folder: Path, port: int, market: Market, heartbeat: float = 15, patience: float = 5) -> Path:
    """A config of a market's lines."""
    lines = (f"{{type: stock, symbol: {symbol}, streams: [{stream}]}}" for symbol, stream in market.lines)
    path = write_config(folder, port, *lines, gateway=f"heartbeat_seconds: {heartbeat}")
    text = path.read_text().replace("connect_timeout_seconds: 5", f"connect_timeout_seconds: {patience}")
    path.write_text(text)
    return path
