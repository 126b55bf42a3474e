"""``ib-recorder simulate``."""

import asyncio
from pathlib import Path

from recorder.daemon import logs
from recorder.simulator import serve


def simulate(port: int, seed: int, rate: float, script: Path | None) -> None:
    """Serve until interrupted."""
    logs.configure()
    asyncio.run(serve(port=port, seed=seed, rate=rate, script_path=script))
