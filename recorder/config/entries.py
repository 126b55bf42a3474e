"""Reads the streams and the watchlist of a config file, which are written shorter than the model has them.

Rules:
- Goes on after a problem: what is wrong with one line hides nothing of the next.
- What a line leaves open is filled in here: the streams at the top of the file, and of a bare stream what
  its type and exchange make of it.
"""

from collections.abc import Iterator, Mapping

from recorder.config import contracts, offers, wording
from recorder.config.document import Data
from recorder.config.model import OPTIONS, Line, Stream
from recorder.config.problems import Key, dotted
from recorder.config.report import Report

Entry = Mapping[str, Data]
Streams = Mapping[int, Stream]
"""Streams by their place in their list, which has gaps where one could not be read."""


def read_streams(report: Report, key: Key) -> Streams:
    """The streams listed at ``key``."""
    data = report.document.get(key)
    if not isinstance(data, tuple) or not data:
        report.wrong(key, "a list of streams, such as [level1, trades]")
        return {}
    read = ((index, _stream(report, (*key, index))) for index in range(len(data)))
    streams = {index: stream for index, stream in read if stream}
    _tell_same_kind(report, key, streams)
    return streams


def read_watchlist(report: Report, key: Key, default: Streams) -> tuple[Line, ...]:
    """The lines listed at ``key``; one without streams records ``default``."""
    data = report.document.get(key)
    if not isinstance(data, tuple) or not data:
        report.wrong(key, f"a list of what to record, such as [{contracts.BASE}]")
        return ()
    lines = [_line(report, (*key, index), default) for index in range(len(data))]
    _tell_twins(report, key, data)
    return tuple(line for line in lines if line)


def _stream(report: Report, key: Key) -> Stream | None:
    data = report.document.get(key)
    if isinstance(data, str):
        if data in OPTIONS:
            return Stream.model_validate({"kind": data})
        report.say(key, wording.unknown(data, tuple(OPTIONS), "stream"))
    elif isinstance(data, Mapping) and len(data) == 1:
        return _with_options(report, (*key, *data))
    else:
        report.wrong(key, "a stream such as level1, or one with its options such as {depth: {rows: 5}}")
    return None


def _with_options(report: Report, key: Key) -> Stream | None:
    kind, options = str(key[-1]), report.document.get(key) or {}
    if kind not in OPTIONS:
        report.say(key, wording.unknown(kind, tuple(OPTIONS), "stream"), of_key=True)
    elif not isinstance(options, Mapping):
        report.wrong(key, f"options by name, such as {{{kind}: {{...}}}}")
    else:
        for option in options:
            if option not in OPTIONS[kind]:
                report.say((*key, option), _foreign(option, kind), of_key=True)
        own = {option: value for option, value in options.items() if option in OPTIONS[kind]}
        return report.made(Stream, key, {"kind": kind, **own})
    return None


def _foreign(option: str, kind: str) -> str:
    owner = next((other for other, options in OPTIONS.items() if option in options), None)
    if owner:
        return f"is an option of {owner}, not of {kind}; leave it out"
    return wording.unknown(option, OPTIONS[kind], "option")


def _tell_same_kind(report: Report, key: Key, streams: Streams) -> None:
    first: dict[str, int] = {}
    for index, stream in streams.items():
        if (twin := first.setdefault(stream.kind, index)) != index:
            message = (
                f"{stream.kind} is already {dotted((*key, twin))}; keep one, or give it a line with a name"
            )
            report.say((*key, index), message)


def _line(report: Report, key: Key, default: Streams) -> Line | None:
    given = report.document.get(key)
    if not isinstance(given, Mapping):
        report.wrong(key, f"a contract such as {contracts.BASE}")
        return None
    for name, message in contracts.flaws(given):
        report.say((*key, name), message)
    contract = {name: value for name, value in given.items() if name != "streams"}
    report.no_nulls(Line, key, contract)
    streams = _line_streams(report, key, given, default)
    return report.made(Line, key, {**contract, "streams": streams} if streams else contract)


def _line_streams(report: Report, key: Key, given: Entry, default: Streams) -> tuple[Stream, ...]:
    """What the line records, each stream as its type and exchange make it."""
    key = (*key, "streams")
    own = "streams" in given
    streams = read_streams(report, key) if own else default
    whole = contracts.filled(given)
    line_type, exchange = (value if isinstance(value, str) else None for value in _where(whole))
    for index, stream in streams.items():
        for rest, reason in _refusals(stream, line_type, exchange):
            if own:
                report.say((*key, index, *rest), reason)
            else:
                report.say(key, f"{reason}; it is among the streams at the top, so give this line its own")
    return tuple(_fitted(stream, line_type, exchange) for stream in streams.values())


def _where(whole: Mapping[str, object]) -> tuple[object, object]:
    return whole.get("type"), whole.get("exchange")


def _refusals(stream: Stream, line_type: str | None, exchange: str | None) -> Iterator[tuple[Key, str]]:
    if reason := offers.refusal(stream.kind, line_type, exchange):
        yield (), reason
    if "show" in stream.model_fields_set and (reason := offers.show_refusal(stream.show, line_type)):
        yield ("bars", "show"), reason


def _fitted(stream: Stream, line_type: str | None, exchange: str | None) -> Stream:
    """``stream`` with what it leaves open decided by what it is a stream of."""
    implied = {"show": offers.shows(line_type)[0], "smart": offers.smart_depth(exchange)}
    free = set(OPTIONS[stream.kind]) - stream.model_fields_set
    return stream.model_copy(update={option: value for option, value in implied.items() if option in free})


def _tell_twins(report: Report, key: Key, entries: tuple[Data, ...]) -> None:
    """Adds a problem for each line that would be recorded under the name of an earlier one."""
    first: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or not (identity := _identity(entry)):
            continue
        if (twin := first.setdefault(identity, index)) != index:
            report.say(*_twin(report, key, index, twin))


def _identity(entry: Entry) -> str | None:
    """What tells the line from others in the data: its name, or its whole contract where IB names it."""
    if name := contracts.label(entry):
        return f"name {name}"
    contract = contracts.filled({key: value for key, value in entry.items() if key != "streams"})
    if any(contracts.flaws(entry)) or any(isinstance(value, tuple | Mapping) for value in contract.values()):
        return None  # a wrong line, told elsewhere
    return f"contract {sorted(contract.items())!r}"


def _twin(report: Report, key: Key, index: int, twin: int) -> tuple[Key, str]:
    entry = report.document.get((*key, index))
    assert isinstance(entry, Mapping)
    other = f"{dotted((*key, twin))} on line {report.document.place((*key, twin))[0]}"
    name, kind = contracts.label(entry), contracts.contract_type(entry)
    if name is None:
        return (*key, index), f"the same contract as {other}; give one of the two a name"
    source = "name" if "name" in entry or not kind else kind.named_by
    assert source
    return (*key, index, source), f'"{name}" is already the name of {other}; give one of the two another name'
