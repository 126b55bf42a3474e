"""What the tap leans on in ib_async: an upgrade that moves one of these fails here and not in the night."""

import asyncio
import inspect
from importlib.metadata import version

from capture.test_capture_connect import Deaf
from daemon import until
from ib_async import IB
from ib_async.client import Client
from scripted import scripted

from recorder.capture.gateway import Gateway
from recorder.wire.layouts import SERVER_VERSION, TICK_PRICE, frame


def test_the_version_is_the_one_that_was_read():
    assert version("ib_async").split(".")[:2] == ["2", "1"]


def test_it_asks_for_the_protocol_version_that_is_spoken_here():
    assert Client.MaxClientVersion == SERVER_VERSION


def test_connecting_the_client_asks_for_no_account_data():
    """Only ``startApi`` goes out: nothing that a read-only gateway would refuse, and nothing private."""
    asked = []

    async def story():
        async def on_subscribed(*_):
            pass

        async with scripted(on_subscribed) as gateway:
            answer = gateway._answer

            async def noting(conversation, fields):
                asked.append(fields[0])
                await answer(conversation, fields)

            gateway._answer = noting
            ib = IB()
            await ib.client.connectAsync("127.0.0.1", gateway.port, 5, 5)
            await asyncio.sleep(0.1)
            ib.client.disconnect()

    asyncio.run(story())
    assert asked == ["71"]


def test_has_data_hands_over_raw_bytes_and_the_client_takes_whole_frames():
    reads = []

    async def story():
        async def on_subscribed(conversation, req, _fields):
            conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 1.5, "size": 2, "attribs": 1}))

        async with scripted(on_subscribed) as gateway:
            ib = IB()
            take = ib.client._onSocketHasData
            ib.client.conn.hasData.clear()

            def tap(data):
                reads.append(data)
                take(data)

            ib.client.conn.hasData += tap
            await ib.client.connectAsync("127.0.0.1", gateway.port, 5, 5)
            ready = ib.client.isReady()
            ib.client.disconnect()
            return ready

    assert asyncio.run(story())
    assert all(isinstance(read, bytes) for read in reads)
    assert b"".join(reads).startswith(frame("178", "20261122 12:00:00 UTC"))


def test_the_request_methods_take_what_they_are_given_here():
    expected = {
        "connectAsync": ["host", "port", "clientId", "timeout"],
        "reqMktData": [
            "reqId",
            "contract",
            "genericTickList",
            "snapshot",
            "regulatorySnapshot",
            "mktDataOptions",
        ],
        "reqTickByTickData": ["reqId", "contract", "tickType", "numberOfTicks", "ignoreSize"],
        "reqMktDepth": ["reqId", "contract", "numRows", "isSmartDepth", "mktDepthOptions"],
        "reqRealTimeBars": ["reqId", "contract", "barSize", "whatToShow", "useRTH", "realTimeBarsOptions"],
        "reqContractDetails": ["reqId", "contract"],
        "cancelMktDepth": ["reqId", "isSmartDepth"],
        "reqMarketDataType": ["marketDataType"],
    }
    found = {name: list(inspect.signature(getattr(Client, name)).parameters)[1:] for name in expected}
    assert found == expected


def test_a_handler_that_raises_is_swallowed_by_ib_async_which_is_why_ours_are_guarded():
    ib = IB()

    def raises(*_):
        raise RuntimeError

    ib.errorEvent += raises
    ib.errorEvent.emit(1, 2, "text", None)


def test_nothing_goes_out_that_was_not_asked_for_here():
    """Behind 1102 ib_async would ask for the account's balances; message 5 would move its request ids."""

    async def story():
        async def on_subscribed(*_):
            pass

        async with scripted(on_subscribed) as gateway:
            client = Gateway(Deaf())
            await client.connect("127.0.0.1", gateway.port, 5, 5)
            (conversation,) = gateway.conversations
            conversation.send(frame("4", "2", "-1", "1102", "restored - data maintained", ""))
            client.ask_time()
            await until(lambda: conversation.times("49"))
            await asyncio.sleep(0.1)
            client.drop("the end")
            return [fields[0] for _, fields in conversation.heard]

    assert asyncio.run(story()) == ["71", "49"]
