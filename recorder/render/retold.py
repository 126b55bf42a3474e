"""Gaps whose rows are lost, made again as far as their events tell.

Rules:
- Pure, and the same whenever it is done again.
- Such a gap is never shorter than the one that is lost: it begins at the stream's last tick before the event that says
  that it began, or where nothing is known of one, where it was subscribed or received again; it ends with its event.
- Its reason is the one that the events say: its numbers stand in their tables, and none of them counts as lost.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recorder.render.damage import Key
from recorder.render.told import Row, apart, paired

UNKNOWN = "unknown"
"""Reason where the events say none."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A gap as its events tell it.

    Attributes:
        since: where the stream was subscribed or last received again; the event that began it, if that is not known.
        begun: the event that says that it began; that of its end, if that is lost.
        end: the one that says that it ended.
    """

    since: Row
    begun: Row
    end: Row

    @property
    def key(self) -> Key:
        """The line and its stream."""
        return self.end["symbol"], self.end["stream"]

    def row(self, last_tick: Row | None) -> dict[str, object]:
        """The row of ``gaps``; ``last_tick``: the stream's last one before it began."""
        start = last_tick or self.since
        return {
            "symbol": self.end["symbol"], "stream": self.end["stream"],
            "ts_start": min(start["ts_recv"], self.end["ts_recv"]), "ts_end": self.end["ts_recv"],
            "seq_start": start["seq"], "seq_end": self.end["seq"],
            "reason": self.begun["text"] or self.end["text"] or UNKNOWN, "code": self.begun["code"],
        }  # fmt: skip


def ended(events: Iterable[Row]) -> Iterator[Ended]:
    """The gaps that ended, of events in their order."""
    since: dict[Key, Row] = {}
    begun: dict[Key, Row] = {}
    for event in events:
        key = event["symbol"], event["stream"]
        if event["kind"] == "gap_start":
            begun[key] = event
        elif event["kind"] == "gap_end":
            began = begun.pop(key, event)
            yield Ended(since.get(key, began), began, event)
        if event["kind"] in ("subscribed", "gap_end") and key not in begun:
            since[key] = event


def untold(found: Iterable[Ended], rows: Iterable[Row]) -> list[Ended]:
    """Those that have no row of ``gaps``."""
    there = apart("gaps", rows)
    told = list(found)
    ends: dict[Key, dict[int, object]] = defaultdict(dict)
    for one in told:
        ends[one.key][one.end["seq"]] = one.end["ts_recv"]
    pairs = {key: paired(seqs, there[key]) for key, seqs in ends.items()}
    return [one for one in told if not pairs[one.key][one.end["seq"]]]
