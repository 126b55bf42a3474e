"""The shell around the session: what happens goes in as data, what is to be done comes out and is done here.

Rules:
- ``recorder.session`` decides, this acts: no decision about the gateway is made here.
- What is asked is on record before it is asked; what is lost is on record from the last tick on.
- Only a journal that cannot be written, or a fault of the recorder's own, ends a session before it is told to stop.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Coroutine, Iterator
from typing import Any, assert_never

import structlog

from recorder.capture.backfill import Backfill, Known
from recorder.capture.gateway import ConnectError, Gateway
from recorder.capture.history import History
from recorder.capture.ledger import Ledger
from recorder.capture.lookups import LookupFailedError, Lookups
from recorder.capture.reroutes import reroute
from recorder.capture.tap import Tap
from recorder.config import Config
from recorder.session import actions, inputs
from recorder.session.machine import Machine
from recorder.session.status import status
from recorder.session.timing import Timing

_LONGEST_PAUSE = 60.0
"""Seconds after which the machine is asked again, whatever it said."""

log = structlog.get_logger("recorder.session")


class Session:
    """Records the watchlist of ``config`` until told to stop.

    Attributes:
        machine: what is known and what is going on.
    """

    def __init__(
        self,
        config: Config,
        tap: Tap,
        ledger: Ledger,
        known: Known | None = None,
        timing: Timing | None = None,
    ) -> None:
        """A session yet to run; ``known`` reads what is recorded, so that holes can be filled; None: they are not."""
        rng = random.Random()  # noqa: S311 - jitter of the back-off
        names = tap.journal.state.names
        self.machine = Machine(config, self._new_request, timing or Timing(), rng, names)
        self._tap = tap
        self._ledger = ledger
        self._gateway: Gateway | None = None
        self._lookups: Lookups | None = None
        self._history: History | None = None
        self._filling: asyncio.Task[None] | None = None
        hours = config.gateway.backfill_hours
        self._backfill = (
            Backfill(tap.journal, self._may_ask, known, max_age_seconds=hours * 3600)
            if known and hours
            else None
        )
        self._heard = time.monotonic()
        self._reading: int | None = None
        self._given: deque[inputs.Input] = deque()
        self._stepping = False
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Record until ``stop``.

        Raises:
            JournalError: the journal cannot be written any more.
        """
        self._step(inputs.Passed())
        await self._over.wait()
        if self._timer is not None:
            self._timer.cancel()
        await self._end_tasks()
        if self._failure is not None:
            raise self._failure
        self._ledger.end(self._tap.last_bytes)

    def stop(self) -> None:
        """Leave: cancel what is subscribed, and end ``run``."""
        self._step(inputs.Stopped())

    def reload(self, config: Config, words: str) -> None:
        """Record another watchlist from now on; ``words`` says in short what changes."""
        self._step(inputs.Reloaded(config, words))

    def words(self) -> str:
        """What is going on, in plain words."""
        return status(self.machine).words

    # Listener: what the gateway says. ------------------------------------------------------------------------

    def received(self, data: bytes) -> Iterator[bytes]:
        """Bytes of one read: journal them, then the frames for ib_async, one by one.

        What a frame brings about is decided by the ticks before it: those behind it are seen afterwards.
        """
        arrived = self._tap.take(data)
        self._heard = time.monotonic()
        try:
            for frame, number in arrived.frames:
                self._reading = number
                if not self._is_ours(frame):
                    yield frame
        finally:
            self._reading = None
        if arrived.broken and self._gateway is not None:
            log.error("the gateway sent what is no message; connecting anew")
            self._gateway.drop("the stream of messages could not be followed")

    def _is_ours(self, frame: bytes) -> bool:
        if (found := reroute(frame)) is not None:
            self._step(found)
            return True
        if self._history is not None and self._history.take(frame):
            return True
        return self._lookups is not None and self._lookups.take(frame)

    def said(self, req: int, code: int, text: str) -> None:
        """An error or a notice; the message itself is on record already."""
        if self._lookups is not None and self._history is not None:
            self._lookups.said(req, code, text)
            self._history.said(req, code, text)
        self._step(inputs.Said(req, code, text))

    def closed(self, reason: str) -> None:
        """The connection is gone."""
        if self._lookups is None or self._history is None:
            return  # it never came to be one
        self._lookups.close(reason)
        self._history.close(reason)
        self._lookups = self._history = None
        if self._filling is not None:
            self._filling.cancel()
        self._step(inputs.Lost(reason))

    def failed(self, error: Exception) -> None:
        """Something went wrong that must not: nothing that follows can be trusted, so end here and say so."""
        self._failure = self._failure or error
        self._over.set()
        if self._gateway is not None:
            self._gateway.drop("the recorder failed")

    # The machine's turn. -------------------------------------------------------------------------------------

    def _step(self, given: inputs.Input) -> None:
        """Hand over what happened and do what is to be done; what that causes in turn waits its turn."""
        self._given.append(given)
        if self._stepping or self._over.is_set():
            return
        self._stepping = True
        try:
            while self._given:
                for action in self.machine.step(self._now(), self._given.popleft()):
                    self._perform(action)
            self._wind()
        except Exception as error:  # noqa: BLE001 - called from event handlers, which would swallow it
            self.failed(error)
        finally:
            self._stepping = False

    def _now(self) -> inputs.Now:
        journal = self._tap.journal
        return inputs.Now(
            steady=time.monotonic(),
            wall=journal.clock(),
            seq=journal.seq - 1,
            heard=self._heard,
            last_ts=self._tap.last_ts,
            seen=self._tap.look(self._reading),
        )

    def _wind(self) -> None:
        """Come back when something is due."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._over.is_set():
            now = time.monotonic()
            pause = min(max(0.0, self.machine.due(now) - now), _LONGEST_PAUSE)
            self._timer = asyncio.get_running_loop().call_later(pause, self._step, inputs.Passed())

    def _perform(self, action: actions.Action) -> None:
        match action:
            case actions.OpenGap():
                self._ledger.open(action.key, action.since, action.reason, action.code)
            case actions.CloseGap():
                self._ledger.close(action.key, action.until)
            case actions.Unsubscribed():
                self._ledger.unsubscribed(action.req)
            case actions.Ended():
                self._ledger.ended(action.req)
            case actions.Tell():
                own = {"stream": action.stream, "code": action.code}
                more: dict[str, Any] = {"instrument": dict(action.instrument)} if action.instrument else {}
                more |= {"title": action.title} if action.title else {}
                self._ledger.event(action.kind, action.text, symbol=action.symbol, **own, **more)
            case actions.Say():
                getattr(log, action.level)(action.event, **action.more)
            case actions.Over():
                self._over.set()
            case _:
                self._address(action)

    def _address(
        self,
        action: actions.Connect | actions.Drop | actions.AskTime | actions.AskDataType | actions.LookUp
        | actions.Subscribe | actions.Cancel,
    ) -> None:  # fmt: skip
        """What goes to the gateway; if it has just gone there is nobody to say it to, and that comes in next."""
        if isinstance(action, actions.Connect):
            self._spawn(self._connect(action.client_id))
            return
        gateway = self._gateway
        if isinstance(action, actions.Drop):
            if gateway is not None:
                gateway.drop(action.reason)
            return
        if gateway is None or self._lookups is None or not gateway.connected:
            return
        match action:
            case actions.AskTime():
                gateway.ask_time()
            case actions.AskDataType():
                gateway.ask_data_type(self.machine.config.gateway.market_data_type)
            case actions.LookUp():
                self._spawn(self._look_up(action, self._lookups))
            case actions.Subscribe():
                self._ledger.subscribed(action.req, action.key, action.subscription)
                gateway.subscribe(action.req, action.subscription)
            case actions.Cancel():
                gateway.cancel(action.req, action.subscription)
            case _:
                assert_never(action)

    def _new_request(self) -> int:
        assert self._gateway is not None
        return self._gateway.new_request()

    # What takes time. ----------------------------------------------------------------------------------------

    async def _connect(self, client_id: int) -> None:
        settings = self.machine.config.gateway
        self._tap.open()
        gateway = self._gateway = Gateway(self)
        where = f"{settings.host}:{settings.port}"
        try:
            version = await gateway.connect(
                settings.host, settings.port, client_id, settings.connect_timeout_seconds
            )
        except ConnectError as error:
            self._step(inputs.NotConnected(str(error), error.code))
            return
        self._heard = time.monotonic()
        self._lookups = Lookups(gateway, version, settings.connect_timeout_seconds)
        self._history = History(gateway, settings.connect_timeout_seconds)
        if self._backfill is not None:
            self._filling = self._spawn(self._backfill.run(self._history))
        self._step(inputs.Connected(f"{where} as client {client_id}, protocol version {version}"))

    async def _look_up(self, action: actions.LookUp, lookups: Lookups) -> None:
        try:
            found = await lookups.ask(action.question, action.symbol, self._tap.journal)
            answer = inputs.Answered(action.token, found)
        except LookupFailedError as error:
            answer = inputs.Answered(action.token, None, str(error), error.code)
        except ConnectionError:
            return  # that it is lost has been said already
        self._step(answer)

    def _may_ask(self, symbol: str, stream: str) -> bool:
        """Whether holes of a line's stream can be filled now: it is in the watchlist, IB is there, and room."""
        is_wanted = self.machine.streams.named((symbol, stream)) is not None and self._tap.journal.is_well
        return is_wanted and self.machine.watch.lost_since is None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except Exception as error:  # noqa: BLE001 - a task's exception would be seen by nobody
                self.failed(error)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
