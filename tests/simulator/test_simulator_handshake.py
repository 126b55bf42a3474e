import asyncio
import struct

import pytest
from ib_async import IB

from recorder.simulator import Simulator
from recorder.simulator.inbound import Hello, Inbound, ProtocolError

HELLO = b"API\0" + struct.pack(">I", 9) + b"v157..178"


def fields_of(frame):
    return frame[4:].decode().split("\0")[:-1]


@pytest.mark.parametrize(
    ("hello", "version"),
    [
        (b"v157..178", 178),
        (b"v100..226", 178),
        (b"v100..160", 160),
        (b"v157..157", 157),
        (b"v157..178 +PACEAPI", 178),
    ],
)
def test_the_older_of_both_newest_versions_is_agreed_on(tools, hello, version):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.connect(sim, hello)
            fields = await raw.next()
            await raw.close()
            return fields

    agreed, moment = asyncio.run(scenario())
    assert str(version) == agreed
    assert len("20261122 17:00:00 UTC") == len(moment)


@pytest.mark.parametrize("hello", [b"v100..156", b"v179..226", b"157..178", b"", b"v1..2\xff", b"x" * 300])
def test_a_hello_that_cannot_be_agreed_with_ends_the_connection(tools, hello):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.connect(sim, hello)
            end = await raw.closed()
            await raw.close()
            return end

    assert "closed" == asyncio.run(scenario())


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", b"APIX", b"\0\0\0\5hello", HELLO + b"\x7f\xff\xff\xff", HELLO + b"\0\0\0\0"],
)
def test_bytes_that_are_not_the_protocol_end_the_connection(tools, data):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.connect(sim, None)
            raw.write(data)
            end = await raw.closed()
            await raw.close()
            return end, sim.links

    assert ("closed", {}) == asyncio.run(scenario())


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
def test_requests_read_the_same_in_slices_of_any_length(tools, step):
    data = HELLO + tools.framed(71, 2, 5, "") + tools.framed(49, 1) + tools.framed(9, 8, 1, "é")
    inbound = Inbound()
    whole = [one for n in range(0, len(data), step) for one in inbound.feed(data[n : n + step])]
    expected = [Hello(178, ""), ["71", "2", "5", ""], ["49", "1"], ["9", "8", "1", "é"]]
    assert expected == whole


def test_a_first_byte_that_cannot_begin_a_hello_is_refused_at_once():
    with pytest.raises(ProtocolError):
        Inbound().feed(b"B")


def test_a_session_starts_byte_by_byte_and_in_one_piece(tools):
    async def scenario(step):
        async with Simulator() as sim:
            raw = await tools.Raw.connect(sim, None)
            data = HELLO + tools.framed(71, 2, 5, "")
            for n in range(0, len(data), step):
                raw.write(data[n : n + step])
                await asyncio.sleep(0.001 if step == 1 else 0)
            await raw.until(lambda f: f[:1] == ["4"] and f[3] == "2158")
            await raw.close()
            return raw.frames[1:]

    expected = [["15", "1", "DU1234567"], ["9", "1", "1"]]
    for step in (1, 1000):
        frames = asyncio.run(scenario(step))
        assert expected == frames[:2]
        assert {"2104", "2106", "2158"} == {f[3] for f in frames[2:]}
        assert {6} == {len(f) for f in frames[2:]}


def test_several_accounts_end_with_a_comma(tools):
    async def scenario():
        async with Simulator(accounts=("DU1", "DU2")) as sim:
            raw = await tools.Raw.started(sim)
            await raw.close()
            return raw.frames[1]

    assert ["15", "1", "DU1,DU2,"] == asyncio.run(scenario())


def test_a_client_id_in_use_is_told_326_and_free_again_later(tools):
    async def scenario():
        async with Simulator() as sim:
            first = await tools.Raw.started(sim, 3)
            second = await tools.Raw.connect(sim)
            await second.next()
            second.send(71, 2, 3, "")
            said = await second.next()
            end = await second.closed()
            await second.close()
            await first.close()
            await asyncio.sleep(0.05)
            third = await tools.Raw.started(sim, 3)
            await third.close()
            return said, end, third.frames[1][0]

    said, end, again = asyncio.run(scenario())
    assert ["4", "2", "-1", "326"] == said[:4]
    assert ("closed", "15") == (end, again)


def test_below_version_166_errors_have_five_fields(tools):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim, hello=b"v157..165")
            await raw.close()
            return {len(f) for f in raw.frames[3:]}

    assert {5} == asyncio.run(scenario())


def test_what_comes_before_start_api_is_not_answered(tools):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.connect(sim)
            raw.send(49, 1)
            await asyncio.sleep(0.05)
            raw.send(71, 2, 1, "")
            await raw.next()
            answer = await raw.next()
            await raw.close()
            return answer[0]

    assert "15" == asyncio.run(scenario())


def test_ib_async_connects_with_its_default_settings():
    async def scenario():
        async with Simulator() as sim:
            ib = IB()
            await ib.connectAsync("127.0.0.1", sim.port, 0, raiseSyncErrors=True)
            accounts, version = ib.managedAccounts(), ib.client.serverVersion()
            worth = [v.value for v in ib.accountValues() if v.tag == "NetLiquidation"]
            ib.disconnect()
            await asyncio.sleep(0)
            return accounts, version, worth

    assert (["DU1234567"], 178, ["1000000.00"]) == asyncio.run(scenario())


def test_ibs_own_client_connects(tools):
    async def scenario():
        async with Simulator() as sim, tools.official(sim) as client:
            await asyncio.to_thread(client.wait, "nextValidId")
            await asyncio.to_thread(client.client.reqCurrentTime)
            await asyncio.to_thread(client.wait, "currentTime")
            return client.wrapper.named("managedAccounts", "nextValidId"), client.client.serverVersion()

    calls, version = asyncio.run(scenario())
    assert ([("managedAccounts", "DU1234567"), ("nextValidId", 1)], 178) == (calls, version)


def test_a_read_only_gateway_refuses_to_list_orders_and_never_ends_the_list(tools):
    async def scenario():
        async with Simulator(read_only=True) as sim:
            raw = await tools.Raw.started(sim)
            raw.send(5, 1)
            raw.send(99, 0)
            raw.send(61, 1)
            said = [await raw.next() for _ in range(3)]
            rest = await raw.drain(0.05)
            await raw.close()
            return [f[0] for f in said], said[0][3], said[0][4], rest

    ids, code, words, rest = asyncio.run(scenario())
    assert (["4", "4", "62"], "321", []) == (ids, code, rest)
    assert words.endswith("The API interface is currently in Read-Only mode.")


def test_account_requests_have_their_ends(tools):
    requests = [(61, 1), (5, 1), (16, 1), (99, 0), (7, 3, 9, 0), (76, 1, 9, "DU1", "", 0), (62, 1, 9, "All", "x"),
                (74, 1, 9, "", ""), (6, 2, 1, "DU1"), (17, 1), (8, 1, 1), (80,), (82,), (83, 9, "9c0001"), (85,),
                (79, 9), (104, 9), (91, 26)]  # fmt: skip
    ends = [
        "62",
        "53",
        "53",
        "102",
        "55",
        "74",
        "64",
        "72",
        "54",
        "15",
        "9",
        "78",
        "80",
        "82",
        "85",
        "77",
        "107",
        "93",
    ]

    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim)
            for request, end in zip(requests, ends, strict=True):
                raw.send(*request)
                await raw.until(lambda f, end=end: f[0] == end)
            await raw.close()

    asyncio.run(scenario())


def test_orders_are_refused(tools):
    async def scenario():
        async with Simulator() as sim:
            raw = await tools.Raw.started(sim)
            raw.send(3, 12, "rest")
            said = await raw.next()
            await raw.close()
            return said[2:4]

    assert ["12", "321"] == asyncio.run(scenario())
