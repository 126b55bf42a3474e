"""Follows the events: what has ended must be in an open gap when it is subscribed again."""

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from recorder.render.numbers import Lost
from recorder.render.told import Untold
from recorder.verify.verdict import Flaw

Key: TypeAlias = tuple[str, str]
Event: TypeAlias = dict[str, Any]


class Coverage:
    """Takes the events of the recording, a stretch at a time, oldest first.

    Attributes:
        untold: what the events tell of that must be in other tables.
    """

    def __init__(self, lost: Lost) -> None:
        self._sure: list[Flaw] = []
        self._holes: dict[Key, list[Flaw]] = {}
        self.untold = Untold()
        self._lost = lost
        self._live: set[Key] = set()
        self._ended: dict[Key, Event] = {}
        self._gaps: set[Key] = set()

    def take(self, told: Iterable[Event]) -> None:
        """Some more events, in their order."""
        for event in told:
            self._step(event, (event["symbol"], event["stream"]))

    def flaws(self, open_gaps: Collection[Key]) -> list[Flaw]:
        """Streams that ended and were subscribed again, in no gap; ``open_gaps``: what is in one at the end."""
        unseen = set(open_gaps) - self._gaps
        return self._sure + [
            flaw for key, holes in self._holes.items() if key not in unseen for flaw in holes
        ]

    def _step(self, event: Event, key: Key) -> None:
        self.untold.take(event)
        match event["kind"]:
            case "subscribed":
                self._begin(key, event)
            case "unsubscribed":
                self._end([key], event)
            case "disconnected" | "session_end" | "session_start":
                self._end(list(self._live), event)
            case "gap_start":
                self._sure += self._holes.pop(key, [])
                self._gaps.add(key)
            case "gap_end" if key in self._gaps:
                self._gaps.discard(key)
            case "gap_end":  # its beginning is lost: it covered what came since the stream's last gap
                self._holes.pop(key, None)

    def _begin(self, key: Key, event: Event) -> None:
        since = self._ended.pop(key, None)
        self._live.add(key)
        if since is None or key in self._gaps or self._lost.touches(since["seq"], event["seq"]):
            return
        when = f"from {since['ts_recv']} to {event['ts_recv']}"
        flaw = Flaw("uncovered", f"{key[0]} {key[1]}: not subscribed {when}, and in no gap")
        self._holes.setdefault(key, []).append(flaw)

    def _end(self, keys: list[Key], event: Event) -> None:
        for key in keys:
            self._live.discard(key)
            self._ended[key] = event
