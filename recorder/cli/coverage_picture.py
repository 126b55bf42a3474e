"""Coverage as a picture: a row a line and stream, UTC time from left to right.

Rules:
- A gap is never too short to be seen: its edge has a width of its own, unless there are very many.
- Colours say the cause; a cause has the same colour in every picture.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib import dates
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from recorder.cli.coverage_report import Report, Row

Corners: TypeAlias = list[tuple[float, float]]

_COLOURS = {
    "recorded": "#5aa17f",
    "market closed": "#dcdcdc",
    "filled later": "#8db8de",
    "disconnected": "#c0392b",
    "restart": "#e67e22",
    "farm": "#8e44ad",
    "no_data": "#2e6fdb",
    "refused": "#34495e",
    "competing_session": "#d35fa0",
    "overflow": "#7b241c",
    "not_subscribed": "#95701f",
}
_OTHERS = ("#16697a", "#5d3fd3", "#b03a5b", "#3d5a80", "#6b4226")
"""For causes that have no colour of their own, in turn."""

_WIDTH = 14.0
_ROW = 0.21
_TALLEST = 150.0
"""Inches; taller than this a picture cannot be opened everywhere."""

_TALL = 40
"""From so many rows on the time stands above them too."""

_DPI = 110
_THICK = 0.82
"""Of a row's height."""

_EDGE, _MANY = 0.9, 300
"""Points that every gap is wide at least; less where a row has more than so many stretches: it would be all gap."""


def draw(found: Report, file: Path, title: str) -> None:
    """Write the picture as PNG.

    Raises:
        OSError: the file cannot be written.
    """
    rows = list(dict.fromkeys((one["symbol"], one["stream"]) for one in found.stretches))
    height = min(max(1, len(rows)) * _ROW + 1.5, _TALLEST)
    figure = Figure(figsize=(_WIDTH, height), dpi=_DPI, layout="constrained")
    axes = figure.add_subplot()
    kinds = _stretches(axes, found.stretches, {key: place for place, key in enumerate(rows)})
    _label(axes, rows, min(7.5, 72 * (height - 1.5) / max(1, len(rows)) * 0.6))
    _time(axes, found.begin, found.end)
    axes.set_title(f"{title}\n{found.words()}", loc="left", fontsize=10)
    if kinds:
        figure.legend(
            handles=[Patch(color=colour, label=kind) for kind, colour in kinds.items()],
            loc="outside lower left", ncols=6, frameon=False, fontsize=8,
        )  # fmt: skip
    figure.savefig(file, format="png")


def _stretches(axes: Axes, stretches: Sequence[Row], places: dict[tuple[str, str], int]) -> dict[str, str]:
    """Draw them; returns the kinds that there are, with their colours."""
    corners: defaultdict[str, list[Corners]] = defaultdict(list)
    for one in stretches:
        corners[_kind(one)].append(_corners(one, places[one["symbol"], one["stream"]]))
    kinds = _coloured(corners)
    fullest = max(Counter((one["symbol"], one["stream"]) for one in stretches).values(), default=1)
    for kind, colour in kinds.items():
        edge = 0.0 if kind in ("recorded", "market closed") else min(_EDGE, _EDGE * _MANY / fullest)
        axes.add_collection(
            PolyCollection(corners[kind], facecolors=colour, edgecolors=colour, linewidths=edge)
        )
    return kinds


def _kind(one: Row) -> str:
    names = {"recorded": "recorded", "closed": "market closed", "filled": "filled later"}
    return names.get(one["what"]) or str(one["reason"])


def _coloured(kinds: Iterable[str]) -> dict[str, str]:
    """The kinds in the order of the palette; a gap is drawn over what surrounds it."""
    known = {kind: colour for kind, colour in _COLOURS.items() if kind in kinds}
    others = sorted(set(kinds) - set(known))
    return known | {kind: _OTHERS[place % len(_OTHERS)] for place, kind in enumerate(others)}


def _corners(one: Row, place: int) -> Corners:
    left, right = (_days(one[name]) for name in ("begin", "end"))
    low, high = place - _THICK / 2, place + _THICK / 2
    return [(left, low), (left, high), (right, high), (right, low)]


def _days(moment: datetime) -> float:
    """Matplotlib's unit of time."""
    return moment.timestamp() / 86_400


def _label(axes: Axes, rows: list[tuple[str, str]], size: float) -> None:
    """Names at the left, each line's name once; the first line at the top; a thin line between lines."""
    firsts = [n for n, (symbol, _) in enumerate(rows) if n == 0 or rows[n - 1][0] != symbol]
    names = [f"{symbol}  {stream}" if n in set(firsts) else stream for n, (symbol, stream) in enumerate(rows)]
    axes.set_yticks(range(len(rows)), names, fontsize=size)
    axes.set_ylim(len(rows) - 0.5 if rows else 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.hlines(
        [n - 0.5 for n in firsts[1:]], 0, 1, transform=axes.get_yaxis_transform(), color="#999999", lw=0.3
    )


def _time(axes: Axes, begin: datetime | None, end: datetime | None) -> None:
    begin = begin or datetime.now(UTC)
    end = end if end and end > begin else begin + timedelta(seconds=1)
    axes.set_xlim(_days(begin), _days(end))
    locator = dates.AutoDateLocator(tz=UTC)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]
    axes.set_xlabel("UTC", fontsize=8, loc="left")
    tall = len(axes.get_yticks()) > _TALL
    axes.tick_params(axis="x", labelsize=8, top=tall, labeltop=tall)
    for side in ("top", "right", "left"):
        spine: Any = axes.spines[side]
        spine.set_visible(False)
