"""The work on files, done by processes of their own at low priority: the renderer, and what is done every night.

Rules:
- The recording process loads no Arrow and waits for no disk.
- A worker says one JSON line for each thing it has done, and why it failed on standard error.
- Killed at any moment a worker loses nothing; the next one does it again.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from recorder.config.model import Storage
from recorder.daemon.health import span
from recorder.daemon.report import Flush
from recorder.journal.writer import now

WORKER = {
    # Arrays of some megabytes come and go by the hundred: memory that is kept between them instead of being given
    # back and zeroed again by the kernel halves the time of the first segments.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    # One core is the recorder's.
    "OMP_NUM_THREADS": "1",
}
"""The environment a worker runs best in."""

HANGS_SECONDS = 600.0
"""A renderer that is at it for longer, and longer than from flush to flush, is said to hang.

From one flush to the next there is work for seconds; behind hours in which nothing could be written, for minutes. One
whose archive lies on a dead mount never ends. It is not killed: it may yet get through, and nothing is lost meanwhile.
"""

Done: TypeAlias = dict[str, Any]
"""What a worker says it has done."""

log = structlog.get_logger("recorder.render")


class RenderFailedError(RuntimeError):
    """Not everything could be written out as Parquet; the journal keeps it."""


class Renderer:
    """Turns sealed segments into Parquet.

    Attributes:
        failed: what went wrong last time; None if nothing did. The segments are still there then.
    """

    def __init__(self, root: Path, flush_seconds: float) -> None:
        self.failed: str | None = None
        self._root = root
        self._limit = max(HANGS_SECONDS, flush_seconds)
        self._began: float | None = None
        self._last: Flush | None = None

    @property
    def flush(self) -> Flush | None:
        """The last one; one that hangs has failed up to now."""
        if self._began is None or self.hangs is None:
            return self._last
        seconds = time.monotonic() - self._began
        return Flush(now() - round(seconds * 1e6), seconds, self.hangs)

    @property
    def hangs(self) -> str | None:
        """That it takes too long, in words; None: it does not, or none runs."""
        seconds = 0.0 if self._began is None else time.monotonic() - self._began
        return f"the renderer has been at it for {span(seconds)}" if seconds > self._limit else None

    async def render(self, before: int) -> None:
        """Render the segments numbered below ``before``; a failure is logged and kept in ``failed``.

        Never all: a renderer outlives its recorder, and would take the next one's live segment.
        """
        words = ["recorder.render", str(self._root), str(before)]
        began = self._began = time.monotonic()
        try:
            self.failed = await _work("renderer", words, WORKER, _tell)
        finally:
            self._began = None
        self._last = Flush(now(), time.monotonic() - began, self.failed)
        if self.failed is not None:
            log.error("could not write Parquet; the journal keeps everything", reason=self.failed)


class Nightly:
    """Compacts the days that are over, and lets go of what is older than is to be kept.

    Attributes:
        last: when it was done last; if it failed, the files are as they were then. None: it has not been yet.
    """

    def __init__(self, root: Path, storage: Storage) -> None:
        self.last: Flush | None = None
        self._words = ["recorder.store", str(root), "--archive-days", str(storage.archive_days)]
        if storage.retain_days is not None:
            self._words += ["--retain-days", str(storage.retain_days)]

    async def run(self) -> None:
        """Do it; a failure is logged and kept in ``last``. Cancelled, the worker ends with it."""
        began = time.monotonic()
        try:
            failed = await _work("nightly job", self._words, WORKER, lambda done: log.info("kept", **done))
        except asyncio.CancelledError:
            return  # stopping: the next start does it; the scheduler would log this as a fault
        self.last = Flush(now(), time.monotonic() - began, failed)
        if failed is not None:
            log.error("the nightly job failed; every file is as it was", reason=failed)


async def _work(
    name: str, words: list[str], environment: dict[str, str], tell: Callable[[Done], None]
) -> str | None:
    """One run of a worker; returns what went wrong."""
    try:
        return await _run(words, environment, tell)
    except OSError as error:  # no memory, no more processes, a Python that is just being replaced
        return f"the {name} cannot be started: {sys.executable}: {error.strerror}"
    except (ValueError, KeyError) as error:
        return f"the {name} said what is no report: {error}"


async def _run(words: list[str], environment: dict[str, str], tell: Callable[[Done], None]) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | environment,
        process_group=0,  # Ctrl-C is for the recorder alone
    )
    try:
        said, errors = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.terminate()
        raise
    for line in said.splitlines():
        tell(json.loads(line))
    return None if process.returncode == 0 else _last_line(errors)


def _tell(done: Done) -> None:
    if done["lost"]:
        log.error("a segment is damaged; kept in journal/set-aside", **done)
    else:
        log.info("written", **done)


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it was killed"
