"""The recorder as a process whose waits are shorter than IB's: what takes minutes is seen in seconds.

``python tests/hurried.py CONFIG '{"settled": 1.0}'`` runs it as ``ib-recorder run CONFIG`` does.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from recorder.daemon import logs
from recorder.daemon.run import run
from recorder.session.timing import Timing

TENTH = {
    "tick_by_tick": 1.5, "first_answers": 0.5, "settled": 1.0, "burst": 0.3, "passing": 2.0, "slow": 4.0,
    "daily": 8.0, "watch": 1.5, "farm": 0.4, "in_flight": 0.2, "lost_in_flight": 0.5, "check": 0.05,
}  # fmt: skip
"""About a tenth of what IB needs."""


@asynccontextmanager
async def hurried(config: Path, **timing: float) -> AsyncIterator[asyncio.subprocess.Process]:
    """The daemon while the block runs, with these waits instead of ``TENTH``'s; SIGTERM behind it must end it well."""
    from daemon import ended  # noqa: PLC0415 - its pandas is not for the recorder's process, which this file is too

    process = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(config), json.dumps(TENTH | timing), stderr=asyncio.subprocess.PIPE
    )
    async with ended(process):
        yield process


if __name__ == "__main__":
    logs.configure()
    run(Path(sys.argv[1]), timing=Timing(**json.loads(sys.argv[2])))
