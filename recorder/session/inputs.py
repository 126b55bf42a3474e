"""What can happen to a session: everything it reacts to, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from recorder.config import Config
from recorder.session.contracts import Details
from recorder.wire.activity import Mark, Seen


@dataclass(frozen=True, slots=True)
class Now:
    """The moment at which something happens, and what the senses say.

    Attributes:
        steady: seconds of a clock that nobody sets.
        wall: microseconds since 1970.
        seq: number of the last row.
        heard: when the last bytes came, on the steady clock.
        last_ts: when the last bytes came, on the wall clock; 0: never.
        seen: by request id, the ticks that came since the step before.
    """

    steady: float
    wall: int
    seq: int = 0
    heard: float = 0.0
    last_ts: int = 0
    seen: Mapping[int, Seen] = field(default_factory=dict)

    @property
    def here(self) -> Mark:
        """This moment as a place in the recording."""
        return Mark(self.wall, self.seq)

    @property
    def next_row(self) -> Mark:
        """This moment as the place of the row that is written next."""
        return Mark(self.wall, self.seq + 1)

    @property
    def last_bytes(self) -> Mark:
        """Where the last bytes stand."""
        return Mark(self.last_ts or self.wall, self.seq)

    def steady_of(self, ts: int) -> float:
        """A moment of the wall clock on the steady one, as far as the former was not set in between."""
        return min(self.steady, self.steady - (self.wall - ts) / 1e6)


@dataclass(frozen=True, slots=True)
class Passed:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The gateway took the log-in; ``where`` is for people."""

    where: str


@dataclass(frozen=True, slots=True)
class NotConnected:
    """Connecting failed; ``code`` is IB's, if it said one."""

    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """An error or a notice (message 4); ``req`` is -1 where it is about no request."""

    req: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Rerouted:
    """Messages 91 and 92: ask for that contract instead."""

    req: int
    con_id: int
    exchange: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The outcome of a contract lookup.

    Attributes:
        token: whose.
        found: the contracts that fit; None: there was no answer that says so.
        problem: what the gateway said instead.
        code: IB's code of it; None: it did not answer.
    """

    token: int
    found: list[Details] | None
    problem: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The watchlist is another from now on; ``words`` says in short what changes."""

    config: Config
    words: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The recorder is told to leave."""


Input: TypeAlias = Passed | Connected | NotConnected | Lost | Said | Rerouted | Answered | Reloaded | Stopped
