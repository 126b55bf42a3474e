"""What the account may see of an instrument, and the code it is told otherwise.

Rules:
- No I/O. An instrument's own permission holds unless a script has revoked or granted it by symbol.
- A code IB has for one kind of request only (10189 tick by tick, 420 bars) takes that kind away and leaves
  the others.
"""

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from recorder.simulator.contracts import Instrument, Permission

if TYPE_CHECKING:
    from recorder.simulator.session import Session
    from recorder.simulator.world import World

LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
"""Types of market data, as message 58 says them."""
GRANTED: Final = 0
Code: TypeAlias = Literal[354, 420, 10089, 10090, 10091, 10167, 10168, 10186, 10189]
"""What a script may revoke a permission with."""

_LEFT: Final[dict[int, Permission]] = {
    GRANTED: "live", 354: "none", 420: "live", 10089: "extra", 10090: "part", 10091: "part",
    10167: "delayed", 10168: "delayed", 10186: "delayed", 10189: "live",
}  # fmt: skip
"""What a revocation leaves of level 1."""
_TOLD: Final = {"none": 354, "delayed": 10168, "extra": 10089, "part": 10090}
"""What a request for level 1 is told when a script has named no other code."""
_DENIED: Final = {"ticks": 10189, "bars": 420, "depth": 354, "history": 10187}
"""What other requests are told."""


def of(world: "World", instrument: Instrument) -> Permission:
    """What the account may see of an instrument just now."""
    code = world.permit(instrument.symbol)
    return instrument.permission if code is None else _LEFT[code]


def data_type(session: "Session", instrument: Instrument) -> int:
    """The type of level 1 that comes, 0 if none does. Delayed ones must be asked for, unless 10167 is revoked with."""
    world, asked = session.world, session.data_type
    permitted = of(world, instrument)
    delayed = permitted in {"delayed", "extra"}
    if world.permit(instrument.symbol) == 10167:
        asked = max(asked, DELAYED)
    if permitted == "none" or (delayed and asked < DELAYED):
        return 0
    frozen = asked in {FROZEN, DELAYED_FROZEN} and not world.trades_now(instrument)
    return (DELAYED if delayed else LIVE) + frozen


def told(session: "Session", instrument: Instrument) -> int:
    """The code a request for level 1 is told, 0 if all of it is permitted."""
    permitted = of(session.world, instrument)
    if permitted == "delayed" and data_type(session, instrument):
        return 10167
    if permitted == "live":
        return 0
    return session.world.permit(instrument.symbol) or _TOLD[permitted]


def denied(world: "World", kind: str, instrument: Instrument) -> tuple[int, str] | None:
    """Code and words for ``ticks``, ``bars``, ``depth`` or ``history`` that are not permitted; None if they are."""
    code = _DENIED[kind]
    if of(world, instrument) == "live" and world.permit(instrument.symbol) != code:
        return None
    if kind == "depth":
        return code, venue(instrument)
    return code, f"No market data permissions for {instrument.primary} {instrument.sec_type}"


def venue(instrument: Instrument) -> str:
    """An instrument's market as the gateway's complaints end with it."""
    return f"{instrument.symbol} {instrument.primary or instrument.exchanges[0]}/TOP/ALL"
