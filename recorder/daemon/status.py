"""The running recorder at a glance: ``status.listen`` serves a page, ``/metrics``, ``/healthz``, ``/status.json``.

Rules:
- Recording comes first: nothing here can fail it, hold it up, or grow. A port that is taken is tried again later.
- One report is behind all four, made at most once in ``_FRESH_SECONDS``, whoever asks however often.
- The disk is watched, and the log told of it, whether or not anything is served.
- Who may look is who can reach the address: loopback, unless the config names another.
"""

import asyncio
import contextlib
import ipaddress
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from pathlib import Path

import structlog

from recorder.capture.tap import Tap
from recorder.daemon import disk, metrics, page
from recorder.daemon.health import Health, trouble
from recorder.daemon.http import Response, Server
from recorder.daemon.report import Flush, JournalSize, Report, as_json, as_recorded, open_gaps
from recorder.journal import folder
from recorder.session.machine import Machine
from recorder.session.status import status

AGAIN_SECONDS = 60.0
"""An address that could not be had is tried again so often."""

_FRESH_SECONDS = 0.5
_BEAT_SECONDS = 0.1
_REMEMBERED_BEATS = 600
_BACKLOG = 8

log = structlog.get_logger("recorder.status")


class Board:
    """What the recorder of a root shows of itself."""

    def __init__(
        self,
        root: Path,
        machine: Machine,
        tap: Tap,
        flushed: Callable[[], Flush | None],
        compacted: Callable[[], Flush | None] = lambda: None,
    ) -> None:
        self._root = root
        self._machine = machine
        self._tap = tap
        self._flushed = flushed
        self._compacted = compacted
        self._room = disk.Room()
        self._said = disk.Said()
        self._since = tap.journal.clock()
        self._health = Health(time.monotonic())
        self._late: deque[float] = deque((0.0,), _REMEMBERED_BEATS)
        self._kept: dict[str, tuple[float, Response]] = {}

    async def show(self, listen: str | None) -> None:
        """Watch the disk, and serve it all at ``listen`` (nowhere), until cancelled; what goes wrong is logged."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_alone("the disk is watched no more; recording goes on", self._watch_disk()))
            if listen is not None:
                tasks.create_task(_alone("no status page any more; recording goes on", self._serve(listen)))

    async def _serve(self, listen: str) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            tasks.create_task(serve(listen, self.answer))

    async def _watch_disk(self) -> None:
        """Is there room for the days to come? A root that cannot be looked at is the journal's to tell."""
        while True:
            with contextlib.suppress(OSError):
                free = _free(self._root)
                self._room.take(free)
                self._tell(self._room.outlook(free))
            await asyncio.sleep(disk.SAMPLE_SECONDS)

    def _tell(self, outlook: disk.Outlook) -> None:
        """The log: once when it begins, or gets better or worse, each day while it lasts, and when it is over."""
        match self._said.due(outlook, time.monotonic()):
            case disk.Grade.NOW:
                log.error(outlook.words)
            case disk.Grade.SOON:
                log.warning(outlook.words)
            case disk.Grade.FINE:
                log.info("there is room again", now=outlook.words)

    async def _watch(self) -> None:
        """How late is the loop, and, once a second, is all well?"""
        while True:
            for _ in range(round(1 / _BEAT_SECONDS)):
                due = time.monotonic() + _BEAT_SECONDS
                await asyncio.sleep(_BEAT_SECONDS)
                self._late.append(max(0.0, time.monotonic() - due))
            self._see(self._tap.journal.clock())

    def _see(self, wall: int) -> None:
        flush = self._flushed()
        failed = flush.failed if flush else None
        self._health.see(trouble(status(self._machine), failed, wall), time.monotonic())

    # What is asked for. --------------------------------------------------------------------------------------

    def answer(self, path: str) -> Response | None:
        """The response for a path; None: nothing is there."""
        make = _PATHS.get(path)
        if make is None:
            return None
        if path not in self._kept or time.monotonic() - self._kept[path][0] > _FRESH_SECONDS:
            self._kept[path] = time.monotonic(), make(self.report())
        return self._kept[path][1]

    def report(self) -> Report:
        """How things are.

        Raises:
            OSError: the root cannot be looked at.
        """
        now, journal = self._tap.journal.clock(), self._tap.journal
        self._see(now)
        current = status(self._machine, now)
        room = self._room.outlook(_free(self._root))
        disk_trouble, overflow = journal.trouble, journal.overflow
        wanted = {(one.line, one.stream) for one in current.each}
        return Report(
            status=as_recorded(current, overflow),
            health=self._health.verdict(current.words, time.monotonic(), disk_trouble or room.alarm),
            now=now,
            since=self._since,
            root=self._root,
            version=version("ib-recorder"),
            pid=os.getpid(),
            messages=self._tap.messages,
            last_message=self._tap.last_ts or None,
            journal=journal_size(self._root),
            flush=self._flushed(),
            compaction=self._compacted(),
            gaps=open_gaps(journal.state, overflow, wanted),
            disk=room,
            disk_trouble=disk_trouble,
            overflow=overflow,
            late=max(self._late),
        )


async def _alone(failed: str, work: Coroutine[None, None, None]) -> None:
    """Recording does not end with what only looks at it."""
    try:
        await work
    except Exception as error:
        log.exception(failed, reason=str(error))


def _free(root: Path) -> int:
    """Bytes that are left for the recording."""
    room = os.statvfs(root)
    return room.f_bavail * room.f_frsize


def journal_size(root: Path) -> JournalSize:
    """What of the journal is on disk; the renderer may take a segment away meanwhile."""
    sizes = []
    for segment in folder.segments(root):
        try:
            sizes.append(segment.stat().st_size)
        except FileNotFoundError:
            continue
    return JournalSize(sum(sizes), max(0, len(sizes) - 1))


def _healthz(report: Report) -> Response:
    code = 200 if report.health.ok else 503
    return Response(code, "text/plain; charset=utf-8", f"{report.health.words}\n".encode())


_PATHS: dict[str, Callable[[Report], Response]] = {
    "/": lambda report: Response(200, "text/html; charset=utf-8", page.page(report).encode()),
    "/metrics": lambda report: Response(200, metrics.TYPE, metrics.metrics(report).encode()),
    "/healthz": _healthz,
    "/status.json": lambda report: Response(200, "application/json", as_json(report).encode()),
}


# Where. --------------------------------------------------------------------------------------------------


class NotLoopbackError(OSError):
    """A name that stands for an address others can reach."""


async def serve(listen: str, answer: Callable[[str], Response | None]) -> None:
    """Serve at ``HOST:PORT`` for ever; if that cannot be had, say so once and try again every minute."""
    said = ""
    while True:
        try:
            hosts, port = await addresses(listen)
            server = Server(answer, listen.rpartition(":")[0] if _are_loopback(hosts) else None)
            listening = await asyncio.get_running_loop().create_server(
                server.connection, hosts, port, backlog=_BACKLOG
            )
            break
        except OSError as error:
            if said != (said := str(error)):
                log.warning("no status page, recording goes on", listen=listen, reason=said)
        await asyncio.sleep(AGAIN_SECONDS)
    if not _are_loopback(hosts):
        log.warning("the status page is open to everyone who can reach this address", listen=listen)
    port = listening.sockets[0].getsockname()[1]
    log.info("status page", at=f"http://{listen.rpartition(':')[0]}:{port}/")
    try:
        await asyncio.Event().wait()
    finally:
        listening.close()
        server.close()


async def addresses(listen: str) -> tuple[list[str], int]:
    """The addresses and the port that ``listen`` stands for.

    Raises:
        NotLoopbackError: a name whose address others can reach: who wants that writes the address.
        OSError: a name that nobody knows.
    """
    host, _, port = listen.rpartition(":")
    try:
        return [str(ipaddress.ip_address(host.strip("[]")))], int(port)
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except UnicodeError:  # a label of more than 63 characters
        raise OSError(f"{host} can be no host's name") from None
    hosts = list(dict.fromkeys(str(one[4][0]) for one in found))
    if not _are_loopback(hosts):
        raise NotLoopbackError(
            f"{host} is {', '.join(hosts)}, which others can reach; if they may, write that"
        )
    return hosts, int(port)


def _are_loopback(hosts: list[str]) -> bool:
    return all(ipaddress.ip_address(host).is_loopback for host in hosts)
