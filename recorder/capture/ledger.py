"""What is subscribed, and every hole: what has been live is live, or in an open gap.

Rules:
- The ledger only writes records; what follows from them is the journal's state, the same that a restart finds.
- A gap opens at the last bytes that came and closes at the line's first message.
- It is opened before the record that ends the stream: a process killed between the two leaves a gap, never a hole.
"""

from dataclasses import dataclass, field

from recorder.journal.folder import Checkpoint
from recorder.journal.state import Gap
from recorder.journal.writer import Journal
from recorder.wire import codes

Key = tuple[str, str]
"""A line's name and one of its streams."""


@dataclass(slots=True)
class Ledger:
    """Keeps subscriptions and gaps in the journal.

    Attributes:
        waiting: request ids whose first message closes these gaps.
    """

    journal: Journal
    waiting: dict[int, list[Key]] = field(default_factory=dict)

    def event(self, kind: str, text: str | None = None, *, symbol: str | None = None, **more: object) -> None:
        """A row of ``events``."""
        self.journal.control({"kind": kind, "symbol": symbol, "text": text, **more})

    def begin(self, checkpoint: Checkpoint, version: str) -> None:
        """A recorder starts; what was live when the last one ended without a word has a gap since."""
        for key in self._live().values():
            self._open(key, checkpoint.last_ts, checkpoint.next_seq - 1, "restart")
        self.event("session_start", f"ib-recorder {version}")

    def subscribed(
        self, req: int, key: Key, con_id: int, text: str, *, show: str = "", alias: str = ""
    ) -> None:
        """A stream is being asked for; to be said before the request is sent.

        ``alias`` is what the line was called while its name was not known: its gap ends with this too.
        """
        symbol, stream = key
        self.event("subscribed", text, symbol=symbol, stream=stream, req=req, con_id=con_id, show=show)
        open_gaps = [one for one in (key, (alias, stream)) if one in self.journal.state.gaps]
        if open_gaps:
            self.waiting[req] = open_gaps

    def unsubscribed(self, req: int, ts: int) -> None:
        """A stream has been cancelled, because the recorder stops; ``ts`` is when the last bytes came."""
        request = self.journal.state.requests[req]
        self.waiting.pop(req, None)
        self._open((request.symbol, request.stream), ts, self.journal.seq - 1, "restart")
        self.event("unsubscribed", None, symbol=request.symbol, stream=request.stream, req=req)

    def refused(self, req: int, code: int, ts: int) -> None:
        """The gateway refuses a stream: nothing will come for it."""
        request = self.journal.state.requests[req]
        self.waiting.pop(req, None)
        reason = "competing_session" if code == codes.COMPETING_SESSION else "refused"
        self._open((request.symbol, request.stream), ts, self.journal.seq - 1, reason, code)
        self.journal.control({"kind": "ended", "req": req}, row=False)

    def missing(self, key: Key, ts: int, reason: str, code: int | None = None) -> None:
        """A stream of the watchlist that is not asked for."""
        self._open(key, ts, self.journal.seq - 1, reason, code)

    def silent(self, ts: int, code: int) -> None:
        """The gateway has lost IB: nothing comes until each stream's next message, if that comes at all."""
        self._open_all(ts, "disconnected", code)
        self.waiting |= {req: [key] for req, key in self._live().items()}

    def lost(self, ts: int, reason: str) -> None:
        """The connection is gone, and with it everything that was live; ``ts`` is when the last bytes came."""
        self.waiting.clear()
        self._open_all(ts, "disconnected")
        self.event("disconnected", reason)

    def end(self, ts: int) -> None:
        """The recorder stops."""
        self._open_all(ts, "restart")
        self.event("session_end", "stopped")

    def _open_all(self, ts: int, reason: str, code: int | None = None) -> None:
        seq = self.journal.seq - 1
        for key in self._live().values():
            self._open(key, ts, seq, reason, code)

    def _live(self) -> dict[int, Key]:
        state = self.journal.state
        return {req: (state.requests[req].symbol, state.requests[req].stream) for req in sorted(state.live)}

    def arrived(self, req: int, ts: int, seq: int) -> None:
        """The first message of a request: the gaps before it end."""
        for key in self.waiting.pop(req, ()):
            gap = self.journal.state.gaps.get(key)
            if gap is not None:
                self._close(gap, ts, seq)

    def _open(self, key: Key, ts: int, seq: int, reason: str, code: int | None = None) -> None:
        if key in self.journal.state.gaps:
            return
        symbol, stream = key
        self.event(
            "gap_start",
            reason,
            symbol=symbol,
            stream=stream,
            code=code,
            reason=reason,
            ts_start=ts,
            seq_start=seq,
        )

    def _close(self, gap: Gap, ts: int, seq: int) -> None:
        self.event(
            "gap_end", gap.reason, symbol=gap.symbol, stream=gap.stream, code=gap.code, reason=gap.reason,
            ts_start=gap.ts_start, seq_start=gap.seq_start, ts_end=ts, seq_end=seq,
        )  # fmt: skip
