"""What speaks for and against a stream's being received: ticks, silence, farms, IB lost and back, refusals.

Rules:
- Ticks are the one proof. What the gateway says is back is not believed until it ticks.
- Silence is measured against the line's own rate, and only while its market is open.
- What is renewed is the silent stream, and nothing else.
"""

from collections.abc import Callable

from recorder.session.actions import Action, Say
from recorder.session.farms import Farms
from recorder.session.feed import Feed
from recorder.session.inputs import Now, Said
from recorder.session.streams import Streams
from recorder.session.timing import Timing
from recorder.wire import codes

_STALLED_TIMES = 4.0
"""A check that comes so much later than due says nothing of the lines."""


class Watch:
    """The judgement on the streams.

    Attributes:
        farms: IB's farms.
        lost_since: when the gateway lost IB (1100), on the steady clock; None: it has not.
        unheard_of: nobody has said for long that IB is back: it is asked all the same, and only ticks are believed.
        wants_delayed: whether delayed data may be recorded.
    """

    def __init__(
        self,
        streams: Streams,
        timing: Timing,
        do: Callable[[Action], None],
        *,
        wants_delayed: bool,
    ) -> None:
        self.farms = Farms()
        self.lost_since: float | None = None
        self.unheard_of = False
        self.wants_delayed = wants_delayed
        self._streams = streams
        self._timing = timing
        self._do = do
        self._checked = self._looked = self._lost_at = float("-inf")

    def forget(self) -> None:
        """The connection is gone; the next one tells anew, in part before the log-in is over."""
        self.lost_since, self.unheard_of = None, False
        self.farms.forget_outages()

    # Ticks. --------------------------------------------------------------------------------------------------

    def see(self, now: Now) -> None:
        """Take the ticks that have come."""
        for req, seen in now.seen.items():
            feed = self._streams.of(req)
            if feed is None:
                continue  # cancelled or refused since; what still comes is recorded all the same
            feed.saw(seen, now, self._timing)
            at = min(
                feed.last_at, self._looked
            )  # behind a standstill it may have lain in the socket ever since
            if feed.phase in ("asked", "doubted") and self._is_believable(feed, at):
                if self.lost_since is not None or self.unheard_of:
                    self._found(now)
                self._streams.receive(feed, seen.first)
        self._looked = now.steady

    def _is_believable(self, feed: Feed, at: float) -> bool:
        """Whether a tick of that moment is more than one that was under way as something broke, or an old picture."""
        timing = self._timing
        if feed.phase == "asked":
            return not self.hangs_on_a_farm(feed) or at - feed.asked_at >= timing.burst
        if self.lost_since is not None:
            return at - self._lost_at >= timing.lost_in_flight
        return at - self.farms.broke_at(feed.source) >= timing.in_flight

    # What the gateway says. ----------------------------------------------------------------------------------

    def said_of(self, feed: Feed, now: Now, said: Said) -> None:
        """An error about a stream: see ``codes.MEANINGS``."""
        meaning = codes.MEANINGS.get(said.code)
        if meaning is None:
            name, stream = feed.key
            more = {"line": name, "stream": stream, "code": said.code, "text": said.text}
            self._do(Say("warning", "gateway", more))
            if said.code not in codes.WARNINGS:
                feed.watch = (said.code, now.steady + self._timing.watch)
        elif said.code in codes.REFUSED:
            self._streams.park(feed, now, said.code, said.text)
        elif meaning.verdict == "anew":
            feed.strikes += 1
            self._streams.renew(feed, now, meaning.reason, said.code)
            feed.due = now.steady + min((feed.strikes - 1) * self._timing.passing, self._timing.slow)
        elif meaning.verdict == "watch":
            feed.watch = (said.code, now.steady + self._timing.watch)
        elif meaning.verdict == "delayed" and not self.wants_delayed:
            self._streams.refuse(feed, now, said.code, said.text)

    def said_of_ib(self, now: Now, said: Said) -> None:
        """What the gateway says of itself and of IB's servers."""
        more = {"code": said.code, "text": said.text}
        self._do(Say("debug" if said.code in codes.FINE else "warning", "gateway", more))
        if said.code in (codes.CONNECTION_LOST, codes.NEVER_CONNECTED):
            self.lost_since = self._lost_at = now.steady
            for feed in self._streams.live():
                self._streams.doubt(feed, now, "disconnected", said.code)
            self._streams.miss(now.here, "disconnected", said.code)
        elif said.code == codes.DATA_KEPT:
            for feed in (
                self._streams.live() if self.lost_since is None else ()
            ):  # nobody had said that it was lost
                self._streams.doubt(feed, now, "disconnected", said.code)
            self._found(now)
        elif said.code == codes.DATA_LOST:
            self._found(now)
            for feed in self._streams.live():
                self._streams.renew(feed, now, "disconnected", said.code)
        elif said.code in codes.FARMS_BROKEN | codes.FARMS_OK:
            self._farm(now, self.farms.said(said.code, said.text, now))

    def _farm(self, now: Now, farm: str | None) -> None:
        """A farm of live data has broken or come back."""
        if farm is None:
            return
        if farm in self.farms.down:
            self._suspect(farm, now)
        else:
            self._judge_suspects(now, farm)
            self._await_ticks(now)
            if self.lost_since is not None:  # a farm cannot be back without IB; somebody forgot to say so
                self.lost_since = min(self.lost_since, now.steady - self._timing.slow + self._timing.passing)

    def _found(self, now: Now) -> None:
        """The gateway has IB again."""
        self.lost_since, self.unheard_of = None, False
        self.farms.back_at = now.steady
        self._await_ticks(now)

    def _await_ticks(self, now: Now) -> None:
        """What is said to be back is not believed: each line must tick within its own measure."""
        for feed in self._streams.feeds:
            if feed.phase == "doubted":
                hangs = self.hangs_on_a_farm(feed)
                feed.due = now.steady + (self._timing.slow if hangs else feed.doubt(self._timing))

    def _suspect(self, farm: str, now: Now) -> None:
        for feed in self._streams.live():
            if not self.farms.may_carry(farm, feed.source):
                continue
            if feed.phase == "asked":
                self._streams.await_tick(feed, now, "farm", codes.FARM_BROKEN)
            if feed.phase != "doubted":
                feed.suspects[farm] = feed.last

    def _judge_suspects(self, now: Now, farm: str) -> None:
        """Which lines fell silent with the farm, and which do not hang on it, as far as can be told by now.

        What comes right behind the notice was under way, what comes right before the next may be of afterwards: in a
        short outage nobody can tell. A line that ticks long after the notice does not hang on the farm; one that ticks
        on at its pace is watched further while the farm is down.
        """
        is_long = now.steady - self.farms.broke[farm] >= self._timing.farm
        real = self.farms.broke[farm] + self._timing.in_flight
        for feed in self._streams.feeds:
            if farm not in feed.suspects:
                continue
            ticks_on = is_long and feed.last_at > real and not feed.falters(now, self._timing)
            if feed.last_at > real + self._timing.lost_in_flight:
                self.farms.not_on(farm, feed.source)
            elif not ticks_on and feed.phase == "recording" and not feed.is_asleep(now, self._timing):
                since = None if is_long else feed.suspects[farm]
                self._streams.doubt(feed, now, "farm", codes.FARM_BROKEN, since)
            if not ticks_on or farm not in self.farms.down:
                feed.suspects.pop(farm, None)

    def hangs_on_a_farm(self, feed: Feed) -> bool:
        """Whether a farm is down that the stream may come from, or IB itself for all that is known."""
        return self.unheard_of or any(
            self.farms.may_carry(farm, feed.source) for farm in self.farms.carrying()
        )

    def asked(self, feed: Feed, now: Now) -> None:
        """It has been asked for: perhaps of a farm that is down."""
        if self.unheard_of:
            self._streams.await_tick(feed, now, "disconnected", codes.CONNECTION_LOST)
        elif self.hangs_on_a_farm(feed):
            self._streams.await_tick(feed, now, "farm", codes.FARM_BROKEN)

    # Time. ---------------------------------------------------------------------------------------------------

    def check(self, now: Now) -> None:
        """Is anybody silent who should not be?"""
        late = now.steady - self._checked
        if late < self._timing.check:
            return
        self._checked = now.steady
        if late > _STALLED_TIMES * self._timing.check:
            return  # the recorder itself stood still: what came meanwhile has not been read yet
        for farm in {farm for feed in self._streams.feeds for farm in feed.suspects}:
            if now.steady >= self.farms.broke[farm] + self._timing.farm:
                self._judge_suspects(now, farm)
        if self.lost_since is not None and now.steady - self.lost_since >= self._timing.slow:
            self._see_for_oneself(now)
        for feed in self._streams.feeds:
            feed.mind_hours(now)
            if self.lost_since is None and feed.live:
                self._check_one(feed, now)

    def _see_for_oneself(self, now: Now) -> None:
        """Nobody says that IB is back, and perhaps nobody ever will: ask, and believe ticks alone."""
        self._found(now)
        self.unheard_of = True
        for feed in self._streams.feeds:
            feed.needs_tick = True

    def _check_one(self, feed: Feed, now: Now) -> None:
        closed = feed.is_closed(now)
        if feed.watch is not None and now.steady >= feed.watch[1]:
            self._no_tick_behind(feed, now, feed.watch[0])
        elif feed.phase == "asked" and (closed or not feed.needs_tick) and not self.hangs_on_a_farm(feed):
            # Data follow the word that a farm is back up to a second late.
            if now.steady - max(feed.asked_at, self.farms.back_at) >= self._timing.settled:
                self._streams.receive(feed, now.next_row)
        elif feed.phase == "doubted":
            if now.steady >= feed.due:
                self._silent(feed, now)
        elif not closed and feed.is_silent(now, self._timing):
            if not self.hangs_on_a_farm(feed):
                self._silent(feed, now)
            else:
                self._streams.doubt(feed, now, "farm", codes.FARM_BROKEN)

    def _no_tick_behind(self, feed: Feed, now: Now, code: int) -> None:
        """What a code meant is clear by now; of one that nobody listed it never is: the stream stays asked for."""
        if code in codes.MEANINGS:
            self._streams.refuse(feed, now, code, "no tick came")
        else:
            self._streams.doubt(feed, now, "refused", code)
            feed.watch = None

    def _silent(self, feed: Feed, now: Now) -> None:
        """Ask for it anew. If its market is closed no tick can prove it alive, so none is asked for."""
        feed.strikes += 1
        name, stream = feed.key
        more = {"line": name, "stream": stream, "seconds": round(feed.quiet(now), 1), "times": feed.strikes}
        self._do(Say("warning", "silent, asked for anew", more))
        self._streams.renew(feed, now, "no_data")
        feed.needs_tick = not feed.is_closed(now)
