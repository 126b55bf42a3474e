"""The lines of the watchlist: which contract each is, and what to ask of the gateway for its streams.

Rule: pure bookkeeping; asking the gateway is the shell's business.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recorder.config import Config, Line, Stream
from recorder.config.difference import identities
from recorder.session import contracts
from recorder.session.contracts import Details
from recorder.wire.hours import Hours

_SHOWN = 8
"""Contracts listed of an ambiguous line."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to ask of the gateway for one stream of one line; see the config's ``Stream`` for the options."""

    stream: str
    contract: Mapping[str, Any]
    generic_ticks: tuple[int, ...] = ()
    only_reportable: bool = False
    rows: int = 10
    smart: bool = True
    show: str = "TRADES"
    regular_hours: bool = False

    @property
    def con_id(self) -> int:
        """The contract id."""
        return int(self.contract["conId"])


class UnfitError(Exception):
    """A line cannot be recorded as it stands; the message says why and what would be right."""


@dataclass(slots=True, eq=False)
class Entry:
    """One line and what is known of it.

    Attributes:
        line: as configured.
        name: its name in the data; until that is known, what a person would call it.
        details: IB's contract details; None: not known yet.
        hours: when its main session is.
        trading: when it trades at all.
        stood_for: the contract that a continuous future stood for when the recorder ran before.
        token: the lookup under way; None: none is.
        due: when to look it up, on the steady clock.
    """

    line: Line
    name: str = ""
    details: Details | None = None
    hours: Hours = field(default_factory=Hours)
    trading: Hours = field(default_factory=Hours)
    stood_for: int | None = None
    token: int | None = None
    due: float = 0.0

    def __post_init__(self) -> None:
        self.name = self.name or self.line.label or self.line.title

    @property
    def con_id(self) -> int | None:
        """The contract id, once known."""
        return None if self.details is None else int(self.details["con_id"])

    def subscription(self, stream: Stream, elsewhere: tuple[int, str] | None = None) -> Subscription:
        """What to ask for; ``elsewhere`` is the conId and exchange that IB said to ask instead."""
        assert self.details is not None
        known = contracts.contract(self.details, self.line)
        if elsewhere is not None:
            known = {"conId": elsewhere[0], "exchange": elsewhere[1]}
        return Subscription(
            stream=stream.kind,
            contract=known,
            generic_ticks=stream.generic_ticks,
            only_reportable=stream.only_reportable,
            rows=stream.rows,
            smart=stream.smart,
            show=stream.show,
            regular_hours=stream.regular_hours,
        )


class Watchlist:
    """The entries of a config's lines; what ``before`` knew of the same contracts under the same names is kept.

    ``names`` are those that continuous futures had when the recorder ran before, and the contracts they stood for, by
    what the watchlist calls them.

    Attributes:
        entries: in the config's order.
        identities: what makes each line that line.
    """

    def __init__(
        self,
        config: Config,
        before: "Watchlist | None" = None,
        names: Mapping[str, tuple[str, int]] | None = None,
    ) -> None:
        self._names: dict[str, tuple[str, int]] = before._names if before else dict(names or {})  # noqa: SLF001 - its own kind
        known = dict(zip(before.identities, before.entries, strict=True)) if before else {}
        self.identities: Sequence[Hashable] = identities(config)
        self.entries: list[Entry] = []
        for identity, line in zip(self.identities, config.watchlist, strict=True):
            entry = (
                known.pop(identity) if identity in known else Entry(line, stood_for=self._earlier(line)[1])
            )
            entry.line = line  # the same contract and name; its streams may be others
            self.entries.append(entry)

    def resolve(self, entry: Entry, answers: list[Details]) -> None:
        """Which contract the entry's line is. A name once given stays, whatever contract it stands for later.

        Raises:
            UnfitError: none, several, or a name that another line has already.
        """
        title = entry.line.title
        if not answers:
            raise UnfitError(f"{title}: IB knows no such contract")
        if len(answers) > 1:
            listed = "; ".join(contracts.candidate(found) for found in answers[:_SHOWN])
            more = f"; and {len(answers) - _SHOWN} more" if len(answers) > _SHOWN else ""
            raise UnfitError(f"{title}: ambiguous, {len(answers)} contracts fit: {listed}{more}")
        found = answers[0]
        if entry.details is None:
            entry.name = self._name(entry, found)
        entry.details = found
        entry.hours = Hours.parse(found.get("liquid_hours"), found.get("time_zone"))
        entry.trading = Hours.parse(found.get("trading_hours"), found.get("time_zone"))

    def _name(self, entry: Entry, found: Details) -> str:
        title = entry.line.title
        earlier, _ = self._earlier(entry.line)
        names = (entry.line.label or earlier or contracts.name(entry.line, found), title)
        if self._stands_for_another(entry.line):
            names = (title, title)
        taken = {
            other.line.label or other.name
            for other in self.entries
            if other is not entry and (other.details is not None or other.line.label)
        }
        for name in names:
            if name not in taken:
                return name
        raise UnfitError(f"{title}: another line of the watchlist has this name already; give it a name")

    def _earlier(self, line: Line) -> tuple[str, int | None]:
        """Name and contract of a continuous future when the recorder ran before."""
        return self._names.get(line.title, ("", None)) if line.type == "continuous_future" else ("", None)

    def _stands_for_another(self, line: Line) -> bool:
        """A continuous future has the local symbol of the future in front, which may be a line as well.

        The watchlist alone decides which of the two is called so, not whose answer comes first.
        """
        futures = [other.line.symbol for other in self.entries if other.line.type == "future"]
        return line.label is None and line.type == "continuous_future" and line.symbol in futures
