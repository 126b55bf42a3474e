"""The status page: one HTML document that needs nothing else, for a phone at night. Pure.

Rules:
- The worst comes first, in words; colour only repeats them.
- No script and nothing from elsewhere; it fetches itself anew.
- Whatever was not written here is escaped.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from html import escape

from recorder.daemon.disk import Grade
from recorder.daemon.health import span
from recorder.daemon.report import Flush, Report, not_recorded

_REFRESH_SECONDS = 10

_SHOWN = 12
"""Streams named of those in a gap for one reason; the table below has them all."""

_STYLE = """\
:root{color-scheme:light dark;--ok:#157a3c;--warn:#a05a00;--bad:#b3261e;--dim:#777}
@media(prefers-color-scheme:dark){:root{--ok:#5fd38d;--warn:#ffb454;--bad:#ff8a80;--dim:#999}}
body{font:16px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:60rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:1.4rem 0 .3rem}p{margin:.3rem 0}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}.dim{color:var(--dim);font-size:.9rem}
ul{margin:0;padding-left:1.2rem}table{border-collapse:collapse;width:100%}
th{text-align:left;font-weight:600}th,td{padding:.15rem .6rem .15rem 0;border-bottom:1px solid #8883}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
"""


def page(report: Report) -> str:
    """The whole document."""
    sections = (_head, _state, _missing, _farms, _gaps, _lines, _foot)
    return "".join(part for section in sections for part in section(report)) + "</body></html>\n"


def _head(report: Report) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield f'<meta http-equiv="refresh" content="{_REFRESH_SECONDS}">'
    yield f"<title>{escape(_title(report))} - ib-recorder</title><style>{_STYLE}</style></head><body>"


def _title(report: Report) -> str:
    """What a tab shows, of which people see the beginning: what is wrong, the worst first."""
    if _grade(report) == "ok":
        return "ok"
    words = report.health.words
    if words != report.status.words or not _is_all_recorded(report):
        return words
    return next(_warnings(report), words)


def _grade(report: Report) -> str:
    """``ok``, ``warn`` or ``bad``."""
    if not report.health.ok or report.status.phase != "online" or report.status.ib_lost:
        return "bad"
    failed = report.flush is not None and report.flush.failed
    fine = _is_all_recorded(report) and not failed and not any(_warnings(report))
    return "ok" if fine else "warn"


def _is_all_recorded(report: Report) -> bool:
    return report.status.recording == report.status.streams and not report.status.farms_down


def _warnings(report: Report) -> Iterator[str]:
    """What will be trouble if nobody does something."""
    if report.disk.grade is not Grade.FINE:
        yield report.disk.words
    if report.compaction and report.compaction.failed:
        yield f"days are not compacted: {report.compaction.failed}"


def _state(report: Report) -> Iterator[str]:
    words = report.health.words
    yield f'<h1 class="{_grade(report)}">{escape(words[:1].upper() + words[1:])}</h1>'
    if report.status.words not in words:
        yield f"<p>{escape(report.status.words)}</p>"
    last = (
        "no message yet"
        if report.last_message is None
        else f"last message {_ago(report, report.last_message)}"
    )
    yield f"<p>{report.messages:,} messages, {last}</p>"
    for warning in _warnings(report):
        if warning not in words:
            yield f'<p class="warn">{escape(warning)}</p>'


def _missing(report: Report) -> Iterator[str]:
    """What is not recorded; streams with the same cause on one line."""
    causes: dict[str, list[str]] = {}
    for one, gap in not_recorded(report):
        since = f", since {_clock(gap.ts_start, report.now)}" if gap else ""
        causes.setdefault(f"{one.why}{since}", []).append(f"{one.line} {one.stream}")
    if causes:
        yield f"<h2>Not recorded: {report.status.streams - report.status.recording} of {report.status.streams}</h2>"
        every = len(max(causes.values(), key=len)) == report.status.streams
        yield _list(
            f"<b>{'all' if every else escape(', '.join(names))}</b>: {escape(why)}"
            for why, names in causes.items()
        )


def _farms(report: Report) -> Iterator[str]:
    if farms := report.status.farms_down:
        yield "<h2>IB's farms that are down</h2>"
        yield _list(f"{escape(farm)}, since {_clock(since, report.now)}" for farm, since in farms.items())


def _gaps(report: Report) -> Iterator[str]:
    """Open gaps; those with the same cause on one line."""
    causes: dict[str, list[str]] = {}
    for gap in report.gaps:
        code = "" if gap.code is None else f" ({gap.code})"
        why = f"{gap.reason}{code} since {_clock(gap.ts_start, report.now)}"
        causes.setdefault(why, []).append(f"{gap.symbol} {gap.stream}")
    if causes:
        yield f"<h2>Gaps open: {len(report.gaps)}</h2>"
        yield _list(f"{escape(why)}: {escape(_some(names))}" for why, names in causes.items())


def _lines(report: Report) -> Iterator[str]:
    yield f"<h2>{report.status.lines} lines, {report.status.streams} streams</h2><table>"
    yield '<tr><th>line</th><th>stream</th><th class="n">ticks</th><th class="n">last tick</th></tr>'
    for one in report.status.each:
        last = "-" if one.last_tick is None else _ago(report, one.last_tick)
        state = " (market closed)" if one.closed else "" if one.state == "recording" else f" ({one.state})"
        colour = "" if one.state == "recording" else ' class="bad"'
        yield f"<tr><td{colour}>{escape(one.line)}</td><td>{escape(one.stream + state)}</td>"
        yield f'<td class="n">{one.ticks:,}</td><td class="n">{last}</td></tr>'
    yield "</table>"


def _foot(report: Report) -> Iterator[str]:
    journal = report.journal
    told = [
        f"recording since {_clock(report.since, report.now)} to {report.root}",
        f"journal {journal.bytes / 1e6:.1f} MB, {journal.waiting} segments waiting",
        _last(report, "flush", report.flush),
        _last(report, "compaction", report.compaction),
        report.disk.words,
        f"event loop late by {report.late * 1000:.0f} ms at worst",
        f"ib-recorder {report.version}, process {report.pid}",
        f"as of {_clock(report.now, 0)}; fetches itself anew every {_REFRESH_SECONDS} s",
    ]
    yield f'<h2>The recorder</h2><p class="dim">{"<br>".join(map(escape, told))}</p>'


def _last(report: Report, name: str, last: Flush | None) -> str:
    if last is None:
        return f"no {name} yet"
    how = "failed after" if last.failed else "took"
    return f"last {name} {_ago(report, last.at)}, {how} {last.seconds:.1f} s"


def _list(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _ago(report: Report, micros: int) -> str:
    return f"{span(max(0, report.now - micros) / 1e6)} ago"


def _clock(micros: int, now: int) -> str:
    """The time of day, with the date unless it is today's."""
    moment, today = (datetime.fromtimestamp(one / 1e6, UTC) for one in (micros, now))
    return moment.strftime("%H:%M UTC" if moment.date() == today.date() else "%Y-%m-%d %H:%M UTC")
