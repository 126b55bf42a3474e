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
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from recorder.config.model import Storage

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

    def __init__(self, root: Path) -> None:
        self.failed: str | None = None
        self._root = root

    async def render(self, before: int | None) -> None:
        """Render the segments numbered below ``before``, or all; a failure is logged and kept in ``failed``."""
        words = ["recorder.render", str(self._root), *([] if before is None else [str(before)])]
        self.failed = await _work("renderer", words, WORKER, _tell)
        if self.failed is not None:
            log.error("could not write Parquet; the journal keeps everything", reason=self.failed)


class Nightly:
    """Compacts the days that are over, and lets go of what is older than is to be kept.

    Attributes:
        failed: what went wrong last time; None if nothing did. The files are as they were then.
    """

    def __init__(self, root: Path, storage: Storage) -> None:
        self.failed: str | None = None
        self._words = ["recorder.store", str(root), "--archive-days", str(storage.archive_days)]
        if storage.retain_days is not None:
            self._words += ["--retain-days", str(storage.retain_days)]

    async def run(self) -> None:
        """Do it; a failure is logged and kept in ``failed``. Cancelled, the worker ends with it."""
        self.failed = await _work("nightly job", self._words, WORKER, lambda done: log.info("kept", **done))
        if self.failed is not None:
            log.error("the nightly job failed; every file is as it was", reason=self.failed)


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
