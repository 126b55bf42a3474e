"""A report in Prometheus' text format, version 0.0.4. Pure.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (escapes, TYPE before samples, final newline).
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from recorder.daemon.report import Flush, Report

TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

_Samples = Mapping[tuple[tuple[str, str], ...], float]
"""Labels to value."""


def metrics(report: Report) -> str:
    """The whole exposition."""
    return "".join(line for one in _metrics(report) for line in _lines(*one))


def _metrics(report: Report) -> Iterator[tuple[str, str, str, _Samples]]:
    """Name, type, help and samples of each."""
    now = report.status
    yield "build_info", "gauge", "the program", {(("version", report.version),): 1}
    yield "start_time_seconds", "gauge", "when it began to record, since 1970", _one(report.since / 1e6)
    yield (
        "connected",
        "gauge",
        "1: a gateway is there and has IB",
        _one(now.phase == "online" and not now.ib_lost),
    )
    yield "healthy", "gauge", "1: what /healthz says", _one(report.health.ok)
    yield "messages_total", "counter", "rows that came since it began", _one(report.messages)
    if report.last_message is not None:
        seconds = max(0, report.now - report.last_message) / 1e6
        yield "last_message_age_seconds", "gauge", "since bytes came from the gateway", _one(seconds)
    yield "lines", "gauge", "lines of the watchlist", _one(now.lines)
    states = Counter({"recording": 0, "silent": 0, "waiting": 0, "parked": 0})
    states.update(one.state for one in now.each)
    yield "streams", "gauge", "streams of the watchlist by state", _by("state", states)
    yield (
        "farm_down",
        "gauge",
        "1: IB says that this farm is down",
        _by("farm", dict.fromkeys(now.farms_down, 1)),
    )
    reasons = Counter(gap.reason for gap in report.gaps)
    yield "gaps_open", "gauge", "open gaps by reason", _by("reason", reasons)
    yield from _machine(report)


def _machine(report: Report) -> Iterator[tuple[str, str, str, _Samples]]:
    """What it costs the machine."""
    yield "journal_bytes", "gauge", "bytes of the journal on disk", _one(report.journal.bytes)
    yield "segments_waiting", "gauge", "sealed segments not yet Parquet", _one(report.journal.waiting)
    yield "disk_free_bytes", "gauge", "space left for the recording", _one(report.disk.free)
    if report.disk.days is not None:
        yield "disk_days_left", "gauge", "days until the disk is full, if it fills", _one(report.disk.days)
    in_trouble = report.disk_trouble is not None
    yield "disk_trouble", "gauge", "1: the disk does not take the journal as it should", _one(in_trouble)
    left_out = report.overflow.bytes if report.overflow else 0
    yield "overflow_bytes", "gauge", "left out since neither disk nor memory has room", _one(left_out)
    yield "event_loop_late_seconds", "gauge", "at worst during the last minute", _one(report.late)
    yield from _run("flush", report.flush)
    yield from _run("compaction", report.compaction)


def _run(name: str, last: Flush | None) -> Iterator[tuple[str, str, str, _Samples]]:
    if last is not None:
        yield f"{name}_time_seconds", "gauge", f"end of the last {name}, since 1970", _one(last.at / 1e6)
        yield f"{name}_duration_seconds", "gauge", "how long it took", _one(last.seconds)
        yield f"{name}_failed", "gauge", "1: it did not write all", _one(last.failed is not None)


def _one(value: float) -> _Samples:
    return {(): value}


def _by(label: str, values: Mapping[str, float]) -> _Samples:
    return {((label, name),): value for name, value in values.items()}


def _lines(name: str, kind: str, words: str, samples: _Samples) -> Iterator[str]:
    yield f"# HELP ib_recorder_{name} {words}\n# TYPE ib_recorder_{name} {kind}\n"
    for labels, value in samples.items():
        listed = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels)
        yield f"ib_recorder_{name}{f'{{{listed}}}' if listed else ''} {float(value):.17g}\n"
