"""``ib-recorder simulate``."""

import asyncio
from pathlib import Path

import typer

from recorder.cli import errors
from recorder.daemon import logs
from recorder.simulator import Step, serve
from recorder.simulator.world import Trading


def simulate(port: int, seed: int, rate: float, script: Path | None, hours: str) -> None:
    """Serve until interrupted.

    Raises:
        ListenError: the port cannot be had.
        ScriptError: the script cannot be played.
    """
    logs.configure()
    asyncio.run(serve(port, seed, rate, script, listening=_say, playing=_play, hours=_trading(hours)))


def _trading(given: str) -> Trading:
    return "real" if errors.choice(given, "always", "real") == "real" else "always"


def _play(seconds: float, step: Step) -> None:
    typer.echo(f"{seconds:9.1f} s  {step}", err=True)


def _say(port: int) -> None:
    typer.echo(f"a simulated gateway listens on 127.0.0.1:{port}; Ctrl-C ends it")
