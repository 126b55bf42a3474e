"""The instruments of the simulated gateway, made for a day.

Rules:
- Pure: the day is an argument. What the sample watchlist names (ES 202612, SPY 20261218 and 20270115) is
  there on any day, past its expiry too, so that the sample never rots; all other expiries follow the
  calendar.
- conIds are IB's own where they are widely published, else derived from the local symbol and stable.
- Four stocks exist to be refused: ``NOSUB`` (no permission, 354), ``DLYD`` (delayed only: 10168, or 10167
  and delayed ticks when asked for), ``PARTL`` (10090, a part of the ticks follows), ``ADDL`` (10089,
  nothing follows). ``IBM`` sends exchange-for-physical ticks (message 47). ``SIM001`` to ``SIM200`` are
  there for their number.
"""

import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from recorder.simulator import hours
from recorder.simulator.contracts import Bond, Instrument, Permission, Universe

US_VENUES = (
    "SMART", "AMEX", "NYSE", "CBOE", "PHLX", "ISE", "CHX", "ARCA", "NASDAQ", "DRCTEDGE", "BEX", "BATS",
    "EDGEA", "BYX", "IEX", "EDGX", "PEARL", "NYSENAT", "LTSE", "MEMX", "PSX",
)  # fmt: skip
OPTION_VENUES = ("SMART", "CBOE", "AMEX", "PHLX", "ISE", "BOX", "BATS", "NASDAQOM")
SAMPLE_FUTURES = (date(2026, 12, 18),)
SAMPLE_OPTIONS = (date(2026, 12, 18), date(2027, 1, 15))
STRIKES = range(550, 651, 5)
MONTHS = "FGHJKMNQUVXZ"
"""Letters of the delivery months, January first."""

_STOCKS = """
AAPL 265598 NASDAQ 232.15 US0378331005 APPLE INC
INTC 270639 NASDAQ 24.31 US4581401001 INTEL CORP
MSFT 272093 NASDAQ 418.02 US5949181045 MICROSOFT CORP
TSLA 76792991 NASDAQ 342.77 US88160R1014 TESLA INC
NVDA 4815747 NASDAQ 141.95 US67066G1040 NVIDIA CORP
AMZN 3691937 NASDAQ 204.61 US0231351067 AMAZON.COM INC
META 107113386 NASDAQ 559.14 US30303M1027 META PLATFORMS INC-CLASS A
GOOG 208813720 NASDAQ 169.24 US02079K1079 ALPHABET INC-CL C
NFLX 15124833 NASDAQ 897.79 US64110L1061 NETFLIX INC
AMD 4391 NASDAQ 138.35 US0079031078 ADVANCED MICRO DEVICES
QQQ 320227571 NASDAQ 505.79 US46090E1038 INVESCO QQQ TRUST SERIES 1
SPY 756733 ARCA 600.12 US78462F1030 SPDR S&P 500 ETF TRUST
IWM 9579970 ARCA 236.80 US4642876555 ISHARES RUSSELL 2000 ETF
GLD 51529211 ARCA 250.37 US78463V1070 SPDR GOLD SHARES
TLT 15547841 NASDAQ 90.12 US4642874329 ISHARES 20+ YEAR TREASURY BD
IBM 8314 NYSE 222.97 US4592001014 INTL BUSINESS MACHINES CORP
JPM 1520593 NYSE 248.55 US46625H1005 JPMORGAN CHASE & CO
BAC 10098 NYSE 47.00 US0605051046 BANK OF AMERICA CORP
XOM 13977 NYSE 121.79 US30231G1022 EXXON MOBIL CORP
KO 8894 NYSE 63.87 US1912161007 COCA-COLA CO/THE
DIS 6459 NYSE 115.65 US2546871060 WALT DISNEY CO/THE
F 9599491 NYSE 11.18 US3453708600 FORD MOTOR CO
T 37018770 NYSE 22.99 US00206R1023 AT&T INC
ON 13904 NASDAQ 69.52 US6821891057 ON SEMICONDUCTOR
"""
_ABROAD = """
AAPL 38708077 MEXI MXN 4702.00 US0378331005 APPLE\\u00a0INC
AAPL 38709018 EBS CHF 204.50 US0378331005 APPLE INC
AAPL 38708978 IBIS EUR 220.85 US0378331005 APPLE INC
NESN 40746318 EBS CHF 76.54 CH0038863350 NESTL\\u00c9 SA-REG
OR 29612193 SBF EUR 329.35 FR0000120321 L'OR\\u00c9AL
700 154952014 SEHK HKD 405.60 KYG875721634 TENCENT HOLDINGS LTD
"""
_ABROAD_HOURS = {
    "MEXI": hours.MEXICO, "EBS": hours.SWISS, "IBIS": hours.EUROPE, "SBF": hours.EUROPE,
    "SEHK": hours.HONG_KONG,
}  # fmt: skip
_FOREX = """
EUR USD 12087792 1.04180
GBP USD 12087797 1.25340
AUD USD 14433401 0.65020
USD CHF 12087820 0.89410
EUR GBP 12087807 0.83120
EUR CHF 12087802 0.93150
USD JPY 15016059 154.775
"""
_REFUSED: tuple[tuple[str, Permission], ...] = (
    ("NOSUB", "none"), ("DLYD", "delayed"), ("PARTL", "part"), ("ADDL", "extra"),
)  # fmt: skip


def universe(today: date) -> Universe:
    """All instruments as of ``today``."""
    parts = (_stocks(), _abroad(), _refused(), _forex(), _cfds(), _indices(), _crypto(), _bonds())
    return Universe(tuple(one for part in (*parts, _futures(today), _options(today)) for one in part))


def derived_id(local_symbol: str) -> int:
    """A conId for an instrument whose own is not published: stable, below 2^31."""
    return zlib.crc32(local_symbol.encode()) & 0x3FFFFFFF | 0x20000000


def third_friday(year: int, month: int) -> date:
    """When monthly options and quarterly futures end."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def _stock(symbol: str, con_id: int, primary: str, price: float, *, isin: str, name: str) -> Instrument:
    kind = "NMS" if primary == "NASDAQ" else symbol
    return Instrument(
        con_id, symbol, "STK", "USD", US_VENUES, price, 0.01, 2, symbol, kind, kind, primary, name,
        sec_ids=(("ISIN", isin),) if isin else (), sector=("Technology", "Computers", "Computers"),
        stock_type="ETF" if primary == "ARCA" else "COMMON",
    )  # fmt: skip


def _stocks() -> Iterator[Instrument]:
    for line in _STOCKS.strip().splitlines():
        symbol, con_id, primary, price, isin, name = line.split(maxsplit=5)
        yield _stock(symbol, int(con_id), primary, float(price), isin=isin, name=name)
    for n in range(1, 201):
        yield _stock(f"SIM{n:03}", 900_000_000 + n, "NASDAQ", 20.0 + n, isin="", name=f"SIMULATED INC NO {n}")


def _refused() -> Iterator[Instrument]:
    for symbol, permission in _REFUSED:
        stock = _stock(symbol, derived_id(symbol), "NYSE", 50.0, isin="", name=f"REFUSED {symbol}")
        yield replace(stock, permission=permission)


def _abroad() -> Iterator[Instrument]:
    for line in _ABROAD.strip().splitlines():
        symbol, con_id, venue, currency, price, isin, name = line.split(maxsplit=6)
        yield Instrument(
            int(con_id), symbol, "STK", currency, (venue, "SMART"), float(price), 0.05, 2, symbol, symbol,
            symbol,
            venue, name, sec_ids=(("ISIN", isin),), stock_type="COMMON", hours=_ABROAD_HOURS[venue],
            farm="eufarm",
        )  # fmt: skip


def _forex() -> Iterator[Instrument]:
    for line in _FOREX.strip().splitlines():
        base, quote, con_id, price = line.split()
        pair, digits = f"{base}.{quote}", 3 if quote == "JPY" else 5
        yield Instrument(
            int(con_id), base, "CASH", quote, ("IDEALPRO",), float(price), 5 * 10.0**-digits, digits, pair,
            pair,
            pair, long_name=f"{_NAMES[base]}", hours=hours.FOREX, lot=500_000, farm="cashfarm",
        )  # fmt: skip


_NAMES = {"EUR": "European Monetary Union Euro", "GBP": "British pound", "AUD": "Australian dollar",
          "USD": "United States dollar"}  # fmt: skip


def _cfds() -> Iterator[Instrument]:
    for symbol, con_id, price in (("IBUS30", 111987407, 44290.0), ("IBUS500", 111987422, 5968.0)):
        yield Instrument(
            con_id, symbol, "CFD", "USD", ("SMART",), price, 0.01, 2, symbol, symbol, symbol,
            long_name=f"US {symbol[4:]} index CFD", hours=hours.INDEX_CFD, lot=1,
        )  # fmt: skip
    for symbol, con_id, price in (("AAPL", 265598, 232.15), ("IBM", 8314, 222.97)):
        local = f"{symbol}n"
        yield Instrument(
            derived_id(local), symbol, "CFD", "USD", ("SMART",), price, 0.01, 2, local, local, "CFD",
            long_name=f"{symbol} CFD", under=(con_id, symbol, "STK"), reroute=con_id,
        )  # fmt: skip


def _indices() -> Iterator[Instrument]:
    rows = (
        ("SPX", 416904, "CBOE", 5969.34, "S&P 500 Stock Index"),
        ("VIX", 13455763, "CBOE", 15.24, "CBOE Volatility Index"),
        ("NDX", 416843, "NASDAQ", 20776.23, "NASDAQ 100 Stock Index"),
    )
    for symbol, con_id, venue, price, name in rows:
        yield Instrument(
            con_id, symbol, "IND", "USD", (venue,), price, 0.01, 2, symbol, "", "", long_name=name,
            sector=("Indices", "Broad Range Equity Index", "*"), hours=hours.INDEX,
        )  # fmt: skip


def _crypto() -> Iterator[Instrument]:
    rows = (("BTC", 479624278, 97950.25, "Bitcoin"), ("ETH", 495759171, 3331.10, "Ethereum"))
    for symbol, con_id, price, name in rows:
        yield Instrument(
            con_id, symbol, "CRYPTO", "USD", ("PAXOS",), price, 0.25, 2, f"{symbol}.USD", symbol, symbol,
            long_name=f"{name} cryptocurrency", hours=hours.CRYPTO, lot=1e-8, farm="cryptofarm",
        )  # fmt: skip


def _bonds() -> Iterator[Instrument]:
    rows = (
        (
            "ABCB",
            Bond("03076KAA6", 4.5, "20291215", "20191206", "BBB", "CORP", "ABCB 4 1/2 12/15/29"),
            97.125,
        ),
        ("US-T", Bond("912810PT9", 5.0, "20370515", "20070215", "", "GOVT", "US-T 5 05/15/37"), 106.5),
    )
    for symbol, bond, price in rows:
        isin = f"US{bond.cusip}{_check_digit(f'US{bond.cusip}')}"
        yield Instrument(
            derived_id(isin), symbol, "BOND", "USD", ("SMART",), price, 0.001, 3, bond.cusip, symbol, symbol,
            long_name=bond.description, sec_ids=(("CUSIP", bond.cusip), ("ISIN", isin)), hours=hours.BONDS,
            lot=1000, bond=bond,
        )  # fmt: skip


def _check_digit(body: str) -> int:
    """The last digit of an ISIN: letters as numbers, every second digit from the right doubled (ISO 6166)."""
    digits = "".join(str(int(char, 36)) for char in body)
    doubled = (int(char) * (2 - n % 2) for n, char in enumerate(reversed(digits)))
    return -sum(n // 10 + n % 10 for n in doubled) % 10


def _futures(today: date) -> Iterator[Instrument]:
    ends = [
        third_friday(year, month) for year in range(today.year - 1, today.year + 4) for month in (3, 6, 9, 12)
    ]
    live = [end for end in ends if end >= today]
    past = [end for end in ends if end < today]
    for end in past[-2:]:
        if end not in SAMPLE_FUTURES:
            yield replace(_future(end), expired=True)
    yield from (_future(end) for end in sorted({*live[:8], *SAMPLE_FUTURES}))
    yield replace(_future(live[0]), sec_type="CONTFUT")


def _future(end: date) -> Instrument:
    local = f"ES{MONTHS[end.month - 1]}{end.year % 10}"
    return Instrument(
        derived_id(f"{local} {end:%Y}"), "ES", "FUT", "USD", ("CME", "QBALGO"), 5990.25, 0.25, 2, local,
        "ES", "ES",
        long_name="E-mini S&P 500", multiplier="50", expiry=f"{end:%Y%m%d}", under=(11004968, "ES", "IND"),
        hours=hours.CME, lot=1, farm="usfuture",
    )  # fmt: skip


def _options(today: date) -> Iterator[Instrument]:
    months = [((today.month - 1 + n) % 12 + 1, today.year + (today.month - 1 + n) // 12) for n in range(5)]
    coming = [end for end in (third_friday(year, month) for month, year in months) if end >= today]
    for end in sorted({*coming[:3], *SAMPLE_OPTIONS}):
        for strike in STRIKES:
            yield from (_option(end, strike, right) for right in "CP")


def _option(end: date, strike: int, right: str) -> Instrument:
    local = f"SPY   {end:%y%m%d}{right}{strike * 1000:08}"
    inside = max(0.0, (600 - strike) * (1 if right == "C" else -1))
    return Instrument(
        derived_id(local), "SPY", "OPT", "USD", OPTION_VENUES, round(12.5 + inside, 2), 0.01, 2, local, "SPY",
        "SPY", long_name="SPDR S&P 500 ETF TRUST", multiplier="100", expiry=f"{end:%Y%m%d}",
        strike=float(strike),
        right=right, lot=1, under=(756733, "SPY", "STK"), hours=hours.OPTIONS, farm="usopt",
    )  # fmt: skip
