"""What is recorded around a gap, read by a process of its own: the recording process loads no Arrow."""

import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from recorder.capture.backfill import Known, KnownError
from recorder.capture.history import Values
from recorder.journal.state import Unfilled

_PATIENCE_SECONDS = 300.0
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def known_in(root: Path) -> Known:
    """What is recorded at ``root``, up to the last journalled row."""
    return _KnownIn(root)


@dataclass(frozen=True, slots=True)
class _KnownIn:
    root: Path

    async def ticks(self, gap: Unfilled, first: int, last: int) -> Counter[Values]:
        said = await self._ask("ticks", gap.stream, gap.symbol, gap.con_id, first, last)
        return Counter(tuple(json.loads(line)) for line in said.splitlines())

    async def clocks(self, gap: Unfilled) -> tuple[int, int]:
        least, most = json.loads(await self._ask("clocks", gap.stream, gap.ts_start, gap.ts_end))
        return least, most

    async def _ask(self, what: str, stream: str, *words: object) -> bytes:
        """What ``recorder.reader.known`` says.

        Raises:
            KnownError: it could not be started, failed, or took too long.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "recorder.reader.known", what, self.root, stream, *map(str, words),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | _ENVIRONMENT,
                process_group=0,  # Ctrl-C is for the recorder alone
            )  # fmt: skip
        except OSError as error:
            raise KnownError(f"what is recorded was not read: no reader could be started: {error}") from None
        return await _said(process)


async def _said(process: asyncio.subprocess.Process) -> bytes:
    try:
        said, errors = await asyncio.wait_for(process.communicate(), _PATIENCE_SECONDS)
    except TimeoutError:
        raise KnownError(f"what is recorded was not read within {_PATIENCE_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise KnownError(lines[-1] if lines else "what is recorded was not read: the reader was killed")
    return said
