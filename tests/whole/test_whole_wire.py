"""What went over the wire is in the tables, message for message."""

import asyncio
import json
from pathlib import Path

import pytest
from daemon import numbers, recording, table, until, write_config
from rebuild import messages, normal
from scripted import scripted

from recorder import schema
from recorder.simulator import Simulator
from recorder.wire.layouts import frame

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "tws-messages.jsonl"
MARKET_DATA = {"1", "2", "12", "13", "21", "45", "46", "47", "50", "57", "58", "81", "91", "92", "99"}
STREAMS = {"1": "level1", "10": "depth", "50": "bars", "97": "trades"}
STREAM_OF = {"12": "depth", "13": "depth", "50": "bars", "99": "trades"}
REQ_FIRST = {"21", "81", "91", "92", "99"}


def corpus() -> list[list[str]]:
    lines = (json.loads(line) for line in CORPUS.read_text().splitlines())
    return [line["fields"] for line in lines if line["fields"][0] in MARKET_DATA]


def with_request(fields: list[str], requests: dict[str, int]) -> list[str]:
    place = 1 if fields[0] in REQ_FIRST else 2
    req = str(requests[STREAM_OF.get(fields[0], "level1")])
    return [*fields[:place], req, *fields[place + 1 :]]


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus of real messages is not here")
@pytest.mark.parametrize("pieces", [1 << 20, 1])
def test_every_real_message_comes_out_of_the_tables_with_every_field(tmp_path, pieces):
    requests: dict[str, int] = {}
    said: list[list[str]] = []

    async def on_subscribed(conversation, req, fields):
        requests[STREAMS[fields[0]]] = req
        if len(requests) < len(STREAMS):
            return
        said.extend(with_request(message, requests) for message in corpus())
        data = b"".join(frame(*message) for message in said)
        for position in range(0, len(data), pieces):
            conversation.send(data[position : position + pieces])
            if pieces == 1:
                await asyncio.sleep(0)

    async def story():
        async with scripted(on_subscribed) as gateway:
            line = "{type: stock, symbol: AAPL, streams: [level1, depth, bars, trades]}"
            async with recording(write_config(tmp_path, gateway.port, line)):
                await until(lambda: said)
                await asyncio.sleep(0.5)

    asyncio.run(story())
    root = tmp_path / "data"
    tables = {name: table(root, name) for name in schema.SEQUENCED}
    known = {("AAPL", stream): req for stream, req in requests.items()}
    known |= {("AAPL", "quotes"): requests["trades"], ("AAPL", "midpoints"): requests["trades"]}
    rebuilt = dict(messages(tables, known))
    found = [rebuilt[seq] for seq in sorted(rebuilt) if rebuilt[seq]]
    assert found == [normal(message) for message in said]
    assert numbers(root) == list(range(1, len(numbers(root)) + 1))


def test_what_the_simulator_sent_in_a_seeded_minute_is_rebuilt_from_the_tables(tmp_path):
    """A minute of its market at ten times the pace, so that the test takes six seconds."""
    lines = [
        "{type: stock, symbol: AAPL, streams: [{level1: {generic_ticks: [233]}}, depth]}",
        "{type: forex, symbol: EURUSD, streams: [level1, midpoints, bars]}",
        (
            '{type: future, symbol: ES, expiry: "202612", exchange: CME,'
            " streams: [level1, {trades: {only_reportable: true}}, {depth: {smart: false}}]}"
        ),
        '{type: option, symbol: SPY, expiry: "20261218", strike: 600, right: C}',
        "{type: index, symbol: SPX, exchange: CBOE}",
        "{type: crypto, symbol: BTC, streams: [level1, quotes]}",
    ]

    async def story():
        async with Simulator(seed=7, rate=100.0, record=True) as simulator:
            async with recording(write_config(tmp_path, simulator.port, *lines, flush=1.5)):
                await asyncio.sleep(8)
            return [message for _, message in simulator.sent]

    sent = asyncio.run(story())
    root = tmp_path / "data"
    tables = {name: table(root, name) for name in schema.SEQUENCED}
    subscribed = tables["events"][tables["events"]["kind"] == "subscribed"]
    requests = {}
    for fields in (message[4:].decode().split("\0")[:-1] for message in sent):
        requests.setdefault(int(fields[1 if fields[0] in REQ_FIRST else 2]), None)
    order = list(subscribed[["symbol", "stream"]].itertuples(index=False, name=None))
    known = dict(zip(order, sorted(requests), strict=True))
    rebuilt = dict(messages(tables, known))
    market = [rebuilt[seq] for seq in sorted(rebuilt) if rebuilt[seq] and rebuilt[seq][0] != 4]
    expected = [normal(message[4:].decode().split("\0")[:-1]) for message in sent]
    expected = [message for message in expected if message[0] != 4]
    assert len(market) > 5000
    assert market == expected[: len(market)]
    # What the gateway still sent while the recorder was leaving had nobody to receive it.
    assert len(expected) - len(market) < 200
    assert table(root, "other").empty
