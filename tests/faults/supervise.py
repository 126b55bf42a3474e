"""Runs programs and answers each of their calls that change a file: do it, do half of it, refuse it, kill -9.

Rules:
- A call on the watched folder is made here, in the place of the program: with the program's own open file, so that
  what is answered is what happened. Only an open is left to the program; whether it made a file is seen before.
- Calls elsewhere (standard output, caches of bytecode) pass.
- One thing at a time: calls of several threads are answered in the order in which they came.
"""

import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from faults import calls
from faults.looked import Looked
from faults.perform import perform
from faults.trace import OPENS, Call, Trace

_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_PASS = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of a call: done as asked, unless one of these is set.

    Attributes:
        error: refused with this errno.
        short: a write is done up to its half only.
        kill: the program and its children are killed instead.
    """

    error: int = 0
    short: bool = False
    kill: bool = False


DO = Answer()
KILL = Answer(kill=True)
SHORT = Answer(short=True)
Judge = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended (minus a signal's number if it was killed), what it said, and what it did."""

    exit: int
    out: str
    err: str
    trace: Trace


class Supervisor:
    """Runs programs under supervision in forks of one warm process; a context manager."""

    def __init__(self, *modules: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "faults.launch", str(theirs.fileno()), *modules]
        home = Path(__file__).parents[1]
        path = os.pathsep.join([str(home), str(home.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path}
        self._warm = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._warm.wait()

    def run(self, root: Path, *arguments: str | Path, judge: Judge = lambda _call: DO) -> Run:
        """Run a module (``"recorder.render", root``) or a file to its end; ``judge`` answers its calls on ``root``."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            request = json.dumps([str(argument) for argument in arguments]).encode()
            socket.send_fds(self._socket, [request], [out.fileno(), err.fileno()])
            answer, (listener,), _, _ = socket.recv_fds(self._socket, 4096, 1)
            watch = _Watch(listener, json.loads(answer)["pid"], root, judge)
            try:
                watch.all()
            except BaseException:
                watch.kill()
                raise
            finally:
                watch.close()
                ended = json.loads(self._socket.recv(4096))["exit"]
            out.seek(0)
            err.seek(0)
            return Run(ended, out.read().decode(), err.read().decode(), watch.trace)


class _Watch:
    """One run: its calls as they come."""

    def __init__(self, listener: int, pid: int, root: Path, judge: Judge) -> None:
        self.trace: Trace = []
        self._listener, self._group, self._root, self._judge = listener, pid, root, judge
        self._count = 0
        self._is_killed = False
        self._looked = Looked(root)

    def all(self) -> None:
        """Answer every call until nobody is left to make one."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while True:
            ((_, events),) = poll.poll()
            if not events & select.POLLIN:
                return
            self._one()

    def kill(self) -> None:
        """Kill -9 the program and its children."""
        self._is_killed = True
        os.killpg(self._group, signal.SIGKILL)

    def close(self) -> None:
        os.close(self._listener)
        self._looked.close()

    def _one(self) -> None:
        notice = bytearray(80)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, notice, True)
        except FileNotFoundError:  # killed between call and notice
            return
        if self._is_killed:  # what its other threads were about to do is not done any more
            return
        ident, pid, _flags, number, _arch, _ip, *arguments = struct.unpack("=QIIiIQ6Q", notice)
        try:
            value, error, flags = self._answered(calls.NAMES[number], pid, arguments)
        except ProcessLookupError:
            return
        try:
            fcntl.ioctl(self._listener, _SEND, struct.pack("=QqiI", ident, value, -error, flags))
        except FileNotFoundError:
            return

    def _answered(self, name: str, pid: int, arguments: list[int]) -> tuple[int, int, int]:
        """The result, the errno and the flags to answer with."""
        call, descriptor = self._looked.call(self._count + 1, name, pid, arguments)
        try:
            if call is None or call.name == "say":
                self.trace += [call] if call else []
                return 0, 0, _PASS
            self._count += 1
            answer = self._judge(call)
            if answer.kill:
                self.trace.append(call)
                self.kill()
                raise ProcessLookupError
            result = self._done(call, descriptor, answer)
            self.trace.append(replace(call, result=result))
            leave = call.name in OPENS and result >= 0
            return (0, 0, _PASS) if leave else (max(result, 0), max(-result, 0), 0)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def _done(self, call: Call, descriptor: int, answer: Answer) -> int:
        if answer.error:
            return -answer.error
        try:
            return perform(call, self._root, descriptor, short=answer.short)
        except OSError as error:
            return -(error.errno or errno.EIO)
