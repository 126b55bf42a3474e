"""A tape's segments as the journal of a recording, and what the renderer made of them."""

import pyarrow.parquet as pq
from tape import NOON, Tape

from recorder import schema
from recorder.journal import folder
from recorder.journal.format import dump
from recorder.wire.layouts import frame

AAPL = {"symbol": "AAPL", "stream": "level1"}
GAP = AAPL | {"reason": "farm", "code": 2103, "ts_start": NOON - 5000, "seq_start": 1}
LINES = [AAPL, {"symbol": "ES", "stream": "depth"}, {"symbol": "INTC", "stream": "trades"}]
BACKFILL = {
    "symbol": "ES", "stream": "trades", "con_id": 5, "trade_kind": "all_last", "cursor": 1_795_000_001, "done": True,
    "ticks": [["1795000000", "187.5", "100", "0", "ARCA", ""]] * 3, "seq_start": 1, "ts_end": NOON,
}  # fmt: skip


def bid(value, req=3):
    return frame("1", "6", str(req), "1", str(value), "5", "1")


def spoken(tape, first, count, base=0):
    """Every kind of message, in reads that cut frames; request ids begin behind ``base``."""
    aapl, es, intc = (str(base + req) for req in (3, 4, 5))
    kinds = [
        bid(first, aapl), frame("12", "1", es, "0", "0", "1", "6612.25", "3"), frame("200", aapl, "what"),
        frame("99", intc, "1", "1795000000", "36.5", "100", "0", "ARCA", ""), frame("4", "2", aapl, "2103", "farm"),
        frame("21", aapl, "13", "0", "0.2", "0.5", "3", "0", "0.01", "0.1", "-0.1", "600"),
    ]  # fmt: skip
    data = b"".join(kinds * count)
    for at in range(0, len(data), 57):
        tape.read(data[at : at + 57])


def whole_tape(count=1):
    """Two segments: one with every kind of record, that ends within a frame, and the one behind it."""
    tape = Tape()
    tape.control("session_start", text="x")
    tape.open(AAPL=(3, "level1"), ES=(4, "depth"), INTC=(5, "trades"))
    tape.read(bid(0)[:9])
    tape.roll()
    tape.read(bid(0)[9:])
    spoken(tape, 1, count)
    tape.control("gap_start", **GAP)
    tape.control("gap_end", **GAP, ts_end=NOON, seq_end=2)
    tape.control("qualified", symbol="AAPL", instrument={"symbol": "AAPL", "con_id": 1003, "sec_type": "STK"})
    tape.add("C", dump({"kind": "backfill", **BACKFILL}))
    tape.seq += 4
    for line in LINES:
        tape.control(
            "gap_start", **line, reason="disconnected", code=None, ts_start=NOON, seq_start=tape.seq - 1
        )
    tape.control("disconnected", text="gone")
    tape.open(AAPL=(13, "level1"), ES=(14, "depth"), INTC=(15, "trades"))
    spoken(tape, 2, count, base=10)
    tape.roll()
    tape.read(bid(3, 13))
    return tape


def written(root, tape):
    """A recording whose journal is the tape."""
    folder.create(root)
    for index, bytes_of in enumerate(tape.contents(), 1):
        folder.segment_path(root, index).write_bytes(bytes_of)
    return root


def recorded(root):
    """Every row in Parquet: table name to a list of dicts, by number."""
    tables = {table: [] for table in schema.TABLES}
    for table in schema.TABLES:
        for path in sorted((root / table).glob("date=*/*.parquet")):
            tables[table] += pq.read_table(path, partitioning=None).to_pylist()
    return {table: sorted(rows, key=lambda row: row.get("seq", 0)) for table, rows in tables.items()}
