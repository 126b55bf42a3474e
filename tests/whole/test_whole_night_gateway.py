"""The gateway of the night, held to what it promises: a raw client, as wrong as a client can be."""

import asyncio
import contextlib
import struct

import pytest
from night.conversation import REQUESTS_A_SECOND
from night.gateway import NightGateway
from night.market import Market, frame
from night.wire import message

N00, N01, N02 = "1000", "1001", "1002"
CONTRACT = ("", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


class Client:
    """Just enough of one."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def log_in(self, client="17"):
        self.writer.write(b"API\0" + struct.pack(">I", 9) + b"v157..178")
        await self.until("178")
        self.say("71", "2", client, "")
        return await self.until("9", "4")

    def say(self, *fields):
        self.writer.write(frame(*fields))

    def level1(self, req, con_id):
        self.say("1", "11", str(req), con_id, *CONTRACT, "0", "", "0", "0", "")

    def tick_by_tick(self, req, con_id, kind):
        self.say("97", str(req), con_id, *CONTRACT, kind, "0", "0")

    async def until(self, *kinds, where=lambda _fields: True):
        """The next message of one of these kinds; its error if the gateway hung up."""
        async with asyncio.timeout(5):
            while True:
                fields = await message(self.reader)
                if fields[0] in kinds and where(fields):
                    return fields

    async def code(self, req):
        """The code of the error for a request."""
        return int((await self.until("4", where=lambda fields: fields[2] == str(req)))[3])

    async def numbers(self, count):
        """The next numbers of level 1, each with its request id."""
        is_bid = ["1", "6"]
        found = [await self.until("1", where=lambda f: f[:2] == is_bid and f[3] == "1") for _ in range(count)]
        return [(int(fields[2]), float(fields[4])) for fields in found]


def told(story):
    """Run a story of a gateway and its client; returns what it returns, and the gateway."""

    async def tell():
        gateway = NightGateway(Market(1), 0.75)
        for feed in gateway.market.feeds.values():
            feed.rate = 50.0
        await gateway.open()
        trading = asyncio.create_task(gateway.trade())
        try:
            client = Client(*await asyncio.open_connection("127.0.0.1", gateway.port))
            await client.log_in()
            return await story(gateway, client), gateway
        finally:
            trading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await trading
            gateway.shut()
            for conversation in list(gateway.conversations):
                conversation.reset()
            client.writer.close()
            await asyncio.sleep(0.01)

    return asyncio.run(tell())


def complaints(gateway):
    return [text for _, text in gateway.complaints]


def test_numbers_go_on_while_they_are_hidden_and_are_never_sent_later():
    async def story(gateway, client):
        client.level1(1, N00)
        (before,) = await client.numbers(1)
        gateway.veils[0] = lambda key: key == ("N00", "level1")
        await asyncio.sleep(0.3)
        made = len(gateway.market.feeds["N00", "level1"].times)
        gateway.veils.clear()
        sent = [await client.numbers(1) for _ in range(made)]
        return before[1], [number for ((_, number),) in sent], made

    (before, sent, made), gateway = told(story)
    assert gateway.market.feeds["N00", "level1"].since == before
    assert sent != list(range(int(before) + 1, int(before) + 1 + len(sent)))
    assert sent[-1] > made
    assert sent == sorted(set(sent))
    assert gateway.complaints == []


def test_what_is_asked_twice_is_sent_twice_and_complained_of():
    async def story(_gateway, client):
        client.level1(1, N00)
        client.level1(2, N00)
        await client.numbers(2)
        return await client.numbers(4)

    sent, gateway = told(story)
    assert len({number for _, number in sent}) < len(sent)
    assert complaints(gateway) == ["('N00', 'level1'): asked for (request 2) while it is subscribed"]


def test_a_cancelled_stream_lingers_in_turns_with_the_new_one_and_no_number_is_twice():
    async def story(gateway, client):
        gateway.linger = True
        client.level1(1, N00)
        await client.numbers(1)
        client.say("2", "2", "1")
        client.level1(2, N00)
        return await client.numbers(15)

    sent, gateway = told(story)
    assert {req for req, _ in sent} == {1, 2}
    assert [number for _, number in sent] == sorted({number for _, number in sent})
    assert gateway.complaints == []


def test_a_second_client_of_the_same_id_is_refused():
    async def story(gateway, _client):
        other = Client(*await asyncio.open_connection("127.0.0.1", gateway.port))
        answer = await other.log_in()
        other.writer.close()
        return answer[:4]

    assert told(story)[0] == ["4", "2", "-1", "326"]


def test_who_asks_faster_than_ib_allows_is_cut_off():
    async def story(_gateway, client):
        # No more than that: what is left unread makes the end a reset, which takes the word along.
        for _ in range(REQUESTS_A_SECOND + 1):
            client.say("49", "1")
        fields = await client.until("4", where=lambda fields: fields[3] == "100")
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.until("nothing")
        return fields[2]

    req, gateway = told(story)
    assert req == "-1"
    assert complaints(gateway) == ["more than 500 requests in a second"]


def test_tick_by_tick_of_one_instrument_too_soon_is_complained_of():
    async def story(_gateway, client):
        client.tick_by_tick(1, N02, "AllLast")
        client.tick_by_tick(2, N01, "AllLast")
        client.tick_by_tick(3, N02, "BidAsk")
        await client.until("99", where=lambda fields: fields[1] == "3")

    (complaint,) = complaints(told(story)[1])
    assert complaint.startswith("('N02', 'quotes'): tick-by-tick asked 0.0")


def test_a_request_id_used_twice_is_refused():
    async def story(_gateway, client):
        client.level1(1, N00)
        client.level1(1, N01)
        return await client.code(1)

    code, gateway = told(story)
    assert (code, complaints(gateway)) == (322, ["request id 1 used twice on a connection"])


@pytest.mark.parametrize(("con_id", "code"), [(N00, 354), ("77", 200)])
def test_what_is_denied_or_unknown_is_refused(con_id, code):
    async def story(gateway, client):
        gateway.denied["N00", "level1"] = 354
        client.level1(1, con_id)
        return await client.code(1)

    assert told(story)[0] == code


def test_a_rerouted_cfd_sends_nothing_until_the_underlying_is_asked():
    async def story(gateway, client):
        gateway.rerouted.add("C44")
        client.level1(1, "1044")
        reroute = await client.until("91")
        client.level1(2, reroute[2])
        return reroute, (await client.numbers(1))[0][0]

    (reroute, req), gateway = told(story)
    assert (reroute, req) == (["91", "1", "9044", "NYSE"], 2)
    assert gateway.complaints == []
