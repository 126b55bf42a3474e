"""The commands. Each is a thin shell: it reads the arguments, calls one function, and speaks to a person."""

import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from recorder.cli import errors

app = typer.Typer(
    name="ib-recorder",
    help="Records live market data from Interactive Brokers and loses nothing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="the YAML file with the watchlist")]
Root = Annotated[Path, typer.Argument(metavar="ROOT", help="the folder of the recording (storage.root)")]


def main() -> None:
    """Entry point of ``ib-recorder``: no traceback for what a person can mend."""
    _stand_in()
    with errors.told():
        app()


def _stand_in() -> None:
    """What was started with a standard stream closed reads nothing there, and says what it says to nobody."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - open as long as the process is there


def _version(value: bool) -> None:
    if value:
        typer.echo(f"ib-recorder {version('ib-recorder')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="the version")
    ] = False,
) -> None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


@app.command()
def run(
    config: ConfigFile,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="also what the libraries say")] = False,
) -> None:
    """The recorder, in the foreground. SIGTERM or Ctrl-C writes everything out and leaves."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it ends a process that does not listen yet
    from recorder.daemon import logs, stderr
    from recorder.daemon.run import run as run_daemon

    stderr.hand_over()
    logs.configure(verbose=verbose)
    run_daemon(config)


@app.command()
def check(
    config: ConfigFile,
    connect: Annotated[bool, typer.Option("--connect", help="also ask the gateway about every line")] = False,
    against: Annotated[
        Path | None,
        typer.Option(metavar="RUNNING", help="show what changes: another config, or a recording's folder"),
    ] = None,
    format: Annotated[str, typer.Option("--format", metavar="text|json", help="how to answer")] = "text",
) -> None:
    """Validate a config; with --connect, also qualify every line; with --against, show what a reload changes."""
    from recorder.cli.check import check as check_config

    as_json = errors.choice(format, "text", "json") == "json"
    raise typer.Exit(check_config(config, connect=connect, as_json=as_json, against=against))


@app.command()
def recover(
    root: Root,
    from_archive: Annotated[
        bool, typer.Option("--from-archive", help="instead render again all that the archive holds")
    ] = False,
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="of the archive only one UTC day, 2026-11-22")
    ] = None,
) -> None:
    """Turn every journal left behind into Parquet, and mend damaged or missing files. Stop the recorder first."""
    from recorder.cli.recover import from_archive as render_again
    from recorder.cli.recover import recover as recover_root

    if from_archive:
        render_again(root, date)
    elif date is not None:
        raise errors.WrongOptionError("--date: goes with --from-archive")
    else:
        recover_root(root)


@app.command()
def verify(root: Root) -> None:
    """Prove the recording whole; print what is missing or twice. Exit 1 if it is not whole."""
    from recorder.cli.verify import verify as verify_root

    raise typer.Exit(verify_root(root))


@app.command()
def compact(
    root: Root,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be done")] = False,
) -> None:
    """Make one sorted file a table of every day that is over: what `run` does every night. Also while it runs."""
    from recorder.cli.compact import compact as compact_root

    raise typer.Exit(compact_root(root, dry_run=dry_run))


@app.command()
def retain(
    root: Root,
    days: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="keep today, the N UTC days before it, and at least N days that were recorded, of the ticks; "
            "events, gaps and instruments stay",
        ),
    ] = None,
    archive_days: Annotated[
        str | None,
        typer.Option(metavar="M", help="keep today and the M UTC days before it of the journal's archive"),
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="do it; else it is only shown")] = False,
) -> None:
    """Show the days that are older than is to be kept; with --delete, delete them. Also while a recorder runs."""
    from recorder.cli.retain import retain as retain_root

    kept = None if days is None else errors.whole("--days", days, 1, 100_000)
    archived = None if archive_days is None else errors.whole("--archive-days", archive_days, 0, 100_000)
    raise typer.Exit(retain_root(root, kept, archived, delete=delete))


@app.command()
def coverage(
    root: Root,
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="one UTC day, 2026-11-22; else all the time")
    ] = None,
    format: Annotated[str, typer.Option("--format", metavar="text|json", help="how to answer")] = "text",
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="also draw it into this file")] = None,
) -> None:
    """Who was recorded when, and every gap with its cause."""
    from recorder.cli.coverage import coverage as show_coverage

    as_json = errors.choice(format, "text", "json") == "json"
    raise typer.Exit(show_coverage(root, date, as_json=as_json, png=png))


@app.command()
def status(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG]", help="the recorder's YAML file; else the one at the default address"
        ),
    ] = None,
    format: Annotated[str, typer.Option("--format", metavar="text|json", help="how to answer")] = "text",
) -> None:
    """The running recorder at a glance. Exit 1 if none runs."""
    from recorder.cli.status import status as show_status

    as_json = errors.choice(format, "text", "json") == "json"
    raise typer.Exit(show_status(config, as_json=as_json))


@app.command()
def simulate(
    port: Annotated[
        str, typer.Option(metavar="PORT", help="where to listen, on loopback; 0: any free one")
    ] = "4002",
    seed: Annotated[str, typer.Option(metavar="N", help="the same seed makes the same market")] = "1",
    rate: Annotated[
        str,
        typer.Option(metavar="R", help="ticks a second and subscription; max: as fast as the socket takes"),
    ] = "5",
    script: Annotated[Path | None, typer.Option(help="YAML file of failures to play")] = None,
    hours: Annotated[
        str,
        typer.Option(metavar="always|real", help="when its markets are open: always, or as the real ones"),
    ] = "always",
) -> None:
    """The simulated gateway alone, for any TWS API client."""
    from recorder.cli.simulate import simulate as simulate_gateway

    where = errors.whole("--port", port, 0, 65_535)
    simulate_gateway(where, errors.whole("--seed", seed, 0, 2**63), errors.rate(rate), script, hours)


@app.command()
def demo(
    seconds: Annotated[float, typer.Option(help="how long to record")] = 20.0,
    root: Annotated[
        Path, typer.Option(metavar="DIR", help="the recording; continued if it is there already")
    ] = Path("demo-data"),
) -> None:
    """Record the sample watchlist from the simulated gateway, then show what was written and how to read it."""
    from recorder.cli.demo import demo as run_demo

    run_demo(errors.seconds("--seconds", seconds, 86_400), root)
