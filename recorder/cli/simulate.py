"""``ib-recorder simulate``."""

import asyncio
from pathlib import Path

import typer

from recorder.daemon import logs
from recorder.simulator import serve


def simulate(port: int, seed: int, rate: float, script: Path | None) -> None:
    """Serve until interrupted.

    Raises:
        ListenError: the port cannot be had.
        ScriptError: the script cannot be played.
    """
    logs.configure()
    asyncio.run(serve(port=port, seed=seed, rate=rate, script_path=script, listening=_say))


def _say(port: int) -> None:
    typer.echo(f"a simulated gateway listens on 127.0.0.1:{port}; Ctrl-C ends it")
