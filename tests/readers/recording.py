"""A recording of every table, several files each, over two UTC days: made by the real renderer from whole segments."""

import pyarrow as pa
import pyarrow.compute as pc
from tape import Tape

from recorder import schema
from recorder.journal import folder
from recorder.render.recover import recover
from recorder.render.tables import plain, render
from recorder.wire.layouts import BAR, DEPTH, DEPTH_L2, GREEKS, LAYOUTS, frame

EVENING = 1_772_755_199_000_000
"""2026-03-05 23:59:59 UTC in microseconds: a tape from here is soon on its second day."""

LINES = {
    "AAPL": (3, "level1"),
    "0700": (4, "level1"),
    "SIX FP": (5, "trades"),
    "ES": (6, "depth"),
    "EUR": (8, "bars", "MIDPOINT"),
}

VALUES = {
    "tick_type": 1, "price": 187.25, "size": 8.722e-05, "attribs": 3, "value": -1.5, "text": "é;1", "attrib": 1,
    "implied_vol": 0.25, "delta": -0.5, "option_price": 3.25, "gamma": 0.0625, "vega": 0.375, "theta": -0.75,
    "ts_event": 1_772_755_198, "exchange": "ARCA", "conditions": " TI", "bid": 187.25, "ask": 187.5, "bid_size": 100,
    "ask_size": 0.5, "position": 3, "operation": 1, "side": 0, "market_maker": "ARCA", "smart": 1, "open": 1.5,
    "high": 1.75, "low": 1.25, "close": 1.625, "volume": 1234.5, "wap": 1.5625, "count": 17, "min_tick": "0.01",
    "con_id": "5543",
}  # fmt: skip
"""What stands in a message's fields; what is missing is sent empty."""

SPARSE = {"symbol": "0700", "con_id": 2**31 + 5, "sec_type": "STK"}

INSTRUMENT = {
    name: 0.1 if kind == "double" else 2**31 + 5 if kind == "int64" else f'{name}, "Größe"'
    for name, kind in zip(
        schema.schema("instruments").names, map(str, schema.schema("instruments").types), strict=True
    )
    if name != "ts_recv"
}

GAP = {
    "symbol": "AAPL", "stream": "level1", "text": "farm", "reason": "farm", "code": 2103,
    "ts_start": EVENING - 5_000_000, "seq_start": 0,
}  # fmt: skip


def every_message(number):
    """One message of every layout, some of them twice: with all fields, and with nearly none."""
    for layout in LAYOUTS:
        req = {DEPTH: 6, DEPTH_L2: 6, BAR: 8}.get(layout, (3, 4)[number % 2])
        for variant in layout.variants or (0,):
            own = {"variant": variant, "text": "3"} if layout.msg_id == 58 else {"variant": variant}
            yield layout.encode(5 if layout.variants else req, VALUES | own | {"price": 187.25 + number})
    yield GREEKS.encode(3, {"tick_type": 300})
    yield frame("2", "6", "4", "8", "")
    yield frame("4", "2", "3", "354", "not subscribed", "")
    yield frame("4", "2", "-1", "2104", "farm OK", "")
    yield frame("4", "2", "6", "317", "reset", "")
    yield frame("777", "6", "who knows")
    yield frame("777", "", "")
    yield frame("", "x")


def evening(rounds, seq=1, ts=EVENING):
    """A tape of that many segments, each with every kind of record and a row for every table at least."""
    tape = Tape(seq, ts)
    tape.open(**LINES)
    for number in range(rounds):
        _round(tape, number)
        tape.roll()
    return tape


def _round(tape, number):
    data = b"".join(every_message(number))
    for at in range(0, len(data), 500):
        tape.read(data[at : at + 500])
    tape.control("clock_step", symbol=None, text="the clock was set by +1.000 s")
    for instrument in (INSTRUMENT, SPARSE):
        tape.control("qualified", symbol=instrument["symbol"], text="con_id 9", instrument=instrument)
    tape.control("gap_start", **GAP)
    tape.control("gap_end", **GAP, ts_end=tape.ts, seq_end=tape.seq)
    filled = {"symbol": "SIX FP", "stream": "trades", "con_id": 1005, "trade_kind": "all_last", "done": True}
    ticks = [["1772755190", "187.5", "100", "0", "ARCA", ""]]
    tape.control("backfill", **filled, ticks=ticks, cursor=1_772_755_191, seq_start=0, ts_end=tape.ts)
    tape.seq += len(ticks)
    tape.ts += 400_000
    tape.read(frame("2", "6", "3", "5", "100")[:7])  # the next segment begins with the rest of it
    tape.roll()
    tape.read(frame("2", "6", "3", "5", "100")[7:])


def made(root, tape):
    """The tape as a recording, or behind what there is of one, all of it published."""
    checkpoint = folder.create(root)
    for number, content in enumerate(tape.contents(), checkpoint.next_segment):
        staged = root / "staging" / "segment"
        staged.write_bytes(content)
        staged.rename(folder.segment_path(root, number))
        assert [done.lost for done in recover(root)] == [0]


def published(root):
    """Some more rows behind what there is."""
    checkpoint = folder.load(root)
    made(root, evening(1, checkpoint.next_seq, checkpoint.last_ts))


def truth(tape):
    """Every table of the tape as it should be read back, with the day of each row; by ``ordered``."""
    parts = {name: [schema.schema(name).empty_table()] for name in schema.TABLES}
    for content in tape.contents():
        for name, table in render(content).tables.items():
            parts[name].append(plain(table, name))
    return {name: ordered(dated(pa.concat_tables(tables), name)) for name, tables in parts.items()}


def dated(rows, table):
    """The rows with the ``date`` of the folder they lie in."""
    return rows.append_column("date", pc.cast(rows["ts_end" if table == "gaps" else "ts_recv"], pa.date32()))


def ordered(rows):
    """The rows in one order, whoever read them."""
    keys = [name for name in ("seq", "seq_end", "ts_recv") if name in rows.column_names]
    return rows.sort_by([(keys[0], "ascending")])
