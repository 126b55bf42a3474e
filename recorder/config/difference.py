"""What another config would change of a recording: its streams, its lines, its settings.

Rules:
- Pure. A stream is the same if contract, name and options are; otherwise one ends and another begins.
- Only what fits IB's limits is recorded, so a line taken out can make room that adds another.
- The order of the watchlist decides what fits, and nothing else. Defaults said aloud are no difference.
- Takes what `load` makes: a watchlist without twins.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recorder.config.limits import Verdict, budget, lines_used
from recorder.config.model import OPTIONS, Config, Stream

AT_RELOAD = ("max_lines",)
"""The keys of ``gateway`` that a reload applies: the budget is counted anew. The others have made the connection
and its clocks; those of ``storage`` and ``status`` the journal, the timer and the server. They need a restart."""

Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One stream of one line; equal to another if it would be the same recording.

    Attributes:
        label: the line's name; None: the local symbol that IB returns.
        title: the contract for a person's eyes.
        contract: the contract's keys.
        kind: the stream.
        options: the stream's own options.
    """

    label: str | None
    title: str
    contract: Pairs
    kind: str
    options: Pairs

    @property
    def name(self) -> str:
        """The line as a person knows it."""
        return self.label or self.title

    @property
    def line(self) -> Hashable:
        """What tells its line from the others: the name, or the contract where IB names it."""
        return self.label or self.contract


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that differs: its dotted key, ``gateway.port``, and the two values as plain data."""

    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.key}: {_word(self.before)} -> {_word(self.after)}"


@dataclass(frozen=True, slots=True)
class Change:
    """A line that both files have under one name, with another contract or other streams.

    Attributes:
        line: what tells it from the others, as in ``Recorded``.
        name: the line as a person knows it.
        settings: keys of the contract, ``exchange``, and options of streams, ``depth.rows``.
        added: streams recorded of it only afterwards.
        removed: streams recorded of it only before.
    """

    line: Hashable
    name: str
    settings: tuple[Setting, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes from one config to another.

    Attributes:
        added: streams recorded only afterwards, in the order of the new watchlist.
        removed: streams recorded only before, in the order of the old one.
        kept: streams recorded before and afterwards, in the order of the new watchlist.
        changed: lines with the same name and another contract or other streams.
        refused_before: streams that did not fit the limits, and why.
        refused: streams that will not fit the limits, and why.
        at_reload: other settings that a reload applies.
        at_restart: other settings that stay as they are until a restart.
        lines: market data lines taken afterwards.
        max_lines: market data lines there are afterwards.
    """

    added: tuple[Recorded, ...]
    removed: tuple[Recorded, ...]
    kept: tuple[Recorded, ...]
    changed: tuple[Change, ...]
    refused_before: Mapping[Recorded, str]
    refused: Mapping[Recorded, str]
    at_reload: tuple[Setting, ...]
    at_restart: tuple[Setting, ...]
    lines: int
    max_lines: int

    @property
    def empty(self) -> bool:
        """Whether the two configs mean the same."""
        differs = self.added or self.removed or self.changed or self.at_reload or self.at_restart
        return not differs and set(self.refused_before) == set(self.refused)

    def words(self) -> str:
        """The plan in one line: ``+3 -1, 97 of 100 lines``, and what does not come with a reload."""
        said = [f"+{len(self.added)} -{len(self.removed)}", f"{self.lines} of {self.max_lines} lines"]
        if self.refused:
            said.append(f"{len(self.refused)} refused")
        if self.at_restart:
            said.append(f"restart for {' '.join(setting.key for setting in self.at_restart)}")
        return ", ".join(said)


def difference(running: Config, wanted: Config) -> Difference:
    """What changes when a recorder that runs with ``running`` is to run with ``wanted``."""
    before, after = _reasons(running), _reasons(wanted)
    old = {one for one, reason in before.items() if reason is None}
    new = {one for one, reason in after.items() if reason is None}
    begun, ended = new - old, old - new
    settings = tuple(_settings("", _flat(running), _flat(wanted)))
    live = {f"gateway.{key}" for key in AT_RELOAD}
    return Difference(
        added=tuple(one for one in after if one in begun),
        removed=tuple(one for one in before if one in ended),
        kept=tuple(one for one in after if one in new and one in old),
        changed=tuple(_changes(before, after, old, new)),
        refused_before={one: reason for one, reason in before.items() if reason},
        refused={one: reason for one, reason in after.items() if reason},
        at_reload=tuple(setting for setting in settings if setting.key in live),
        at_restart=tuple(setting for setting in settings if setting.key not in live),
        lines=min(lines_used(wanted), wanted.gateway.max_lines),
        max_lines=wanted.gateway.max_lines,
    )


def reloaded(running: Config, wanted: Config) -> Config:
    """The config that a recorder goes on with after a reload: ``wanted``, but for what needs a restart."""
    live = {key: getattr(wanted.gateway, key) for key in AT_RELOAD}
    gateway = running.gateway.model_copy(update=live)
    lists = {"streams": wanted.streams, "watchlist": wanted.watchlist}
    return running.model_copy(update={"gateway": gateway, **lists})


def recorded(config: Config) -> dict[Recorded, Verdict]:
    """Each stream of the watchlist, in its order, with its place there and whether it fits."""
    lines = identities(config)
    titles = [line.title for line in config.watchlist]
    streams = {}
    for verdict in budget(config):
        (label, contract), (kind, options) = lines[verdict.line], request(verdict.stream)
        streams[Recorded(label, titles[verdict.line], contract, kind, options)] = verdict
    return streams


def identities(config: Config) -> list[tuple[str | None, Pairs]]:
    """Name and contract of each line of the watchlist, in its order: what keeps both is the same line.

    A continuous future goes by its title beside a future of its symbol, which has the local symbol for its name.
    """
    futures = {line.symbol for line in config.watchlist if line.type == "future"}
    found = []
    for line in config.watchlist:
        shadowed = line.label is None and line.type == "continuous_future" and line.symbol in futures
        contract = line.model_dump(exclude={"name", "streams"}, exclude_none=True)
        found.append((line.title if shadowed else line.label, tuple(contract.items())))
    return found


def request(stream: Stream) -> tuple[str, Pairs]:
    """The stream and its own options: what keeps both asks IB for the same."""
    return stream.kind, tuple((key, _unordered(getattr(stream, key))) for key in OPTIONS[stream.kind])


def _unordered(value: Any) -> Any:
    """Generic ticks are a set to IB: written in another order they ask for the same."""
    return tuple(sorted(value)) if isinstance(value, tuple) else value


def _reasons(config: Config) -> dict[Recorded, str | None]:
    return {one: verdict.reason for one, verdict in recorded(config).items()}


def _flat(config: Config) -> dict[str, Any]:
    """All settings but the watchlist, by dotted key, as plain data."""
    plain = config.model_dump(mode="json", exclude={"streams", "watchlist"})
    return {f"{section}.{key}": value for section, keys in plain.items() for key, value in keys.items()}


def _changes(
    before: Iterable[Recorded], after: Iterable[Recorded], old: set[Recorded], new: set[Recorded]
) -> Iterator[Change]:
    """The lines of both files that differ; ``old`` and ``new`` are the streams that fit."""
    were = _by_line(before)
    for line, streams in _by_line(after).items():
        was = were.get(line)
        if was and set(was.values()) != set(streams.values()):
            then = [kind for kind, one in was.items() if one in old]
            now = [kind for kind, one in streams.items() if one in new]
            yield Change(
                line,
                next(iter(streams.values())).name,
                tuple(_line_settings(was, streams)),
                added=tuple(kind for kind in now if kind not in then),
                removed=tuple(kind for kind in then if kind not in now),
            )


def _by_line(streams: Iterable[Recorded]) -> dict[Hashable, dict[str, Recorded]]:
    lines: dict[Hashable, dict[str, Recorded]] = {}
    for one in streams:
        lines.setdefault(one.line, {})[one.kind] = one
    return lines


def _line_settings(was: Mapping[str, Recorded], streams: Mapping[str, Recorded]) -> Iterator[Setting]:
    contracts = (dict(next(iter(one.values())).contract) for one in (was, streams))
    yield from _settings("", *contracts)
    for kind in (kind for kind in was if kind in streams):
        yield from _settings(f"{kind}.", dict(was[kind].options), dict(streams[kind].options))


def _settings(prefix: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Setting]:
    for key in dict.fromkeys((*before, *after)):
        if before.get(key) != after.get(key):
            yield Setting(prefix + key, before.get(key), after.get(key))


def _word(value: Any) -> str:
    """A plain value as the file has it: ``null``, ``true``, ``300``, ``[18, 19]``."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_word, value))}]"
    if isinstance(value, bool) or value is None:
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.15g}" if isinstance(value, float) else str(value)
