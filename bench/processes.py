"""The processes of a run: the sender, whoever listens to it, and what their time and memory are."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import psutil

_SAMPLE_SECONDS = 0.25
_PATIENCE_SECONDS = 300


class FailedRunError(RuntimeError):
    """A run that did not do what is measured: there is no figure."""


class Sender:
    """The sender's process, told to begin once its listener is ready."""

    def __init__(self, pool: Path, messages: int, rate: float = 0) -> None:
        command = [sys.executable, "-m", "bench.sender", str(pool), str(messages), str(rate)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.wait("listening")["port"])

    def wait(self, event: str) -> dict[str, Any]:
        """What it says of an event, the next that is due.

        Raises:
            FailedRunError: it says something else, or nothing for ``_PATIENCE_SECONDS``: whoever listens has ended.
        """
        patience = threading.Timer(_PATIENCE_SECONDS, self._process.kill)
        patience.start()
        line = self._process.stdout.readline()
        patience.cancel()
        if not line or (told := json.loads(line))["event"] != event:
            raise FailedRunError(f"the sender said {line!r}, {event!r} was due")
        return told

    def go(self) -> float:
        """Start the stream; returns when, seconds of the monotonic clock."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self.wait("streaming")["at"])

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def sender(pool: Path, messages: int, rate: float = 0) -> Iterator[Sender]:
    running = Sender(pool, messages, rate)
    try:
        yield running
    finally:
        running.close()


class Listener:
    """A process under measurement and all that it starts.

    Attributes:
        said: what it wrote on standard output, once it has ended.
        ended: when, seconds of the monotonic clock.
    """

    def __init__(self, *command: object) -> None:
        self._process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.pid = self._process.pid
        self.said = ""
        self.ended = 0.0

    def cpu_seconds(self) -> float:
        """Processor time so far, that of children that ended included."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system + times.children_user + times.children_system

    def memory(self) -> tuple[int, int]:
        """Resident bytes of the process, and of it and its children together (shared pages counted twice)."""
        own = psutil.Process(self.pid)
        resident = own.memory_info().rss
        total = resident
        for child in own.children(recursive=True):
            try:
                total += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        return resident, total

    def line(self) -> str:
        """The next line it says."""
        return self._process.stdout.readline()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> float:
        """Wait for its end; returns all the processor time it and its children took.

        Raises:
            FailedRunError: it did not end well.
        """
        self.said = self._process.stdout.read()
        _, status, used = os.wait4(self.pid, 0)
        self.ended = time.monotonic()
        self._process.returncode = os.waitstatus_to_exitcode(status)
        if self._process.returncode not in (0, -signal.SIGKILL):
            raise FailedRunError(f"{self._process.args}: exit {self._process.returncode}")
        return used.ru_utime + used.ru_stime

    def close(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


@contextmanager
def program(*command: object) -> Iterator[Listener]:
    running = Listener(*command)
    try:
        yield running
    finally:
        running.close()


def listener(*arguments: object) -> AbstractContextManager[Listener]:
    """A program of this Python's."""
    return program(sys.executable, *arguments)


class Memory(threading.Thread):
    """Samples a listener's memory until it is gone.

    Attributes:
        samples: (seconds of the monotonic clock, bytes of the process, bytes of all together).
    """

    def __init__(self, watched: Listener) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, int, int]] = []
        self._watched = watched

    def run(self) -> None:
        try:
            while True:
                self.samples.append((time.monotonic(), *self._watched.memory()))
                time.sleep(_SAMPLE_SECONDS)
        except psutil.Error:
            return
