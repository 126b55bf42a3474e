"""Generic ticks: which numbers a client may ask for, and what each sends.

Rules:
- Pure data and one check. A number IB does not know is refused with the words of error 321.
- What a number sends once, at the start, stands here; RTVolume (233, 375) follows the trades in ``level1``.
"""

from typing import Final

from recorder.simulator.frames import GENERIC, PRICE, SIZE, STRING, Message

RT_VOLUME: Final = 233
RT_TRADE_VOLUME: Final = 375

LEGAL: Final[dict[int, str]] = {
    100: "Option Volume", 101: "Option Open Interest", 105: "Average Opt Volume", 106: "impvolat",
    104: "histvolat",
    165: "Misc. Stats", 221: "Creditman Mark Price", 225: "Auction", 232: "Pl Price", 233: "RTVolume",
    236: "inventory", 258: "Fundamentals", 292: "Wide News", 293: "TradeCount", 294: "TradeRate",
    295: "VolumeRate",
    318: "LastRTHTrade", 375: "RTTrdVolume", 411: "rthistvol", 456: "IBDividends",
    460: "Bond Factor Multiplier",
    576: "EtfNavBidAsk(navbidask)", 577: "EtfNavLast(navlast)", 578: "EtfNavClose(navclose)",
    586: "IPOHLMPRC",
    588: "Futures Open Interest", 595: "Short-Term Volume X Mins", 614: "EtfNavMisc(high/low)",
    619: "Creditman Slow Mark Price", 623: "EtfFrozenNavLast(fznavlast)",
}  # fmt: skip
"""The numbers a gateway takes, with its words for them."""

EXTRAS: Final[dict[int, tuple[Message, ...]]] = {
    100: ((SIZE, (29, "18204")), (SIZE, (30, "12110"))),
    101: ((SIZE, (27, "510250")), (SIZE, (28, "401177"))),
    104: ((GENERIC, (23, "0.21874")),),
    105: ((SIZE, (87, "92110")),),
    106: ((GENERIC, (24, "0.23011")),),
    165: (
        (PRICE, (15, "188.12", "0", 0)), (PRICE, (16, "244.86", "0", 0)), (PRICE, (19, "164.08", "0", 0)),
        (PRICE, (20, "260.10", "0", 0)), (SIZE, (21, "431270")),
    ),
    221: ((PRICE, (37, "118.51000214", "0", 0)),),
    225: ((SIZE, (34, "12300")), (PRICE, (35, "118.50", "0", 0)), (SIZE, (36, "400")), (SIZE, (61, "0"))),
    232: ((PRICE, (37, "118.51000214", "0", 0)),),
    236: ((GENERIC, (46, "3.0")), (SIZE, (89, "25611890"))),
    293: ((GENERIC, (54, "123456.0")),),
    294: ((GENERIC, (55, "211.0")),),
    295: ((GENERIC, (56, "31877.0")),),
    318: ((PRICE, (57, "118.47", "0", 0)),),
    411: ((GENERIC, (58, "0.18402")),),
    456: ((STRING, (59, "0.97,1.00,20270207,0.25")),),
    588: ((SIZE, (86, "2011446")),),
    595: ((SIZE, (63, "20311")), (SIZE, (64, "30440")), (SIZE, (65, "61270"))),
    619: ((PRICE, (79, "118.50900269", "0", 0)),),
}  # fmt: skip
"""What a generic tick sends at the start."""


def parse(text: str) -> frozenset[int]:
    """The numbers of a generic tick list such as ``100,233``.

    Raises:
        ValueError: one of them is no number, or none IB knows.
    """
    words = [word.split(":")[-1].strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() and int(word) in LEGAL for word in words):
        raise ValueError(text)
    return frozenset(map(int, words))


def complaint(text: str, sec_type: str) -> str:
    """The words a gateway refuses a generic tick list with."""
    legal = ",".join(f"{number}({name})" for number, name in sorted(LEGAL.items()))
    return f"Incorrect generic tick list of {text}.  Legal ones for ({sec_type}) are: {legal}"
