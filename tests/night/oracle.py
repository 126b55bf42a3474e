"""The judge: every number that was made is one row or in a gap, and no gap is a lie.

Rules:
- Judged twice, and neither way knows of the other: by the order of rows, and by the clock.
- A complaint says which line, which numbers, between which rows, when, and what was on then.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from night.log import Fault
from night.market import Feed, Key
from night.recording import NEVER, Gap, Recording, Row

TOLERANCE = 0.3
"""Seconds by which gateway and recorder may see the same moment apart: one clock, two processes, a busy machine."""

_NEAR = 3.0


@dataclass(frozen=True, slots=True)
class Night:
    """What is known of the night besides the recording; ``begin``: when it began, seconds since 1970."""

    feeds: Sequence[Feed]
    faults: Sequence[Fault] = ()
    begin: float = 0.0

    def then(self, key: Key, start: float, end: float) -> str:
        """The faults that were on around this time for this stream."""
        near = [
            fault.told(self.begin)
            for fault in self.faults
            if fault.touches(key) and fault.start <= end + _NEAR and start - _NEAR <= (fault.end or NEVER)
        ]
        return "; ".join(near) or "none"


def whole(root: Path, night: Night) -> list[str]:
    """What is wrong with the recording; nothing, if it is whole."""
    recording = Recording.read(root)
    known = {feed.key for feed in night.feeds}
    flaws = [f"{key}: rows of a stream that nobody asked for" for key in sorted(set(recording.rows) - known)]
    flaws += _not_contiguous(recording)
    for feed in night.feeds:
        flaws += _misbound(recording, feed)
        flaws += _holes(recording, feed, night)
        flaws += _lost(recording, feed, night)
        flaws += _crooked_gaps(recording, feed.key, night)
    return flaws


def _not_contiguous(recording: Recording) -> Iterator[str]:
    for before, after in pairwise([0, *recording.seqs]):
        if after != before + 1:
            yield f"seq {before} is followed by {after}"


def _misbound(recording: Recording, feed: Feed) -> Iterator[str]:
    """Rows that are twice, out of order, of another contract, or of nothing that was ever said."""
    con_ids = {feed.line.con_id} | ({feed.line.underlying} if feed.line.is_cfd else set())
    last = Row(0, 0.0, 0, 0)
    for row in recording.rows[feed.key]:
        if row.number <= last.number:
            yield f"{_name(feed.key)}: number {row.number} (seq {row.seq}) behind {last.number} (seq {last.seq})"
        if row.con_id not in con_ids:
            yield f"{_name(feed.key)}: number {row.number} (seq {row.seq}) has con_id {row.con_id}"
        if not 0 < row.number <= len(feed.times):
            yield f"{_name(feed.key)}: number {row.number} (seq {row.seq}) was never made"
        elif row.ts < feed.times[row.number - 1] - TOLERANCE:
            yield f"{_name(feed.key)}: number {row.number} (seq {row.seq}) came before it was made"
        last = row
    echoed = Counter(row.number for row in recording.echoes[feed.key])
    yield from (
        f"{_name(feed.key)}: {n} is twice in another field" for n, count in echoed.items() if count > 1
    )


def _holes(recording: Recording, feed: Feed, night: Night) -> Iterator[str]:
    """By rows: wherever the numbers jump, a gap reaches between the two rows."""
    if feed.since is None:
        return
    first = (feed.since - 1, 0.0, -1.0)
    last = (len(feed.times) + 1, NEVER, NEVER)
    rows = [(row.number, row.ts, float(row.seq)) for row in recording.rows[feed.key]]
    for (n, ts, seq), (m, ts_after, seq_after) in pairwise([first, *rows, last]):
        if m <= n + 1:
            continue
        between = [gap for gap in recording.gaps[feed.key] if gap.seq_start < seq_after and gap.seq_end > seq]
        if not between:
            where = f"between seq {seq:.0f} (number {n}, {ts - night.begin:.3f} s) and seq {seq_after:.0f}"
            where += f" (number {m}, {ts_after - night.begin:.3f} s)"
            yield _told(feed, list(range(n + 1, m)), "by rows, " + where, recording, night)


def _lost(recording: Recording, feed: Feed, night: Night) -> Iterator[str]:
    """By the clock: whatever is in no row was made during a gap. One complaint a run of numbers."""
    if feed.since is None:
        return
    recorded = {row.number for row in recording.rows[feed.key]}
    spans = _spans(recording.gaps[feed.key])
    run: list[int] = []
    for number in range(feed.since, len(feed.times) + 1):
        if number not in recorded and not _inside(spans, feed.times[number - 1]):
            run.append(number)
        elif run:
            yield _told(feed, run, "by the clock", recording, night)
            run = []
    if run:
        yield _told(feed, run, "by the clock", recording, night)


def _spans(gaps: Iterable[Gap]) -> list[tuple[float, float]]:
    """Gaps as stretches of time, those that overlap made one."""
    spans: list[tuple[float, float]] = []
    for gap in gaps:
        start, end = gap.ts_start - TOLERANCE, gap.ts_end + TOLERANCE
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return spans


def _inside(spans: list[tuple[float, float]], moment: float) -> bool:
    place = bisect_right(spans, (moment, NEVER))
    return place > 0 and moment <= spans[place - 1][1]


def _crooked_gaps(recording: Recording, key: Key, night: Night) -> Iterator[str]:
    """A gap's numbers and its times must speak of the same stretch."""
    for gap in recording.gaps[key]:
        inner, outer = recording.stamp(gap.seq_start), recording.stamp_after(gap.seq_end)
        if gap.seq_end < gap.seq_start or gap.ts_end < gap.ts_start:
            yield f"{_name(key)}: a gap that ends before it begins: {_gap(gap, night)}"
        elif inner > gap.ts_start + TOLERANCE:
            yield f"{_name(key)}: seq_start came {inner - gap.ts_start:.2f} s behind ts_start: {_gap(gap, night)}"
        elif outer < gap.ts_end - TOLERANCE:
            yield f"{_name(key)}: seq_end came {gap.ts_end - outer:.2f} s before ts_end: {_gap(gap, night)}"


def _told(feed: Feed, numbers: list[int], how: str, recording: Recording, night: Night) -> str:
    start, end = feed.times[numbers[0] - 1], feed.times[numbers[-1] - 1]
    near = [
        gap for gap in recording.gaps[feed.key] if gap.ts_start <= end + _NEAR and start - _NEAR <= gap.ts_end
    ]
    fates = Counter(feed.fates[number - 1] for number in numbers)
    return "\n    ".join(
        [
            f"{_name(feed.key)} ({feed.rate:g}/s): {_numbers(numbers)} lost and in no gap, {how}",
            f"made {start - night.begin:.3f}..{end - night.begin:.3f} s; {_counted(fates)}",
            f"gaps near: {'; '.join(_gap(gap, night) for gap in near) or 'none'}",
            f"faults: {night.then(feed.key, start, end)}",
        ]
    )


def _name(key: Key) -> str:
    return " ".join(key)


def _numbers(numbers: list[int]) -> str:
    return (
        f"{len(numbers)} numbers {numbers[0]}..{numbers[-1]}" if len(numbers) > 1 else f"number {numbers[0]}"
    )


def _gap(gap: Gap, night: Night) -> str:
    times = f"{gap.ts_start - night.begin:.3f}..{gap.ts_end - night.begin:.3f} s"
    return f"{gap.reason} {times} (seq {gap.seq_start}..{gap.seq_end:.0f})"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common(4))


@dataclass(slots=True)
class Lies:
    """The gaps, judged.

    Attributes:
        gaps: by reason.
        honest: those in which something was lost.
        explained: those in which nothing was lost, at a time when a fault of that stream was on.
        suspected: those in which nothing was lost, while a farm was broken that is not the stream's.
        false: the others, by reason, and each in words.
        inside: numbers recorded within gaps, by the gap's reason.
    """

    gaps: Counter[str]
    honest: Counter[str]
    explained: Counter[str]
    suspected: Counter[str]
    false: Counter[str]
    inside: Counter[str]
    words: list[str]


def lies(root: Path, night: Night) -> Lies:
    """Every gap held against what was lost in it."""
    recording = Recording.read(root)
    found = Lies(*(Counter() for _ in range(6)), [])
    for feed in night.feeds:
        rows = recording.rows[feed.key]
        recorded = {row.number for row in rows}
        seqs = [row.seq for row in rows]
        lost = [time for number, time in enumerate(feed.times, 1) if number not in recorded]
        for gap in recording.gaps[feed.key]:
            found.gaps[gap.reason] += 1
            found.inside[gap.reason] += max(0, _below(seqs, gap.seq_end) - bisect_right(seqs, gap.seq_start))
            _judge(found, feed, gap, lost, night)
    return found


def _below(seqs: list[int], seq: float) -> int:
    return bisect_right(seqs, seq - 1)


def _judge(found: Lies, feed: Feed, gap: Gap, lost: list[float], night: Night) -> None:
    first = feed.times[feed.since - 1] if feed.since else NEVER
    place = bisect_right(lost, gap.ts_start - TOLERANCE)
    if place < len(lost) and lost[place] <= gap.ts_end + TOLERANCE:
        found.honest[gap.reason] += 1
    elif (
        gap.ts_end == NEVER
        or gap.ts_start <= first
        or any(fault.explains(feed.key, gap.ts_start, gap.ts_end) for fault in night.faults)
    ):
        found.explained[gap.reason] += 1
    elif any(fault.excuses(gap.ts_start, gap.ts_end) for fault in night.faults):
        found.suspected[gap.reason] += 1
    else:
        found.false[gap.reason] += 1
        then = night.then(feed.key, gap.ts_start, gap.ts_end)
        found.words.append(
            f"{_name(feed.key)} ({feed.rate:g}/s): a false gap: {_gap(gap, night)}; faults: {then}"
        )


def report(night: Night, found: Lies) -> str:
    """The night as a table for people."""
    made = sum(len(feed.times) for feed in night.feeds)
    fates = Counter(fate.split(" #")[0].split(" to ")[0] for feed in night.feeds for fate in feed.fates)
    kinds = Counter(fault.kind for fault in night.faults)
    late = Counter(fault.kind for fault in night.faults if "not" in fault.note)
    lines = [f"{made} numbers made: {_counted(fates)}", "fault            count  unanswered"]
    lines += [f"{kind:16} {count:5}  {late[kind] or ''}" for kind, count in sorted(kinds.items())]
    lines += ["gap               rows  honest  explained  suspected  false  numbers inside"]
    for reason, count in sorted(found.gaps.items()):
        judged = [found.honest, found.explained, found.suspected, found.false, found.inside]
        counts = [counter[reason] for counter in judged]
        lines.append("{:16} {:5}  {:6}  {:9}  {:9}  {:5}  {:14}".format(reason, count, *counts))
    return "\n".join(lines)
