"""Arithmetic of stretches of time: begin included, end excluded, in any one unit.

Rule: every result is in order and no two of its stretches touch.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import TypeVar

N = TypeVar("N", int, float)


def merged(stretches: Iterable[tuple[N, N]]) -> list[tuple[N, N]]:
    """The moments that lie in any of the stretches; one that ends before it begins holds none."""
    found: list[tuple[N, N]] = []
    for begin, end in sorted(stretches):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        elif begin < end:
            found.append((begin, end))
    return found


def within(stretches: Sequence[tuple[N, N]], begin: N, end: N) -> list[tuple[N, N]]:
    """What of ordered stretches lies between two moments."""
    if begin >= end:
        return []
    first = bisect_right(stretches, begin, key=_end)
    last = bisect_left(stretches, end, key=_begin)
    return [(max(start, begin), min(stop, end)) for start, stop in stretches[first:last]]


def common(stretches: Iterable[tuple[N, N]], others: Sequence[tuple[N, N]]) -> list[tuple[N, N]]:
    """What of ordered stretches lies in others."""
    return [part for begin, end in stretches for part in within(others, begin, end)]


def without(stretches: Iterable[tuple[N, N]], others: Sequence[tuple[N, N]]) -> list[tuple[N, N]]:
    """What of ordered stretches lies in none of the others."""
    found = []
    for begin, end in stretches:
        at = begin
        for start, stop in within(others, begin, end):
            if at < start:
                found.append((at, start))
            at = stop
        if at < end:
            found.append((at, end))
    return found


def _begin(stretch: tuple[N, N]) -> N:
    return stretch[0]


def _end(stretch: tuple[N, N]) -> N:
    return stretch[1]
