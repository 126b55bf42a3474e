"""What is going on, in plain words and in numbers.

Rule: what the gateway said goes out as one line that prints: it ends in logs, terminals and systemd's status.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from recorder.session.feed import Feed
from recorder.session.machine import Machine

State = Literal["recording", "silent", "waiting", "parked"]


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream of one line.

    Attributes:
        line: its name in the data.
        stream: level1, trades, ...
        state: ``recording``: being received, or asked for with nothing against it; ``silent``: it must tick before
            it counts as received; ``waiting``: yet to be asked for, or for room; ``parked``: not to be had as it
            stands.
        why: why it is not being recorded, in words; "" if it is.
        closed: its market is known to be closed: then silence means nothing.
        ticks: how many have come, without the pictures that IB sends when it is asked.
        last_tick: when the last one came since it was asked for, microseconds since 1970; None: none has.
    """

    line: str
    stream: str
    state: State
    why: str
    closed: bool
    ticks: int
    last_tick: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """A session at a glance.

    Attributes:
        phase: offline, connecting, online, leaving or over.
        words: all of it in one line, for people.
        ib_lost: there is a gateway, and it has lost IB.
        lines: lines of the watchlist.
        streams: their streams.
        recording: streams being received, or asked for with nothing against them.
        silent: lines of which a stream is silent, or in doubt.
        farms_down: farm to since when, microseconds since 1970.
        parked: line and stream to why it is not recorded.
        each: every stream, in the watchlist's order.
    """

    phase: str
    words: str
    ib_lost: bool
    lines: int
    streams: int
    recording: int
    silent: list[str]
    farms_down: dict[str, int]
    parked: dict[str, str]
    each: list[StreamStatus]


def status(machine: Machine, wall: int | None = None) -> Status:
    """The status of a session; ``wall`` (microseconds since 1970) tells which markets are closed."""
    each = [_stream(machine, feed, wall) for feed in machine.streams.feeds]
    silent = sorted({one.line for one in each if one.state == "silent"})
    parked = {f"{one.line} {one.stream}": one.why for one in each if one.state == "parked"}
    return Status(
        phase=machine.link.phase,
        words=_plain(", ".join(_words(machine, each))),
        ib_lost=machine.link.phase == "online" and machine.watch.lost_since is not None,
        lines=len({one.line for one in each}),
        streams=len(each),
        recording=sum(one.state == "recording" for one in each),
        silent=silent,
        farms_down=dict(machine.watch.farms.down),
        parked=parked,
        each=each,
    )


# One stream. ---------------------------------------------------------------------------------------------


def _stream(machine: Machine, feed: Feed, wall: int | None) -> StreamStatus:
    state = _state(feed)
    line, stream = feed.key
    return StreamStatus(
        line=line,
        stream=stream,
        state=state,
        why=_plain(_why(machine, feed, state)),
        closed=wall is not None and feed.entry.hours.open_at(wall / 1e6) is False,
        ticks=feed.total,
        last_tick=feed.last.ts if feed.ticked and feed.last else None,
    )


def _state(feed: Feed) -> State:
    if feed.phase == "doubted" or (feed.needs_tick and feed.phase in ("waiting", "asked")):
        return "silent"
    if feed.live:
        return "recording"
    return "parked" if feed.problem else "waiting"


def _why(machine: Machine, feed: Feed, state: State) -> str:
    if state == "recording":
        return ""
    if state == "parked":
        return feed.problem
    if machine.link.phase != "online":
        return "not connected"
    if machine.watch.lost_since is not None:
        return "the gateway has lost IB"
    if state == "silent":
        return "asked for anew, no tick yet" if feed.phase == "asked" else "no tick when one was due"
    return (
        "IB is asked for the contract" if feed.entry.details is None else "its turn to be asked for will come"
    )


# All of them. --------------------------------------------------------------------------------------------


def _words(machine: Machine, each: list[StreamStatus]) -> list[str]:
    link = machine.link
    if link.phase == "online":
        lost = machine.watch.lost_since is not None
        quiet = [] if link.is_heard else ["which says nothing: asked whether it is there"]
        said = "connected to a gateway that has lost IB" if lost else "connected"
        return [said, *quiet, *_troubles(machine, each)]
    if link.phase in ("leaving", "over"):
        return ["stopping" if link.phase == "leaving" else "stopped"]
    trying = "connecting" if link.phase == "connecting" else "trying again"
    return [f"not connected: {link.reason}", trying] if link.reason else ["connecting"]


def _troubles(machine: Machine, each: list[StreamStatus]) -> Iterator[str]:
    """What is not as it should be; if nothing is, how much is recorded."""
    yield from (f"{farm} down since {_clock(since)}" for farm, since in machine.watch.farms.down.items())
    lines = len({one.line for one in each})
    if silent := len({one.line for one in each if one.state == "silent"}):
        yield f"{silent} of {_count(lines, 'line')} silent"
    if waiting := sum(one.state == "waiting" for one in each):
        yield f"{_count(waiting, 'stream')} to be asked for"
    if parked := sum(one.state == "parked" for one in each):
        yield f"{_count(parked, 'stream')} not recorded"
    if not machine.watch.farms.down and all(one.state == "recording" for one in each):
        yield f"{_count(len(each), 'stream')} of {_count(lines, 'line')}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _clock(wall: int) -> str:
    return datetime.fromtimestamp(wall / 1e6, UTC).strftime("%H:%M UTC")


def _plain(text: str) -> str:
    """On one line, and nothing in it that a terminal would obey."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
