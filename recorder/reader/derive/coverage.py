"""Who was recorded when, in numbers.

Rules:
- Seconds count once, however many gaps lie over them; by reason each gap counts whole.
- What is missing is a gap's time less what of it was filled later and what of it the market was closed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from recorder import schema
from recorder.reader.derive.timeline import Account, Piece
from recorder.reader.derive.told import Gap, Key
from recorder.wire.stretches import merged

SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("stream", pa.string()),
        ("first", schema.TIME),
        ("last", schema.TIME),
        ("rows", pa.int64()),
        ("recorded_seconds", pa.float64()),
        ("gap_seconds", pa.float64()),
        ("closed_seconds", pa.float64()),
        ("filled_seconds", pa.float64()),
        ("missing_seconds", pa.float64()),
        ("gaps", pa.int64()),
        ("reasons", pa.string()),
        ("open_gap", schema.TIME),
        ("removed", schema.TIME),
    ]
)
"""``first``, ``last``: of its rows. ``recorded_seconds``, ``gap_seconds``: whatever the market did;
``closed_seconds``: of both, while it was closed; ``missing_seconds``: of the gaps, while it was not, less
``filled_seconds``. ``gaps``: how many. ``reasons``: seconds of gaps by reason, the longest first. ``open_gap``:
begin of a gap that has not ended, null where there is none. ``removed``: since when it is not in the watchlist any
more, null where it is; from then on it is neither recorded nor missing."""


def coverage(counts: pa.Table, accounts: dict[Key, Account]) -> pa.Table:
    """One row a line and stream, by name.

    Args:
        counts: ``symbol``, ``stream``, ``rows``, ``first``, ``last`` of what was received in the window.
        accounts: the streams' time in the window.
    """
    counted = {(row["symbol"], row["stream"]): row for row in counts.to_pylist()}
    rows = []
    for key in sorted({*counted, *accounts}):
        named = {"symbol": key[0], "stream": key[1], "rows": 0}
        rows.append(named | counted.get(key, {}) | _row(accounts.get(key, Account())))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _row(account: Account) -> dict[str, Any]:
    pieces = account.pieces()
    return {
        "recorded_seconds": _seconds(account.live),
        "gap_seconds": _seconds(merged((gap.begin, gap.end) for gap in account.gaps)),
        "closed_seconds": _spent(pieces, "closed"),
        "filled_seconds": _spent(pieces, "filled"),
        "missing_seconds": _spent(pieces, "gap"),
        "gaps": len(account.gaps),
        "reasons": _reasons(account.gaps),
        "open_gap": account.open_gap,
        "removed": account.removed,
    }


def _seconds(stretches: Iterable[tuple[int, int]]) -> float:
    return sum(end - begin for begin, end in stretches) / 1e6


def _spent(pieces: Iterable[Piece], what: str) -> float:
    return _seconds((piece.begin, piece.end) for piece in pieces if piece.what == what)


def _reasons(gaps: Sequence[Gap]) -> str:
    seconds: defaultdict[str, float] = defaultdict(float)
    for gap in gaps:
        seconds[gap.reason] += (gap.end - gap.begin) / 1e6
    longest = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {length:.1f} s" for reason, length in longest)
