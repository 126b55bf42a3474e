"""The watchlist as subscriptions: which contract each line is, which streams to ask for, which are parked.

Rule: pure bookkeeping; asking the gateway is the session's business.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from recorder.capture import contracts
from recorder.capture.contracts import Details
from recorder.capture.gateway import Subscription
from recorder.config import Config, Line, Stream
from recorder.config.limits import budget
from recorder.config.offers import TICK_BY_TICK

TICK_BY_TICK_SECONDS = 15.0
"""IB takes one tick-by-tick request an instrument in this time (TWS API guide, "Tick-by-Tick Data")."""

_LIMIT_CODES = {"depth": 309, "level1": 101, "bars": 101}
_TICK_LIMIT_CODE = 10190


class UnfitError(Exception):
    """A line cannot be recorded as it stands; the message says why and what would be right."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One stream of one line."""

    index: int
    line: Line
    stream: Stream


@dataclass(slots=True)
class Watchlist:
    """The lines of a config and what is known of them.

    Attributes:
        found: index of a line to its name and IB's details.
    """

    config: Config
    found: dict[int, tuple[str, Details]] = field(default_factory=dict)

    def wanted(self) -> list[Wanted]:
        """The streams that fit the account's limits, in watchlist order."""
        lines = self.config.watchlist
        return [Wanted(v.line, lines[v.line], v.stream) for v in budget(self.config) if v.accepted]

    def unknown(self) -> list[int]:
        """Indices of the lines whose contract is not known."""
        return [index for index in range(len(self.config.watchlist)) if index not in self.found]

    def known(self) -> list[Wanted]:
        """The wanted streams of the lines whose contract is known."""
        return [one for one in self.wanted() if one.index in self.found]

    def over_limit(self) -> Iterator[tuple[Wanted, str, int]]:
        """The streams that do not fit, why, and IB's code for it."""
        for verdict in budget(self.config):
            if verdict.reason is not None:
                kind = verdict.stream.kind
                code = _LIMIT_CODES.get(kind, _TICK_LIMIT_CODE)
                yield (
                    Wanted(verdict.line, self.config.watchlist[verdict.line], verdict.stream),
                    verdict.reason,
                    code,
                )

    def name(self, index: int) -> str:
        """The line's name in the data; until it is known, what a person would call it."""
        line = self.config.watchlist[index]
        return self.found[index][0] if index in self.found else line.label or line.title

    def resolve(self, index: int, answers: list[Details]) -> Details:
        """Which contract the line is.

        Raises:
            UnfitError: none, several, or a name that another line has already.
        """
        line = self.config.watchlist[index]
        if not answers:
            raise UnfitError(f"{line.title}: IB knows no such contract")
        if len(answers) > 1:
            listed = "; ".join(contracts.candidate(found) for found in answers[:8])
            more = f"; and {len(answers) - 8} more" if len(answers) > 8 else ""
            raise UnfitError(f"{line.title}: ambiguous, {len(answers)} contracts fit: {listed}{more}")
        name = contracts.name(line, answers[0])
        for free in (line.title,) if self._stands_for_another(index) else (name, line.title):
            if free not in self._taken(index):
                self.found[index] = (free, answers[0])
                return answers[0]
        raise UnfitError(f"{line.title}: another line of the watchlist has this name already; give it a name")

    def _stands_for_another(self, index: int) -> bool:
        """A continuous future has the local symbol of the future in front, which may be a line as well.

        The watchlist alone decides which of the two is called so, not whose answer comes first.
        """
        line = self.config.watchlist[index]
        futures = [other.symbol for other in self.config.watchlist if other.type == "future"]
        return line.label is None and line.type == "continuous_future" and line.symbol in futures

    def _taken(self, index: int) -> set[str]:
        found = {name for other, (name, _) in self.found.items() if other != index}
        lines = enumerate(self.config.watchlist)
        return found | {line.label for other, line in lines if other != index and line.label}

    def con_id(self, wanted: Wanted) -> int:
        """The contract id of a line that has been resolved."""
        return int(self.found[wanted.index][1]["con_id"])

    def subscription(self, wanted: Wanted) -> Subscription:
        """What to ask of the gateway for a stream of a line that has been resolved."""
        stream = wanted.stream
        return Subscription(
            stream=stream.kind,
            contract=contracts.contract(self.found[wanted.index][1], wanted.line),
            generic_ticks=stream.generic_ticks,
            only_reportable=stream.only_reportable,
            rows=stream.rows,
            smart=stream.smart,
            show=stream.show,
            regular_hours=stream.regular_hours,
        )


def is_tick_by_tick(wanted: Wanted) -> bool:
    """Whether the stream is one of IB's tick-by-tick streams."""
    return wanted.stream.kind in TICK_BY_TICK
