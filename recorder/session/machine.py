"""The session: state, input, time -> state, actions.

Rules:
- ``step`` is the only way in, its result the only way out.
- There is always a moment at which the next step is due.
- Nothing is sent faster than IB allows: one request, lookup or cancel a slot.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import assert_never

from recorder.config import Config
from recorder.session.actions import Action, AskDataType, OpenGap, Tell
from recorder.session.feed import Feed
from recorder.session.inputs import (
    Answered,
    Connected,
    Input,
    Lost,
    NotConnected,
    Now,
    Passed,
    Reloaded,
    Rerouted,
    Said,
    Stopped,
)
from recorder.session.link import Link
from recorder.session.lookups import Lookups
from recorder.session.streams import Streams
from recorder.session.timing import Timing
from recorder.session.watch import Watch
from recorder.session.watchlist import Watchlist
from recorder.wire import codes


class Machine:
    """One recorder's session, over all its connections.

    Attributes:
        config: what is recorded now.
        watchlist: the lines and their contracts.
        link: the connection.
        streams: the streams of the lines.
        watch: the judgement on them.
    """

    def __init__(
        self,
        config: Config,
        new_request: Callable[[], int],
        timing: Timing,
        rng: random.Random,
        names: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        """A session yet to begin; ``names`` as in ``Watchlist``."""
        self._actions: list[Action] = []
        self._do = self._actions.append
        timing = replace(timing, least=config.gateway.heartbeat_seconds)
        self._timing = timing
        self._slot = 0.0
        settings = config.gateway
        delayed = settings.market_data_type.startswith("delayed")
        self.config = config
        self.watchlist = Watchlist(config, names=names)
        self.link = Link(settings, timing, rng, self._do)
        self.streams = Streams(new_request, timing, self._do)
        self.watch = Watch(self.streams, timing, self._do, wants_delayed=delayed)
        self._lookups = Lookups(timing, self._do)

    def step(self, now: Now, given: Input) -> list[Action]:
        """React; returns what is to be done, in this order."""
        if not self.streams.feeds:
            self.streams.arrange(self.config, self.watchlist, now)
        self.watch.see(now)
        self._take(now, given)
        self._advance(now)
        done = list(self._actions)
        self._actions.clear()
        return done

    def due(self, steady: float) -> float:
        """When the next step is due if nothing happens before, on the steady clock."""
        if self.link.phase not in ("online", "leaving"):
            return self.link.due
        waits = any(feed.phase in ("asked", "doubted") for feed in self.streams.feeds)
        at = min(self.link.due, steady + (self._timing.first_tick if waits else self._timing.check))
        return min(at, max(self._slot, steady)) if self._has_to_send(steady) else at

    def _take(self, now: Now, given: Input) -> None:
        match given:
            case Passed():
                pass
            case Connected():
                self._connected(now, given.where)
            case NotConnected():
                self._not_connected(now, given)
            case Lost():
                self._lose(now, given.reason)
            case Said():
                self._said(now, given)
            case Rerouted():
                self._reroute(now, given)
            case Answered():
                self._answered(now, given)
            case Reloaded():
                self._reload(now, given)
            case Stopped():
                self._stop(now)
            case _:
                assert_never(given)

    # The connection. -----------------------------------------------------------------------------------------

    def _connected(self, now: Now, where: str) -> None:
        if self.link.phase != "connecting":
            return  # told to stop meanwhile: it is dropped as soon as that is due
        self.link.connected(now, where)
        self._lookups.begin(self.watchlist.entries, now)
        self._do(AskDataType())
        self._slot = now.steady + self._timing.request
        for feed in self.streams.feeds:
            feed.due = now.steady

    def _not_connected(self, now: Now, given: NotConnected) -> None:
        if self.link.phase not in ("connecting", "leaving"):
            return
        self.streams.miss()
        self.watch.forget()
        self.link.not_connected(now, given.reason, given.code)

    def _lose(self, now: Now, reason: str) -> None:
        if self.link.phase not in ("online", "leaving"):
            return
        leaving = self.link.phase == "leaving"
        self.streams.lose(now, "restart" if leaving else "disconnected")
        self.streams.miss()
        self._lookups.end(self.watchlist.entries)
        self.watch.forget()
        if not leaving:
            self._do(Tell("disconnected", reason))
        self.link.lost(now, reason)

    def _stop(self, now: Now) -> None:
        self.link.leave(now)
        if self.link.phase == "leaving":
            for feed in self.streams.live():
                self.streams.give_up(feed, now, "restart")

    # What the gateway says. ----------------------------------------------------------------------------------

    def _said(self, now: Now, said: Said) -> None:
        feed = self.streams.of(said.req)
        if feed is not None:
            self.watch.said_of(feed, now, said)
        elif said.req < 0 and said.code != codes.CLIENT_ID_IN_USE and self.link.phase != "offline":
            self.watch.said_of_ib(now, said)

    def _reroute(self, now: Now, given: Rerouted) -> None:
        feed = self.streams.of(given.req)
        place = (given.con_id, given.exchange)
        if feed is not None and feed.elsewhere != place:
            again = feed.elsewhere is not None  # two places that point at each other are no loop either
            feed.elsewhere = place
            self.streams.renew(feed, now, "rerouted")
            feed.due += self._timing.passing if again else 0.0

    def _answered(self, now: Now, given: Answered) -> None:
        outcome = self._lookups.answered(self.watchlist, now, given)
        if outcome is None:
            return
        for feed in self.streams.feeds:
            if feed.entry is not outcome.entry or feed.phase == "over_limit":
                continue
            if outcome.rolled:
                feed.elsewhere = None
                self.streams.renew(feed, now, "roll")
            elif outcome.problem and not feed.live:
                feed.problem = outcome.problem
                reason = "not_subscribed" if outcome.code is None else "refused"
                self._do(OpenGap(feed.key, now.here, reason, outcome.code))

    def _reload(self, now: Now, given: Reloaded) -> None:
        """Touch only the difference."""
        self.config = given.config
        self.watchlist = Watchlist(given.config, self.watchlist)
        self._do(Tell("reloaded", given.words))
        self.streams.arrange(given.config, self.watchlist, now)
        if self.watch.lost_since is not None:
            self.streams.miss(reason="disconnected", code=codes.CONNECTION_LOST)

    # Time. ---------------------------------------------------------------------------------------------------

    def _advance(self, now: Now) -> None:
        """What is due by now."""
        self.link.passed(now)
        if self.link.is_heard:
            self.watch.check(now)
        if self.link.phase not in ("online", "leaving"):
            return
        if now.steady >= self._slot and self._send(now):
            self._slot = now.steady + self._timing.request
        if self.link.phase == "leaving" and not self.streams.has_to_cancel:
            self.link.linger(now)

    def _send(self, now: Now) -> bool:
        """One thing to the gateway, if there is one to be sent."""
        if self.streams.has_to_cancel:
            self.streams.cancel_next()
            return True
        if self.link.phase != "online":
            return False
        feed = self._next_feed(now.steady)
        entry = None if feed else self._lookups.waiting(self.watchlist.entries, now.steady)
        if feed is not None:
            self.streams.subscribe(feed, now)
            self.watch.asked(feed, now)
        elif entry is not None:
            self._lookups.ask(entry)
        return entry is not None or feed is not None

    def _has_to_send(self, steady: float) -> bool:
        if self.streams.has_to_cancel or self.link.phase != "online":
            return self.streams.has_to_cancel
        waiting = self._lookups.waiting(self.watchlist.entries, steady)
        return waiting is not None or self._next_feed(steady) is not None

    def _next_feed(self, steady: float) -> Feed | None:
        if self.watch.lost_since is not None:
            return None
        in_order = steady < self.link.since + self._timing.first_answers
        return self.streams.next_one(steady, in_order=in_order)
