"""``python -m recorder.reader.known ROOT SYMBOL STREAM FIRST LAST``: the ticks recorded of some seconds.

For the recording process, which reads no tables itself: one JSON line a row of a tick-by-tick stream whose ``ts_event``
lies in the seconds FIRST to LAST (since 1970, both included), live or filled, with the columns in the order of
message 99. A failure is one line on standard error and exit 1.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
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
from recorder.wire.layouts import MIDPOINT, QUOTE, TRADE

_NICENESS = 10
_FIRST_FIELD = 3
_COLUMNS = {
    one.table: [field.name for field in one.fields[_FIRST_FIELD:]] for one in (TRADE, QUOTE, MIDPOINT)
}
_CLOCKS_APART = timedelta(hours=1)
"""A row is not looked for among those received longer before it happened: so far no clock is off."""


def known(root: Path, symbol: str, stream: str, first: int, last: int) -> Iterator[list[Any]]:
    """The rows' values, ``ts_event`` as seconds since 1970.

    Raises:
        Damaged, Vanished: the recording does not read.
    """
    begin, end = (BEGINNING + timedelta(seconds=second) for second in (first, last + 1))
    second = pc.field("ts_event")
    where = (second >= pa.scalar(begin, schema.TIME)) & (second < pa.scalar(end, schema.TIME))

    def read(snapshot: Snapshot) -> pa.Table:
        names, since = _COLUMNS[stream], Span(begin - _CLOCKS_APART)
        return scan(snapshot, stream, [symbol], since, where=where, columns=names)

    found = reading(root, read)
    micros = found["ts_event"].cast(pa.int64()).to_pylist()
    others = (found[name].to_pylist() for name in _COLUMNS[stream][1:])
    for moment, *values in zip(micros, *others, strict=True):
        yield [moment // 1_000_000, *values]


def main(root: str, symbol: str, stream: str, first: str, last: str) -> int:
    """Print the rows."""
    os.nice(_NICENESS)
    try:
        for row in known(Path(root), symbol, stream, int(first), int(last)):
            sys.stdout.write(json.dumps(row) + "\n")
    except (Damaged, Vanished, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
