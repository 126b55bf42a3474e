"""Holes in tick-by-tick streams, filled from IB's historical ticks.

Rules:
- What is to be filled is the journal's state; ticks and progress are one record, so that being killed anywhere
  neither loses nor repeats a row.
- A row that is recorded already, live or filled, is not written again; true duplicates stay: both sides are counted.
- Without an answer nothing is concluded: the hole is asked for again, after growing pauses, until it is too old.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog

from recorder.capture.history import History, HistoryError, Pacing, Tick, Values
from recorder.journal.state import Unfilled
from recorder.journal.writer import Journal
from recorder.wire import codes

MOST_TICKS = 2000
"""In one record: a second in which more happened becomes several."""

Known: TypeAlias = Callable[[str, str, int, int], Awaitable[Counter[Values]]]
"""The rows of a line's stream whose second lies between two, both included, and how often each is recorded.

Raises ``KnownError``."""

_SECOND = 1_000_000
_IDLE_SECONDS = 1.0
_UNREPORTED = 2
_NOT_FOR_YOU = re.compile("permission|not subscribed|not supported", re.IGNORECASE)
_MAY_BE_FINAL = (162, 354, 10187)

log = structlog.get_logger("recorder.backfill")


class KnownError(Exception):
    """What is recorded already could not be read, so nothing can be added to it; the message says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to ask for to fill a stream.

    Attributes:
        contract: as ib_async's ``Contract`` takes it; with conId and exchange.
        trade_kind: of trades, what the stream is made of, ``all_last`` or ``last``; else None.
    """

    contract: dict[str, Any]
    trade_kind: str | None = None

    @property
    def con_id(self) -> int:
        """IB's contract id."""
        return int(self.contract["conId"])


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


def page(gap: Unfilled, answer: list[Tick], trade_kind: str | None) -> Page:
    """What of an answer from ``gap.cursor`` on belongs to the gap, and how far it reaches.

    A stream of ``last`` trades has none that are not reported to the tape. An answer without ticks says that there
    are none from there on.

    Raises:
        HistoryError: the answer ends before what was asked for.
    """
    end = gap.last_second
    last = max((tick.second for tick in answer), default=end)
    if last < gap.cursor:
        raise HistoryError("the gateway answered with ticks from before the second asked for")
    kept = [tick for tick in answer if gap.cursor <= tick.second <= end and _is_of(tick, trade_kind)]
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


def records(gap: Unfilled, found: Page, asked: Asked) -> Iterator[dict[str, Any]]:
    """The page as control records: one, or more where there are more ticks than one may hold.

    Between those of one page the cursor stays at the second begun: whoever is killed there asks for it again, and
    what is recorded by then is taken off.
    """
    for at in range(0, max(len(found.ticks), 1), MOST_TICKS):
        ticks = found.ticks[at : at + MOST_TICKS]
        is_last = at + MOST_TICKS >= len(found.ticks)
        yield _record(
            gap, asked, ticks, found.cursor if is_last else ticks[-1].second, done=is_last and found.done
        )


def refusal(gap: Unfilled, asked: Asked, error: HistoryError) -> dict[str, Any]:
    """The record that a gap will not be filled, and why."""
    return _record(gap, asked, [], gap.cursor, done=True) | {"refused": str(error), "code": error.code}


def _record(gap: Unfilled, asked: Asked, ticks: list[Tick], cursor: int, *, done: bool) -> dict[str, Any]:
    return {
        "kind": "backfill",
        "symbol": gap.symbol,
        "stream": gap.stream,
        "con_id": asked.con_id,
        "trade_kind": asked.trade_kind,
        "ticks": [tick.texts for tick in ticks],
        "cursor": cursor,
        "done": done,
        "seq_start": gap.seq_start,
        "ts_end": gap.ts_end,
    }


def is_final(error: HistoryError) -> bool:
    """Whether asking again would bring the same: there is no such contract, or no permission for its history."""
    may_be = error.code in _MAY_BE_FINAL and _NOT_FOR_YOU.search(str(error)) is not None
    return may_be or error.code == codes.NO_SUCH_CONTRACT


class Backfill:
    """Fills the gaps of a recording, one question at a time; outlives connections.

    Args:
        journal: where the gaps stand and the ticks go; its clock is the wall clock.
        asked: what to ask for to fill a line's stream; None while that is not known, or no longer recorded.
        known: what is recorded already.
        max_age_seconds: a gap that ended longer ago is left.
        settle_seconds: how long ago a gap must have ended, so that all its ticks are with IB and the next are here.
        retry_seconds: the first and the longest pause after a question without an answer.
    """

    def __init__(
        self,
        journal: Journal,
        asked: Callable[[str, str], Asked | None],
        known: Known,
        *,
        max_age_seconds: float,
        settle_seconds: float = 10.0,
        retry_seconds: tuple[float, float] = (60.0, 1800.0),
    ) -> None:
        self._journal = journal
        self._asked = asked
        self._known = known
        self._max_age = int(max_age_seconds * _SECOND)
        self._settle = int(settle_seconds * _SECOND)
        self._retry = retry_seconds
        self._pacing = Pacing()
        self._resting: dict[tuple[str, str, int], tuple[int, float]] = {}

    async def run(self, history: History) -> None:
        """Fill what there is to fill, and what comes to it, until cancelled or until the connection ends.

        Raises:
            JournalError: the journal cannot be written.
        """
        while True:
            found = self._next()
            if found is None:
                await asyncio.sleep(_IDLE_SECONDS)
                continue
            try:
                await self._fill(history, *found)
            except ConnectionError:
                return

    def _next(self) -> tuple[Unfilled, Asked] | None:
        """The oldest gap that can be asked for now."""
        now, moment = self._journal.clock(), asyncio.get_running_loop().time()
        for gap in sorted(self._journal.state.unfilled.values(), key=lambda gap: gap.ts_start):
            _, rests_until = self._resting.get(gap.key, (0, 0.0))
            if self._is_due(gap, now) and moment >= rests_until:
                asked = self._asked(gap.symbol, gap.stream)
                if asked is not None:
                    return gap, asked
        return None

    def _is_due(self, gap: Unfilled, now: int) -> bool:
        """Whether its last second is over and has settled, and it is not too old."""
        over = max(gap.ts_end, (gap.last_second + 1) * _SECOND)
        return now >= over + self._settle and now - gap.ts_end <= self._max_age

    async def _fill(self, history: History, gap: Unfilled, asked: Asked) -> None:
        """Ask for the next ticks of a gap and write what is missing."""
        await self._pace(gap, asked)
        try:
            answer = await history.ask(asked.contract, gap.cursor, gap.stream)
            found = page(gap, answer, asked.trade_kind)
            missing = await self._missing(gap, found.ticks)
        except (HistoryError, KnownError) as error:
            self._failed(gap, asked, error)
            return
        for record in records(gap, Page(missing, found.cursor, found.done), asked):
            self._journal.control(record)
        self._resting.pop(gap.key, None)
        if found.done:
            log.info("gap filled", line=gap.symbol, stream=gap.stream)

    async def _pace(self, gap: Unfilled, asked: Asked) -> None:
        loop, alike = asyncio.get_running_loop(), (asked.con_id, asked.contract.get("exchange"), gap.stream)
        await asyncio.sleep(self._pacing.wait(loop.time(), alike, gap.cursor))
        self._pacing.asked(loop.time(), alike, gap.cursor)

    async def _missing(self, gap: Unfilled, ticks: list[Tick]) -> list[Tick]:
        if not ticks:
            return []
        return unrecorded(ticks, await self._known(gap.symbol, gap.stream, ticks[0].second, ticks[-1].second))

    def _failed(self, gap: Unfilled, asked: Asked, error: HistoryError | KnownError) -> None:
        """Leave the gap for good, or for a while."""
        if isinstance(error, HistoryError) and is_final(error):
            self._journal.control(refusal(gap, asked, error))
            log.warning("gap cannot be filled", line=gap.symbol, stream=gap.stream, reason=str(error))
            return
        failures, _ = self._resting.get(gap.key, (0, 0.0))
        shortest, longest = self._retry
        pause = min(shortest * 2 ** min(failures, 30), longest)
        unfilled = self._journal.state.unfilled
        self._resting = {key: rest for key, rest in self._resting.items() if key in unfilled}
        self._resting[gap.key] = failures + 1, asyncio.get_running_loop().time() + pause
        log.warning(
            "gap not filled, asked again later",
            line=gap.symbol, stream=gap.stream, reason=str(error), seconds=round(pause),
        )  # fmt: skip
