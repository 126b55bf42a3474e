"""Reads the streams and the watchlist of a config file, which are written shorter than the model has them.

Rules:
- Goes on after a problem: what is wrong with one line hides nothing of the next.
- What a line leaves open is filled in here: the streams at the top, and what its type makes of a bare stream.
"""

from collections.abc import Iterator, Mapping

from recorder.config import contracts, offers, wording
from recorder.config.document import Data
from recorder.config.model import OPTIONS, Line, Stream
from recorder.config.problems import Key, dotted
from recorder.config.report import Report, mapping

_A_STREAM = "a stream: one of " + ", ".join(OPTIONS) + ", or one with its options, {depth: {rows: 5}}"
_STREAMS = "a list of streams, such as [level1, trades]"

Entry = Mapping[str, Data]


def read_streams(report: Report, key: Key) -> tuple[Stream, ...]:
    """The streams listed at ``key``, those that can be read."""
    data = report.document.get(key)
    if not isinstance(data, tuple) or not data:
        report.wrong(key, _STREAMS)
        return ()
    read = [(index, _stream(report, (*key, index))) for index in range(len(data))]
    streams = {index: stream for index, stream in read if stream}
    first: dict[str, int] = {}
    for index, stream in streams.items():
        if first.setdefault(stream.kind, index) != index:
            again = f"{stream.kind} is already {dotted(key)}[{first[stream.kind]}]"
            report.say((*key, index), f"{again}; give the second a line of its own, with a name")
    return tuple(streams.values())


def read_watchlist(report: Report, key: Key, default: tuple[Stream, ...]) -> tuple[Line, ...]:
    """The lines listed at ``key``, those that can be read; ``default`` is what a line without streams records."""
    data = report.document.get(key)
    if not isinstance(data, tuple) or not data:
        report.wrong(key, f"a list of what to record, such as [{contracts.BASE}]")
        return ()
    lines = [_line(report, (*key, index), default) for index in range(len(data))]
    _tell_twins(report, key, data)
    return tuple(line for line in lines if line)


def _stream(report: Report, key: Key) -> Stream | None:
    data = report.document.get(key)
    if isinstance(data, Mapping) and len(data) == 1:
        ((kind, options),) = data.items()
        key = (*key, kind)
    else:
        kind, options = data, None
    if not isinstance(kind, str) or kind not in OPTIONS:
        report.wrong(key, _A_STREAM) if not isinstance(data, Mapping) or len(data) != 1 else report.unknown(
            key, tuple(OPTIONS)
        )
        return None
    return _with_options(report, key, kind, options)


def _with_options(report: Report, key: Key, kind: str, options: Data) -> Stream | None:
    given = {} if options is None else mapping(options)
    if given is None:
        report.wrong(key, f"its options, such as {{{', '.join(OPTIONS[kind])}}}")  # type: ignore[index]
        return None
    return None


def _line(report: Report, key: Key, default: tuple[Stream, ...]) -> Line | None:
    return None


def _tell_twins(report: Report, key: Key, entries: tuple[Data, ...]) -> None:
    return None
