"""The connection: connect, back off, keep alive, leave.

```
 offline --back-off over--> connecting --Connected--> online --told to stop--> leaving
    ^                            |                      |                         |
    +-------- NotConnected ------+-------- Lost --------+                         +-- Lost --> over
```
Rule: for ever. Only being told to stop ends it.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from recorder.config.model import Gateway
from recorder.session.actions import Action, AskTime, Connect, Drop, Over, Say, Tell
from recorder.session.backoff import Outage, backoff
from recorder.session.inputs import Now
from recorder.session.timing import Timing
from recorder.session.windows import window
from recorder.wire import codes

_PATIENCE = 5
"""Refusals of the client id (error 326) before a spare one is tried: an old session takes its time to go."""

_MISSES = 2
"""Questions for the time that stay unanswered before the connection is dropped."""

_CONNECT_TIMES = 4
"""Connecting takes some answers, each in bounded time; a shell that does not come back by then never will."""

LinkPhase = Literal["offline", "connecting", "online", "leaving", "over"]


class Link:
    """The state of the connection.

    Attributes:
        phase: see above.
        since: when it came online, on the steady clock.
        due: when something must happen next, on the steady clock.
        reason: why there is no connection, in words.
    """

    def __init__(
        self, settings: Gateway, timing: Timing, rng: random.Random, do: Callable[[Action], None]
    ) -> None:
        self.phase: LinkPhase = "offline"
        self.since = 0.0
        self.due = 0.0
        self.reason = ""
        self._settings = settings
        self._timing = timing
        self._rng = rng
        self._do = do
        self._pauses = self._backoff()
        self._outage = Outage()
        self._in_use = 0
        self._misses = 0

    @property
    def is_heard(self) -> bool:
        """Whether it is online and no question for the time is open: else silence says nothing of a line."""
        return self.phase == "online" and not self._misses

    def passed(self, now: Now) -> None:
        """What time alone brings about."""
        if self.phase == "online":
            self._keep_alive(now)
        elif now.steady < self.due:
            return
        elif self.phase == "offline":
            self.phase = "connecting"
            self.due = now.steady + _CONNECT_TIMES * self._settings.connect_timeout_seconds
            self._do(Connect(self._client_id()))
        elif self.phase == "connecting":
            self.due = now.steady + self._settings.connect_timeout_seconds
            self._do(Drop("connecting came to no end"))
        elif self.phase == "leaving":
            self.due = now.steady + self._settings.connect_timeout_seconds
            self._do(Drop("the recorder stops"))

    def connected(self, now: Now, where: str) -> None:
        """The gateway took the log-in."""
        self.phase, self.since, self.reason = "online", now.steady, ""
        self.due = now.steady + self._settings.heartbeat_seconds
        self._misses = self._in_use = 0
        self._do(Tell("connected", where))
        self._do(
            Say("info", "connected", {"to": where, "after_seconds": round(self._outage.seconds(now.steady))})
        )
        self._outage = Outage()

    def not_connected(self, now: Now, reason: str, code: int | None) -> None:
        """Connecting failed: say why, for each new reason, and now and then that it is still so."""
        self._in_use += code == codes.CLIENT_ID_IN_USE
        if self._go_offline(now, reason):
            return
        is_new, is_due = self._outage.failed(reason, now.steady)
        if is_due:
            more = {"seconds": round(self._outage.seconds(now.steady)), "attempts": self._outage.attempts}
            self._alarm(now, "no connection, trying again", reason, more)
        if is_new:
            self._do(Tell("connect_failed", reason, code=code))

    def lost(self, now: Now, reason: str) -> None:
        """The connection is gone; one that lasted makes the next pause a short one."""
        if now.steady - self.since > self._settings.reconnect_max_seconds:
            self._pauses = self._backoff()
        if not self._go_offline(now, reason):
            self._alarm(now, "disconnected", reason, {})

    def leave(self, now: Now) -> None:
        """Told to stop."""
        if self.phase == "offline":
            self._end()
        elif self.phase == "connecting":
            self.phase, self.due = "leaving", now.steady
        elif self.phase == "online":
            self.phase, self.due = "leaving", float("inf")

    def linger(self, now: Now) -> None:
        """Everything is cancelled: listen a little longer, then close."""
        self.due = min(self.due, now.steady + self._timing.linger)

    def _end(self) -> None:
        self.phase = "over"
        self._do(Over())

    def _go_offline(self, now: Now, reason: str) -> bool:
        """Whether that was the end."""
        self.reason = reason
        if self.phase == "leaving":
            self._end()
            return True
        self.phase, self.due = "offline", now.steady + next(self._pauses)
        return False

    def _keep_alive(self, now: Now) -> None:
        """Ask for the time when nothing comes; two misses mean that nobody is there."""
        beat = self._settings.heartbeat_seconds
        if now.steady < now.heard + beat:
            self._misses = 0
            self.due = now.heard + beat
        elif now.steady < self.due:
            return
        elif self._misses < _MISSES:
            self._misses += 1
            self.due = now.steady + beat
            self._do(AskTime())
        else:
            self.due = now.steady + beat
            self._do(Drop("the gateway does not answer any more"))

    def _alarm(self, now: Now, event: str, reason: str, more: Mapping[str, object]) -> None:
        """Louder when IB should be there."""
        expected = window(now.wall)
        words = {"reason": reason, **more} | ({"expected": expected} if expected else {})
        self._do(Say("info" if expected else "warning", event, words))

    def _client_id(self) -> int:
        """The configured id; it and the spare ones in turn when the gateway goes on saying that it is in use."""
        own, attempts = self._settings.client_id, self._in_use - _PATIENCE
        ids = (*self._settings.spare_client_ids, own)
        return ids[attempts % len(ids)] if attempts >= 0 else own

    def _backoff(self) -> Iterator[float]:
        settings = self._settings
        return backoff(settings.reconnect_min_seconds, settings.reconnect_max_seconds, self._rng)
