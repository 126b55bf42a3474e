"""The status page of the running recorder, over real sockets: what it tells, and that nobody can hurt with it."""

import asyncio
import re
import socket
import time
from contextlib import asynccontextmanager

from board import BAD, MOST_SECONDS, exchange, free_port, get, impatient, told, write_shown
from daemon import table, until
from scripted import scripted

from recorder.daemon import status
from recorder.session.windows import window
from recorder.wire.layouts import TICK_PRICE, frame

AAPL, NOSUB = "{type: stock, symbol: AAPL}", "{type: stock, symbol: NOSUB}"
REFUSAL = "<b>not</b> subscribed & \x1b[31mred"
SAMPLE = re.compile(r'ib_recorder_(\w+)(?:\{(\w+)="((?:[^"\\\n]|\\[\\"n])*)"\})? (-?[0-9.e+-]+)')


async def answered(conversation, req, fields):
    """AAPL ticks; NOSUB is refused."""
    if fields[4] == "NOSUB":
        conversation.send(frame("4", "2", str(req), "354", REFUSAL, ""))
    else:
        conversation.send(TICK_PRICE.encode(req, {"tick_type": 1, "price": 1.5, "size": 100, "attribs": 1}))


@asynccontextmanager
async def shown(folder, *lines):
    """A gateway, the recorder and the port of its page, as soon as all lines are asked for."""
    port = free_port()
    async with scripted(answered) as gateway:
        config = write_shown(folder, gateway.port, *lines, listen=f"127.0.0.1:{port}")
        async with impatient(config) as (process, _):
            await told(port, lambda found: found["phase"] == "online" and not waiting(found))
            yield gateway, port
            process.terminate()
            await until(lambda: not is_open(port))
            assert process.returncode is None  # it has still to write everything out


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def waiting(found):
    return [one for one in found["each"] if one["state"] == "waiting"]


def parsed(text):
    """Samples of an exposition by name and label; every line must be one or a comment, its family declared before."""
    assert text.endswith("\n")
    samples, families = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            families.add(line.split()[2])
        elif not line.startswith("# HELP "):
            name, _, label, value = SAMPLE.fullmatch(line).groups()
            assert f"ib_recorder_{name}" in families
            assert (name, label) not in samples
            samples[name, label] = float(value)
    return samples


def test_a_recording_is_told_to_programs_and_to_people(tmp_path):
    async def story():
        async with shown(tmp_path, AAPL, NOSUB) as (_, port):
            found = await told(port, lambda found: found["gaps"])
            return found, [await get(port, path) for path in ("/healthz", "/metrics", "/?night", "/nothing")]

    found, (health, (_, exposition), (_, page), nothing) = asyncio.run(story())
    clean = "<b>not</b> subscribed & [31mred (354)"
    assert ["ib-recorder", "online", 2, 1, {"NOSUB level1": clean}] == [
        found[name] for name in ("program", "phase", "lines", "recording", "parked")
    ]
    assert [("NOSUB", "level1", "refused", 354)] == [
        (gap["line"], gap["stream"], gap["reason"], gap["code"]) for gap in found["gaps"]
    ]
    assert str(tmp_path / "data") == found["root"]
    assert found["each"][0]["last_tick"] <= found["now"]
    assert (200, "connected, 1 stream not recorded\n") == health
    metrics = parsed(exposition)
    assert [1, 1, 1, 0, 1, 2] == [
        metrics[key]
        for key in [
            *(("connected", None), ("streams", "recording"), ("streams", "parked"), ("streams", "silent")),
            *(("gaps_open", "refused"), ("lines", None)),
        ]
    ]
    assert metrics["messages_total", None] == found["messages"]
    assert "&lt;b&gt;not&lt;/b&gt; subscribed &amp; [31mred" in page
    assert page.index("NOSUB level1") < page.index("Gaps open: 1") < page.index("<table>")
    assert not re.search(r"<script|\bon\w+=|://|src=|href=|@import|url\(", page)
    assert 404 == nothing[0]


def test_an_outage_is_unhealthy_when_it_lasts_and_says_why(tmp_path):
    async def story():
        port, nobody = free_port(), free_port()
        async with impatient(write_shown(tmp_path, nobody, AAPL, listen=f"127.0.0.1:{port}")):
            await told(port, lambda found: "nothing listens" in found["words"])
            early = await get(port, "/healthz")
            await asyncio.sleep(2)
            return early, await get(port, "/healthz"), (await get(port, "/"))[1], await get(port, "/metrics")

    early, late, page, (_, metrics) = asyncio.run(story())
    is_reset = window(time.time_ns() // 1000) is not None
    assert 200 == early[0]
    assert (200 if is_reset else 503) == late[0]
    assert "not connected: nothing listens on 127.0.0.1" in late[1]
    assert 'class="bad">Not connected' in page
    assert "<b>all</b>: not connected" in page
    assert (0, is_reset) == tuple(parsed(metrics)[name, None] for name in ("connected", "healthy"))


def test_a_port_that_is_taken_is_a_warning_and_tried_again(tmp_path):
    async def story():
        async with scripted(answered) as gateway:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                taken.listen()
                port = taken.getsockname()[1]
                config = write_shown(tmp_path, gateway.port, AAPL, listen=f"127.0.0.1:{port}")
                recorder = impatient(config)
                _, said = await recorder.__aenter__()
                await until(lambda: gateway.conversations and gateway.conversations[0].asked)
                await asyncio.sleep(1.5)
            await told(port, lambda found: found["messages"])
            await recorder.__aexit__(None, None, None)
            return said

    said = asyncio.run(story())
    (warning,) = [line for line in said if "no status page" in line]
    assert "address already in use" in warning
    assert [1.5] == table(tmp_path / "data", "level1")["price"].tolist()


def test_an_address_that_others_can_reach_is_warned_of_and_a_port_can_be_any(tmp_path):
    async def story():
        async with impatient(write_shown(tmp_path, free_port(), AAPL, listen="0.0.0.0:0")) as (_, said):
            await until(lambda: any("http://" in line for line in said))
            (port,) = re.findall(r"http://0\.0\.0\.0:(\d+)/", "".join(said))
            return said, await exchange(int(port), b"GET /healthz HTTP/1.1\r\nHost: recorder.lan\r\n\r\n")

    said, asked = asyncio.run(story())
    assert any("open to everyone" in line and '"warning"' in line for line in said)
    assert asked.startswith(b"HTTP/1.1 200 ")


# Hostile clients. ----------------------------------------------------------------------------------------


async def dribble(port, end):
    """A slow loris: one byte now and then. Returns after how many seconds it was cut off."""
    began = time.monotonic()
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while time.monotonic() < end:
            writer.write(b"G")
            await writer.drain()
            await asyncio.sleep(0.1)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return time.monotonic() - began


async def pester(port, end):
    """Garbage, hang-ups, a hundred connections at once that say nothing."""
    while time.monotonic() < end:
        await asyncio.gather(*(exchange(port, request) for request in BAD), return_exceptions=True)
        idle = await asyncio.gather(
            *(asyncio.open_connection("127.0.0.1", port) for _ in range(100)), return_exceptions=True
        )
        for _, writer in (one for one in idle if not isinstance(one, BaseException)):
            writer.transport.abort()


def test_nobody_hurts_the_recording_through_the_page(tmp_path):
    seconds, sent = 3.0, 0

    async def tick(gateway, end):
        nonlocal sent
        conversation = gateway.conversations[0]
        (req,) = conversation.asked
        while time.monotonic() < end:
            sent += 1
            values = {"tick_type": 1, "price": float(sent), "size": 1, "attribs": 1}
            conversation.send(TICK_PRICE.encode(req, values))
            await asyncio.sleep(0.005)

    async def story():
        async with shown(tmp_path, AAPL) as (gateway, port):
            end = time.monotonic() + seconds
            # As many as are let in at once: the others would wait for the kernel.
            slow = [dribble(port, end + 1) for _ in range(status._BACKLOG)]
            *cut_off, _, _ = await asyncio.gather(*slow, tick(gateway, end), pester(port, end))
            found = await told(port, lambda found: found["messages"] > sent)
            return cut_off, found

    cut_off, found = asyncio.run(story())
    assert [float(number) for number in range(1, sent + 1)] == table(tmp_path / "data", "level1")[
        "price"
    ].tolist()[1:]
    assert len(table(tmp_path / "data", "gaps")) <= 1  # before it was subscribed
    assert max(cut_off) < MOST_SECONDS + 1
    assert found["loop_late_seconds"] < 0.25
    assert sent > 100
