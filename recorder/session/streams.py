"""The streams of the watchlist: asking for them, giving them up, parking what is refused.

Rules:
- Every way out of receiving opens a gap first, at the stream's last tick.
- A stream is live, or there is a moment at which it will be asked for.
"""

from collections import deque
from collections.abc import Callable, Iterator

from recorder.config import Config
from recorder.config.difference import request
from recorder.config.limits import budget
from recorder.config.offers import TICK_BY_TICK
from recorder.session.actions import (
    Action,
    Cancel,
    CloseGap,
    Ended,
    Key,
    OpenGap,
    Say,
    Subscribe,
    Tell,
    Unsubscribed,
)
from recorder.session.feed import Feed
from recorder.session.inputs import Now
from recorder.session.timing import Timing
from recorder.session.watchlist import Subscription, Watchlist
from recorder.wire import codes
from recorder.wire.activity import Mark

_LIMIT_CODES = {"depth": 309, "level1": 101, "bars": 101}
_TICK_LIMIT_CODE = 10190


class Streams:
    """The feeds and what is done with them.

    Attributes:
        feeds: in watchlist order, also those that IB's limits leave no room for.
    """

    def __init__(self, new_request: Callable[[], int], timing: Timing, do: Callable[[Action], None]) -> None:
        self.feeds: list[Feed] = []
        self._new_request = new_request
        self._timing = timing
        self._do = do
        self._by_req: dict[int, Feed] = {}
        self._cancels: deque[tuple[int, Subscription]] = deque()
        self._tick_by_tick_at: dict[int, float] = {}

    def of(self, req: int) -> Feed | None:
        """The stream that comes under a request; None: none, or none any more."""
        return self._by_req.get(req)

    def named(self, key: Key) -> Feed | None:
        """The stream of that line and name."""
        return next((feed for feed in self.feeds if key in feed.keys), None)

    def live(self) -> Iterator[Feed]:
        """The streams that ticks may come for."""
        return (feed for feed in self.feeds if feed.live)

    # Asking. -------------------------------------------------------------------------------------------------

    def next_one(self, steady: float, *, in_order: bool) -> Feed | None:
        """The next stream to ask for; ``in_order``: none overtakes a line whose contract is being looked up."""
        for feed in self.feeds:
            if feed.phase not in ("waiting", "parked"):
                continue
            if feed.entry.details is None:
                if in_order and feed.entry.token is not None:
                    return None
            elif self._may_ask_at(feed) <= steady:
                return feed
        return None

    def subscribe(self, feed: Feed, now: Now) -> None:
        """Ask for a stream. What IB refused it may go on sending: that is taken back first, in a slot of its own."""
        if feed.req is not None:
            self._cancel(feed)
            self.cancel_next()
            return
        subscription = feed.entry.subscription(feed.stream, feed.elsewhere)
        if feed.stream.kind in TICK_BY_TICK:
            self._tick_by_tick_at[subscription.con_id] = now.steady + self._timing.tick_by_tick
        feed.asked(self._new_request(), subscription, now)
        assert feed.req is not None
        self._by_req[feed.req] = feed
        self._do(Subscribe(feed.req, feed.key, subscription))

    def _may_ask_at(self, feed: Feed) -> float:
        if feed.stream.kind not in TICK_BY_TICK:
            return feed.due
        con_id = feed.elsewhere[0] if feed.elsewhere else feed.entry.con_id
        return max(feed.due, self._tick_by_tick_at.get(con_id or 0, 0.0))

    def receive(self, feed: Feed, since: Mark) -> None:
        """It is being received, from there on."""
        feed.phase, feed.needs_tick, feed.refusals = "recording", False, 0
        for key in feed.keys:
            self._do(CloseGap(key, since))

    # Giving up. ----------------------------------------------------------------------------------------------

    @property
    def has_to_cancel(self) -> bool:
        """Whether cancels are waiting to be sent."""
        return bool(self._cancels)

    def cancel_next(self) -> None:
        """Send a cancel."""
        self._do(Cancel(*self._cancels.popleft()))

    def give_up(self, feed: Feed, now: Now, reason: str, code: int | None = None) -> None:
        """End a subscription; the gap and the end are on record before the gateway is told."""
        self._open_gap(feed, now, reason, code)
        if feed.req is not None and feed.live:
            self._do(Unsubscribed(feed.req))
        self._cancel(feed)
        feed.phase = "waiting"

    def renew(self, feed: Feed, now: Now, reason: str, code: int | None = None) -> None:
        """Cancel and ask anew: this stream and nothing else."""
        self.give_up(feed, now, reason, code)
        feed.due = now.steady

    def doubt(self, feed: Feed, now: Now, reason: str, code: int, since: Mark | None = None) -> None:
        """It may be dead; its next tick will show. The gap begins at its last tick, or ``since`` then."""
        self._do(OpenGap(feed.key, since or feed.since(now, self._timing), reason, code))
        feed.phase, feed.due = "doubted", now.steady + self._timing.slow
        feed.suspects, feed.needs_tick = {}, True

    def await_tick(self, feed: Feed, now: Now, reason: str, code: int) -> None:
        """It has been asked for while nothing may come: a tick will show, and until then it is in a gap."""
        self._open_gap(feed, now, reason, code)
        feed.needs_tick = True

    def park(self, feed: Feed, now: Now, code: int, text: str) -> None:
        """The gateway will send nothing for it: ask again later."""
        meaning = codes.MEANINGS[code]
        self._open_gap(feed, now, meaning.reason, code)
        if feed.req is not None and feed.live:
            self._do(Ended(feed.req))
            self._by_req.pop(feed.req, None)
        seconds = self._timing.slow
        if meaning.verdict == "soon":  # a competing session may last a minute, or the day
            passing = self._timing.passing
            seconds = max(passing, min(passing * 2.0 ** min(feed.refusals, 8), seconds / 3))
            feed.refusals += 1
        elif meaning.verdict == "daily":
            feed.entry.due = now.steady  # it was known until now: what is it today?
        feed.phase, feed.due, feed.problem = "parked", now.steady + seconds, f"{text} ({code})"
        self._say("not recorded", feed, reason=feed.problem, asked_again_in_seconds=round(seconds))

    def refuse(self, feed: Feed, now: Now, code: int, text: str) -> None:
        """Take back what the gateway goes on sending against the config, or never sends."""
        self._do(Tell("refused", text, *feed.key, code))
        self.park(feed, now, code, text)
        self._cancel(feed)

    def lose(self, now: Now, reason: str) -> None:
        """The connection is gone, and everything with it."""
        for feed in self.live():
            self._open_gap(feed, now, reason)
        self._by_req.clear()
        self._cancels.clear()
        for feed in self.feeds:
            feed.req = None
            feed.phase = "over_limit" if feed.phase == "over_limit" else "waiting"

    def miss(
        self, since: Mark | None = None, reason: str = "not_subscribed", code: int | None = None
    ) -> None:
        """Nothing can be asked for: what has never been is missing from there on, or since it joined the watchlist."""
        for feed in self.feeds:
            self._do(OpenGap(feed.key, since or feed.added, reason, code))

    def _open_gap(self, feed: Feed, now: Now, reason: str, code: int | None = None) -> None:
        self._do(OpenGap(feed.key, feed.since(now, self._timing), reason, code))

    def _cancel(self, feed: Feed) -> None:
        if feed.req is not None and feed.subscription is not None:
            self._cancels.append((feed.req, feed.subscription))
            self._by_req.pop(feed.req, None)
            feed.req = None

    def _say(self, event: str, feed: Feed, **more: object) -> None:
        name, stream = feed.key
        self._do(Say("warning", event, {"line": name, "stream": stream, **more}))

    # Watchlist. ----------------------------------------------------------------------------------------------

    def arrange(self, config: Config, watchlist: Watchlist, now: Now) -> None:
        """The feeds of a watchlist; those that were there already stay as they are."""
        before = {(id(feed.entry), request(feed.stream)): feed for feed in self.feeds}
        verdicts = budget(config)
        self.feeds = []
        for verdict in verdicts:
            entry = watchlist.entries[verdict.line]
            key = (id(entry), request(verdict.stream))
            self.feeds.append(before.pop(key) if key in before else Feed(entry, verdict.stream, now.here))
        for gone in before.values():
            self.give_up(gone, now, "not_subscribed")
            self._do(Tell("removed", "not in the watchlist any more", *gone.key))
        for feed, verdict in zip(self.feeds, verdicts, strict=True):
            if verdict.reason is not None:
                self._leave_out(feed, now, verdict.reason)
            elif feed.phase == "over_limit":
                feed.phase, feed.due, feed.problem = "waiting", now.steady, ""

    def _leave_out(self, feed: Feed, now: Now, reason: str) -> None:
        """IB's limits leave no room for it: it is never asked for."""
        if feed.phase == "over_limit":
            return
        code = _LIMIT_CODES.get(feed.stream.kind, _TICK_LIMIT_CODE)
        self._do(Tell("refused", reason, *feed.key, code))
        self.give_up(feed, now, "refused", code)
        feed.phase, feed.problem = "over_limit", reason
        self._say("not recorded", feed, reason=reason)
