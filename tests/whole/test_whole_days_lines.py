"""Lines whose contract is not what it seemed, each a line of one recording: what the tables show of it."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from daemon import table, until, write_config
from hurried import hurried
from lines import Line, Market, events, gaps, notice, prove_whole, reasons, rows, surrounds
from scripted import contract_details, scripted

from recorder.wire.layouts import frame

FINE, AMBIGUOUS, UNKNOWN = ("FINE", "level1"), ("TWICE", "level1"), ("NONE", "level1")
REJECTED, UNANSWERED = ("REJECT", "level1"), ("SHY", "level1")
FUTURE, CFD, BOOK, LATE = ("ESZ6", "level1"), ("IBUS30", "level1"), ("DEEP", "depth"), ("LATE", "level1")
CON_IDS = {"FINE": 1, "TWICE": 2, "NONE": 3, "REJECT": 4, "SHY": 5, "LATE": 6, "DEEP": 7, "IBUS30": 8}
FRONT, NEXT = 501, 502
OTHER_CFD, OTHER_BOOK = 701, 702
DAILY, SLOW, PASSING, ANSWER = 1.5, 1.0, 0.5, 0.5
"""Seconds; ``ANSWER``: how long the gateway may take for one."""

TIMING = {"settled": 0.5, "daily": DAILY, "slow": SLOW, "passing": PASSING}
WATCHLIST = [
    "{type: stock, symbol: TWICE}", "{type: stock, symbol: NONE}", "{type: stock, symbol: REJECT}",
    "{type: stock, symbol: SHY}", "{type: stock, symbol: FINE}", "{type: stock, symbol: LATE}",
    "{type: continuous_future, symbol: ES, exchange: CME}", "{type: cfd, symbol: IBUS30}",
    "{type: stock, symbol: DEEP, streams: [depth]}",
]  # fmt: skip


def reroutes(msg_id, con_id):
    return lambda req: (frame(str(msg_id), str(req), str(con_id), "NYSE"), False)


@dataclass
class Catalogue:
    """What the gateway knows of contracts; it grows with the questions."""

    at: dict[str, list[float]] = field(default_factory=dict)
    """Symbol to when it was asked about."""
    rolled: bool = False

    async def looked_up(self, conversation, req, fields):
        symbol = fields[4]
        times = self.at.setdefault(symbol, [])
        times.append(time.monotonic())
        conversation.send(self._answer(req, symbol, len(times)))

    def _answer(self, req, symbol, nth):
        end = frame("52", "1", req)
        if symbol == "ES":
            name, con_id = ("ESH7", NEXT) if self.rolled else ("ESZ6", FRONT)
            return contract_details(req, con_id, name, "CONTFUT") + end
        first = {
            "TWICE": contract_details(req, 61, symbol) + contract_details(req, 62, symbol) + end,
            "NONE": notice(200, req),
            "REJECT": notice(321, req),
            "SHY": b"",
        }
        known = contract_details(req, CON_IDS[symbol], symbol) + end
        return first.get(symbol, known) if nth < 3 else known


@dataclass(frozen=True)
class Day:
    root: Path
    market: Market
    catalogue: Catalogue


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines")
    keys = (FINE, AMBIGUOUS, UNKNOWN, REJECTED, UNANSWERED, FUTURE)
    lines = {key: Line() for key in keys} | {LATE: Line(late=3)}
    lines |= {CFD: Line(answers=[reroutes(91, OTHER_CFD)]), BOOK: Line(answers=[reroutes(92, OTHER_BOOK)])}
    market = Market(lines, {FRONT: "ESZ6", NEXT: "ESZ6", OTHER_CFD: "IBUS30", OTHER_BOOK: "DEEP"})
    catalogue = Catalogue()
    asyncio.run(_record(folder, market, catalogue))
    return Day(folder / "data", market, catalogue)


async def _record(folder, market, catalogue):
    async with scripted(**market.hooks, looked_up=catalogue.looked_up) as gateway, market.open():
        config = write_config(folder, gateway.port, *WATCHLIST)
        text = config.read_text()
        config.write_text(text.replace("connect_timeout_seconds: 5", f"connect_timeout_seconds: {ANSWER}"))
        async with hurried(config, **TIMING):
            await until(market.flows(FINE, LATE, FUTURE, CFD, BOOK))
            catalogue.rolled = True
            market.says(LATE, 10182, ends=False)
            await until(market.flows())
            await until(lambda: market.asked(FUTURE)[-1].con_id == NEXT)
            await until(market.flows())


def test_whatever_a_line_turns_out_to_be_every_tick_is_one_row_or_in_a_gap(day):
    prove_whole(day.root, day.market)


def test_the_line_beside_them_is_never_touched(day):
    assert day.market.of(FINE) == [("asked", 0), ("cancelled", 0)]
    assert reasons(day.root, FINE) == []


def test_an_ambiguous_line_says_what_fits_and_is_recorded_once_it_is_one_contract(day):
    told = events(day.root, "refused", "TWICE")
    assert told["code"].tolist() == [200, 200]
    assert all("con_id 61: " in text and "con_id 62: " in text for text in told["text"])
    assert [request.con_id for request in day.market.asked(AMBIGUOUS)] == [CON_IDS["TWICE"]]


@pytest.mark.parametrize(
    ("key", "gap", "wait"),
    [
        (AMBIGUOUS, ("refused", 200), DAILY),
        (UNKNOWN, ("refused", 200), DAILY),
        (REJECTED, ("refused", 321), SLOW),
        (UNANSWERED, ("not_subscribed", None), ANSWER + PASSING),
    ],
)
def test_a_line_without_a_contract_is_in_a_gap_and_asked_about_again(day, key, gap, wait):
    first, second, third, *_ = day.catalogue.at[key[0]]
    assert wait <= min(second - first, third - second) <= max(second - first, third - second) < wait + 0.7
    assert reasons(day.root, key) == [gap]
    received = rows(day.root, key)
    assert gaps(day.root, key)["seq_end"].iloc[0] == received["seq"].iloc[0]
    assert gaps(day.root, key)["seq_start"].iloc[0] < events(day.root, "subscribed", key[0])["seq"].iloc[0]
    assert [what for what, _ in day.market.of(key)] == ["asked", "cancelled"]


def test_a_continuous_future_rolls_under_one_name(day):
    assert [request.con_id for request in day.market.asked(FUTURE)] == [FRONT, NEXT]
    assert day.market.of(FUTURE) == [(what, n) for n in range(2) for what in ("asked", "cancelled")]
    received = rows(day.root, FUTURE)
    assert received["con_id"].is_monotonic_increasing
    assert set(received["con_id"]) == {FRONT, NEXT}
    assert reasons(day.root, FUTURE) == [("roll", None)]
    assert surrounds(day.root, FUTURE, gaps(day.root, FUTURE).iloc[0], under_way=5)
    told = events(day.root, "rolled")
    assert told[["symbol", "text"]].to_numpy().tolist() == [["ESZ6", f"con_id {FRONT} -> {NEXT}"]]
    listed = table(day.root, "instruments")
    assert set(listed[listed["symbol"] == "ESZ6"]["local_symbol"]) == {"ESZ6", "ESH7"}


@pytest.mark.parametrize(("key", "con_id"), [(CFD, OTHER_CFD), (BOOK, OTHER_BOOK)])
def test_what_ib_has_elsewhere_is_asked_for_there(day, key, con_id):
    assert [request.con_id for request in day.market.asked(key)] == [CON_IDS[key[0]], con_id]
    assert set(rows(day.root, key)["con_id"]) == {con_id}
    told = events(day.root, "rerouted")
    told = told[told["symbol"] == key[0]]
    assert told[["stream", "text"]].to_numpy().tolist() == [[key[1], f"con_id={con_id} exchange=NYSE"]]
    assert reasons(day.root, key) == [("rerouted", None)]
    assert gaps(day.root, key)["seq_end"].iloc[0] == rows(day.root, key)["seq"].iloc[0]


def test_ticks_of_a_request_that_is_cancelled_already_are_rows_of_their_line(day):
    gap = gaps(day.root, LATE).iloc[0]
    assert (gap["reason"], gap["code"]) == ("updates_dropped", 10182)
    told = events(day.root, "unsubscribed", "LATE")["seq"].iloc[0]
    received = rows(day.root, LATE)
    late = received[(received["seq"] > told) & (received["seq"] < gap["seq_end"])]
    assert len(late) >= day.market.lines[LATE].late
    assert gap["ts_start"] <= late["ts"].iloc[0] <= late["ts"].iloc[-1] <= gap["ts_end"]
