"""Where the last tick of each stream stands: what a recorder that was killed knew of its lines."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from recorder.schema import STREAMS
from recorder.wire.activity import Mark

Lasts = dict[tuple[str, str], Mark]
"""Line and stream to the place of its last tick, or of where it began to be received."""


def note_ticks(lasts: Lasts, name: str, table: pa.Table) -> None:
    """Take the rows of a market table, in any order."""
    stream = STREAMS.get(name)
    if stream is None:
        return
    symbols = table["symbol"].combine_chunks()
    if not pa.types.is_dictionary(symbols.type):
        symbols = symbols.dictionary_encode()
    codes, seq = symbols.indices.to_numpy(), table["seq"].to_numpy()
    last = np.full(len(symbols.dictionary), -1, np.int64)
    np.maximum.at(last, codes, np.arange(len(codes)))
    ts = table["ts_recv"].cast(pa.int64()).to_numpy()
    for symbol, at in zip(symbols.dictionary.to_pylist(), last.tolist(), strict=True):
        if at >= 0:
            note(lasts, (symbol, stream), Mark(int(ts[at]), int(seq[at])))


def note(lasts: Lasts, key: tuple[str, str], mark: Mark) -> None:
    """Take one place."""
    if key not in lasts or lasts[key].seq < mark.seq:
        lasts[key] = mark


def kept(lasts: Lasts, keys: Iterable[tuple[str, str]]) -> Lasts:
    """Those of some streams."""
    return {key: lasts[key] for key in keys if key in lasts}
