"""What is going on, in plain words and in numbers."""

from dataclasses import dataclass
from datetime import UTC, datetime

from recorder.session.feed import Feed
from recorder.session.machine import Machine


@dataclass(frozen=True, slots=True)
class Status:
    """A session at a glance.

    Attributes:
        phase: offline, connecting, online, leaving or over.
        words: all of it in one line, for people.
        lines: lines of the watchlist.
        streams: their streams.
        recording: streams being received, or asked for with nothing against them.
        silent: lines of which a stream is silent, or in doubt.
        farms_down: farm to since when, microseconds since 1970.
        parked: line and stream to why it is not recorded.
    """

    phase: str
    words: str
    lines: int
    streams: int
    recording: int
    silent: list[str]
    farms_down: dict[str, int]
    parked: dict[str, str]


def status(machine: Machine) -> Status:
    """The status of a session."""
    feeds = machine.streams.feeds
    silent = sorted({feed.key[0] for feed in feeds if _is_silent(feed)})
    parked = {" ".join(feed.key): feed.problem for feed in feeds if feed.problem and not feed.live}
    lines = {feed.entry.name for feed in feeds}
    return Status(
        phase=machine.link.phase,
        words=", ".join(_words(machine, len(silent), len(lines), len(parked))),
        lines=len(lines),
        streams=len(feeds),
        recording=sum(feed.live and not _is_silent(feed) for feed in feeds),
        silent=silent,
        farms_down=dict(machine.watch.farms.down),
        parked=parked,
    )


def _is_silent(feed: Feed) -> bool:
    return feed.phase == "doubted" or (feed.needs_tick and feed.phase in ("waiting", "asked"))


def _words(machine: Machine, silent: int, lines: int, parked: int) -> list[str]:
    link = machine.link
    if link.phase != "online":
        told = {
            "offline": f"not connected: {link.reason or 'starting'}",
            "leaving": "stopping",
            "over": "stopped",
        }
        return [told.get(link.phase, link.phase)]
    words = ["connected" if machine.watch.lost_since is None else "connected to a gateway that has lost IB"]
    words += [f"{farm} down since {_clock(since)}" for farm, since in machine.watch.farms.down.items()]
    if silent:
        words.append(f"{silent} of {lines} lines silent")
    waiting = sum(feed.phase == "waiting" for feed in machine.streams.feeds)
    if waiting:
        words.append(f"{waiting} streams to be asked for")
    if parked:
        words.append(f"{parked} streams not recorded")
    return words if len(words) > 1 else [*words, f"{len(machine.streams.feeds)} streams of {lines} lines"]


def _clock(wall: int) -> str:
    return datetime.fromtimestamp(wall / 1e6, UTC).strftime("%H:%M UTC")
