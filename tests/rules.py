"""What holds in every night of the session, checked at every step: see ``play``."""

from recorder.config.limits import Limits
from recorder.config.offers import TICK_BY_TICK
from recorder.session import actions, inputs


class Rules:
    """What holds in every night.

    - What has been live is live, or in an open gap. What is in doubt is in a gap.
    - A gap begins no later than what is known to have been received: the last tick, or the last bytes of a socket.
    - A gap ends with a tick, or because nothing spoke against the stream for long enough.
    - The gateway never streams one stream twice, and never more than IB's limits.
    - Requests, lookups and cancels keep their distance; tick-by-tick requests of one contract a longer one.
    """

    def __init__(self, night):
        self._night = night
        self._received = {}
        self._ever = set()
        self._sent = float("-inf")
        self._tick_by_tick = {}

    def before(self):
        """What must be remembered of the moment before a step."""
        return [(one, one.phase, one.req, one.needs_tick, one.asked_at) for one in self._feeds()]

    def check(self, before, now, given, done):
        """Compare it with the moment after."""
        self._ticks(before, now)
        ends = isinstance(given, inputs.Lost | inputs.Stopped)
        for action in done:
            match action:
                case actions.OpenGap(key, since) if (
                    self._night.gaps.get(key) is action and key in self._received
                ):
                    limit = now.last_bytes if ends else self._received[key]
                    assert since.seq <= limit.seq, f"{action} begins after {limit}"
                case actions.CloseGap(key):
                    self._closes(action, before, now)
                    self._receive(key, action.until)
                case actions.LookUp() | actions.Subscribe() | actions.Cancel():
                    self._send(action, now)
        self._states(before)

    def _feeds(self):
        return self._night.machine.streams.feeds

    def _ticks(self, before, now):
        for feed, _, req, *_ in before:
            if req in now.seen and req is not None:
                self._receive(feed.key, now.seen[req].last)

    def _receive(self, key, mark):
        if key not in self._ever:
            return  # what a stream was called before its name was known
        self._received[key] = max(mark, self._received.get(key, mark), key=lambda one: one.seq)

    def _closes(self, action, before, now):
        feed, phase, req, needs_tick, asked_at = next(one for one in before if action.key in one[0].keys)
        if req in now.seen:
            return
        assert phase == "asked"
        assert now.steady - asked_at >= self._night.timing.settled
        assert not needs_tick or feed.is_closed(now)

    def _send(self, action, now):
        night = self._night
        assert now.steady - self._sent >= night.timing.request - 1e-9, f"{action} too soon"
        self._sent = now.steady
        if not isinstance(action, actions.Subscribe) or not night.connected:
            return
        self._ever.add(action.key)
        assert [action.key] == [
            key for req, key in night.keys.items() if req in night.streams and key == action.key
        ]
        con_id, kind = action.subscription.con_id, action.subscription.stream
        if kind in TICK_BY_TICK:
            last = self._tick_by_tick.get(con_id, float("-inf"))
            assert now.steady - last >= night.timing.tick_by_tick - 1e-9
            self._tick_by_tick[con_id] = now.steady
        self._limits()

    def _states(self, before):
        night = self._night
        live = set(night.live.values())
        assert len(live) == len(night.live), "a stream is on record as live twice"
        for key in self._ever:
            assert key in live or key in night.gaps, f"{key} is neither live nor in a gap"
        for feed, phase, *_ in before:
            if phase == "recording" and feed.phase != "recording":
                assert feed.key in night.gaps
        for feed in self._feeds():
            assert feed.phase != "doubted" or feed.key in night.gaps

    def _limits(self):
        night = self._night
        allowed = Limits.of(night.config.gateway.max_lines)
        kinds = [wanted.stream for wanted in night.streams.values()]
        tick_by_tick, depth = sum(kind in TICK_BY_TICK for kind in kinds), kinds.count("depth")
        assert tick_by_tick <= allowed.tick_by_tick
        assert depth <= allowed.depth
        assert len(kinds) - tick_by_tick - depth <= allowed.lines
