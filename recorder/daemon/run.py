"""``ib-recorder run``: everything put together, in the order in which a tick meets it.

A read of the socket -> ``capture.tap`` journals it -> the journal's segment is sealed by size or time -> the
renderer's process makes Parquet of it. At start and at the end the same renderer empties the journal.
"""

import asyncio
import contextlib
import math
import signal
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from recorder.capture.ledger import Ledger
from recorder.capture.session import Session
from recorder.capture.tap import Tap
from recorder.config import Config, load
from recorder.daemon.known import known_in
from recorder.daemon.lost import lost
from recorder.daemon.notify import notify, watchdog_seconds
from recorder.daemon.reload import Early, Reloads
from recorder.daemon.running import remember
from recorder.daemon.status import Board
from recorder.daemon.workers import Nightly, Renderer, RenderFailedError
from recorder.journal import folder
from recorder.journal.folder import Checkpoint
from recorder.journal.lock import locked, rendering
from recorder.journal.writer import Journal, now
from recorder.partition import everywhere
from recorder.session.timing import Timing

_BEAT_SECONDS = 10.0

_PAUSE_SECONDS = 0.05
_DURABLE_PAUSES = 100
"""So often the renderer waits for the last sealed segment's turn to be synced."""

_CATCH_UP = timedelta(minutes=10)
"""So long after its start a recorder does what the nights have left: it may be one that never runs at night."""

_MEGABYTE = 1_000_000

_MANY_SEGMENTS = 24
"""So many sealed segments are rendered before their time: starting the renderer costs as much as half a segment."""

log = structlog.get_logger("recorder")


def run(path: Path, *, timing: Timing | None = None) -> None:
    """Record what the config file says until SIGTERM or SIGINT; see ``record``."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it listens, Ctrl-C ends it at once, as SIGTERM does
    signal.signal(signal.SIGHUP, Early())
    try:
        asyncio.run(record(load(path), source=path, timing=timing))
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it ends a process that does not listen any more


async def record(
    config: Config, seconds: float | None = None, *, source: Path | None = None, timing: Timing | None = None
) -> None:
    """Record until SIGTERM, SIGINT or, if given, for ``seconds``; ``source`` is the file that SIGHUP reads again.

    Raises:
        NotARecordingError, RootInUseError: the root is not ours to write.
        OSError: the root cannot be written.
        JournalError: the disk refused while recording; everything written before is kept.
        RenderFailedError: not everything could be written out as Parquet; the journal keeps it.
    """
    root = config.storage.root
    folder.create(root)
    with locked(root):
        _heal(root)
        await _Daemon(config, root, source, timing).run(seconds)


def _heal(root: Path) -> None:
    """What was lost of ``recording.json``, from its copy; a full disk keeps nothing from being recorded."""
    try:
        with rendering(root):
            healed = folder.heal(root, everywhere(root))
        for path in healed:
            log.warning("put right: it was lost, spoilt, or older than the tables", file=str(root / path))
    except OSError as error:
        log.warning("recording.json is not put right; recording with its copy", reason=str(error))


async def _every(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    """Do something again and again, until cancelled; what goes wrong is logged, and it is done the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await do()
        except Exception as error:
            log.exception("timed work failed; recording goes on", problem=str(error))


class _Daemon:
    def __init__(self, config: Config, root: Path, source: Path | None, timing: Timing | None) -> None:
        self._config = config
        self._root = root
        self._source = source
        self._timing = timing
        self._session: Session | None = None
        self._reloads = Reloads(config, source)
        self._renderer = Renderer(root, config.storage.flush_seconds)
        self._nightly = Nightly(root, config.storage)
        self._rendering: asyncio.Task[None] | None = None
        self._lost: OSError | None = None
        self._waiting = 0
        self._stopping = asyncio.Event()

    async def run(self, seconds: float | None) -> None:
        self._listen_to_signals()
        self._finish_swaps()
        if left := folder.segments(self._root):
            await self._renderer.render(folder.number(left[-1]) + 1)
        if not self._stopping.is_set():
            await self._record(seconds)
        if self._lost is not None:
            raise self._lost
        if self._renderer.failed is not None:
            raise RenderFailedError(f"{self._root}: not all is in Parquet: {self._renderer.failed}")

    async def _record(self, seconds: float | None) -> None:
        storage = self._config.storage
        with rendering(self._root):
            folder.adopt(self._root, archive=storage.archive_days > 0)
        checkpoint = self._checkpoint()
        self._journal = Journal(
            self._root,
            checkpoint,
            fsync_seconds=storage.fsync_seconds,
            clock=now,
            spare_bytes=storage.spare_megabytes * _MEGABYTE,
            memory_bytes=storage.memory_megabytes * _MEGABYTE,
        )
        ledger = Ledger(self._journal)
        self._tap = Tap(self._journal, self._sealed, ledger)
        ledger.begin(checkpoint, version("ib-recorder"))
        session = self._session = Session(self._config, self._tap, ledger, known_in(self._root), self._timing)
        self._remember()
        reloading = asyncio.create_task(self._reloads.run(session, ledger))
        board = Board(
            self._root, session.machine, self._tap, lambda: self._renderer.flush, lambda: self._nightly.last
        )
        self._scheduler = self._schedule()
        beat = min(_BEAT_SECONDS, (watchdog_seconds() or math.inf) / 3)
        beside = [
            asyncio.create_task(self._end_session(seconds)),
            asyncio.create_task(board.show(self._config.status.listen)),
            asyncio.create_task(_every(storage.flush_seconds, self._seal)),
            asyncio.create_task(_every(beat, self._sign_of_life)),
        ]
        notify("READY=1")
        log.info("recording", root=str(self._root), lines=len(self._config.watchlist))
        try:
            await session.run()
        finally:
            for task in beside:
                task.cancel()
            self._scheduler.shutdown(wait=False)
            self._stop()
            await self._finish()
            await reloading

    def _remember(self) -> None:
        """Say with which config this root is recorded; a full disk keeps nothing from being recorded."""
        if self._source is not None:
            try:
                remember(self._root, self._config, self._source)
            except OSError as error:
                log.warning(
                    "running.yaml not written; check --against compares with an older one", reason=str(error)
                )

    async def _end_session(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        self._stop()
        if self._session is not None:
            self._session.stop()

    def _finish_swaps(self) -> None:
        """What ``recover --from-archive`` was killed in the middle of."""
        if (self._root / folder.SWAPPING).exists():
            # Imported here: it brings the renderer's libraries, and this is the rare case.
            from recorder.store.pending import roll_forward  # noqa: PLC0415

            if roll_forward(self._root) == "set aside":
                log.warning(
                    "damaged, set aside: what a recover --from-archive had begun; the tables stay as they are"
                )

    def _checkpoint(self) -> Checkpoint:
        if not folder.segments(self._root):
            return folder.load(self._root)
        # Imported here: the renderer's libraries double the daemon's memory, and this is the rare case.
        from recorder.render import resume  # noqa: PLC0415

        return resume(self._root)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        self._reloads.listen()

    def _stop(self) -> None:
        self._stopping.set()
        self._reloads.end()

    def _schedule(self) -> AsyncIOScheduler:
        """The night's work, which goes by the wall clock; what comes again and again goes by one that nobody sets."""
        scheduler = AsyncIOScheduler(timezone="UTC")
        if at := self._config.storage.compact_at:
            hour, minute = map(int, at.split(":"))
            nightly = CronTrigger(hour=hour, minute=minute, timezone=UTC)
            once = DateTrigger(datetime.now(UTC) + _CATCH_UP, timezone=UTC)
            # However late: a loop that was busy all night, a machine that slept, must not cost a night's work.
            scheduler.add_job(self._nightly.run, OrTrigger([nightly, once]), misfire_grace_time=None)
        scheduler.start()
        return scheduler

    async def _seal(self) -> None:
        try:
            self._tap.seal()
        except OSError as error:
            if self._session is not None:
                self._session.failed(error)
        if hangs := self._renderer.hangs:
            log.error("Parquet is not written; the journal keeps everything", reason=hangs)
        elif self._waiting or self._renderer.failed is not None:
            self._render()

    async def _sign_of_life(self) -> None:
        """Only the loop that reads the socket and writes the journal comes here: if it hangs, systemd hears nothing."""
        self._scheduler.wakeup()  # the clock may have been set: is it time for the night's work?
        doing = "starting" if self._session is None else self._session.words()
        if self._session is not None and (trouble := self._tap.journal.trouble):
            doing = f"{trouble}; {doing}"
        notify(f"WATCHDOG=1\nSTATUS={doing}, {self._tap.messages} messages")

    def _sealed(self) -> None:
        """A segment was sealed: rendered with the next flush, or sooner if many are waiting."""
        self._waiting += 1
        if self._waiting >= _MANY_SEGMENTS:
            self._render()

    def _render(self) -> None:
        """Start the renderer; while one runs, what is sealed meanwhile waits for the next."""
        if self._rendering is None or self._rendering.done():
            self._rendering = asyncio.create_task(self._write_out_sealed())

    async def _write_out_sealed(self) -> None:
        """Render what is sealed, once it is durable; what a disk keeps from being so waits for the next flush."""
        for _ in range(_DURABLE_PAUSES):
            if self._journal.before == self._journal.index:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        before = self._journal.before
        self._waiting = self._journal.index - before
        await self._renderer.render(before)

    async def _finish(self) -> None:
        """Everything out of the journal into Parquet; what the disk refuses stays in the journal."""
        notify("STOPPING=1\nSTATUS=writing everything out")
        refused = None
        try:
            await asyncio.to_thread(self._journal.close)
        except OSError as error:
            log.error("the last seconds may not be on disk", reason=str(error))
            refused = error
        if self._rendering is not None:
            await self._rendering
        await self._renderer.render(self._journal.index + 1)
        if refused is not None and (ending := lost(self._root, refused, self._missing())):
            log.error("not everything is recorded", reason=ending.strerror)
            self._lost = ending
        log.info("stopped", messages=self._tap.messages)

    def _missing(self) -> int | None:
        """How many of the numbered rows are in no table; None: who would know could not write all out."""
        if self._renderer.failed is not None:
            return None
        return self._journal.seq - folder.load(self._root).next_seq
