"""The recorder of the night from outside: started, signalled, killed, and measured by ``/proc``."""

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from night.market import Market

_TESTS = Path(__file__).parents[1]
_CONFIG = """\
gateway:
  port: {port}
  connect_timeout_seconds: 1
  heartbeat_seconds: 0.5
  reconnect_min_seconds: 0.05
  reconnect_max_seconds: 0.3
storage: {{root: data, flush_seconds: 5, fsync_seconds: 0.05}}
status: {{listen: null}}
watchlist:
{lines}
"""


Ends = tuple[float, float]
"""What something was at first and at last."""


@dataclass(frozen=True, slots=True)
class Gauge:
    """The process at one moment."""

    pid: int
    at: float
    rss_mb: float
    descriptors: int


class Recorder:
    """One recorder at a time; ``log`` has what it said, ``gauges`` what it took."""

    def __init__(self, folder: Path, port: int, market: Market) -> None:
        self.root = folder / "data"
        self.log = folder / "recorder.log"
        self.gauges: list[Gauge] = []
        self._config = folder / "config.yaml"
        self._lateness = folder / "lateness.jsonl"
        self._port = port
        self._market = market
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self._write()
        paths = os.pathsep.join([str(_TESTS), os.environ.get("PYTHONPATH", "")])
        command = sys.executable, "-m", "night.driver", str(self._config), str(self._lateness)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": paths}
            )

    async def kill(self) -> None:
        """Kill -9."""
        assert self._process is not None
        if self.running:
            self._process.kill()
        await self._process.wait()

    async def terminate(self, seconds: float) -> int | None:
        """SIGTERM; its exit code, None if it did not end in time and had to be killed."""
        assert self._process is not None
        if self.running:
            self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            await self.kill()
            return None

    def reload(self, without: str = "") -> None:
        """SIGHUP, with a watchlist that lacks this line."""
        self._write(without)
        if self.running:
            self._process.send_signal(signal.SIGHUP)

    def _write(self, without: str = "") -> None:
        entries = [f"  - {line.entry}" for line in self._market.lines.values() if line.name != without]
        new = self._config.with_suffix(".new")
        new.write_text(_CONFIG.format(port=self._port, lines="\n".join(entries)))
        new.rename(self._config)

    def measure(self) -> None:
        """Take its gauges now, if it is there."""
        if not self.running:
            return
        pid = self._process.pid
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except (OSError, IndexError):
            return
        megabytes = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
        self.gauges.append(Gauge(pid, time.time(), megabytes, descriptors))

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])

    def worn(self) -> list[str]:
        """What its last process takes more at its end than at its begin."""
        rss, descriptors, late = self._wear()
        flaws = []
        if rss[1] - rss[0] > 30:
            flaws.append(f"memory grew from {rss[0]:.0f} to {rss[1]:.0f} MB")
        if descriptors[1] - descriptors[0] > 8:  # a renderer that runs has four
            flaws.append(f"open descriptors went from {descriptors[0]:.0f} to {descriptors[1]:.0f}")
        if late[1] > 3 * late[0] + 0.02:  # what else the machine does is late too
            flaws.append(f"the loop is late by {late[1] * 1e3:.1f} ms, at first by {late[0] * 1e3:.1f} ms")
        return flaws

    def wear(self) -> str:
        """The gauges in one line, for the report."""
        rss, descriptors, late = self._wear()
        return (
            f"memory {rss[0]:.0f} -> {rss[1]:.0f} MB, descriptors {descriptors[0]:.0f} -> {descriptors[1]:.0f},"
            f" loop late {late[0] * 1e3:.2f} -> {late[1] * 1e3:.2f} ms"
        )

    def _wear(self) -> tuple[Ends, Ends, Ends]:
        """Memory, descriptors and lateness of the last process that was connected, at its begin and at its end."""
        pid = self.gauges[-1].pid if self.gauges else 0
        last = [gauge for gauge in self.gauges if gauge.pid == pid]
        told = self._lateness.read_text().splitlines() if self._lateness.exists() else []
        late = [line["median"] for line in map(json.loads, told) if line["pid"] == pid]
        return (
            _tenths([gauge.rss_mb for gauge in last]),
            _tenths([float(gauge.descriptors) for gauge in last]),
            _tenths(late),
        )


def _tenths(values: list[float]) -> Ends:
    """Medians of the first and the last tenth."""
    tenth = max(1, len(values) // 10)
    return (median(values[:tenth]), median(values[-tenth:])) if values else (0.0, 0.0)
