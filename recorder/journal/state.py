"""What follows from the records of a journal: which request stands for which line, and which gaps are open.

Rules:
- Pure. The daemon and the renderer fold the same records into the same state; a segment begins with a snapshot
  of it, so that every segment makes sense alone.
- A gap is opened and closed by a record of its own; nothing is concluded from what is not there.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked under a request id.

    Attributes:
        symbol: the watchlist line's name.
        stream: level1, trades, ... ; ``""`` for a contract lookup.
        con_id: the contract; 0 for a contract lookup.
        show: what real-time bars are made of, else ``""``.
    """

    symbol: str
    stream: str
    con_id: int
    show: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """An open gap of one line's stream: since when (microseconds, seq of the last row before), and why."""

    symbol: str
    stream: str
    ts_start: int
    seq_start: int
    reason: str
    code: int | None = None


@dataclass(slots=True)
class State:
    """The state after some record.

    Attributes:
        hello: whether the gateway's first frame has been seen on this connection.
        requests: request id to what was asked on this connection, also what has been cancelled since:
            its last ticks may still be under way.
        live: request ids that are subscribed now.
        gaps: (line, stream) to its open gap.
    """

    hello: bool = True
    requests: dict[int, Request] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    gaps: dict[tuple[str, str], Gap] = field(default_factory=dict)

    def apply(self, record: dict[str, Any]) -> None:
        """Fold one control record in. Records that change nothing here are ignored."""
        match record["kind"]:
            case "opened":
                self.hello, self.requests, self.live = False, {}, set()
            case "asked":
                self.requests[record["req"]] = Request(record["symbol"], "", 0)
            case "subscribed":
                self.requests[record["req"]] = Request(
                    record["symbol"], record["stream"], record["con_id"], record.get("show", "")
                )
                self.live.add(record["req"])
            case "unsubscribed" | "ended":
                self.live.discard(record["req"])
            case "disconnected" | "session_end":
                self.live = set()
            case "gap_start":
                gap = Gap(**{name: record[name] for name in Gap.__slots__})
                self.gaps[gap.symbol, gap.stream] = gap
            case "gap_end":
                self.gaps.pop((record["symbol"], record["stream"]), None)

    def snapshot(self) -> dict[str, Any]:
        """The state as the payload of an S record."""
        return {
            "hello": self.hello,
            "requests": {str(req): asdict(request) for req, request in self.requests.items()},
            "live": sorted(self.live),
            "gaps": [asdict(gap) for gap in self.gaps.values()],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> "State":
        """The state that ``snapshot`` was taken of."""
        gaps = [Gap(**gap) for gap in snapshot["gaps"]]
        return cls(
            hello=snapshot["hello"],
            requests={int(req): Request(**request) for req, request in snapshot["requests"].items()},
            live=set(snapshot["live"]),
            gaps={(gap.symbol, gap.stream): gap for gap in gaps},
        )
