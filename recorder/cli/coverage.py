"""``ib-recorder coverage``."""

import json
import os
import sys
from collections.abc import Mapping
from datetime import date as calendar
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import recorder
from recorder.cli.coverage_report import Hole, Line, Report, duration, report
from recorder.cli.errors import BAD_CONFIG
from recorder.reader import views
from recorder.reader.lifetime import Lifetime
from recorder.reader.moments import Span
from recorder.reader.snapshot import reading

_DATE, _CLOCK = "%Y-%m-%d", "%H:%M:%S"

_SHOWN = 10
"""How many of the longest holes are shown, and of the latest."""

_CELLS, _NARROW = 10, 100
"""Cells of a bar; half as many where the terminal is narrow."""

_WIDE = 140
"""Columns of the page where there is no terminal to ask."""


def coverage(root: Path, day: str | None, *, as_json: bool, png: Path | None) -> int:
    """Say who was recorded when; returns the exit code.

    Raises:
        NotARecording: ``root`` is none.
        OSError: the picture cannot be written.
    """
    try:
        asked = None if day is None else calendar.fromisoformat(day)
    except ValueError:
        sys.stderr.write(f"--date {day}: no date; write 2026-11-22\n")
        return BAD_CONFIG
    if png is not None and png.suffix.lower() != ".png":
        sys.stderr.write(f"--png {png}: a PNG is drawn; write {png.with_suffix('.png')}\n")
        return BAD_CONFIG
    found, life = covered(root, Span.day(asked))
    if png is not None:  # first: who cannot have the picture is told so at once
        from recorder.cli.coverage_picture import draw

        draw(found, png, str(root) if day is None else f"{root}  {day}")
    if as_json:
        sys.stdout.write(json.dumps(_as_json(root, day, found, life), indent=1) + "\n")
    else:
        _show(root, day, found, life)
    if png is not None:
        sys.stderr.write(f"the picture is in {png}\n")
    return 0


def covered(root: Path, span: Span) -> tuple[Report, Lifetime]:
    """The report of a recording, and how long that has lived.

    Raises:
        NotARecording: ``root`` is none.
    """
    recorder.open(root)
    rows, stretches, life = reading(root, partial(views.covered, span=span))
    return report(rows.to_pylist(), stretches.to_pylist()), life


def _as_json(root: Path, day: str | None, found: Report, life: Lifetime) -> dict[str, Any]:
    summary = {
        "lines": len(found.symbols),
        "lines_with_holes": len(found.holed),
        "missing_seconds": found.missing_seconds,
        "asked_seconds": found.asked_seconds,
        "by_cause": found.causes,
        "text": found.words(),
    }
    return {
        "root": str(root),
        "date": day,
        "running": life.running,
        "until": _iso(life.until),
        "begin": _iso(found.begin),
        "end": _iso(found.end),
        "summary": summary,
        "streams": [
            _plain(line.row) | {"recorded_share": line.share, "missing": line.causes} for line in found.lines
        ],
        "stretches": [_plain(one) for one in found.stretches],
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _iso(value) if isinstance(value, datetime) else value for name, value in row.items()}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _show(root: Path, day: str | None, found: Report, life: Lifetime) -> None:
    console = Console()
    if not console.is_terminal and not os.environ.get("COLUMNS", "").isdigit():
        console = Console(width=_WIDE)
    if found.begin and found.end:
        lasted = f"{found.begin:{_DATE} {_CLOCK}} to {found.end:{_DATE} {_CLOCK}} UTC"
        _say(console, f"{root}: {lasted}", "")
        if not life.running:
            _say(
                console,
                f"no recorder runs; the last sign of life was {life.last:{_DATE} {_CLOCK}} UTC",
                "dim",
            )
        _say(console, "recorded: of the time that the market was not closed\n", "dim")
        _tables(console, found, _CLOCK if found.begin.date() == found.end.date() else f"{_DATE} {_CLOCK}")
    said = found.words() if day is None else f"{day}: {found.words()}"
    _say(console, said, "red" if found.holed else "green")


def _say(console: Console, words: str, style: str) -> None:
    console.print(words, style=style, markup=False, highlight=False, soft_wrap=True)


def _tables(console: Console, found: Report, clock: str) -> None:
    console.print(_lines(found, clock, _CELLS if console.width > _NARROW else _CELLS // 2))
    for title, holes in _chosen(found.holes):
        console.print()
        console.print(_holes(title, holes, clock))
    console.print()


def _lines(found: Report, clock: str, cells: int) -> Table:
    table = Table(header_style="bold", show_edge=False, pad_edge=False)
    for name in ("line", "stream", "recorded"):
        table.add_column(name, no_wrap=True)
    lengths = ["closed", *(["filled"] if any(line.row["filled_seconds"] for line in found.lines) else [])]
    for name in lengths:
        table.add_column("filled later" if name == "filled" else name, justify="right", no_wrap=True)
    table.add_column("missing", overflow="fold")
    for line in found.lines:
        told = [duration(line.row[f"{name}_seconds"]) or "-" for name in lengths]
        table.add_row(escape(line.symbol), line.stream, _bar(line, cells), *told, _missing(line, clock))
    return table


def _bar(line: Line, cells: int) -> str:
    if line.share is None:
        return f"{'-':>{cells + 8}}"
    full = int(line.share * cells)
    colour = "green" if line.share == 1 else "yellow" if line.share >= 0.99 else "red"
    percent = int(line.share * 10_000) / 100  # never rounded up to 100
    return f"[{colour}]{'█' * full}[/][dim]{'░' * (cells - full)}[/] {percent:6.2f}%"


def _missing(line: Line, clock: str) -> str:
    told = [f"{cause} {duration(seconds)}" for cause, seconds in line.causes.items()]
    since, removed = line.row["open_gap"], line.row["removed"]
    opened = [f"[red]open since {since:{clock}}[/]"] if since else []
    gone = [f"[dim]not in the watchlist since {removed:{clock}}[/]"] if removed else []
    return " ".join(part for part in (escape(", ".join(told)), *opened, *gone) if part)


def _chosen(holes: list[Hole]) -> list[tuple[str, list[Hole]]]:
    """All holes if they are few; else the longest and the latest."""
    if not holes:
        return []
    if len(holes) <= _SHOWN:
        return [("gaps", holes)]
    longest = sorted(holes, key=lambda hole: hole.seconds, reverse=True)[:_SHOWN]
    return [(f"longest of {len(holes)} gaps", longest), ("latest gaps", holes[-_SHOWN:])]


def _holes(title: str, holes: list[Hole], clock: str) -> Table:
    table = Table(header_style="bold", show_edge=False, pad_edge=False, title=title, title_justify="left")
    for name in ("begin", "end"):
        table.add_column(name, no_wrap=True)
    for name in ("length", "cause", "code"):
        table.add_column(name, justify="left" if name == "cause" else "right", no_wrap=True)
    table.add_column("of", overflow="fold")
    for hole in holes:
        most = "up to " if hole.differ else ""
        end = "[red]still open[/]" if hole.open else f"{most}{hole.end:{clock}}"
        code = "" if hole.code is None else str(hole.code)
        cause = [most + duration(hole.seconds), escape(hole.reason), code]
        table.add_row(f"{hole.begin:{clock}}", end, *cause, escape(hole.who()))
    return table
