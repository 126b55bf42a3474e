"""The gateway of the night: real frames over a real socket, and no kinder than IB.

Rules:
- A number is sent if IB could send it at that moment; if not, it is lost, and ``Feed.fates`` says why.
- What a client may not do (too fast, too much, twice) is done to it as IB does, and stands in ``complaints``.
- Faults set what is here (veils, greetings, denials); this file knows none of them.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from night.conversation import REQUESTS_A_SECOND, Conversation, Subscription
from night.log import Fault
from night.market import FARMS, Feed, Key, Market, frame
from night.wire import asked_of, cancelled, described, error, message, picture, pool_of, stream_of

LIMITS = {"lines": 100, "tick_by_tick": 5, "depth": 3}
_LIMIT_CODES = {"lines": 101, "tick_by_tick": 10190, "depth": 309}
_STEP = 0.01
_LINGER = 0.4
_LATE = 0.1
"""A request comes so much later than it was sent, on a machine that is busy."""

Veil = Callable[[Key], bool]
"""Which streams it hides."""


class NightGateway:
    """Serves a market.

    Attributes:
        veils: what hides which subscriptions from IB's data now.
        greetings: how the next connections are met, instead of properly.
        denied: streams that are refused, and with which code.
        lookups: how the next contract lookups are answered: "321" or "mute".
        rerouted: CFDs whose data IB has moved to the underlying.
        broken: farms, or "IB", that a new client is told are broken.
        linger: whether cancelled subscriptions go on for a while.
        echo: whether values repeat in other fields.
        stale: whether a new subscription is told what the gateway remembers though its farm is known to be broken.
    """

    def __init__(self, market: Market, tick_by_tick_seconds: float) -> None:
        self.market = market
        self.conversations: list[Conversation] = []
        self.complaints: list[tuple[float, str]] = []
        self.veils: dict[int, Veil] = {}
        self.greetings: deque[str] = deque()
        self.denied: dict[Key, int] = {}
        self.lookups: deque[str] = deque()
        self.rerouted: set[str] = set()
        self.broken: set[str] = set()
        self.linger = self.echo = self.stale = False
        self.connections = 0
        self.port = 0
        self._tick_by_tick_seconds = tick_by_tick_seconds
        self._server: asyncio.Server | None = None

    # Being there, or not. ------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        if self._server is None:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, reuse_address=True)
            self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Listen no more: connections are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def current(self) -> Conversation | None:
        """The conversation that can be served."""
        open_ones = [one for one in self.conversations if one.ready and not one.closed and not one.frozen]
        return open_ones[-1] if open_ones else None

    def subscription(self, key: Key) -> Subscription | None:
        """What would receive this stream's next number."""
        live = self.current.live() if self.current else []
        return next((one for one in live if one.key == key), None)

    def received(self, key: Key) -> bool:
        """Whether this stream is being received, as far as the gateway can tell."""
        one = self.subscription(key)
        return one is not None and one.dead is None and not any(veil(key) for veil in self.veils.values())

    # The market. ---------------------------------------------------------------------------------------------

    async def trade(self) -> None:
        """Make numbers for ever, and send those that can be sent."""
        loop = asyncio.get_running_loop()
        while True:
            for feed, number in self.market.made(loop.time()):
                feed.fates.append(self._deliver(feed, number))
            for conversation in self.conversations:
                conversation.flush()
            await asyncio.sleep(_STEP)

    def _deliver(self, feed: Feed, number: int) -> str:
        conversation = self.current
        if conversation is None:
            return "no connection"
        receivers = self._receivers(conversation, feed.key, number)
        if not receivers:
            return "not subscribed"
        hidden = [str(index) for index, veil in self.veils.items() if veil(feed.key)]
        if hidden:
            return f"hidden by #{' #'.join(hidden)}"
        heard = [one for one in receivers if one.dead is None]
        for one in heard:
            conversation.send(feed.message(one.req, number))
            if self.echo and feed.stream == "level1":
                conversation.send(feed.echo(one.req, number))
        return f"sent to request {heard[0].req}" if heard else f"forgotten by #{receivers[0].dead.index}"

    def _receivers(self, conversation: Conversation, key: Key, number: int) -> list[Subscription]:
        """Those asked and not cancelled; while a cancelled one lingers, in turns with it."""
        ours = [one for one in conversation.subscriptions.values() if one.key == key]
        live = [one for one in ours if one.until is None]
        late = [one for one in ours if one.until is not None and one.dead is None and time.time() < one.until]
        return late[:1] if late and (not live or number % 2) else live

    # A client. -----------------------------------------------------------------------------------------------

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        conversation = Conversation(writer)
        self.conversations.append(conversation)
        greeting = self.greetings.popleft() if self.greetings else ""
        try:
            if greeting != "closed":
                await self._serve(conversation, reader, greeting)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._ended(conversation)

    async def _serve(self, conversation: Conversation, reader: asyncio.StreamReader, greeting: str) -> None:
        await reader.readexactly(4)
        await message(reader)
        if greeting == "deaf":
            await reader.read()
        conversation.send(frame("178", "20261122 12:00:00 UTC"))
        while not conversation.closed:
            fields = await message(reader)
            if greeting == "hello" or conversation.frozen:
                continue
            if fields[0] == "71":
                if not self._log_in(conversation, fields[2], greeting):
                    return
            else:
                self._answer(conversation, fields)

    def _ended(self, conversation: Conversation) -> None:
        conversation.hang_up()
        self.conversations.remove(conversation)
        for one in conversation.subscriptions.values():
            self._forget(one)

    def _log_in(self, conversation: Conversation, client: str, greeting: str) -> bool:
        taken = any(one.client == client and not one.closed for one in self.conversations)
        if taken or greeting == "in use":
            conversation.send(error(-1, 326, "Unable to connect as the client id is already in use."))
            return False
        conversation.client = client
        accounts = "" if greeting == "no accounts" else "DU0,DU1,"
        conversation.send(frame("15", "1", accounts) + frame("9", "1", "1"))
        conversation.ready = greeting != "no accounts"
        for farm in FARMS:
            is_broken = farm in self.broken
            state = "broken" if is_broken else "OK"
            text = f"Market data farm connection is {state}:{farm}"
            conversation.send(error(-1, 2103 if is_broken else 2104, text))
        if "IB" in self.broken:
            conversation.send(error(-1, 1100, "Connectivity between IB and TWS has been lost."))
        return True

    def _answer(self, conversation: Conversation, fields: list[str]) -> None:
        if not self._paced(conversation):
            return
        if fields[0] == "49":
            conversation.send(frame("49", "1", str(int(time.time()))))
        elif fields[0] == "9":
            self._look_up(conversation, fields)
        elif (asked := asked_of(fields)) is not None:
            self._subscribe(conversation, *asked, stream_of(fields))
        elif (req := cancelled(fields)) is not None:
            self._cancel(conversation, req)

    def _paced(self, conversation: Conversation) -> bool:
        now, times = time.monotonic(), conversation.requests
        times.append(now)
        if len(times) <= REQUESTS_A_SECOND or now - times[0] >= 1:
            return True
        self.complain(f"more than {REQUESTS_A_SECOND} requests in a second")
        conversation.send(error(-1, 100, "Max rate of messages per second has been exceeded"))
        conversation.hang_up()
        return False

    def complain(self, text: str) -> None:
        """The recorder did what it must not."""
        self.complaints.append((time.time(), text))

    def _look_up(self, conversation: Conversation, fields: list[str]) -> None:
        req, con_id, symbol = fields[2], int(fields[3] or 0), fields[4]
        trouble = self.lookups.popleft() if self.lookups else ""
        line = self.market.by_con_id.get(con_id) or self.market.lines.get(symbol)
        if trouble == "321":
            conversation.send(error(int(req), 321, "Error validating request.-'b' : cause - timed out"))
        elif line is None:
            conversation.send(error(int(req), 200, "No security definition has been found for the request"))
        elif not trouble:
            conversation.send(line.details(req) + frame("52", "1", req))

    # Subscriptions. ------------------------------------------------------------------------------------------

    def _subscribe(self, conversation: Conversation, req: int, con_id: int, stream: str) -> None:
        line = self.market.by_con_id.get(con_id)
        if line is None or stream not in line.streams:
            conversation.send(error(req, 200, "No security definition has been found for the request"))
            return
        key = line.name, stream
        feed = self.market.feeds[key]
        if feed.since is None:
            feed.since = len(feed.times) + 1
        if self._refuses(conversation, req, key, con_id):
            return
        conversation.subscriptions[req] = Subscription(key, req)
        if stream == "level1":
            conversation.send(described(req))
            remembered = self.stale and self.market.feeds[key].line.farm in self.broken
            if remembered or not any(veil(key) for veil in self.veils.values()):
                conversation.send(picture(req))

    def _refuses(self, conversation: Conversation, req: int, key: Key, con_id: int) -> bool:
        """Say why not, as IB would."""
        live, line = conversation.live(), self.market.lines[key[0]]
        pool = pool_of(key[1])
        if req in conversation.subscriptions:
            self.complain(f"request id {req} used twice on a connection")
            conversation.send(error(req, 322, "Duplicate ticker id"))
        elif key in self.denied:
            conversation.send(error(req, self.denied[key], "Requested market data is not subscribed."))
        elif line.name in self.rerouted and con_id == line.con_id and key[1] in ("level1", "depth"):
            msg_id = "91" if key[1] == "level1" else "92"
            conversation.send(frame(msg_id, str(req), str(line.underlying), "NYSE"))
        elif sum(pool_of(one.key[1]) == pool for one in live) >= LIMITS[pool]:
            self.complain(f"{key}: more {pool} than the account allows")
            conversation.send(error(req, _LIMIT_CODES[pool], "Max number of tickers has been reached"))
        elif any(one.key == key for one in live):
            self.complain(f"{key}: asked for (request {req}) while it is subscribed")
            return False
        else:
            return pool == "tick_by_tick" and self._too_soon(conversation, con_id, key)
        return True

    def _too_soon(self, conversation: Conversation, con_id: int, key: Key) -> bool:
        """Noted, and let pass: IB's words for it are not known."""
        now = time.monotonic()
        pause = now - conversation.asked.get(con_id, 0.0)
        conversation.asked[con_id] = now
        if pause < self._tick_by_tick_seconds - _LATE:
            self.complain(f"{key}: tick-by-tick asked {pause:.2f} s after the last time of this instrument")
        return False

    def _cancel(self, conversation: Conversation, req: int) -> None:
        one = conversation.subscriptions.get(req)
        if one is None:
            conversation.send(error(req, 300, f"Can't find EId with tickerId:{req}"))
        elif one.until is None:
            one.until = time.time() + (_LINGER if self.linger else 0.0)
            self._forget(one)

    def end(self, one: Subscription, fault: Fault, code: int, text: str) -> None:
        """IB ends a subscription with an error; nothing needs to be cancelled."""
        if self.current is not None:
            self.current.send(error(one.req, code, text))
            self.current.subscriptions.pop(one.req, None)
        fault.over()

    @staticmethod
    def _forget(one: Subscription) -> None:
        if one.dead is not None:
            one.dead.over()
