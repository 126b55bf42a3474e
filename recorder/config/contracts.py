"""What makes a contract: for each type the keys it needs, those it may have, and what is filled in.

Rules:
- One table; the model, the loader and the JSON Schema ask it.
- Works on the keys as given, right or wrong in themselves, so that everything missing is found at once.
- A ``con_id`` says it all: nothing else is needed then, and nothing filled in that might contradict it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

LineType = Literal[
    "stock", "forex", "cfd", "future", "continuous_future", "option", "index", "crypto", "bond"
]


@dataclass(frozen=True, slots=True)
class ContractType:
    """What identifies contracts of one type.

    Attributes:
        needs: keys it cannot do without.
        example: a line that is right.
        exchange: the exchange unless one is said; None if it must be said.
        takes: keys of ``SPECIAL`` it may have besides those it needs.
        local: keys that a ``local_symbol`` makes unnecessary.
        named_by: the key that names the line; None if IB's local symbol does.
    """

    needs: tuple[str, ...]
    example: str
    exchange: str | None = "SMART"
    takes: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    named_by: str | None = "symbol"


TYPES: Mapping[str, ContractType] = {
    "stock": ContractType(("symbol",), "{type: stock, symbol: AAPL}"),
    "forex": ContractType(("symbol",), "{type: forex, symbol: EURUSD}", exchange="IDEALPRO"),
    "cfd": ContractType(("symbol",), "{type: cfd, symbol: IBUS30}"),
    "future": ContractType(
        ("symbol", "expiry", "exchange"),
        '{type: future, symbol: ES, expiry: "202612", exchange: CME}',
        exchange=None,
        takes=("multiplier",),
        local=("symbol", "expiry"),
        named_by=None,
    ),
    "continuous_future": ContractType(
        ("symbol", "exchange"),
        "{type: continuous_future, symbol: ES, exchange: CME}",
        exchange=None,
        takes=("multiplier",),
        named_by=None,
    ),
    "option": ContractType(
        ("symbol", "expiry", "strike", "right"),
        '{type: option, symbol: SPY, expiry: "20261218", strike: 600, right: C}',
        takes=("multiplier",),
        named_by=None,
    ),
    "index": ContractType(
        ("symbol", "exchange"), "{type: index, symbol: SPX, exchange: CBOE}", exchange=None
    ),
    "crypto": ContractType(("symbol",), "{type: crypto, symbol: BTC}", exchange="PAXOS"),
    "bond": ContractType(("isin",), "{type: bond, isin: US03076KAA60}", named_by="isin"),
}
"""IB trades spot currencies on IDEALPRO and crypto on PAXOS, and routes by itself what is on SMART."""

SPECIAL = ("expiry", "strike", "right", "multiplier", "isin")
"""Keys that only some types have; every other key fits any type."""

BASE = "{type: stock, symbol: AAPL}"
_CURRENCY_PAIR = re.compile(r"[A-Z]{6}")


def contract_type(given: Mapping[str, object]) -> ContractType | None:
    """The type of a line with the keys ``given``; None if it says none, or one that is not."""
    name = given.get("type")
    return TYPES.get(name) if isinstance(name, str) else None


def filled(given: Mapping[str, object]) -> dict[str, object]:
    """``given`` with the exchange and currency that its type implies."""
    kind = contract_type(given)
    if kind is None or given.get("con_id") is not None:
        return dict(given)
    said = {key: value for key, value in given.items() if value is not None}
    return {"exchange": kind.exchange, "currency": _currency(said), **said}


def _currency(given: Mapping[str, object]) -> str | None:
    if given["type"] != "forex":
        return "USD"
    symbol = given.get("symbol")
    return symbol[3:] if isinstance(symbol, str) and _CURRENCY_PAIR.fullmatch(symbol) else None


def label(given: Mapping[str, object]) -> str | None:
    """The line's name as far as the file tells it: None if it is the local symbol that IB returns."""
    kind = contract_type(given)
    name = given.get("name") or (given.get(kind.named_by) if kind and kind.named_by else None)
    return name if isinstance(name, str) else None


def flaws(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """What is wrong with the keys of a line taken together, as (key, message); nothing if it is whole."""
    yield from _missing(given)
    yield from _misplaced(given)
    if given.get("type") == "forex":
        yield from _pair_flaws(given)


def _missing(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if "con_id" in given:
        return
    if "type" not in given:
        yield "type", f"missing; say what it is, such as {BASE}, or give its con_id"
    if kind := contract_type(given):
        spared = kind.local if "local_symbol" in given else ()
        for key in kind.needs:
            if key not in given and key not in spared:
                yield key, f"missing; {_a(given['type'])} needs it: {kind.example}"


def _misplaced(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if kind := contract_type(given):
        for key in SPECIAL:
            if key in given and key not in (*kind.needs, *kind.takes):
                yield key, f"{_a(given['type'])} has none; leave it out"


def _pair_flaws(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    symbol, currency = given.get("symbol"), given.get("currency")
    if not isinstance(symbol, str):
        return
    if not _CURRENCY_PAIR.fullmatch(symbol):
        letters = re.sub("[^A-Z]", "", symbol.upper())
        right = letters if len(letters) == 6 else "EURUSD for euros in dollars"
        yield "symbol", f"should be two currencies in six capital letters; write {right}"
    elif isinstance(currency, str) and currency != symbol[3:]:
        yield "currency", f"{symbol} is priced in {symbol[3:]}; leave it out"


def _a(name: object) -> str:
    words = str(name).replace("_", " ")
    return f"{'an' if words[0] in 'aio' else 'a'} {words}"
