"""What follows from the records of a journal: which request stands for which line, and which gaps are open.

Rules:
- Pure. The daemon and the renderer fold the same records into the same state; a segment begins with a snapshot
  of it, so that every segment makes sense alone.
- A gap is opened and closed by a record of its own; nothing is concluded from what is not there.
- What is to be filled is bounded: ``KEPT_MICROS`` back from the newest gap's end, ``MOST_UNFILLED`` gaps.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

KEPT_REQUESTS = 500
"""Requests that are over and still known: their last ticks may be under way."""

FILLABLE_STREAMS = frozenset({"trades", "quotes", "midpoints"})
"""Tick-by-tick streams: IB keeps their ticks for later."""

FILLABLE_REASONS = frozenset(
    {"disconnected", "restart", "farm", "no_data", "competing_session", "overflow", "updates_dropped"}
)
"""Why a stream can have missed ticks that IB has; what was refused or never asked for it may not tell."""

KEPT_STEPS = 100
"""Steps of the clock that are remembered, to tell when a gap began by the clock that its end is told by."""

KEPT_MICROS = 7 * 86_400_000_000
MOST_UNFILLED = 1000

EDGE_SECONDS = 2
"""Asked for on either side of a gap: its ends are the recorder's clock, a tick's second is IB's."""

_SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked under a request id.

    Attributes:
        symbol: the watchlist line's name.
        stream: level1, trades, ... ; ``""`` for a contract lookup.
        con_id: the contract; 0 for a contract lookup.
        show: what real-time bars are made of, else ``""``.
        exchange: where it was asked for; ``""``: not on record.
        trade_kind: of trades ``all_last`` or ``last``, else None.
    """

    symbol: str
    stream: str
    con_id: int
    show: str = ""
    exchange: str = ""
    trade_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """An open gap of one line's stream.

    Attributes:
        symbol: the line.
        stream: its stream.
        ts_start: since when, microseconds.
        seq_start: number of the last row before it.
        reason: why.
        code: IB's error code, if one was the reason.
        con_id: the contract that was being received; 0: none, or not on record.
        exchange: where it was asked for.
        trade_kind: of trades ``all_last`` or ``last``, else None.
    """

    symbol: str
    stream: str
    ts_start: int
    seq_start: int
    reason: str
    code: int | None = None
    con_id: int = 0
    exchange: str = ""
    trade_kind: str | None = None


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A closed gap that IB's historical ticks may fill.

    Attributes:
        symbol: the line.
        stream: trades, quotes or midpoints.
        reason: why there was a gap.
        ts_start: since when, microseconds.
        ts_end: until when, microseconds.
        seq_start: number of the last row before it.
        seq_end: number of the row that ended it.
        cursor: the next second to ask for, seconds since 1970.
        con_id: the contract that was received when it began; 0: not on record.
        exchange: where it was asked for.
        trade_kind: of trades ``all_last`` or ``last``, else None.
        set_back: whether the clock was set back in it, so that nobody knows which times of IB's it stands for.
    """

    symbol: str
    stream: str
    reason: str
    ts_start: int
    ts_end: int
    seq_start: int
    seq_end: int
    cursor: int
    con_id: int = 0
    exchange: str = ""
    trade_kind: str | None = None
    set_back: bool = False

    @classmethod
    def of(cls, gap_end: dict[str, Any]) -> "Unfilled":
        """What a ``gap_end`` record leaves to fill."""
        return cls(**_of(cls, gap_end), cursor=_first_second(gap_end["ts_start"]))

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is known by."""
        return self.symbol, self.stream, self.seq_start

    @property
    def is_begun(self) -> bool:
        """Whether some of it is filled."""
        return self.cursor > _first_second(self.ts_start)

    @property
    def last_second(self) -> int:
        """The last second to ask for, where the clocks of recorder and IB agree."""
        return self.ts_end // _SECOND + EDGE_SECONDS


def _first_second(ts_start: int) -> int:
    return ts_start // _SECOND - EDGE_SECONDS


@dataclass(slots=True)
class State:
    """The state after some record.

    Attributes:
        hello: whether the gateway's first frame has been seen on this connection.
        requests: request id to what was asked on this connection, also what has been cancelled since:
            its last ticks may still be under way.
        live: request ids that are subscribed now.
        gaps: (line, stream) to its open gap.
        unfilled: (line, stream, seq_start) to a closed gap that is still to be filled.
        names: what a continuous future is called in the data, and its con_id, by what the watchlist calls it: the name
            that IB's first answer gave stays when it stands for another contract.
        set_back: each time the clock was set back: number of the next row, and microseconds, negative.
    """

    hello: bool = True
    requests: dict[int, Request] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    gaps: dict[tuple[str, str], Gap] = field(default_factory=dict)
    unfilled: dict[tuple[str, str, int], Unfilled] = field(default_factory=dict)
    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    set_back: list[tuple[int, int]] = field(default_factory=list)

    def apply(self, record: dict[str, Any]) -> None:
        """Fold one control record in. Records that change nothing here are ignored."""
        match record["kind"]:
            case "opened":
                self.hello, self.requests, self.live = False, {}, set()
            case "asked":
                self.requests[record["req"]] = Request(record["symbol"], "", 0)
            case "subscribed":
                self.requests[record["req"]] = Request(**_of(Request, record))
                self.live.add(record["req"])
            case "unsubscribed" | "ended":
                self.live.discard(record["req"])
            case "disconnected" | "session_end":
                self.live = set()
            case "gap_start" | "gap_end":
                self._gap(record)
            case "qualified":
                self._name(record)
            case "clock_step":
                self._step(record)
            case "backfill":
                self._filled((record["symbol"], record["stream"], record["seq_start"]), record)

    def received(self, symbol: str, stream: str) -> Request | None:
        """What the ticks of a line's stream come under, or came under last on this connection; None: not on record."""
        own = [req for req, one in self.requests.items() if (one.symbol, one.stream) == (symbol, stream)]
        found = [req for req in own if req in self.live] or own
        return self.requests[found[-1]] if found else None

    def _step(self, record: dict[str, Any]) -> None:
        if record.get("micros", 0) < 0:
            self.set_back = [*self.set_back, (record["next"], record["micros"])][-KEPT_STEPS:]

    def _name(self, record: dict[str, Any]) -> None:
        if record.get("title"):
            self.names[record["title"]] = (record["symbol"], record["instrument"]["con_id"])

    def _gap(self, record: dict[str, Any]) -> None:
        key = record["symbol"], record["stream"]
        if record["kind"] == "gap_start":
            self.gaps[key] = Gap(**_of(Gap, record))
            return
        self.gaps.pop(key, None)
        if record["stream"] in FILLABLE_STREAMS and record["reason"] in FILLABLE_REASONS:
            self._to_fill(Unfilled.of(record))

    def _to_fill(self, gap: Unfilled) -> None:
        kept = [one for one in self.unfilled.values() if one.ts_end >= gap.ts_end - KEPT_MICROS]
        self.unfilled = {one.key: one for one in [*kept, gap][-MOST_UNFILLED:]}

    def _filled(self, key: tuple[str, str, int], record: dict[str, Any]) -> None:
        if record["done"]:
            self.unfilled.pop(key, None)
        elif key in self.unfilled:
            self.unfilled[key] = replace(self.unfilled[key], cursor=record["cursor"])

    def forget(self) -> None:
        """Of the requests that are over keep only the latest, whose last ticks may be under way.

        To be called where a segment begins: within one, rows are bound to their requests after the last record.
        """
        over = [req for req in self.requests if req not in self.live]
        for req in over[:-KEPT_REQUESTS]:
            del self.requests[req]

    def snapshot(self) -> dict[str, Any]:
        """The state as the payload of an S record."""
        return {
            "hello": self.hello,
            "requests": {str(req): asdict(request) for req, request in self.requests.items()},
            "live": sorted(self.live),
            "gaps": [asdict(gap) for gap in self.gaps.values()],
            "unfilled": [asdict(gap) for gap in self.unfilled.values()],
            "names": self.names,
            "set_back": self.set_back,
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> "State":
        """The state that ``snapshot`` was taken of; one of an older version knows no ``unfilled`` and so on."""
        gaps = [Gap(**gap) for gap in snapshot["gaps"]]
        unfilled = [Unfilled(**gap) for gap in snapshot.get("unfilled", ())]
        return cls(
            hello=snapshot["hello"],
            requests={int(req): Request(**request) for req, request in snapshot["requests"].items()},
            live=set(snapshot["live"]),
            gaps={(gap.symbol, gap.stream): gap for gap in gaps},
            unfilled={gap.key: gap for gap in unfilled},
            names={title: (name, con_id) for title, (name, con_id) in snapshot.get("names", {}).items()},
            set_back=[(seq, micros) for seq, micros in snapshot.get("set_back", ())],
        )


def live(state: State) -> set[tuple[str, str]]:
    """The lines and streams that are subscribed."""
    return {(state.requests[req].symbol, state.requests[req].stream) for req in state.live}


def _of(kind: type[Request | Gap | Unfilled], record: dict[str, Any]) -> dict[str, Any]:
    """The fields that a record says of something; an older version's says fewer."""
    return {name: record[name] for name in kind.__slots__ if name in record}
