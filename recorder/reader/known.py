"""``python -m recorder.reader.known WHAT ROOT STREAM ...``: what is recorded around a gap of a tick-by-tick stream.

For the recording process, which reads no tables itself:

- ``ticks ROOT STREAM SYMBOL CON_ID FIRST LAST``: one JSON line a row of a contract whose ``ts_event`` lies in the
  seconds FIRST to LAST (since 1970, both included), live or filled, with the columns in the order of message 99.
- ``clocks ROOT STREAM START END``: two numbers, by how many seconds the recorder's clock was ahead of IB's around a gap
  (microseconds since 1970), at least (0 or less) and at most (0 or more).

A failure is one line on standard error and exit 1.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recorder import schema
from recorder.reader.errors import Damaged
from recorder.reader.files import Vanished
from recorder.reader.moments import BEGINNING, Span
from recorder.reader.scan import scan
from recorder.reader.snapshot import Snapshot, reading
from recorder.render.backfill import SOURCE
from recorder.wire.layouts import TICKS

_NICENESS = 10
_CLOCKS_APART = timedelta(hours=1)
"""A row is not looked for among those received longer before it happened: so far no clock is off."""

_AROUND = timedelta(minutes=1)
_FURTHEST_SECONDS = 600
"""What says that the clocks are further apart is not believed: a stream may begin with a tick of long ago."""

_SECOND = 1_000_000


def ticks(root: Path, stream: str, symbol: str, con_id: int, seconds: tuple[int, int]) -> Iterator[list[Any]]:
    """The values of a contract's rows from the first second to the last, ``ts_event`` as seconds since 1970.

    Raises:
        Damaged, Vanished: the recording does not read.
    """
    begin, end = (BEGINNING + timedelta(seconds=second) for second in (seconds[0], seconds[1] + 1))
    second, names = pc.field("ts_event"), [field.name for field in TICKS[stream]]
    where = (second >= pa.scalar(begin, schema.TIME)) & (second < pa.scalar(end, schema.TIME))
    where &= pc.field("con_id") == con_id

    def read(snapshot: Snapshot) -> pa.Table:
        return scan(snapshot, stream, [symbol], Span(begin - _CLOCKS_APART), where=where, columns=names)

    found = reading(root, read)
    micros = found["ts_event"].cast(pa.int64()).to_pylist()
    others = (found[name].to_pylist() for name in names[1:])
    for moment, *values in zip(micros, *others, strict=True):
        yield [moment // _SECOND, *values]


def clocks(root: Path, stream: str, *edges: int) -> tuple[int, int]:
    """By how many seconds the recorder's clock was ahead of IB's around some moments: 0 or less, 0 or more.

    Of all lines' rows received within a minute of a moment the one that took the least time tells; without any the
    clocks count as equal. A tick's second begins before it, so that 1 may be said of clocks that agree.

    Raises:
        Damaged, Vanished: the recording does not read.
    """
    ahead = [0]
    for edge in edges:
        moment = BEGINNING + timedelta(microseconds=edge)
        late = reading(root, partial(_late, stream=stream, span=Span(moment - _AROUND, moment + _AROUND)))
        ahead += [min(late)] if late else []
    return min(ahead), max(ahead)


def _late(snapshot: Snapshot, stream: str, span: Span) -> list[int]:
    """How many whole seconds behind its ``ts_event`` each row was received."""
    live = (pc.field("source") != SOURCE) & pc.field("ts_event").is_valid()
    found = scan(snapshot, stream, None, span, where=live, columns=["ts_recv", "ts_event"])
    received, happened = (found[name].cast(pa.int64()).to_numpy() for name in ("ts_recv", "ts_event"))
    late: list[int] = ((received - happened) // _SECOND).tolist()
    return [seconds for seconds in late if abs(seconds) <= _FURTHEST_SECONDS]


def _told(what: str, root: Path, stream: str, words: tuple[str, ...]) -> Iterator[Sequence[Any]]:
    if what == "clocks":
        yield clocks(root, stream, *map(int, words))
    else:
        symbol, con_id, first, last = words
        yield from ticks(root, stream, symbol, int(con_id), (int(first), int(last)))


def main(what: str, root: str, stream: str, *words: str) -> int:
    """Print what is asked for."""
    os.nice(_NICENESS)
    try:
        for row in _told(what, Path(root), stream, words):
            sys.stdout.write(json.dumps(row) + "\n")
    except (Damaged, Vanished, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
