"""The register of fault kinds: a name, a function, how often, and whether anything is lost by it."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from night.log import Fault

if TYPE_CHECKING:
    from night.night import Night

Play = Callable[["Night", Fault, random.Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault.

    Attributes:
        weight: how often it is drawn, against the others.
        alone: it concerns the recorder's process, so only one of these at a time.
        restarts: it starts the recorder anew.
    """

    name: str
    play: Play
    weight: float
    benign: bool
    alone: bool
    restarts: bool


KINDS: dict[str, Kind] = {}


def fault(
    weight: float = 1.0, *, benign: bool = False, alone: bool = False, restarts: bool = False
) -> Callable[[Play], Play]:
    """Register a function as the kind of its name."""

    def registered(play: Play) -> Play:
        KINDS[play.__name__] = Kind(play.__name__, play, weight, benign, alone or restarts, restarts)
        return play

    return registered


def draw(chance: random.Random, names: list[str]) -> Kind:
    """One of these kinds, by weight."""
    kinds = [KINDS[name] for name in names]
    return chance.choices(kinds, [kind.weight for kind in kinds])[0]
