"""What the recorder is compared to, on plain ib_async: `python -m bench.plain VERB PORT ...`.

`decode PORT` subscribes to the market and keeps nothing. `record PORT FOLDER SECONDS` is the recorder that
everyone writes first: ticks of `pendingTickersEvent` into a list of dicts, pandas, a Parquet file every SECONDS.
Both end with the connection.
"""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from ib_async import IB, Contract, StartupFetchNONE, Ticker

from bench.market import RT_VOLUME_LINES, SLOTS

_TICK_BY_TICK = {"trades": "AllLast", "quotes": "BidAsk"}


async def listen(ib: IB, port: int) -> int:
    """Subscribe to the market and listen until the other end closes; returns how many messages came."""
    messages = 0

    def count(_data: bytes) -> None:
        nonlocal messages
        messages = ib.client._numMsgRecv  # noqa: SLF001 - it is reset before anyone can ask for it

    closed = asyncio.Event()
    ib.disconnectedEvent += closed.set
    await ib.connectAsync("127.0.0.1", port, clientId=1, readonly=True, fetchFields=StartupFetchNONE)
    ib.client.conn.hasData += count
    _subscribe(ib)
    await closed.wait()
    return messages


def _subscribe(ib: IB) -> None:
    for stream, symbol in SLOTS:
        con_id = 1000 + SLOTS.index(("level1", symbol))
        contract = Contract(conId=con_id, secType="STK", symbol=symbol, exchange="SMART", currency="USD")
        if stream == "level1":
            ib.reqMktData(contract, "233" if symbol in RT_VOLUME_LINES else "")
        else:
            ib.reqTickByTickData(contract, _TICK_BY_TICK[stream])


async def record(port: int, folder: Path, seconds: float) -> int:
    ib = IB()
    rows: list[dict[str, object]] = []

    def keep(tickers: set[Ticker]) -> None:
        for ticker in tickers:
            for tick in ticker.ticks:
                row = {"time": tick.time, "symbol": ticker.contract.symbol, "type": tick.tickType}
                rows.append(row | {"price": tick.price, "size": tick.size})

    def write() -> None:
        nonlocal rows
        full, rows = rows, []
        if full:
            pd.DataFrame(full).to_parquet(folder / f"{pd.Timestamp.now().value}.parquet")

    ib.pendingTickersEvent += keep
    writing = asyncio.create_task(_every(seconds, write))
    messages = await listen(ib, port)
    writing.cancel()
    write()
    return messages


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        work()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the connection's end is the end
    _, port, *rest = sys.argv[1:]
    ending = record(int(port), Path(rest[0]), float(rest[1])) if rest else listen(IB(), int(port))
    sys.stdout.write(f"{asyncio.run(ending)}\n")
