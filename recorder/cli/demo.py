"""``ib-recorder demo``: the whole way of a tick in twenty seconds, with nothing but this package."""

import asyncio
import time
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import recorder
from recorder.cli.coverage import covered
from recorder.config import Config, load
from recorder.daemon import logs
from recorder.daemon.run import record
from recorder.reader.moments import Span
from recorder.simulator import Simulator

_RATE = 20.0
_FLUSH_SECONDS = 5.0

_DROP_AT = 0.8
"""When the connection is dropped, as a part of the whole time."""

_LINES = """\
import recorder
db = recorder.open({root!r})
db.symbols()                                                 # the lines of the watchlist
db.level1("AAPL").tail()                                     # every level-1 message, as IB sent it
db.quotes("EURUSD").tail()                                   # best bid and ask
db.trades("INTC").tail()                                     # trades, tick by tick
db.bars("INTC", "5s").tail()                                 # bars made of them
db.book("AAPL", at=db.depth("AAPL").ts_recv.max()).head()    # the order book at a moment
db.gaps()                                                    # every hole, and why
db.coverage()                                                # what was recorded when
db.sql("select symbol, count(*) n from level1 group by symbol order by n desc")
"""


def demo(seconds: float, root: Path) -> None:
    """Record, show what was written, print how to read it."""
    logs.configure(quiet=True)
    console = Console()
    config = load(sample())
    asyncio.run(_record(config, seconds, root.resolve(), console))
    _show(root, console)
    console.print("\nRead it in Python (.venv/bin/python):\n")
    console.print(lines(root), markup=False, highlight=False, soft_wrap=True)


def lines(root: Path) -> str:
    """The pandas lines that read the recording at ``root``."""
    return _LINES.format(root=str(root.resolve()))


def sample() -> Path:
    """The sample watchlist: beside the package when installed, in the checkout's ``config`` otherwise."""
    installed = Path(str(files("recorder") / "watchlist.yaml"))
    return (
        installed if installed.exists() else Path(str(files("recorder"))).parent / "config" / "watchlist.yaml"
    )


async def _record(config: Config, seconds: float, root: Path, console: Console) -> None:
    async with Simulator(rate=_RATE, seed=time.time_ns()) as simulator:
        gateway = config.gateway.model_copy(update={"port": simulator.port})
        status = config.status.model_copy(update={"listen": None})
        small = {"flush_seconds": _FLUSH_SECONDS, "spare_megabytes": 0}
        storage = config.storage.model_copy(update={"root": root, **small})
        console.print(
            f"A simulated gateway listens on 127.0.0.1:{simulator.port}; "
            f"recording {len(config.watchlist)} lines from it.\n"
            f"After {seconds * _DROP_AT:g} s it drops the connection, as real ones do: that leaves a gap on record."
        )
        recording = asyncio.create_task(
            record(
                config.model_copy(update={"gateway": gateway, "storage": storage, "status": status}), seconds
            )
        )
        dropping = asyncio.create_task(_drop(simulator, seconds * _DROP_AT))
        await _wait(recording, seconds, console)
        if not dropping.cancel():  # somebody may have stopped it before
            await dropping


async def _drop(simulator: Simulator, after: float) -> None:
    await asyncio.sleep(after)
    await simulator.play("drop")


async def _wait(recording: "asyncio.Task[None]", seconds: float, console: Console) -> None:
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    began = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("recording", total=seconds)
        while not recording.done():
            await asyncio.wait({recording}, timeout=0.1)
            spent = time.monotonic() - began
            what = "recording" if spent < seconds else "writing everything out"
            progress.update(bar, completed=min(spent, seconds), description=what)
    await recording


def _show(root: Path, console: Console) -> None:
    db = recorder.open(root)
    table = Table("table", "rows", "lines", "files", "bytes", title=str(root), header_style="bold")
    for name in db.tables():
        found = list((root / name).rglob("*.parquet"))
        if found:
            frame = db.table(name)
            size = sum(path.stat().st_size for path in found)
            lines_in = frame["symbol"].nunique()
            table.add_row(name, f"{len(frame):,}", f"{lines_in}", f"{len(found)}", f"{size:,}")
    console.print(table)
    console.print(f"\n{covered(root, Span())[0].words()}", markup=False, highlight=False, soft_wrap=True)
