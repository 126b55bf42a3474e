"""What a session wants done: everything it can cause, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from recorder.session.watchlist import Subscription
from recorder.wire.activity import Mark

Key: TypeAlias = tuple[str, str]
"""A line's name and one of its streams."""


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection under this client id."""

    client_id: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection now."""

    reason: str


@dataclass(frozen=True, slots=True)
class AskTime:
    """Ask for the gateway's time, to see whether it is there."""


@dataclass(frozen=True, slots=True)
class AskDataType:
    """Say which kind of market data is wanted."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask which contracts fit; answered by ``Answered`` with the same token."""

    token: int
    symbol: str
    question: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Put on record that a stream is being asked for, then ask."""

    req: int
    key: Key
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Cancel:
    """Take a subscription back; whether it still counts is said by others."""

    req: int
    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """Put on record that the recorder gives a subscription up."""

    req: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Put on record that the gateway ended a subscription."""

    req: int


@dataclass(frozen=True, slots=True)
class OpenGap:
    """Put on record that a stream may be missing something; nothing if that is on record already."""

    key: Key
    since: Mark
    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class CloseGap:
    """Put on record that a stream is being received again; nothing if no gap is open."""

    key: Key
    until: Mark


@dataclass(frozen=True, slots=True)
class Tell:
    """A row of ``events``; ``title`` is what the watchlist calls a line whose name outlives its contract."""

    kind: str
    text: str | None = None
    symbol: str | None = None
    stream: str | None = None
    code: int | None = None
    instrument: Mapping[str, Any] | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """A line of the log."""

    level: Literal["debug", "info", "warning", "error"]
    event: str
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Over:
    """Everything is done; the session ends."""


Action: TypeAlias = (
    Connect | Drop | AskTime | AskDataType | LookUp | Subscribe | Cancel | Unsubscribed | Ended | OpenGap | CloseGap
    | Tell | Say | Over
)  # fmt: skip
