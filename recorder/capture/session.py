"""The story of a connection, and of the next one: connect, qualify, subscribe, listen, reconnect, for ever.

Rules:
- Whatever the gateway does, the answer is to go on; only a journal that cannot be written ends a session.
- What is asked is on record before it is asked; what is lost is on record from the last byte on.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator

import structlog

from recorder.capture import contracts
from recorder.capture.backoff import Outage, backoff
from recorder.capture.gateway import ConnectError, Gateway, Subscription
from recorder.capture.ledger import Ledger
from recorder.capture.lookups import LookupFailedError, Lookups
from recorder.capture.tap import Tap
from recorder.capture.watchlist import TICK_BY_TICK_SECONDS, UnfitError, Wanted, Watchlist, is_tick_by_tick
from recorder.config import Config
from recorder.wire import codes

_PACE_SECONDS = 1 / 40
"""Between two requests: IB drops a client that sends more than 50 messages a second."""

_SETTLED_SECONDS = 10.0
"""A stream that has been asked for and not refused for so long is being received, ticks or not."""

_FIRST_ANSWERS_SECONDS = 2.0
"""How long the first subscription waits for contract lookups, so that watchlist order holds; who answers later comes
later."""

_RETRY_SECONDS, _ASK_AGAIN_SECONDS = 1800.0, 60.0
"""Between two attempts at what was refused, and at what was not answered."""

_PATIENCE = 5
"""Refusals of the client id (error 326) before a spare one is tried: an old session takes its time to go."""

_LAST_TICKS_SECONDS = 0.3
"""How long to listen after cancelling: what the gateway had already sent is still recorded."""

log = structlog.get_logger("recorder.session")


class Session:
    """Records the watchlist of ``config`` until told to stop.

    Attributes:
        watchlist: what is known of the lines.
        phase: what is going on, in plain words.
        parked: streams that were refused, and why.
    """

    def __init__(self, config: Config, tap: Tap, ledger: Ledger) -> None:
        self.watchlist = Watchlist(config)
        self.phase = "starting"
        self.parked: dict[tuple[str, str], str] = {}
        self._config = config
        self._tap = tap
        self._ledger = ledger
        self._gateway: Gateway | None = None
        self._lookups: Lookups | None = None
        self._asked: dict[int, Wanted] = {}
        self._subscriptions: dict[int, Subscription] = {}
        self._refused: dict[Wanted, int] = {}
        self._tick_by_tick_at: dict[int, float] = {}
        self._reads = 0
        self._ib_lost = False
        self._refused_client_id = 0
        self._stop = asyncio.Event()
        self._ask_soon = asyncio.Event()
        self._outage = Outage()
        self._failure: Exception | None = None

    def stop(self) -> None:
        """Leave: cancel what is subscribed, and end ``run``."""
        self._stop.set()
        if self._gateway is not None and not self._gateway.connected:
            self._gateway.drop("the recorder stops")

    async def run(self) -> None:
        """Record until ``stop``.

        Raises:
            JournalError: the journal cannot be written any more.
        """
        self._refuse_over_limit()
        pauses = self._pauses()
        while not self._stop.is_set():
            try:
                await self._connection()
                pauses = self._pauses()
            except ConnectError as error:
                self._refused_client_id += error.code == codes.CLIENT_ID_IN_USE
                self._not_connected(error)
            if self._failure is not None:
                raise self._failure
            await self._wait_for_stop(next(pauses))
        self._ledger.end(self._tap.last_ts)

    # Listener: what the gateway says. ------------------------------------------------------------------------

    def received(self, data: bytes) -> Iterable[bytes]:
        """Bytes of one read: journal them; returns the frames for ib_async."""
        arrived = self._tap.take(data, self._ledger.waiting)
        self._reads += 1
        for req, seq in arrived.first.items():
            self._ledger.arrived(req, self._tap.last_ts, seq)
        if arrived.broken and self._gateway is not None:
            log.error("the gateway sent what is no message; connecting anew")
            self._gateway.drop("the stream of messages could not be followed")
        lookups = self._lookups
        return [frame for frame in arrived.frames if lookups is None or not lookups.take(frame)]

    def said(self, req: int, code: int, text: str) -> None:
        """An error or a notice; the message itself is on record already."""
        if self._lookups is not None:
            self._lookups.said(req, code, text)
        wanted = self._asked.get(req)
        if wanted is None:
            self._noticed(req, code, text)
        elif code in codes.REFUSED:
            self._asked.pop(req)
            self._refused[wanted] = req
            self._ledger.refused(req, code, self._tap.last_ts)
            self._park(wanted, f"{text} ({code})")
            if code in codes.PASSING:
                self._ask_soon.set()
        elif code not in codes.FINE:
            name, stream = self.watchlist.name(wanted.index), wanted.stream.kind
            log.warning("gateway", line=name, stream=stream, code=code, text=text)

    def _noticed(self, req: int, code: int, text: str) -> None:
        """What the gateway says of itself and of IB's servers."""
        if req >= 0 or code == codes.CLIENT_ID_IN_USE:
            return
        (log.debug if code in codes.FINE else log.warning)("gateway", code=code, text=text)
        if code in (codes.CONNECTION_LOST, codes.DATA_KEPT):
            self._ib_lost = code == codes.CONNECTION_LOST
        if code == codes.CONNECTION_LOST:
            self._ledger.silent(self._tap.last_ts, code)
        elif code == codes.DATA_LOST and self._gateway is not None:
            self._gateway.drop("IB forgot the subscriptions (1101)")

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        if self._lookups is not None:
            self._lookups.close(reason)

    def failed(self, error: Exception) -> None:
        """Handling a message failed: nothing that follows can be trusted, so end here and say so."""
        self._failure = error
        self._stop.set()
        if self._gateway is not None:
            self._gateway.drop("the recorder failed")

    # One connection. -----------------------------------------------------------------------------------------

    async def _connection(self) -> None:
        """Connect and record until the connection is lost or ``stop``."""
        settings = self._config.gateway
        self._ib_lost = False
        self.phase = f"connecting to {settings.host}:{settings.port}"
        self._tap.open()
        gateway = self._gateway = Gateway(self)
        client_id = self._client_id()
        version = await gateway.connect(
            settings.host, settings.port, client_id, settings.connect_timeout_seconds
        )
        self._refused_client_id = 0
        self._lookups = Lookups(gateway, version, settings.connect_timeout_seconds)
        where = f"{settings.host}:{settings.port} as client {client_id}, protocol version {version}"
        self._ledger.event("connected", where)
        log.info("connected", to=where, after_seconds=round(self._outage.seconds(time.monotonic())))
        self._outage = Outage()
        self.phase = "connected"
        await self._listen(gateway)

    async def _listen(self, gateway: Gateway) -> None:
        """Subscribe and keep alive until the connection is lost or ``stop``; then take leave of it."""
        tasks = [self._guarded(work, gateway) for work in (self._keep_subscribed, self._keep_alive)]
        stopping = asyncio.ensure_future(self._stop.wait())
        lost = asyncio.ensure_future(gateway.until_lost())
        await asyncio.wait({stopping, lost}, return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if lost.done():
            self._lose(lost.result())
        else:
            lost.cancel()
            await self._leave(gateway)
        self._lookups = None
        self._asked.clear()
        self._subscriptions.clear()
        self._refused.clear()

    def _lose(self, reason: str) -> None:
        self.phase = f"disconnected: {reason}"
        log.warning("disconnected", reason=reason)
        if self._failure is None:
            self._ledger.lost(self._tap.last_ts, reason)

    async def _leave(self, gateway: Gateway) -> None:
        """Cancel everything at IB's pace, and listen a little longer: what was sent already is still recorded."""
        for req in list(self._asked):
            if not gateway.connected:
                return
            self._ledger.unsubscribed(req, self._tap.last_ts)
            gateway.cancel(req, self._subscriptions[req])
            await asyncio.sleep(_PACE_SECONDS)
        await asyncio.sleep(_LAST_TICKS_SECONDS)
        gateway.drop("the recorder stops")

    def _guarded(self, work: Callable[[Gateway], Awaitable[None]], gateway: Gateway) -> "asyncio.Task[None]":
        async def guarded() -> None:
            try:
                await work(gateway)
            except Exception as error:  # noqa: BLE001 - a task's exception would be seen by nobody
                if gateway.connected:
                    self.failed(error)

        return asyncio.create_task(guarded())

    async def _keep_alive(self, gateway: Gateway) -> None:
        """Ask for the time when nothing comes; two misses mean that nobody is there."""
        misses, seen = 0, -1
        while True:
            await asyncio.sleep(self._config.gateway.heartbeat_seconds)
            misses = misses + 1 if self._reads == seen else 0
            seen = self._reads
            if misses > 2:
                gateway.drop("the gateway does not answer any more")
                return
            if misses:
                gateway.ask_time()

    # Subscriptions. ------------------------------------------------------------------------------------------

    async def _keep_subscribed(self, gateway: Gateway) -> None:
        """Ask for what is known; ask again later about what was refused or not answered."""
        gateway.ask_data_type(self._config.gateway.market_data_type)
        while True:
            lookups = [asyncio.create_task(self._qualify(index)) for index in self.watchlist.unknown()]
            try:
                if lookups:
                    await asyncio.wait(lookups, timeout=_FIRST_ANSWERS_SECONDS)
                await self._subscribe(gateway, lookups)
                answered = all(await asyncio.gather(*lookups))
            finally:
                for lookup in lookups:
                    lookup.cancel()
            self.phase = f"connected, {len(self._asked)} streams subscribed, {len(self.parked)} refused"
            log.info("subscribed", streams=len(self._asked), refused=len(self.parked))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._ask_soon.wait(), _RETRY_SECONDS if answered else _ASK_AGAIN_SECONDS
                )
            if self._ask_soon.is_set():
                self._ask_soon.clear()
                await asyncio.sleep(_ASK_AGAIN_SECONDS)

    async def _qualify(self, index: int) -> bool:
        """Find out which contract a line is; False if the gateway did not answer.

        Raises:
            ConnectionError: the connection was lost meanwhile.
        """
        assert self._lookups is not None
        line, name = self._config.watchlist[index], self.watchlist.name(index)
        try:
            answers = await self._lookups.ask(contracts.question(line), name, self._tap.journal)
            found = self.watchlist.resolve(index, answers)
        except LookupFailedError as error:
            self._park_line(index, f"{line.title}: {error}", error.code)
            return error.code is not None
        except UnfitError as error:
            self._ledger.event("refused", str(error), symbol=name, code=codes.NO_SUCH_CONTRACT)
            self._park_line(index, str(error), codes.NO_SUCH_CONTRACT)
            return True
        name = self.watchlist.name(index)
        row = contracts.instrument(found, name)
        self._ledger.event("qualified", contracts.candidate(found), symbol=name, instrument=row)
        return True

    async def _subscribe(self, gateway: Gateway, lookups: list["asyncio.Task[bool]"]) -> None:
        """Ask for each stream as soon as IB's pace allows, in watchlist order among those that may be asked for.

        Ends when nothing is left to ask for and every lookup has been answered.
        """
        loop = asyncio.get_running_loop()
        tried: set[Wanted] = set()
        while True:
            open_lookups = [lookup for lookup in lookups if not lookup.done()]
            waiting = [
                one for one in self.watchlist.known() if one not in tried and one not in self._asked.values()
            ]
            if not waiting and not open_lookups:
                return
            first = min(waiting, key=lambda one: max(self._due(one), loop.time()), default=None)
            pause = _ASK_AGAIN_SECONDS if first is None else self._due(first) - loop.time()
            if first is not None and pause <= 0:
                tried.add(first)
                self._subscribe_one(first, gateway)
                await asyncio.sleep(_PACE_SECONDS)
            elif open_lookups:
                await asyncio.wait(open_lookups, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(pause)

    def _due(self, wanted: Wanted) -> float:
        if not is_tick_by_tick(wanted):
            return 0.0
        return self._tick_by_tick_at.get(self.watchlist.con_id(wanted), 0.0)

    def _subscribe_one(self, wanted: Wanted, gateway: Gateway) -> None:
        loop = asyncio.get_running_loop()
        con_id = self.watchlist.con_id(wanted)
        if is_tick_by_tick(wanted):
            self._tick_by_tick_at[con_id] = loop.time() + TICK_BY_TICK_SECONDS
        subscription = self.watchlist.subscription(wanted)
        refused = self._refused.pop(wanted, None)
        if refused is not None:  # IB may go on sending for what it refused: never ask for the same twice
            gateway.cancel(refused, self._subscriptions[refused])
        key = (self.watchlist.name(wanted.index), wanted.stream.kind)
        req = gateway.new_request()
        self._ledger.subscribed(
            req,
            key,
            con_id,
            f"con_id {con_id} at {subscription.contract['exchange']}",
            show=subscription.show if subscription.stream == "bars" else "",
            alias=wanted.line.title,
        )
        self._asked[req], self._subscriptions[req] = wanted, subscription
        self.parked = {
            other: why
            for other, why in self.parked.items()
            if other not in (key, (wanted.line.title, key[1]))
        }
        gateway.subscribe(req, subscription)
        loop.call_later(_SETTLED_SECONDS, self._settle, gateway, req)

    def _settle(self, gateway: Gateway, req: int) -> None:
        if gateway is self._gateway and gateway.connected and not self._ib_lost:
            try:
                self._ledger.arrived(req, self._tap.journal.clock(), self._tap.journal.seq)
            except OSError as error:
                self.failed(error)

    # What does not work. -------------------------------------------------------------------------------------

    def _refuse_over_limit(self) -> None:
        for wanted, reason, code in self.watchlist.over_limit():
            name, stream = self.watchlist.name(wanted.index), wanted.stream.kind
            self._ledger.event("refused", reason, symbol=name, stream=stream, code=code)
            self._ledger.missing((name, stream), self._tap.journal.clock(), "refused", code)
            self._park(wanted, reason)

    def _park_line(self, index: int, problem: str, code: int | None) -> None:
        """``code`` is None where the gateway did not answer."""
        reason = "not_subscribed" if code is None else "refused"
        for wanted in self.watchlist.wanted():
            if wanted.index == index:
                key = (self.watchlist.name(index), wanted.stream.kind)
                self._ledger.missing(key, self._tap.journal.clock(), reason, code)
                self._park(wanted, problem)

    def _park(self, wanted: Wanted, reason: str) -> None:
        key = (self.watchlist.name(wanted.index), wanted.stream.kind)
        if self.parked.get(key) != reason:
            log.warning("not recorded, asked for again later", line=key[0], stream=key[1], reason=reason)
        self.parked[key] = reason

    def _not_connected(self, error: ConnectError) -> None:
        """Say why there is no connection: for each new reason, and now and then that it is still so."""
        reason = str(error)
        self.phase = f"not connected: {reason}"
        if self._stop.is_set():
            return
        is_new, is_due = self._outage.failed(reason, time.monotonic())
        if is_due:
            seconds, attempts = round(self._outage.seconds(time.monotonic())), self._outage.attempts
            log.warning("no connection, trying again", reason=reason, seconds=seconds, attempts=attempts)
        if is_new:
            self._ledger.event("connect_failed", reason, code=error.code)

    def _client_id(self) -> int:
        """The configured id; the spare ones in turn only when the gateway goes on saying that it is in use."""
        settings = self._config.gateway
        attempts = self._refused_client_id - _PATIENCE
        spares = settings.spare_client_ids
        return spares[attempts % len(spares)] if attempts >= 0 and spares else settings.client_id

    def _pauses(self) -> Iterator[float]:
        settings = self._config.gateway
        return backoff(settings.reconnect_min_seconds, settings.reconnect_max_seconds, random.Random())  # noqa: S311

    async def _wait_for_stop(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
