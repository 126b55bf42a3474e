"""What is subscribed, and every hole: what has been live is live, or in an open gap.

Rules:
- The ledger only writes records; what follows from them is the journal's state, the same that a restart finds.
- A gap is opened before the record that ends the stream: a process killed between the two leaves a gap, never a hole.
- While the journal has no room nothing is received: no gap begins behind the last read that was journalled, and none
  ends before reads are journalled again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recorder.journal.folder import Checkpoint
from recorder.journal.state import Gap
from recorder.journal.writer import Journal
from recorder.session.actions import Key
from recorder.session.watchlist import Subscription
from recorder.wire.activity import Mark

_ASKED = ("con_id", "exchange", "trade_kind")
"""What a gap keeps of the request whose ticks it misses: the line may stand for another contract later."""


@dataclass(slots=True)
class Ledger:
    """Keeps subscriptions and gaps in the journal."""

    journal: Journal
    _ends: dict[Key, Mark] = field(default_factory=dict)
    _due: dict[Key, None] = field(default_factory=dict)

    def event(self, kind: str, text: str | None = None, *, symbol: str | None = None, **more: object) -> None:
        """A row of ``events``."""
        self.journal.control({"kind": kind, "symbol": symbol, "text": text, **more})

    def stepped(self, micros: int) -> None:
        """The clock was set, forward or back."""
        text = f"the clock was set by {micros / 1e6:+.3f} s"
        self.event("clock_step", text, micros=micros, next=self.journal.seq)

    def begin(self, checkpoint: Checkpoint, version: str) -> None:
        """A recorder starts; what was live when the last one ended without a word has a gap since."""
        if (moved := self.journal.clock() - checkpoint.last_ts) < 0:
            self.stepped(moved)
        for key in self._live():
            since = checkpoint.lasts.get(key, Mark(checkpoint.last_ts, checkpoint.next_seq - 1))
            self.open(key, since, "restart")
        self.event("session_start", f"ib-recorder {version}")

    def subscribed(self, req: int, key: Key, wanted: Subscription) -> None:
        """A stream is being asked for; to be said before the request is sent."""
        symbol, stream = key
        text = f"con_id {wanted.con_id} at {wanted.contract['exchange']}"
        own = {
            "con_id": wanted.con_id,
            "show": wanted.show if stream == "bars" else "",
            "exchange": wanted.contract["exchange"],
            "trade_kind": ("last" if wanted.only_reportable else "all_last") if stream == "trades" else None,
        }
        self.event("subscribed", text, symbol=symbol, stream=stream, req=req, **own)
        if self.journal.overflow is not None:
            self._ends[key] = Mark(self.journal.clock(), self.journal.seq - 1)

    def unsubscribed(self, req: int) -> None:
        """The recorder gives a subscription up."""
        request = self.journal.state.requests[req]
        self.event("unsubscribed", None, symbol=request.symbol, stream=request.stream, req=req)

    def ended(self, req: int) -> None:
        """The gateway ended a subscription; its own message says so in ``events``."""
        self.journal.control({"kind": "ended", "req": req}, row=False)

    def end(self, last_bytes: Mark) -> None:
        """The recorder stops."""
        for key in self._live():
            self.open(key, last_bytes, "restart")
        self.event("session_end", "stopped")

    def open(self, key: Key, since: Mark, reason: str, code: int | None = None) -> None:
        """A gap begins, not before the last one of the stream ended; nothing if it is in one already."""
        self._due.pop(key, None)
        overflow = self.journal.overflow
        if overflow is not None and since.ts > overflow.since.ts:
            since = overflow.since
        if key not in self.journal.state.gaps:
            since = max(since, self._ends.get(key, since), key=lambda mark: (mark.seq, mark.ts))
            gap = {"code": code, "reason": reason, "ts_start": since.ts, "seq_start": since.seq}
            request = self.journal.state.received(*key)
            self._gap("gap_start", key, gap | {name: getattr(request, name) for name in _ASKED if request})

    def close(self, key: Key, until: Mark) -> None:
        """The gap ends; nothing if there is none."""
        gap = self.journal.state.gaps.get(key)
        if self.journal.overflow is not None and gap is not None:
            self._due[key] = None
        elif gap is not None:
            begun = {name: getattr(gap, name) for name in ("code", "reason", "seq_start", *_ASKED)}
            begun |= {"ts_start": self._begin_of(gap, until), "set_back": until.ts < gap.ts_start}
            self._ends[key] = until
            self._gap("gap_end", key, begun | {"ts_end": until.ts, "seq_end": until.seq})

    def overflowed(self, text: str) -> None:
        """Reads are journalled again: what was live and not in a gap has one of its own, what ticks is in none."""
        self.event("overflow", text)
        for key in self._live():
            if key not in self.journal.state.gaps:
                assert self.journal.overflow is not None
                self.open(key, self.journal.overflow.since, "overflow")
                self._due[key] = None
        due, self._due = self._due, {}
        self.journal.overflow = None
        for key in due:
            self.close(key, self._next_row())

    def _begin_of(self, gap: Gap, until: Mark) -> int:
        """When it began: of a gap that would end before that by the clock that its end is told by."""
        if until.ts >= gap.ts_start:
            return gap.ts_start
        back = sum(micros for seq, micros in self.journal.state.set_back if seq > gap.seq_start)
        return min(gap.ts_start + back, until.ts)

    def _next_row(self) -> Mark:
        return Mark(self.journal.clock(), self.journal.seq)

    def _gap(self, kind: str, key: Key, gap: Mapping[str, Any]) -> None:
        self.event(kind, gap["reason"], symbol=key[0], stream=key[1], **gap)

    def _live(self) -> list[Key]:
        state = self.journal.state
        return [(state.requests[req].symbol, state.requests[req].stream) for req in sorted(state.live)]
