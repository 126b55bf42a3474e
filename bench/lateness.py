"""How late an event loop is: `python -m bench.lateness OUT [CONFIG]`.

A probe in the loop wants to run every five milliseconds. With CONFIG the loop is the recorder's, run as `ib-recorder
run` does; without, it has nothing else to do and shows what the machine itself adds.
"""

import asyncio
import signal
import sys
from array import array
from pathlib import Path

import numpy as np

EVERY_SECONDS = 0.005


class Probe:
    """Samples of (when it was due, how late it was), seconds of the monotonic clock.

    The times due are fixed beforehand: a loop that hangs for 50 ms is late ten times, not once.
    """

    def __init__(self) -> None:
        self.samples = array("d")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due = loop.time()
        self._sample()

    def save(self, path: Path) -> None:
        np.save(path, np.array(self.samples).reshape(-1, 2))

    def _sample(self) -> None:
        self.samples.extend((self._due, self._loop.time() - self._due))
        self._due += EVERY_SECONDS
        self._loop.call_at(self._due, self._sample)


class _Watched(asyncio.DefaultEventLoopPolicy):
    """Makes loops that are watched from their first moment."""

    def __init__(self, probe: Probe) -> None:
        super().__init__()
        self._probe = probe

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        self._probe.watch(loop)
        return loop


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()


def main(out: str, config: str | None = None) -> None:
    probe = Probe()
    asyncio.set_event_loop_policy(_Watched(probe))
    if config is None:
        asyncio.run(_until_stopped())
    else:
        from recorder.daemon.run import run  # noqa: PLC0415 - an idle loop does without

        run(Path(config))
    probe.save(Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
