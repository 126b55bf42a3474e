"""``ib-recorder coverage``."""

import json
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
    recorder.open(root)
    rows, stretches = reading(root, partial(views.covered, span=Span.day(asked)))
    found = report(rows.to_pylist(), stretches.to_pylist())
    if as_json:
        sys.stdout.write(json.dumps(_as_json(root, day, found), indent=1) + "\n")
    else:
        _show(root, day, found)
    if png is not None:
        from recorder.cli.coverage_picture import draw

        draw(found, png, str(root) if day is None else f"{root}  {day}")
    return 0


def _as_json(root: Path, day: str | None, found: Report) -> dict[str, Any]:
    summary = {
        "lines": len(found.symbols),
        "lines_with_holes": len(found.holed),
        "missing_seconds": found.missing_seconds,
        "by_cause": found.causes,
        "text": found.words(),
    }
    return {
        "root": str(root),
        "date": day,
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


def _show(root: Path, day: str | None, found: Report) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    if found.begin and found.end:
        lasted = f"{found.begin:{_DATE} {_CLOCK}} to {found.end:{_DATE} {_CLOCK}} UTC"
        console.print(f"{root}: {lasted}", markup=False, highlight=False, soft_wrap=True)
        console.print("recorded: of the time that the market was not closed\n", style="dim", highlight=False)
        clock = _CLOCK if found.begin.date() == found.end.date() else f"{_DATE} {_CLOCK}"
        console.print(_lines(found, clock, _CELLS if console.width > _NARROW else _CELLS // 2))
        for title, holes in _chosen(found.holes):
            console.print()
            console.print(_holes(title, holes, clock))
        console.print()
    said = found.words() if day is None else f"{day}: {found.words()}"
    colour = "red" if found.holed else "green"
    console.print(said, style=colour, markup=False, highlight=False, soft_wrap=True)


def _lines(found: Report, clock: str, cells: int) -> Table:
    table = Table(header_style="bold", show_edge=False, pad_edge=False)
    for name in ("line", "stream", "recorded"):
        table.add_column(name, no_wrap=True)
    table.add_column("closed", justify="right", no_wrap=True)
    table.add_column("missing", overflow="fold")
    for line in found.lines:
        closed = duration(line.row["closed_seconds"]) or "-"
        table.add_row(escape(line.symbol), line.stream, _bar(line, cells), closed, _missing(line, clock))
    return table


def _bar(line: Line, cells: int) -> str:
    if line.share is None:
        return f"{'-':>{cells + 8}}"
    full = int(line.share * cells)
    colour = "green" if line.share == 1 else "yellow" if line.share >= 0.99 else "red"
    percent = int(line.share * 10_000) / 100  # never rounded up to 100
    return f"[{colour}]{'█' * full}[/][dim]{'░' * (cells - full)}[/] {percent:6.2f}%"


def _missing(line: Line, clock: str) -> str:
    causes = [f"{cause} {duration(seconds)}" for cause, seconds in line.causes.items()]
    if filled := line.row["filled_seconds"]:
        causes.append(f"filled later {duration(filled)}")
    told = escape(", ".join(causes))
    since = line.row["open_gap"]
    return f"{told} [red]open since {since:{clock}}[/]" if since else told


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
        end = "[red]still open[/]" if hole.open else f"{hole.end:{clock}}"
        code = "" if hole.code is None else str(hole.code)
        cause = [duration(hole.seconds), escape(hole.reason), code]
        table.add_row(f"{hole.begin:{clock}}", end, *cause, escape(hole.who()))
    return table
