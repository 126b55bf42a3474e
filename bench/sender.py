"""The gateway of the benchmark, a process of its own: `python -m bench.sender POOL MESSAGES [RATE]`.

It answers the handshake and the contract lookups, waits until every slot of the market is subscribed and for
`go` on standard input, and then only sends: as fast as the socket takes it, or RATE messages a second in pulses of
a millisecond. What it did is told in JSON lines on standard output.
"""

import json
import socket
import struct
import sys
import time
from pathlib import Path

from bench.market import FIRST_REQ, SLOTS, Pool
from recorder.wire.layouts import SERVER_VERSION, frame

WRITE_BYTES = 65_536
_PULSE_SECONDS = 0.001
_DETAIL_FIELDS = 40
_TICK_BY_TICK = {"AllLast": "trades", "Last": "trades", "BidAsk": "quotes"}


def tell(event: str, **values: object) -> None:
    sys.stdout.write(json.dumps({"event": event, "at": time.monotonic(), **values}) + "\n")
    sys.stdout.flush()


class Client:
    """The other end, until it has subscribed to everything."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._stream = link.makefile("rb")
        self.req_of_slot: dict[int, int] = {}

    def greet(self) -> None:
        self._stream.read(4)
        self._request()
        self._link.sendall(frame(str(SERVER_VERSION), "20261122 12:00:00 UTC"))
        while len(self.req_of_slot) < len(SLOTS):
            self._answer(self._request())

    def _request(self) -> list[str]:
        (length,) = struct.unpack(">I", self._stream.read(4))
        return self._stream.read(length).decode().split("\0")[:-1]

    def _answer(self, fields: list[str]) -> None:
        match fields:
            case ["71", *_]:
                self._link.sendall(frame("15", "1", "DU0") + frame("9", "1", str(FIRST_REQ)))
            case ["49", *_]:
                self._link.sendall(frame("49", "1", "1795000000"))
            case ["9", _, req, _, symbol, *_]:
                self._link.sendall(_details(req, symbol) + frame("52", "1", req))
            case ["1", _, req, _, symbol, *_]:
                self.req_of_slot[SLOTS.index(("level1", symbol))] = int(req)
            case ["97", req, _, symbol, *rest]:
                stream = next(_TICK_BY_TICK[word] for word in rest if word in _TICK_BY_TICK)
                self.req_of_slot[SLOTS.index((stream, symbol))] = int(req)


def _details(req: str, symbol: str) -> bytes:
    con_id = str(1000 + SLOTS.index(("level1", symbol)))
    fields = ["10", req, symbol, "STK", "", "0", "", "SMART", "USD", symbol, "NMS", "NMS", con_id, "0.01", ""]
    fields += ["LMT", "SMART", "1", "0", symbol, "NASDAQ", "", "", "", "", "US/Eastern", "", "", "", "0", "0"]
    return frame(*fields, *[""] * (_DETAIL_FIELDS - len(fields)))


def at_full_speed(link: socket.socket, data: bytes, pool: Pool, messages: int) -> None:
    rounds, rest = divmod(messages, len(pool.ends))
    lengths = [len(data)] * rounds + ([int(pool.ends[rest - 1])] if rest else [])
    view = memoryview(data)
    for length in lengths:
        for at in range(0, length, WRITE_BYTES):
            link.sendall(view[at : min(at + WRITE_BYTES, length)])


def paced(link: socket.socket, data: bytes, pool: Pool, messages: int, rate: float) -> int:
    """Returns how many were sent: fewer than wanted when the other end is gone."""
    ends, size = [0, *pool.ends.tolist()], len(pool.ends)
    sent, began = 0, time.monotonic()
    view = memoryview(data)
    try:
        while sent < messages:
            due = min(int((time.monotonic() - began) * rate), messages)
            at = sent % size
            until = min(at + due - sent, size)
            link.sendall(view[ends[at] : ends[until]])
            sent += until - at
            time.sleep(_PULSE_SECONDS)
    except ConnectionError:
        pass
    return sent


def serve(pool: Pool, messages: int, rate: float) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    tell("listening", port=listening.getsockname()[1])
    link, _ = listening.accept()
    listening.close()
    client = Client(link)
    client.greet()
    data = pool.addressed([client.req_of_slot[slot] for slot in range(len(SLOTS))])
    tell("subscribed")
    sys.stdin.readline()
    tell("streaming")
    sent = messages
    if rate:
        sent = paced(link, data, pool, messages, rate)
    else:
        at_full_speed(link, data, pool, messages)
    tell("sent", messages=sent)
    _wait_until_read(link)
    tell("read")


def _wait_until_read(link: socket.socket) -> None:
    """The other end closes when it meets the end of the stream, behind everything else."""
    try:
        link.shutdown(socket.SHUT_WR)
        while link.recv(WRITE_BYTES):
            pass
    except OSError:
        return


if __name__ == "__main__":
    serve(Pool.load(Path(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0)
