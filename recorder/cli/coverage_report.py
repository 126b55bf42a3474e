"""What a person is told about coverage, made of the rows of ``Database.coverage`` and ``Database.timeline``.

Rules:
- Pure. What is missing is what was neither recorded nor filled later while the market was open.
- An outage that took many lines at once is one hole.
- A stream that is not in the watchlist any more is shown, and in no sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, TypeAlias

from recorder.config.wording import counted

Row: TypeAlias = dict[str, Any]

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_TOGETHER = timedelta(seconds=1)
"""The streams that one outage took are noticed one after another."""

_FEW = 4
"""So many streams are named one by one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line's stream: its row of ``Database.coverage``, and what is missing of it: seconds by cause, most first."""

    row: Row
    causes: dict[str, float]

    @property
    def symbol(self) -> str:
        """The line's name."""
        return str(self.row["symbol"])

    @property
    def stream(self) -> str:
        """The stream's name."""
        return str(self.row["stream"])

    @property
    def asked(self) -> float:
        """How many seconds were asked for while the market was open."""
        return float(self.row["recorded_seconds"] + self.row["gap_seconds"] - self.row["closed_seconds"])

    @property
    def share(self) -> float | None:
        """How much of the time that the market was open is there, 0 to 1; None: it was not open."""
        if self.asked <= 0 and not self.row["missing_seconds"]:
            return None
        return float(max(0.0, 1 - self.row["missing_seconds"] / self.asked))


@dataclass(frozen=True, slots=True)
class Hole:
    """What is missing from one moment on, for one reason, of one stream or of many.

    Attributes:
        end: where it ended for the last of them.
        differ: for others it ended earlier.
    """

    begin: datetime
    end: datetime
    reason: str
    code: int | None
    open: bool
    of: tuple[tuple[str, str], ...]
    differ: bool

    @property
    def seconds(self) -> float:
        """From its begin until it ended for the last of its streams."""
        return (self.end - self.begin).total_seconds()

    def who(self) -> str:
        """Its streams in words."""
        if len(self.of) <= _FEW:
            return ", ".join(" ".join(one) for one in self.of)
        return f"{len(set(self.of))} streams of {counted(len({symbol for symbol, _ in self.of}), 'line')}"


@dataclass(frozen=True, slots=True)
class Report:
    """Who was recorded when.

    Attributes:
        lines: every stream, by name.
        stretches: rows of ``Database.timeline``.
        holes: what is missing, by begin.
    """

    lines: list[Line]
    stretches: list[Row]
    holes: list[Hole]

    @property
    def begin(self) -> datetime | None:
        """Where the first stretch begins."""
        return min((one["begin"] for one in self.stretches), default=None)

    @property
    def end(self) -> datetime | None:
        """Where the last stretch ends."""
        return max((one["end"] for one in self.stretches), default=None)

    @property
    def wanted(self) -> list[Line]:
        """The streams that are in the watchlist."""
        return [line for line in self.lines if line.row["removed"] is None]

    @property
    def symbols(self) -> set[str]:
        """Names of the lines in the watchlist."""
        return {line.symbol for line in self.wanted}

    @property
    def holed(self) -> set[str]:
        """Names of the lines of which something is missing."""
        return {line.symbol for line in self.wanted if line.causes}

    @property
    def causes(self) -> dict[str, float]:
        """Missing seconds by cause, summed over the streams, most first."""
        return _summed((cause, seconds) for line in self.wanted for cause, seconds in line.causes.items())

    @property
    def missing_seconds(self) -> float:
        """Missing seconds, summed over the streams."""
        return sum(self.causes.values())

    @property
    def asked_seconds(self) -> float:
        """Seconds that were asked for while the markets were open, summed over the streams."""
        return sum(line.asked for line in self.wanted)

    def words(self) -> str:
        """All of it in one sentence."""
        lines = len(self.symbols)
        if not self.stretches:
            return "nothing was recorded"
        if not self.causes:
            return f"nothing is missing of {counted(lines, 'line')}"
        worst = next(iter(self.causes))
        part = "all" if len(self.causes) == 1 else "most"
        holed = f"{len(self.holed)} of {counted(lines, 'line')} had holes"
        return f"{holed}; missing: {self._missing()}, {part} of it: {worst}"

    def _missing(self) -> str:
        streams = counted(sum(bool(line.causes) for line in self.wanted), "stream")
        share = _percent(self.missing_seconds / max(self.missing_seconds, self.asked_seconds))
        return f"{share} of what was asked for ({duration(self.missing_seconds)} over {streams})"


def report(rows: Iterable[Row], stretches: list[Row]) -> Report:
    """The report of rows of ``Database.coverage`` and ``Database.timeline``."""
    missing = [one for one in stretches if one["what"] == "gap"]
    of_stream: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
    for one in missing:
        of_stream[one["symbol"], one["stream"]].append(one)
    lines = [Line(row, _causes(of_stream[row["symbol"], row["stream"]])) for row in rows]
    return Report(lines, stretches, _holes(missing))


def duration(seconds: float) -> str:
    """``12 min 4 s``: the two largest units; nothing for nothing."""
    if seconds < 1:
        return f"{seconds:.1g} s" if seconds > 0 else ""
    left = round(seconds)
    parts: list[str] = []
    for unit, size in _UNITS:
        if left >= size or parts:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(part for part in parts[:2] if not part.startswith("0 "))


def _causes(missing: Iterable[Row]) -> dict[str, float]:
    return _summed((one["reason"], (one["end"] - one["begin"]).total_seconds()) for one in missing)


def _summed(parts: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: defaultdict[str, float] = defaultdict(float)
    for cause, seconds in parts:
        found[cause] += seconds
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _holes(missing: Iterable[Row]) -> list[Hole]:
    """Stretches that begin within ``_TOGETHER`` for one reason are one hole."""
    cause = itemgetter("reason", "open", "code")
    outages: list[list[Row]] = []
    for one in sorted(missing, key=lambda one: (str(cause(one)), one["begin"])):
        last = outages[-1][0] if outages else None
        if last and cause(last) == cause(one) and one["begin"] - last["begin"] < _TOGETHER:
            outages[-1].append(one)
        else:
            outages.append([one])
    return sorted(map(_hole, outages), key=lambda hole: (hole.begin, hole.end, hole.reason))


def _hole(rows: Sequence[Row]) -> Hole:
    first = rows[0]
    of = tuple((one["symbol"], one["stream"]) for one in rows)
    ends = [one["end"] for one in rows]
    differ = max(ends) - min(ends) >= _TOGETHER
    return Hole(first["begin"], max(ends), first["reason"], first["code"], first["open"], of, differ)


def _percent(share: float) -> str:
    """``2.3 %``; what is there is never said to be nothing, nor what is not quite all to be all."""
    if share < 0.001:
        return "less than 0.1 %"
    return f"{share:.1%}".replace("%", " %") if share < 0.9995 or share >= 1 else "more than 99.9 %"
