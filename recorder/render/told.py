"""What the events tell of that must be in a table without numbers: gaps that ended, contract details fetched."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from recorder.render.damage import REASON

Row: TypeAlias = Mapping[str, Any]
Told: TypeAlias = tuple[Any, ...]
"""What tells the rows of a table apart, as far as its event does."""


class Untold:
    """Holds the events against the two tables, neither of which retention takes anything of."""

    def __init__(self) -> None:
        self._told: dict[str, dict[Told, list[int]]] = {
            "gaps": defaultdict(list), "instruments": defaultdict(list)
        }  # fmt: skip

    def take(self, event: Row) -> None:
        """One event."""
        if event["kind"] == "gap_end":
            self._told["gaps"][event["symbol"], event["stream"]].append(event["seq"])
        elif event["kind"] == "qualified":
            self._told["instruments"][event["ts_recv"], event["symbol"]].append(event["seq"])

    def missing(self, table: str, rows: Iterable[Row]) -> dict[Told, tuple[int, list[int]]]:
        """How many rows of what is told of are not there, and the numbers of all events that tell of such."""
        there = Counter(told(table, row) for row in rows if row.get("reason") != REASON)
        return {
            key: (len(seqs) - there[key], seqs)
            for key, seqs in self._told[table].items()
            if len(seqs) > there[key]
        }


def told(table: str, row: Row) -> Told:
    """What an event tells of a row."""
    return (row["symbol"], row["stream"]) if table == "gaps" else (row["ts_recv"], row["symbol"])
