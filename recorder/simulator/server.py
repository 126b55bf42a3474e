"""The asyncio shell of the simulated gateway: the port, the pulse, the script.

Rules:
- One task makes time pass for all connections, one plays the script; both end with the simulator, and so
  does every socket.
- What happens on a connection is the session's business (pure), how it is written the link's.
"""

import asyncio
import errno
import heapq
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from recorder.simulator.actions import ACTIONS
from recorder.simulator.frames import is_market_data
from recorder.simulator.link import Link
from recorder.simulator.script import Step, check, load_script
from recorder.simulator.session import Session
from recorder.simulator.world import Trading, World

PULSE: Final = 0.01
"""Seconds between two pulses."""


class ListenError(OSError):
    """The port cannot be had; says which, why, and what to do."""


class Simulator:
    """A simulated gateway; ``async with`` makes it listen.

    Attributes:
        port: the port it listens on, once it does.
        sent: with ``record``, every market-data frame wholly written, with the number of its connection.
        world: what all its clients share.
        links: the connections there are, by number.
    """

    def __init__(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        seed: int = 1,
        rate: float = 10.0,
        script: Sequence[Step] | None = None,
        playing: Callable[[float, Step], None] | None = None,
        max_lines: int = 100,
        now: Callable[[], float] = time.time,
        record: bool = False,
        read_only: bool = False,
        accounts: tuple[str, ...] = ("DU1234567",),
        max_backlog: int = 1 << 24,
        hours: Trading = "always",
    ) -> None:
        """A gateway yet to be started.

        Args:
            port: 0 for any free one.
            host: the address to listen on.
            seed: of everything random; the same seed, the same frames.
            rate: ticks a second of each subscription; ``math.inf``: as fast as the socket takes.
            script: steps to play, see ``load_script``.
            playing: told each step of the script when it is played, and the seconds since the start.
            max_lines: market data lines of the account, for all clients together.
            now: seconds since the epoch, what ticks and bars are stamped with.
            record: keep ``sent``.
            read_only: refuse to list orders too, as the API setting of that name does.
            accounts: the accounts managed.
            max_backlog: bytes a client may leave unread before it is dropped.
            hours: ``always``: the market never closes, and contract details say so; ``real``: they tell the
                venues' own hours, and nothing ticks outside them.
        """
        self.port = port
        self.sent: list[tuple[int, bytes]] = []
        self.links: dict[int, Link] = {}
        self.world = World(
            seed=seed, rate=rate, now=now, max_lines=max_lines, accounts=accounts, read_only=read_only,
            hours=hours,
        )  # fmt: skip
        self._host = host
        self._script = tuple(script or ())
        self._playing = playing
        self._record = record
        self._max_backlog = max_backlog
        self._connections = 0
        self._refusals = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            ListenError: the port cannot be had.
        """
        await self._listen()
        self._spawn(self._pump())
        self._spawn(self._play_script())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening, end every connection, leave no task and no socket."""
        for timer in self._timers:
            timer.cancel()
        self._stop_listening()
        for link in list(self.links.values()):
            link.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        failures = [one for one in outcomes if isinstance(one, Exception)]
        if failures and error is None:
            raise failures[0]

    async def play(self, do: str, **arguments: Any) -> None:
        """Do at once what a script step does.

        Raises:
            ScriptError: there is no such action, or it takes other arguments.
        """
        check(do, arguments)
        ACTIONS[do](self, **arguments)

    async def run(self) -> None:
        """Until cancelled, or until something in the simulator itself fails."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    def clock(self) -> float:
        """The steady clock, seconds."""
        return asyncio.get_running_loop().time()

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something when the time has come; never, if it is infinitely far."""
        if not math.isinf(seconds):
            self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def refuse(self, seconds: float) -> None:
        """Stop listening for a while; the port stays known. Of several such whiles all must be over."""
        self._refusals += 1
        self._stop_listening()
        self.later(seconds, self._relent)

    def _relent(self) -> None:
        self._refusals -= 1
        if not self._refusals:
            self._spawn(self._listen())

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connect, self._host, self.port)
        except OSError as error:
            advice = (
                "; something listens there already, choose another port"
                if error.errno == errno.EADDRINUSE
                else ""
            )
            raise ListenError(
                f"cannot listen on {self._host}:{self.port}: {error.strerror}{advice}"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server:
            self._server.close()
        self._server = None

    def _connect(self) -> Link:
        """A connection is coming in."""
        self._connections += 1
        number, world = self._connections, self.world
        session = Session(number, world, world.welcomes.popleft() if world.welcomes else None)
        world.sessions[number] = session
        link = Link(
            session, world.dice("writes", number), self.clock, self._disconnected,
            self._remember if self._record else None, self._max_backlog,
        )  # fmt: skip
        self.links[number] = link
        return link

    def _disconnected(self, link: Link) -> None:
        del self.links[link.session.number]
        del self.world.sessions[link.session.number]

    def _remember(self, number: int, frame: bytes) -> None:
        if is_market_data(frame):
            self.sent.append((number, frame))

    def _spawn(self, work: Any) -> None:
        self._tasks.add(asyncio.get_running_loop().create_task(work))

    async def _pump(self) -> None:
        """Make time pass."""
        last = self.clock()
        while True:
            now = self.clock()
            seconds, last = now - last, now
            self.world.advance(seconds)
            busy = [link.pulse(seconds) for link in list(self.links.values())]
            await asyncio.sleep(0 if any(busy) else PULSE)

    async def _play_script(self) -> None:
        begin = self.clock()
        waiting = [(step.at, index, step) for index, step in enumerate(self._script)]
        heapq.heapify(waiting)
        while waiting:
            at, index, step = heapq.heappop(waiting)
            await asyncio.sleep(begin + at - self.clock())
            if self._playing:
                self._playing(self.clock() - begin, step)
            await self.play(step.do, **step.arguments)
            if step.every is not None:
                heapq.heappush(waiting, (at + step.every, index, step))


async def serve(
    port: int = 4002,
    seed: int = 1,
    rate: float = 10.0,
    script_path: Path | None = None,
    *,
    listening: Callable[[int], None] | None = None,
    playing: Callable[[float, Step], None] | None = None,
    hours: Trading = "always",
) -> None:
    """Run a simulated gateway until cancelled.

    Args:
        port: 0 for any free one.
        seed: of everything random.
        rate: ticks a second of each subscription.
        script_path: a YAML file of failures to play.
        listening: told the port once it listens.
        playing: as of ``Simulator``.
        hours: as of ``Simulator``.

    Raises:
        ListenError: the port cannot be had.
        ScriptError: the script is wrong; says file, line and what would be right.
    """
    script = load_script(script_path) if script_path else ()
    simulated = Simulator(port, seed=seed, rate=rate, script=script, playing=playing, hours=hours)
    async with simulated as simulator:
        if listening:
            listening(simulator.port)
        await simulator.run()
