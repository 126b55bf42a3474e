"""Trades and bars, against tapes worked out by hand."""

from datetime import timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import recorder
from recorder.reader.derive import bars, life, trades


def tick(seq, kind, price=None, size=None, text=None):
    stamp = f"10:00:{seq:02d}"
    return {"ts_recv": stamp, "seq": seq, "tick_type": kind, "price": price, "size": size, "text": text}


def event(seq, kind, symbol=None, stream=None):
    return {"ts_recv": f"10:00:{seq:02d}", "seq": seq, "kind": kind, "symbol": symbol, "stream": stream}


def told(made, ticks, events=()):
    own = life.of_stream(made("events", events, None), made("gaps", []), "AAPL", "level1")
    rows = trades.from_level1(made("level1", ticks), own).to_pylist()
    return [(row["seq"], row["price"], row["size"], row["initial"], row["source"]) for row in rows]


def test_last_counts_once_and_its_repeated_size_never(made):
    ticks = [
        tick(1, 4, 10.0, 3.0),
        tick(2, 5, size=3.0),
        tick(3, 4, 10.1, 2.0),
        tick(4, 5, size=2.0),
        tick(5, 8, size=99.0),
    ]
    assert [(1, 10.0, 3.0, True, "last"), (3, 10.1, 2.0, False, "last")] == told(made, ticks)


def test_each_subscription_begins_with_the_trade_before_it(made):
    ticks = [tick(1, 4, 10.0, 3.0), tick(2, 4, 10.1, 3.0), tick(4, 4, 10.1, 3.0), tick(5, 4, 10.2, 1.0)]
    found = told(made, ticks, [event(3, "disconnected")])
    assert [True, False, True, False] == [row[3] for row in found]


def test_a_subscription_with_rt_volume_is_read_from_it_alone(made):
    ticks = [
        tick(1, 4, 10.0, 3.0),
        tick(2, 48, text=";0;1795341600000;7;9.9;false"),  # no trade
        tick(3, 4, 10.1, 2.0),
        tick(4, 48, text="10.1;2.0000;1795341603123;9;9.95;true"),
        tick(5, 48, text="rubbish"),
        tick(7, 4, 10.5, 1.0),
    ]
    found = told(made, ticks, [event(6, "disconnected")])
    assert [(4, 10.1, 2.0, False, "rt_volume"), (7, 10.5, 1.0, True, "last")] == found


def test_rt_volume_tells_the_millisecond_of_the_trade(made):
    own = life.of_stream(made("events", []), made("gaps", []), "AAPL", "level1")
    rows = made("level1", [tick(1, 48, text="1.5E1;8.722e-05;1795341603123;9;9.95;true")])
    found = trades.from_level1(rows, own).to_pylist()[0]
    moment = pd.Timestamp(1795341603123, unit="ms", tz="UTC")
    assert (15.0, 8.722e-05, moment) == (found["price"], found["size"], found["ts_event"])


def test_an_index_trades_without_size_and_no_trade_is_no_row(made):
    found = told(made, [tick(1, 4, 5000.0, None), tick(2, 4, -1.0, 0.0), tick(3, 4, 5001.0, None)])
    assert [(1, 5000.0, None, True, "last"), (3, 5001.0, None, False, "last")] == found


def test_delayed_trades_count_where_no_live_one_came(made):
    ticks = [tick(1, 68, 10.0, 1.0), tick(2, 71, size=1.0), tick(4, 68, 11.0, 1.0), tick(5, 4, 11.0, 1.0)]
    found = told(made, ticks, [event(3, "disconnected")])
    assert [(1, "last_delayed"), (5, "last")] == [(row[0], row[-1]) for row in found]


def test_tick_by_tick_trades_replace_level1_while_subscribed(tape):
    tape.write("level1", [tick(1, 4, 10.0, 1.0), tick(4, 4, 11.0, 1.0), tick(6, 4, 12.0, 1.0)])
    tape.write(
        "events", [event(2, "subscribed", "AAPL", "trades"), event(5, "unsubscribed", "AAPL", "trades")]
    )
    both = {"price": 11.0, "size": 1.0, "exchange": "NYSE", "past_limit": False, "unreported": True}
    tape.write("trades", [{"ts_recv": "10:00:03", "ts_event": "10:00:03", "seq": 3} | both])
    found = recorder.open(tape.root).trades("AAPL")
    assert [(1, "last"), (3, "tick_by_tick"), (6, "last")] == list(zip(found.seq, found.source, strict=True))
    assert ("NYSE", True, False) == (found.exchange[1], found.unreported[1], found.initial[1])


def trade(stamp, seq, price, size, initial=False):
    own = {"symbol": "AAPL", "con_id": 1, "source": "tick_by_tick", "initial": initial}
    return {"ts_recv": stamp, "seq": seq, "price": price, "size": size} | own


def test_bars_worked_out_by_hand(at):
    tape = [
        trade(at("09:59:58"), 1, 99.0, 50.0, initial=True),
        trade(at("10:00:00"), 2, 10.0, 1.0),
        trade(at("10:00:59.999999"), 3, 12.0, 3.0),
        trade(at("10:01:00"), 4, 11.0, 2.0),
        trade(at("10:03:30"), 5, 9.0, None),
    ]
    found = bars.from_trades(pa.Table.from_pylist(tape, schema=trades.SCHEMA), "1min").to_pylist()
    expected = [
        (at("10:00"), 10.0, 12.0, 10.0, 12.0, 4.0, 2, 11.5),
        (at("10:01"), 11.0, 11.0, 11.0, 11.0, 2.0, 1, 11.0),
        (at("10:03"), 9.0, 9.0, 9.0, 9.0, None, 1, None),
    ]
    names = ("ts", "open", "high", "low", "close", "volume", "count", "vwap")
    assert expected == [tuple(row[name] for name in names) for row in found]


def test_a_bar_of_several_sources_says_so(at):
    tape = [
        trade(at("10:00:01"), 1, 10.0, 1.0),
        trade(at("10:00:02"), 2, 11.0, 1.0) | {"source": "rt_volume"},
        trade(at("10:01:01"), 3, 11.0, 1.0) | {"source": "rt_volume"},
    ]
    found = bars.from_trades(pa.Table.from_pylist(tape, schema=trades.SCHEMA), "1min")
    assert ["mixed", "rt_volume"] == found["source"].to_pylist()


@pytest.mark.parametrize("interval", ["5s", "5000ms", timedelta(seconds=5), pd.offsets.Second(5)])
def test_a_length_may_be_said_in_many_ways(interval):
    assert 5_000_000 == bars.length(interval)


@pytest.mark.parametrize("interval", ["0s", "-1min", "1ME", "soon", "", 5.5, None])
def test_what_is_no_length_is_refused_with_what_is(interval):
    with pytest.raises(ValueError, match="write 5s, 1min, 1h or 1D"):
        bars.length(interval)


def test_a_single_unit_is_one_of_it():
    assert [60_000_000, 86_400_000_000] == [bars.length("min"), bars.length("D")]


MOMENTS = st.integers(0, 200_000_000)
TRADES = st.lists(
    st.tuples(MOMENTS, st.integers(1, 50), st.none() | st.integers(0, 9), st.booleans()), max_size=40
)


@given(TRADES, st.sampled_from(["1s", "7s", "1min"]))
def test_bars_are_those_of_a_naive_loop(tape, interval):
    start, length = 1_795_341_600_000_000, bars.length(interval)
    rows = [
        {
            "ts_recv": start + ts,
            "seq": n,
            "symbol": "A",
            "price": float(p),
            "size": s,
            "initial": i,
            "source": "x",
        }
        for n, (ts, p, s, i) in enumerate(tape)
    ]
    groups = {}
    for row in rows:
        if not row["initial"]:
            groups.setdefault(row["ts_recv"] // length * length, []).append(row)
    expected = []
    for ts, group in sorted(groups.items()):
        prices, sizes = (
            [row["price"] for row in group],
            [row["size"] for row in group if row["size"] is not None],
        )
        volume = float(sum(sizes)) if sizes else None
        paid = sum(row["price"] * row["size"] for row in group if row["size"] is not None)
        vwap = paid / volume if volume else None
        expected.append((ts, prices[0], max(prices), min(prices), prices[-1], volume, len(prices), vwap))
    found = bars.from_trades(pa.Table.from_pylist(rows, schema=trades.SCHEMA), interval)
    found = found.set_column(0, "ts", found["ts"].cast(pa.int64())).drop_columns(["symbol", "source"])
    assert expected == [tuple(row.values()) for row in found.to_pylist()]


def quote(seq, kind, price):
    return {"ts_recv": f"10:00:{seq:02d}", "seq": seq, "tick_type": kind, "price": price, "size": 1.0}


def test_a_line_that_only_quotes_gets_bars_of_its_midpoint(tape):
    tape.write("level1", [quote(1, 1, 1.0), quote(2, 2, 1.2), quote(3, 1, 1.1)], symbol="EURUSD")
    found = recorder.open(tape.root).bars("EURUSD", "1min").iloc[0]
    assert (1.1, 1.15, 2, "level1") == (found.open, round(found.close, 9), found["count"], found.source)
    assert pd.isna(found.volume)
    assert pd.isna(found.vwap)


def test_recorded_midpoints_are_preferred_to_quotes(tape):
    tape.write("level1", [quote(1, 1, 1.0), quote(2, 2, 1.2)], symbol="EURUSD")
    tape.write("midpoints", [{"ts_recv": "10:00:03", "seq": 3, "price": 1.15}], symbol="EURUSD")
    found = recorder.open(tape.root).bars("EURUSD", "1min")
    assert [(1.15, "midpoints")] == list(zip(found.close, found.source, strict=True))


def test_without_a_length_the_recorded_bars_come(tape):
    tape.write(
        "bars", [{"ts_recv": "10:00:05", "ts_event": "10:00:00", "seq": 1, "open": 1.0, "show": "TRADES"}]
    )
    assert ["TRADES"] == recorder.open(tape.root).bars("AAPL")["show"].tolist()
