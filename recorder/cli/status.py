"""``ib-recorder status``."""

import http.client
import json
import sys
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from recorder.cli.errors import FAILED
from recorder.config import ConfigError, known, load
from recorder.config.model import Status
from recorder.daemon.disk import Outlook
from recorder.daemon.health import span
from recorder.daemon.report import PROGRAM
from recorder.journal.lock import holder

_SECONDS = 5.0
_MOST_BYTES = 16 * 1024 * 1024

Said = Mapping[str, Any]
"""What ``status.json`` says."""


class NoAnswerError(Exception):
    """No recorder answers there; the message says what does."""


def status(path: Path | None, *, as_json: bool) -> int:
    """Show how the recorder of a config is doing; returns the exit code.

    What is wrong in the file is told, and the recorder asked all the same: it may run with what stood there before.
    Where the file does not even say which root it records to, and none answers, nobody knows whether it runs.

    Args:
        path: the config file; None: whichever recorder answers at the default address.
        as_json: pass on what it says.
    """
    listen, root = _named(path) if path else (Status().listen, None)
    try:
        said = ask(listen, root)
    except NoAnswerError as error:
        if path is not None and root is None:
            return _unknown(path, str(error), as_json=as_json)
        return _without_page(root, str(error), as_json=as_json)
    if as_json:
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
    elif said.get("version") != version(PROGRAM):
        sys.stdout.write(f"running, as another version than this command: {said.get('words')}\n")
    else:
        _show(said)
    return 0


def _named(path: Path) -> tuple[str | None, Path | None]:
    """Where the recorder of a config listens and what it records to, as far as the file is right."""
    try:
        config = load(path)
    except ConfigError as error:
        storage, shown = known(path)
        sys.stderr.write(f"{error}\n")
        if shown is None:
            at = f"asking at the default, {Status().listen}, where another may answer"
            sys.stderr.write(f"{path} does not say where its recorder can be asked: {at}\n")
        return (shown or Status()).listen, storage.root.resolve() if storage else None
    return config.status.listen, config.storage.root.resolve()


# Asking. -------------------------------------------------------------------------------------------------


def ask(listen: str | None, root: Path | None) -> Said:
    """What the recorder that listens there says of itself; it must be that of ``root``, if given.

    Raises:
        NoAnswerError: it does not, or it is none.
    """
    if listen is None:
        raise NoAnswerError("its page is off (status.listen: null)")
    host, _, port = listen.rpartition(":")
    if port == "0":
        raise NoAnswerError(f"its page is at a port of its own choice ({listen}); its log says which")
    try:
        said = json.loads(_fetch(host.strip("[]"), int(port)))
    except TimeoutError:
        raise NoAnswerError(f"what listens on {listen} does not answer") from None
    except ConnectionRefusedError:
        raise NoAnswerError(f"none answers at {listen}") from None
    except OSError as error:
        raise NoAnswerError(f"none answers at {listen}: {error.strerror or error}") from None
    except (http.client.HTTPException, ValueError):
        raise NoAnswerError(f"another program answers on {listen}") from None
    if not isinstance(said, dict) or said.get("program") != PROGRAM:
        raise NoAnswerError(f"another program answers on {listen}")
    if root is not None and Path(str(said.get("root"))).resolve() != root:
        raise NoAnswerError(f"the recorder of {said.get('root')} answers on {listen}")
    return said


def _fetch(host: str, port: int) -> bytes:
    """The bytes of ``status.json``, through no proxy."""
    link = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        link.request("GET", "/status.json")
        return link.getresponse().read(_MOST_BYTES)
    finally:
        link.close()


def _without_page(root: Path | None, why: str, *, as_json: bool) -> int:
    """What the root's lock tells: it is held while a recorder runs, however it ends."""
    pid = holder(root) if root else None
    if as_json:
        sys.stdout.write(json.dumps({"running": pid is not None, "pid": pid, "why": why}) + "\n")
    elif pid is not None:
        sys.stdout.write(f"running as process {pid}, recording to {root}; no more is known: {why}\n")
    elif root is not None:
        sys.stderr.write(f"no recorder that records to {root} runs: {why}\n")
    else:
        sys.stderr.write(f"{why}; name the config file of another\n")
    return FAILED if pid is None else 0


def _unknown(path: Path, why: str, *, as_json: bool) -> int:
    """None answers, and there is no lock to look at."""
    if as_json:
        sys.stdout.write(json.dumps({"running": None, "pid": None, "why": why}) + "\n")
    else:
        sys.stderr.write(f"{why}; whether one runs elsewhere can be told when {path} is right\n")
    return FAILED


# Showing. ------------------------------------------------------------------------------------------------


def _show(said: Said) -> None:
    console = Console()
    fine = said["health"]["ok"] and said["recording"] == said["streams"]
    colour = "green" if fine else "yellow" if said["health"]["ok"] else "red"
    _say(console, said["health"]["words"], colour)
    if said["words"] not in said["health"]["words"]:
        _say(console, said["words"], colour)
    for line in _facts(said):
        _say(console, line, "")
    console.print()
    console.print(_lines(said))


def _say(console: Console, words: str, style: str) -> None:
    console.print(words, style=style, markup=False, highlight=False, soft_wrap=True)


def _facts(said: Said) -> list[str]:
    journal, flushed = said["journal"], _last(said, "flush")
    began = said["since"][:16].replace("T", " ")
    return [
        f"{said['messages']:,} messages; last one: {_ago(said, said['last_message'])}",
        f"recording to {said['root']} since {began} UTC, process {said['pid']}, version {said['version']}",
        f"journal {journal['bytes'] / 1e6:.1f} MB, {journal['segments_waiting']} segments waiting, {flushed}",
        f"{Outlook(said['disk_free_bytes'], said['disk_bytes_a_day']).words}, {_last(said, 'compaction')}",
        f"gaps open: {len(said['gaps'])}",
    ]


def _last(said: Said, name: str) -> str:
    """When a flush or a compaction ran last, and how it went."""
    last = said[name]
    if last is None:
        return f"no {name} yet"
    how = f"failed: {last['failed']}" if last["failed"] else f"took {last['seconds']:.1f} s"
    return f"last {name} {_ago(said, last['at'])}, {how}"


def _lines(said: Said) -> Table:
    since = {(gap["line"], gap["stream"]): gap for gap in said["gaps"]}
    table = Table(header_style="bold", show_edge=False, pad_edge=False)
    for name in ("line", "stream", "state"):
        table.add_column(name, no_wrap=True)
    for name in ("ticks", "last tick"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for one in said["each"]:
        gap = since.get((one["line"], one["stream"]))
        why = one["why"] + (f"; gap for {_ago(said, gap['since'], '')}" if gap else "")
        state = "closed" if one["closed"] and one["state"] == "recording" else one["state"]
        shown = state if one["state"] == "recording" else f"[red]{state}[/]"
        last = _ago(said, one["last_tick"])
        table.add_row(escape(one["line"]), one["stream"], shown, f"{one['ticks']:,}", last, escape(why))
    return table


def _ago(said: Said, moment: str | None, behind: str = " ago") -> str:
    if moment is None:
        return "never"
    return (
        span((datetime.fromisoformat(said["now"]) - datetime.fromisoformat(moment)).total_seconds()) + behind
    )
