"""What the events tell of that must be in a table without numbers: gaps that ended, contract details fetched."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from recorder.render.damage import REASON

Row: TypeAlias = Mapping[str, Any]
Told: TypeAlias = tuple[Any, ...]
"""What tells the rows of a table apart, as far as its event does."""

IDENTITY = {
    "gaps": ("symbol", "stream", "reason", "ts_start", "ts_end", "seq_start", "seq_end"),
    "instruments": ("ts_recv", "symbol", "con_id"),
}
"""What tells the rows of a table apart: columns that every version of the format has."""

_KINDS = pa.array(
    ["subscribed", "unsubscribed", "disconnected", "session_start", "session_end", "gap_start", "gap_end", "qualified"]
)  # fmt: skip


class Heard:
    """The events that something follows from, held until all that came before them are there."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []

    def add(self, events: pa.RecordBatch | pa.Table) -> None:
        """Some rows of ``events``, in any order."""
        self._events += events.filter(pc.is_in(events.column("kind"), _KINDS)).to_pylist()

    def below(self, upto: int) -> list[dict[str, Any]]:
        """Those with lesser numbers, oldest first; they are not held any longer."""
        ordered = sorted(self._events, key=lambda event: int(event["seq"]))
        self._events = [event for event in ordered if event["seq"] >= upto]
        return ordered[: len(ordered) - len(self._events)]


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
        apart = {identity(table, row): told(table, row) for row in rows if row.get("reason") != REASON}
        there = Counter(apart.values())
        return {
            key: (len(seqs) - there[key], seqs)
            for key, seqs in self._told[table].items()
            if len(seqs) > there[key]
        }


def told(table: str, row: Row) -> Told:
    """What an event tells of a row."""
    return (row["symbol"], row["stream"]) if table == "gaps" else (row["ts_recv"], row["symbol"])


def identity(table: str, row: Row) -> Told:
    """What tells a row from the others of its table."""
    return tuple(row[column] for column in IDENTITY[table])
