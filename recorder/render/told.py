"""What the events tell of that must be in a table without numbers: gaps that ended, contract details fetched."""

from collections import defaultdict, deque
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
        self._ends: dict[int, object] = {}

    def take(self, event: Row) -> None:
        """One event."""
        if event["kind"] == "gap_end":
            self._told["gaps"][event["symbol"], event["stream"]].append(event["seq"])
            self._ends[event["seq"]] = event["ts_recv"]
        elif event["kind"] == "qualified":
            self._told["instruments"][event["ts_recv"], event["symbol"]].append(event["seq"])

    def missing(self, table: str, rows: Iterable[Row]) -> dict[Told, tuple[int, list[int]]]:
        """How many rows of what is told of are not there, and the numbers of all events that tell of such."""
        there = apart(table, rows)
        lacking = {key: self._lacking(table, seqs, there[key]) for key, seqs in self._told[table].items()}
        return {key: (count, self._told[table][key]) for key, count in lacking.items() if count > 0}

    def twice(self, gaps: Iterable[Row]) -> dict[int, list[Row]]:
        """The rows of ``gaps`` that tell of the same as another one, by the number of the event that ended it."""
        there = apart("gaps", gaps)
        pairs = (self._paired(seqs, there[key]) for key, seqs in self._told["gaps"].items())
        return {end: rows for found in pairs for end, rows in found.items() if len(rows) > 1}

    def _lacking(self, table: str, seqs: list[int], rows: list[Row]) -> int:
        if table == "gaps":
            return sum(not theirs for theirs in self._paired(seqs, rows).values())
        return len(seqs) - len(rows)

    def _paired(self, seqs: list[int], rows: list[Row]) -> dict[int, list[Row]]:
        return paired({seq: self._ends[seq] for seq in seqs}, rows)


def apart(table: str, rows: Iterable[Row]) -> dict[Told, list[Row]]:
    """The rows that events tell of, each once, by what these tell of them."""
    found: dict[Told, list[Row]] = defaultdict(list)
    for row in {identity(table, row): row for row in rows if row.get("reason") != REASON}.values():
        found[told(table, row)].append(row)
    return found


def paired(ends: Mapping[int, object], rows: Iterable[Row]) -> dict[int, list[Row]]:
    """The gaps of a stream to the events that ended them; ``ends``: these events' numbers in their order, and times.

    One that was made again (``retold``) ends with its event, to the microsecond. Of the others each belongs to the
    first that did not end before it, and has it alone. An event with none lacks its row; one with two has it twice.
    """
    found: dict[int, list[Row]] = {end: [] for end in ends}
    others: deque[Row] = deque()
    for row in sorted(rows, key=lambda row: (row["seq_end"], row["seq_start"], row["ts_start"])):
        is_told_again = ends.get(row["seq_end"]) == row["ts_end"]
        (found[row["seq_end"]] if is_told_again else others).append(row)
    for end, theirs in found.items():
        while theirs and others and others[0]["seq_end"] <= theirs[0]["seq_start"]:
            others.popleft()  # its own event is lost: it ended before the one told again began
        if others and others[0]["seq_end"] <= end:
            theirs.append(others.popleft())
    return found


def told(table: str, row: Row) -> Told:
    """What an event tells of a row."""
    return (row["symbol"], row["stream"]) if table == "gaps" else (row["ts_recv"], row["symbol"])


def identity(table: str, row: Row) -> Told:
    """What tells a row from the others of its table."""
    return tuple(row[column] for column in IDENTITY[table])
