import asyncio
import datetime as dt
import json
from pathlib import Path

import pytest
from ib_async import CFD, IB, Bond, ContFuture, Contract, Crypto, Forex, Future, Index, Option, Stock
from ib_async.decoder import Decoder
from ibapi.contract import Contract as OfficialContract

from recorder.simulator import Simulator
from recorder.simulator.contracts import Query
from recorder.simulator.details import details, symbol_samples
from recorder.simulator.hours import CME, CRYPTO, US_STOCKS, trading_hours
from recorder.simulator.universe import derived_id, third_friday, universe

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "tws-messages.jsonl"
TODAY = dt.date(2026, 11, 22)
NOW = 1_795_366_800.0  # that Sunday, 17:00 UTC
SMART = {"exchange": "SMART", "currency": "USD"}

SAMPLE = {
    "stock": Query(symbol="AAPL", sec_type="STK", **SMART),
    "primary": Query(symbol="INTC", sec_type="STK", primary="NASDAQ", **SMART),
    "forex": Query(symbol="EUR", sec_type="CASH", currency="USD", exchange="IDEALPRO"),
    "cfd": Query(symbol="IBUS30", sec_type="CFD", **SMART),
    "future": Query(symbol="ES", sec_type="FUT", expiry="202612", exchange="CME", currency="USD"),
    "continuous": Query(symbol="ES", sec_type="CONTFUT", exchange="CME", currency="USD"),
    "option": Query(symbol="SPY", sec_type="OPT", expiry="20261218", strike=600.0, right="C", **SMART),
    "later": Query(symbol="SPY", sec_type="OPT", expiry="20270115", strike=600.0, right="P", **SMART),
    "index": Query(symbol="SPX", sec_type="IND", exchange="CBOE", currency="USD"),
    "crypto": Query(symbol="BTC", sec_type="CRYPTO", exchange="PAXOS", currency="USD"),
    "bond": Query(sec_type="BOND", sec_id_type="ISIN", sec_id="US03076KAA60", **SMART),
    "cusip": Query(symbol="03076KAA6", sec_type="BOND", **SMART),
    "con_id": Query(con_id=270639),
}


@pytest.mark.parametrize("today", [TODAY, dt.date(2027, 11, 22), dt.date(2031, 2, 28)])
@pytest.mark.parametrize("kind", SAMPLE)
def test_what_the_sample_watchlist_names_is_exactly_one_contract_on_any_day(kind, today):
    assert 1 == len(universe(today).lookup(SAMPLE[kind]))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(symbol="AAPL", sec_type="STK"), 27),
        (Query(symbol="AAPL", sec_type="STK", exchange="SMART"), 4),
        (Query(symbol="AAPL", sec_type="STK", currency="MXN"), 2),
        (Query(symbol="AAPL", sec_type="STK", currency="CHF", exchange="EBS"), 1),
        (Query(symbol="AAPL", sec_type="STK", exchange="ISLAND", currency="USD"), 1),
        (Query(symbol="AAPL", sec_type="STK", exchange="IDEALPRO"), 0),
        (Query(symbol="aapl", sec_type="STK", **SMART), 1),
        (Query(symbol="AAPL", sec_type="STK", primary="NYSEX", **SMART), 0),
        (Query(symbol="AAPL", sec_type="OPT", **SMART), 0),
        (Query(symbol="NONE", sec_type="STK", **SMART), 0),
        (Query(con_id=270639, exchange="NYSE"), 1),
        (Query(con_id=270639, symbol="AAPL"), 0),
        (Query(con_id=1), 0),
        (Query(sec_id_type="ISIN", sec_id="US0378331005", **SMART), 1),
        (Query(sec_id_type="CUSIP", sec_id="US0378331005"), 0),
        (Query(sec_id_type="CUSIP", sec_id="03076KAA6", sec_type="BOND"), 1),
        (Query(local_symbol="SPY   261218C00600000", sec_type="OPT", exchange="SMART"), 1),
        (Query(local_symbol="EUR.USD", sec_type="CASH"), 1),
        (Query(symbol="SPY", sec_type="OPT", expiry="20261218", strike=600.0, **SMART), 2),
        (Query(symbol="SPY", sec_type="OPT", expiry="202612", strike=600.0, right="PUT", **SMART), 1),
        (Query(symbol="SPY", sec_type="OPT", expiry="20261218", strike=601.0, **SMART), 0),
        (Query(symbol="SPY", sec_type="OPT", multiplier="10", **SMART), 0),
        (Query(symbol="ES", sec_type="FUT", exchange="CME", trading_class="MES"), 0),
        (Query(symbol="ES", sec_type="FUT", expiry="20261218"), 2),
    ],
)
def test_every_field_given_must_match(query, count):
    assert count == len(universe(TODAY).lookup(query))


def test_expired_futures_are_found_only_when_asked_for():
    query = {"symbol": "ES", "sec_type": "FUT", "exchange": "CME"}
    known = universe(TODAY)
    live, all_of_them = known.lookup(Query(**query)), known.lookup(Query(**query, include_expired=True))
    ended = {one.instrument.expiry for one in all_of_them} - {one.instrument.expiry for one in live}
    assert {"20260619", "20260918"} == ended


def test_the_continuous_future_has_the_front_months_con_id():
    known = universe(dt.date(2026, 12, 19))
    continuous = known.lookup(SAMPLE["continuous"])[0].instrument
    assert "20270319" == continuous.expiry
    assert "FUT" == known.by_con_id(continuous.con_id).sec_type


def test_con_ids_and_isins_are_unique_and_stable():
    instruments = [one for one in universe(TODAY).instruments if one.sec_type != "CONTFUT"]
    assert len(instruments) == len({one.con_id for one in instruments})
    assert derived_id("ESZ6 2026") == derived_id("ESZ6 2026") < 2**31
    assert dt.date(2026, 12, 18) == third_friday(2026, 12)
    bonds = [dict(one.sec_ids)["ISIN"] for one in instruments if one.sec_type == "BOND"]
    assert ["US03076KAA60", "US912810PT97"] == bonds


def test_a_symbol_search_finds_symbols_and_names():
    known = universe(TODAY)
    assert {"INTC"} == {one.symbol for one in known.search("intel")}
    assert 16 == len(known.search("SIM"))


def listing(kind):
    return universe(TODAY).lookup(SAMPLE[kind])[0]


def fields_of(frame):
    assert len(frame) - 4 == int.from_bytes(frame[:4], "big")
    return frame[4:].decode("ascii").split("\0")[:-1]


@pytest.mark.parametrize(("version", "extra"), [(157, -1), (162, -1), (163, 0), (164, 0), (173, 0), (178, 0)])
@pytest.mark.parametrize("kind", [kind for kind in SAMPLE if kind not in {"bond", "cusip"}])
def test_message_10_has_the_fields_of_its_version(kind, version, extra):
    one = listing(kind)
    # Below 164: one field more for the version, one for the multiplier, none (163: one) of the three size rules.
    expected = 40 + 2 * len(one.instrument.sec_ids) + extra
    assert expected == len(fields_of(details(4, one, version, NOW)))


@pytest.mark.parametrize(("version", "extra"), [(157, -1), (163, -1), (164, 0), (178, 0)])
def test_message_18_has_the_fields_of_its_version(version, extra):
    fields = fields_of(details(4, listing("bond"), version, NOW))
    assert 36 + 4 + extra == len(fields)
    assert "4.5" in fields


def test_details_agree_with_recorded_ones_field_by_field_where_they_are_facts():
    if not CORPUS.exists():
        pytest.skip("no corpus here")
    rows = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    real = next(row["fields"] for row in rows if row["msg_id"] == 10 and row["server_version"] == 165)
    tsla = universe(TODAY).lookup(Query(symbol="TSLA", sec_type="STK", **SMART))[0]
    ours = fields_of(details(9001, tsla, 165, 1_672_300_800.0))
    facts = [*range(14), 14, 17, 18, 19, 20, 21, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 38, 39]
    differing = {n: (real[n], ours[n]) for n in facts if n < 39 and real[n] != ours[n]}
    holidays = {26, 27}  # ours knows New Year's Day, not the day it is observed on
    assert set() == differing.keys() - holidays
    assert len(real) == len(ours)


def test_symbol_samples_gain_two_fields_at_176():
    found = universe(TODAY).search("INTC")
    assert len(fields_of(symbol_samples(1, found, 176))) == len(fields_of(symbol_samples(1, found, 175))) + 2


def test_hours_are_in_the_real_format():
    trading, liquid = trading_hours(US_STOCKS, NOW)
    assert trading.startswith("20261122:CLOSED;20261123:0400-20261123:2000;20261124:")
    assert liquid.startswith("20261122:CLOSED;20261123:0930-20261123:1600;20261124:")
    assert trading_hours(CME, NOW)[0].startswith("20261122:1700-20261123:1600;20261123:1700-20261124:1600")
    assert "CLOSED" not in trading_hours(CRYPTO, NOW)[0]


IB_ASYNC = [
    (Stock("AAPL", "SMART", "USD"), 265598),
    (Stock("INTC", "SMART", "USD", primaryExchange="NASDAQ"), 270639),
    (Forex("EURUSD"), 12087792),
    (CFD("IBUS30", "SMART", "USD"), 111987407),
    (Future("ES", "202612", "CME"), derived_id("ESZ6 2026")),
    (ContFuture("ES", "CME"), derived_id("ESZ6 2026")),
    (Option("SPY", "20261218", 600, "C", "SMART", currency="USD"), derived_id("SPY   261218C00600000")),
    (Index("SPX", "CBOE", "USD"), 416904),
    (Crypto("BTC", "PAXOS", "USD"), 479624278),
    (
        Bond(secIdType="ISIN", secId="US912810PT97", exchange="SMART", currency="USD"),
        derived_id("US912810PT97"),
    ),
    (Contract(conId=270639), 270639),
]


def test_ib_async_qualifies_a_contract_of_every_type():
    async def scenario():
        async with Simulator(now=lambda: NOW) as sim:
            ib = IB()
            await ib.connectAsync("127.0.0.1", sim.port, 1)
            found = [await ib.reqContractDetailsAsync(contract) for contract, _ in IB_ASYNC]
            name = await ib.reqContractDetailsAsync(Stock("NESN", "EBS", "CHF"))
            chains = await ib.reqSecDefOptParamsAsync("SPY", "", "STK", 756733)
            matches = await ib.reqMatchingSymbolsAsync("INTC")
            ib.disconnect()
            await asyncio.sleep(0)
            return found, name[0].longName, chains, matches

    found, name, chains, matches = asyncio.run(scenario())
    assert [[con_id] for _, con_id in IB_ASYNC] == [[one.contract.conId for one in some] for some in found]
    assert "NESTLÉ SA-REG" == name
    future = found[4][0]
    assert (
        future.contract.lastTradeDateOrContractMonth, future.timeZoneId, future.contract.localSymbol
    ) == ("20261218", "US/Central", "ESZ6")  # fmt: skip
    assert "SPY   261218C00600000" == found[6][0].contract.localSymbol
    assert (8, True) == (len(chains), 600.0 in chains[0].strikes)
    assert "20261218" in chains[0].expirations
    assert [270639] == [one.contract.conId for one in matches]


@pytest.mark.parametrize("version", [157, 163, 164, 176, 178])
def test_ib_async_decodes_details_at_every_version(tools, version):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim, hello=b"v157..%d" % version)
            raw.details(5, symbol="ES", secType="FUT", exchange="CME", expiry="202612", version=version)
            await raw.until(lambda f: f[0] == "52")
            await raw.close()
            return raw.frames[-2]

    wrapper = tools.Calls()
    Decoder(wrapper, version).interpret(asyncio.run(scenario()))
    assert "US/Central" == wrapper.calls[0][2].timeZoneId
    assert "20261218" == wrapper.calls[0][2].contract.lastTradeDateOrContractMonth


def test_ibs_own_client_resolves_every_type_bonds_with_a_fractional_coupon_too(tools):
    def asked(query):
        contract = OfficialContract()
        contract.conId, contract.symbol, contract.secType = query.con_id, query.symbol, query.sec_type
        contract.lastTradeDateOrContractMonth, contract.right = query.expiry, query.right
        if query.strike:
            contract.strike = query.strike
        contract.exchange, contract.primaryExchange = query.exchange, query.primary
        contract.currency, contract.secIdType, contract.secId = (
            query.currency,
            query.sec_id_type,
            query.sec_id,
        )
        return contract

    async def scenario():
        async with Simulator() as sim, tools.official(sim) as client:
            await asyncio.to_thread(client.wait, "nextValidId")
            for req, query in enumerate(SAMPLE.values(), 100):
                client.client.reqContractDetails(req, asked(query))
            await asyncio.to_thread(client.wait, "contractDetailsEnd", count=len(SAMPLE))
            return client.wrapper

    wrapper = asyncio.run(scenario())
    assert [] == [call for call in wrapper.named("error") if call[1] != -1]
    found = {call[1]: call[2] for call in wrapper.named("contractDetails", "bondContractDetails")}
    expected = {req: listing(kind).instrument.con_id for req, kind in enumerate(SAMPLE, 100)}
    assert expected == {req: one.contract.conId for req, one in found.items()}
    bonds = wrapper.named("bondContractDetails")
    assert [(call[2].coupon, call[2].maturity) for call in bonds] == [(4.5, "20291215")] * 2


def test_lookups_that_name_nothing_are_refused(tools):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim)
            raw.details(1, symbol="NOPE", secType="STK", exchange="SMART", currency="USD")
            unknown = await raw.next()
            raw.details(2, secType="STK")
            nothing = await raw.next()
            raw.details(3, symbol="AAPL")
            no_type = await raw.next()
            await raw.close()
            return unknown[2:5], nothing[2:4], no_type[2:4]

    unknown, nothing, no_type = asyncio.run(scenario())
    assert ["1", "200", "No security definition has been found for the request"] == unknown
    assert (["2", "321"], ["3", "321"]) == (nothing, no_type)
