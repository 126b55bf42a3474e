"""What all clients of the gateway share: instruments, tapes, limits, and what is broken just now.

Rules:
- State without I/O. The clock and the seed are given; a script action changes a field here or a session.
"""

import math
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from recorder.simulator import notices, tape
from recorder.simulator.contracts import Instrument, Universe
from recorder.simulator.frames import dice
from recorder.simulator.hours import is_open
from recorder.simulator.tape import Tape
from recorder.simulator.universe import universe

if TYPE_CHECKING:
    from recorder.simulator.session import Session

Welcome: TypeAlias = Literal["silent", "hello_only", "no_accounts", "close", "id_in_use"]
"""How a connection is met instead of properly."""

Trading: TypeAlias = Literal["always", "real"]
"""When venues are open."""

HMDS_FARM: Final = "ushmds"
SECDEF_FARM: Final = "secdefil"
MARKET_FARMS: Final = ("usfarm", "usfuture", "usopt", "cashfarm", "eufarm", "cryptofarm")
FARMS: Final = (*MARKET_FARMS, HMDS_FARM, SECDEF_FARM)
_MAKERS = {"trades": tape.trade, "quotes": tape.quote}


@dataclass(slots=True)
class World:
    """The gateway's side of everything.

    Attributes:
        rate: ticks a second for each subscription; ``math.inf`` for as fast as the socket takes.
        now: seconds since the epoch, the clock that stamps ticks and bars.
        read_only: the API setting of that name: requests about orders are refused.
        market_open: coins trade even when it is not.
        connected: to IB's servers (1100 when not).
        competing: another session holds the market data (10197).
        hours: ``always``: no venue ever closes, and details say so; ``real``: each keeps its hours.
        farms: state of the farms that were ever anything but up.
        muted: symbols that never tick, whoever asks; ``all`` is every one.
        reroutes: conId -> the conId to ask for instead.
        permits: symbol (or ``all``) -> the code its permission was revoked with, 0 if it was granted.
        taken: what other clients hold of the account's limits, by kind of subscription.
        ignored: how many more requests of a name get no answer.
        rejected: how many more requests of a name get 321 for an answer.
        lag: seconds a cancelled subscription goes on ticking.
        welcomes: how the next connections are met.
    """

    seed: int
    rate: float
    now: Callable[[], float]
    max_lines: int = 100
    accounts: tuple[str, ...] = ("DU1234567",)
    read_only: bool = False
    market_open: bool = True
    connected: bool = True
    competing: bool = False
    hours: Trading = "always"
    farms: dict[str, notices.FarmState] = field(default_factory=dict)
    muted: set[str] = field(default_factory=set)
    reroutes: dict[int, int] = field(default_factory=dict)
    permits: dict[str, int] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    lag: float = 0.0
    welcomes: deque[Welcome] = field(default_factory=deque)
    sessions: "dict[int, Session]" = field(default_factory=dict)
    universe: Universe = field(init=False)
    _asked: Counter[tuple[str, int]] = field(default_factory=Counter)
    _tapes: dict[tuple[int, str], Tape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.universe = universe(datetime.fromtimestamp(self.now(), UTC).date())
        if self.hours == "always":
            self.universe = self.universe.never_closing()

    @property
    def max_depth(self) -> int:
        """Books at a time: 3 with fewer than 400 lines, one more with each further hundred, 60 at most."""
        return min(max(3, self.max_lines // 100), 60)

    @property
    def max_ticks(self) -> int:
        """Tick-by-tick subscriptions at a time: one in twenty lines, at least 5."""
        return max(5, self.max_lines // 20)

    @property
    def unlimited(self) -> bool:
        """Whether ticks come as fast as the socket takes them."""
        return math.isinf(self.rate)

    def dice(self, *what: object) -> random.Random:
        """Random numbers of one stream: the same for the same seed, whatever else goes on."""
        return dice(self.seed, *what)

    def stream_dice(self, kind: str, con_id: int) -> random.Random:
        """Random numbers of a new subscription; a second one of an instrument is not the first again."""
        self._asked[kind, con_id] += 1
        return self.dice(kind, con_id, self._asked[kind, con_id])

    def tape(self, instrument: Instrument, sort: str) -> Tape:
        """The instrument's ``trades`` or ``quotes``; it begins when first asked for."""
        key = (instrument.con_id, sort)
        if key not in self._tapes:
            self._tapes[key] = Tape(instrument, self.dice("tape", *key), _MAKERS[sort])
        return self._tapes[key]

    def advance(self, seconds: float) -> None:
        """Time passes for all tapes of open markets. At an unlimited rate readers drive them."""
        if self.unlimited:
            return
        now = self.now()
        for one in self._tapes.values():
            if self.trades_now(one.instrument):
                one.advance(seconds, self.rate, now)

    def trades_now(self, instrument: Instrument) -> bool:
        """Whether its market is open."""
        if not self.market_open and instrument.sec_type != "CRYPTO":
            return False
        return self.hours == "always" or is_open(instrument.hours, self.now())

    def silent(self, instrument: Instrument) -> bool:
        """Whether no tick of it gets through just now."""
        return (
            not self.connected
            or not self.trades_now(instrument)
            or self.broken(instrument.farm)
            or not self.muted.isdisjoint({"all", instrument.symbol})
        )

    def broken(self, farm: str) -> bool:
        """Whether a farm is down."""
        return self.farms.get(farm) == "down"

    def turn_farm(self, name: str, state: notices.FarmState) -> None:
        """A farm is up, down or idle from now on; every client is told."""
        self.farms[name] = state
        self.tell_all(notices.farm(name, state), name)

    def wake(self, farm: str) -> None:
        """A request needs a farm: an idle one is up at once, and everybody is told."""
        if self.farms.get(farm) == "idle":
            self.turn_farm(farm, "up")

    def permit(self, symbol: str) -> int | None:
        """What a script has said of a symbol's permission; None: nothing."""
        return self.permits.get(symbol, self.permits.get("all"))

    def started(self) -> "list[Session]":
        """The sessions that have logged in."""
        return [session for session in self.sessions.values() if session.client_id is not None]

    def tell_all(self, code: int, *details: object) -> None:
        """A notice of no request, to every client."""
        for session in self.started():
            session.tell(-1, code, *details)

    def count(self, *kinds: str) -> int:
        """Subscriptions of some kinds, of all clients together: the account's limits are shared."""
        held = sum(kind in kinds for session in self.sessions.values() for kind, _ in session.subscriptions)
        return held + sum(self.taken[kind] for kind in kinds)

    def id_in_use(self, client_id: int) -> bool:
        """Whether a session has started with that client id and is not yet gone."""
        return any(session.client_id == client_id for session in self.sessions.values())
