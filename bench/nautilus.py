"""nautilus_trader's own recorder: `nautilus.py FOLDER MESSAGES RATE`, run by a Python that has nautilus_trader.

Its StreamingFeatherWriter is given ready-made quotes of 100 stocks, as fast as it takes them or RATE a second:
nothing is received and nothing is decoded. How many it was given stands in FOLDER/given, also after a kill.
This file imports nothing of the benchmark: the Python that runs it need not have the recorder.
"""

import random
import sys
import time
from pathlib import Path

import numpy as np
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.objects import Price, Quantity
from nautilus_trader.persistence.writer import StreamingFeatherWriter
from nautilus_trader.test_kit.providers import TestInstrumentProvider

_STOCKS = 100


def quotes(instruments: list, count: int) -> list[QuoteTick]:
    rng = random.Random(1)
    made = []
    for _ in range(count):
        bid, now = rng.randrange(8_000, 90_000), time.time_ns()
        prices = Price(bid / 100, 2), Price((bid + 1) / 100, 2)
        sizes = Quantity.from_int(100 * rng.randrange(1, 20)), Quantity.from_int(100 * rng.randrange(1, 20))
        made.append(QuoteTick(rng.choice(instruments).id, *prices, *sizes, now, now))
    return made


def main(folder: Path, messages: int, rate: float) -> None:
    cache = Cache()
    instruments = [TestInstrumentProvider.equity(f"S{number:03d}", "XNAS") for number in range(_STOCKS)]
    for instrument in instruments:
        cache.add_instrument(instrument)
    given = np.memmap(folder / "given", np.int64, "w+", shape=1)
    writer = StreamingFeatherWriter(
        str(folder / "stream"), cache, LiveClock(), flush_interval_ms=1000, include_types=[QuoteTick]
    )
    ticks = quotes(instruments, messages)
    began, cpu = time.monotonic(), time.process_time()
    for number, tick in enumerate(ticks):
        while rate and (time.monotonic() - began) * rate < number:
            time.sleep(0.001)
        writer.write(tick)
        given[0] = number + 1
    writer.close()
    sys.stdout.write(f"{time.monotonic() - began} {time.process_time() - cpu}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
