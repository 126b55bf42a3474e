"""One client's session: its bytes in, the gateway's frames out.

Rules:
- No I/O: ``receive`` and ``pulse`` leave frames in ``out``, whoever holds the socket sends them.
- A handler for each request stands in ``answers`` and ``subscribe``; what a client may not say ends in an
  error message, and what is not the protocol in a ProtocolError.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from recorder.simulator import answers, notices, subscribe
from recorder.simulator.contracts import Instrument
from recorder.simulator.details import gateway_time
from recorder.simulator.frames import Message, encode
from recorder.simulator.inbound import Hello, Inbound
from recorder.simulator.pacing import VIOLATIONS, HistoryPacing, MessageRate
from recorder.simulator.requests import Request, RequestError, decode
from recorder.simulator.tickbytick import TickByTick
from recorder.simulator.world import FARMS, Welcome, World
from recorder.wire.layouts import frame

BLOCK: Final = 32
"""Ticks a subscription sends at a time when the rate is unlimited."""
LINGER: Final = 0.3
"""Seconds between the last word to a client and the end of its connection."""


class Stream(Protocol):
    """What a subscription sends."""

    def start(self, now: float) -> list[Message]:
        """What comes first."""

    def more(self, count: int, now: float) -> list[Message]:
        """What comes next."""


@dataclass(slots=True)
class Subscription:
    """A live request for market data.

    Attributes:
        kind: ``level1``, ``ticks``, ``depth`` or ``bars``.
        data_type: what message 58 last said: 1 live, 2 frozen, 3 delayed, 4 delayed frozen.
        muted: sends nothing more; a new request does.
        open: whether its market was when it was last looked at.
        pending: an opening picture kept back until the farm is there.
        due: ticks not yet sent, a fraction.
    """

    kind: str
    req: int
    instrument: Instrument
    stream: Stream
    data_type: int = 1
    muted: bool = False
    open: bool = True
    pending: list[Message] = field(default_factory=list)
    due: float = 0.0


@dataclass(slots=True)
class Session:
    """One connection's protocol.

    Attributes:
        number: counts connections from 1.
        welcome: how it is met; empty: properly.
        out: frames to be sent, in order.
        closing: seconds until the connection is to end; None: not.
        data_type: what ``reqMarketDataType`` asked for.
        clock: the steady clock's latest reading.
        late: subscriptions that are cancelled and still tick, and until when.
    """

    number: int
    world: World
    welcome: Welcome | None = None
    version: int = 0
    client_id: int | None = None
    out: list[bytes] = field(default_factory=list)
    closing: float | None = None
    data_type: int = 1
    clock: float = 0.0
    subscriptions: dict[tuple[str, int], Subscription] = field(default_factory=dict)
    late: list[tuple[float, Subscription]] = field(default_factory=list)
    history: HistoryPacing = field(default_factory=HistoryPacing)
    tick_requests: dict[tuple[int, str], float] = field(default_factory=dict)
    _inbound: Inbound = field(default_factory=Inbound)
    _rate: MessageRate = field(default_factory=MessageRate)
    _paced: bool = False

    def receive(self, data: bytes, clock: float) -> None:
        """Bytes from the client, in any slices.

        Raises:
            ProtocolError: they are not the protocol; the connection is to be closed.
        """
        self.clock = clock
        for whole in self._inbound.feed(data):
            if self.closing is not None or self.welcome == "silent":
                return
            if isinstance(whole, Hello):
                self._greet(whole)
            else:
                self._request(whole)

    def pulse(self, seconds: float, clock: float) -> list[bytes]:
        """Time passes: the market data that are due by now."""
        self.clock = clock
        now, ticks = self.world.now(), self.world.rate * seconds
        self.late = [(until, one) for until, one in self.late if clock < until]
        for one in self.subscriptions.values():
            if one.open != self.world.trades_now(one.instrument):
                subscribe.turn_market(self, one)
        ticking = (*self.subscriptions.values(), *(one for _, one in self.late))
        return [frame for one in ticking for frame in encode(one.req, self._due(one, ticks, now))]

    def skip(self) -> None:
        """What has happened by now is not told any more."""
        for one in self.subscriptions.values():
            if isinstance(one.stream, TickByTick):
                one.stream.skip()

    def tell(self, req: int, code: int, *details: object) -> None:
        """Message 4."""
        self.out.append(notices.notice(self.version, req, code, notices.text(code, *details)))

    def send(self, *fields: object) -> None:
        """Any other message."""
        self.out.append(frame(*map(str, fields)))

    def subscribe(
        self, kind: str, req: int, instrument: Instrument, stream: Stream, data_type: int = 1
    ) -> Subscription:
        """From now on the stream's ticks go to the client."""
        self.world.wake(instrument.farm)
        is_open = self.world.trades_now(instrument)
        one = Subscription(kind, req, instrument, stream, data_type, open=is_open)
        self.subscriptions[kind, req] = one
        return one

    def show(self, one: Subscription, opening: list[Message]) -> None:
        """An opening picture, or a part of it; of a broken farm it comes when the farm is back."""
        if self.world.broken(one.instrument.farm):
            one.pending += opening
        else:
            self.out += encode(one.req, opening)

    def cancel(self, kind: str, req: int) -> bool:
        """End a subscription at the client's wish, which may take a while; false if there is none."""
        one = self.subscriptions.get((kind, req))
        if one and self.world.lag:
            self.late.append((self.clock + self.world.lag, one))
        return self.end(kind, req)

    def end(self, kind: str, req: int) -> bool:
        """Forget a subscription; false if there is none."""
        return self.subscriptions.pop((kind, req), None) is not None

    def _due(self, one: Subscription, ticks: float, now: float) -> list[Message]:
        if one.muted or self.world.silent(one.instrument):
            if isinstance(one.stream, TickByTick):
                one.stream.skip()
            return []
        opening, one.pending = one.pending, []
        if self.world.unlimited:
            return opening + one.stream.more(BLOCK, now)
        one.due += ticks
        whole = int(one.due)
        one.due -= whole
        return opening + one.stream.more(whole, now)

    def _greet(self, hello: Hello) -> None:
        self.version = hello.version
        self._paced = "+PACEAPI" in hello.options
        self.send(hello.version, gateway_time(self.world.now()))

    def _request(self, fields: list[str]) -> None:
        if not self._paced and self._rate.exceeded(self.clock):
            self.tell(-1, 100, 51, self._rate.violations)
            self.closing = LINGER if self._rate.violations >= VIOLATIONS else None
        try:
            request = decode(fields, self.version)
        except RequestError as error:
            self.tell(-1, 320, error)
            return
        if self.client_id is None and request.name != "start_api":
            return
        if not self._unanswered(request):
            HANDLERS[request.name](self, request)

    def _unanswered(self, request: Request) -> bool:
        """Whether a script wants this one left without an answer, or with 321 for one."""
        name, rejected, ignored = request.name, self.world.rejected, self.world.ignored
        if rejected[name]:
            rejected[name] -= 1
            self.tell(request.req, 321, "cd", "Invalid request")
            return True
        if ignored[name]:
            ignored[name] -= 1
            return True
        return False

    def start(self, request: Request) -> None:
        """startApi: the accounts, the next order id and the state of the farms."""
        client_id = request.number("client_id")
        if self.welcome == "hello_only" or self.client_id is not None:
            return
        if self.welcome == "id_in_use" or self.world.id_in_use(client_id):
            self.tell(-1, 326)
            self.closing = LINGER
            return
        self.client_id = client_id
        accounts = () if self.welcome == "no_accounts" else self.world.accounts
        self.send(15, 1, ",".join(accounts) + "," * (len(accounts) > 1))
        self.send(9, 1, 1)
        if self.world.connected:
            self._farms()
        else:
            self.tell(-1, 2110)

    def _farms(self) -> None:
        for name in FARMS:
            self.tell(-1, notices.farm(name, self.world.farms.get(name, "up")), name)


HANDLERS: Final[dict[str, Callable[[Session, Request], None]]] = {
    "start_api": Session.start,
    **subscribe.HANDLERS,
    **answers.HANDLERS,
}
