"""Actions on the socket and the log-in: how connections end, stall, are refused, and say nonsense."""

import math

from recorder.simulator import junk as junk_frames
from recorder.simulator.actions.stage import Stage
from recorder.simulator.world import Welcome


def drop(stage: Stage) -> None:
    """Close every connection; frames held back are torn."""
    for link in list(stage.links.values()):
        link.close()


def reset(stage: Stage) -> None:
    """End every connection by RST."""
    for link in list(stage.links.values()):
        link.reset()


def freeze(stage: Stage, seconds: float = math.inf) -> None:
    """Half-open TCP: sockets stay, nothing is sent or read. Ticks of that time are lost."""
    for link in stage.links.values():
        link.freeze(stage.clock() + seconds)


def slow(stage: Stage, seconds: float = math.inf) -> None:
    """A few bytes a pulse, as over a dying line; what piles up ends in the connection being dropped."""
    for link in stage.links.values():
        link.line.slow = stage.clock() + seconds


def refuse_id(stage: Stage, times: int = 1) -> None:
    """The next connections find their client id in use: 326."""
    _welcome(stage, "id_in_use", times)


def accept_but_silent(stage: Stage, times: int = 1) -> None:
    """The next connections are accepted and get no hello."""
    _welcome(stage, "silent", times)


def hello_then_nothing(stage: Stage, times: int = 1) -> None:
    """The next connections get a hello and nothing after it."""
    _welcome(stage, "hello_only", times)


def empty_accounts(stage: Stage, times: int = 1) -> None:
    """The next connections are told no account."""
    _welcome(stage, "no_accounts", times)


def close_at_once(stage: Stage, times: int = 1) -> None:
    """The next connections are closed as soon as they are made."""
    _welcome(stage, "close", times)


def refuse_connections(stage: Stage, seconds: float = math.inf) -> None:
    """Nobody listens at the port; the connections there are stay."""
    stage.refuse(seconds)


def junk(stage: Stage, kind: junk_frames.Kind = "all") -> None:
    """Malformed frames, one kind or each; bound to the first subscription where they are bound to any."""
    kinds = junk_frames.KINDS if kind == "all" else (kind,)
    for link in stage.links.values():
        req = next((one.req for one in link.session.subscriptions.values()), -1)
        for name in kinds:
            link.queue_junk(junk_frames.KINDS[name](req))


def huge_length(stage: Stage) -> None:
    """A length no frame can have; nothing after it can be read."""
    for link in stage.links.values():
        link.queue_junk(junk_frames.HUGE_LENGTH)


def _welcome(stage: Stage, how: Welcome, times: int) -> None:
    stage.world.welcomes.extend([how] * times)
