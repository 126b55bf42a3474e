"""What is recorded of some seconds, read by a process of its own: the recording process loads no Arrow."""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

from recorder.capture.backfill import Known, KnownError
from recorder.capture.history import Values

_PATIENCE_SECONDS = 300.0
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


def known_in(root: Path) -> Known:
    """The function that tells what is recorded at ``root``, up to the last journalled row."""

    async def known(symbol: str, stream: str, first: int, last: int) -> Counter[Values]:
        said = await _ask(str(root), symbol, stream, str(first), str(last))
        return Counter(tuple(json.loads(line)) for line in said.splitlines())

    return known


async def _ask(*words: str) -> bytes:
    """What ``recorder.reader.known`` says.

    Raises:
        KnownError: it failed, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "recorder.reader.known", *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | _ENVIRONMENT,
        process_group=0,  # Ctrl-C is for the recorder alone
    )  # fmt: skip
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
