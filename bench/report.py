"""The figures as one table for a person and one JSON file for a machine."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        measure: what was measured, and on what.
        figure: the figure; None: it could not be measured.
        unit: its unit.
        beside: what it is compared to, measured in the same run.
        goal: at most this; ``at_least`` turns it round; None: no goal.
    """

    measure: str
    figure: float | None
    unit: str = ""
    beside: str = ""
    goal: float | None = None
    at_least: bool = False

    @property
    def text(self) -> str:
        """The figure for a person."""
        return "" if self.figure is None else number(self.figure, self.unit)

    @property
    def met(self) -> bool | None:
        if self.goal is None or self.figure is None:
            return None
        return self.figure >= self.goal if self.at_least else self.figure <= self.goal


def show(rows: list[Row]) -> None:
    table = Table(title=f"ib-recorder on {os.cpu_count()} cores, Python {platform.python_version()}")
    for name in ("", "figure", "beside it", "goal", ""):
        table.add_column(name, justify="right" if name == "figure" else "left")
    for row in rows:
        table.add_row(row.measure, row.text, row.beside, _goal(row), _verdict(row.met))
    Console(width=None if Console().is_terminal else 150).print(table)


def save(rows: list[Row], path: Path) -> None:
    figures = [asdict(row) | {"met": row.met} for row in rows]
    content = {"python": platform.python_version(), "cores": os.cpu_count(), "rows": figures}
    path.write_text(json.dumps(content, indent=1))


def number(value: float, unit: str) -> str:
    places = 0 if abs(value) >= 100 or isinstance(value, int) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{places}f} {unit}".rstrip()


def _goal(row: Row) -> str:
    return "" if row.goal is None else f"{'>=' if row.at_least else '<='} {number(row.goal, row.unit)}"


def _verdict(met: bool | None) -> str:
    return {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[met]


def progress(text: str) -> None:
    """Tell a waiting person how far it is."""
    Console(stderr=True, highlight=False).print(text, style="dim")
