"""Which lines' contracts are to be looked up, and when again.

Rule: every line has a moment at which it is asked about: at once when nothing is known of it, daily when something
is (hours change, a continuous future rolls), later when IB knew nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from recorder.session import contracts
from recorder.session.actions import Action, LookUp, Say, Tell
from recorder.session.inputs import Answered, Now
from recorder.session.timing import Timing
from recorder.session.watchlist import Entry, UnfitError, Watchlist
from recorder.wire import codes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer means for a line.

    Attributes:
        problem: why the contract is not known; "" if it is.
        code: IB's code of the problem; None: the gateway did not answer.
        rolled: it stands for another contract than before.
    """

    entry: Entry
    problem: str = ""
    code: int | None = None
    rolled: bool = False


class Lookups:
    """The contract lookups of a session."""

    def __init__(self, timing: Timing, do: Callable[[Action], None]) -> None:
        self._timing = timing
        self._do = do
        self._tokens = count(1)

    def begin(self, entries: list[Entry], now: Now) -> None:
        """A connection begins: whatever is not known is asked for at once, and what may have rolled meanwhile."""
        for entry in entries:
            if entry.details is None or entry.line.type == "continuous_future":
                entry.due = now.steady

    def end(self, entries: list[Entry]) -> None:
        """The connection is gone, and its lookups with it."""
        for entry in entries:
            entry.token = None

    def waiting(self, entries: list[Entry], steady: float) -> Entry | None:
        """The next line to ask about."""
        return next((entry for entry in entries if entry.token is None and entry.due <= steady), None)

    def ask(self, entry: Entry) -> None:
        """Ask about a line."""
        entry.token = next(self._tokens)
        self._do(LookUp(entry.token, entry.name, contracts.question(entry.line)))

    def answered(self, watchlist: Watchlist, now: Now, given: Answered) -> Outcome | None:
        """Take an answer; None: nobody asks any more."""
        entry = next((entry for entry in watchlist.entries if entry.token == given.token), None)
        if entry is None:
            return None
        entry.token = None
        known = entry.con_id or entry.stood_for
        if given.found is None:
            return self._failed(entry, now, f"{entry.line.title}: {given.problem}", given.code)
        try:
            watchlist.resolve(entry, given.found)
        except UnfitError as error:
            self._do(Tell("refused", str(error), entry.name, code=codes.NO_SUCH_CONTRACT))
            return self._failed(entry, now, str(error), codes.NO_SUCH_CONTRACT)
        entry.due = now.steady + self._timing.daily
        self._qualified(entry)
        rolled = known is not None and known != entry.con_id
        if rolled:
            self._do(Tell("rolled", f"con_id {known} -> {entry.con_id}", entry.name))
        return Outcome(entry, rolled=rolled)

    def _qualified(self, entry: Entry) -> None:
        assert entry.details is not None
        row = contracts.instrument(entry.details, entry.name)
        title = entry.line.title if entry.line.type == "continuous_future" else None
        self._do(
            Tell("qualified", contracts.candidate(entry.details), entry.name, instrument=row, title=title)
        )

    def _failed(self, entry: Entry, now: Now, problem: str, code: int | None) -> Outcome:
        """A line that is known already stays as it is: its subscriptions show whether it still lives."""
        timing = self._timing
        later = timing.daily if code == codes.NO_SUCH_CONTRACT else timing.slow
        seconds = timing.passing if code is None else later
        entry.due = now.steady + seconds
        more = {"line": entry.name, "reason": problem, "asked_again_in_seconds": round(seconds)}
        self._do(Say("warning", "contract not found", more))
        return Outcome(entry, problem, code)
