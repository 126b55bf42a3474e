"""The configuration: one frozen object, made at the edge and passed in.

Rules:
- The keys are those of the file, the units stand in their names.
- Whatever exists is right: every value and every line is checked when it is made.
- Nothing here reads files; `recorder.config.load` does, and alone turns errors into lines and columns.
- The sentences below the keys are what editors show: they go into the JSON Schema as they stand.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from recorder.config import contracts
from recorder.config.contracts import LineType
from recorder.config.fields import DayTime, Expiry, Folder, Host, HostPort, Isin, Multiplier, Text
from recorder.config.offers import Show, StreamKind

Port = Annotated[int, Field(ge=1, le=65535)]
ClientId = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _distinct(values: tuple[int, ...]) -> tuple[int, ...]:
    twice = [value for index, value in enumerate(values) if value in values[:index]]
    if twice:
        raise ValueError(f"has {twice[0]} twice; write each number once")
    return values


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, use_attribute_docstrings=True
    )


class Gateway(_Frozen):
    """The TWS or IB Gateway to record from."""

    host: Host = "127.0.0.1"
    """Where the gateway runs."""

    port: Port = 4002
    """Gateway: 4001 live, 4002 paper. TWS: 7496 live, 7497 paper."""

    client_id: ClientId = 17
    """The API client id, not used by any other program on this gateway."""

    spare_client_ids: Annotated[tuple[ClientId, ...], AfterValidator(_distinct)] = (18, 19)
    """Tried in turn, only when the gateway goes on saying that client_id is in use (error 326)."""

    market_data_type: Literal["live", "frozen", "delayed", "delayed_frozen"] = "live"
    """What to take where there is a choice; delayed data is recorded only if asked for here."""

    connect_timeout_seconds: Seconds = 10.0
    """How long the gateway may take to answer."""

    heartbeat_seconds: Seconds = 15.0
    """Asks the gateway for its time when nothing else arrives; two misses drop the connection."""

    reconnect_min_seconds: Seconds = 1.0
    """The first pause before connecting again; it doubles from there, with jitter."""

    reconnect_max_seconds: Seconds = 60.0
    """The longest pause before connecting again."""

    backfill_hours: Annotated[float, Field(ge=0, le=168, allow_inf_nan=False)] = 24.0
    """Holes in tick-by-tick streams no older than this are asked for again; 0: never."""

    max_lines: Annotated[int, Field(ge=1)] = 100
    """Market data lines of the account that the recorder may use."""

    @model_validator(mode="before")
    @classmethod
    def _spare_other_than_client_id(cls, given: Any) -> Any:
        """Who says client_id: 18 and nothing of spares did nothing wrong."""
        if not isinstance(given, Mapping):
            return given
        return {"spare_client_ids": tuple(i for i in (18, 19) if i != given.get("client_id")), **given}

    @field_validator("spare_client_ids")
    @classmethod
    def _other_than_client_id(cls, spares: tuple[int, ...], info: ValidationInfo) -> tuple[int, ...]:
        if info.data.get("client_id") in spares:
            raise ValueError(f"has {info.data['client_id']}, which is client_id; name other ids")
        return spares

    @field_validator("reconnect_max_seconds")
    @classmethod
    def _not_below_min(cls, longest: float, info: ValidationInfo) -> float:
        if longest < (shortest := info.data.get("reconnect_min_seconds", 0)):
            raise ValueError(
                f"{longest:g} is below reconnect_min_seconds, {shortest:g}; raise it to that at least"
            )
        return longest


class Storage(_Frozen):
    """Where the recording goes, and how soon it is safe."""

    root: Folder = Path("data")
    """The folder of the recording; relative to the folder of this file."""

    flush_seconds: Seconds = 300.0
    """How often the journal is written out as Parquet."""

    fsync_seconds: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 0.2
    """What a power cut can take at most; 0 makes every write safe at once."""

    spare_megabytes: Annotated[int, Field(ge=0, le=10_000)] = 128
    """Room reserved in the journal's folder, on which recording goes on when the disk is full."""

    memory_megabytes: Annotated[int, Field(ge=32)] = 64
    """What is kept in memory at most of bytes that the disk does not take; behind that they are dropped, with a gap."""

    compact_at: DayTime | None = "01:00"
    """When days that are over become one sorted file a table, and what is too old goes, UTC; null: never."""

    retain_days: Annotated[int, Field(ge=1)] | None = None
    """How many days of ticks to keep; events, gaps and instruments always stay. null keeps everything."""

    archive_days: Annotated[int, Field(ge=0)] = 7
    """How many days to keep the compressed journal, from which everything can be written again; 0: not at all."""

    @field_validator("retain_days")
    @classmethod
    def _needs_a_night(cls, days: int | None, info: ValidationInfo) -> int | None:
        if days is not None and info.data.get("compact_at", "") is None:
            raise ValueError("does nothing without compact_at, when old days go; give that a time")
        return days


class Status(_Frozen):
    """The recorder's own page and metrics."""

    listen: HostPort | None = "127.0.0.1:9478"
    """HOST:PORT of the status page, /metrics, /healthz and /status.json; null is off."""


class Stream(_Frozen):
    """One stream of one line; options that are not those of its kind keep their defaults and mean nothing."""

    kind: StreamKind

    generic_ticks: Annotated[tuple[Annotated[int, Field(ge=1, le=9999)], ...], AfterValidator(_distinct)] = ()
    """IB's generic tick types to ask for besides the usual ones, such as 233 for RTVolume."""

    only_reportable: bool = False
    """Leave out trades that are not reported to the tape: IB's Last instead of AllLast."""

    rows: Annotated[int, Field(ge=1, le=100)] = 10
    """Rows of the book on each side; IB sends what there is, if that is less."""

    smart: bool = True
    """Aggregate the books of all exchanges. Unless said: true for lines on SMART, false for the others."""

    show: Show = "TRADES"
    """What the bars are made of. Unless said: TRADES; MIDPOINT for forex, cfd and crypto."""

    regular_hours: bool = False
    """Bars of regular trading hours only."""


OPTIONS: Mapping[str, tuple[str, ...]] = {
    "level1": ("generic_ticks",),
    "trades": ("only_reportable",),
    "quotes": (),
    "midpoints": (),
    "depth": ("rows", "smart"),
    "bars": ("show", "regular_hours"),
}
"""The options of each stream."""

LEVEL1 = Stream(kind="level1")


def _without_null(schema: dict[str, Any]) -> None:
    """Takes ``null`` out of a line's schema: in the file a key without a value is a slip."""
    for field in schema["properties"].values():
        if alternatives := field.pop("anyOf", None):
            values = [one for one in alternatives if one != {"type": "null"}]
            field.update(values[0] if len(values) == 1 else {"anyOf": values})
            field.pop("default")


class Line(_Frozen):
    """One line of the watchlist: a contract, and what to record of it."""

    model_config = ConfigDict(json_schema_extra=_without_null)

    type: LineType | None = None
    """What it is; not needed with con_id."""

    symbol: Text | None = None
    """IB's symbol. For forex both currencies: EURUSD. Quote what YAML takes for a number: "0700"."""

    name: Text | None = None
    """The line's name in the data, unique in the watchlist. Unless given: the symbol; for a bond its ISIN;
    for futures, options and lines given by con_id the local symbol that IB returns."""

    con_id: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """IB's contract id, which says it all by itself."""

    exchange: Text | None = None
    """Where. Unless said: SMART; IDEALPRO for forex, PAXOS for crypto. Futures and indices need it."""

    primary_exchange: Text | None = None
    """The listing exchange, where a symbol on SMART is ambiguous."""

    currency: Text | None = None
    """What it is priced in. Unless said: USD; for forex the second half of the symbol."""

    expiry: Expiry | None = None
    """Contract month "YYYYMM" or last trading day "YYYYMMDD", in quotes."""

    strike: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The option's strike."""

    right: Literal["C", "P"] | None = None
    """C for a call, P for a put."""

    multiplier: Multiplier | None = None
    """The contract's multiplier, where several are listed."""

    trading_class: Text | None = None
    """IB's trading class, such as SPXW, where a symbol has several."""

    local_symbol: Text | None = None
    """IB's local symbol, such as ESZ6; stands for symbol and expiry of a future."""

    isin: Isin | None = None
    """The bond's ISIN."""

    streams: Annotated[tuple[Stream, ...], Field(min_length=1)] = (LEVEL1,)
    """What to record of it; unless said the streams at the top of the file."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        return contracts.filled(given) if isinstance(given, Mapping) else given

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for key, message in contracts.flaws(self._given):
            raise ValueError(f"{key}: {message}")
        return self

    @property
    def _given(self) -> dict[str, Any]:
        return self.model_dump(exclude={"streams"}, exclude_none=True)

    @property
    def label(self) -> str | None:
        """The line's name as far as the file tells it; None: the local symbol that IB returns."""
        return contracts.label(self._given)

    @property
    def title(self) -> str:
        """The contract for a person's eyes: ``future ES 202612 CME``."""
        kind = self.type.replace("_", " ") if self.type else None
        name = self.local_symbol or self.symbol or self.isin or f"con_id {self.con_id}"
        strike = f"{self.strike:.15g}" if self.strike else None
        implied = contracts.TYPES[self.type].exchange if self.type else "SMART"
        exchange = self.exchange if self.exchange != implied else None
        words = (kind, name, self.expiry, strike, self.right, exchange)
        return " ".join(word for word in words if word)

    @property
    def base(self) -> str | None:
        """EUR of the pair EURUSD; None but for forex."""
        return self.symbol[:3] if self.type == "forex" and self.symbol else None

    @property
    def quote(self) -> str | None:
        """USD of the pair EURUSD; None but for forex."""
        return self.symbol[3:] if self.type == "forex" and self.symbol else None


class Config(_Frozen):
    """A recording: from where, to where, and what."""

    gateway: Gateway = Gateway()
    """The TWS or IB Gateway to record from."""

    storage: Storage = Storage()
    """Where the recording goes, and how soon it is safe."""

    status: Status = Status()
    """The recorder's own page and metrics."""

    streams: Annotated[tuple[Stream, ...], Field(min_length=1)] = (LEVEL1,)
    """What a line records when it says nothing."""

    watchlist: Annotated[tuple[Line, ...], Field(min_length=1)]
    """What to record, one line a contract."""
