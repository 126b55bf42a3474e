"""One stream of one line, as it is being received or not.

```
 waiting --asked for--> asked --a tick, or nothing against it--> recording
    ^                     |                                        |     |
    |                     +--refused--> parked <--refused----------+     | IB or a farm is away
    |                                     |                        |     v
    +---------- later --------------------+       silent, dropped  |   doubted --a tick--> recording
    +----------------------------------------------------------<---+-----+
```
"""

from dataclasses import dataclass, field
from typing import Literal

from recorder.config import Stream
from recorder.session.actions import Key
from recorder.session.inputs import Now
from recorder.session.pace import Pace
from recorder.session.timing import Timing
from recorder.session.watchlist import Entry, Subscription
from recorder.wire.activity import Mark, Seen

_ENOUGH = 20
"""Ticks behind the opening picture that prove a renewed subscription alive."""

_UNKNOWN_TIMES = 4.0
"""A line whose rate is not known may be quiet for this many times the least silence."""

_FALTERS_TIMES = 5.0
"""So many mean pauses without a tick are seen by chance once in 150 times."""

_STRETCH = 4.0
"""Patience with a line grows by this much each time that it was renewed and did not come alive."""

_MOST_STRETCHES = 16
"""Far beyond what ``Timing.slow`` allows, and still a number after weeks in vain."""

Phase = Literal["waiting", "asked", "recording", "doubted", "parked", "over_limit"]


@dataclass(slots=True, eq=False)
class Feed:
    """The state of one stream.

    Attributes:
        added: where it joined the watchlist.
        phase: see above; ``over_limit``: IB's limits leave no room for it.
        due: when it may be asked for (waiting, parked) or must have ticked (doubted), on the steady clock.
        req: the request it comes under, or came under last.
        subscription: what was asked for under ``req``.
        asked_at: when, on the steady clock.
        last: where its last tick stands; before the first, where it was asked for.
        last_at: when that was, on the steady clock.
        awake_at: when its market was closed last, or it was asked for: silence counts from there.
        ticked: whether any tick has come since it was asked for.
        pace: its rate.
        total: ticks ever.
        alive: ticks since it was asked for, without the opening picture.
        strikes: how often it was renewed for silence since it last proved alive.
        needs_tick: only a tick proves that it is received again.
        watch: an error code after which ticks may or may not come, and until when they must.
        suspects: farms that broke, of which it is not known yet whether this line hangs on them, and where its last
            tick stood then.
        refusals: how often in a row it was refused for what ends by itself.
        elsewhere: the conId and exchange that IB said to ask instead.
        problem: why it is parked, in words.
    """

    entry: Entry
    stream: Stream
    added: Mark
    phase: Phase = "waiting"
    due: float = 0.0
    req: int | None = None
    subscription: Subscription | None = None
    asked_at: float = 0.0
    last: Mark | None = None
    last_at: float = 0.0
    awake_at: float = 0.0
    ticked: bool = False
    pace: Pace = field(default_factory=Pace)
    total: int = 0
    alive: int = 0
    strikes: int = 0
    needs_tick: bool = False
    watch: tuple[int, float] | None = None
    suspects: dict[str, Mark | None] = field(default_factory=dict)
    refusals: int = 0
    elsewhere: tuple[int, str] | None = None
    problem: str = ""

    @property
    def key(self) -> Key:
        """Line and stream, as they are called in the data."""
        return self.entry.name, self.stream.kind

    @property
    def keys(self) -> tuple[Key, ...]:
        """The same, and what it was called before its name was known."""
        line = self.entry.line
        alias = (line.label or line.title, self.stream.kind)
        return (self.key,) if alias == self.key else (self.key, alias)

    @property
    def source(self) -> tuple[Key, int]:
        """What may hang on a farm: the stream of this contract, whatever the line stood for before."""
        return self.key, self.subscription.con_id if self.subscription else 0

    @property
    def live(self) -> bool:
        """Whether ticks may come."""
        return self.phase in ("asked", "recording", "doubted")

    def asked(self, req: int, subscription: Subscription, now: Now) -> None:
        """It is being asked for."""
        self.phase, self.req, self.subscription = "asked", req, subscription
        self.asked_at = self.last_at = self.awake_at = now.steady
        self.last, self.ticked, self.alive = now.here, False, 0
        self.watch, self.suspects, self.problem = None, {}, ""

    def since(self, now: Now, timing: Timing) -> Mark:
        """Where a gap of it begins: at its last tick. Of a market that is closed all is known up to the last bytes."""
        if self.last is None:
            return now.here
        return now.last_bytes if self.is_asleep(now, timing) else self.last

    def saw(self, seen: Seen, now: Now, timing: Timing) -> None:
        """Ticks have come."""
        first_at, last_at = now.steady_of(seen.first.ts), now.steady_of(seen.last.ts)
        if first_at - self.asked_at >= timing.burst:
            # An outage is no pause of the line's own, and what ticks outside its hours has another pace there.
            if self.phase == "recording" and self.last_at >= self.awake_at:
                self.pace.saw(seen.count, max(0.0, first_at - self.last_at), max(0.0, last_at - self.last_at))
            self.alive += seen.count
            self.strikes = 0 if self.alive >= _ENOUGH else self.strikes
        self.last, self.last_at, self.ticked, self.watch = seen.last, max(last_at, self.last_at), True, None
        self.total += seen.count

    def mind_hours(self, now: Now) -> None:
        """While its market is closed no silence adds up."""
        if self.is_closed(now):
            self.awake_at = now.steady

    def is_closed(self, now: Now) -> bool:
        """Whether its market's main session is known to be over: then silence means nothing."""
        return self.entry.hours.open_at(now.wall / 1e6) is False

    def is_asleep(self, now: Now, timing: Timing) -> bool:
        """Whether nothing comes because it does not trade at all now, and nothing has come for a while either."""
        closed = self.entry.trading.open_at(now.wall / 1e6) is False
        return closed and now.steady - self.last_at > max(self.doubt(timing), timing.slow)

    def quiet(self, now: Now) -> float:
        """For how many seconds no tick has come while its market was open."""
        return now.steady - max(self.last_at, self.awake_at)

    def falters(self, now: Now, timing: Timing) -> bool:
        """Whether it has been quiet for several of its usual pauses: too little to act on, enough to doubt."""
        return now.steady - self.last_at > max(timing.in_flight, _FALTERS_TIMES * self.pace.mean)

    def is_silent(self, now: Now, timing: Timing) -> bool:
        """Whether it is quiet for longer than its own measure.

        A rate that is not known tells nothing, but for one thing: IB answers every request for level 1 with a
        picture of the market, so that nothing at all means something.
        """
        patience = self.patience(timing)
        if patience is None and (self.needs_tick or (self.stream.kind == "level1" and not self.ticked)):
            patience = self.doubt(timing)
        return patience is not None and self.quiet(now) > patience

    def patience(self, timing: Timing) -> float | None:
        """How long it may be quiet, ``least`` at least; None: that is not known."""
        usual = self.pace.patience(timing.least)
        return None if usual is None else _stretched(usual, self.strikes, timing)

    def doubt(self, timing: Timing) -> float:
        """How long a tick may take to come where there is reason for doubt."""
        return self.patience(timing) or _stretched(_UNKNOWN_TIMES * timing.least, self.strikes, timing)


def _stretched(seconds: float, strikes: int, timing: Timing) -> float:
    """What has been renewed in vain is renewed more and more rarely."""
    return min(seconds * _STRETCH ** min(strikes, _MOST_STRETCHES), max(seconds, timing.slow))
