"""Runs the renderer as a process of its own, one at a time, at low priority."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import structlog

_ENVIRONMENT = {
    # Arrays of some megabytes come and go by the hundred: memory that is kept between them instead of being given
    # back and zeroed again by the kernel halves the time of the first segments.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_MMAP_THRESHOLD_": "1073741824",
    "MALLOC_TRIM_THRESHOLD_": "1073741824",
    # One core is the recorder's.
    "OMP_NUM_THREADS": "1",
}

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
        try:
            self.failed = await self._run([] if before is None else [str(before)])
        except OSError as error:  # no memory, no more processes, a Python that is just being replaced
            self.failed = f"the renderer cannot be started: {sys.executable}: {error.strerror}"
        except (ValueError, KeyError) as error:
            self.failed = f"the renderer said what is no report: {error}"
        if self.failed is not None:
            log.error("could not write Parquet; the journal keeps everything", reason=self.failed)

    async def _run(self, before: list[str]) -> str | None:
        """One run of the process; returns what went wrong."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "recorder.render", str(self._root), *before),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | _ENVIRONMENT,
            process_group=0,  # Ctrl-C is for the recorder alone
        )
        said, errors = await process.communicate()
        for line in said.splitlines():
            self._tell(json.loads(line))
        return None if process.returncode == 0 else _last_line(errors)

    def _tell(self, done: dict[str, Any]) -> None:
        if done["lost"]:
            log.error("a segment is damaged; kept in journal/set-aside", **done)
        else:
            log.info("written", **done)


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it was killed"
