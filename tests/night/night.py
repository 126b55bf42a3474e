"""A night: a market, a gateway, a recorder, and faults one after the other and over one another.

Rules:
- The same seed draws the same faults; what they meet is the machine's and the recorder's doing.
- Every wait is bounded: a recorder that hangs makes the night fail, not last.
"""

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

from night.fast import TICK_BY_TICK_SECONDS
from night.gateway import NightGateway
from night.kinds import KINDS, Kind, draw
from night.log import Fault
from night.market import Key, Market
from night.process import Recorder

_PAUSE = (0.5, 1.9)
"""Seconds between the begins of two faults."""

_HEALED = 45.0
_STARTED = 30.0
_STOPPED = 60.0
_AT_ONCE = 3
_GAUGE_SECONDS = 0.5
_NO_MORE_STARTS = 0.6
"""The share of the night behind which the recorder is not started anew: its last life is long enough to be measured."""


class Night:
    """One night, in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.begin = time.time()
        self.seed = seed
        self.faults: list[Fault] = []
        self.market = Market(seed)
        self.gateway = NightGateway(self.market, TICK_BY_TICK_SECONDS)
        self.recorder: Recorder
        self._folder = folder
        self._playing: set[asyncio.Task[None]] = set()
        self._alone = asyncio.Lock()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def spend(self, faults: int, kinds: Iterable[str], calm: float = 2.0) -> None:
        """Record from evening to morning."""
        await self.gateway.open()
        self.recorder = Recorder(self._folder, self.gateway.port, self.market)
        background = [asyncio.create_task(self.gateway.trade()), asyncio.create_task(self._measure())]
        try:
            await self.recorder.start()
            await self._all_received("at the begin of the night", _STARTED)
            await asyncio.sleep(calm)
            await self._play(faults, sorted(kinds))
            await self._all_received("after the last fault", _HEALED)
            await asyncio.sleep(calm)
            await self.stop_recorder()
        finally:
            await self._end(background)

    async def _end(self, background: list[asyncio.Task[None]]) -> None:
        for task in (*background, *self._playing):
            task.cancel()
        for task in background:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self.recorder.running:
            await self.recorder.kill()
        self.gateway.shut()
        for conversation in list(self.gateway.conversations):
            conversation.reset()

    async def _play(self, faults: int, names: list[str]) -> None:
        for index in range(faults):
            if not (self.recorder.running or self._alone.locked()):
                self.gateway.complain(f"the recorder ended by itself:\n{self.recorder.last_words()}")
                break
            chance = random.Random(f"{self.seed}-{index}")
            kind = draw(chance, names)
            if index > faults * _NO_MORE_STARTS and kind.restarts:
                kind = draw(chance, [name for name in names if not KINDS[name].restarts] or names)
            await self._start(index, kind, chance)
            await asyncio.sleep(chance.uniform(*_PAUSE))
        while self._playing:
            await asyncio.wait(self._playing)

    async def _start(self, index: int, kind: Kind, chance: random.Random) -> None:
        while len(self._playing) >= _AT_ONCE or (kind.alone and self._alone.locked()):
            await asyncio.wait(self._playing, return_when=asyncio.FIRST_COMPLETED)
        fault = Fault(index, kind.name, kind.benign)
        self.faults.append(fault)
        task = asyncio.create_task(self._run(kind, fault, chance))
        self._playing.add(task)
        task.add_done_callback(self._done)
        await asyncio.sleep(0)

    async def _run(self, kind: Kind, fault: Fault, chance: random.Random) -> None:
        async with self._alone if kind.alone else contextlib.nullcontext():
            await kind.play(self, fault, chance)
        if not fault.lasting:
            fault.over()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._playing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.gateway.complain(f"the harness itself failed: {task.exception()!r}")

    async def _measure(self) -> None:
        while True:
            if self.gateway.current is not None:
                self.recorder.measure()
            await asyncio.sleep(_GAUGE_SECONDS)

    @contextlib.asynccontextmanager
    async def turn(self, name: str, fault: Fault) -> AsyncIterator[None]:
        """What can fail only once at a time; the fault begins when it does."""
        async with self._turns[name]:
            fault.start = time.time()
            yield

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to become true; whether it did in time."""
        end = asyncio.get_running_loop().time() + seconds
        while not condition():
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.02)
        return True

    async def until_recording(self) -> None:
        """Until the recorder is connected and has asked for something."""
        if not await self.until(lambda: bool(self.gateway.current and self.gateway.current.live()), _STARTED):
            self.gateway.complain("the recorder was started and asked for nothing")

    async def stop_recorder(self) -> None:
        """SIGTERM, which must end it well and in time."""
        code = await self.recorder.terminate(_STOPPED)
        if code != 0:
            self.gateway.complain(f"SIGTERM did not end the recorder well: exit {code}")

    async def _all_received(self, when: str, seconds: float) -> None:
        if not await self.until(lambda: not (self.recorder.running and self._missing()), seconds):
            missing = ", ".join(f"{name} {stream}" for name, stream in self._missing())
            self.gateway.complain(f"{when}, {seconds:g} s long, not received: {missing}")

    def _missing(self) -> list[Key]:
        return [key for key in self.market.feeds if not self.gateway.received(key)]
