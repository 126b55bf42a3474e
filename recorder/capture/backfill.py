"""Holes in tick-by-tick streams, filled from IB's historical ticks.

Rules:
- What is to be filled is the journal's state; ticks and progress are one record, so that being killed anywhere
  neither loses nor repeats a row.
- A row that is recorded already, live or filled, is not written again; true duplicates stay: both sides are counted.
- Without an answer nothing is concluded: the hole is asked for again, after growing pauses, until it is too old.
- What is asked for is the contract that was being received when the gap began, whatever the line stands for by now.
- A gap's ends are the recorder's clock, a tick's second is IB's: what is asked for is wider by what they are apart.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from recorder.capture.history import History, HistoryError, Pacing, Tick, Values
from recorder.journal.state import Unfilled
from recorder.journal.writer import Journal
from recorder.wire import codes

MOST_TICKS = 2000
"""In one record: a second in which more happened becomes several."""

_SECOND = 1_000_000
_IDLE_SECONDS = 1.0
_UNREPORTED = 2
_NOT_FOR_YOU = re.compile("permission|not subscribed|not supported", re.IGNORECASE)
_MAY_BE_FINAL = (162, 354, 10187)

log = structlog.get_logger("recorder.backfill")


class KnownError(Exception):
    """What is recorded already could not be read, so nothing can be added to it; the message says why."""


class Known(Protocol):
    """What is recorded already. Every question may raise ``KnownError``."""

    async def ticks(self, gap: Unfilled, first: int, last: int) -> Counter[Values]:
        """The rows of the gap's line, stream and contract whose second lies between two, both included."""

    async def clocks(self, gap: Unfilled) -> tuple[int, int]:
        """By how many seconds the recorder's clock was ahead of IB's around the gap: at least (0 or less), at most."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer brings for a gap.

    Attributes:
        ticks: those that belong to it, in order of their seconds, all that happened in whole seconds.
        cursor: the next second to ask for.
        done: whether the gap is filled with it.
    """

    ticks: list[Tick]
    cursor: int
    done: bool


def page(gap: Unfilled, answer: list[Tick], end: int) -> Page:
    """What of an answer from ``gap.cursor`` on belongs to the gap, up to the second ``end``, and how far it reaches.

    A stream of ``last`` trades has none that are not reported to the tape. An answer without ticks says that there
    are none from there on.

    Raises:
        HistoryError: the answer ends before what was asked for.
    """
    last = max((tick.second for tick in answer), default=end)
    if last < gap.cursor:
        raise HistoryError("the gateway answered with ticks from before the second asked for")
    kept = [tick for tick in answer if gap.cursor <= tick.second <= end and _is_of(tick, gap.trade_kind)]
    return Page(sorted(kept, key=lambda tick: tick.second), min(last, end) + 1, last >= end)


def _is_of(tick: Tick, trade_kind: str | None) -> bool:
    """Whether a live subscription would have brought it."""
    if trade_kind != "last":
        return True
    mask = tick.values[3]
    return not (isinstance(mask, int) and mask & _UNREPORTED)


def unrecorded(ticks: list[Tick], recorded: Counter[Values]) -> list[Tick]:
    """The ticks less those that are recorded, each as often as it is."""
    left, missing = Counter(recorded), []
    for tick in ticks:
        if left[tick.values] > 0:
            left[tick.values] -= 1
        else:
            missing.append(tick)
    return missing


def records(gap: Unfilled, found: Page) -> Iterator[dict[str, Any]]:
    """The page as control records: one, or more where there are more ticks than one may hold.

    Between those of one page the cursor stays at the second begun: whoever is killed there asks for it again, and
    what is recorded by then is taken off.
    """
    for at in range(0, max(len(found.ticks), 1), MOST_TICKS):
        ticks = found.ticks[at : at + MOST_TICKS]
        is_last = at + MOST_TICKS >= len(found.ticks)
        cursor = found.cursor if is_last else ticks[-1].second
        yield _record(gap, ticks, cursor, done=is_last and found.done)


def refusal(gap: Unfilled, reason: str, code: int | None) -> dict[str, Any]:
    """The record that a gap will not be filled, and why."""
    return _record(gap, [], gap.cursor, done=True) | {"refused": reason, "code": code}


def _record(gap: Unfilled, ticks: list[Tick], cursor: int, *, done: bool) -> dict[str, Any]:
    return {
        "kind": "backfill",
        "symbol": gap.symbol,
        "stream": gap.stream,
        "con_id": gap.con_id,
        "trade_kind": gap.trade_kind,
        "ticks": [tick.texts for tick in ticks],
        "cursor": cursor,
        "done": done,
        "seq_start": gap.seq_start,
        "ts_end": gap.ts_end,
    }


def hopeless(gap: Unfilled) -> str | None:
    """Why nobody can be asked for what a gap misses; None: IB can."""
    if gap.set_back or gap.ts_end < gap.ts_start:
        return "the clock was set back meanwhile"
    if not gap.con_id or not gap.exchange:
        return "which contract was received is not on record"
    return None


def is_final(error: HistoryError) -> bool:
    """Whether asking again would bring the same: there is no such contract, or no permission for its history."""
    may_be = error.code in _MAY_BE_FINAL and _NOT_FOR_YOU.search(str(error)) is not None
    return may_be or error.code == codes.NO_SUCH_CONTRACT


@dataclass(slots=True)
class _Work:
    """What this process has done about a gap.

    Attributes:
        clocks: see ``Known``; None: not looked up yet.
        rows: ticks written.
        failures: questions without an answer, since the last answer.
        rests_until: when it may be asked for again, on the loop's clock.
    """

    clocks: tuple[int, int] | None = None
    rows: int = 0
    failures: int = 0
    rests_until: float = 0.0


class Backfill:
    """Fills the gaps of a recording, one question at a time; outlives connections.

    Args:
        journal: where the gaps stand and the ticks go; its clock is the wall clock.
        may_ask: whether a line's stream is to be filled, and IB there to be asked.
        known: what is recorded already.
        max_age_seconds: a gap that ended longer ago is left.
        settle_seconds: how long ago a gap must have ended, so that all its ticks are with IB and the next are here.
        retry_seconds: the first and the longest pause after a question without an answer.
    """

    def __init__(
        self,
        journal: Journal,
        may_ask: Callable[[str, str], bool],
        known: Known,
        *,
        max_age_seconds: float,
        settle_seconds: float = 10.0,
        retry_seconds: tuple[float, float] = (60.0, 1800.0),
    ) -> None:
        self._journal = journal
        self._may_ask = may_ask
        self._known = known
        self._max_age = int(max_age_seconds * _SECOND)
        self._settle = int(settle_seconds * _SECOND)
        self._retry = retry_seconds
        self._pacing = Pacing()
        self._work: dict[tuple[str, str, int], _Work] = {}

    async def run(self, history: History) -> None:
        """Fill what there is to fill, and what comes to it, until cancelled or until the connection ends.

        Raises:
            JournalError: the journal cannot be written.
        """
        while True:
            gap = self._next()
            if gap is None:
                await asyncio.sleep(_IDLE_SECONDS)
                continue
            try:
                await self._fill(history, gap, self._work_on(gap))
            except ConnectionError:
                return

    def _next(self) -> Unfilled | None:
        """The oldest gap that can be asked for now."""
        now, moment = self._journal.clock(), asyncio.get_running_loop().time()
        for gap in sorted(self._journal.state.unfilled.values(), key=lambda gap: gap.ts_start):
            rests = gap.key in self._work and moment < self._work[gap.key].rests_until
            if not rests and self._is_due(gap, now) and self._may_ask(gap.symbol, gap.stream):
                return gap
        return None

    def _is_due(self, gap: Unfilled, now: int) -> bool:
        """Whether its last second is over and has settled, and it is not too old."""
        over = max(gap.ts_end, (gap.last_second + 1) * _SECOND)
        return now >= over + self._settle and now - gap.ts_end <= self._max_age

    def _work_on(self, gap: Unfilled) -> _Work:
        unfilled = self._journal.state.unfilled
        self._work = {key: work for key, work in self._work.items() if key in unfilled}
        return self._work.setdefault(gap.key, _Work())

    async def _fill(self, history: History, gap: Unfilled, work: _Work) -> None:
        """Ask for the next ticks of a gap and write what is missing."""
        if (reason := hopeless(gap)) is not None:
            self._give_up(gap, reason, None)
            return
        try:
            gap, end = await self._edges(gap, work)
            await self._pace(gap)
            contract = {"conId": gap.con_id, "exchange": gap.exchange}
            found = page(gap, await history.ask(contract, gap.cursor, gap.stream), end)
            missing = await self._missing(gap, found.ticks)
        except (HistoryError, KnownError) as error:
            self._failed(gap, work, error)
            return
        for record in records(gap, Page(missing, found.cursor, found.done)):
            self._journal.control(record)
        work.rows, work.failures = work.rows + len(missing), 0
        if found.done:
            when = {"from": _stamp(gap.ts_start), "to": _stamp(gap.ts_end)}
            log.info("gap filled", line=gap.symbol, stream=gap.stream, **when, rows=work.rows)

    async def _edges(self, gap: Unfilled, work: _Work) -> tuple[Unfilled, int]:
        """The gap with the second to ask for next, and the last one: wider by what the clocks were apart."""
        work.clocks = work.clocks or await self._known.clocks(gap)
        least, most = work.clocks
        begin = gap.cursor if gap.is_begun else gap.cursor - most
        return replace(gap, cursor=begin), gap.last_second - least

    async def _pace(self, gap: Unfilled) -> None:
        loop, alike = asyncio.get_running_loop(), (gap.con_id, gap.exchange, gap.stream)
        await asyncio.sleep(self._pacing.wait(loop.time(), alike, gap.cursor))
        self._pacing.asked(loop.time(), alike, gap.cursor)

    async def _missing(self, gap: Unfilled, ticks: list[Tick]) -> list[Tick]:
        if not ticks:
            return []
        return unrecorded(ticks, await self._known.ticks(gap, ticks[0].second, ticks[-1].second))

    def _failed(self, gap: Unfilled, work: _Work, error: HistoryError | KnownError) -> None:
        """Leave the gap for good, or for a while; what goes wrong while IB is lost says nothing."""
        if not self._may_ask(gap.symbol, gap.stream):
            return
        if isinstance(error, HistoryError) and is_final(error):
            self._give_up(gap, str(error), error.code)
            return
        shortest, longest = self._retry
        pause = min(shortest * 2 ** min(work.failures, 30), longest)
        work.failures += 1
        work.rests_until = asyncio.get_running_loop().time() + pause
        log.warning(
            "gap not filled, asked again later",
            line=gap.symbol, stream=gap.stream, reason=str(error), seconds=round(pause),
        )  # fmt: skip

    def _give_up(self, gap: Unfilled, reason: str, code: int | None) -> None:
        self._journal.control(refusal(gap, reason, code))
        log.warning("gap cannot be filled", line=gap.symbol, stream=gap.stream, reason=reason)


def _stamp(micros: int) -> str:
    return datetime.fromtimestamp(micros / _SECOND, UTC).isoformat(timespec="milliseconds")
