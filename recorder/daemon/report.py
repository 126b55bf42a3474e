"""What is known of a running recorder at one moment; what the page, the metrics and ``status.json`` are made of."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recorder.daemon.disk import Outlook
from recorder.daemon.health import Verdict
from recorder.journal.state import Gap, State, live
from recorder.journal.trouble import Overflow
from recorder.session.status import Status, StreamStatus

PROGRAM = "ib-recorder"
"""By this a reader of ``status.json`` knows whom it talks to."""

_LEFT_OUT: Mapping[str, Any] = {"state": "waiting", "why": "neither disk nor memory has room for its ticks"}


@dataclass(frozen=True, slots=True)
class Flush:
    """The last flush of the journal, or compaction: when it ended, how long it took, and why it failed, if so."""

    at: int
    seconds: float
    failed: str | None


@dataclass(frozen=True, slots=True)
class JournalSize:
    """Bytes of the journal on disk, and its sealed segments that wait for the renderer."""

    bytes: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Report:
    """A recorder at one moment. Times are microseconds since 1970.

    Attributes:
        status: the session's; while reads are left out, none of its streams is being recorded.
        health: the verdict on it.
        now: that moment.
        since: when it began to record.
        root: where to.
        version: the program's.
        pid: its process.
        messages: rows that came since it began, also those left out.
        last_message: when the last bytes came from the gateway; None: never.
        journal: its size.
        flush: the last one; None: there was none yet.
        compaction: likewise.
        gaps: those that are open of what is in the watchlist, the longest first.
        disk: the room left for the recording.
        disk_trouble: what is wrong with the journal's disk, and where records go meanwhile; None: all is well.
        overflow: what is being left out, for neither disk nor memory has room; None: nothing.
        late: by how much the event loop was late at worst during the last minute, seconds.
    """

    status: Status
    health: Verdict
    now: int
    since: int
    root: Path
    version: str
    pid: int
    messages: int
    last_message: int | None
    journal: JournalSize
    flush: Flush | None
    compaction: Flush | None
    gaps: list[Gap]
    disk: Outlook
    disk_trouble: str | None
    overflow: Overflow | None
    late: float


def as_recorded(status: Status, overflow: Overflow | None) -> Status:
    """The session's status as it looks from the files: what comes and is left out is not being recorded."""
    if overflow is None:
        return status
    each = [replace(one, **_LEFT_OUT) if one.state == "recording" else one for one in status.each]
    return replace(status, recording=0, each=each)


def open_gaps(state: State, overflow: Overflow | None, wanted: Collection[tuple[str, str]]) -> list[Gap]:
    """The open gaps of the lines and streams in ``wanted``, the longest first.

    While reads are left out everything subscribed is in one, which gets its record when there is room again.
    """
    gaps = dict(state.gaps)
    if overflow is not None:
        since = overflow.since
        for key in sorted(live(state) - gaps.keys()):
            gaps[key] = Gap(*key, since.ts, since.seq, "overflow")
    return sorted((gap for key, gap in gaps.items() if key in wanted), key=lambda gap: gap.ts_start)


def not_recorded(report: Report) -> list[tuple[StreamStatus, Gap | None]]:
    """The streams that are not being recorded, each with its open gap."""
    gaps = {(gap.symbol, gap.stream): gap for gap in report.gaps}
    return [(one, gaps.get((one.line, one.stream))) for one in report.status.each if one.state != "recording"]


def as_json(report: Report) -> str:
    """The report for programs: times in ISO 8601, UTC."""
    told = asdict(report.status)
    each = told.pop("each")
    for one in each:
        one["last_tick"] = iso(one["last_tick"])
    told["farms_down"] = {farm: iso(since) for farm, since in report.status.farms_down.items()}
    return (
        json.dumps({"program": PROGRAM, **_own(report), **told, "gaps": _gaps(report), "each": each}) + "\n"
    )


def _own(report: Report) -> dict[str, Any]:
    days = report.disk.days
    return {
        "version": report.version,
        "pid": report.pid,
        "root": str(report.root),
        "now": iso(report.now),
        "since": iso(report.since),
        "health": asdict(report.health),
        "messages": report.messages,
        "last_message": iso(report.last_message),
        "journal": {"bytes": report.journal.bytes, "segments_waiting": report.journal.waiting},
        "flush": _run(report.flush),
        "compaction": _run(report.compaction),
        "disk_free_bytes": report.disk.free,
        "disk_bytes_a_day": report.disk.a_day,
        "disk_days_left": None if days is None else round(days, 2),
        "disk_trouble": report.disk_trouble,
        "overflow": _overflow(report.overflow),
        "loop_late_seconds": round(report.late, 4),
    }


def _overflow(overflow: Overflow | None) -> dict[str, Any] | None:
    return None if overflow is None else {"since": iso(overflow.began), "bytes": overflow.bytes}


def _run(last: Flush | None) -> dict[str, Any] | None:
    if last is None:
        return None
    return {"at": iso(last.at), "seconds": round(last.seconds, 3), "failed": last.failed}


def _gaps(report: Report) -> list[dict[str, Any]]:
    return [
        {
            "line": gap.symbol,
            "stream": gap.stream,
            "since": iso(gap.ts_start),
            "reason": gap.reason,
            "code": gap.code,
        }
        for gap in report.gaps
    ]


def iso(micros: int | None) -> str | None:
    """A moment in ISO 8601, UTC."""
    return (
        None
        if micros is None
        else datetime.fromtimestamp(micros / 1e6, UTC).isoformat(timespec="milliseconds")
    )
