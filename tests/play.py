"""A night of the session in memory: the machine, a clock that a test moves, a gateway that is a table.

Rules:
- Actions are performed as ``capture.session`` performs them: in order, and once the socket is gone nobody is addressed.
- What comes back, comes back as through that shell: a connect and a lookup have an outcome in bounded time.
- What must hold in every night is checked at every step, whatever the test is about: see ``rules``.
"""

import heapq
import random
from collections import deque
from dataclasses import dataclass
from itertools import count
from math import inf, isfinite

from rules import Rules

from recorder.config import Config, Line, Stream
from recorder.config.model import Gateway
from recorder.session import actions, inputs
from recorder.session.machine import Machine
from recorder.session.timing import Timing
from recorder.wire.activity import Mark, Seen

NOON = 1_795_348_800_000_000
"""Sunday, 2026-11-22 12:00 UTC in microseconds."""

SHORT = Timing(
    tick_by_tick=3, first_answers=0.5, settled=2, burst=1, passing=5, slow=20, daily=60, watch=3, farm=0.4,
    in_flight=0.2, lost_in_flight=0.5, linger=0.3, check=0.5, first_tick=0.25,
)  # fmt: skip
"""Days as minutes."""


def line(symbol, *kinds, kind="stock", **more):
    """A line of the watchlist with these streams."""
    streams = tuple(Stream(kind=one) for one in kinds or ("level1",))
    return Line(type=kind, symbol=symbol, streams=streams, **more)


def future(symbol, *kinds, expiry="202612", **more):
    """A future, which is named by its local symbol."""
    return line(symbol, *kinds, kind="future", expiry=expiry, exchange="CME", **more)


def config(*lines, **gateway):
    """A config of these lines."""
    return Config(watchlist=lines, gateway=Gateway(**gateway))


def details(symbol, con_id, *, hours="", zone="US/Eastern", **more):
    """Contract details as ``session.contracts.details`` reads them."""
    told = {
        "symbol": symbol,
        "sec_type": "STK",
        "con_id": str(con_id),
        "local_symbol": symbol,
        "currency": "USD",
    }
    return told | {"exchange": "SMART", "liquid_hours": hours, "time_zone": zone} | more


@dataclass(frozen=True)
class Ticks:
    """Ticks of one stream, if the gateway has it subscribed."""

    name: str
    stream: str = "level1"
    count: int = 1


@dataclass(frozen=True)
class Hole:
    """A gap that has been closed."""

    key: tuple
    since: Mark
    until: Mark
    reason: str


class Night:
    """One recorder's night.

    Attributes:
        machine: the session.
        now: seconds on the steady clock.
        gaps: what is in a gap now: line and stream to the action that opened it.
        holes: the gaps that were closed, in order.
        live: what is on record as subscribed: request id to line and stream.
        streams: what the gateway streams: request id to subscription.
        done: every action with its moment.
        kind: whether the gateway connects, answers and ticks by itself; else only the shell's own limits apply.
        alive: whether it answers when asked for the time.
        every: seconds between two ticks of a stream of a kind gateway.
        contracts: symbol to the details it answers with; without: made up.
        over: whether the session has ended.
    """

    def __init__(self, wanted, timing=SHORT, *, kind=False, alive=True, wall=NOON):
        self.timing, self.settings, self.config = timing, wanted.gateway, wanted
        self.machine = Machine(wanted, count(1).__next__, timing, random.Random(1))
        self.now, self.wall_at_0 = 1000.0, wall - 1_000_000_000
        self.seq, self.heard, self.last_ts = 0, 0.0, 0
        self.gaps, self.holes, self.live, self.streams, self.done = {}, [], {}, {}, []
        self.kind, self.alive, self.every, self.contracts = kind, alive, 1.0, {}
        self.over = self.connected = self.connecting = self.dropped = False
        self.keys = {}
        self._next, self._connect_at = deque(), 0.0
        self.lookups = set()
        self.seen = {}
        self._fed_at = {}
        self._later, self._order, self._connection = [], count(), 0
        self._rules = Rules(self)
        self.give(inputs.Passed())

    # What tests do. ------------------------------------------------------------------------------------------

    @property
    def wall(self):
        """Microseconds since 1970."""
        return self._wall_of(self.now)

    def give(self, given, *, nonsense=False):
        """Something happens now; returns what was done. ``nonsense``: also what no shell would hand over now."""
        if isinstance(given, Ticks):
            self._tick(given)
            return []
        if not self._happens(given) and not nonsense:
            return []
        if isinstance(given, inputs.Reloaded):
            self.config = given.config
        before = self._rules.before()
        now = inputs.Now(self.now, self.wall, self.seq, self.heard, self.last_ts, dict(self.seen))
        self.seen.clear()
        done = self.machine.step(now, given)
        self.done += [(self.now, action) for action in done]
        for action in done:
            self._perform(action)
        self._rules.check(before, now, given, done)
        while self._next:
            self.give(self._next.popleft())
        return done

    def play(self, seconds=0.0):
        """Let time pass; the machine is called whenever it is due, and what is under way arrives."""
        until, stood = self.now + seconds, 0
        while not self.over:
            due = max(self.machine.due(self.now), self.now)
            assert isfinite(due)
            later = self._later[0][0] if self._later else inf
            at = min(due, later)
            if at > until:
                break
            stood = 0 if at > self.now else stood + 1
            assert stood < 1000, "it is due again and again, and nothing comes of it"
            self._pass(at)
            if later <= due:
                self._arrive(*heapq.heappop(self._later)[2:])
            else:
                self.give(inputs.Passed())
        self._pass(max(until, self.now))

    def tell(self, *story):
        """Play a list of ``(seconds since the story began, what happens then)``."""
        begun = self.now
        for seconds, given in story:
            self.play(begun + seconds - self.now)
            self.give(given)

    def late(self, seconds):
        """Time passes in which nobody calls the machine."""
        self._pass(self.now + seconds)

    def set_wall(self, seconds):
        """Somebody sets the clock."""
        self.wall_at_0 += round(seconds * 1e6)

    def feed(self, name, stream="level1"):
        """The machine's state of one stream."""
        return next(feed for feed in self.machine.streams.feeds if feed.key == (name, stream))

    def phase(self, name, stream="level1"):
        """Its phase."""
        return self.feed(name, stream).phase

    def did(self, kind):
        """The actions of one kind, in order."""
        return [action for _, action in self.done if isinstance(action, kind)]

    def when(self, kind):
        """The moments of the actions of one kind."""
        return [at for at, action in self.done if isinstance(action, kind)]

    def said(self, event):
        """The log lines of one event."""
        return [action for action in self.did(actions.Say) if action.event == event]

    def request(self, name, stream="level1"):
        """The newest request for a stream that is on record as live."""
        return max((req for req, key in self.live.items() if key == (name, stream)), default=None)

    def forget(self, name, stream="level1"):
        """The gateway stops streaming without a word."""
        self.streams.pop(self.request(name, stream), None)

    # The gateway and the wire. -------------------------------------------------------------------------------

    def _pass(self, at):
        self.now = max(at, self.now)
        for req in self.streams:
            ticks = int((self.now - self._fed_at[req]) / self.every) if self.kind else 0
            if ticks:
                first = self._fed_at[req] + self.every
                self._fed_at[req] += ticks * self.every
                self._came(req, ticks, first, self._fed_at[req])
            elif not self.kind:
                self._fed_at[req] = self.now

    def _tick(self, ticks):
        for req in self.streams:
            if self.keys[req] == (ticks.name, ticks.stream):
                self._came(req, ticks.count, self.now, self.now)

    def _came(self, req, ticks, first_at, last_at):
        """Ticks of one stream; within a step their numbers may not be in the order of their times."""
        first, last = (
            Mark(self._wall_of(first_at), self.seq + 1),
            Mark(self._wall_of(last_at), self.seq + ticks),
        )
        self.heard, self.last_ts = max(self.heard, last_at), last.ts
        self.seq += ticks
        before = self.seen.get(req)
        self.seen[req] = (
            Seen(before.count + ticks, before.first, last) if before else Seen(ticks, first, last)
        )

    def _bytes(self):
        self.heard, self.last_ts = self.now, self.wall

    def _wall_of(self, at):
        return self.wall_at_0 + round(at * 1e6)

    def _happens(self, given):
        """The shell's part in what comes in; False: it would never hand that over now."""
        match given:
            case inputs.Connected():
                if not self.connecting:
                    return False
                self.connecting, self.connected = False, True
                self._bytes()
            case inputs.NotConnected():
                if not self.connecting:
                    return False
                self.connecting = False
            case inputs.Lost():
                if not self.connected and not self.dropped:
                    return False
                self.connected = self.dropped = False
                self.streams.clear()
            case inputs.Said() | inputs.Rerouted():
                if not self.connected and not self.connecting:
                    return False
                self.seq += 1
                self._bytes()
            case inputs.Answered():
                self.lookups.discard(given.token)
        return True

    def _arrive(self, connection, given):
        if connection != self._connection:
            return
        if given is None:
            self._bytes()
        elif not isinstance(given, inputs.Answered) or given.token in self.lookups:
            self.give(given)

    def _in(self, seconds, given):
        heapq.heappush(self._later, (self.now + seconds, next(self._order), self._connection, given))

    # The shell. ----------------------------------------------------------------------------------------------

    def _perform(self, action):
        match action:
            case actions.OpenGap(key):
                self.gaps.setdefault(key, action)
            case actions.CloseGap(key, until):
                if gap := self.gaps.pop(key, None):
                    self.holes.append(Hole(key, gap.since, until, gap.reason))
            case actions.Unsubscribed(req) | actions.Ended(req):
                del self.live[req]
            case actions.Tell(kind="disconnected"):
                self.live.clear()
            case actions.Over():
                self.over = True
            case actions.Connect():
                self._connection += 1
                self.connecting, self.lookups, self.keys = True, set(), {}
                self._connect_at = self.now
                patience = self.settings.connect_timeout_seconds
                outcome = inputs.Connected("here") if self.kind else inputs.NotConnected("silence")
                self._in(0.1 if self.kind else patience, outcome)
            case actions.Drop():
                self._drop(action.reason)
            case _ if self.connected:
                self._address(action)

    def _drop(self, reason):
        """A connect that has been asked for at this very moment has not begun yet: there is nothing to drop."""
        if self.connected:
            self.connected, self.dropped = False, True
            self.streams.clear()
            self._next.append(inputs.Lost(reason))
        elif self.connecting and self.now > self._connect_at:
            self._next.append(inputs.NotConnected(reason))

    def _address(self, action):
        match action:
            case actions.AskTime() if self.alive:
                self._in(0.01, None)
            case actions.LookUp(token, _, asked):
                self.lookups.add(token)
                answer = inputs.Answered(token, self._contracts(asked) if self.kind else None, "no answer")
                self._in(0.05 if self.kind else self.settings.connect_timeout_seconds, answer)
            case actions.Subscribe(req, key, wanted):
                self.live[req] = self.keys[req] = key
                self.streams[req] = wanted
                self._fed_at[req] = self.now
            case actions.Cancel(req):
                self.streams.pop(req, None)

    def _contracts(self, asked):
        symbol = asked["symbol"]
        month = asked.get("lastTradeDateOrContractMonth", "")
        made_up = details(symbol, 1 + sum(map(ord, symbol + month)), local_symbol=f"{symbol}{month}")
        return self.contracts.get(symbol, [made_up])
